/*
 * Consumer records: how a consumer group is kept in the log, types 3 to 8 and
 * 16 of __consumer_offsets.
 *
 * The state is the group's as soon as such a record has been replayed; those
 * that emit take what will be, and change nothing.  Lock held.
 */
#ifndef COORD_CONSUMER_RECORD_H
#define COORD_CONSUMER_RECORD_H

#include "coord/consumer_group.h"

/* Is it a type of these? */
bool consumer_record_type(int16_t type);

/* -1 where it is malformed. */
int consumer_record_replay(
    struct group_shard *shard, const struct shard_record *record) WARN_UNUSED;

/* Values. */
void consumer_emit_epoch(struct group_shard *shard, struct slice group_id,
    int32_t epoch, int64_t metadata_hash);
void consumer_emit_member(struct group_shard *shard, struct slice group_id,
    const struct consumer_member *member);
void consumer_emit_target_epoch(struct group_shard *shard,
    struct slice group_id, int32_t epoch, int64_t now_ms);
void consumer_emit_target(struct group_shard *shard, struct slice group_id,
    struct slice member_id, const struct consumer_assignment *assignment);
void consumer_emit_current(struct group_shard *shard, struct slice group_id,
    const struct consumer_member *member);
void consumer_emit_regex(struct group_shard *shard, struct slice group_id,
    struct slice text, const struct consumer_names *topics, uint64_t version,
    int64_t now_ms);

/* Tombstones. */
void consumer_emit_old_metadata_end(
    struct group_shard *shard, struct slice group_id);
void consumer_emit_member_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id);
void consumer_emit_target_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id);
void consumer_emit_current_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id);
void consumer_emit_regex_end(
    struct group_shard *shard, struct slice group_id, struct slice text);

/*
 * The ends of all that there is of a group, members included.  Where one was
 * replaced, which has ended before, it is who took its place that ends.
 */
void consumer_emit_end(struct consumer_group *consumer,
    const struct consumer_member *replaced, struct slice replaced_by);

#endif
