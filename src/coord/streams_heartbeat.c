#include "coord/streams_heartbeat.h"

#include "base/slice.h"
#include "coord/streams_record.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/streams_group_heartbeat.h"

/* The generated names of nested structs are longer than a line. */
#define REQUEST kp_streams_group_heartbeat_request
#define RESPONSE kp_streams_group_heartbeat_response
#define REQUEST_TASKS kp_streams_group_heartbeat_request_task_ids
#define RESPONSE_TASKS kp_streams_group_heartbeat_response_task_ids

/* A status for each of enum streams_status, at the most. */
#define STATUS_MAX 6

/* A heartbeat that is being served. */
struct beating {
	struct group_shard *shard;
	struct group_call *call;
	const struct REQUEST *request;
	struct group_streams_result *result;
	struct RESPONSE *response;
	struct streams_change change;
	struct streams_group *fresh; /* owned; of a group that is made */
	struct streams_member draft;
	struct streams_member none;         /* of one that is new */
	const struct streams_member *known; /* as what it was before */
	struct streams_assignment owned;
	bool owned_known;
	bool was_empty;
	bool reassigned;    /* what it has, or its epoch */
	bool assigned_anew; /* what it is to have */
};

/* --- Errors -------------------------------------------------------------- */

static enum kp_error
fail(struct beating *b, enum kp_error error, struct slice text)
{
	b->response->error_message = text;
	return error;
}

/* "Streams group g not found.", or "Group g ..." for who leaves. */
static enum kp_error
fail_group(struct beating *b, const struct group *group)
{
	const char *before = "Group", *behind = "is not a streams group.";

	if (group == NULL) {
		before =
		    b->request->member_epoch < 0 ? "Group" : "Streams group";
		behind = "not found.";
	}
	return fail(b, KP_GROUP_ID_NOT_FOUND,
	    arena_printf(b->call->arena, "%s %.*s %s", before,
		SLICE_ARG(b->request->group_id), behind));
}

static enum kp_error
fail_member(struct beating *b)
{
	return fail(b, KP_UNKNOWN_MEMBER_ID,
	    arena_printf(b->call->arena,
		"Member %.*s is not a member of group %.*s.",
		SLICE_ARG(b->request->member_id),
		SLICE_ARG(b->request->group_id)));
}

static enum kp_error
fail_epoch(struct beating *b, const char *which, int32_t known)
{
	return fail(b, KP_FENCED_MEMBER_EPOCH,
	    arena_printf(b->call->arena,
		"The streams group member has a %s member epoch (%d) than the "
		"one known by the group coordinator (%d). The member must "
		"abandon all its partitions and rejoin.",
		which, b->request->member_epoch, known));
}

/* --- Who it is ----------------------------------------------------------- */

/*
 * An epoch behind is that of a member whose last answer was lost, if what it
 * says it owns is no more than it has.
 */
static enum kp_error
check_epoch(struct beating *b, const struct streams_member *member)
{
	int32_t epoch = b->request->member_epoch;

	if (epoch == STREAMS_EPOCH_JOIN || epoch == member->epoch)
		return KP_NONE;
	if (epoch > member->epoch)
		return fail_epoch(b, "greater", member->epoch);
	if (epoch == member->previous_epoch && b->owned_known &&
	    streams_assignment_within(&b->owned, &member->assigned))
		return KP_NONE;
	return fail_epoch(b, "smaller", member->epoch);
}

static enum kp_error
find_member(struct beating *b)
{
	struct streams_group *streams = b->change.streams;
	const struct streams_member *member =
	    streams_member_find(streams, b->request->member_id);
	enum kp_error error;

	if (member == NULL) {
		if (b->request->member_epoch != STREAMS_EPOCH_JOIN)
			return fail_member(b);
		b->none = streams_member_none(streams, b->request->member_id);
		b->known = &b->none;
		return KP_NONE;
	}
	error = check_epoch(b, member);
	if (error != KP_NONE)
		return error;
	b->known = b->change.base = member;
	b->change.target = streams_member_target(streams, member->id);
	return KP_NONE;
}

/* --- What it says of itself ---------------------------------------------- */

/* Null says that nothing has changed. */
static void
update(struct slice *field, struct slice said)
{
	if (!slice_is_null(said))
		*field = said;
}

