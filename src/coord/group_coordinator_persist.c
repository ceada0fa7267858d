/*
 * The calls of share groups to the share coordinator of this process, and the
 * entry points of share groups.
 */
#include "coord/group_coordinator_inner.h"
#include "coord/share_coordinator.h"
#include "coord/share_group_heartbeat.h"
#include "wire/generated/share_group_heartbeat.h"

/* --- Calls to the share coordinator --------------------------------------- */

/* Logs can name groups as clients must not. */
static void
run(struct share_coordinator *shares, struct share_state_call *call)
{
	if (call->key.group_id.len > 0) {
		share_coordinator_run(shares, call);
		return;
	}
	call->call.error = KP_INVALID_GROUP_ID;
	call->call.done(&call->call);
}

/* One call less, or whoever began them. */
static void
unref(struct share_group_states *states)
{
	struct group_shard *shard = states->shard;

	if (atomic_fetch_sub(&states->pending, 1) > 1)
		return;
	states->done(states, shard);
	group_tenure_unref(CONTAINER_OF(shard, struct group_tenure, shard));
}

static void
call_done(struct shard_call *call)
{
	unref(call->context);
}

void
group_coordinator_persist(struct share_group_persister *persister,
    struct group_shard *shard, struct share_group_states *states)
{
	struct group_coordinator *coordinator =
	    CONTAINER_OF(persister, struct group_coordinator, persister);

	assert(coordinator->shares != NULL);
	tenure_ref(&CONTAINER_OF(shard, struct group_tenure, shard)->tenure);
	atomic_init(&states->pending, states->count + 1);
	for (int32_t i = 0; i < states->count; i++) {
		states->calls[i].call.done = call_done;
		states->calls[i].call.context = states;
		run(coordinator->shares, &states->calls[i]);
	}
	unref(states);
}

void
group_coordinator_set_shares(
    struct group_coordinator *coordinator, struct share_coordinator *shares)
{
	coordinator->shares = shares;
}

/* --- Entry points --------------------------------------------------------- */

bool
group_coordinator_serves_shares(const struct group_coordinator *coordinator)
{
	return coordinator->shares != NULL &&
	    group_image_share_version(coordinator->image) > 0;
}

void
group_coordinator_share_heartbeat(struct group_coordinator *coordinator,
    struct group_call *call,
    const struct kp_share_group_heartbeat_request *request,
    struct kp_share_group_heartbeat_response *response)
{
	struct group_tenure *tenure;

	call->call.error =
	    share_group_heartbeat_check(request, &response->error_message);
	if (call->call.error != KP_NONE) {
		call->call.done(&call->call);
		return;
	}
	tenure = group_coordinator_enter(coordinator, call, request->group_id);
	if (tenure == NULL)
		return;
	group_shard_share_heartbeat(&tenure->shard, call, request, response);
	group_tenure_unref(tenure);
}

void
group_coordinator_share_describe(struct group_coordinator *coordinator,
    struct group_call *call, struct slice group_id,
    struct kp_share_group_describe_response_group *group)
{
	struct group_tenure *tenure =
	    group_coordinator_enter(coordinator, call, group_id);

	if (tenure == NULL)
		return;
	group_shard_share_describe(&tenure->shard, call, group_id, group);
	group_tenure_unref(tenure);
}

void
group_coordinator_share_partitions(struct group_coordinator *coordinator,
    struct group_call *call, struct slice group_id,
    struct consumer_assignment *partitions)
{
	struct group_tenure *tenure =
	    group_coordinator_enter(coordinator, call, group_id);

	if (tenure == NULL)
		return;
	group_shard_share_partitions(
	    &tenure->shard, call, group_id, partitions);
	group_tenure_unref(tenure);
}

void
group_coordinator_share_alter(struct group_coordinator *coordinator,
    struct group_call *call, struct group_share_offsets *offsets)
{
	struct group_tenure *tenure =
	    group_coordinator_enter(coordinator, call, offsets->group_id);

	if (tenure == NULL)
		return;
	group_shard_share_alter(&tenure->shard, call, offsets);
	group_tenure_unref(tenure);
}

void
group_coordinator_share_forget(struct group_coordinator *coordinator,
    struct group_call *call, struct group_share_offsets *offsets)
{
	struct group_tenure *tenure =
	    group_coordinator_enter(coordinator, call, offsets->group_id);

	if (tenure == NULL)
		return;
	group_shard_share_forget(&tenure->shard, call, offsets);
	group_tenure_unref(tenure);
}
