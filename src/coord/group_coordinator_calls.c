/* The entry points: each goes to the shard that looks after its group. */
#include "coord/consumer_heartbeat.h"
#include "coord/group_coordinator_inner.h"
#include "coord/streams_creator.h"
#include "coord/streams_heartbeat.h"
#include "wire/generated/consumer_group_heartbeat.h"
#include "wire/generated/describe_groups.h"
#include "wire/generated/heartbeat.h"
#include "wire/generated/join_group.h"
#include "wire/generated/leave_group.h"
#include "wire/generated/list_groups.h"
#include "wire/generated/streams_group_heartbeat.h"
#include "wire/generated/sync_group.h"

struct group_tenure *
group_coordinator_enter(struct group_coordinator *coordinator,
    struct group_call *call, struct slice group_id)
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
	    group_coordinator_enter(coordinator, call, request->group_id);

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
	    group_coordinator_enter(coordinator, call, request->group_id);

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
	    group_coordinator_enter(coordinator, call, request->group_id);

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
	    group_coordinator_enter(coordinator, call, request->group_id);

	if (tenure == NULL)
		return;
	group_shard_leave(&tenure->shard, call, request, response);
	group_tenure_unref(tenure);
}

/* --- Consumer groups ----------------------------------------------------- */

void
group_coordinator_consumer_heartbeat(struct group_coordinator *coordinator,
    struct group_call *call,
    const struct kp_consumer_group_heartbeat_request *request,
    struct kp_consumer_group_heartbeat_response *response)
{
	struct group_tenure *tenure;

	call->call.error = consumer_heartbeat_check(request, call->version,
	    &coordinator->settings.consumer, call->arena,
	    &response->error_message);
	if (call->call.error != KP_NONE) {
		call->call.done(&call->call);
		return;
	}
	tenure =
	    group_coordinator_enter(coordinator, call, request->group_id);
	if (tenure == NULL)
		return;
	group_shard_consumer_heartbeat(
	    &tenure->shard, call, request, response);
	group_tenure_unref(tenure);
}

bool
group_coordinator_serves_consumers(
    const struct group_coordinator *coordinator)
{
	return coordinator->settings.consumer.enabled &&
	    group_image_version(coordinator->image) > 0;
}

void
group_coordinator_consumer_describe(struct group_coordinator *coordinator,
    struct group_call *call, struct slice group_id,
    struct kp_consumer_group_describe_response_group *group)
{
	struct group_tenure *tenure =
	    group_coordinator_enter(coordinator, call, group_id);

	if (tenure == NULL)
		return;
	group_shard_consumer_describe(&tenure->shard, call, group_id, group);
	group_tenure_unref(tenure);
}

/* --- Streams groups ------------------------------------------------------ */

void
group_coordinator_streams_heartbeat(struct group_coordinator *coordinator,
    struct group_call *call,
    const struct kp_streams_group_heartbeat_request *request,
    struct group_streams_result *result)
{
	struct group_tenure *tenure;

	call->call.error = streams_heartbeat_check(
	    request, call->arena, &result->response->error_message);
	if (call->call.error != KP_NONE) {
		call->call.done(&call->call);
		return;
	}
	tenure =
	    group_coordinator_enter(coordinator, call, request->group_id);
	if (tenure == NULL)
		return;
	group_shard_streams_heartbeat(&tenure->shard, call, request, result);
	group_tenure_unref(tenure);
}

bool
group_coordinator_serves_streams(const struct group_coordinator *coordinator)
{
	return coordinator->settings.streams.enabled &&
	    group_image_streams_version(coordinator->image) > 0;
}

/* Two heartbeats later it is tried again. */
struct slice
group_coordinator_streams_create(struct group_coordinator *coordinator,
    const struct group_streams_result *result, struct arena *arena)
{
	streams_creator_create(coordinator->creator, result->missing,
	    result->missing_count, 2 * result->response->heartbeat_interval_ms);
	return streams_creator_errors(coordinator->creator, result->missing,
	    result->missing_count, arena);
}

void
group_coordinator_streams_describe(struct group_coordinator *coordinator,
    struct group_call *call, struct slice group_id,
    struct kp_streams_group_describe_response_group *group)
{
	struct group_tenure *tenure =
	    group_coordinator_enter(coordinator, call, group_id);

	if (tenure == NULL)
		return;
	group_shard_streams_describe(&tenure->shard, call, group_id, group);
	group_tenure_unref(tenure);
}

/* --- Offsets ------------------------------------------------------------- */

