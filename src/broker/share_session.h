/*
 * Share sessions (KIP-932): which partitions a member of a share group
 * fetches.  A session is one member's of one group, and it is bound to the
 * connection that opened it: with the connection it ends (ShareSession,
 * ShareSessionCache of Kafka).
 *
 * There are sessions_max of them at the most, with so many partitions as fit
 * in a fixed memory.  Thread: any; one lock, a leaf.
 */
#ifndef BROKER_SHARE_SESSION_H
#define BROKER_SHARE_SESSION_H

#include "base/arena.h"
#include "base/base.h"
#include "base/uuid.h"
#include "wire/error.h"

#define SHARE_SESSION_EPOCH_INITIAL 0
#define SHARE_SESSION_EPOCH_FINAL (-1)

struct share_sessions;

struct share_session_partition {
	struct uuid topic_id;
	int32_t index;
	/*
	 * Out: it is new to the session, or had an error last; it is answered
	 * whatever there is to tell.
	 */
	bool must_answer;
};

struct share_session_request {
	struct slice group_id;
	struct slice member_id;
	int32_t epoch;
	bool acknowledges;	/* there are acknowledgements in it */
	const void *connection;	/* tells connections apart while they live */
	const struct share_session_partition *partitions; /* to be added */
	int32_t partitions_count;
	const struct share_session_partition *forgotten;
	int32_t forgotten_count;
};

/* What a fetch reads: copied, because it may wait long. */
struct share_session_context {
	bool incremental;	/* only what has changed is answered */
	int32_t epoch;		/* the session's, after this fetch */
	struct share_session_partition *partitions; /* in the arena */
	int32_t partitions_count;
};

/* sessions_max is group.share.max.share.sessions. */
struct share_sessions *share_sessions_new(int32_t sessions_max);
void share_sessions_free(struct share_sessions *sessions);

/*
 * Begin a fetch: open or replace the session (epoch 0), or go on with it and
 * advance its epoch.  With the final epoch it only has to exist.
 * Errors: KP_SHARE_SESSION_NOT_FOUND, KP_INVALID_SHARE_SESSION_EPOCH,
 * KP_INVALID_REQUEST where a session is opened with acknowledgements,
 * KP_SHARE_SESSION_LIMIT_REACHED.
 */
enum kp_error share_sessions_begin(struct share_sessions *sessions,
    const struct share_session_request *request, struct arena *arena,
    struct share_session_context *context) WARN_UNUSED;

/*
 * An incremental fetch is about to be answered: failed[i] tells whether
 * partition i of context has an error, has_records[i] whether it gives any.
 * answered[i] is set where it has to be in the answer.
 * KP_INVALID_SHARE_SESSION_EPOCH where the session is not at that epoch.
 */
enum kp_error share_sessions_answer(struct share_sessions *sessions,
    const struct share_session_request *request,
    const struct share_session_context *context, const bool *failed,
    const bool *has_records, bool *answered) WARN_UNUSED;

/*
 * An acknowledgement without a fetch: it advances the epoch, too.  Errors as
 * of share_sessions_begin; the initial epoch is none for it.
 */
enum kp_error share_sessions_acknowledge(struct share_sessions *sessions,
    const struct share_session_request *request) WARN_UNUSED;

/*
 * Told of a session that has ended: the member gives back what it has of its
 * partitions.  last: the group has no other session.  No lock is held.
 */
struct share_session_end {
	struct slice group_id;
	struct slice member_id;
	const struct share_session_partition *partitions;
	int32_t partitions_count;
	bool last;
};
typedef void (*share_session_end_fn)(
    void *context, const struct share_session_end *end);

/* End the session of a member; nothing where there is none. */
void share_sessions_close(struct share_sessions *sessions,
    struct slice group_id, struct slice member_id, share_session_end_fn told,
    void *context);

/* The connection is gone, and with it its sessions. */
void share_sessions_disconnect(struct share_sessions *sessions,
    const void *connection, share_session_end_fn told, void *context);

size_t share_sessions_count(struct share_sessions *sessions);

#endif