static enum kp_error
update_tags(struct beating *b)
{
	const struct REQUEST *request = b->request;
	struct streams_pairs *tags = &b->draft.tags;

	if (request->client_tags_count < 0)
		return KP_NONE;
	tags->count = request->client_tags_count;
	tags->pairs = arena_xcalloc(
	    &b->change.arena, (size_t)tags->count, sizeof(*tags->pairs));
	for (int32_t i = 0; i < tags->count; i++)
		tags->pairs[i] =
		    (struct streams_pair){ request->client_tags[i].key,
			    request->client_tags[i].value };
	return streams_pairs_sort(tags) ? KP_NONE : KP_UNKNOWN_SERVER_ERROR;
}

static enum kp_error
update_draft(struct beating *b)
{
	const struct REQUEST *request = b->request;
	struct streams_member *draft = &b->draft;

	*draft = *b->known;
	draft->client_id = b->call->client_id;
	draft->client_host = b->call->client_host;
	update(&draft->rack_id, request->rack_id);
	update(&draft->process_id, request->process_id);
	if (request->rebalance_timeout_ms != -1)
		draft->rebalance_timeout_ms = request->rebalance_timeout_ms;
	if (request->topology != NULL)
		draft->topology_epoch = request->topology->epoch;
	if (request->user_endpoint != NULL) {
		draft->endpoint_host = request->user_endpoint->host;
		draft->endpoint_port = request->user_endpoint->port;
	}
	return update_tags(b);
}

static bool
described_alike(const struct streams_member *a, const struct streams_member *b)
{
	return a->rebalance_timeout_ms == b->rebalance_timeout_ms &&
	    a->topology_epoch == b->topology_epoch &&
	    slice_equal(a->rack_id, b->rack_id) &&
	    slice_equal(a->client_id, b->client_id) &&
	    slice_equal(a->client_host, b->client_host) &&
	    slice_equal(a->process_id, b->process_id) &&
	    slice_equal(a->endpoint_host, b->endpoint_host) &&
	    a->endpoint_port == b->endpoint_port &&
	    streams_pairs_equal(&a->tags, &b->tags);
}

static bool
assigned_alike(const struct streams_member *a, const struct streams_member *b)
{
	return a->epoch == b->epoch && a->previous_epoch == b->previous_epoch &&
	    a->state == b->state &&
	    streams_assignment_equal(&a->assigned, &b->assigned) &&
	    streams_assignment_equal(&a->revoking, &b->revoking);
}

/* --- Statuses ------------------------------------------------------------ */

static void
add_status(struct beating *b, enum streams_status code, struct slice detail)
{
	struct RESPONSE *response = b->response;

	assert(response->status_count < STATUS_MAX);
	response->status[response->status_count].status_code = (int8_t)code;
	response->status[response->status_count++].status_detail =
	    arena_copy(b->call->arena, detail);
}

static void
begin_statuses(struct beating *b)
{
	b->response->status = arena_xcalloc(
	    b->call->arena, STATUS_MAX, sizeof(*b->response->status));
	b->response->status_count = 0;
}

static void
add_stale(struct beating *b)
{
	const struct streams_topology *topology = b->change.streams->topology;

	if (topology == NULL || b->draft.topology_epoch >= topology->epoch)
		return;
	add_status(b, STREAMS_STALE_TOPOLOGY,
	    arena_printf(b->call->arena,
		"The member's topology epoch %d is behind the group's topology "
		"epoch %d.",
		b->draft.topology_epoch, topology->epoch));
}

static void
add_shutdown(struct beating *b, struct slice by)
{
	if (slice_is_null(by))
		return;
	add_status(b, STREAMS_SHUTDOWN_APPLICATION,
	    arena_printf(b->call->arena,
		"Streams group member %.*s encountered a fatal error and "
		"requested a shutdown for the entire application.",
		SLICE_ARG(by)));
}

/* --- The topology -------------------------------------------------------- */

static enum kp_error
take_topology(struct beating *b)
{
	struct streams_change *change = &b->change;
	struct slice message = SLICE_NULL;
	struct kp_streams_group_topology_value said;
	enum kp_error error;

	if (b->request->topology == NULL)
		return change->topology != NULL ? KP_NONE :
						  KP_UNKNOWN_SERVER_ERROR;
	said = streams_topology_said(b->request->topology, &change->arena);
	error = streams_change_topology(change, &said, &message);
	return error == KP_NONE ? KP_NONE : fail(b, error, message);
}

static enum kp_error
check_task(
    struct beating *b, const struct REQUEST_TASKS *part, int32_t partition)
{
	const struct streams_subtopology *known =
	    streams_configured_find(b->change.configured, part->subtopology_id);