void
group_coordinator_commit(struct group_coordinator *coordinator,
    struct group_call *call, struct group_commit *commit)
{
	struct group_tenure *tenure =
	    group_coordinator_enter(coordinator, call, commit->group_id);

	if (tenure == NULL)
		return;
	group_shard_commit(&tenure->shard, call, commit);
	group_tenure_unref(tenure);
}

void
group_coordinator_end_transaction(struct group_coordinator *coordinator,
    struct shard_call *call, int32_t node_id, const struct group_marker *marker)
{
	struct tenure *tenure = coordinator_find_partition(
	    &coordinator->base, marker->partition, node_id);

	if (tenure == NULL) {
		call->error = KP_NOT_COORDINATOR;
		call->done(call);
		return;
	}
	group_shard_end_transaction(
	    &group_tenure_of(tenure)->shard, call, marker);
	tenure_unref(tenure);
}

void
group_coordinator_fetch(struct group_coordinator *coordinator,
    struct group_call *call, struct group_fetch *fetch)
{
	struct group_tenure *tenure =
	    group_coordinator_enter(coordinator, call, fetch->group_id);

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
	struct group_tenure *tenure =
	    group_coordinator_enter(coordinator, call, group_id);

	if (tenure == NULL)
		return;
	group_shard_delete_offsets(
	    &tenure->shard, call, group_id, topics, topics_count);
	group_tenure_unref(tenure);
}

/* --- Administration ------------------------------------------------------ */

/* A list of the groups of all shards, in the arena of its call. */
struct listing {
	struct group_call *call;
	struct kp_list_groups_response *response;
	struct group_list list;
	atomic_int pending;	/* shards, and the caller */
	atomic_int error;	/* enum kp_error, of one of the shards */
};

struct listing_part {
	struct shard_call call;
	struct listing *listing;
};

static void
listing_unref(struct listing *listing)
{
	enum kp_error error;

	if (atomic_fetch_sub(&listing->pending, 1) > 1)
		return;
	error = (enum kp_error)atomic_load(&listing->error);
	if (error == KP_NONE) {
		listing->response->groups = listing->list.groups;
		listing->response->groups_count = listing->list.count;
	}
	listing->call->call.error = error;
	listing->call->call.done(&listing->call->call);
}

static void
listing_part_done(struct shard_call *call)
{
	struct listing_part *part =
	    CONTAINER_OF(call, struct listing_part, call);

	if (call->error != KP_NONE && call->error != KP_NOT_COORDINATOR)
		atomic_store(&part->listing->error, (int)call->error);
	listing_unref(part->listing);
}

static void
listing_add(struct listing *listing, struct group_shard *shard,
    struct group_filter filter)
{
	struct arena *arena = listing->call->arena;
	struct listing_part *part = arena_xcalloc(arena, 1, sizeof(*part));

	part->call.done = listing_part_done;
	part->listing = listing;
	atomic_fetch_add(&listing->pending, 1);
	group_shard_list(shard, &part->call, arena, filter, &listing->list);
}

void
group_coordinator_list(struct group_coordinator *coordinator,
    struct group_call *call, const struct kp_list_groups_request *request,
    struct kp_list_groups_response *response)
{
	struct group_filter filter = group_filter_of(request);
	struct listing *listing =
	    arena_xcalloc(call->arena, 1, sizeof(*listing));
	int32_t count;
	struct tenure **tenures =
	    coordinator_tenures(&coordinator->base, &count);

	listing->call = call;
	listing->response = response;
	atomic_init(&listing->pending, 1);
	atomic_init(&listing->error, KP_NONE);
	for (int32_t i = 0; i < count; i++) {
		if (atomic_load(&listing->error) == KP_NONE &&
		    tenures[i]->leader == call->node_id)
			listing_add(listing,
			    &group_tenure_of(tenures[i])->shard, filter);
		tenure_unref(tenures[i]);
	}
	free((void *)tenures);
	listing_unref(listing);
}

void
group_coordinator_describe(struct group_coordinator *coordinator,
    struct group_call *call, struct slice group_id,
    struct kp_describe_groups_response_group *group)
{
	struct group_tenure *tenure =
	    group_coordinator_enter(coordinator, call, group_id);

	if (tenure == NULL)
		return;
	group_shard_describe(&tenure->shard, call, group_id, group);
	group_tenure_unref(tenure);
}

void
group_coordinator_delete(struct group_coordinator *coordinator,
    struct group_call *call, struct slice group_id)
{
	struct group_tenure *tenure =
	    group_coordinator_enter(coordinator, call, group_id);

	if (tenure == NULL)
		return;
	group_shard_delete(&tenure->shard, call, group_id);
	group_tenure_unref(tenure);
}
