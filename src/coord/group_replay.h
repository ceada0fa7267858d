/*
 * Group replay: records of one kind of groups, decoded and handed to the one
 * who replays their type.  Lock held.
 */
#ifndef COORD_GROUP_REPLAY_H
#define COORD_GROUP_REPLAY_H

#include "coord/group_shard.h"

/* A record that is being replayed. */
struct group_replay {
	struct group_shard *shard;
	int64_t offset;
	bool tombstone;		/* there is no value */
	struct arena arena;	/* what was decoded, and scratch */
};

/* A type of records; replay is -1 where one is malformed. */
struct group_record {
	const struct kp_message *key;
	const struct kp_message *value;
	int (*replay)(
	    struct group_replay *r, const void *key, const void *value);
};

/* The one of the type, or NULL. */
const struct group_record *group_record_find(
    const struct group_record *records, size_t count, int16_t type);

/* Decode and replay; -1 where it is malformed. */
int group_record_replay(const struct group_record *of,
    struct group_shard *shard, const struct shard_record *record) WARN_UNUSED;

#endif
