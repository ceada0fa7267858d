/*
 * Access: who asks for an operation, seen from below.  What may be done is
 * decided in a layer above; operations of the controller call it at the
 * right place in the order of their checks.
 *
 * Operation and resource type are Kafka's codes (AclOperation, ResourceType).
 * Called on the controller's thread; it does not block.
 */
#ifndef META_ACCESS_H
#define META_ACCESS_H

#include "base/base.h"

enum access_operation {
	ACCESS_CREATE = 5,
	ACCESS_DELETE = 6,
	ACCESS_ALTER = 7,
	ACCESS_DESCRIBE = 8,
	ACCESS_DESCRIBE_CONFIGS = 10,
	ACCESS_ALTER_CONFIGS = 11,
};

enum access_resource {
	ACCESS_TOPIC = 2,
	ACCESS_GROUP = 3,
	ACCESS_CLUSTER = 4,
};

struct access {
	bool (*allowed)(const struct access *access,
	    enum access_operation operation, enum access_resource resource,
	    struct slice name);
};

/* The name of the one resource of type cluster. */
#define ACCESS_CLUSTER_NAME SLICE_LITERAL("kafka-cluster")

/* May it be done?  Everything may where access is NULL. */
static inline bool
access_allowed(const struct access *access, enum access_operation operation,
    enum access_resource resource, struct slice name)
{
	return access == NULL ||
	    access->allowed(access, operation, resource, name);
}

#endif
