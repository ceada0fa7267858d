/*
 * Group: a classic group with its members, and its committed offsets.
 *
 * A group exists from the first record or join that names it until it is
 * deleted or expires.  Its members are soft state, as in Kafka: only a
 * generation that was synced is in the log.
 *
 * States and transitions (ClassicGroupState of Kafka):
 *
 *     Empty -> PreparingRebalance -> CompletingRebalance -> Stable
 *     Stable, CompletingRebalance -> PreparingRebalance -> Empty
 *
 * Everything here is guarded by the shard's lock.
 */
#ifndef COORD_GROUP_H
#define COORD_GROUP_H

#include "base/list.h"
#include "base/map.h"
#include "coord/group_shard.h"

enum group_state {
	GROUP_EMPTY,
	GROUP_PREPARING,
	GROUP_COMPLETING,
	GROUP_STABLE,
};

/* A protocol that a member offers; the name and the bytes are owned. */
struct group_protocol {
	struct slice name;
	struct slice metadata;
};

/* All that one offers, in its order. */
struct group_offer {
	const struct group_protocol *protocols;
	int32_t count;
};

/* A parked JoinGroup or SyncGroup; call NULL: none. */
struct group_join {
	struct group_call *call;
	struct kp_join_group_response *response;
};

struct group_sync {
	struct group_call *call;
	struct kp_sync_group_response *response;
};

/* How many members offer a protocol. */
struct group_support {
	struct slice name;		/* owned */
	int32_t count;
};

struct group_member {
	struct group *group;
	struct list_node node;		/* in group->members */
	struct slice id;		/* owned, as are the next four */
	struct slice instance_id;	/* null: a dynamic member */
	struct slice client_id;
	struct slice client_host;
	struct slice assignment;
	size_t bytes;			/* what it holds, all in all */
	int32_t session_timeout_ms;
	int32_t rebalance_timeout_ms;
	struct group_protocol *protocols;
	int32_t protocols_count;
	struct map protocols_by_name;	/* struct group_protocol */
	struct group_join join;
	struct group_sync sync;
	bool is_new;			/* joined, and has had no answer yet */
	bool must_sync;			/* in this generation */
	struct shard_timer session;
};

/* An id that was handed out, and whose bearer has not joined yet. */
struct group_pending {
	struct group *group;
	struct slice id;		/* owned */
	struct shard_timer session;
};

/*
 * What a group is whose members and assignments are records of their own; a
 * classic group has no kind.  The functions are given groups of their kind.
 */
struct group_kind {
	const char *name;	/* its type and protocol type, as listed */
	/*
	 * Its members commit offsets.  With nobody in it such a group expires
	 * when it has none left, and makes room for a classic group.
	 */
	bool commits;
	const char *(*state)(const struct group *group);
	int32_t (*members_count)(const struct group *group);
	/* May these be committed, or fetched?  NULL where nothing is. */
	enum kp_error (*check_commit)(const struct group *group,
	    const struct group_commit *commit, int16_t version);
	enum kp_error (*check_fetch)(const struct group *group,
	    const struct group_fetch *fetch);
	bool (*subscribes)(const struct group *group, struct slice topic);
	/*
	 * Topics with these names have changed: look at them anew at the next
	 * heartbeat.  How many names were compared.
	 */
	size_t (*refresh)(struct group *group, const struct map *names);
	/* All has been loaded: sessions begin anew. */
	void (*start_sessions)(struct group *group);
	/* Emit the ends of all that there is of it, but for offsets. */
	void (*emit_end)(struct group *group);
	/* Free what makes it one of the kind, members included. */
	void (*free)(struct group *group);
};

struct group {
	struct group_shard *shard;
	struct list_node node;		/* in the shard's list */
	struct slice id;		/* owned */
	enum group_state state;
	bool was_empty;			/* before it was PREPARING */
	bool downgraded;		/* by its last record */
	bool member_added;		/* during the initial delay */
	int64_t state_since_ms;		/* wall clock; -1 unknown */
	int32_t generation;
	struct slice protocol_type;	/* owned; null: none */
	struct slice protocol;		/* owned; null: none */
	struct group_member *leader;	/* or NULL */
	struct list members;
	struct map members_by_id;
	struct map members_by_instance;
	struct map pending;		/* struct group_pending, by id */
	struct map supports;		/* struct group_support, by name */
	int32_t joining_count;		/* members with a parked JoinGroup */
	int32_t must_sync_count;	/* members that must_sync */
	size_t bytes;			/* what the members hold */
	struct shard_timer join_timer;
	struct shard_timer sync_timer;
	int64_t delay_ms;		/* of the initial rebalance: this one */
	int64_t delay_left_ms;		/* and what may still be added */
	struct map offsets;		/* struct group_offset_entry */
	struct map transactions;	/* struct group_transaction */
	/* With one the group is EMPTY as a classic one, and not used so. */
	const struct group_kind *kind;
	struct consumer_group *consumer; /* owned; NULL: of another kind */
	struct streams_group *streams;	 /* the same */
	struct share_group *share;	 /* the same */
};

