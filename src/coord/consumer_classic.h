/*
 * Consumer classic: members of a consumer group that speak the classic
 * protocol.  They join, sync, heartbeat and leave as in a classic group, but
 * nobody among them leads: they get what the coordinator assigns to them,
 * piece by piece.  A member that has to give something up hears that there is
 * a rebalance, and joins again without it.
 *
 * All of these are for groups that are consumer groups.  The shard's lock is
 * held; the caller answers the call with what they return.
 */
#ifndef COORD_CONSUMER_CLASSIC_H
#define COORD_CONSUMER_CLASSIC_H

#include "coord/consumer_group.h"

/*
 * A member joins: a new one, one that is there already, whatever its protocol
 * was, or a static one in the place of another.  The group may be a classic one
 * afterwards.
 */
enum kp_error consumer_classic_join(struct group *group,
    struct group_call *call, const struct kp_join_group_request *request,
    struct kp_join_group_response *response) WARN_UNUSED;

/* A member wants what it is to own. */
enum kp_error consumer_classic_sync(struct group *group,
    struct group_call *call, const struct kp_sync_group_request *request,
    struct kp_sync_group_response *response) WARN_UNUSED;

enum kp_error consumer_classic_heartbeat(struct group *group,
    const struct kp_heartbeat_request *request) WARN_UNUSED;

/*
 * Members of either protocol leave; their errors are in the response, or that
 * of the only one is returned where the version has no list.
 */
enum kp_error consumer_classic_leave(struct group *group,
    struct group_call *call, const struct kp_leave_group_request *request,
    struct kp_leave_group_response *response) WARN_UNUSED;

#endif
