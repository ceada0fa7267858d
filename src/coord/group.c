#include "coord/group.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "wire/codec.h"
#include "wire/generated/consumer_protocol_subscription.h"
#include "wire/generated/join_group.h"

#define CONSUMER_PROTOCOL "consumer"

static void
slice_release(struct slice *slice)
{
	free((void *)(uintptr_t)slice->data);
	*slice = SLICE_NULL;
}

void
group_own(struct slice *owned, struct slice value)
{
	struct slice copy = slice_is_null(value) ?
	    SLICE_NULL :
	    slice_of(slice_dup(value), value.len);

	slice_release(owned);
	*owned = copy;
}

/* --- The group ----------------------------------------------------------- */

struct group *
group_find(struct group_shard *shard, struct slice id)
{
	return map_get(&shard->groups, id);
}

struct group *
group_create(struct group_shard *shard, struct slice id)
{
	struct group *group = xcalloc(1, sizeof(*group));

	group->shard = shard;
	group->state = GROUP_EMPTY;
	group->state_since_ms = -1;
	group_own(&group->id, id);
	list_init(&group->members);
	list_init(&group->pending);
	map_init(&group->members_by_id);
	map_init(&group->offsets);
	map_init(&group->transactions);
	map_set(&shard->groups, group->id, group);
	return group;
}

void
group_free(struct group *group)
{
	struct list_node *node;

	assert(!shard_timer_running(&group->join_timer));
	assert(!shard_timer_running(&group->sync_timer));
	while ((node = group->members.head.next) != &group->members.head)
		group_member_remove(
		    LIST_ENTRY(node, struct group_member, node));
	while ((node = group->pending.head.next) != &group->pending.head)
		group_pending_remove(
		    LIST_ENTRY(node, struct group_pending, node));
	group_offsets_free(group);
	map_remove(&group->shard->groups, group->id);
	map_fini(&group->members_by_id);
	slice_release(&group->id);
	slice_release(&group->protocol_type);
	slice_release(&group->protocol);
	free(group);
}

const char *
group_state_name(enum group_state state)
{
	static const char *const names[] = {
		[GROUP_EMPTY] = "Empty",
		[GROUP_PREPARING] = "PreparingRebalance",
		[GROUP_COMPLETING] = "CompletingRebalance",
		[GROUP_STABLE] = "Stable",
	};

	return names[state];
}

void
group_enter(struct group *group, enum group_state state)
{
	group->state = state;
	group->state_since_ms = clock_wall_ms();
}

/* --- Members ------------------------------------------------------------- */

struct group_member *
group_member_find(const struct group *group, struct slice id)
{
	return map_get(&group->members_by_id, id);
}

struct group_member *
group_member_by_instance(const struct group *group, struct slice instance_id)
{
	if (slice_is_null(instance_id))
		return NULL;
	LIST_FOR_EACH (node, &group->members) {
		struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		if (slice_equal(member->instance_id, instance_id))
			return member;
	}
	return NULL;
}

static void session_fired(struct shard_timer *timer, struct shard *shard);

struct group_member *
group_member_add(struct group *group, const struct group_member_new *new)
{
	struct group_member *member = xcalloc(1, sizeof(*member));

	member->group = group;
	member->session_timeout_ms = new->session_timeout_ms;
	member->rebalance_timeout_ms = new->rebalance_timeout_ms;
	member->session.fired = session_fired;
	group_own(&member->id, new->id);
	group_own(&member->instance_id, new->instance_id);
	group_own(&member->client_id, new->client_id);
	group_own(&member->client_host, new->client_host);
	group_own(&member->assignment, slice_str(""));
	list_append(&group->members, &member->node);
	map_set(&group->members_by_id, member->id, member);
	if (group->leader == NULL)
		group->leader = member;
	return member;
}

static void
free_protocols(struct group_member *member)
{
	for (int32_t i = 0; i < member->protocols_count; i++) {
		slice_release(&member->protocols[i].name);
		slice_release(&member->protocols[i].metadata);
	}
	free(member->protocols);
	member->protocols = NULL;
	member->protocols_count = 0;
}

