/*
 * Share group heartbeat: how members of a share group join, live and leave
 * (KIP-932).  The shard's lock is held.
 */
#ifndef COORD_SHARE_GROUP_HEARTBEAT_H
#define COORD_SHARE_GROUP_HEARTBEAT_H

#include "coord/share_group_change.h"
#include "coord/share_group_states.h"

struct kp_share_group_heartbeat_request;
struct kp_share_group_heartbeat_response;

/*
 * Is it a request that makes sense, whatever the group?  INVALID_REQUEST with a
 * text where it is not.  No lock is needed.
 */
enum kp_error share_group_heartbeat_check(
    const struct kp_share_group_heartbeat_request *request,
    struct slice *message) WARN_UNUSED;

/*
 * Serve it.  What went wrong has a text in the response, whose fields live in
 * call->arena.  *states is what has to be initialised once all of this is
 * committed, for group_share_initialize; or NULL.
 */
enum kp_error share_group_heartbeat(struct group_shard *shard,
    struct group_call *call,
    const struct kp_share_group_heartbeat_request *request,
    struct kp_share_group_heartbeat_response *response,
    struct share_group_states **states) WARN_UNUSED;

#endif
