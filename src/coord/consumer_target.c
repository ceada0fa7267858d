/*
 * A new target: the members with what they subscribe to are put before an
 * assignor, and what it gives them becomes records.
 */
#include "coord/assignor.h"
#include "coord/consumer_change.h"
#include "coord/consumer_record.h"
#include "coord/java_hash.h"
#include "meta/topic_image.h"

/* --- The order of members ------------------------------------------------ */

/*
 * Who comes first gets what is left over.  Kafka's members come in the order
 * of a HashMap by id, and so do ours: by bucket, and in one bucket as they
 * joined.
 */
struct ordered {
	const struct consumer_member *member;
	uint32_t bucket;
	int32_t joined;
};

static int
compare(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;

	if (x->bucket != y->bucket)
		return x->bucket < y->bucket ? -1 : 1;
	return (x->joined > y->joined) - (x->joined < y->joined);
}

static void
add(struct ordered *ordered, int32_t *count,
    const struct consumer_member *member, uint32_t buckets)
{
	ordered[*count] = (struct ordered){ member,
		java_hash_bucket(member->id, buckets), *count };
	(*count)++;
}

/* The members as they will be. */
static struct ordered *
members_of(struct consumer_change *change, int32_t *count)
{
	const struct consumer_group *consumer = change->consumer;
	int32_t most = consumer_group_count(consumer) + 1;
	struct ordered *ordered =
	    arena_xcalloc(&change->arena, (size_t)most, sizeof(*ordered));
	uint32_t buckets = java_hash_buckets(
	    JAVA_HASH_BUCKETS_DEFAULT, most - (change->base != NULL));

	*count = 0;
	LIST_FOR_EACH (node, &consumer->members) {
		const struct consumer_member *member =
		    LIST_ENTRY(node, struct consumer_member, node);

		if (member != change->base)
			add(ordered, count, member, buckets);
	}
	if (change->draft != NULL)
		add(ordered, count, change->draft, buckets);
	if (*count > 0)
		qsort(ordered, (size_t)*count, sizeof(*ordered), compare);
	return ordered;
}

/* --- What they subscribe to ---------------------------------------------- */

/* The job's topics; those without partitions are nobody's. */
static struct assignor_topic *
topics_of(struct consumer_change *change, int32_t *count)
{
	struct assignor_topic *topics;

	consumer_change_topics(change);
	topics = arena_xcalloc(
	    &change->arena, (size_t)change->topics_count, sizeof(*topics));
	*count = change->topics_count;
	for (int32_t i = 0; i < change->topics_count; i++) {
		topics[i].id = change->topics[i]->topic->id;
		topics[i].partitions_count =
		    change->topics[i]->topic->partitions_count;
	}
	return topics;
}

/* Do all subscribe by the same expression? */
static bool
all_by_regex(const struct ordered *members, int32_t count)
{
	for (int32_t m = 0; m < count; m++)
		if (members[m].member->regex.len == 0 ||
		    !slice_equal(
			members[m].member->regex, members[0].member->regex))
			return false;
	return true;
}

/* ConsumerGroup.subscriptionType of Kafka. */
static bool
homogeneous(struct consumer_change *change, const struct ordered *members,
    int32_t count)
{
	const struct change_topic *topic;
	bool by_name = true, by_regex = true;

	for (size_t at = 0; (topic = map_next(&change->counts, &at)) != NULL;) {
		by_name &= topic->by_name == count || topic->by_name == 0;
		by_name &= topic->by_regex == 0;
		by_regex &= topic->by_name == 0 && topic->by_regex <= 1;
	}
	for (int32_t m = 0; m < count; m++)
		by_name &= members[m].member->regex.len == 0;
	return by_name || (by_regex && all_by_regex(members, count));
}

static int32_t *
all_topics(struct assignor_job *job)
{
	int32_t *topics = arena_xcalloc(
	    job->arena, (size_t)job->topics_count, sizeof(*topics));

	for (int32_t i = 0; i < job->topics_count; i++)
		topics[i] = i;
	return topics;
}

