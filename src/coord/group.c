#include "coord/group.h"

#include "base/arena.h"
#include "base/clock.h"
#include "wire/generated/join_group.h"

void
group_own(struct slice *owned, struct slice value)
{
	struct slice copy = slice_is_null(value) ?
	    SLICE_NULL :
	    slice_own(value);

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
	map_init(&group->pending);
	map_init(&group->supports);
	map_init(&group->members_by_instance);
	map_init(&group->members_by_id);
	map_init(&group->offsets);
	map_init(&group->transactions);
	map_set(&shard->groups, group->id, group);
	list_append(&shard->groups_list, &group->node);
	return group;
}

static struct group *
group_at(const struct group_shard *shard, struct list_node *node)
{
	return node == &shard->groups_list.head ?
	    NULL :
	    LIST_ENTRY(node, struct group, node);
}

struct group *
group_first(const struct group_shard *shard)
{
	return group_at(shard, shard->groups_list.head.next);
}

struct group *
group_next(const struct group *group)
{
	return group_at(group->shard, group->node.next);
}

static void
drop_members(struct group *group)
{
	struct group_pending *pending;
	struct list_node *node;

	while ((node = group->members.head.next) != &group->members.head)
		group_member_remove(
		    LIST_ENTRY(node, struct group_member, node));
	for (size_t at = 0; (pending = map_next(&group->pending, &at)) != NULL;)
		group_pending_remove(pending);
}

void
group_become(struct group *group, const struct group_kind *kind)
{
	assert(!shard_timer_running(&group->join_timer));
	assert(!shard_timer_running(&group->sync_timer));
	drop_members(group);
	group->state = GROUP_EMPTY;
	group->generation = 0;
	group_own(&group->protocol_type, SLICE_NULL);
	group_own(&group->protocol, SLICE_NULL);
	if (group->kind != NULL)
		group->kind->free(group);
	group->kind = kind;
}

void
group_end_kind(struct group *group)
{
	group->kind->free(group);
	group->kind = NULL;
	if (group->offsets.count == 0 && group->transactions.count == 0)
		group_free(group);
}

bool
group_is_deserted(const struct group *group)
{
	return group->kind != NULL ?
	    group->kind->members_count(group) == 0 :
	    group->state == GROUP_EMPTY;
}

void
group_free(struct group *group)
{
	assert(!shard_timer_running(&group->join_timer));
	assert(!shard_timer_running(&group->sync_timer));
	drop_members(group);
	if (group->kind != NULL)
		group->kind->free(group);
	group_offsets_free(group);
	if (group->shard->expiry_next == group)
		group->shard->expiry_next = group_next(group);
	if (group->shard->drop_next == group)
		group->shard->drop_next = group_next(group);
	if (group->shard->refresh_next == group)
		group->shard->refresh_next = group_next(group);
	list_remove(&group->node);
	map_remove(&group->shard->groups, group->id);
	map_fini(&group->members_by_id);
	map_fini(&group->members_by_instance);
	map_fini(&group->pending);
	assert(group->supports.count == 0 && group->joining_count == 0 &&
	    group->must_sync_count == 0 && group->bytes == 0);
	map_fini(&group->supports);
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

const char *
group_shown_state(const struct group *group)
{
	return group->kind != NULL ? group->kind->state(group) :
				     group_state_name(group->state);
}

void
group_enter(struct group *group, enum group_state state)
{
	group->state = state;
	group->state_since_ms = clock_wall_ms();
}

/* --- What members hold --------------------------------------------------- */

/*
 * What a member and each of its protocols take beside what the client has
 * sent; an entry for it in an answer takes less.
 */
#define MEMBER_BYTES 1024
#define PROTOCOL_BYTES 192
#define PENDING_BYTES 512

static size_t
member_bytes(const struct group_member *member)
{
	size_t bytes = MEMBER_BYTES + member->id.len +
	    member->instance_id.len + member->client_id.len +
	    member->client_host.len + member->assignment.len;

	for (int32_t i = 0; i < member->protocols_count; i++)
		bytes += PROTOCOL_BYTES + member->protocols[i].name.len +
		    member->protocols[i].metadata.len;
	return bytes;
}

/* What the member of a join will hold, its id being made of its names. */
static size_t
join_bytes(const struct group_call *call,
    const struct kp_join_group_request *request)
{
	size_t bytes = MEMBER_BYTES + request->member_id.len +
	    2 * (request->group_instance_id.len + call->client_id.len) +
	    call->client_host.len;

	for (int32_t i = 0; i < request->protocols_count; i++)
		bytes += PROTOCOL_BYTES + request->protocols[i].name.len +
		    request->protocols[i].metadata.len;
	return bytes;
}

bool
group_member_fits(const struct group_shard *shard,
    const struct group_member *member, const struct group_call *call,
    const struct kp_join_group_request *request)
{
	size_t had = member == NULL ? 0 : member->bytes;

	return join_bytes(call, request) <= had + budget_left(shard->memory);
}

static void
hold(struct group_member *member, size_t bytes)
{
	struct group *group = member->group;

	budget_force(group->shard->memory, bytes);
	group->bytes += bytes;
	member->bytes = bytes;
}

static void
let_go(struct group_member *member)
{
	struct group *group = member->group;

	budget_give(group->shard->memory, member->bytes);
	group->bytes -= member->bytes;
	member->bytes = 0;
}

void
group_member_weigh(struct group_member *member)
{
	let_go(member);
	hold(member, member_bytes(member));
}

void
group_member_assign(struct group_member *member, struct slice assignment)
{
	size_t bytes =
	    member->bytes - member->assignment.len + assignment.len;

	group_own(&member->assignment, assignment);
	let_go(member);
	hold(member, bytes);
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
	return slice_is_null(instance_id) ?
	    NULL :
	    map_get(&group->members_by_instance, instance_id);
}

static void session_fired(struct shard_timer *timer, struct shard *shard);

static struct group_member *
member_new(struct group *group, const struct group_member_new *new)
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
	map_init(&member->protocols_by_name);
	return member;
}

