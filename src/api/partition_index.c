#include "api/partition_index.h"

struct key {
	uint32_t topic;
	int32_t partition;
};

void
partition_index_init(struct partition_index *index, struct arena *arena)
{
	map_init(&index->topics);
	map_init(&index->partitions);
	index->arena = arena;
}

void
partition_index_fini(struct partition_index *index)
{
	map_fini(&index->topics);
	map_fini(&index->partitions);
}

/* Numbers begin at 1, because they are the values of a map. */
uint32_t
partition_index_topic(struct partition_index *index, struct slice topic)
{
	uintptr_t number = (uintptr_t)map_get(&index->topics, topic);

	if (number == 0) {
		number = index->topics.count + 1;
		map_set(&index->topics, topic, (void *)number);
	}
	return (uint32_t)number;
}

void *
partition_index_set(struct partition_index *index, uint32_t topic,
    int32_t partition, void *value)
{
	struct key *key = arena_xalloc(index->arena, sizeof(*key));

	*key = (struct key){ topic, partition };
	return map_set(&index->partitions, MAP_KEY(*key), value);
}

void *
partition_index_get(const struct partition_index *index, struct slice topic,
    int32_t partition)
{
	struct key key = {
		.topic = (uint32_t)(uintptr_t)map_get(&index->topics, topic),
		.partition = partition,
	};

	return key.topic == 0 ? NULL :
				map_get(&index->partitions, MAP_KEY(key));
}
