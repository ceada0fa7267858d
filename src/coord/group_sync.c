/*
 * SyncGroup, Heartbeat and LeaveGroup.
 */
#include "coord/consumer_classic.h"
#include "coord/group.h"
#include "wire/generated/heartbeat.h"
#include "wire/generated/leave_group.h"
#include "wire/generated/sync_group.h"

/* What all operations begin with: the shard, or the call's error. */
static bool
enter(struct group_shard *shard, struct group_call *call)
{
	enum kp_error error = shard_enter(&shard->shard);

	if (error == KP_NONE)
		return true;
	call->call.error = error;
	call->call.done(&call->call);
	return false;
}

/* --- SyncGroup ----------------------------------------------------------- */

/* Assignments from the leader; who is not named gets an empty one. */
static void
take_assignments(struct group *group,
    const struct kp_sync_group_request *request)
{
	LIST_FOR_EACH (node, &group->members)
		group_member_assign(
		    LIST_ENTRY(node, struct group_member, node),
		    slice_str(""));
	for (int32_t i = 0; i < request->assignments_count; i++) {
		struct group_member *member = group_member_find(group,
		    request->assignments[i].member_id);

		if (member != NULL)
			group_member_assign(
			    member, request->assignments[i].assignment);
	}
}

/* The generation could not be written: everybody joins again. */
static void
fail_generation(struct group *group, enum kp_error error)
{
	LIST_FOR_EACH (node, &group->members) {
		struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		group_member_assign(member, slice_str(""));
		group_end_sync(member, error);
	}
	group_prepare(group);
}

/*
 * The leader has spoken: write the generation down.  Its answers wait for the
 * high watermark as all answers do.
 */
static void
complete_sync(struct group *group, const struct kp_sync_group_request *request)
{
	struct shard *shard = &group->shard->shard;
	enum kp_error error;

	take_assignments(group, request);
	group_enter(group, GROUP_STABLE);
	group_emit(group);
	error = shard_append(shard);
	if (error != KP_NONE) {
		group->state = GROUP_COMPLETING;
		fail_generation(group, error);
		return;
	}
	LIST_FOR_EACH (node, &group->members) {
		struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		group_member_touch(member);
		group_answer_sync(member, KP_NONE);
	}
}

/* The member has synced.  The timer is for those who have not. */
static void
synced(struct group_member *member)
{
	struct group *group = member->group;

	group_set_must_sync(member, false);
	if (group->must_sync_count == 0)
		shard_timer_stop(&group->shard->shard, &group->sync_timer);
}

static void
sync_completing(struct group_member *member, struct group_call *call,
    const struct kp_sync_group_request *request,
    struct kp_sync_group_response *response)
{
	struct group *group = member->group;

	group_answer_sync(member, KP_UNKNOWN_MEMBER_ID);
	member->sync.call = call;
	member->sync.response = response;
	synced(member);
	if (group->leader == member)
		complete_sync(group, request);
}

static void
sync_stable(struct group_member *member, struct group_call *call,
    struct kp_sync_group_response *response)
{
	synced(member);
	member->sync.call = call;
	member->sync.response = response;
	group_member_touch(member);
	group_answer_sync(member, KP_NONE);
}

static bool
names_differ(struct slice given, struct slice own)
{
	return !slice_is_null(given) && !slice_equal(given, own);
}

static enum kp_error
check_sync(const struct group *group,
    const struct kp_sync_group_request *request, struct group_member **member)
{
	enum kp_error error;

	if (group == NULL || group->state == GROUP_EMPTY)
		return KP_UNKNOWN_MEMBER_ID;
	error = group_check_member(group, request->member_id,
	    request->group_instance_id, member);
	if (error != KP_NONE)
		return error;
	if (request->generation_id != group->generation)
		return KP_ILLEGAL_GENERATION;
	if (names_differ(request->protocol_type, group->protocol_type) ||
	    names_differ(request->protocol_name, group->protocol))
		return KP_INCONSISTENT_GROUP_PROTOCOL;
	return group->state == GROUP_PREPARING ? KP_REBALANCE_IN_PROGRESS :
						 KP_NONE;
}

void
group_shard_sync(struct group_shard *shard, struct group_call *call,
    const struct kp_sync_group_request *request,
    struct kp_sync_group_response *response)
{
	struct group_member *member;
	struct group *group;
	enum kp_error error;

