/*
 * Streams tasks: sets of tasks, each a subtopology and a partition of it, as
 * arrays sorted by these.  Of the active tasks that a member has each has the
 * epoch of the assignment that gave it; elsewhere the epochs are 0.
 *
 * Sets are values: those that functions make live in an arena and borrow the
 * names of subtopologies; those of a group's state are owned by it, names
 * included, and are replaced as a whole.
 */
#ifndef COORD_STREAMS_TASKS_H
#define COORD_STREAMS_TASKS_H

#include "base/arena.h"
#include "base/base.h"

struct streams_task {
	struct slice subtopology;
	int32_t partition;
	int32_t epoch;
};

struct streams_tasks {
	struct streams_task *tasks;
	int32_t count;
};

/* An empty set in the arena with room for count, which are then added. */
struct streams_tasks streams_tasks_new(struct arena *arena, int32_t count);
void streams_tasks_add(struct streams_tasks *set, struct slice subtopology,
    int32_t partition, int32_t epoch);

/* Sort what was added in any order; of what is there twice one is kept. */
void streams_tasks_sort(struct streams_tasks *set);

/* By subtopology, then partition. */
int streams_task_compare(
    const struct streams_task *a, const struct streams_task *b);

/* The task in the set, or NULL. */
const struct streams_task *streams_tasks_find(const struct streams_tasks *set,
    struct slice subtopology, int32_t partition);

/* The same tasks; and with the same epochs. */
bool streams_tasks_same(
    const struct streams_tasks *a, const struct streams_tasks *b);
bool streams_tasks_equal(
    const struct streams_tasks *a, const struct streams_tasks *b);

/* Is all of a in b; have they one in common? */
bool streams_tasks_within(
    const struct streams_tasks *a, const struct streams_tasks *b);
bool streams_tasks_meet(
    const struct streams_tasks *a, const struct streams_tasks *b);

/* In the arena: what of a is in b, what is not, and both; a's epochs first. */
struct streams_tasks streams_tasks_common(struct arena *arena,
    const struct streams_tasks *a, const struct streams_tasks *b);
struct streams_tasks streams_tasks_minus(struct arena *arena,
    const struct streams_tasks *a, const struct streams_tasks *b);
struct streams_tasks streams_tasks_plus(struct arena *arena,
    const struct streams_tasks *a, const struct streams_tasks *b);

/* How many tasks from at on are of the same subtopology; at is in the set. */
int32_t streams_tasks_run(const struct streams_tasks *set, int32_t at);

/* The partitions of so many tasks from at on. */
int32_t *streams_tasks_partitions(struct arena *arena,
    const struct streams_tasks *set, int32_t at, int32_t count);

/* Replace the owned set with a copy of value; of an empty one to free it. */
void streams_tasks_own(
    struct streams_tasks *owned, const struct streams_tasks *value);

/* --- Assignments --------------------------------------------------------- */

enum streams_kind {
	STREAMS_ACTIVE,
	STREAMS_STANDBY,
	STREAMS_WARMUP,
};

#define STREAMS_KINDS 3

/* The tasks of a member, by kind. */
struct streams_assignment {
	struct streams_tasks kinds[STREAMS_KINDS];
};

int32_t streams_assignment_count(const struct streams_assignment *assignment);
bool streams_assignment_same(
    const struct streams_assignment *a, const struct streams_assignment *b);
bool streams_assignment_equal(
    const struct streams_assignment *a, const struct streams_assignment *b);

/* Is all of a in b; have they a task of the same kind in common? */
bool streams_assignment_within(
    const struct streams_assignment *a, const struct streams_assignment *b);
bool streams_assignment_meet(
    const struct streams_assignment *a, const struct streams_assignment *b);

void streams_assignment_own(
    struct streams_assignment *owned, const struct streams_assignment *value);

#endif
