/*
 * Consumer group: what a group is while its members speak the protocol of
 * KIP-848, where the coordinator assigns partitions.
 *
 * The group has an epoch, which grows when members, their subscriptions or
 * the topics change.  For an epoch a target assignment is made.  Each member
 * moves from what it owns towards its target on its own: it gives up what it
 * shall not own any more, gets the target's epoch, and then what others have
 * given up.  A partition has one owner at the most.
 *
 * All of it is made by replaying records (consumer_record.c), and nothing
 * else changes it, but for the timers and what is marked as soft.  Members of
 * the classic protocol can be among the others (consumer_classic.c).
 *
 * Everything here is guarded by the shard's lock.
 */
#ifndef COORD_CONSUMER_GROUP_H
#define COORD_CONSUMER_GROUP_H

#include "base/list.h"
#include "base/map.h"
#include "coord/consumer_assignment.h"
#include "coord/group.h"
#include "coord/group_image.h"

/* Epochs that a member sends, or has, which are none. */
#define CONSUMER_EPOCH_JOIN 0
#define CONSUMER_EPOCH_LEAVE (-1)
#define CONSUMER_EPOCH_AWAY (-2) /* a static member that comes back */

/* Of a group of which nothing is known yet. */
#define CONSUMER_EPOCH_FIRST 1

enum consumer_state {
	CONSUMER_STABLE = 0,     /* has all that it is to have */
	CONSUMER_UNREVOKED = 1,  /* has to give up something */
	CONSUMER_UNRELEASED = 2, /* waits for what others have */
	CONSUMER_UNKNOWN = 127,
};

/* Of a member that speaks the classic protocol. */
struct consumer_classic {
	int32_t session_timeout_ms;
	struct group_protocol *protocols; /* owned */
	int32_t protocols_count;
};

/* A list of names, sorted, each once. */
struct consumer_names {
	struct slice *names;
	int32_t count;
};

struct consumer_member {
	struct consumer_group *consumer;
	struct list_node node;    /* in consumer->members */
	struct slice id;          /* owned, as are the next six */
	struct slice instance_id; /* null: a dynamic member */
	struct slice rack_id;
	struct slice client_id;
	struct slice client_host;
	struct slice server_assignor; /* null: it does not mind */
	struct slice regex;           /* "": none */
	struct consumer_names topics; /* owned */
	int32_t rebalance_timeout_ms;
	struct consumer_classic *classic; /* owned; NULL: consumer protocol */
	int32_t epoch;
	int32_t previous_epoch;
	enum consumer_state state;
	struct consumer_assignment assigned; /* owned */
	struct consumer_assignment revoking; /* owned */
	/* soft */
	size_t bytes; /* what it holds, all in all */
	struct shard_timer session;
	struct shard_timer rebalance; /* to revoke, or to join anew */
	struct shard_timer sync;      /* of classic members */
};

/* What a member is to own in the end. */
struct consumer_target {
	struct slice member_id;                /* owned */
	struct consumer_assignment assignment; /* owned */
};

/* A topic that someone subscribes to. */
struct consumer_topic {
	struct slice name; /* owned */
	int32_t by_name;   /* members that name it */
	int32_t by_regex;  /* expressions that match it */
};

/* A regular expression, and what it has last matched. */
struct consumer_regex {
	struct slice text;     /* owned */
	int32_t members_count; /* that subscribe by it */
	bool resolved;
	struct consumer_names topics; /* owned */
	size_t bytes;                 /* what these hold */
};

struct consumer_group {
	struct group_shard *shard;
	struct group *group; /* NULL: it is about to be made */
	int32_t epoch;
	int64_t metadata_hash; /* of what is subscribed to */
	int32_t target_epoch;
	int64_t target_ms; /* wall clock, when it was made; or 0 */
	struct list members;
	struct map members_by_id;
	struct map members_by_instance;
	struct map targets;     /* struct consumer_target, by member */
	struct map owners;      /* struct consumer_partition; epochs */
	struct map topics;      /* struct consumer_topic, by name */
	struct map regexes;     /* struct consumer_regex, by text */
	int32_t resolved_count; /* of regexes */
	int32_t classic_count;  /* members of the classic protocol */
	struct map supports;    /* struct group_support, of these */
	bool old_metadata;      /* a record of type 4 is in the log */
	size_t bytes;           /* what the members hold */
	/* soft */
	bool refresh;              /* the topics may have changed */
	bool resolving;            /* the expressions, right now */
	int64_t resolved_ms;       /* monotonic; long ago: never */
	uint64_t resolved_version; /* of the topics */
	struct group_timing timing;
	uint64_t timing_version;
};

