#include "auth/acl.h"

#define BIT(operation) (1 << (operation))

int32_t
acl_operations_of(enum acl_resource_type type)
{
	switch (type) {
	case ACL_RESOURCE_TOPIC:
		return BIT(ACL_READ) | BIT(ACL_WRITE) | BIT(ACL_CREATE) |
		    BIT(ACL_DESCRIBE) | BIT(ACL_DELETE) | BIT(ACL_ALTER) |
		    BIT(ACL_DESCRIBE_CONFIGS) | BIT(ACL_ALTER_CONFIGS);
	case ACL_RESOURCE_GROUP:
		return BIT(ACL_READ) | BIT(ACL_DESCRIBE) | BIT(ACL_DELETE) |
		    BIT(ACL_DESCRIBE_CONFIGS) | BIT(ACL_ALTER_CONFIGS);
	case ACL_RESOURCE_CLUSTER:
		return BIT(ACL_CREATE) | BIT(ACL_CLUSTER_ACTION) |
		    BIT(ACL_DESCRIBE_CONFIGS) | BIT(ACL_ALTER_CONFIGS) |
		    BIT(ACL_IDEMPOTENT_WRITE) | BIT(ACL_ALTER) |
		    BIT(ACL_DESCRIBE);
	case ACL_RESOURCE_ANY:
	case ACL_RESOURCE_TRANSACTIONAL_ID:
	case ACL_RESOURCE_DELEGATION_TOKEN:
	case ACL_RESOURCE_USER:
		break;
	}
	return 0;
}

static bool
between(int8_t code, int8_t low, int8_t high)
{
	return code >= low && code <= high;
}

/* The name of a code of Kafka that is none of the enums here, too. */
static const char *
code_name(int8_t code, const char *known)
{
	switch (code) {
	case 1:
		return "ANY";
	case 2:
		return known;
	default:
		return "UNKNOWN";
	}
}

struct slice
acl_fault(const struct acl *acl, struct arena *arena)
{
	if (acl->resource_type == ACL_RESOURCE_CLUSTER &&
	    !slice_equal(acl->resource_name, ACL_CLUSTER_NAME))
		return slice_str("The only valid name for the CLUSTER "
				 "resource is kafka-cluster");
	if (acl->resource_name.len == 0)
		return slice_str("Invalid empty resource name");
	if (!between(acl->resource_type, ACL_RESOURCE_TOPIC, ACL_RESOURCE_USER))
		return arena_printf(arena, "Invalid resourceType %s",
		    code_name(acl->resource_type, NULL));
	if (!between(
		acl->pattern_type, ACL_PATTERN_LITERAL, ACL_PATTERN_PREFIXED))
		return arena_printf(arena, "Invalid patternType %s",
		    code_name(acl->pattern_type, "MATCH"));
	if (!between(acl->operation, ACL_ALL, ACL_TWO_PHASE_COMMIT))
		return arena_printf(arena, "Invalid operation %s",
		    code_name(acl->operation, NULL));
	if (!between(acl->permission, ACL_DENY, ACL_ALLOW))
		return arena_printf(arena, "Invalid permissionType %s",
		    code_name(acl->permission, NULL));
	if (memchr(acl->principal.data, ':', acl->principal.len) == NULL)
		return arena_printf(arena,
		    "Could not parse principal from `%.*s` (no colon is "
		    "present separating the principal type from the principal "
		    "name)",
		    SLICE_ARG(acl->principal));
	return SLICE_NULL;
}

bool
acl_filter_valid(const struct acl *filter)
{
	return filter->resource_type != 0 && filter->pattern_type != 0 &&
	    filter->operation != 0 && filter->permission != 0;
}

static bool
starts_with(struct slice text, struct slice prefix)
{
	return text.len >= prefix.len &&
	    memcmp(text.data, prefix.data, prefix.len) == 0;
}

/* Does the filter's pattern take that of the entry? */
static bool
pattern_matches(const struct acl *filter, const struct acl *acl)
{
	struct slice wanted = filter->resource_name;
	struct slice name = acl->resource_name;

	if (filter->pattern_type != ACL_PATTERN_ANY &&
	    filter->pattern_type != ACL_PATTERN_MATCH &&
	    filter->pattern_type != acl->pattern_type)
		return false;
	if (slice_is_null(wanted))
		return true;
	if (filter->pattern_type != ACL_PATTERN_MATCH)
		return slice_equal(wanted, name);
	return acl->pattern_type == ACL_PATTERN_LITERAL ?
	    slice_equal(wanted, name) || slice_equal(name, ACL_WILDCARD) :
	    starts_with(wanted, name);
}

static bool
takes(struct slice wanted, struct slice text)
{
	return slice_is_null(wanted) || slice_equal(wanted, text);
}

bool
acl_matches(const struct acl *filter, const struct acl *acl)
{
	return (filter->resource_type == ACL_RESOURCE_ANY ||
		   filter->resource_type == acl->resource_type) &&
	    (filter->operation == ACL_OPERATION_ANY ||
		filter->operation == acl->operation) &&
	    (filter->permission == ACL_PERMISSION_ANY ||
		filter->permission == acl->permission) &&
	    takes(filter->principal, acl->principal) &&
	    takes(filter->host, acl->host) && pattern_matches(filter, acl);
}

bool
acl_equal(const struct acl *left, const struct acl *right)
{
	return left->resource_type == right->resource_type &&
	    left->pattern_type == right->pattern_type &&
	    left->operation == right->operation &&
	    left->permission == right->permission &&
	    slice_equal(left->resource_name, right->resource_name) &&
	    slice_equal(left->principal, right->principal) &&
	    slice_equal(left->host, right->host);
}

const char *
acl_resource_type_name(enum acl_resource_type type)
{
	static const char *const names[] = {
		[ACL_RESOURCE_TOPIC] = "TOPIC",
		[ACL_RESOURCE_GROUP] = "GROUP",
		[ACL_RESOURCE_CLUSTER] = "CLUSTER",
		[ACL_RESOURCE_TRANSACTIONAL_ID] = "TRANSACTIONAL_ID",
		[ACL_RESOURCE_DELEGATION_TOKEN] = "DELEGATION_TOKEN",
		[ACL_RESOURCE_USER] = "USER",
	};

	return between((int8_t)type, ACL_RESOURCE_TOPIC, ACL_RESOURCE_USER) ?
	    names[type] :
	    "UNKNOWN";
}

const char *
acl_operation_name(enum acl_operation operation)
{
	static const char *const names[] = {
		[ACL_ALL] = "ALL",
		[ACL_READ] = "READ",
		[ACL_WRITE] = "WRITE",
		[ACL_CREATE] = "CREATE",
		[ACL_DELETE] = "DELETE",
		[ACL_ALTER] = "ALTER",
		[ACL_DESCRIBE] = "DESCRIBE",
		[ACL_CLUSTER_ACTION] = "CLUSTER_ACTION",
		[ACL_DESCRIBE_CONFIGS] = "DESCRIBE_CONFIGS",
		[ACL_ALTER_CONFIGS] = "ALTER_CONFIGS",
		[ACL_IDEMPOTENT_WRITE] = "IDEMPOTENT_WRITE",
		[ACL_CREATE_TOKENS] = "CREATE_TOKENS",
		[ACL_DESCRIBE_TOKENS] = "DESCRIBE_TOKENS",
		[ACL_TWO_PHASE_COMMIT] = "TWO_PHASE_COMMIT",
	};

	return between((int8_t)operation, ACL_ALL, ACL_TWO_PHASE_COMMIT) ?
	    names[operation] :
	    "UNKNOWN";
}
