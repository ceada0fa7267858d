/*
 * The share partitions of this process, each a share log, found by group and
 * partition and loaded at their first use (SharePartitionManager of Kafka).
 *
 * A share log belongs to one leader epoch: where that is over, the topic is
 * gone or the persister says that it is no longer ours, it fails, is found no
 * more, and whoever waits for it is woken.
 *
 * Thread: any, without locks held.
 */
#ifndef BROKER_SHARE_PARTITIONS_H
#define BROKER_SHARE_PARTITIONS_H

#include "base/base.h"
#include "base/uuid.h"
#include "broker/share_log.h"
#include "broker/share_session.h"
#include "wire/error.h"

struct configs;
struct delta;
struct image;
struct loop;
struct partition;
struct share_partitions;
struct share_persister;
struct worker_pool;

struct share_partitions_settings {
	struct share_persister *persister;
	struct image *image;
	const struct configs *configs;
	struct worker_pool *pool;	/* looks up where records begin */
};

/* What the settings point to outlives it. */
struct share_partitions *share_partitions_new(
    const struct share_partitions_settings *settings);

/*
 * Free all of them.  The loops, the pool and whoever carries out the
 * persister's calls have ended.  NULL is legal.
 */
void share_partitions_free(struct share_partitions *partitions);

/*
 * Subscribe with context partitions, behind the partition manager: a
 * controller_subscriber_fn.  Share partitions whose topic is gone, or whose
 * leader has changed, fail.
 */
void share_partitions_apply(void *context, const struct delta *delta);

struct share_partitions_key {
	struct slice group_id;
	struct uuid topic_id;
	int32_t index;
};

/*
 * The share partition of key, made and loaded where there is none yet; the
 * caller's reference ends with share_log_unref.  node_id must lead partition,
 * which is key's, else *error says why there is none.  Locks that end are seen
 * to on loop.
 */
struct share_log *share_partitions_open(struct share_partitions *partitions,
    const struct share_partitions_key *key, struct partition *partition,
    int32_t node_id, struct loop *loop, enum kp_error *error);

/* The share partition of key, referenced, or NULL. */
struct share_log *share_partitions_find(struct share_partitions *partitions,
    const struct share_partitions_key *key);

/* A member is gone: it gives back what it has acquired of key. */
void share_partitions_release(struct share_partitions *partitions,
    const struct share_partitions_key *key, struct slice member);

/* No member of the group is left: forget what can be loaded again. */
void share_partitions_abandon(
    struct share_partitions *partitions, struct slice group_id);

/* A session has ended: both of these.  A share_session_end_fn. */
void share_partitions_session_ended(
    void *context, const struct share_session_end *end);

size_t share_partitions_count(struct share_partitions *partitions);

#endif
