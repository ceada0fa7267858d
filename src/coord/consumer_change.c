#include "coord/consumer_change.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "coord/consumer_record.h"
#include "meta/topic_image.h"

void
consumer_change_begin(struct consumer_change *change, struct group_shard *shard,
    struct consumer_group *consumer, struct slice group_id)
{
	memset(change, 0, sizeof(*change));
	change->shard = shard;
	change->consumer = consumer;
	change->group_id = group_id;
	change->now_ms = clock_wall_ms();
	change->epoch = consumer->epoch;
	change->metadata_hash = consumer->metadata_hash;
	change->target_epoch = consumer->target_epoch;
	change->topics_count = -1;
	arena_init(&change->arena, SIZE_MAX);
	map_init(&change->counts);
}

void
consumer_change_end(struct consumer_change *change)
{
	for (int32_t i = 0; i < change->topics_count; i++)
		topic_image_unref(change->topics[i]->topic);
	map_fini(&change->counts);
	arena_reset(&change->arena);
}

/* --- What is subscribed to ----------------------------------------------- */

static struct change_topic *
count_of(struct consumer_change *change, struct slice name)
{
	struct change_topic *count = map_get(&change->counts, name);

	if (count != NULL)
		return count;
	count = arena_xcalloc(&change->arena, 1, sizeof(*count));
	count->name = name;
	map_set(&change->counts, count->name, count);
	return count;
}

static void
begin_counting(struct consumer_change *change)
{
	const struct consumer_topic *topic;

	if (change->counting)
		return;
	change->counting = true;
	for (size_t at = 0;
	    (topic = map_next(&change->consumer->topics, &at)) != NULL;) {
		struct change_topic *count = count_of(change, topic->name);

		count->by_name = topic->by_name;
		count->by_regex = topic->by_regex;
	}
}

void
consumer_change_count(struct consumer_change *change,
    const struct consumer_names *names, int32_t by_name, int32_t by_regex)
{
	assert(change->topics_count < 0);
	begin_counting(change);
	for (int32_t i = 0; i < names->count; i++) {
		struct change_topic *count = count_of(change, names->names[i]);

		count->by_name += by_name;
		count->by_regex += by_regex;
	}
}

static int
compare_topics(const void *a, const void *b)
{
	return slice_compare((*(struct change_topic *const *)a)->name,
	    (*(struct change_topic *const *)b)->name);
}

void
consumer_change_topics(struct consumer_change *change)
{
	struct group_image *image = change->shard->common->image;
	struct change_topic *count;

	if (change->topics_count >= 0)
		return;
	begin_counting(change);
	change->topics_count = 0;
	change->topics = arena_xcalloc(&change->arena, change->counts.count,
	    sizeof(struct change_topic *));
	for (size_t at = 0; (count = map_next(&change->counts, &at)) != NULL;) {
		if (count->by_name <= 0 && count->by_regex <= 0)
			continue;
		count->topic = group_image_topic(image, count->name);
		if (count->topic != NULL)
			change->topics[change->topics_count++] = count;
	}
	if (change->topics_count > 0)
		qsort((void *)change->topics, (size_t)change->topics_count,
		    sizeof(struct change_topic *), compare_topics);
}

const struct consumer_names *
consumer_change_matched(const struct consumer_change *change, struct slice text)
{
	static const struct consumer_names nothing = { NULL, 0 };
	const struct consumer_regex *regex =
	    text.len == 0 ? NULL : consumer_regex_find(change->consumer, text);

	return regex == NULL ? &nothing : &regex->topics;
}

/* --- The group's epoch --------------------------------------------------- */

/* Of the topics that exist: 0 where there is none. */
static int64_t
hash_topics(struct consumer_change *change)
{
	struct group_image *image = change->shard->common->image;
	struct topics_hash hash;

	consumer_change_topics(change);
	group_image_hash_begin(image, &hash);
	for (int32_t i = 0; i < change->topics_count; i++)
		group_image_hash_add(image, &hash, change->topics[i]->topic);
	return topics_hash_end(&hash);
}

int64_t
consumer_change_hash(struct group_shard *shard, struct consumer_group *consumer,
    int64_t *partitions_count)
{
	struct consumer_change change;
	int64_t hash;

	consumer_change_begin(&change, shard, consumer, SLICE_NULL);
	hash = hash_topics(&change);
	*partitions_count = 0;
	for (int32_t i = 0; i < change.topics_count; i++)
		*partitions_count += change.topics[i]->topic->partitions_count;
	consumer_change_end(&change);
	return hash;
}

static void
emit_epoch(struct consumer_change *change)
{
	change->epoch++;
	consumer_emit_epoch(change->shard, change->group_id, change->epoch,
	    change->metadata_hash);
	if (change->consumer->old_metadata)
		consumer_emit_old_metadata_end(change->shard, change->group_id);
}

void
consumer_change_epoch(struct consumer_change *change, bool bump)
{
	int64_t hash;

	if (!bump && !change->consumer->refresh)
		return;
	hash = hash_topics(change);
	bump |= hash != change->metadata_hash;
	change->metadata_hash = hash;
	change->refreshed = true;
	if (bump)
		emit_epoch(change);
}

void
consumer_change_bump(struct consumer_change *change)
{
	change->metadata_hash = hash_topics(change);
	emit_epoch(change);
}

/* --- The end ------------------------------------------------------------- */

enum kp_error
consumer_change_append(struct consumer_change *change)
{
	enum kp_error error = shard_append(&change->shard->shard);
	struct group *group;

	if (error != KP_NONE || !change->refreshed)
		return error;
	group = group_find(change->shard, change->group_id);
	if (group != NULL && group->consumer != NULL)
		group->consumer->refresh = false;
	return KP_NONE;
}
