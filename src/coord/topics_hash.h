/*
 * Topics hash: what a group stores of the topics that it needs, to find out
 * whether one of them has changed.  It is Kafka's (Utils.computeGroupHash of
 * its coordinator), so that a directory can change hands without a new epoch
 * in each of its groups.
 *
 * A topic's is the XXH3 of 64 bits, seed 0, over (numbers little-endian,
 * text as Java has it: UTF-16 units, behind them their count in 4 bytes):
 *
 *	1	0
 *	8 8	the topic's id, each half as a number
 *	text	its name
 *	4	how many partitions it has
 *	for each partition:
 *	4	its index
 *	4 text	the rack of each replica that has one, in order: its units'
 *		count, then the rack
 *
 * and a group's is the XXH3 over its topics' hashes, 8 bytes each, in the order
 * of the topics' names.
 *
 * Thread: any, but a topics_hash has one owner.
 */
#ifndef COORD_TOPICS_HASH_H
#define COORD_TOPICS_HASH_H

#include "base/buf.h"

struct topic_image;

/* The rack of a broker, null where it has none or is not known. */
typedef struct slice (*topics_hash_rack_fn)(int32_t broker_id, void *context);

struct topics_hash {
	topics_hash_rack_fn rack;
	void *context;
	struct buf topics;	/* their hashes */
	struct buf topic;	/* what one is made of */
	struct buf racks;	/* of one partition */
};

void topics_hash_init(
    struct topics_hash *hash, topics_hash_rack_fn rack, void *context);

/* One more topic that exists; they come in the order of their names. */
void topics_hash_add(struct topics_hash *hash, const struct topic_image *topic);

/* The group's, 0 where it has no topic.  The memory is freed. */
int64_t topics_hash_end(struct topics_hash *hash);

#endif
