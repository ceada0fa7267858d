/*
 * A new target of a share group: the members with what they subscribe to are
 * put before the assignor, and what it gives them becomes records.
 */
#include "coord/assignor.h"
#include "coord/java_hash.h"
#include "coord/java_map.h"
#include "coord/share_group_change.h"
#include "coord/share_group_record.h"
#include "meta/topic_image.h"

/* --- Members -------------------------------------------------------------- */

/* The members as they will be, in the order of a HashMap by id. */
static const struct share_member **
members_of(struct share_group_change *change, int32_t *count)
{
	int32_t room = share_group_count(change->share) + 1;
	const struct share_member **joined = arena_xcalloc(
	    &change->arena, (size_t)room, sizeof(*joined));
	const struct share_member **members = arena_xcalloc(
	    &change->arena, (size_t)room, sizeof(*members));
	struct java_map map;
	int32_t n = 0;

	LIST_FOR_EACH (node, &change->share->members) {
		const struct share_member *member =
		    LIST_ENTRY(node, struct share_member, node);

		joined[n++] = member == change->base ? change->draft : member;
	}
	if (change->base == NULL)
		joined[n++] = change->draft;
	java_map_init(&map, &change->arena, JAVA_MAP_CAPACITY);
	for (int32_t i = 0; i < n; i++)
		java_map_put(&map, (uint32_t)java_hash(joined[i]->id), i);
	*count = 0;
	for (const struct java_map_entry *e = java_map_first(&map); e != NULL;
	    e = java_map_next(&map, e))
		members[(*count)++] = joined[e->key];
	return members;
}

/* --- Topics --------------------------------------------------------------- */

/* Those that exist, in the order of a HashSet of the names. */
static struct assignor_topic *
topics_of(struct share_group_change *change, struct map *indexes,
    int32_t *count)
{
	int32_t total = change->topics_count;
	struct assignor_topic *topics = arena_xcalloc(
	    &change->arena, (size_t)total, sizeof(*topics));
	struct java_map map;

	java_map_init(&map, &change->arena, java_map_capacity_of_copy(total));
	for (int32_t i = 0; i < total; i++)
		java_map_put(&map,
		    (uint32_t)java_hash(change->topics[i]->name), i);
	*count = 0;
	for (const struct java_map_entry *e = java_map_first(&map); e != NULL;
	    e = java_map_next(&map, e)) {
		const struct topic_image *topic =
		    change->topics[e->key]->topic;

		if (topic == NULL)
			continue;
		topics[*count] = (struct assignor_topic){ topic->id,
			topic->partitions_count };
		map_set(indexes, topic->name, &topics[(*count)++]);
	}
	return topics;
}

static int
compare_indexes(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

static void
subscribe(struct assignor_job *job, const struct share_member *member,
    const struct map *indexes, struct assignor_member *out)
{
	int32_t *topics = arena_xcalloc(
	    job->arena, (size_t)member->topics.count, sizeof(*topics));
	int32_t count = 0;

	for (int32_t i = 0; i < member->topics.count; i++) {
		const struct assignor_topic *topic =
		    map_get(indexes, member->topics.names[i]);

		if (topic != NULL)
			topics[count++] = (int32_t)(topic - job->topics);
	}
	if (count > 0)
		qsort(topics, (size_t)count, sizeof(*topics), compare_indexes);
	out->topics = topics;
	out->topics_count = count;
}

/* ModernGroup.subscriptionType of Kafka. */
static bool
homogeneous(const struct share_group_change *change, int32_t members_count)
{
	for (int32_t i = 0; i < change->topics_count; i++)
		if (change->topics[i]->count != members_count)
			return false;
	return true;
}

/* --- The target ----------------------------------------------------------- */

static struct assignor_job
job_of(struct share_group_change *change, const struct share_member **members,
    int32_t count)
{
	struct assignor_job job = {
		.members = arena_xcalloc(
		    &change->arena, (size_t)count, sizeof(*job.members)),
		.members_count = count,
		.assignable = &change->share->partitions.initialized,
		.arena = &change->arena,
	};
	struct map indexes;

	map_init(&indexes);
	share_group_change_topics(change);
	job.topics = topics_of(change, &indexes, &job.topics_count);
	job.homogeneous = homogeneous(change, count);
	for (int32_t m = 0; m < count; m++) {
		job.members[m].id = members[m]->id;
		job.members[m].had =
		    share_member_target(change->share, members[m]->id);
		subscribe(&job, members[m], &indexes, &job.members[m]);
	}
	map_fini(&indexes);
	return job;
}

/* Kafka writes down also an empty target for a member that had none. */
static void
emit_targets(struct share_group_change *change,
    const struct share_member **members, const struct assignor_job *job)
{
	for (int32_t m = 0; m < job->members_count; m++) {
		const struct assignor_member *member = &job->members[m];
		bool has =
		    map_get(&change->share->targets, member->id) != NULL;

		if (members[m] == change->draft)
			change->target = member->assigned;
		if (!has ||
		    !consumer_assignment_same(&member->had, &member->assigned))
			share_emit_target(change->shard, change->group_id,
			    member->id, &member->assigned);
	}
}

/* Not more often than the interval says. */
static bool
due(const struct share_group_change *change)
{
	const struct share_group *share = change->share;
	int32_t interval_ms = share->timing.assignment_interval_ms;

	return share->target_ms == 0 || interval_ms == 0 ||
	    change->now_ms >= share->target_ms + interval_ms ||
	    change->now_ms < share->target_ms;
}

void
share_group_change_target(struct share_group_change *change)
{
	const struct share_member **members;
	struct assignor_job job;
	int32_t count;

	change->target = share_member_target(change->share, change->draft->id);
	if (change->epoch <= change->target_epoch || !due(change))
		return;
	members = members_of(change, &count);
	job = job_of(change, members, count);
	assignor_simple(&job);
	emit_targets(change, members, &job);
	change->target_epoch = change->epoch;
	share_emit_target_epoch(change->shard, change->group_id,
	    change->target_epoch, change->now_ms);
}
