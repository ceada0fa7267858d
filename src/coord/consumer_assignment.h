/*
 * Consumer assignment: a set of partitions, as an array sorted by topic id
 * and partition.  Of what a member owns each has the epoch of the assignment
 * that gave it (KIP-1251); elsewhere the epochs are 0.
 *
 * Sets are values: those that functions make live in an arena, those of a
 * group's state are owned by it, and are replaced as a whole.
 */
#ifndef COORD_CONSUMER_ASSIGNMENT_H
#define COORD_CONSUMER_ASSIGNMENT_H

#include "base/arena.h"
#include "base/base.h"
#include "base/uuid.h"

struct consumer_partition {
	struct uuid topic_id;
	int32_t partition;
	int32_t epoch;
};

/* The part that says which partition it is, as a map's key. */
#define CONSUMER_PARTITION_KEY(p) \
	slice_of((p), offsetof(struct consumer_partition, epoch))

struct consumer_assignment {
	struct consumer_partition *partitions;
	int32_t count;
};

/* By topic id, then partition. */
int consumer_partition_compare(
    const struct consumer_partition *a, const struct consumer_partition *b);

/* An empty set in the arena with room for count, which are then added. */
struct consumer_assignment consumer_assignment_new(
    struct arena *arena, int32_t count);
void consumer_assignment_add(struct consumer_assignment *set,
    struct uuid topic_id, int32_t partition, int32_t epoch);

/* Sort what was added in any order; of what is there twice one is kept. */
void consumer_assignment_sort(struct consumer_assignment *set);

/* The partition in the set, or NULL. */
const struct consumer_partition *consumer_assignment_find(
    const struct consumer_assignment *set, struct uuid topic_id,
    int32_t partition);

/* The same partitions; and with the same epochs. */
bool consumer_assignment_same(
    const struct consumer_assignment *a, const struct consumer_assignment *b);
bool consumer_assignment_equal(
    const struct consumer_assignment *a, const struct consumer_assignment *b);

/* Is all of a in b; have they one in common? */
bool consumer_assignment_within(
    const struct consumer_assignment *a, const struct consumer_assignment *b);
bool consumer_assignment_meet(
    const struct consumer_assignment *a, const struct consumer_assignment *b);

/* In the arena: what of a is in b, what is not, and both; a's epochs first. */
struct consumer_assignment consumer_assignment_common(struct arena *arena,
    const struct consumer_assignment *a, const struct consumer_assignment *b);
struct consumer_assignment consumer_assignment_minus(struct arena *arena,
    const struct consumer_assignment *a, const struct consumer_assignment *b);
struct consumer_assignment consumer_assignment_plus(struct arena *arena,
    const struct consumer_assignment *a, const struct consumer_assignment *b);

/* The same partitions, all of that epoch. */
struct consumer_assignment consumer_assignment_at(
    struct arena *arena, const struct consumer_assignment *set, int32_t epoch);

/* How many partitions from at on are of the same topic; at is in the set. */
int32_t consumer_assignment_run(
    const struct consumer_assignment *set, int32_t at);

/* Replace the owned set with a copy of value; of an empty one to free it. */
void consumer_assignment_own(
    struct consumer_assignment *owned, struct consumer_assignment value);

#endif
