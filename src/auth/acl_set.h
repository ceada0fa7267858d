/*
 * ACL set: all entries that there are, by what they are asked for.
 *
 * A decision looks at the patterns that apply to a resource's name: the
 * literal one, the literal "*", and the prefixes of the name (prefix_map).
 *
 * Not thread-safe.
 */
#ifndef AUTH_ACL_SET_H
#define AUTH_ACL_SET_H

#include "auth/acl.h"
#include "auth/principal.h"
#include "base/base.h"
#include "base/uuid.h"

struct acl_set;

enum acl_verdict {
	ACL_VERDICT_NONE,   /* no entry is about the resource at all */
	ACL_VERDICT_OTHERS, /* some are, but none for this caller */
	ACL_VERDICT_DENIED,
	ACL_VERDICT_ALLOWED,
};

struct acl_set *acl_set_new(void);
void acl_set_free(struct acl_set *set);

/* Add a copy of acl, in place of what has the id. */
void acl_set_put(
    struct acl_set *set, const struct uuid *id, const struct acl *acl);
void acl_set_remove(struct acl_set *set, const struct uuid *id);
size_t acl_set_count(const struct acl_set *set);

/*
 * What the entries say of operation on the resource of that type and name;
 * caller_hash is map_hash of the caller's name.
 */
enum acl_verdict acl_set_decide(const struct acl_set *set,
    const struct principal *caller, uint32_t caller_hash,
    enum acl_operation operation, enum acl_resource_type type,
    struct slice name);

/*
 * Is operation allowed on some resource of the type, whatever its name
 * (Authorizer.authorizeByResourceType)?
 */
bool acl_set_allows_some(const struct acl_set *set,
    const struct principal *caller, enum acl_operation operation,
    enum acl_resource_type type);

/*
 * Iterate from *position = 0, in no order: the next entry, whose texts live
 * until the set changes, and its id; NULL at the end.
 */
const struct acl *acl_set_next(
    const struct acl_set *set, size_t *position, struct uuid *id);

/* The id of an equal entry; false where there is none. */
bool acl_set_find(
    const struct acl_set *set, const struct acl *acl, struct uuid *id);

#endif
