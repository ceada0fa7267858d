/*
 * PLAIN users: who may log in with PLAIN, and with which password.
 *
 * Of a password only its digest is kept.  Finding a user takes as many steps
 * as not finding one, and a password is compared in any case, so that the time
 * that it takes says nothing about who there is.
 *
 * Immutable once it is made: any thread.
 */
#ifndef AUTH_PLAIN_USERS_H
#define AUTH_PLAIN_USERS_H

#include "base/arena.h"
#include "base/base.h"

struct plain_users;

struct plain_user {
	struct slice name;
	struct slice password;
};

/* count users, no name of them twice; all of it is in arena, names, too. */
struct plain_users *plain_users_new(struct arena *arena,
    const struct plain_user *users, size_t count);

/* Is that a user with this password?  users NULL is nobody. */
bool plain_users_know(const struct plain_users *users, struct slice name,
    struct slice password) WARN_UNUSED;

#endif
