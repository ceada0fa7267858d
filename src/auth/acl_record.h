/*
 * ACL record: how an entry stands in the metadata.
 */
#ifndef AUTH_ACL_RECORD_H
#define AUTH_ACL_RECORD_H

#include "auth/acl.h"
#include "base/uuid.h"

struct arena;
struct delta_kept;

/* Is that change one of an entry?  Its id, then. */
bool acl_record_is(const struct delta_kept *kept, struct uuid *id);

/*
 * The entry of a framed record; its texts live as long as value and arena do.
 * False for one with codes that no entry has: it grants and denies nothing.
 */
bool acl_record_decode(
    struct slice value, struct arena *arena, struct acl *acl) WARN_UNUSED;

#endif
