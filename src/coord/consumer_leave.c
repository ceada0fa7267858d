/*
 * Members of a consumer group that leave, or are taken for dead.
 */
#include "coord/consumer_heartbeat.h"
#include "coord/consumer_migration.h"
#include "coord/consumer_record.h"

/* What could not be written down is tried again after this. */
#define RETRY_MS 500

/* --- Leaving ------------------------------------------------------------- */

static void
emit_member_ends(
    struct consumer_change *change, const struct consumer_member *member)
{
	struct group_shard *shard = change->shard;

	consumer_emit_current_end(shard, change->group_id, member->id);
	consumer_emit_target_end(shard, change->group_id, member->id);
	consumer_emit_member_end(shard, change->group_id, member->id);
	consumer_change_count(change, &member->topics, -1, 0);
}

/* How many of them subscribe by the expression? */
static int32_t
users(struct consumer_member *const *members, int32_t count, struct slice text)
{
	int32_t n = 0;

	for (int32_t i = 0; i < count; i++)
		n += slice_equal(members[i]->regex, text);
	return n;
}

/* Expressions that nobody uses any more go, each with its last user. */
static void
emit_regex_ends(struct consumer_change *change,
    struct consumer_member *const *members, int32_t count)
{
	const struct consumer_regex *regex;

	for (size_t at = 0;
	    (regex = map_next(&change->consumer->regexes, &at)) != NULL;) {
		int32_t leaving = users(members, count, regex->text);

		if (leaving == 0 || regex->members_count > leaving ||
		    !regex->resolved)
			continue;
		consumer_emit_regex_end(
		    change->shard, change->group_id, regex->text);
		consumer_change_count(change, &regex->topics, 0, -1);
	}
}

/* The others stay as a consumer group. */
static enum kp_error
leave(struct consumer_change *change, struct consumer_member *const *members,
    int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		emit_member_ends(change, members[i]);
	emit_regex_ends(change, members, count);
	consumer_change_bump(change);
	return consumer_change_append(change);
}

enum kp_error
consumer_leave(struct consumer_group *consumer,
    struct consumer_member *const *members, int32_t count)
{
	const struct consumer_downgrade how = {
		.leaving = members,
		.leaving_count = count,
		.rebalances = true,
	};
	struct consumer_change change;
	enum kp_error error;

	consumer_change_begin(
	    &change, consumer->shard, consumer, consumer->group->id);
	error = consumer_downgrades(consumer, members, count) ?
	    consumer_downgrade(&change, &how) :
	    leave(&change, members, count);
	consumer_change_end(&change);
	return error;
}

/* What it has stays with it, but for what it was to give up. */
enum kp_error
consumer_leave_for_a_while(struct consumer_member *member)
{
	struct consumer_group *consumer = member->consumer;
	struct consumer_member draft = *member;
	struct consumer_change change;
	enum kp_error error;

	consumer_change_begin(
	    &change, consumer->shard, consumer, consumer->group->id);
	draft.epoch = CONSUMER_EPOCH_AWAY;
	draft.assigned =
	    consumer_assignment_at(&change.arena, &member->assigned, 0);
	draft.revoking = (struct consumer_assignment){ 0 };
	consumer_emit_current(change.shard, change.group_id, &draft);
	error = consumer_change_append(&change);
	consumer_change_end(&change);
	if (error == KP_NONE)
		consumer_member_time_revocation(member);
	return error;
}

/* --- Timers -------------------------------------------------------------- */

/* Out with it; where that cannot be written down, a little later. */
static void
fence(struct consumer_member *member, struct shard_timer *timer)
{
	struct shard *shard = consumer_group_shard(member->consumer);

	if (consumer_leave(member->consumer, &member, 1) != KP_NONE)
		shard_timer_start(shard, timer, RETRY_MS);
}

static void
session_fired(struct shard_timer *timer, struct shard *shard UNUSED)
{
	fence(CONTAINER_OF(timer, struct consumer_member, session), timer);
}

static void
rebalance_fired(struct shard_timer *timer, struct shard *shard UNUSED)
{
	fence(CONTAINER_OF(timer, struct consumer_member, rebalance), timer);
}

static void
sync_fired(struct shard_timer *timer, struct shard *shard UNUSED)
{
	fence(CONTAINER_OF(timer, struct consumer_member, sync), timer);
}

static void
start_session(struct consumer_member *member, int32_t timeout_ms)
{
	member->session.fired = session_fired;
	shard_timer_start(consumer_group_shard(member->consumer),
	    &member->session, timeout_ms);
}

void
consumer_member_touch(struct consumer_member *member)
{
	start_session(member,
	    member->classic != NULL ?
		member->classic->session_timeout_ms :
		consumer_group_timing(member->consumer).session_timeout_ms);
}

static void
start_rebalance(struct consumer_member *member)
{
	member->rebalance.fired = rebalance_fired;
	shard_timer_start(consumer_group_shard(member->consumer),
	    &member->rebalance, member->rebalance_timeout_ms);
}

void
consumer_member_time_revocation(struct consumer_member *member)
{
	struct shard *shard = consumer_group_shard(member->consumer);

	if (member->classic != NULL)
		return;
	shard_timer_stop(shard, &member->sync);
	if (member->state != CONSUMER_UNREVOKED ||
	    member->epoch == CONSUMER_EPOCH_AWAY)
		shard_timer_stop(shard, &member->rebalance);
	else
		start_rebalance(member);
}

void
consumer_member_expect_join(struct consumer_member *member)
{
	if (!shard_timer_running(&member->rebalance))
		start_rebalance(member);
}

void
consumer_member_joined(struct consumer_member *member)
{
	struct shard *shard = consumer_group_shard(member->consumer);

	shard_timer_stop(shard, &member->rebalance);
	consumer_member_touch(member);
	member->sync.fired = sync_fired;
	shard_timer_start(shard, &member->sync, member->rebalance_timeout_ms);
}

void
consumer_member_synced(struct consumer_member *member)
{
	shard_timer_stop(consumer_group_shard(member->consumer), &member->sync);
	consumer_member_touch(member);
}

void
consumer_group_touch(struct consumer_group *consumer)
{
	LIST_FOR_EACH (node, &consumer->members)
		consumer_member_touch(
		    LIST_ENTRY(node, struct consumer_member, node));
}

void
consumer_group_start_sessions(struct consumer_group *consumer)
{
	int32_t timeout_ms = consumer_group_timing(consumer).session_timeout_ms;

	LIST_FOR_EACH (node, &consumer->members) {
		struct consumer_member *member =
		    LIST_ENTRY(node, struct consumer_member, node);

		start_session(member, timeout_ms);
		consumer_member_time_revocation(member);
	}
}
