#include "coord/group_offsets_inner.h"

static bool
ids_differ(struct uuid a, struct uuid b)
{
	return !uuid_is_zero(a) && !uuid_is_zero(b) && !uuid_equal(a, b);
}

static void
fill_none(struct group_offset *offset)
{
	offset->offset = -1;
	offset->leader_epoch = -1;
	offset->metadata = slice_str("");
}

/* *last becomes the last record that the answer tells of. */
static void
fill_offset(const struct group *group, const struct group_fetch *fetch,
    const struct group_topic *topic, struct group_offset *offset,
    struct arena *arena, int64_t *last)
{
	const struct group_offset_entry *entry = group == NULL ?
	    NULL :
	    group_offset_find(&group->offsets, topic->name, offset->partition);

	fill_none(offset);
	if (fetch->require_stable && group != NULL &&
	    group_offset_pending(group, topic->name, offset->partition)) {
		offset->error = KP_UNSTABLE_OFFSET_COMMIT;
		return;
	}
	if (entry == NULL || ids_differ(entry->topic_id, topic->id))
		return;
	/* A short request can ask for the same offset again and again. */
	if (arena_left(arena) <=
	    GROUP_FETCH_SPARE_BYTES + entry->metadata.len) {
		offset->error = KP_UNKNOWN_SERVER_ERROR;
		return;
	}
	offset->offset = entry->offset;
	offset->leader_epoch = entry->leader_epoch;
	offset->metadata = arena_copy(arena, entry->metadata);
	*last = MAX(*last, entry->record_offset);
}

/* Make room in the topic for one more, by doubling. */
static struct group_offset *
add_offset(struct group_topic *topic, struct arena *arena)
{
	size_t count = (size_t)topic->offsets_count;
	struct group_offset *offsets;

	if ((count & (count - 1)) == 0) {
		offsets = arena_xcalloc(arena, MAX(count * 2, 1),
		    sizeof(*offsets));
		if (count > 0)
			memcpy(offsets, topic->offsets,
			    count * sizeof(*offsets));
		topic->offsets = offsets;
	}
	topic->offsets_count++;
	return &topic->offsets[count];
}

/* The entry's topic, added where it was not listed yet. */
static struct group_topic *
listed_topic(struct group_fetch *fetch, struct map *listed,
    const struct group_offset_entry *entry, struct arena *arena)
{
	struct group_topic *topic = map_get(listed, entry->topic);

	if (topic != NULL)
		return topic;
	topic = &fetch->topics[fetch->topics_count++];
	topic->name = arena_copy(arena, entry->topic);
	topic->id = entry->topic_id;
	map_set(listed, topic->name, topic);
	return topic;
}

/* All that the group has committed, topic by topic. */
static void
list_all(const struct group *group, struct group_fetch *fetch,
    struct arena *arena)
{
	const struct group_offset_entry *entry;
	struct map listed;

	fetch->topics_count = 0;
	fetch->topics = arena_xcalloc(arena,
	    group == NULL ? 0 : group->offsets.count,
	    sizeof(*fetch->topics));
	if (group == NULL)
		return;
	map_init(&listed);
	for (size_t at = 0; (entry = map_next(&group->offsets, &at)) !=
	     NULL;)
		add_offset(listed_topic(fetch, &listed, entry, arena), arena)
		    ->partition = entry->partition;
	map_fini(&listed);
}

/* What an offset takes in a list of all and in the answer, with its topic. */
#define LISTED_OFFSET_BYTES 640

static bool
list_fits(const struct group *group, const struct arena *arena)
{
	return group == NULL ||
	    group->offsets.count < (arena_left(arena) -
		MIN(arena_left(arena), GROUP_FETCH_SPARE_BYTES)) /
		LISTED_OFFSET_BYTES;
}

static enum kp_error
check_fetch(const struct group *group, const struct group_fetch *fetch,
    const struct arena *arena)
{
	if (fetch->all && !list_fits(group, arena))
		return KP_UNKNOWN_SERVER_ERROR;
	return group == NULL || group->kind == NULL || !group->kind->commits ?
	    KP_NONE :
	    group->kind->check_fetch(group, fetch);
}

/*
 * Who does not ask for stable offsets waits for nothing but what it is told,
 * as administrators do while others' commits wait for the disk.
 */
static void
reply_fetch(struct group_shard *shard, struct group_call *call,
    const struct group_fetch *fetch, int64_t last)
{
	if (!fetch->require_stable && last < shard->shard.committed_offset)
		shard_reply_at_once(&shard->shard, &call->call, KP_NONE);
	else
		shard_reply(&shard->shard, &call->call, KP_NONE);
}

void
group_shard_fetch(struct group_shard *shard, struct group_call *call,
    struct group_fetch *fetch)
{
	enum kp_error error;
	const struct group *group;
	int64_t last = -1;

	if (!shard_begin(&shard->shard, &call->call))
		return;
	group = group_find(shard, fetch->group_id);
	error = check_fetch(group, fetch, call->arena);
	if (error != KP_NONE) {
		shard_reply(&shard->shard, &call->call, error);
		shard_leave(&shard->shard);
		return;
	}
	if (fetch->all)
		list_all(group, fetch, call->arena);
	for (int32_t t = 0; t < fetch->topics_count; t++) {
		struct group_topic *topic = &fetch->topics[t];

		for (int32_t i = 0; i < topic->offsets_count; i++)
			if (topic->offsets[i].error == KP_NONE)
				fill_offset(group, fetch, topic,
				    &topic->offsets[i], call->arena, &last);
	}
	reply_fetch(shard, call, fetch, last);
	shard_leave(&shard->shard);
}
