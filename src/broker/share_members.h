/*
 * Share members: the members of a share group that have records of a share
 * partition, by a number that is good for as long as they have any.
 */
#ifndef BROKER_SHARE_MEMBERS_H
#define BROKER_SHARE_MEMBERS_H

#include "base/base.h"
#include "base/slice.h"
#include "broker/share_runs.h"

struct share_member {
	uint8_t *id; /* owned; NULL: the place is free */
	size_t len;
};

/* Zeroed it is empty. */
struct share_members {
	struct share_member *at;
	int32_t count;
};

void share_members_fini(struct share_members *members);

/* The member's number; SHARE_NOBODY where it has nothing. */
int32_t share_members_find(
    const struct share_members *members, struct slice id);

/* The same for one that is to have something; runs say who has what now. */
int32_t share_members_intern(struct share_members *members,
    const struct share_runs *runs, struct slice id);

#endif
