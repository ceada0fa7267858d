/* The entry points: each goes to the shard that looks after its group. */
#include "coord/group_coordinator_inner.h"
#include "wire/generated/describe_groups.h"
#include "wire/generated/heartbeat.h"
#include "wire/generated/join_group.h"
#include "wire/generated/leave_group.h"
#include "wire/generated/list_groups.h"
#include "wire/generated/sync_group.h"

/* The tenure for a call; where there is none the call has been answered. */
static struct group_tenure *
enter(struct group_coordinator *coordinator, struct group_call *call,
    struct slice group_id)
{
	struct group_tenure *tenure =
	    group_coordinator_find(coordinator, group_id, call->node_id);

	assert(!slice_is_null(group_id));
	if (tenure == NULL) {
		call->call.error = KP_NOT_COORDINATOR;
		call->call.done(&call->call);
	}
	return tenure;
}

/* --- Classic groups ------------------------------------------------------ */

void
group_coordinator_join(struct group_coordinator *coordinator,
    struct group_call *call, const struct kp_join_group_request *request,
    struct kp_join_group_response *response)
{
	struct group_tenure *tenure =
	    enter(coordinator, call, request->group_id);

	if (tenure == NULL)
		return;
	group_shard_join(&tenure->shard, call, request, response);
	group_tenure_unref(tenure);
}

void
group_coordinator_sync(struct group_coordinator *coordinator,
    struct group_call *call, const struct kp_sync_group_request *request,
    struct kp_sync_group_response *response)
{
	struct group_tenure *tenure =
	    enter(coordinator, call, request->group_id);

	if (tenure == NULL)
		return;
	group_shard_sync(&tenure->shard, call, request, response);
	group_tenure_unref(tenure);
}

void
group_coordinator_heartbeat(struct group_coordinator *coordinator,
    struct group_call *call, const struct kp_heartbeat_request *request)
{
	struct group_tenure *tenure =
	    enter(coordinator, call, request->group_id);

	if (tenure == NULL)
		return;
	group_shard_heartbeat(&tenure->shard, call, request);
	group_tenure_unref(tenure);
}

void
group_coordinator_leave(struct group_coordinator *coordinator,
    struct group_call *call, const struct kp_leave_group_request *request,
    struct kp_leave_group_response *response)
{
	struct group_tenure *tenure =
	    enter(coordinator, call, request->group_id);

	if (tenure == NULL)
		return;
	group_shard_leave(&tenure->shard, call, request, response);
	group_tenure_unref(tenure);
}

/* --- Offsets ------------------------------------------------------------- */

void
group_coordinator_commit(struct group_coordinator *coordinator,
    struct group_call *call, struct group_commit *commit)
{
	struct group_tenure *tenure =
	    enter(coordinator, call, commit->group_id);

	if (tenure == NULL)
		return;
	group_shard_commit(&tenure->shard, call, commit);
	group_tenure_unref(tenure);
}

void
group_coordinator_fetch(struct group_coordinator *coordinator,
    struct group_call *call, struct group_fetch *fetch)
{
	struct group_tenure *tenure = enter(coordinator, call, fetch->group_id);

	if (tenure == NULL)
		return;
	group_shard_fetch(&tenure->shard, call, fetch);
	group_tenure_unref(tenure);
}

void
group_coordinator_delete_offsets(struct group_coordinator *coordinator,
    struct group_call *call, struct slice group_id, struct group_topic *topics,
    int32_t topics_count)
{
	struct group_tenure *tenure = enter(coordinator, call, group_id);

	if (tenure == NULL)
		return;
	group_shard_delete_offsets(
	    &tenure->shard, call, group_id, topics, topics_count);
	group_tenure_unref(tenure);
}

/* --- Administration ------------------------------------------------------ */

enum kp_error
group_coordinator_list(struct group_coordinator *coordinator,
    struct arena *arena, int32_t node_id,
    const struct kp_list_groups_request *request,
    struct kp_list_groups_response *response)
{
	struct group_filter filter = group_filter_of(request);
	struct group_list list = { 0 };
	enum kp_error error = KP_NONE;
	int32_t count;
	struct group_tenure **tenures =
	    group_coordinator_tenures(coordinator, &count);

	for (int32_t i = 0; i < count; i++) {
		if (error == KP_NONE && tenures[i]->leader == node_id)
			error = group_shard_list(
			    &tenures[i]->shard, arena, filter, &list);
		group_tenure_unref(tenures[i]);
	}
	free((void *)tenures);
	response->groups = error == KP_NONE ? list.groups : NULL;
	response->groups_count = error == KP_NONE ? list.count : 0;
	return error;
}

void
group_coordinator_describe(struct group_coordinator *coordinator,
    struct arena *arena, int32_t node_id, int16_t version,
    struct slice group_id, struct kp_describe_groups_response_group *group)
{
	struct group_tenure *tenure =
	    group_coordinator_find(coordinator, group_id, node_id);

	if (tenure == NULL) {
		group->group_id = group_id;
		group->error_code = KP_NOT_COORDINATOR;
		return;
	}
	group_shard_describe(&tenure->shard, arena, version, group_id, group);
	group_tenure_unref(tenure);
}

void
group_coordinator_delete(struct group_coordinator *coordinator,
    struct group_call *call, struct slice group_id)
{
	struct group_tenure *tenure = enter(coordinator, call, group_id);

	if (tenure == NULL)
		return;
	group_shard_delete(&tenure->shard, call, group_id);
	group_tenure_unref(tenure);
}