	if (!enter(shard, call))
		return;
	group = group_find(shard, request->group_id);
	if (group != NULL && group->consumer != NULL) {
		error = consumer_classic_sync(group, call, request, response);
		shard_reply(&shard->shard, &call->call, error);
		shard_leave(&shard->shard);
		return;
	}
	error = request->group_id.len == 0 ?
	    KP_INVALID_GROUP_ID :
	    check_sync(group, request, &member);
	if (error != KP_NONE)
		shard_reply(&shard->shard, &call->call, error);
	else if (group->state == GROUP_COMPLETING)
		sync_completing(member, call, request, response);
	else
		sync_stable(member, call, response);
	shard_leave(&shard->shard);
}

/* --- Heartbeat ----------------------------------------------------------- */

static enum kp_error
heartbeat(struct group *group, const struct kp_heartbeat_request *request)
{
	struct group_member *member;
	enum kp_error error;

	if (group != NULL && group->consumer != NULL)
		return consumer_classic_heartbeat(group, request);
	if (group == NULL || group->state == GROUP_EMPTY)
		return KP_UNKNOWN_MEMBER_ID;
	error = group_check_member(group, request->member_id,
	    request->group_instance_id, &member);
	if (error != KP_NONE)
		return error;
	if (request->generation_id != group->generation)
		return KP_ILLEGAL_GENERATION;
	group_member_touch(member);
	return group->state == GROUP_PREPARING ? KP_REBALANCE_IN_PROGRESS :
						 KP_NONE;
}

void
group_shard_heartbeat(struct group_shard *shard, struct group_call *call,
    const struct kp_heartbeat_request *request)
{
	enum kp_error error;

	if (!enter(shard, call))
		return;
	error = request->group_id.len == 0 ?
	    KP_INVALID_GROUP_ID :
	    heartbeat(group_find(shard, request->group_id), request);
	shard_reply_at_once(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
}

/* --- LeaveGroup ---------------------------------------------------------- */

/* Parked calls are answered, but nothing follows from it yet. */
static void
take_out(struct group_member *member)
{
	group_answer_join(member, KP_UNKNOWN_MEMBER_ID);
	group_answer_sync(member, KP_UNKNOWN_MEMBER_ID);
	group_member_remove(member);
}

static enum kp_error
leave_one(struct group *group, struct slice member_id,
    struct slice instance_id)
{
	struct group_pending *pending;
	struct group_member *member;
	enum kp_error error;

	if (member_id.len == 0 && !slice_is_null(instance_id)) {
		member = group_member_by_instance(group, instance_id);
		if (member == NULL)
			return KP_UNKNOWN_MEMBER_ID;
		take_out(member);
		return KP_NONE;
	}
	pending = group_pending_find(group, member_id);
	if (pending != NULL) {
		group_pending_remove(pending);
		return KP_NONE;
	}
	error = group_check_member(group, member_id, instance_id, &member);
	if (error == KP_NONE)
		take_out(member);
	return error;
}

static void
after_leaving(struct group *group)
{
	if (group->state != GROUP_EMPTY)
		group_rebalance(group);
}

/* Versions below 3 name one member; its error is that of the whole call. */
static enum kp_error
leave_single(struct group *group, const struct kp_leave_group_request *request)
{
	enum kp_error error;

	if (group == NULL)
		return KP_UNKNOWN_MEMBER_ID;
	error = leave_one(group, request->member_id, SLICE_NULL);
	if (error == KP_NONE)
		after_leaving(group);
	return error;
}

static void
leave_several(struct group *group, struct group_call *call,
    const struct kp_leave_group_request *request,
    struct kp_leave_group_response *response)
{
	size_t count = (size_t)MAX(request->members_count, 0);
	bool left = false;

	response->members = arena_xcalloc(call->arena, count,
	    sizeof(*response->members));
	response->members_count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		const struct kp_leave_group_request_member *in =
		    &request->members[i];
		enum kp_error error = group == NULL ?
		    KP_UNKNOWN_MEMBER_ID :
		    leave_one(group, in->member_id, in->group_instance_id);

		response->members[i].member_id = in->member_id;
		response->members[i].group_instance_id =
		    in->group_instance_id;
		response->members[i].error_code = (int16_t)error;
		left |= error == KP_NONE;
	}
	if (left)
		after_leaving(group);
}

void
group_shard_leave(struct group_shard *shard, struct group_call *call,
    const struct kp_leave_group_request *request,
    struct kp_leave_group_response *response)
{
	enum kp_error error = KP_NONE;
	struct group *group;

	if (!enter(shard, call))
		return;
	group = group_find(shard, request->group_id);
	if (request->group_id.len == 0)
		error = KP_INVALID_GROUP_ID;
	else if (group != NULL && group->consumer != NULL)
		error = consumer_classic_leave(group, call, request, response);
	else if (call->version < 3)
		error = leave_single(group, request);
	else
		leave_several(group, call, request, response);
	shard_reply(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
}
