/*
 * Streams records: how a streams group is kept in the log, types 17 and 19 to
 * 23 of __consumer_offsets.
 *
 * The state is the group's as soon as such a record has been replayed; those
 * that emit take what will be, and change nothing.  Lock held.
 */
#ifndef COORD_STREAMS_RECORD_H
#define COORD_STREAMS_RECORD_H

#include "coord/streams_group.h"

/* Is it a type of these? */
bool streams_record_type(int16_t type);

/* -1 where it is malformed. */
int streams_record_replay(
    struct group_shard *shard, const struct shard_record *record) WARN_UNUSED;

/* Values. */
void streams_emit_epoch(struct group_shard *shard, struct slice group_id,
    int32_t epoch, int64_t metadata_hash, int32_t validated_epoch,
    const struct streams_pairs *configs);
void streams_emit_member(struct group_shard *shard, struct slice group_id,
    const struct streams_member *member);
void streams_emit_topology(struct group_shard *shard, struct slice group_id,
    const struct kp_streams_group_topology_value *topology);
void streams_emit_target_epoch(struct group_shard *shard, struct slice group_id,
    int32_t epoch, int64_t now_ms);
void streams_emit_target(struct group_shard *shard, struct slice group_id,
    struct slice member_id, const struct streams_assignment *assignment);
void streams_emit_current(struct group_shard *shard, struct slice group_id,
    const struct streams_member *member);

/* The ends of all that there is of a member. */
void streams_emit_member_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id);

/* The ends of all that there is of a group, members included. */
void streams_emit_end(struct streams_group *streams);

#endif