/* --- The group (consumer_group.c) ---------------------------------------- */

/* A group without members; group, which may be NULL, gets no pointer to it. */
struct consumer_group *consumer_group_new(
    struct group_shard *shard, struct group *group);

/* All of it, members and timers included. */
void consumer_group_free(struct consumer_group *consumer);

/* ConsumerGroup.ConsumerGroupState of Kafka, by name. */
const char *consumer_group_state(const struct consumer_group *consumer);

static inline int32_t
consumer_group_count(const struct consumer_group *consumer)
{
	return (int32_t)consumer->members_by_id.count;
}

struct shard *consumer_group_shard(const struct consumer_group *consumer);

/* What applies to it now. */
struct group_timing consumer_group_timing(struct consumer_group *consumer);

/*
 * Is the last target, at now_ms of the wall clock, so old that another may
 * follow it?  The group's timing is known (consumer_target.c).
 */
bool consumer_group_target_due(
    const struct consumer_group *consumer, int64_t now_ms);

/* Is the topic one that somebody subscribes to? */
bool consumer_group_subscribes(
    const struct consumer_group *consumer, struct slice topic);

/* The assignor that most members want, else the first that is configured. */
enum consumer_assignor consumer_group_assignor(
    const struct consumer_group *consumer,
    const struct consumer_settings *settings,
    const struct consumer_member *except, const struct consumer_member *also);

/* Its name, and the one of that name; false: there is none. */
const char *consumer_assignor_name(enum consumer_assignor assignor);
bool consumer_assignor_find(struct slice name,
    const struct consumer_settings *settings, enum consumer_assignor *assignor);

/*
 * Describe it, as ConsumerGroupDescribe has it (consumer_describe.c); false,
 * and nothing is said, where it does not fit into the arena.
 */
bool consumer_group_describe(struct consumer_group *consumer,
    struct arena *arena,
    struct kp_consumer_group_describe_response_group *out) WARN_UNUSED;

/* --- Members ------------------------------------------------------------- */

struct consumer_member *consumer_member_find(
    const struct consumer_group *consumer, struct slice id);
struct consumer_member *consumer_member_by_instance(
    const struct consumer_group *consumer, struct slice instance_id);

/* A member, made with the defaults where it is not there. */
struct consumer_member *consumer_member_get(
    struct consumer_group *consumer, struct slice id);
void consumer_member_remove(struct consumer_member *member);

/*
 * Take over what a member says of itself, which is copied: all but id, epochs,
 * state and assignments.
 */
void consumer_member_describe(
    struct consumer_member *member, const struct consumer_member *said);

/* Take over epochs, state and assignments, copied, and who owns what. */
void consumer_member_assign(
    struct consumer_member *member, const struct consumer_member *given);

/* What it is to own; empty where there is no target for it. */
struct consumer_assignment consumer_member_target(
    const struct consumer_group *consumer, struct slice id);
void consumer_target_set(struct consumer_group *consumer,
    struct slice member_id, struct consumer_assignment assignment);
void consumer_target_remove(
    struct consumer_group *consumer, struct slice member_id);

/* The epoch of the member that owns the partition; -1: nobody does. */
int32_t consumer_group_owner(const struct consumer_group *consumer,
    const struct consumer_partition *partition);

/* Does it have all that it is to have? */
static inline bool
consumer_member_reconciled(const struct consumer_member *member)
{
	return member->state == CONSUMER_STABLE &&
	    member->epoch == member->consumer->target_epoch;
}

/* Bytes of members that these would take more than they have. */
size_t consumer_member_bytes(const struct consumer_member *member);

/* --- Names --------------------------------------------------------------- */

/* Sort them; of what is there twice one is kept. */
void consumer_names_sort(struct consumer_names *names);
bool consumer_names_have(const struct consumer_names *names, struct slice name);
bool consumer_names_equal(
    const struct consumer_names *a, const struct consumer_names *b);
/* Replace the owned list, whose names are owned too, with a copy. */
void consumer_names_own(
    struct consumer_names *owned, struct consumer_names value);

/* The bytes that so many names take, of the memory that members have. */
size_t consumer_names_bytes(const struct consumer_names *names);

/* --- Regular expressions ------------------------------------------------- */

/* What the expression has matched is names now. */
void consumer_regex_resolve(struct consumer_group *consumer, struct slice text,
    struct consumer_names names);
void consumer_regex_forget(struct consumer_group *consumer, struct slice text);
struct consumer_regex *consumer_regex_find(
    const struct consumer_group *consumer, struct slice text);

#endif
