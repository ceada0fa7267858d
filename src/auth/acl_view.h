/*
 * ACL view: the entries as they will be, for operations of the controller:
 * those in force, and what the operations before in the same batch have
 * decided.
 *
 * On the controller's thread.
 */
#ifndef AUTH_ACL_VIEW_H
#define AUTH_ACL_VIEW_H

#include "auth/acl_set.h"
#include "base/arena.h"
#include "base/tally.h"

struct authorizer;
struct delta;

struct acl_view {
	const struct acl_set *applied;
	struct acl_set *added;
	struct tally removed; /* by id, in the arena */
};

/* The view of what is in force and delta, for as long as arena lives. */
void acl_view_init(struct acl_view *view, const struct authorizer *authorizer,
    const struct delta *delta, struct arena *arena);
void acl_view_fini(struct acl_view *view);

/* This operation has added an entry. */
void acl_view_add(
    struct acl_view *view, const struct uuid *id, const struct acl *acl);

bool acl_view_has(const struct acl_view *view, const struct acl *acl);
size_t acl_view_count_max(const struct acl_view *view);

/* Iterate from a zeroed cursor, in no order; NULL at the end. */
struct acl_view_cursor {
	size_t applied;
	size_t added;
};

const struct acl *acl_view_next(const struct acl_view *view,
    struct acl_view_cursor *cursor, struct uuid *id);

#endif
