/*
 * A new target: the members with what they had are put before the assignor, and
 * what it gives them becomes records (TargetAssignmentBuilder of Kafka).
 */
#include "coord/streams_assignor.h"
#include "coord/streams_change.h"
#include "coord/streams_record.h"

static void
add_member(const struct streams_change *change,
    struct streams_assignor_job *job, const struct streams_member *member)
{
	struct streams_assignor_member *out =
	    &job->members[job->members_count++];

	out->id = member->id;
	out->process_id = member->process_id;
	out->had = streams_member_target(change->streams, member->id);
}

/* The members as they will be. */
static void
add_members(struct streams_change *change, struct streams_assignor_job *job)
{
	const struct streams_group *streams = change->streams;

	job->members = arena_xcalloc(&change->arena,
	    (size_t)streams_group_count(streams) + 1, sizeof(*job->members));
	LIST_FOR_EACH (node, &streams->members) {
		const struct streams_member *member =
		    LIST_ENTRY(node, struct streams_member, node);

		add_member(change, job,
		    member == change->base ? change->draft : member);
	}
	if (change->draft != NULL && change->base == NULL)
		add_member(change, job, change->draft);
}

static void
add_subtopologies(
    struct streams_change *change, struct streams_assignor_job *job)
{
	const struct streams_configured *configured = change->configured;
	struct streams_assignor_subtopology *parts =
	    arena_xcalloc(&change->arena,
		(size_t)configured->subtopologies_count, sizeof(*parts));

	for (int32_t i = 0; i < configured->subtopologies_count; i++) {
		const struct streams_subtopology *part =
		    &configured->subtopologies[i];

		parts[i].id = part->said->subtopology_id;
		parts[i].tasks_count = part->tasks_count;
		parts[i].stateful =
		    part->said->state_changelog_topics_count > 0;
	}
	job->subtopologies = parts;
	job->subtopologies_count = configured->subtopologies_count;
}

/* What the group's last epoch was made with; a foreign log has any text. */
static int32_t
standby_replicas(const struct streams_change *change)
{
	int32_t most = change->shard->settings->streams.standby_replicas_max;
	int32_t number = 0;

	if (change->configs.count == 0)
		return 0;
	for (size_t i = 0; i < change->configs.pairs[0].value.len; i++) {
		uint8_t c = change->configs.pairs[0].value.data[i];

		if (c < '0' || c > '9' || number > most)
			break;
		number = number * 10 + (c - '0');
	}
	return MIN(number, most);
}

/* Kafka writes down also an empty target for a member that had none. */
static void
emit_targets(
    struct streams_change *change, const struct streams_assignor_job *job)
{
	for (int32_t m = 0; m < job->members_count; m++) {
		const struct streams_assignor_member *member = &job->members[m];
		bool has =
		    map_get(&change->streams->targets, member->id) != NULL;

		if (change->draft != NULL &&
		    slice_equal(member->id, change->draft->id))
			change->target = member->assigned;
		if (!has ||
		    !streams_assignment_same(&member->had, &member->assigned))
			streams_emit_target(change->shard, change->group_id,
			    member->id, &member->assigned);
	}
}

/* Not more often than the interval says; at once after an upgrade. */
static bool
due(const struct streams_change *change)
{
	const struct streams_group *streams = change->streams;
	int32_t interval_ms = streams->timing.assignment_interval_ms;

	return streams->target_ms == 0 || interval_ms == 0 ||
	    change->now_ms >= streams->target_ms + interval_ms ||
	    change->now_ms < streams->target_ms;
}

/* Nobody gets anything while topics are missing. */
bool
streams_change_target(struct streams_change *change)
{
	struct streams_assignor_job job = { .arena = &change->arena };

	if (change->epoch <= change->target_epoch)
		return true;
	if (!due(change))
		return false;
	add_members(change, &job);
	job.standby_replicas = standby_replicas(change);
	if (change->configured->status == STREAMS_READY)
		add_subtopologies(change, &job);
	streams_assignor_sticky(&job);
	emit_targets(change, &job);
	change->target_epoch = change->epoch;
	streams_emit_target_epoch(change->shard, change->group_id,
	    change->target_epoch, change->now_ms);
	return true;
}
