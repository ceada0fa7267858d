/*
 * Streams heartbeat: how members of a streams group join, live and leave
 * (KIP-1071).  The shard's lock is held.
 */
#ifndef COORD_STREAMS_HEARTBEAT_H
#define COORD_STREAMS_HEARTBEAT_H

#include "coord/streams_change.h"

struct kp_create_topics_request_topic;
struct kp_streams_group_heartbeat_request;
struct kp_streams_group_heartbeat_request_task_ids;
struct kp_streams_group_heartbeat_response;

/*
 * Is it a request that makes sense, whatever the group?  INVALID_REQUEST or
 * STREAMS_INVALID_TOPOLOGY where it is not, with a text (static, or in arena).
 * No lock is needed (streams_heartbeat_check.c).
 */
enum kp_error streams_heartbeat_check(
    const struct kp_streams_group_heartbeat_request *request,
    struct arena *arena, struct slice *message) WARN_UNUSED;

/* How many tasks are listed (streams_heartbeat_check.c). */
int64_t streams_heartbeat_tasks(
    const struct kp_streams_group_heartbeat_request_task_ids *parts,
    int32_t count);

/*
 * Serve it.  What went wrong has a text in the response.  What is in the
 * result lives in call->arena.
 */
enum kp_error streams_heartbeat(struct group_shard *shard,
    struct group_call *call,
    const struct kp_streams_group_heartbeat_request *request,
    struct group_streams_result *result) WARN_UNUSED;

/*
 * What can be asked of a member's tasks: the topics' partitions that it has,
 * for every member with an endpoint (streams_endpoints.c).
 */
void streams_endpoints(const struct streams_group *streams,
    const struct streams_configured *configured, struct arena *arena,
    struct kp_streams_group_heartbeat_response *response);

/* --- Members that leave (streams_leave.c) -------------------------------- */

/* The member is out: it is taken off, and the group gets a new epoch. */
enum kp_error streams_leave(struct streams_member *member) WARN_UNUSED;

/* --- Timers (streams_leave.c) -------------------------------------------- */

/* It was heard of: its session begins anew. */
void streams_member_touch(struct streams_member *member);

/* It has been given something to revoke, or not any more. */
void streams_member_time_revocation(struct streams_member *member);

/*
 * The first member of an empty group has come: wait for others before tasks
 * are assigned, unless somebody waits already.
 */
void streams_group_delay(struct streams_group *streams);

/* After loading: all sessions begin anew. */
void streams_group_start_sessions(struct streams_group *streams);

#endif
