/*
 * Which partition of an internal topic looks after a key: Java's
 * String.hashCode over the key's UTF-16 units, its absolute value (0 for the
 * smallest int), modulo the partition count (Kafka's Utils.abs).
 *
 * Thread: any.
 */
#ifndef COORD_JAVA_HASH_H
#define COORD_JAVA_HASH_H

#include "base/arena.h"
#include "base/base.h"

/*
 * String.hashCode of the UTF-8 text.  What is not UTF-8 counts as U+FFFD, as
 * Java's decoder has it.
 */
int32_t java_hash(struct slice text);

/* The partition of text among count, which is above 0. */
int32_t java_hash_partition(struct slice text, int32_t count);

/*
 * A HashMap of Java's goes through its keys by bucket, and in one bucket in the
 * order in which they came.  How many buckets has a map that began with so many
 * and has had count keys, and which is text's?
 */
#define JAVA_HASH_BUCKETS_DEFAULT 16
uint32_t java_hash_buckets(uint32_t initial, int32_t count);
uint32_t java_hash_bucket(struct slice text, uint32_t buckets);

/*
 * The order in which a map with so many buckets goes through the keys, which
 * are different ones: order[i] is the index of the i-th.  In the arena.
 */
int32_t *java_hash_order(struct arena *arena, const struct slice *keys,
    int32_t count, uint32_t buckets);

/* The number of UTF-16 units of the UTF-8 text: Java's String.length. */
size_t java_hash_utf16_len(struct slice text);

/*
 * These units, little-endian, 2 bytes each, to a place for 2 * text.len bytes;
 * their number.
 */
size_t java_hash_utf16(struct slice text, uint8_t *to);

#endif