	if (known == NULL)
		return fail(b, KP_INVALID_REQUEST,
		    arena_printf(b->call->arena,
			"Subtopology %.*s does not exist in the topology.",
			SLICE_ARG(part->subtopology_id)));
	if (partition >= 0 && partition < known->tasks_count)
		return KP_NONE;
	return fail(b, KP_INVALID_REQUEST,
	    arena_printf(b->call->arena,
		"Task %d for subtopology %.*s is invalid. Number of tasks for "
		"this subtopology: %d",
		partition, SLICE_ARG(part->subtopology_id),
		known->tasks_count));
}

static enum kp_error
check_tasks(struct beating *b, const struct REQUEST_TASKS *parts, int32_t count)
{
	enum kp_error error = KP_NONE;

	for (int32_t i = 0; error == KP_NONE && i < count; i++) {
		if (parts[i].partitions_count <= 0)
			error = check_task(b, &parts[i], 0);
		for (int32_t p = 0;
		    error == KP_NONE && p < parts[i].partitions_count; p++)
			error =
			    check_task(b, &parts[i], parts[i].partitions[p]);
	}
	return error;
}

static enum kp_error
configure(struct beating *b, bool *bump)
{
	const struct REQUEST *request = b->request;
	struct slice message = SLICE_NULL;
	enum kp_error error = streams_change_configure(
	    &b->change, b->call->arena, &message, bump);

	if (error != KP_NONE)
		return fail(b, error, message);
	if (b->change.configured->status != STREAMS_READY)
		return KP_NONE;
	error =
	    check_tasks(b, request->active_tasks, request->active_tasks_count);
	return error != KP_NONE ? error :
				  check_tasks(b, request->standby_tasks,
				      request->standby_tasks_count);
}

/* --- Steps --------------------------------------------------------------- */

/* Is the first assignment waited for, or will it be from now on? */
static bool
delayed(const struct beating *b)
{
	const struct streams_group *streams = b->change.streams;

	return (b->was_empty && streams->timing.rebalance_delay_ms > 0) ||
	    shard_timer_running(&streams->delay);
}

static void
take_target(struct beating *b)
{
	if (delayed(b)) {
		add_status(b, STREAMS_ASSIGNMENT_DELAYED,
		    slice_str("Assignment delayed due to the configured "
			      "initial rebalance delay."));
		b->change.target = (struct streams_assignment){ 0 };
	} else if (!streams_change_target(&b->change)) {
		add_status(b, STREAMS_ASSIGNMENT_DELAYED,
		    slice_str("Assignment delayed due to the configured "
			      "assignment interval."));
	}
}

static enum kp_error
reconcile(struct beating *b)
{
	enum kp_error error =
	    streams_reconcile(&b->change, b->owned_known ? &b->owned : NULL);

	if (error != KP_NONE)
		return fail(b, error,
		    slice_str("The streams group member is in a unknown state. "
			      "The member must abandon all its tasks and "
			      "rejoin."));
	b->reassigned = !assigned_alike(&b->draft, b->known);
	b->assigned_anew =
	    !streams_assignment_equal(&b->draft.assigned, &b->known->assigned);
	if (b->reassigned)
		streams_emit_current(b->shard, b->request->group_id, &b->draft);
	return KP_NONE;
}

/* What a draft may take more than it had has to be there. */
static bool
has_memory(const struct beating *b)
{
	size_t bytes = streams_member_bytes(&b->draft);

	if (b->change.fresh_topology != NULL &&
	    b->change.topology == b->change.fresh_topology)
		bytes += streams_topology_bytes(b->change.fresh_topology);
	return bytes <= b->draft.bytes + budget_left(b->shard->memory);
}

/* Decide all of it, and write it down. */
static enum kp_error
take_steps(struct beating *b)
{
	bool bump =
	    b->change.base == NULL || !described_alike(&b->draft, b->known);
	enum kp_error error;

	if (bump)
		streams_emit_member(b->shard, b->request->group_id, &b->draft);
	error = take_topology(b);
	if (error != KP_NONE)
		return error;
	add_stale(b);
	if (!has_memory(b))
		return fail(b, KP_GROUP_MAX_SIZE_REACHED,
		    slice_str("There is no memory for the member."));
	error = configure(b, &bump);
	if (error != KP_NONE)
		return error;
	streams_change_epoch(&b->change, bump);
	take_target(b);
	error = reconcile(b);
	return error != KP_NONE ? error : streams_change_append(&b->change);
}

/* --- The answer ---------------------------------------------------------- */

