/*
 * Share group records: how a share group is kept in the log, types 10 to 15 of
 * __consumer_offsets.
 *
 * The state is the group's as soon as such a record has been replayed; those
 * that emit take what will be, and change nothing.  Lock held.
 */
#ifndef COORD_SHARE_GROUP_RECORD_H
#define COORD_SHARE_GROUP_RECORD_H

#include "coord/share_group.h"

/* Is it a type of these? */
bool share_record_type(int16_t type);

/* -1 where it is malformed. */
int share_record_replay(
    struct group_shard *shard, const struct shard_record *record) WARN_UNUSED;

/* Values. */
void share_emit_epoch(struct group_shard *shard, struct slice group_id,
    int32_t epoch, int64_t metadata_hash);
void share_emit_member(struct group_shard *shard, struct slice group_id,
    const struct share_member *member);
void share_emit_target_epoch(struct group_shard *shard, struct slice group_id,
    int32_t epoch, int64_t now_ms);
void share_emit_target(struct group_shard *shard, struct slice group_id,
    struct slice member_id, const struct consumer_assignment *assignment);
void share_emit_current(struct group_shard *shard, struct slice group_id,
    const struct share_member *member);
/* Names of topics are taken from the image. */
void share_emit_partitions(struct group_shard *shard, struct slice group_id,
    const struct share_partitions *partitions);

/* Tombstones. */
void share_emit_member_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id);
void share_emit_target_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id);
void share_emit_current_end(
    struct group_shard *shard, struct slice group_id, struct slice member_id);

/* The ends of all that there is of a group, members included. */
void share_emit_end(const struct share_group *share);

#endif
