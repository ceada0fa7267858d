/*
 * Streams group: what a group is while its members are threads of a Kafka
 * Streams application (KIP-1071), to which the coordinator assigns tasks.
 *
 * It goes like a consumer group: the group has an epoch, for which a target is
 * made, and each member moves towards its target on its own.  But a task is a
 * partition of a subtopology, the first member says which of these there are
 * (its topology), and the topics that the application makes for itself have to
 * be there before anything is assigned.  A task is active once, and a process,
 * which members share, has it once.
 *
 * All of it is made by replaying records (streams_replay.c), and nothing else
 * changes it, but for the timers and what is marked as soft.
 *
 * Everything here is guarded by the shard's lock.
 */
#ifndef COORD_STREAMS_GROUP_H
#define COORD_STREAMS_GROUP_H

#include "base/list.h"
#include "base/map.h"
#include "coord/group.h"
#include "coord/group_image.h"
#include "coord/streams_configure.h"
#include "coord/streams_tasks.h"

struct kp_streams_group_describe_response_group;

/* Epochs that a member sends, or has, which are none. */
#define STREAMS_EPOCH_JOIN 0
#define STREAMS_EPOCH_LEAVE (-1)
#define STREAMS_EPOCH_AWAY (-2) /* of static members, which there are none of */

/* Of a group of which nothing is known yet. */
#define STREAMS_EPOCH_FIRST 1

enum streams_state {
	STREAMS_STABLE = 1,     /* has all that it is to have */
	STREAMS_UNREVOKED = 2,  /* has to give up something */
	STREAMS_UNRELEASED = 3, /* waits for what others have */
	STREAMS_UNKNOWN = 127,
};

/* What a client has said in two words: a tag, or a setting. */
struct streams_pair {
	struct slice key;
	struct slice value;
};

/* Sorted by key. */
struct streams_pairs {
	struct streams_pair *pairs;
	int32_t count;
};

struct streams_member {
	struct streams_group *streams;
	struct list_node node;    /* in streams->members */
	struct slice id;          /* owned, as are the next six */
	struct slice instance_id; /* null, but in a foreign log */
	struct slice rack_id;
	struct slice client_id;
	struct slice client_host;
	struct slice process_id;
	struct slice endpoint_host; /* null: it answers no queries */
	uint16_t endpoint_port;
	struct streams_pairs tags; /* owned */
	int32_t rebalance_timeout_ms;
	int32_t topology_epoch;
	int32_t epoch;
	int32_t previous_epoch;
	enum streams_state state;
	struct streams_assignment assigned; /* owned */
	struct streams_assignment revoking; /* owned */
	/* soft */
	size_t bytes; /* what it holds, all in all */
	struct shard_timer session;
	struct shard_timer rebalance; /* of unrevoked ones */
};

/* What a member is to have in the end. */
struct streams_target {
	struct slice member_id;               /* owned */
	struct streams_assignment assignment; /* owned */
};

struct streams_group {
	struct group *group;
	int32_t epoch;
	int64_t metadata_hash;   /* of the topics that it needs */
	int32_t validated_epoch; /* of a topology whose topics are there; -1 */
	struct streams_pairs configs; /* owned; of the last epoch */
	int32_t target_epoch;
	int64_t target_ms; /* wall clock, when it was made; or 0 */
	struct streams_topology *topology; /* owned; NULL: none said yet */
	struct list members;
	struct map members_by_id;
	struct map targets; /* struct streams_target, by member */
	size_t bytes;       /* what the members and the topology hold */
	size_t topology_bytes;
	/* soft */
	bool refresh;                          /* the topics may have changed */
	struct streams_configured *configured; /* owned; NULL: not yet */
	struct slice shutdown_by; /* owned; the member that asked, or null */
	int32_t endpoint_epoch;   /* grows as members with endpoints change */
	struct shard_timer delay; /* of the first target */
	struct streams_timing timing;
	uint64_t timing_version;
};

/* --- The group ----------------------------------------------------------- */

/* A group without members; group, which may be NULL, gets no pointer to it. */
struct streams_group *streams_group_new(struct group *group);

/* All of it, members and timers included. */
void streams_group_free(struct streams_group *streams);

/* StreamsGroup.StreamsGroupState of Kafka, by name. */
const char *streams_group_state(const struct streams_group *streams);

static inline int32_t
streams_group_count(const struct streams_group *streams)
{
	return (int32_t)streams->members_by_id.count;
}

struct shard *streams_group_shard(const struct streams_group *streams);

/* What applies to it now. */
struct streams_timing streams_group_timing(struct streams_group *streams);

/* Does it read the topic?  Not while it is empty. */
bool streams_group_subscribes(
    const struct streams_group *streams, struct slice topic);

/* The topology, owned from now on; NULL: none. */
void streams_group_set_topology(
    struct streams_group *streams, struct streams_topology *topology);

/* The same of what it is next to the topics. */
void streams_group_set_configured(
    struct streams_group *streams, struct streams_configured *configured);

/*
 * The application is to shut down, as the member asked; the first one counts,
 * until the group is empty.
 */
void streams_group_shut_down(
    struct streams_group *streams, struct slice member_id);

/*
 * Describe it, as StreamsGroupDescribe has it (streams_describe.c); false,
 * and nothing is said, where it does not fit into the arena.
 */
bool streams_group_describe(struct streams_group *streams, struct arena *arena,
    struct kp_streams_group_describe_response_group *out) WARN_UNUSED;

/* --- Members ------------------------------------------------------------- */

struct streams_member *streams_member_find(
    const struct streams_group *streams, struct slice id);

/* What a member is that has said nothing yet; nothing of it is owned. */
struct streams_member streams_member_none(
    struct streams_group *streams, struct slice id);

/* A member, made where it is not there. */
struct streams_member *streams_member_get(
    struct streams_group *streams, struct slice id);
void streams_member_remove(struct streams_member *member);

/*
 * Take over what a member says of itself, which is copied: all but id, epochs,
 * state and assignments.
 */
void streams_member_describe(
    struct streams_member *member, const struct streams_member *said);

/* Take over epochs, state and assignments, copied. */
void streams_member_assign(
    struct streams_member *member, const struct streams_member *given);

/* What it is to have; empty where there is no target for it. */
struct streams_assignment streams_member_target(
    const struct streams_group *streams, struct slice id);
void streams_target_set(struct streams_group *streams, struct slice member_id,
    const struct streams_assignment *assignment);
void streams_target_remove(
    struct streams_group *streams, struct slice member_id);

/* Does it have all that it is to have? */
static inline bool
streams_member_reconciled(
    const struct streams_member *member, int32_t target_epoch)
{
	return member->state == STREAMS_STABLE && member->epoch == target_epoch;
}

/* Bytes of members that these would take more than they have. */
size_t streams_member_bytes(const struct streams_member *member);

/* --- Pairs --------------------------------------------------------------- */

/* Sort them; false: a key is there twice, of which one is kept. */
bool streams_pairs_sort(struct streams_pairs *pairs);
bool streams_pairs_equal(
    const struct streams_pairs *a, const struct streams_pairs *b);
/* Replace the owned list, whose texts are owned too, with a copy. */
void streams_pairs_own(
    struct streams_pairs *owned, const struct streams_pairs *value);

#endif
