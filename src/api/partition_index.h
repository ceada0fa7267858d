/*
 * Partition index: finds the partitions that a request names twice.
 *
 * It maps (topic, partition) to the caller's pointer; topic is a name or the
 * bytes of an id.  Keys are copied into the request's arena.
 */
#ifndef API_PARTITION_INDEX_H
#define API_PARTITION_INDEX_H

#include "base/arena.h"
#include "base/base.h"
#include "base/map.h"

struct partition_index {
	struct map map;
	struct arena *arena;
};

void partition_index_init(struct partition_index *index, struct arena *arena);
void partition_index_fini(struct partition_index *index);

/* Set value (not NULL); what stood there before, or NULL. */
void *partition_index_set(struct partition_index *index, struct slice topic,
    int32_t partition, void *value);

#endif