void
group_member_free(struct group_member *member)
{
	group_protocols_free(member);
	slice_release(&member->id);
	slice_release(&member->instance_id);
	slice_release(&member->client_id);
	slice_release(&member->client_host);
	slice_release(&member->assignment);
	free(member);
}

/* Into its group's list, before where. */
static void
attach(struct group_member *member, struct list_node *where)
{
	struct group *group = member->group;

	list_insert_before(where, &member->node);
	map_set(&group->members_by_id, member->id, member);
	if (!slice_is_null(member->instance_id))
		map_set(&group->members_by_instance, member->instance_id,
		    member);
	group_supports_add(member);
	hold(member, member_bytes(member));
	if (group->leader == NULL)
		group->leader = member;
}

/* Out of it, with all that it was. */
static void
detach(struct group_member *member)
{
	struct group *group = member->group;

	assert(member->join.call == NULL && member->sync.call == NULL);
	shard_timer_stop(&group->shard->shard, &member->session);
	group_set_must_sync(member, false);
	group_supports_remove(member);
	let_go(member);
	map_remove(&group->members_by_id, member->id);
	/* A log may name an instance twice; the later member has it. */
	if (group_member_by_instance(group, member->instance_id) == member)
		map_remove(&group->members_by_instance, member->instance_id);
	list_remove(&member->node);
	if (group->leader == member)
		group->leader = list_empty(&group->members) ?
		    NULL :
		    LIST_ENTRY(group->members.head.next, struct group_member,
			node);
}

struct group_member *
group_member_add(struct group *group, const struct group_member_new *new)
{
	struct group_member *member = member_new(group, new);

	attach(member, &group->members.head);
	return member;
}

void
group_member_remove(struct group_member *member)
{
	detach(member);
	group_member_free(member);
}

/* Put in where out is now. */
static void
swap(struct group_member *out, struct group_member *in)
{
	struct group *group = out->group;
	struct list_node *where = out->node.next;
	bool must_sync = out->must_sync, leads = group->leader == out;

	detach(out);
	attach(in, where);
	group_set_must_sync(in, must_sync);
	if (leads)
		group->leader = in;
}

struct group_member *
group_member_replace(
    struct group_member *old, const struct group_member_new *new)
{
	struct group_member *member = member_new(old->group, new);

	group_own(&member->assignment, old->assignment);
	swap(old, member);
	return member;
}

void
group_member_put_back(
    struct group_member *old, struct group_member *replacement)
{
	swap(replacement, old);
	group_member_free(replacement);
}

/* --- Pending ids --------------------------------------------------------- */

struct group_pending *
group_pending_find(const struct group *group, struct slice id)
{
	return map_get(&group->pending, id);
}

static void pending_fired(struct shard_timer *timer, struct shard *shard);

struct group_pending *
group_pending_add(struct group *group, struct slice id)
{
	struct group_pending *pending = xcalloc(1, sizeof(*pending));

	pending->group = group;
	pending->session.fired = pending_fired;
	group_own(&pending->id, id);
	map_set(&group->pending, pending->id, pending);
	budget_force(group->shard->memory, PENDING_BYTES + id.len);
	return pending;
}

void
group_pending_remove(struct group_pending *pending)
{
	struct group *group = pending->group;

	shard_timer_stop(&group->shard->shard, &pending->session);
	map_remove(&group->pending, pending->id);
	budget_give(group->shard->memory, PENDING_BYTES + pending->id.len);
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

/* --- Answers ------------------------------------------------------------- */

bool
group_fits(const struct group *group, const struct arena *arena)
{
	return GROUP_ANSWER_SPARE_BYTES + group->bytes < arena_left(arena);
}