void
group_member_remove(struct group_member *member)
{
	struct group *group = member->group;

	assert(member->join.call == NULL && member->sync.call == NULL);
	shard_timer_stop(&group->shard->shard, &member->session);
	map_remove(&group->members_by_id, member->id);
	list_remove(&member->node);
	if (group->leader == member)
		group->leader = list_empty(&group->members) ?
		    NULL :
		    LIST_ENTRY(group->members.head.next, struct group_member,
			node);
	free_protocols(member);
	slice_release(&member->id);
	slice_release(&member->instance_id);
	slice_release(&member->client_id);
	slice_release(&member->client_host);
	slice_release(&member->assignment);
	free(member);
}

void
group_member_rename(struct group_member *member, struct slice id)
{
	struct group *group = member->group;

	map_remove(&group->members_by_id, member->id);
	group_own(&member->id, id);
	map_set(&group->members_by_id, member->id, member);
}

void
group_member_set_protocols(struct group_member *member,
    const struct kp_join_group_request *request)
{
	size_t count = (size_t)MAX(request->protocols_count, 0);

	free_protocols(member);
	member->protocols = xcalloc(count, sizeof(*member->protocols));
	member->protocols_count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		group_own(&member->protocols[i].name,
		    request->protocols[i].name);
		group_own(&member->protocols[i].metadata,
		    request->protocols[i].metadata);
	}
}

bool
group_member_same_protocols(const struct group_member *member,
    const struct kp_join_group_request *request)
{
	if (member->protocols_count != request->protocols_count)
		return false;
	for (int32_t i = 0; i < member->protocols_count; i++)
		if (!slice_equal(member->protocols[i].name,
			request->protocols[i].name) ||
		    !slice_equal(member->protocols[i].metadata,
			request->protocols[i].metadata))
			return false;
	return true;
}

static const struct group_protocol *
find_protocol(const struct group_member *member, struct slice name)
{
	for (int32_t i = 0; i < member->protocols_count; i++)
		if (slice_equal(member->protocols[i].name, name))
			return &member->protocols[i];
	return NULL;
}

struct slice
group_member_metadata(const struct group_member *member)
{
	const struct group_protocol *protocol =
	    find_protocol(member, member->group->protocol);

	return protocol == NULL ? slice_str("") : protocol->metadata;
}

/* --- Pending ids --------------------------------------------------------- */

struct group_pending *
group_pending_find(const struct group *group, struct slice id)
{
	LIST_FOR_EACH (node, &group->pending) {
		struct group_pending *pending =
		    LIST_ENTRY(node, struct group_pending, node);

		if (slice_equal(pending->id, id))
			return pending;
	}
	return NULL;
}

static void pending_fired(struct shard_timer *timer, struct shard *shard);

struct group_pending *
group_pending_add(struct group *group, struct slice id)
{
	struct group_pending *pending = xcalloc(1, sizeof(*pending));

	pending->group = group;
	pending->session.fired = pending_fired;
	group_own(&pending->id, id);
	list_append(&group->pending, &pending->node);
	group->pending_count++;
	return pending;
}

void
group_pending_remove(struct group_pending *pending)
{
	struct group *group = pending->group;

	shard_timer_stop(&group->shard->shard, &pending->session);
	list_remove(&pending->node);
	group->pending_count--;
	slice_release(&pending->id);
	free(pending);
}

/* --- Sessions ------------------------------------------------------------ */

void
group_member_touch(struct group_member *member)
{
	shard_timer_start(&member->group->shard->shard, &member->session,
	    member->session_timeout_ms);
}

/*
 * Nothing was heard of the member.  One that waits for us is not dead: its
 * answer is what it waits for.
 */
static void
session_fired(struct shard_timer *timer, struct shard *shard UNUSED)
{
	struct group_member *member =
	    CONTAINER_OF(timer, struct group_member, session);

	if (!member->is_new &&
	    (member->join.call != NULL || member->sync.call != NULL))
		return;
	group_member_gone(member);
}

static void
pending_fired(struct shard_timer *timer, struct shard *shard UNUSED)
{
	struct group_pending *pending =
	    CONTAINER_OF(timer, struct group_pending, session);
	struct group *group = pending->group;

	group_pending_remove(pending);
	if (group->state == GROUP_PREPARING)
		group_try_complete(group);
}

