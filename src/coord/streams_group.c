#include "coord/streams_group.h"

/* --- Pairs --------------------------------------------------------------- */

static int
compare_pairs(const void *a, const void *b)
{
	const struct streams_pair *x = a, *y = b;

	return slice_compare(x->key, y->key);
}

bool
streams_pairs_sort(struct streams_pairs *pairs)
{
	int32_t kept = 0;

	if (pairs->count == 0)
		return true;
	qsort(pairs->pairs, (size_t)pairs->count, sizeof(*pairs->pairs),
	    compare_pairs);
	for (int32_t i = 1; i < pairs->count; i++)
		if (compare_pairs(&pairs->pairs[kept], &pairs->pairs[i]) != 0)
			pairs->pairs[++kept] = pairs->pairs[i];
	if (kept + 1 == pairs->count)
		return true;
	pairs->count = kept + 1;
	return false;
}

bool
streams_pairs_equal(
    const struct streams_pairs *a, const struct streams_pairs *b)
{
	if (a->count != b->count)
		return false;
	for (int32_t i = 0; i < a->count; i++)
		if (!slice_equal(a->pairs[i].key, b->pairs[i].key) ||
		    !slice_equal(a->pairs[i].value, b->pairs[i].value))
			return false;
	return true;
}

void
streams_pairs_own(
    struct streams_pairs *owned, const struct streams_pairs *value)
{
	struct streams_pairs copy = { NULL, value->count };

	if (value->count > 0)
		copy.pairs = xcalloc((size_t)value->count, sizeof(*copy.pairs));
	for (int32_t i = 0; i < value->count; i++) {
		group_own(&copy.pairs[i].key, value->pairs[i].key);
		group_own(&copy.pairs[i].value, value->pairs[i].value);
	}
	for (int32_t i = 0; i < owned->count; i++) {
		group_own(&owned->pairs[i].key, SLICE_NULL);
		group_own(&owned->pairs[i].value, SLICE_NULL);
	}
	free(owned->pairs);
	*owned = copy;
}

/* --- The group ----------------------------------------------------------- */

struct streams_group *
streams_group_new(struct group *group)
{
	struct streams_group *streams = xcalloc(1, sizeof(*streams));

	streams->group = group;
	streams->epoch = STREAMS_EPOCH_FIRST;
	streams->target_epoch = STREAMS_EPOCH_FIRST;
	streams->refresh = true;
	list_init(&streams->members);
	map_init(&streams->members_by_id);
	map_init(&streams->targets);
	return streams;
}

struct shard *
streams_group_shard(const struct streams_group *streams)
{
	return &streams->group->shard->shard;
}

void
streams_group_free(struct streams_group *streams)
{
	const struct streams_pairs none = { 0 };
	struct streams_target *target;

	if (streams->group != NULL)
		shard_timer_stop(streams_group_shard(streams), &streams->delay);
	while (!list_empty(&streams->members))
		streams_member_remove(LIST_ENTRY(
		    streams->members.head.next, struct streams_member, node));
	for (size_t at = 0;
	    (target = map_next(&streams->targets, &at)) != NULL;)
		streams_target_remove(streams, target->member_id);
	streams_group_set_topology(streams, NULL);
	assert(streams->bytes == 0);
	streams_pairs_own(&streams->configs, &none);
	group_own(&streams->shutdown_by, SLICE_NULL);
	map_fini(&streams->members_by_id);
	map_fini(&streams->targets);
	free(streams);
}

const char *
streams_group_state(const struct streams_group *streams)
{
	if (list_empty(&streams->members))
		return "Empty";
	if (streams->topology == NULL ||
	    streams->topology->epoch != streams->validated_epoch)
		return "NotReady";
	if (streams->epoch > streams->target_epoch)
		return "Assigning";
	LIST_FOR_EACH (node, &streams->members)
		if (!streams_member_reconciled(
			LIST_ENTRY(node, struct streams_member, node),
			streams->target_epoch))
			return "Reconciling";
	return "Stable";
}

struct streams_timing
streams_group_timing(struct streams_group *streams)
{
	struct group_image *image = streams->group->shard->common->image;
	uint64_t version = group_image_timing_version(image);

	if (streams->timing_version != version) {
		streams->timing =
		    group_image_streams_timing(image, streams->group->id);
		streams->timing_version = version;
	}
	return streams->timing;
}

bool
streams_group_subscribes(
    const struct streams_group *streams, struct slice topic)
{
	return !list_empty(&streams->members) && streams->topology != NULL &&
	    streams_topology_reader(streams->topology, topic) != NULL;
}

/* --- What it holds ------------------------------------------------------- */

/* So many bytes of the group's are now so many. */
static void
weigh(struct streams_group *streams, size_t *bytes, size_t now)
{
	struct budget *memory;

	if (*bytes == now)
		return;
	memory = streams->group->shard->memory;
	budget_give(memory, *bytes);
	budget_force(memory, now);
	streams->bytes += now - *bytes;
	*bytes = now;
}

void
streams_group_set_topology(
    struct streams_group *streams, struct streams_topology *topology)
{
	streams_group_set_configured(streams, NULL);
	weigh(streams, &streams->topology_bytes,
	    topology == NULL ? 0 : streams_topology_bytes(topology));
	streams_topology_free(streams->topology);
	streams->topology = topology;
}

