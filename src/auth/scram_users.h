/*
 * SCRAM users: the credentials that stand in the metadata, for those who log
 * in.
 *
 * Thread: any.  The lock is a leaf.
 */
#ifndef AUTH_SCRAM_USERS_H
#define AUTH_SCRAM_USERS_H

#include "auth/scram.h"
#include "base/arena.h"

struct delta;
struct scram_users;

struct scram_users *scram_users_new(void);
void scram_users_free(struct scram_users *users);

/* Take over what has changed: a subscriber of the controller. */
void scram_users_apply(void *users, const struct delta *delta);

/*
 * The credential of a user for a mechanism, its salt in arena.  Of one that
 * there is not, or that is too weak to be used, false, and a credential that
 * nobody's password fits: the same one each time, so that whoever asks does
 * not learn who there is.
 */
bool scram_users_find(struct scram_users *users, enum scram_mechanism mechanism,
    struct slice name, struct arena *arena,
    struct scram_credential *credential) WARN_UNUSED;

#endif
