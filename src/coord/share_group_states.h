/*
 * Share group states: the calls to the share coordinator that one operation on
 * a share group makes, all together.
 *
 * An operation decides under its shard's lock what is to be asked, and asks
 * when what it has written is committed, with no lock held.  What comes of it
 * is looked at when all calls are done.
 */
#ifndef COORD_SHARE_GROUP_STATES_H
#define COORD_SHARE_GROUP_STATES_H

#include <stdatomic.h>

#include "base/arena.h"
#include "coord/consumer_assignment.h"
#include "coord/share_state.h"

struct group_shard;
struct share_group_states;

/* Who runs the calls: the share coordinator of this process, or a test. */
struct share_group_persister {
	/*
	 * Run all of states and call its done, on any thread, perhaps before
	 * this returns.  shard is there until then.
	 */
	void (*run)(struct share_group_persister *persister,
	    struct group_shard *shard, struct share_group_states *states);
};

struct share_group_states {
	struct arena arena;	/* of all of this, while nothing runs */
	struct slice group_id;	/* in the arena */
	struct share_state_call *calls; /* by topic and partition */
	int32_t count;
	void (*done)(
	    struct share_group_states *states, struct group_shard *shard);
	void *context;		/* the caller's */

	/* private */
	struct shard_call committed;
	struct group_shard *shard;

	/* The persister's. */
	struct share_group_persister *persister;
	atomic_int pending;
};

/* Calls about these partitions, which are copied.  Freed by who is done. */
struct share_group_states *share_group_states_new(
    enum share_state_operation operation, struct slice group_id,
    const struct consumer_assignment *partitions);
void share_group_states_free(struct share_group_states *states);

/*
 * Run them once all that the shard has appended is committed; where that fails
 * each has the error, and none runs.  The shard's lock is held.
 */
void share_group_states_start(
    struct group_shard *shard, struct share_group_states *states);

/* The partitions that were asked about, in the arena. */
struct consumer_assignment share_group_states_partitions(
    struct share_group_states *states);

/*
 * The error of one of the calls about the topic, or of any where topic_id is
 * NULL; KP_NONE where all went well.
 */
enum kp_error share_group_states_error(
    const struct share_group_states *states, const struct uuid *topic_id);

/* The call about a partition, or NULL. */
const struct share_state_call *share_group_states_find(
    const struct share_group_states *states, struct uuid topic_id,
    int32_t partition);

#endif
