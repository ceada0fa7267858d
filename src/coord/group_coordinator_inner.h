/*
 * What the files of the group coordinator share.  Nobody else includes it.
 */
#ifndef COORD_GROUP_COORDINATOR_INNER_H
#define COORD_GROUP_COORDINATOR_INNER_H

#include "coord/coordinator.h"
#include "coord/group_coordinator.h"
#include "coord/group_tenure.h"
#include "coord/share_group_states.h"

struct group_coordinator {
	struct coordinator base;

	/* immutable */
	struct group_settings settings;
	struct shard_settings shard_settings;
	struct group_common common;	/* of all of the above */
	struct group_image *image;	/* owned */
	struct group_resolver resolver;
	struct share_group_persister persister;
	struct share_coordinator *shares; /* NULL: there are no share groups */
	struct streams_creator *creator; /* owned */

	struct budget memory;		/* of all members and pending ids */

	/* guarded by the base's mutex */
	struct list dropped;		/* topics whose offsets have to go */
	struct task drop_task;
	struct map changed;		/* struct changed: topics, by name */
	bool dropping;			/* drop_task is posted */
	bool loaded;			/* the start has loaded all there was */
};

/*
 * The tenure whose shard looks after the group, if node_id leads it,
 * referenced; else NULL.
 */
struct group_tenure *group_coordinator_find(
    struct group_coordinator *coordinator, struct slice group_id,
    int32_t node_id);

/*
 * The tenure for a call, referenced; where there is none the call has been
 * answered.
 */
struct group_tenure *group_coordinator_enter(
    struct group_coordinator *coordinator, struct group_call *call,
    struct slice group_id);

/* What coordinator->persister does. */
void group_coordinator_persist(struct share_group_persister *persister,
    struct group_shard *shard, struct share_group_states *states);

/* What coordinator->resolver does. */
void group_coordinator_resolve(struct group_resolver *resolver,
    struct group_shard *shard, struct slice group_id,
    const struct principal *principal);

#endif
