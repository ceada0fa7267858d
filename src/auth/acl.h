/*
 * The words of Kafka's access control: resource types and operations, with
 * the codes of the wire (org.apache.kafka.common.acl and .resource).
 */
#ifndef AUTH_ACL_H
#define AUTH_ACL_H

#include "base/base.h"

enum acl_resource_type {
	ACL_RESOURCE_TOPIC = 2,
	ACL_RESOURCE_GROUP = 3,
	ACL_RESOURCE_CLUSTER = 4,
	ACL_RESOURCE_TRANSACTIONAL_ID = 5,
	ACL_RESOURCE_DELEGATION_TOKEN = 6,
	ACL_RESOURCE_USER = 7,
};

enum acl_operation {
	ACL_READ = 3,
	ACL_WRITE = 4,
	ACL_CREATE = 5,
	ACL_DELETE = 6,
	ACL_ALTER = 7,
	ACL_DESCRIBE = 8,
	ACL_CLUSTER_ACTION = 9,
	ACL_DESCRIBE_CONFIGS = 10,
	ACL_ALTER_CONFIGS = 11,
	ACL_IDEMPOTENT_WRITE = 12,
	ACL_CREATE_TOKENS = 13,
	ACL_DESCRIBE_TOKENS = 14,
	ACL_TWO_PHASE_COMMIT = 15,
};

/* The only name of a CLUSTER resource. */
#define ACL_CLUSTER_NAME SLICE_LITERAL("kafka-cluster")

/*
 * The operations that a resource type supports, as the bit field (1 << code)
 * that "authorized operations" fields carry; 0 for types without such a field.
 */
int32_t acl_operations_of(enum acl_resource_type type);

#endif
