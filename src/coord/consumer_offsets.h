/*
 * Consumer offsets: may a member of a consumer group commit and fetch them?
 * What is committed is the same for all kinds of groups.  Lock held.
 */
#ifndef COORD_CONSUMER_OFFSETS_H
#define COORD_CONSUMER_OFFSETS_H

#include "coord/consumer_group.h"

/*
 * Of an OffsetCommit, or a TxnOffsetCommit, of version.  A member whose epoch
 * is behind may commit what it has had since then (KIP-1251).
 */
enum kp_error consumer_check_commit(const struct consumer_group *consumer,
    const struct group_commit *commit, int16_t version) WARN_UNUSED;

/* Who says who it is has to be it. */
enum kp_error consumer_check_fetch(const struct consumer_group *consumer,
    const struct group_fetch *fetch) WARN_UNUSED;

#endif