/* --- Protocols ----------------------------------------------------------- */

bool
group_protocol_supported(const struct group *group, struct slice name)
{
	LIST_FOR_EACH (node, &group->members) {
		const struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		if (find_protocol(member, name) == NULL)
			return false;
	}
	return true;
}

bool
group_accepts(const struct group *group,
    const struct kp_join_group_request *request)
{
	if (group->state == GROUP_EMPTY)
		return request->protocol_type.len > 0 &&
		    request->protocols_count > 0;
	if (!slice_equal(group->protocol_type, request->protocol_type))
		return false;
	for (int32_t i = 0; i < request->protocols_count; i++)
		if (group_protocol_supported(group,
			request->protocols[i].name))
			return true;
	return false;
}

/* The first of the member's protocols that all support; there is one. */
static struct slice
vote_of(const struct group *group, const struct group_member *member)
{
	for (int32_t i = 0; i < member->protocols_count; i++)
		if (group_protocol_supported(group,
			member->protocols[i].name))
			return member->protocols[i].name;
	return SLICE_NULL;
}

static int32_t
votes_for(const struct group *group, struct slice name)
{
	int32_t votes = 0;

	LIST_FOR_EACH (node, &group->members)
		votes += slice_equal(
		    vote_of(group, LIST_ENTRY(node, struct group_member,
				       node)),
		    name);
	return votes;
}

struct slice
group_vote(const struct group *group)
{
	const struct group_member *first =
	    LIST_ENTRY(group->members.head.next, struct group_member, node);
	struct slice winner = SLICE_NULL;
	int32_t most = 0;

	/* Whoever wins is supported by all, so the first member has it. */
	for (int32_t i = 0; i < first->protocols_count; i++) {
		struct slice name = first->protocols[i].name;
		int32_t votes;

		if (!group_protocol_supported(group, name))
			continue;
		votes = votes_for(group, name);
		if (votes > most || slice_is_null(winner)) {
			winner = name;
			most = votes;
		}
	}
	return winner;
}

/* --- Answers ------------------------------------------------------------- */

/* What an answer's entry for a member takes beside the member's own bytes. */
#define MEMBER_ENTRY_BYTES 512

static size_t
member_bytes(const struct group_member *member)
{
	return MEMBER_ENTRY_BYTES + member->id.len + member->instance_id.len +
	    member->client_id.len + member->client_host.len +
	    member->assignment.len + group_member_metadata(member).len;
}

bool
group_fits(const struct group *group, const struct arena *arena)
{
	size_t bytes = GROUP_ANSWER_SPARE_BYTES;

	LIST_FOR_EACH (node, &group->members)
		bytes +=
		    member_bytes(LIST_ENTRY(node, struct group_member, node));
	return bytes < arena_left(arena);
}

/* --- Subscriptions ------------------------------------------------------- */

/* Does the subscription name the topic?  True also where it does not parse. */
static bool
subscription_has(struct slice metadata, struct slice topic)
{
	struct kp_consumer_protocol_subscription subscription;
	struct arena arena;
	int version;
	size_t used;
	bool found;

	if (metadata.len < sizeof(int16_t))
		return true;
	version = (int16_t)be16_get(metadata.data);
	version = MIN(version, kp_consumer_protocol_subscription.version_max);
	arena_init(&arena, 16 * metadata.len + 65536);
	found = kp_decode_prefix(&kp_consumer_protocol_subscription, version,
		    slice_of(metadata.data + 2, metadata.len - 2), &arena,
		    &subscription, &used) != 0;
	for (int32_t i = 0; !found && i < subscription.topics_count; i++)
		found = slice_equal(subscription.topics[i], topic);
	arena_reset(&arena);
	return found;
}

bool
group_subscribed(const struct group *group, struct slice topic)
{
	if (!slice_equal_str(group->protocol_type, CONSUMER_PROTOCOL) ||
	    slice_is_null(group->protocol))
		return false;
	LIST_FOR_EACH (node, &group->members) {
		const struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		if (subscription_has(group_member_metadata(member), topic))
			return true;
	}
	return false;
}
