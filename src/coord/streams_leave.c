/*
 * Members of a streams group that leave, or are taken for dead, and the first
 * target of a group.
 */
#include "coord/streams_heartbeat.h"
#include "coord/streams_record.h"

/* What could not be written down is tried again after this. */
#define RETRY_MS 500

/* --- Leaving ------------------------------------------------------------- */

/* A new target is left to the next heartbeat of another member. */
enum kp_error
streams_leave(struct streams_member *member)
{
	struct streams_group *streams = member->streams;
	struct group_shard *shard = streams->group->shard;
	struct slice group_id = streams->group->id;

	streams_emit_member_end(shard, group_id, member->id);
	streams_emit_epoch(shard, group_id, streams->epoch + 1,
	    streams->metadata_hash, streams->validated_epoch,
	    &streams->configs);
	return shard_append(&shard->shard);
}

/* --- Timers -------------------------------------------------------------- */

/* Out with it; where that cannot be written down, a little later. */
static void
fence(struct streams_member *member, struct shard_timer *timer)
{
	struct shard *shard = streams_group_shard(member->streams);

	if (streams_leave(member) != KP_NONE)
		shard_timer_start(shard, timer, RETRY_MS);
}

static void
session_fired(struct shard_timer *timer, struct shard *shard UNUSED)
{
	fence(CONTAINER_OF(timer, struct streams_member, session), timer);
}

static void
rebalance_fired(struct shard_timer *timer, struct shard *shard UNUSED)
{
	fence(CONTAINER_OF(timer, struct streams_member, rebalance), timer);
}

void
streams_member_touch(struct streams_member *member)
{
	struct streams_group *streams = member->streams;

	member->session.fired = session_fired;
	shard_timer_start(streams_group_shard(streams), &member->session,
	    streams_group_timing(streams).session_timeout_ms);
}

void
streams_member_time_revocation(struct streams_member *member)
{
	struct shard *shard = streams_group_shard(member->streams);

	if (member->state != STREAMS_UNREVOKED) {
		shard_timer_stop(shard, &member->rebalance);
		return;
	}
	member->rebalance.fired = rebalance_fired;
	shard_timer_start(
	    shard, &member->rebalance, member->rebalance_timeout_ms);
}

void
streams_group_start_sessions(struct streams_group *streams)
{
	LIST_FOR_EACH (node, &streams->members) {
		struct streams_member *member =
		    LIST_ENTRY(node, struct streams_member, node);

		streams_member_touch(member);
		streams_member_time_revocation(member);
	}
}

/* --- The first target ---------------------------------------------------- */

/*
 * Should this not succeed, the next heartbeat makes a target; so it does where
 * nobody has looked at the topics yet.
 */
static void
delay_fired(struct shard_timer *timer, struct shard *shard)
{
	struct streams_group *streams =
	    CONTAINER_OF(timer, struct streams_group, delay);
	struct streams_change change;

	if (list_empty(&streams->members) || streams->configured == NULL)
		return;
	streams_change_begin(
	    &change, streams->group->shard, streams, streams->group->id);
	if (!streams_change_target(&change) ||
	    streams_change_append(&change) != KP_NONE)
		shard_discard(shard);
	streams_change_end(&change);
}

void
streams_group_delay(struct streams_group *streams)
{
	if (shard_timer_running(&streams->delay))
		return;
	streams->delay.fired = delay_fired;
	shard_timer_start(streams_group_shard(streams), &streams->delay,
	    streams_group_timing(streams).rebalance_delay_ms);
}