static struct RESPONSE_TASKS *
tasks_of(struct arena *arena, const struct streams_tasks *set, int32_t *count)
{
	struct RESPONSE_TASKS *parts =
	    arena_xcalloc(arena, (size_t)set->count, sizeof(*parts));

	*count = 0;
	for (int32_t i = 0, run; i < set->count; i += run) {
		run = streams_tasks_run(set, i);
		parts[*count].subtopology_id =
		    arena_copy(arena, set->tasks[i].subtopology);
		parts[*count].partitions =
		    streams_tasks_partitions(arena, set, i, run);
		parts[(*count)++].partitions_count = run;
	}
	return parts;
}

static void
fill_tasks(struct beating *b, const struct streams_member *member)
{
	struct RESPONSE *response = b->response;
	const struct streams_tasks *kinds = member->assigned.kinds;
	struct arena *arena = b->call->arena;

	response->active_tasks = tasks_of(
	    arena, &kinds[STREAMS_ACTIVE], &response->active_tasks_count);
	response->standby_tasks = tasks_of(
	    arena, &kinds[STREAMS_STANDBY], &response->standby_tasks_count);
	response->warmup_tasks = tasks_of(
	    arena, &kinds[STREAMS_WARMUP], &response->warmup_tasks_count);
}

/*
 * What Kafka knows of a group beside its records begins with the second
 * heartbeat: the first one's is of a group that is only about to be.
 */
static void
fill_endpoints(struct beating *b, const struct streams_member *member)
{
	struct streams_group *streams = member->streams;
	struct streams_group *knows = b->fresh != NULL ? b->fresh : streams;

	if ((b->request->member_epoch == STREAMS_EPOCH_JOIN ||
		b->assigned_anew) &&
	    !slice_is_null(member->endpoint_host))
		knows->endpoint_epoch++;
	if (knows->endpoint_epoch != b->request->endpoint_information_epoch)
		streams_endpoints(
		    streams, b->change.configured, b->call->arena, b->response);
	if (b->fresh == NULL)
		b->response->endpoint_information_epoch = knows->endpoint_epoch;
}

static void
fill_missing_topic(struct arena *arena, const struct streams_missing *missing,
    struct kp_create_topics_request_topic *out)
{
	const struct streams_topology_topic *topic = missing->topic;

	kp_defaults_struct(&kp_create_topics_request_topic_struct, out);
	out->name = arena_copy(arena, topic->name);
	out->num_partitions = missing->partitions;
	out->replication_factor =
	    topic->replication_factor == 0 ? -1 : topic->replication_factor;
	out->configs = arena_xcalloc(
	    arena, (size_t)topic->topic_configs_count, sizeof(*out->configs));
	out->configs_count = topic->topic_configs_count;
	for (int32_t i = 0; i < topic->topic_configs_count; i++) {
		out->configs[i].name =
		    arena_copy(arena, topic->topic_configs[i].key);
		out->configs[i].value =
		    arena_copy(arena, topic->topic_configs[i].value);
	}
}

static void
fill_missing(struct beating *b)
{
	const struct streams_configured *configured = b->change.configured;
	struct group_streams_result *result = b->result;

	if (configured->status == STREAMS_READY)
		return;
	result->missing = arena_xcalloc(b->call->arena,
	    (size_t)configured->missing_count, sizeof(*result->missing));
	result->missing_count = configured->missing_count;
	for (int32_t i = 0; i < configured->missing_count; i++)
		fill_missing_topic(b->call->arena, &configured->missing[i],
		    &result->missing[i]);
	add_status(b, configured->status, configured->detail);
}

/* The first one to ask counts, also where the group is only about to be. */
static struct slice
shut_down(struct beating *b, struct streams_group *streams)
{
	struct streams_group *knows = b->fresh != NULL ? b->fresh : streams;

	if (b->request->shutdown_application)
		streams_group_shut_down(knows, b->request->member_id);
	return knows->shutdown_by;
}

/*
 * The records have been replayed, and what the draft pointed to may be gone:
 * the member in the group is the draft now.
 */
static void
conclude(struct beating *b)
{
	struct group *group = group_find(b->shard, b->request->group_id);
	struct streams_group *streams = group->streams;
	struct streams_member *member =
	    streams_member_find(streams, b->request->member_id);
	struct RESPONSE *response = b->response;

	if (b->was_empty &&
	    streams_group_timing(streams).rebalance_delay_ms > 0)
		streams_group_delay(streams);
	if (b->reassigned)
		streams_member_time_revocation(member);
	streams_member_touch(member);
	response->member_id = b->request->member_id;
	response->member_epoch = member->epoch;
	response->heartbeat_interval_ms = streams->timing.heartbeat_interval_ms;
	if (b->request->member_epoch == STREAMS_EPOCH_JOIN || b->assigned_anew)
		fill_tasks(b, member);
	fill_endpoints(b, member);
	fill_missing(b);
	add_shutdown(b, shut_down(b, streams));
}