static int
compare_indexes(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

static void
add_topics(const struct consumer_change *change,
    const struct consumer_names *names, const struct map *indexes,
    int32_t *topics, int32_t *count)
{
	for (int32_t i = 0; i < names->count; i++) {
		struct change_topic *const *at =
		    map_get(indexes, names->names[i]);

		if (at != NULL)
			topics[(*count)++] = (int32_t)(at - change->topics);
	}
}

/* Those that the member names, or its expression matches, each once. */
static void
own_topics(struct consumer_change *change, const struct consumer_member *member,
    const struct map *indexes, struct assignor_member *out)
{
	const struct consumer_names *matched =
	    consumer_change_matched(change, member->regex);
	int32_t *topics = arena_xcalloc(&change->arena,
	    (size_t)member->topics.count + (size_t)matched->count,
	    sizeof(*topics));
	int32_t count = 0, kept = 0;

	add_topics(change, &member->topics, indexes, topics, &count);
	add_topics(change, matched, indexes, topics, &count);
	if (count > 0)
		qsort(topics, (size_t)count, sizeof(*topics), compare_indexes);
	for (int32_t i = 0; i < count; i++)
		if (i == 0 || topics[i] != topics[i - 1])
			topics[kept++] = topics[i];
	out->topics = topics;
	out->topics_count = kept;
}

static void
subscribe_each(struct consumer_change *change, struct assignor_job *job,
    const struct ordered *members)
{
	struct map indexes;

	map_init(&indexes);
	for (int32_t i = 0; i < change->topics_count; i++)
		map_set(&indexes, change->topics[i]->name,
		    (void *)&change->topics[i]);
	for (int32_t m = 0; m < job->members_count; m++)
		own_topics(
		    change, members[m].member, &indexes, &job->members[m]);
	map_fini(&indexes);
}

static void
subscribe_all(struct assignor_job *job)
{
	const int32_t *topics = all_topics(job);

	for (int32_t m = 0; m < job->members_count; m++) {
		job->members[m].topics = topics;
		job->members[m].topics_count = job->topics_count;
	}
}

/* --- The target ---------------------------------------------------------- */

static struct assignor_job
job_of(struct consumer_change *change, const struct ordered *members,
    int32_t count)
{
	struct assignor_job job = {
		.members = arena_xcalloc(
		    &change->arena, (size_t)count, sizeof(*job.members)),
		.members_count = count,
		.arena = &change->arena,
	};

	job.topics = topics_of(change, &job.topics_count);
	for (int32_t m = 0; m < count; m++) {
		const struct consumer_member *member = members[m].member;

		job.members[m].id = member->id;
		job.members[m].instance_id = member->instance_id;
		job.members[m].had = member == change->draft ?
		    change->target :
		    consumer_member_target(change->consumer, member->id);
	}
	job.homogeneous = homogeneous(change, members, count);
	if (job.homogeneous)
		subscribe_all(&job);
	else
		subscribe_each(change, &job, members);
	return job;
}

/* Kafka writes down also an empty target for a member that had none. */
static void
emit_targets(struct consumer_change *change, const struct ordered *members,
    const struct assignor_job *job)
{
	for (int32_t m = 0; m < job->members_count; m++) {
		const struct assignor_member *member = &job->members[m];
		bool has =
		    map_get(&change->consumer->targets, member->id) != NULL;

		if (members[m].member == change->draft)
			change->target = member->assigned;
		if (!has ||
		    !consumer_assignment_same(&member->had, &member->assigned))
			consumer_emit_target(change->shard, change->group_id,
			    member->id, &member->assigned);
	}
}

/* At once after an upgrade. */
bool
consumer_group_target_due(const struct consumer_group *consumer, int64_t now_ms)
{
	int32_t interval_ms = consumer->timing.assignment_interval_ms;

	return consumer->target_ms == 0 || interval_ms == 0 ||
	    now_ms >= consumer->target_ms + interval_ms ||
	    now_ms < consumer->target_ms;
}

void
consumer_change_target(struct consumer_change *change)
{
	const struct consumer_settings *settings =
	    &change->shard->settings->consumer;
	struct assignor_job job;
	struct ordered *members;
	int32_t count;

	if (change->epoch <= change->target_epoch ||
	    !consumer_group_target_due(change->consumer, change->now_ms))
		return;
	members = members_of(change, &count);
	job = job_of(change, members, count);
	if (consumer_group_assignor(change->consumer, settings, change->base,
		change->draft) == CONSUMER_ASSIGNOR_RANGE)
		assignor_range(&job);
	else
		assignor_uniform(&job);
	emit_targets(change, members, &job);
	change->target_epoch = change->epoch;
	consumer_emit_target_epoch(change->shard, change->group_id,
	    change->target_epoch, change->now_ms);
}
