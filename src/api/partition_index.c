#include "api/partition_index.h"

void
partition_index_init(struct partition_index *index, struct arena *arena)
{
	map_init(&index->map);
	index->arena = arena;
}

void
partition_index_fini(struct partition_index *index)
{
	map_fini(&index->map);
}

void *
partition_index_set(struct partition_index *index, struct slice topic,
    int32_t partition, void *value)
{
	size_t len = sizeof(partition) + topic.len;
	uint8_t *key = arena_xalloc(index->arena, len);

	memcpy(key, &partition, sizeof(partition));
	if (topic.len > 0)
		memcpy(key + sizeof(partition), topic.data, topic.len);
	return map_set(&index->map, slice_of(key, len), value);
}
