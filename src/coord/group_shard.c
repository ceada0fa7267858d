#include "coord/group_shard.h"

#include "base/clock.h"
#include "base/log.h"
#include "coord/consumer_record.h"
#include "coord/group.h"
#include "coord/group_share_offsets.h"
#include "coord/share_group_record.h"
#include "coord/streams_record.h"
#include "wire/generated/group_group_metadata.h"
#include "wire/generated/group_legacy_offset_commit.h"
#include "wire/generated/group_offset_commit.h"

static struct group_shard *
of(struct shard *shard)
{
	return CONTAINER_OF(shard, struct group_shard, shard);
}

/*
 * Groups of the protocols that are not served yet are skipped: their records
 * stay in the log for when they are.
 */
static int
replay(struct shard *shard, const struct shard_record *record)
{
	/* Most are offsets. */
	switch (record->type) {
	case KP_OFFSET_COMMIT_TYPE:
	case KP_LEGACY_OFFSET_COMMIT_TYPE:
		return group_replay_offset(of(shard), record);
	case KP_GROUP_METADATA_TYPE:
		return group_replay_metadata(of(shard), record);
	default:
		break;
	}
	if (consumer_record_type(record->type))
		return consumer_record_replay(of(shard), record);
	if (share_record_type(record->type))
		return share_record_replay(of(shard), record);
	if (streams_record_type(record->type))
		return streams_record_replay(of(shard), record);
	return 0;
}

static void
replay_end(struct shard *shard, int64_t producer_id, bool committed)
{
	group_replay_end(of(shard), producer_id, committed);
}

/* --- Clean-ups ----------------------------------------------------------- */

/*
 * So many groups and offsets are looked at under one lock, but one group at
 * least: whoever wants something of the shard meanwhile gets it.
 */
#define PIECE_COUNT_MAX 20000

static void
expire_some(struct group_shard *shard)
{
	int64_t now_ms = clock_wall_ms();
	size_t count = 0;

	while (shard->expiry_next != NULL && count < PIECE_COUNT_MAX) {
		struct group *group = shard->expiry_next;

		if (!group_expire(group, now_ms))
			break;
		count += 1 + group->offsets.count;
		shard->expiry_next = group_next(group);
	}
	/* What could not be written down is tried again at the next check. */
	if (shard_append_bulk(&shard->shard) != KP_NONE)
		shard->expiry_next = NULL;
}

static void
expiry_fired(struct shard_timer *timer, struct shard *base)
{
	struct group_shard *shard =
	    CONTAINER_OF(timer, struct group_shard, expiry);

	if (shard->expiry_next == NULL)
		shard->expiry_next = group_first(shard);
	expire_some(shard);
	shard_timer_start(base, timer,
	    shard->expiry_next != NULL ? 0 :
					 shard->settings->retention_check_ms);
}

static enum kp_error
drop_some(struct group_shard *shard, const struct group_dropped *topics)
{
	size_t count = 0;

	while (shard->drop_next != NULL && count < PIECE_COUNT_MAX) {
		struct group *group = shard->drop_next;

		if (group->share != NULL)
			group_share_emit_dropped(group->share, &topics->ids);
		if (!group_emit_dropped(group, topics))
			break;
		count += 1 + group->offsets.count;
		shard->drop_next = group_next(group);
	}
	return shard_append_bulk(&shard->shard);
}

void
group_shard_drop_topics(
    struct group_shard *shard, const struct group_dropped *topics)
{
	bool begins = true, goes_on = true;

	while (goes_on && shard_enter(&shard->shard) == KP_NONE) {
		if (begins)
			shard->drop_next = group_first(shard);
		begins = false;
		goes_on = drop_some(shard, topics) == KP_NONE &&
		    shard->drop_next != NULL;
		shard_leave(&shard->shard);
	}
}

static void
refresh_some(struct group_shard *shard, const struct map *names)
{
	size_t count = 0;

	while (shard->refresh_next != NULL && count++ < PIECE_COUNT_MAX) {
		struct group *group = shard->refresh_next;

		shard->refresh_next = group_next(group);
		if (group->kind != NULL)
			count += group->kind->refresh(group, names);
	}
}

void
group_shard_refresh(struct group_shard *shard, const struct map *names)
{
	bool begins = true, goes_on = true;

	while (goes_on && shard_enter(&shard->shard) == KP_NONE) {
		if (begins)
			shard->refresh_next = group_first(shard);
		begins = false;
		refresh_some(shard, names);
		goes_on = shard->refresh_next != NULL;
		shard_leave(&shard->shard);
	}
}

/* --- Loading and unloading ----------------------------------------------- */

static void
loaded(struct shard *base)
{
	struct group_shard *shard = of(base);
	struct group *group;

	for (size_t at = 0; (group = map_next(&shard->groups, &at)) != NULL;)
		if (group->kind != NULL)
			group->kind->start_sessions(group);
		else
			group_start_sessions(group);
	shard->expiry.fired = expiry_fired;
	shard_timer_start(base, &shard->expiry,
	    shard->settings->retention_check_ms);
}

static void
unloaded(struct shard *base, enum kp_error error)
{
	struct group_shard *shard = of(base);
	struct group *group;

	shard_timer_stop(base, &shard->expiry);
	for (size_t at = 0; (group = map_next(&shard->groups, &at)) !=
	     NULL;) {
		group_abandon(group, error);
		group_free(group);
	}
	map_fini(&shard->groups);
	map_init(&shard->groups);
}

static const struct shard_kind group_kind = {
	.topic = "__consumer_offsets",
	.replay = replay,
	.replay_end = replay_end,
	.loaded = loaded,
	.unloaded = unloaded,
	.answer_for = shard_runtime_answer,
};

void
group_shard_init(struct group_shard *shard, const struct group_common *common,
    struct shard_host *host, int32_t partition)
{
	memset(shard, 0, sizeof(*shard));
	shard->common = common;
	shard->settings = common->settings;
	shard->memory = common->memory;
	map_init(&shard->groups);
	list_init(&shard->groups_list);
	map_init(&shard->producers);
	shard->ended_offset = -1;
	shard_init(&shard->shard, &group_kind, common->shard_settings, host,
	    partition);
}

void
group_shard_fini(struct group_shard *shard)
{
	assert(shard->groups.count == 0 && shard->producers.count == 0);
	map_fini(&shard->groups);
	map_fini(&shard->producers);
	group_own(&shard->ended_id, SLICE_NULL);
	shard_fini(&shard->shard);
}
