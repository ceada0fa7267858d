#include "coord/txn_partitions.h"

void
txn_partitions_init(struct txn_partitions *set)
{
	*set = (struct txn_partitions){ 0 };
}

void
txn_partitions_fini(struct txn_partitions *set)
{
	for (int32_t i = 0; i < set->count; i++) {
		free((void *)(uintptr_t)set->topics[i].name.data);
		free(set->topics[i].indexes);
	}
	free(set->topics);
	txn_partitions_init(set);
}

static void
topic_copy(struct txn_topic *copy, const struct txn_topic *topic)
{
	size_t size = (size_t)topic->count * sizeof(*topic->indexes);

	copy->name = slice_of(slice_dup(topic->name), topic->name.len);
	copy->indexes = xmalloc(size);
	memcpy(copy->indexes, topic->indexes, size);
	copy->count = copy->capacity = topic->count;
}

void
txn_partitions_copy(
    struct txn_partitions *copy, const struct txn_partitions *set)
{
	*copy = *set;
	copy->topics = xcalloc((size_t)set->count + 1, sizeof(*copy->topics));
	for (int32_t i = 0; i < set->count; i++)
		topic_copy(&copy->topics[i], &set->topics[i]);
}

/* Where the topic is, or where it would have to be inserted. */
static int32_t
topic_position(const struct txn_partitions *set, struct slice name, bool *found)
{
	int32_t low = 0, high = set->count;

	*found = false;
	while (low < high && !*found) {
		int32_t middle = low + (high - low) / 2;
		int order = slice_compare(name, set->topics[middle].name);

		*found = order == 0;
		if (order == 0)
			low = middle;
		else if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static int32_t
index_position(const struct txn_topic *topic, int32_t index)
{
	int32_t low = 0, high = topic->count;

	while (low < high) {
		int32_t middle = low + (high - low) / 2;

		if (topic->indexes[middle] < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
index_is_at(const struct txn_topic *topic, int32_t position, int32_t index)
{
	return position < topic->count && topic->indexes[position] == index;
}

bool
txn_partitions_has(
    const struct txn_partitions *set, struct slice topic, int32_t index)
{
	bool found;
	int32_t at = topic_position(set, topic, &found);

	return found &&
	    index_is_at(&set->topics[at],
		index_position(&set->topics[at], index), index);
}

static struct txn_topic *
topic_obtain(struct txn_partitions *set, struct slice name)
{
	bool found;
	int32_t at = topic_position(set, name, &found);

	if (found)
		return &set->topics[at];
	set->topics = xrealloc(
	    set->topics, ((size_t)set->count + 1) * sizeof(*set->topics));
	memmove(set->topics + at + 1, set->topics + at,
	    (size_t)(set->count - at) * sizeof(*set->topics));
	set->count++;
	set->bytes += sizeof(*set->topics) + name.len;
	set->topics[at] =
	    (struct txn_topic){ .name = slice_of(slice_dup(name), name.len) };
	return &set->topics[at];
}

void
txn_partitions_add(struct txn_partitions *set, struct slice name, int32_t index)
{
	struct txn_topic *topic = topic_obtain(set, name);
	int32_t at = index_position(topic, index);

	if (index_is_at(topic, at, index))
		return;
	if (topic->count == topic->capacity) {
		topic->capacity = MAX(4, topic->capacity * 2);
		topic->indexes = xrealloc(topic->indexes,
		    (size_t)topic->capacity * sizeof(*topic->indexes));
	}
	memmove(topic->indexes + at + 1, topic->indexes + at,
	    (size_t)(topic->count - at) * sizeof(*topic->indexes));
	topic->indexes[at] = index;
	topic->count++;
	set->total++;
	set->bytes += sizeof(*topic->indexes);
}
