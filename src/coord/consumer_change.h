/*
 * Consumer change: what an operation does to a consumer group, while it is
 * being decided.
 *
 * The group's state is as it was before; what will be stands here, and in the
 * records that are emitted on the way.  When they have been appended, replaying
 * them brings the state to where the change is.
 *
 *	consumer_change_begin(&change, shard, consumer, group_id);
 *	consumer_change_count(&change, ...);	who subscribes to what
 *	consumer_change_epoch(&change, bump);	a new epoch of the group
 *	consumer_change_target(&change);	a new target for it
 *	consumer_reconcile(&change, ...);	the member's step towards it
 *	error = consumer_change_append(&change);
 *	consumer_change_end(&change);
 *
 * The shard's lock is held throughout.
 */
#ifndef COORD_CONSUMER_CHANGE_H
#define COORD_CONSUMER_CHANGE_H

#include "coord/consumer_group.h"

struct consumer_change {
	struct group_shard *shard;
	struct slice group_id;
	struct consumer_group *consumer; /* of which nothing changes yet */
	struct arena arena;              /* scratch, until the end */
	int64_t now_ms;                  /* wall clock */

	/* The member as it will be; NULL: nobody changes. */
	struct consumer_member *draft;
	/* In whose place; it may have another id.  NULL: it is new. */
	const struct consumer_member *base;
	struct consumer_assignment target; /* the draft's */

	/* The group as it will be. */
	int32_t epoch;
	int64_t metadata_hash;
	int32_t target_epoch;

	/* private */
	struct map counts;            /* struct change_topic, by name */
	bool counting;                /* counts is filled in */
	struct change_topic **topics; /* those that exist, by name */
	int32_t topics_count;         /* -1: not looked up */
	bool refreshed;               /* the topics were looked at */
};

void consumer_change_begin(struct consumer_change *change,
    struct group_shard *shard, struct consumer_group *consumer,
    struct slice group_id);
void consumer_change_end(struct consumer_change *change);

/* So many more members name these topics, or expressions match them. */
void consumer_change_count(struct consumer_change *change,
    const struct consumer_names *names, int32_t by_name, int32_t by_regex);

/*
 * Where bump says so, or the topics may have changed and have: a new epoch.
 */
void consumer_change_epoch(struct consumer_change *change, bool bump);

/* A new epoch after members have left, whatever became of the topics. */
void consumer_change_bump(struct consumer_change *change);

/*
 * Make a target for an epoch that has none, unless the last one is too young
 * for that (KIP-1263).
 */
void consumer_change_target(struct consumer_change *change);

/*
 * What the draft owns after its next step (§ "reconciliation" of KIP-848):
 * owned is what it says it owns, NULL where it does not say, and subscribed
 * whether this request has changed what it subscribes to.
 * FENCED_MEMBER_EPOCH where it has to begin anew.
 */
enum kp_error consumer_reconcile(struct consumer_change *change,
    const struct consumer_assignment *owned, bool subscribed) WARN_UNUSED;

/*
 * The hash of the topics that a group, which may not be there yet, subscribes
 * to, and how many partitions these have.
 */
int64_t consumer_change_hash(struct group_shard *shard,
    struct consumer_group *consumer, int64_t *partitions_count);

/* Append what was emitted; the group is what the change says then. */
enum kp_error consumer_change_append(
    struct consumer_change *change) WARN_UNUSED;

/* --- What the files of it share ------------------------------------------ */

struct topic_image;

/* A topic that someone will subscribe to. */
struct change_topic {
	struct slice name;
	int32_t by_name;
	int32_t by_regex;
	const struct topic_image *topic; /* referenced; NULL: not looked up */
};

/* Fill in topics. */
void consumer_change_topics(struct consumer_change *change);

/* What matches the draft's or another member's expression; or nothing. */
const struct consumer_names *consumer_change_matched(
    const struct consumer_change *change, struct slice regex);

#endif
