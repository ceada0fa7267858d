/*
 * May a member, or an administrator, commit or fetch the offsets of a streams
 * group?  (StreamsGroup.validateOffsetCommit and validateOffsetFetch of Kafka)
 * The shard's lock is held.
 */
#ifndef COORD_STREAMS_OFFSETS_H
#define COORD_STREAMS_OFFSETS_H

#include "coord/streams_group.h"

enum kp_error streams_check_commit(const struct streams_group *streams,
    const struct group_commit *commit, int16_t version) WARN_UNUSED;
enum kp_error streams_check_fetch(const struct streams_group *streams,
    const struct group_fetch *fetch) WARN_UNUSED;

#endif