/* The group, or NULL. */
struct group *group_find(struct group_shard *shard, struct slice id);

/* A new, empty group in the shard. */
struct group *group_create(struct group_shard *shard, struct slice id);

/* All groups in turn; those that are made meanwhile come last.  NULL: end. */
struct group *group_first(const struct group_shard *shard);
struct group *group_next(const struct group *group);

/*
 * From now on the group is of the kind, and not of the one it was: its
 * members, who have been answered, are gone.  And: it is of no kind any more,
 * and freed where no offsets keep it.
 */
void group_become(struct group *group, const struct group_kind *kind);
void group_end_kind(struct group *group);

/* The group becomes one of that kind, where it is not one yet. */
void group_become_consumer(struct group *group);
void group_become_streams(struct group *group);
void group_become_share(struct group *group);

/*
 * Delete a group of which the share coordinator keeps nothing any more, and
 * answer call.  No lock held.
 */
void group_delete_forgotten(struct group_shard *shard, struct group_call *call,
    struct slice group_id);

/* Has it no members, of whatever protocol?  Who only got an id is none. */
bool group_is_deserted(const struct group *group);

/* Free it; nobody is parked and no timer runs any more. */
void group_free(struct group *group);

/* The name of a classic group's state, as Kafka's tools show it. */
const char *group_state_name(enum group_state state);

/* The same of a group of any kind. */
const char *group_shown_state(const struct group *group);

/* Enter state now. */
void group_enter(struct group *group, enum group_state state);

/* Replace the owned slice with a copy of value. */
void group_own(struct slice *owned, struct slice value);

/* --- Members ------------------------------------------------------------- */

static inline int32_t
group_member_count(const struct group *group)
{
	return (int32_t)group->members_by_id.count;
}

struct group_member *group_member_find(const struct group *group,
    struct slice id);
struct group_member *group_member_by_instance(const struct group *group,
    struct slice instance_id);

/* What a member needs to be made; all is copied. */
struct group_member_new {
	struct slice id;
	struct slice instance_id;
	struct slice client_id;
	struct slice client_host;
	int32_t session_timeout_ms;
	int32_t rebalance_timeout_ms;
};

/* Add a member without protocols; the first one becomes the leader. */
struct group_member *group_member_add(struct group *group,
    const struct group_member_new *new);

/* Take it out and free it; its parked calls have been answered. */
void group_member_remove(struct group_member *member);

/*
 * Put a member without protocols in the place of old, whose calls have been
 * answered: it has its assignment, and leads if that led.  old is out, and is
 * either freed or put back in the place of its replacement, which is freed
 * then.
 */
struct group_member *group_member_replace(struct group_member *old,
    const struct group_member_new *new);
void group_member_put_back(struct group_member *old,
    struct group_member *replacement);

/* Replace its assignment. */
void group_member_assign(struct group_member *member,
    struct slice assignment);

/*
 * What a member holds is taken from the shard's budget, which is looked at
 * before one is let in: is there room for the join's member, beside what it
 * holds already?
 */
bool group_member_fits(const struct group_shard *shard,
    const struct group_member *member, const struct group_call *call,
    const struct kp_join_group_request *request);

/* Count anew what it holds. */
void group_member_weigh(struct group_member *member);

/* Free one that was replaced. */
void group_member_free(struct group_member *member);

/* Replace what it offers.  Its group has it. */
void group_member_set_protocols(struct group_member *member,
    const struct group_offer *offer);

/* What a join offers: borrowed from it, in the arena. */
struct group_offer group_offer_of(const struct kp_join_group_request *request,
    struct arena *arena);
void group_protocols_free(struct group_member *member);
bool group_member_same_protocols(const struct group_member *member,
    const struct kp_join_group_request *request);

/* Count what it offers in the group, or no longer. */
void group_supports_add(struct group_member *member);
void group_supports_remove(struct group_member *member);

/* Does it offer the protocol?  Null is none. */
bool group_member_offers(const struct group_member *member, struct slice name);

/* What it said with the group's protocol; "" where it has not that. */
struct slice group_member_metadata(const struct group_member *member);

struct group_pending *group_pending_find(const struct group *group,
    struct slice id);
struct group_pending *group_pending_add(struct group *group, struct slice id);
void group_pending_remove(struct group_pending *pending);

/* Start or restart the time within which it has to be heard of. */
void group_member_touch(struct group_member *member);

/* --- Protocols (group_protocol.c) ----------------------------------------- */

/* Could a member that offers these join? */
bool group_accepts(const struct group *group,
    const struct kp_join_group_request *request);

/* The protocol that the members vote for; there are members. */
struct slice group_vote(const struct group *group);

/*
 * The same of offers, at least one: the one that all have and most have first;
 * null where they have none in common.
 */
struct slice group_offers_vote(const struct group_offer *offers, int32_t count);

/* How many offer a protocol: maps of struct group_support. */
void group_support_add(struct map *supports, struct slice name);
void group_support_remove(struct map *supports, struct slice name);
int32_t group_support_count(const struct map *supports, struct slice name);

