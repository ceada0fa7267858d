#include "auth/authorizer.h"

bool
authorizer_allows(const struct authorizer *authorizer,
    const struct principal *principal, enum acl_operation operation UNUSED,
    enum acl_resource_type type UNUSED, struct slice name UNUSED)
{
	assert(principal->name.len > 0);
	return authorizer == NULL;
}

int32_t
authorizer_operations(const struct authorizer *authorizer,
    const struct principal *principal, enum acl_resource_type type,
    struct slice name)
{
	int32_t all = acl_operations_of(type), allowed = 0;

	for (int operation = 0; operation < 31; operation++)
		if ((all & (1 << operation)) != 0 &&
		    authorizer_allows(authorizer, principal,
			(enum acl_operation)operation, type, name))
			allowed |= 1 << operation;
	return allowed;
}
