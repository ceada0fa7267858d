/*
 * Streams change: what an operation does to a streams group, while it is being
 * decided.
 *
 * The group's state is as it was before; what will be stands here, and in the
 * records that are emitted on the way.  When they have been appended, replaying
 * them brings the state to where the change is.
 *
 * The shard's lock is held throughout.
 */
#ifndef COORD_STREAMS_CHANGE_H
#define COORD_STREAMS_CHANGE_H

#include "coord/streams_group.h"

struct streams_change {
	struct group_shard *shard;
	struct slice group_id;
	struct streams_group *streams; /* of which nothing changes yet */
	struct arena arena;            /* scratch, until the end */
	int64_t now_ms;                /* wall clock */

	/* The member as it will be; NULL: nobody changes. */
	struct streams_member *draft;
	const struct streams_member *base; /* in whose place; NULL: it is new */
	struct streams_assignment target;  /* the draft's */

	/* The group as it will be. */
	const struct streams_topology *topology;
	const struct streams_configured *configured;
	struct streams_pairs configs;
	int32_t epoch;
	int64_t metadata_hash;
	int32_t validated_epoch;
	int32_t target_epoch;

	/* private */
	struct streams_topology *fresh_topology;     /* owned, or NULL */
	struct streams_configured *fresh_configured; /* the same */
	bool refreshed; /* the topics were looked at */
};

void streams_change_begin(struct streams_change *change,
    struct group_shard *shard, struct streams_group *streams,
    struct slice group_id);
void streams_change_end(struct streams_change *change);

/*
 * The topology that the draft's member has said, which is the group's first
 * one, or is the group's (STREAMS_STALE_TOPOLOGY is for who is behind).
 * INVALID_REQUEST, with *message in arena, where it is another one;
 * UNKNOWN_SERVER_ERROR where it is none.
 */
enum kp_error streams_change_topology(struct streams_change *change,
    const struct kp_streams_group_topology_value *said,
    struct slice *message) WARN_UNUSED;

/*
 * Configure the topology, where there is a new one or the topics may have
 * changed; *bump is set where the group needs a new epoch for that.  Errors and
 * the message, which is in arena, as of streams_configure.
 */
enum kp_error streams_change_configure(struct streams_change *change,
    struct arena *arena, struct slice *message, bool *bump) WARN_UNUSED;

/* Where bump says so, or a setting of the assignor has changed: a new epoch. */
void streams_change_epoch(struct streams_change *change, bool bump);

/*
 * Make a target for an epoch that has none (streams_target.c).  False where
 * the last one is too young for that.
 */
bool streams_change_target(struct streams_change *change);

/*
 * What the draft has after its next step (streams_reconcile.c): owned is what
 * it says it has, NULL where it does not say.  FENCED_MEMBER_EPOCH where it has
 * to begin anew.
 */
enum kp_error streams_reconcile(struct streams_change *change,
    const struct streams_assignment *owned) WARN_UNUSED;

/*
 * Append what was emitted; the group is what the change says then.  What was
 * configured is the group's where the group was there before.
 */
enum kp_error streams_change_append(struct streams_change *change) WARN_UNUSED;

#endif
