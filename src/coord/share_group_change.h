/*
 * Share group change: what an operation does to a share group, while it is
 * being decided.
 *
 * The group's state is as it was before; what will be stands here, and in the
 * records that are emitted on the way.  When they have been appended, replaying
 * them brings the state to where the change is.  Lock held throughout.
 */
#ifndef COORD_SHARE_GROUP_CHANGE_H
#define COORD_SHARE_GROUP_CHANGE_H

#include "coord/share_group.h"

struct topic_image;

/* A topic that someone will subscribe to. */
struct share_change_topic {
	struct slice name;
	int32_t count;			  /* of members */
	const struct topic_image *topic; /* referenced; NULL: there is none */
};

struct share_group_change {
	struct group_shard *shard;
	struct slice group_id;
	struct share_group *share; /* of which nothing changes yet */
	struct arena arena;	   /* scratch, until the end */
	int64_t now_ms;		   /* wall clock */

	/* The member as it will be; NULL: nobody changes, or one leaves. */
	struct share_member *draft;
	/* What it was; NULL: it is new. */
	const struct share_member *base;
	struct consumer_assignment target; /* the draft's */

	/* The group as it will be. */
	int32_t epoch;
	int32_t target_epoch;

	/* private */
	struct map counts;		    /* by name */
	struct share_change_topic **topics; /* by name; NULL: not looked up */
	int32_t topics_count;
};

void share_group_change_begin(struct share_group_change *change,
    struct group_shard *shard, struct share_group *share,
    struct slice group_id);
void share_group_change_end(struct share_group_change *change);

/* Fill in topics: by draft and base it is clear now who subscribes to what. */
void share_group_change_topics(struct share_group_change *change);

/* Where bump says so, or the topics have changed: a new epoch.  Was it made? */
bool share_group_change_epoch(struct share_group_change *change, bool bump);

/* A new target for an epoch that has none, where it is time for that. */
void share_group_change_target(struct share_group_change *change);

/*
 * Partitions that are subscribed to, and whose state nobody keeps or is about
 * to keep.
 */
struct consumer_assignment share_group_change_missing(
    struct share_group_change *change);

/* Emit that these are being initialised. */
void share_group_change_initialize(struct share_group_change *change,
    const struct consumer_assignment *partitions);

#endif
