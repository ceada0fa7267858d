/*
 * Fetch sessions (KIP-227): a client names its partitions once, and later
 * says and hears only what has changed.
 *
 * A session is what the client fetches and what it was last told of each
 * partition.  It belongs to nobody: any connection may go on with one.  A
 * fetch works on a copy of it, because it may wait long; when the answer is
 * made the session must still stand at the same epoch (fetch_session_answer).
 *
 * The cache has eight parts, each with a lock and an equal share of the slots
 * and of the ids (FetchSessionCache of Kafka), and of the memory: a session
 * that does not fit in is not made, or ends.  It keeps the name of a topic
 * once, and none that no topic can have.  Thread: any.
 */
#ifndef BROKER_FETCH_SESSION_H
#define BROKER_FETCH_SESSION_H

#include "base/arena.h"
#include "base/base.h"
#include "base/uuid.h"
#include "wire/error.h"

#define FETCH_SESSION_NONE 0
#define FETCH_SESSION_EPOCH_INITIAL 0
#define FETCH_SESSION_EPOCH_FINAL (-1)

struct fetch_session_entry;
struct fetch_sessions;

/* A partition as the client asks for it. */
struct fetch_session_partition {
	struct slice topic;		/* null where it was named by id */
	struct uuid topic_id;		/* zero where it was named by name */
	int32_t index;
	int64_t fetch_offset;
	int32_t max_bytes;
	int32_t current_leader_epoch;
	int32_t last_fetched_epoch;
	int64_t log_start_offset;	/* a follower's */
	struct fetch_session_entry *entry; /* the session's own; opaque */
};

/* A partition that the client no longer wants. */
struct fetch_session_forgotten {
	struct slice topic;
	struct uuid topic_id;
	int32_t index;
};

/* What a fetch says about its session. */
struct fetch_session_request {
	int32_t id;
	int32_t epoch;
	bool uses_ids;			/* Fetch 13 and later */
	bool privileged;		/* a follower */
	const struct fetch_session_partition *partitions;
	int32_t partitions_count;
	const struct fetch_session_forgotten *forgotten;
	int32_t forgotten_count;
};

enum fetch_session_kind {
	FETCH_SESSIONLESS,		/* all partitions are answered */
	FETCH_SESSION_FULL,		/* the same, and a session is wanted */
	FETCH_SESSION_INCREMENTAL,	/* what changed is answered */
};

/* A fetch's place in its session, from its begin to its answer. */
struct fetch_session_context {
	enum fetch_session_kind kind;
	int32_t id;			/* of an incremental one */
	int32_t epoch;			/* that the session has now */
	uint64_t serial;		/* tells sessions apart for ever */
	bool uses_ids;
	bool privileged;
	/* What to read, in this order, in the arena. */
	struct fetch_session_partition *partitions;
	int32_t partitions_count;
};

/* What is answered for a partition. */
struct fetch_session_result {
	enum kp_error error;
	int64_t high_watermark;
	int64_t log_start_offset;
	bool has_records;
	bool must_answer;	/* a preferred replica or a diverging epoch */
};

/*
 * slots is max.incremental.fetch.session.cache.slots; seed makes the ids
 * random.
 */
struct fetch_sessions *fetch_sessions_new(int32_t slots, uint64_t seed);
void fetch_sessions_free(struct fetch_sessions *sessions);

/*
 * Begin a fetch: find or drop the session, take over what the request changes
 * in it, advance its epoch, and list what is to be read.  Names of sessions
 * are copied to the arena, once a topic; those of the request are borrowed.
 * Errors, for all of the answer: KP_FETCH_SESSION_ID_NOT_FOUND,
 * KP_INVALID_FETCH_SESSION_EPOCH, KP_FETCH_SESSION_TOPIC_ID_ERROR.
 */
enum kp_error fetch_sessions_begin(struct fetch_sessions *sessions,
    const struct fetch_session_request *request, int64_t now_ms,
    struct arena *arena, struct fetch_session_context *context) WARN_UNUSED;

/*
 * The results of context's partitions, in their order: *id is the session id
 * to answer and answered[i] tells which to answer; a new session is made for a
 * full fetch, where there is room.
 * Errors: KP_INVALID_FETCH_SESSION_EPOCH where another fetch has advanced the
 * session meanwhile (*id is still the session's),
 * KP_FETCH_SESSION_ID_NOT_FOUND where it is gone.
 */
enum kp_error fetch_sessions_answer(struct fetch_sessions *sessions,
    const struct fetch_session_context *context,
    const struct fetch_session_result *results, int64_t now_ms, int32_t *id,
    bool *answered) WARN_UNUSED;

/*
 * What fetch_sessions_answer would say now, while nothing changes: the answer
 * is measured, or is not given after all.  *id is none for a full fetch.
 */
enum kp_error fetch_sessions_look(struct fetch_sessions *sessions,
    const struct fetch_session_context *context,
    const struct fetch_session_result *results, int32_t *id,
    bool *answered) WARN_UNUSED;

/* What there is now, and the evictions so far. */
struct fetch_sessions_counters {
	size_t sessions;
	size_t partitions;
	size_t bytes;		/* of partitions and names, about */
	uint64_t evictions;
};
struct fetch_sessions_counters fetch_sessions_counters(
    struct fetch_sessions *sessions);

#endif
