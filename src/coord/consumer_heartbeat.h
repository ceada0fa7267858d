/*
 * Consumer heartbeat: how members of a consumer group join, live and leave
 * (KIP-848).  The shard's lock is held.
 */
#ifndef COORD_CONSUMER_HEARTBEAT_H
#define COORD_CONSUMER_HEARTBEAT_H

#include "coord/consumer_change.h"

struct kp_consumer_group_heartbeat_request;
struct kp_consumer_group_heartbeat_response;

/*
 * Is it a request that makes sense, whatever the group?  INVALID_REQUEST or
 * UNSUPPORTED_ASSIGNOR where it is not, with a text (static, or in arena).
 * No lock is needed.
 */
enum kp_error consumer_heartbeat_check(
    const struct kp_consumer_group_heartbeat_request *request, int16_t version,
    const struct consumer_settings *settings, struct arena *arena,
    struct slice *message) WARN_UNUSED;

/*
 * Serve it.  What went wrong has a text in the response.  The response's
 * fields live in call->arena.
 */
enum kp_error consumer_heartbeat(struct group_shard *shard,
    struct group_call *call,
    const struct kp_consumer_group_heartbeat_request *request,
    struct kp_consumer_group_heartbeat_response *response) WARN_UNUSED;

/* --- Members that leave (consumer_leave.c) ------------------------------- */

/*
 * These members, which are not none, are out: they are taken off, and the
 * group gets a new epoch.  Or it is a classic group from now on, where none of
 * those that stay is of the consumer protocol.
 */
enum kp_error consumer_leave(struct consumer_group *consumer,
    struct consumer_member *const *members, int32_t count) WARN_UNUSED;

/* A static member will be back within its session. */
enum kp_error consumer_leave_for_a_while(
    struct consumer_member *member) WARN_UNUSED;

/* --- Timers (consumer_leave.c) ------------------------------------------- */

/* It was heard of: its session begins anew. */
void consumer_member_touch(struct consumer_member *member);

/*
 * It has been given something to revoke, or not any more.  A member of the
 * classic protocol is not timed by that.
 */
void consumer_member_time_revocation(struct consumer_member *member);

/*
 * Of members of the classic protocol: it was told to join anew, it has joined
 * and is to sync, it has synced.
 */
void consumer_member_expect_join(struct consumer_member *member);
void consumer_member_joined(struct consumer_member *member);
void consumer_member_synced(struct consumer_member *member);

/* All were heard of, in a way. */
void consumer_group_touch(struct consumer_group *consumer);

/*
 * After loading: all sessions begin anew, as long as the group's own ones, of
 * whatever protocol a member is, as Kafka does it.
 */
void consumer_group_start_sessions(struct consumer_group *consumer);

#endif
