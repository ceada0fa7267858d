/*
 * Partition index: finds the partitions that a request names twice.
 *
 * It maps (topic, partition) to the caller's pointer.  A topic, which is a
 * name or the bytes of an id, is turned into a number once for each entry of
 * the request, so that partitions cost the same however long its name is.
 */
#ifndef API_PARTITION_INDEX_H
#define API_PARTITION_INDEX_H

#include "base/arena.h"
#include "base/base.h"
#include "base/map.h"

struct partition_index {
	struct map topics;
	struct map partitions;
	struct arena *arena;
};

/* Keys live in the request's arena. */
void partition_index_init(struct partition_index *index, struct arena *arena);
void partition_index_fini(struct partition_index *index);

/* The number of a topic, whose bytes are borrowed while the index lives. */
uint32_t partition_index_topic(struct partition_index *index,
    struct slice topic);

/* Set value (not NULL); what stood there before, or NULL. */
void *partition_index_set(struct partition_index *index, uint32_t topic,
    int32_t partition, void *value);

/* The value of a partition, or NULL, also where the index lacks its topic. */
void *partition_index_get(const struct partition_index *index,
    struct slice topic, int32_t partition);

#endif