/*
 * What the members subscribe to.  Groups that are not of consumers subscribe
 * to nothing; to everything one of whose subscriptions some do not parse, and
 * one whose first members have not chosen a protocol yet.
 * The names are the members': valid while nothing changes.
 */
struct group_subscription {
	const struct group *group;	/* of a kind; NULL: a classic one */
	struct map topics;
	bool everything;
};

void group_subscription_init(struct group_subscription *subscription,
    const struct group *group);
void group_subscription_fini(struct group_subscription *subscription);
bool group_subscription_has(const struct group_subscription *subscription,
    struct slice topic);

/* --- Rebalancing (group_rebalance.c) ------------------------------------- */

/* A member was added, left or changed: rebalance, or go on with one. */
void group_rebalance(struct group *group);

/* Begin a rebalance from Stable, CompletingRebalance or Empty. */
void group_prepare(struct group *group);

/* While PREPARING: complete the join phase where all have joined. */
void group_try_complete(struct group *group);

/* A member that has left or died: out with it, and what follows from that. */
void group_member_gone(struct group_member *member);

/* Park a join of a member that has none parked. */
void group_park_join(struct group_member *member, struct group_call *call,
    struct kp_join_group_response *response);

/* Is a SyncGroup expected of the member? */
void group_set_must_sync(struct group_member *member, bool must_sync);

/* Answer a parked call, if there is one. */
void group_answer_join(struct group_member *member, enum kp_error error);
void group_answer_sync(struct group_member *member, enum kp_error error);

/* Answer a parked sync, and let the member's session begin anew. */
void group_end_sync(struct group_member *member, enum kp_error error);

/*
 * What an answer's arena keeps for all that is not copied from groups: entries
 * and texts of bounded size.
 */
#define GROUP_ANSWER_SPARE_BYTES ((size_t)1 << 20)

/*
 * The same of an OffsetFetch, which may name very many groups: each takes a
 * call and an answer of its own, after others have filled the arena.
 */
#define GROUP_FETCH_SPARE_BYTES ((size_t)96 << 20)

/*
 * What is said of a group that is to be described: there is none (group is
 * NULL), or it is not of that kind, "classic" or another.  message stays as it
 * is where the arena has no room for it.
 */
enum kp_error group_missing(const struct group *group, struct slice group_id,
    const char *kind, struct arena *arena, struct slice *message);

/*
 * Has the arena of an answer room for a copy of all that the members have
 * sent?  Members may be many and what they send large, and one request may ask
 * for the same group again and again.
 */
bool group_fits(const struct group *group, const struct arena *arena);

/*
 * Fill a join's answer with the generation as it is.  KP_UNKNOWN_SERVER_ERROR,
 * and nothing filled, where the members do not fit into the arena.
 */
enum kp_error group_fill_join(const struct group_member *member,
    struct arena *arena, struct kp_join_group_response *response,
    bool with_members) WARN_UNUSED;

/* Is it a member, and this its generation?  (validateMember of Kafka) */
enum kp_error group_check_member(const struct group *group,
    struct slice member_id, struct slice instance_id,
    struct group_member **member) WARN_UNUSED;

/* All sessions begin anew: after loading. */
void group_start_sessions(struct group *group);

/* Answer everybody who is parked with error. */
void group_answer_all(struct group *group, enum kp_error error);

/* Nobody is waited for any more. */
void group_stop_timers(struct group *group);

/* Both. */
void group_abandon(struct group *group, enum kp_error error);

/* --- Records (group_record.c) -------------------------------------------- */

/* Emit the group as it is, with the members' assignments from sync NULL. */
void group_emit(struct group *group);

/* Emit a group that is not there yet: replaying the record makes it. */
struct kp_group_metadata_value;
void group_emit_value(struct group_shard *shard, struct slice group_id,
    const struct kp_group_metadata_value *value);

/*
 * The end of a group of any kind; one without offsets is freed when this has
 * been appended.
 */
void group_emit_tombstone(struct group *group);

/* Replay a record of either kind; -1 where it is malformed. */
int group_replay_metadata(struct group_shard *shard,
    const struct shard_record *record) WARN_UNUSED;

/* --- Offsets (group_offsets*.c) ------------------------------------------ */

int group_replay_offset(struct group_shard *shard,
    const struct shard_record *record) WARN_UNUSED;
void group_replay_end(struct group_shard *shard, int64_t producer_id,
    bool committed);
void group_offsets_free(struct group *group);

/* Forget transactions whose offsets have tombstones. */
void group_drop_transactions(struct group *group);

/*
 * Emit the end of all its offsets, or of those of some topics, or of those
 * that have expired, and then of the group where nothing is left of it.  False
 * where there are more, to be emitted when these have been appended (in bulk).
 */
bool group_emit_offset_tombstones(struct group *group) WARN_UNUSED;
bool group_emit_dropped(struct group *group,
    const struct group_dropped *topics) WARN_UNUSED;
bool group_expire(struct group *group, int64_t now_ms) WARN_UNUSED;

#endif