/* --- The group ----------------------------------------------------------- */

/* A classic group that was empty ends; its offsets stay. */
static enum kp_error
find_group(struct beating *b, struct streams_group **streams)
{
	struct group *group = group_find(b->shard, b->request->group_id);

	if (group != NULL && group->streams != NULL) {
		*streams = group->streams;
		(void)streams_group_timing(*streams);
		return KP_NONE;
	}
	if (b->request->member_epoch != STREAMS_EPOCH_JOIN ||
	    (group != NULL &&
		(group->kind != NULL || group->state != GROUP_EMPTY)))
		return fail_group(b, group);
	if (group != NULL)
		group_emit_tombstone(group);
	*streams = b->fresh = streams_group_new(NULL);
	b->fresh->timing = group_image_streams_timing(
	    b->shard->common->image, b->request->group_id);
	return KP_NONE;
}

static enum kp_error
check_full(struct beating *b, const struct streams_group *streams)
{
	int32_t most = b->shard->settings->streams.members_max;

	if (b->request->member_epoch != STREAMS_EPOCH_JOIN ||
	    streams_group_count(streams) < most)
		return KP_NONE;
	return fail(b, KP_GROUP_MAX_SIZE_REACHED,
	    arena_printf(b->call->arena,
		"The streams group has reached its maximum capacity of %d "
		"members.",
		most));
}

static struct streams_tasks
owned_of(struct arena *arena, const struct REQUEST_TASKS *parts, int32_t count)
{
	struct streams_tasks set =
	    streams_tasks_new(arena,
		(int32_t)streams_heartbeat_tasks(parts, count));

	for (int32_t i = 0; i < count; i++)
		for (int32_t p = 0; p < parts[i].partitions_count; p++)
			streams_tasks_add(&set, parts[i].subtopology_id,
			    parts[i].partitions[p], 0);
	streams_tasks_sort(&set);
	return set;
}

/* Warm-up tasks are none, as has been checked. */
static void
take_owned(struct beating *b)
{
	const struct REQUEST *request = b->request;
	struct arena *arena = &b->change.arena;

	b->owned_known = request->active_tasks_count >= 0;
	b->owned.kinds[STREAMS_ACTIVE] =
	    owned_of(arena, request->active_tasks, request->active_tasks_count);
	b->owned.kinds[STREAMS_STANDBY] = owned_of(
	    arena, request->standby_tasks, request->standby_tasks_count);
}

static enum kp_error
live_on(struct beating *b)
{
	struct streams_group *streams;
	enum kp_error error = find_group(b, &streams);

	if (error == KP_NONE)
		error = check_full(b, streams);
	if (error != KP_NONE)
		return error;
	streams_change_begin(
	    &b->change, b->shard, streams, b->request->group_id);
	b->was_empty = list_empty(&streams->members);
	begin_statuses(b);
	take_owned(b);
	error = find_member(b);
	if (error == KP_NONE)
		error = update_draft(b);
	b->change.draft = &b->draft;
	if (error == KP_NONE)
		error = take_steps(b);
	if (error == KP_NONE)
		conclude(b);
	streams_change_end(&b->change);
	return error;
}

/* --- Leaving ------------------------------------------------------------- */

static enum kp_error
leave(struct beating *b)
{
	struct group *group = group_find(b->shard, b->request->group_id);
	struct streams_member *member;

	if (group == NULL || group->streams == NULL)
		return fail_group(b, group);
	if (b->request->shutdown_application)
		streams_group_shut_down(group->streams, b->request->member_id);
	member = streams_member_find(group->streams, b->request->member_id);
	if (member == NULL)
		return fail_member(b);
	begin_statuses(b);
	b->response->member_id = b->request->member_id;
	b->response->member_epoch = b->request->member_epoch;
	return streams_leave(member);
}

enum kp_error
streams_heartbeat(struct group_shard *shard, struct group_call *call,
    const struct REQUEST *request, struct group_streams_result *result)
{
	struct beating b = {
		.shard = shard,
		.call = call,
		.request = request,
		.result = result,
		.response = result->response,
	};
	enum kp_error error =
	    request->member_epoch < 0 ? leave(&b) : live_on(&b);

	if (error != KP_NONE)
		shard_discard(&shard->shard);
	if (b.fresh != NULL)
		streams_group_free(b.fresh);
	return error;
}
