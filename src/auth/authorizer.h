/*
 * Authorizer: may this principal do this operation on this resource?
 *
 * Every decision goes through here.  Without authorizer.class.name, which is
 * Kafka's default, everything is allowed; a configuration that names one is
 * refused at start, so nothing is ever allowed by mistake.
 *
 * Thread: any.
 */
#ifndef AUTH_AUTHORIZER_H
#define AUTH_AUTHORIZER_H

#include "auth/acl.h"

/* Who asks: "User:ANONYMOUS" on a plaintext connection. */
struct principal {
	struct slice type;
	struct slice name;
};

#define PRINCIPAL_ANONYMOUS \
	((struct principal){ SLICE_LITERAL("User"), \
	    SLICE_LITERAL("ANONYMOUS") })

struct authorizer;

/*
 * True where operation on the resource of that type and name is allowed to
 * principal.  authorizer NULL is "no authorizer": everything is.
 */
bool authorizer_allows(const struct authorizer *authorizer,
    const struct principal *principal, enum acl_operation operation,
    enum acl_resource_type type, struct slice name);

/*
 * The operations of acl_operations_of(type) that principal is allowed on the
 * resource, as the bit field that Metadata and others answer.
 */
int32_t authorizer_operations(const struct authorizer *authorizer,
    const struct principal *principal, enum acl_resource_type type,
    struct slice name);

#endif
