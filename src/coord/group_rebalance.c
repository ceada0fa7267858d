/*
 * Rebalancing a classic group: who waits for whom, and for how long
 * (GroupMetadataManager of Kafka).
 */
#include "base/clock.h"
#include "coord/group.h"
#include "wire/generated/join_group.h"
#include "wire/generated/sync_group.h"

static struct shard *
shard_of(const struct group *group)
{
	return &group->shard->shard;
}

/* --- Answers ------------------------------------------------------------- */

static void
fill_members(const struct group *group, struct arena *arena,
    struct kp_join_group_response *response)
{
	struct kp_join_group_response_member *out;

	out = response->members = arena_xcalloc(arena,
	    (size_t)group_member_count(group), sizeof(*out));
	LIST_FOR_EACH (node, &group->members) {
		const struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		out->member_id = arena_copy(arena, member->id);
		out->group_instance_id =
		    arena_copy(arena, member->instance_id);
		out->metadata =
		    arena_copy(arena, group_member_metadata(member));
		out++;
	}
	response->members_count = (int32_t)(out - response->members);
}

enum kp_error
group_fill_join(const struct group_member *member, struct arena *arena,
    struct kp_join_group_response *response, bool with_members)
{
	const struct group *group = member->group;

	if (with_members && !group_fits(group, arena))
		return KP_UNKNOWN_SERVER_ERROR;
	response->generation_id = group->generation;
	response->protocol_type = arena_copy(arena, group->protocol_type);
	response->protocol_name = arena_copy(arena, group->protocol);
	response->leader = group->leader == NULL ?
	    slice_str("") :
	    arena_copy(arena, group->leader->id);
	response->member_id = arena_copy(arena, member->id);
	if (with_members)
		fill_members(group, arena, response);
	return KP_NONE;
}

void
group_park_join(struct group_member *member, struct group_call *call,
    struct kp_join_group_response *response)
{
	assert(member->join.call == NULL);
	member->join = (struct group_join){ call, response };
	member->group->joining_count++;
}

void
group_set_must_sync(struct group_member *member, bool must_sync)
{
	member->group->must_sync_count += must_sync - member->must_sync;
	member->must_sync = must_sync;
}

void
group_answer_join(struct group_member *member, enum kp_error error)
{
	struct group_join join = member->join;

	if (join.call == NULL)
		return;
	member->join.call = NULL;
	member->group->joining_count--;
	if (error == KP_NONE)
		error = group_fill_join(member, join.call->arena,
		    join.response, member->group->leader == member);
	/* Who is no member any more has no id, either. */
	if (error == KP_UNKNOWN_MEMBER_ID)
		join.response->member_id = slice_str("");
	else if (error != KP_NONE)
		join.response->member_id =
		    arena_copy(join.call->arena, member->id);
	shard_reply(shard_of(member->group), &join.call->call, error);
}

void
group_answer_sync(struct group_member *member, enum kp_error error)
{
	struct group_sync sync = member->sync;
	struct group *group = member->group;

	if (sync.call == NULL)
		return;
	member->sync.call = NULL;
	if (error == KP_NONE) {
		sync.response->protocol_type =
		    arena_copy(sync.call->arena, group->protocol_type);
		sync.response->protocol_name =
		    arena_copy(sync.call->arena, group->protocol);
		sync.response->assignment =
		    arena_copy(sync.call->arena, member->assignment);
	}
	shard_reply(shard_of(group), &sync.call->call, error);
}

/* Its session may have run out, unheeded, while it waited. */
void
group_end_sync(struct group_member *member, enum kp_error error)
{
	if (member->sync.call == NULL)
		return;
	group_answer_sync(member, error);
	group_member_touch(member);
}

/* --- Completing the join phase ------------------------------------------- */

static int64_t
rebalance_timeout_ms(const struct group *group)
{
	int32_t longest = 0;

	LIST_FOR_EACH (node, &group->members)
		longest = MAX(longest,
		    LIST_ENTRY(node, struct group_member, node)
			->rebalance_timeout_ms);
	return longest;
}

static bool
all_joined(const struct group *group)
{
	return group->pending.count == 0 &&
	    group->joining_count == group_member_count(group);
}

/* Dynamic members that have not come back are gone; static ones may be. */
static void
drop_absent(struct group *group)
{
	LIST_FOR_EACH_SAFE (node, &group->members) {
		struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		if (member->join.call == NULL &&
		    slice_is_null(member->instance_id)) {
			group_answer_sync(member, KP_UNKNOWN_MEMBER_ID);
			group_member_remove(member);
		}
	}
}

/* The leader stays if it is here, else any that is; false: nobody is. */
static bool
elect_leader(struct group *group)
{
	if (group->leader != NULL && group->leader->join.call != NULL)
		return true;
	LIST_FOR_EACH (node, &group->members) {
		struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		if (member->join.call != NULL) {
			group->leader = member;
			return true;
		}
	}
	return false;
}

/* A group without members is written down as such. */
static void
become_empty(struct group *group)
{
	enum kp_error error;

	group->generation++;
	group_own(&group->protocol, SLICE_NULL);
	group->leader = NULL;
	group_enter(group, GROUP_EMPTY);
	group_emit(group);
	error = shard_append(shard_of(group));
	/* The log keeps the generation before, which a restart will find. */
	(void)error;
}

static void
begin_generation(struct group *group)
{
	group->generation++;
	group_own(&group->protocol, group_vote(group));
	group_enter(group, GROUP_COMPLETING);
	LIST_FOR_EACH (node, &group->members) {
		struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		group_answer_join(member, KP_NONE);
		group_member_touch(member);
		member->is_new = false;
		group_set_must_sync(member, true);
	}
	shard_timer_start(shard_of(group), &group->sync_timer,
	    rebalance_timeout_ms(group));
}

