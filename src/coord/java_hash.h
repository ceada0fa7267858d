/*
 * Which partition of an internal topic looks after a key: Java's
 * String.hashCode over the key's UTF-16 units, its absolute value (0 for the
 * smallest int), modulo the partition count (Kafka's Utils.abs).
 *
 * Thread: any.
 */
#ifndef COORD_JAVA_HASH_H
#define COORD_JAVA_HASH_H

#include "base/base.h"

/*
 * String.hashCode of the UTF-8 text.  What is not UTF-8 counts as U+FFFD, as
 * Java's decoder has it.
 */
int32_t java_hash(struct slice text);

/* The partition of text among count, which is above 0. */
int32_t java_hash_partition(struct slice text, int32_t count);

/* The number of UTF-16 units of the UTF-8 text: Java's String.length. */
size_t java_hash_utf16_len(struct slice text);

#endif
