/*
 * What groups know of their offsets, for the files group_offsets*.c.
 */
#ifndef COORD_GROUP_OFFSETS_INNER_H
#define COORD_GROUP_OFFSETS_INNER_H

#include "coord/group.h"

/* A partition's offset, as the map's value; its key stands in front. */
struct group_offset_entry {
	struct slice key;		/* owned: partition, topic */
	struct slice topic;		/* in key */
	int32_t partition;
	int64_t record_offset;		/* of the record that says so */
	int64_t offset;
	int32_t leader_epoch;
	struct slice metadata;		/* owned */
	int64_t commit_ms;
	int64_t expire_ms;		/* -1: by the retention time */
	struct uuid topic_id;
};

/* What one producer's open transaction will do to the group's offsets. */
struct group_transaction {
	struct group *group;
	struct group_producer *producer;
	struct list_node node;		/* in producer->transactions */
	struct map offsets;		/* struct group_offset_entry */
};

/* In a map of struct group_offset_entry; NULL where there is none. */
struct group_offset_entry *group_offset_find(const struct map *map,
    struct slice topic, int32_t partition) WARN_UNUSED;

/* Does an open transaction have an offset of the partition? */
bool group_offset_pending(const struct group *group, struct slice topic,
    int32_t partition) WARN_UNUSED;

#endif