void
streams_group_set_configured(
    struct streams_group *streams, struct streams_configured *configured)
{
	streams_configured_free(streams->configured);
	streams->configured = configured;
}

void
streams_group_shut_down(struct streams_group *streams, struct slice member_id)
{
	if (slice_is_null(streams->shutdown_by))
		group_own(&streams->shutdown_by, member_id);
}

/* --- Members ------------------------------------------------------------- */

struct streams_member *
streams_member_find(const struct streams_group *streams, struct slice id)
{
	return map_get(&streams->members_by_id, id);
}

struct streams_member
streams_member_none(struct streams_group *streams, struct slice id)
{
	return (struct streams_member){
		.streams = streams,
		.id = id,
		.client_id = slice_str(""),
		.client_host = slice_str(""),
		.process_id = slice_str(""),
		.rebalance_timeout_ms = -1,
		.topology_epoch = -1,
		.state = STREAMS_STABLE,
	};
}

/*
 * What a member, a tag and a task take beside what the client has sent: the
 * task twice, since it is in somebody's target as well.
 */
#define MEMBER_BYTES 1024
#define TAG_BYTES 64
#define TASK_BYTES 128

size_t
streams_member_bytes(const struct streams_member *member)
{
	size_t bytes = MEMBER_BYTES + member->id.len + member->instance_id.len +
	    member->rack_id.len + member->client_id.len +
	    member->client_host.len + member->process_id.len +
	    member->endpoint_host.len;

	for (int32_t i = 0; i < member->tags.count; i++)
		bytes += TAG_BYTES + member->tags.pairs[i].key.len +
		    member->tags.pairs[i].value.len;
	return bytes +
	    TASK_BYTES *
	    ((size_t)streams_assignment_count(&member->assigned) +
		(size_t)streams_assignment_count(&member->revoking));
}

struct streams_member *
streams_member_get(struct streams_group *streams, struct slice id)
{
	struct streams_member *member = streams_member_find(streams, id);
	const struct streams_member none = streams_member_none(streams, id);

	if (member != NULL)
		return member;
	member = xcalloc(1, sizeof(*member));
	member->streams = streams;
	member->state = none.state;
	group_own(&member->id, id);
	list_append(&streams->members, &member->node);
	map_set(&streams->members_by_id, member->id, member);
	streams_member_describe(member, &none);
	return member;
}

static void
own_texts(struct streams_member *member, const struct streams_member *said)
{
	group_own(&member->instance_id, said->instance_id);
	group_own(&member->rack_id, said->rack_id);
	group_own(&member->client_id, said->client_id);
	group_own(&member->client_host, said->client_host);
	group_own(&member->process_id, said->process_id);
	group_own(&member->endpoint_host, said->endpoint_host);
	streams_pairs_own(&member->tags, &said->tags);
}

void
streams_member_describe(
    struct streams_member *member, const struct streams_member *said)
{
	own_texts(member, said);
	member->endpoint_port = said->endpoint_port;
	member->rebalance_timeout_ms = said->rebalance_timeout_ms;
	member->topology_epoch = said->topology_epoch;
	weigh(member->streams, &member->bytes, streams_member_bytes(member));
}

void
streams_member_assign(
    struct streams_member *member, const struct streams_member *given)
{
	streams_assignment_own(&member->assigned, &given->assigned);
	streams_assignment_own(&member->revoking, &given->revoking);
	member->epoch = given->epoch;
	member->previous_epoch = given->previous_epoch;
	member->state = given->state;
	weigh(member->streams, &member->bytes, streams_member_bytes(member));
}

void
streams_member_remove(struct streams_member *member)
{
	struct streams_group *streams = member->streams;
	struct shard *shard = streams_group_shard(streams);
	const struct streams_member nothing = { 0 };

	shard_timer_stop(shard, &member->session);
	shard_timer_stop(shard, &member->rebalance);
	own_texts(member, &nothing);
	streams_assignment_own(&member->assigned, &nothing.assigned);
	streams_assignment_own(&member->revoking, &nothing.revoking);
	weigh(streams, &member->bytes, 0);
	list_remove(&member->node);
	map_remove(&streams->members_by_id, member->id);
	group_own(&member->id, SLICE_NULL);
	free(member);
	if (list_empty(&streams->members))
		group_own(&streams->shutdown_by, SLICE_NULL);
}

/* --- Targets ------------------------------------------------------------- */

struct streams_assignment
streams_member_target(const struct streams_group *streams, struct slice id)
{
	const struct streams_target *target = map_get(&streams->targets, id);

	return target == NULL ? (struct streams_assignment){ 0 } :
				target->assignment;
}

void
streams_target_set(struct streams_group *streams, struct slice member_id,
    const struct streams_assignment *assignment)
{
	struct streams_target *target = map_get(&streams->targets, member_id);

	if (target == NULL) {
		target = xcalloc(1, sizeof(*target));
		group_own(&target->member_id, member_id);
		map_set(&streams->targets, target->member_id, target);
	}
	streams_assignment_own(&target->assignment, assignment);
}

void
streams_target_remove(struct streams_group *streams, struct slice member_id)
{
	const struct streams_assignment nothing = { 0 };
	struct streams_target *target =
	    map_remove(&streams->targets, member_id);

	if (target == NULL)
		return;
	group_own(&target->member_id, SLICE_NULL);
	streams_assignment_own(&target->assignment, &nothing);
	free(target);
}