/* How often to look for static members that are away, at the most. */
#define WAIT_MS_MIN 1000

static void
complete(struct group *group)
{
	shard_timer_stop(shard_of(group), &group->join_timer);
	drop_absent(group);
	if (list_empty(&group->members))
		become_empty(group);
	else if (elect_leader(group))
		begin_generation(group);
	else	/* only static members, none of them here: wait on */
		shard_timer_start(shard_of(group), &group->join_timer,
		    MAX(rebalance_timeout_ms(group), WAIT_MS_MIN));
}

void
group_try_complete(struct group *group)
{
	if (group->state == GROUP_PREPARING && !group->was_empty &&
	    all_joined(group))
		complete(group);
}

/* --- Timers -------------------------------------------------------------- */

/*
 * The first members of a group come one after the other: as long as new ones
 * come the delay is prolonged, up to their rebalance timeout (KIP-134).
 */
static void
initial_delay_over(struct group *group)
{
	int64_t delay = group->shard->settings->rebalance_delay_ms;

	if (!group->member_added || group->delay_left_ms == 0) {
		complete(group);
		return;
	}
	group->member_added = false;
	delay = MIN(delay, group->delay_left_ms);
	group->delay_left_ms = MAX(group->delay_left_ms - group->delay_ms, 0);
	group->delay_ms = delay;
	shard_timer_start(shard_of(group), &group->join_timer,
	    group->delay_ms);
}

static void
join_timer_fired(struct shard_timer *timer, struct shard *shard UNUSED)
{
	struct group *group = CONTAINER_OF(timer, struct group, join_timer);

	if (group->was_empty)
		initial_delay_over(group);
	else
		complete(group);
}

/* Who has joined and not synced is out. */
static void
sync_timer_fired(struct shard_timer *timer, struct shard *shard UNUSED)
{
	struct group *group = CONTAINER_OF(timer, struct group, sync_timer);
	bool dropped = false;

	if (group->state != GROUP_COMPLETING && group->state != GROUP_STABLE)
		return;
	LIST_FOR_EACH_SAFE (node, &group->members) {
		struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		if (!member->must_sync)
			continue;
		group_member_remove(member);
		dropped = true;
	}
	if (dropped)
		group_prepare(group);
}

/* --- Preparing ----------------------------------------------------------- */

static void
forget_syncs(struct group *group)
{
	shard_timer_stop(shard_of(group), &group->sync_timer);
	LIST_FOR_EACH (node, &group->members) {
		struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		group_set_must_sync(member, false);
		if (group->state != GROUP_COMPLETING)
			continue;
		group_member_assign(member, slice_str(""));
		group_end_sync(member, KP_REBALANCE_IN_PROGRESS);
	}
}

/* Without a delay the first member has its group at once. */
static void
begin_initial_delay(struct group *group)
{
	int64_t delay = group->shard->settings->rebalance_delay_ms;

	if (delay <= 0) {
		complete(group);
		return;
	}
	group->delay_ms = delay;
	group->delay_left_ms = MAX(rebalance_timeout_ms(group) - delay, 0);
	shard_timer_start(shard_of(group), &group->join_timer, delay);
}

void
group_prepare(struct group *group)
{
	assert(group->state != GROUP_PREPARING);
	forget_syncs(group);
	group->join_timer.fired = join_timer_fired;
	group->sync_timer.fired = sync_timer_fired;
	group->was_empty = group->state == GROUP_EMPTY;
	group_enter(group, GROUP_PREPARING);
	if (group->was_empty)
		begin_initial_delay(group);
	else if (all_joined(group))
		complete(group);
	else
		shard_timer_start(shard_of(group), &group->join_timer,
		    rebalance_timeout_ms(group));
}

void
group_rebalance(struct group *group)
{
	if (group->state == GROUP_PREPARING)
		group_try_complete(group);
	else
		group_prepare(group);
}

void
group_member_gone(struct group_member *member)
{
	struct group *group = member->group;

	group_answer_join(member, KP_UNKNOWN_MEMBER_ID);
	group_answer_sync(member, KP_UNKNOWN_MEMBER_ID);
	group_member_remove(member);
	if (group->state == GROUP_EMPTY)
		return;
	group_rebalance(group);
}

/* --- Checks -------------------------------------------------------------- */

enum kp_error
group_check_member(const struct group *group, struct slice member_id,
    struct slice instance_id, struct group_member **member)
{
	if (!slice_is_null(instance_id)) {
		*member = group_member_by_instance(group, instance_id);
		if (*member == NULL)
			return KP_UNKNOWN_MEMBER_ID;
		return slice_equal((*member)->id, member_id) ?
		    KP_NONE :
		    KP_FENCED_INSTANCE_ID;
	}
	*member = group_member_find(group, member_id);
	return *member == NULL ? KP_UNKNOWN_MEMBER_ID : KP_NONE;
}

/* --- Loading and giving up ----------------------------------------------- */

void
group_start_sessions(struct group *group)
{
	LIST_FOR_EACH (node, &group->members)
		group_member_touch(
		    LIST_ENTRY(node, struct group_member, node));
	if (group->downgraded ||
	    group_member_count(group) > group->shard->settings->members_max)
		group_prepare(group);
}

void
group_stop_timers(struct group *group)
{
	shard_timer_stop(shard_of(group), &group->join_timer);
	shard_timer_stop(shard_of(group), &group->sync_timer);
}

void
group_answer_all(struct group *group, enum kp_error error)
{
	LIST_FOR_EACH (node, &group->members) {
		struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		group_answer_join(member, error);
		group_answer_sync(member, error);
	}
}

void
group_abandon(struct group *group, enum kp_error error)
{
	group_stop_timers(group);
	group_answer_all(group, error);
}
