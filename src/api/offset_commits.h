/*
 * Offset commits: what OffsetCommit and TxnOffsetCommit have in common.
 *
 * An API takes its request's topics over into a struct group_commit, every
 * partition with an offset; what cannot be committed gets its error in there,
 * first here and then from the group's coordinator, and the answer is read off
 * from it.
 */
#ifndef API_OFFSET_COMMITS_H
#define API_OFFSET_COMMITS_H

#include "api/request.h"
#include "coord/group_coordinator.h"

/* Room for count topics in the commit; count may be -1. */
void offset_commits_topics(
    struct request *request, struct group_commit *commit, int32_t count);

/* Room for the offsets of a topic; count may be -1. */
void offset_commits_offsets(
    struct request *request, struct group_topic *topic, int32_t count);

/* One offset; metadata may be null. */
struct group_offset offset_commits_offset(int32_t partition, int64_t offset,
    int32_t leader_epoch, struct slice metadata);

/*
 * Refuse partitions that are not there and topics that the principal may not
 * read; the others get their topic's name, and its id outside of transactions
 * (Kafka stores none for them).  by_id: topics are asked for by id.
 *
 * Returns the number of offsets that the coordinator is to commit.
 */
int32_t offset_commits_check(
    struct request *request, struct group_commit *commit, bool by_id);

/* The error of all offsets that have none yet; it may be KP_NONE. */
void offset_commits_fail(struct group_commit *commit, enum kp_error error);

#endif
