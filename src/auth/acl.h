/*
 * ACL: an entry of Kafka's access control lists, with the codes of the wire
 * (org.apache.kafka.common.acl and .resource), and the filters that find them.
 */
#ifndef AUTH_ACL_H
#define AUTH_ACL_H

#include "base/arena.h"
#include "base/base.h"

enum acl_resource_type {
	ACL_RESOURCE_ANY = 1, /* in filters */
	ACL_RESOURCE_TOPIC = 2,
	ACL_RESOURCE_GROUP = 3,
	ACL_RESOURCE_CLUSTER = 4,
	ACL_RESOURCE_TRANSACTIONAL_ID = 5,
	ACL_RESOURCE_DELEGATION_TOKEN = 6,
	ACL_RESOURCE_USER = 7,
};

enum acl_operation {
	ACL_OPERATION_ANY = 1, /* in filters */
	ACL_ALL = 2,
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

enum acl_pattern_type {
	ACL_PATTERN_ANY = 1,   /* in filters: either of the two */
	ACL_PATTERN_MATCH = 2, /* in filters: all that apply to it */
	ACL_PATTERN_LITERAL = 3,
	ACL_PATTERN_PREFIXED = 4,
};

enum acl_permission {
	ACL_PERMISSION_ANY = 1, /* in filters */
	ACL_DENY = 2,
	ACL_ALLOW = 3,
};

/* The only name of a CLUSTER resource. */
#define ACL_CLUSTER_NAME SLICE_LITERAL("kafka-cluster")

/* The name, of a literal pattern, that stands for every resource. */
#define ACL_WILDCARD SLICE_LITERAL("*")
#define ACL_EVERYBODY SLICE_LITERAL("User:*")

/* An entry, or a filter for entries, whose texts are null for any. */
struct acl {
	int8_t resource_type;
	int8_t pattern_type;
	int8_t operation;
	int8_t permission;
	struct slice resource_name;
	struct slice principal; /* "User:alice" */
	struct slice host;      /* an address in digits, or "*" */
};

/*
 * The operations that a resource type supports, as the bit field (1 << code)
 * that "authorized operations" fields carry; 0 for types without such a field.
 */
int32_t acl_operations_of(enum acl_resource_type type);

/*
 * What is wrong with an entry that somebody wants to add, in Kafka's words, in
 * arena; null: nothing (AclApis and AclControlManager).
 */
struct slice acl_fault(const struct acl *acl, struct arena *arena);

/* May it be a filter?  No code of it is "unknown". */
bool acl_filter_valid(const struct acl *filter) WARN_UNUSED;

/* Does filter find the entry (AclBindingFilter of Kafka)? */
bool acl_matches(const struct acl *filter, const struct acl *acl);

bool acl_equal(const struct acl *left, const struct acl *right);

/* "TOPIC" and "READ", for log lines; "UNKNOWN" for what has no name. */
const char *acl_resource_type_name(enum acl_resource_type type);
const char *acl_operation_name(enum acl_operation operation);

#endif
