/*
 * Share group: what a group is whose members share the records of partitions
 * (KIP-932).
 *
 * As in a consumer group the group has an epoch, for which a target assignment
 * is made; but a partition may have several owners, so nobody waits for what
 * others give up: a member goes to the target as soon as it is heard of.  Only
 * partitions whose state the share coordinator keeps are assigned, so the group
 * has it begin to keep those that are subscribed to, and remembers which
 * (share_group_states.h).
 *
 * All of it is made by replaying records (share_group_record.h), and nothing
 * else changes it, but for the timers and what is marked as soft.
 *
 * Everything here is guarded by the shard's lock.
 */
#ifndef COORD_SHARE_GROUP_H
#define COORD_SHARE_GROUP_H

#include "base/list.h"
#include "base/map.h"
#include "coord/consumer_group.h"
#include "coord/group.h"
#include "coord/group_image.h"

/* Epochs that a member sends, or has, which are none. */
#define SHARE_EPOCH_JOIN 0
#define SHARE_EPOCH_LEAVE (-1)

/* Of a group of which nothing is known yet. */
#define SHARE_EPOCH_FIRST 1

#define SHARE_ASSIGNOR_NAME "simple"

struct share_member {
	struct share_group *share;
	struct list_node node;		/* in share->members */
	struct slice id;		/* owned, as are the next three */
	struct slice rack_id;		/* null: it has not said */
	struct slice client_id;
	struct slice client_host;
	struct consumer_names topics;	/* owned */
	int32_t epoch;
	int32_t previous_epoch;
	struct consumer_assignment assigned; /* owned */
	/* soft */
	size_t bytes;			/* what it holds, all in all */
	struct shard_timer session;
};

/*
 * Partitions by what the share coordinator knows of them; the third are topics,
 * each as its partition 0, whose partitions it is about to forget.
 */
struct share_partitions {
	struct consumer_assignment initializing;
	struct consumer_assignment initialized;
	struct consumer_assignment deleting;
};

struct share_group {
	struct group *group;
	int32_t epoch;
	int64_t metadata_hash;	/* of what is subscribed to */
	int32_t target_epoch;
	int64_t target_ms;	/* wall clock, when it was made; or 0 */
	struct list members;
	struct map members_by_id;
	struct map targets;	/* struct consumer_target, by member */
	struct map topics;	/* struct consumer_topic, by name */
	bool has_partitions;	/* a record of type 15 is in the log */
	struct share_partitions partitions; /* owned */
	size_t bytes;		/* what the members hold */
	/* soft */
	int64_t partitions_ms;	/* wall clock, when they were last changed */
	bool refresh;		/* the topics may have changed */
	bool settled;		/* nothing has happened since the last look */
	struct group_timing timing;
	uint64_t timing_version;
};

/* --- The group ----------------------------------------------------------- */

/* A group without members; group, which may be NULL, gets no pointer to it. */
struct share_group *share_group_new(struct group *group);

/* All of it, members and timers included. */
void share_group_free(struct share_group *share);

/* ShareGroup.ShareGroupState of Kafka, by name. */
const char *share_group_state(const struct share_group *share);

static inline int32_t
share_group_count(const struct share_group *share)
{
	return (int32_t)share->members_by_id.count;
}

/* What applies to it now. */
struct group_timing share_group_timing(struct share_group *share);

/* Replace the owned partitions with copies. */
void share_group_set_partitions(
    struct share_group *share, const struct share_partitions *partitions);

/*
 * Describe it, as ShareGroupDescribe has it; false, and nothing is said, where
 * it does not fit into the arena.
 */
struct kp_share_group_describe_response_group;
bool share_group_describe(const struct share_group *share, struct arena *arena,
    struct kp_share_group_describe_response_group *out) WARN_UNUSED;

/* --- Members ------------------------------------------------------------- */

struct share_member *share_member_find(
    const struct share_group *share, struct slice id);

/* A member, made with the defaults where it is not there. */
struct share_member *share_member_get(
    struct share_group *share, struct slice id);
void share_member_remove(struct share_member *member);

/* Take over what it says of itself, copied: all but id and assignment. */
void share_member_describe(
    struct share_member *member, const struct share_member *said);

/* Take over epochs and assignment, copied. */
void share_member_assign(
    struct share_member *member, const struct share_member *given);

/* Bytes of members that this one would take. */
size_t share_member_bytes(const struct share_member *member);

/* What it is to own; empty where there is no target for it. */
struct consumer_assignment share_member_target(
    const struct share_group *share, struct slice id);
void share_target_set(struct share_group *share, struct slice member_id,
    struct consumer_assignment assignment);
void share_target_remove(struct share_group *share, struct slice member_id);

/* --- Sessions (share_group_heartbeat.c) ----------------------------------- */

/* After loading: all sessions begin anew. */
void share_group_start_sessions(struct share_group *share);

#endif
