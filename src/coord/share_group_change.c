#include "coord/share_group_change.h"

#include "base/clock.h"
#include "coord/share_group_record.h"
#include "meta/topic_image.h"

void
share_group_change_begin(struct share_group_change *change,
    struct group_shard *shard, struct share_group *share,
    struct slice group_id)
{
	memset(change, 0, sizeof(*change));
	change->shard = shard;
	change->share = share;
	change->group_id = group_id;
	change->now_ms = clock_wall_ms();
	change->epoch = share->epoch;
	change->target_epoch = share->target_epoch;
	arena_init(&change->arena, SIZE_MAX);
	map_init(&change->counts);
}

void
share_group_change_end(struct share_group_change *change)
{
	for (int32_t i = 0; i < change->topics_count; i++)
		topic_image_unref(change->topics[i]->topic);
	map_fini(&change->counts);
	arena_reset(&change->arena);
}

/* --- What is subscribed to ------------------------------------------------ */

static void
count(struct share_group_change *change, struct slice name, int32_t by)
{
	struct share_change_topic *topic = map_get(&change->counts, name);

	if (topic == NULL) {
		topic = arena_xcalloc(&change->arena, 1, sizeof(*topic));
		topic->name = name;
		map_set(&change->counts, topic->name, topic);
	}
	topic->count += by;
}

static void
count_names(struct share_group_change *change,
    const struct share_member *member, int32_t by)
{
	for (int32_t i = 0; member != NULL && i < member->topics.count; i++)
		count(change, member->topics.names[i], by);
}

static int
compare_topics(const void *a, const void *b)
{
	return slice_compare((*(struct share_change_topic *const *)a)->name,
	    (*(struct share_change_topic *const *)b)->name);
}

void
share_group_change_topics(struct share_group_change *change)
{
	struct group_image *image = change->shard->common->image;
	const struct consumer_topic *had;
	struct share_change_topic *topic;

	if (change->topics != NULL)
		return;
	for (size_t at = 0;
	    (had = map_next(&change->share->topics, &at)) != NULL;)
		count(change, had->name, had->by_name);
	count_names(change, change->base, -1);
	count_names(change, change->draft, 1);
	change->topics = arena_xcalloc(&change->arena,
	    change->counts.count + 1, sizeof(struct share_change_topic *));
	for (size_t at = 0; (topic = map_next(&change->counts, &at)) != NULL;) {
		if (topic->count <= 0)
			continue;
		topic->topic = group_image_topic(image, topic->name);
		change->topics[change->topics_count++] = topic;
	}
	if (change->topics_count > 0)
		qsort((void *)change->topics, (size_t)change->topics_count,
		    sizeof(struct share_change_topic *), compare_topics);
}

/* --- The epoch ------------------------------------------------------------ */

/* 0 where none of the topics exists. */
static int64_t
hash_topics(struct share_group_change *change)
{
	struct group_image *image = change->shard->common->image;
	struct topics_hash hash;

	share_group_change_topics(change);
	group_image_hash_begin(image, &hash);
	for (int32_t i = 0; i < change->topics_count; i++)
		if (change->topics[i]->topic != NULL)
			group_image_hash_add(
			    image, &hash, change->topics[i]->topic);
	return topics_hash_end(&hash);
}

bool
share_group_change_epoch(struct share_group_change *change, bool bump)
{
	int64_t hash = hash_topics(change);

	if (!bump && hash == change->share->metadata_hash)
		return false;
	change->epoch++;
	share_emit_epoch(
	    change->shard, change->group_id, change->epoch, hash);
	return true;
}

/* --- Partitions ----------------------------------------------------------- */

/* Without an answer for so long, it is tried once more. */
static bool
stale(const struct share_group_change *change)
{
	return change->now_ms - change->share->partitions_ms >=
	    change->shard->settings->share.initialize_retry_ms;
}

struct consumer_assignment
share_group_change_missing(struct share_group_change *change)
{
	const struct share_partitions *known = &change->share->partitions;
	const struct consumer_assignment none = { NULL, 0 };
	struct consumer_assignment taken = consumer_assignment_plus(
	    &change->arena, &known->initialized,
	    stale(change) ? &none : &known->initializing);
	struct consumer_assignment all;
	int32_t total = 0;

	share_group_change_topics(change);
	for (int32_t i = 0; i < change->topics_count; i++)
		if (change->topics[i]->topic != NULL)
			total += change->topics[i]->topic->partitions_count;
	all = consumer_assignment_new(&change->arena, total);
	for (int32_t i = 0; i < change->topics_count; i++) {
		const struct topic_image *topic = change->topics[i]->topic;

		for (int32_t p = 0;
		    topic != NULL && p < topic->partitions_count; p++)
			consumer_assignment_add(&all, topic->id, p, 0);
	}
	consumer_assignment_sort(&all);
	return consumer_assignment_minus(&change->arena, &all, &taken);
}

/* A topic that is to be forgotten is begun anew before it was. */
static struct consumer_assignment
still_deleting(struct share_group_change *change,
    const struct consumer_assignment *partitions)
{
	const struct consumer_assignment *had =
	    &change->share->partitions.deleting;
	struct consumer_assignment set =
	    consumer_assignment_new(&change->arena, had->count);

	for (int32_t i = 0; i < had->count; i++) {
		struct uuid id = had->partitions[i].topic_id;
		bool begun = false;

		for (int32_t at = 0; at < partitions->count && !begun;
		    at += consumer_assignment_run(partitions, at))
			begun = uuid_equal(
			    partitions->partitions[at].topic_id, id);
		if (!begun)
			consumer_assignment_add(&set, id, 0, 0);
	}
	return set;
}

void
share_group_change_initialize(struct share_group_change *change,
    const struct consumer_assignment *partitions)
{
	struct share_partitions will = change->share->partitions;

	will.initializing = consumer_assignment_plus(
	    &change->arena, &will.initializing, partitions);
	will.deleting = still_deleting(change, &will.initializing);
	share_emit_partitions(change->shard, change->group_id, &will);
}
