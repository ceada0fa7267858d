/*
 * Share state shard: the share partitions' states in one partition of
 * __share_group_state (ShareCoordinatorShard of Kafka).
 *
 * The log has snapshots of states, which are whole, and updates of them.  The
 * topic is not compacted: states are written anew when they have become old
 * ("cold"), and the log is cut off below the oldest snapshot that counts.
 *
 * Any thread, no lock held.
 */
#ifndef COORD_SHARE_STATE_SHARD_H
#define COORD_SHARE_STATE_SHARD_H

#include "base/budget.h"
#include "base/map.h"
#include "coord/share_settings.h"
#include "coord/share_state.h"
#include "coord/share_state_batches.h"

#include <stdatomic.h>

/* What the shards of a coordinator have in common; outlives them. */
struct share_state_environment {
	const struct share_settings *settings;
	struct budget memory;		/* of all states */
	/* Of topics, counted when the image has them no more. */
	_Atomic uint64_t deletions;
};

struct share_state_shard {
	struct shard shard;
	struct share_state_environment *environment;

	/* guarded by the shard's lock */
	struct map states;		/* struct share_state, by text */
	struct list list;		/* the same, by snapshot_offset */
	int64_t tombstone_offset;	/* the last one's; -1: none */
	int64_t pruned_offset;		/* where the log begins; -1: not yet */
	struct shard_timer prune;
	struct shard_wait prune_wait;
	int64_t prune_offset;		/* for prune_wait */
	struct shard_timer cold;
};

/* host, settings and environment outlive the shard. */
void share_state_shard_init(struct share_state_shard *shard,
    struct share_state_environment *environment,
    const struct shard_settings *settings, struct shard_host *host,
    int32_t partition);
/* The shard is closed. */
void share_state_shard_fini(struct share_state_shard *shard);

/*
 * The call, whose text, known and deletions are set.  False, and nothing was
 * done, where topics were deleted since: look again.
 */
bool share_state_shard_run(struct share_state_shard *shard,
    struct share_state_call *call) WARN_UNUSED;

/*
 * Drop the states of topics that were deleted, a set of their ids.  Takes the
 * lock piece by piece.  Should an append fail, they stay.
 */
void share_state_shard_drop_topics(struct share_state_shard *shard,
    const struct map *topic_ids);

/* --- Among the files of the shard: the lock is held ----------------------- */

struct share_state_values {
	int32_t snapshot_epoch;		/* grows with each snapshot */
	int32_t state_epoch;
	int32_t leader_epoch;
	int32_t delivery_complete_count;
	int64_t start_offset;
	int64_t create_ms;		/* wall clock, as the next */
	int64_t write_ms;		/* of the last snapshot */
};

/* One share partition's. */
struct share_state {
	struct share_state_shard *shard;
	struct list_node node;
	struct slice text;		/* owned; the map's key */
	struct share_state_key key;	/* group_id is in the text */
	struct share_state_values values;
	struct share_state_batches batches;
	/* The highest ever: what a call is measured against. */
	int32_t state_epoch_max;
	int32_t leader_epoch_max;
	int32_t updates_count;
	/* In the log nothing below it is needed. */
	int64_t snapshot_offset;
	size_t bytes;			/* taken from the budget */
};

/* The state of a key, or NULL. */
struct share_state *share_state_find(
    const struct share_state_shard *shard, struct slice text);

/* Out of the shard, and free. */
void share_state_free(struct share_state *state);

/* Emit a record; batches are those that it has. */
void share_state_emit_snapshot(struct share_state_shard *shard,
    const struct share_state_key *key,
    const struct share_state_values *values,
    const struct share_state_batches *batches);
void share_state_emit_update(struct share_state_shard *shard,
    const struct share_state_key *key,
    const struct share_state_values *values,
    const struct share_state_batches *batches);
void share_state_emit_tombstone(const struct share_state *state);

/* Replay a record; -1 where it is malformed. */
int share_state_replay(struct share_state_shard *shard,
    const struct shard_record *record) WARN_UNUSED;

#endif
