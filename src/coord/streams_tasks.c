#include "coord/streams_tasks.h"

struct streams_tasks
streams_tasks_new(struct arena *arena, int32_t count)
{
	struct streams_tasks set = { 0 };

	set.tasks = arena_xcalloc(arena, (size_t)count, sizeof(*set.tasks));
	return set;
}

void
streams_tasks_add(struct streams_tasks *set, struct slice subtopology,
    int32_t partition, int32_t epoch)
{
	set->tasks[set->count++] =
	    (struct streams_task){ subtopology, partition, epoch };
}

int
streams_task_compare(const struct streams_task *a, const struct streams_task *b)
{
	int order = slice_compare(a->subtopology, b->subtopology);

	if (order != 0)
		return order;
	return (a->partition > b->partition) - (a->partition < b->partition);
}

static int
compare(const void *a, const void *b)
{
	return streams_task_compare(a, b);
}

void
streams_tasks_sort(struct streams_tasks *set)
{
	int32_t kept = 0;

	if (set->count == 0)
		return;
	qsort(set->tasks, (size_t)set->count, sizeof(*set->tasks), compare);
	for (int32_t i = 1; i < set->count; i++)
		if (compare(&set->tasks[kept], &set->tasks[i]) != 0)
			set->tasks[++kept] = set->tasks[i];
	set->count = kept + 1;
}

const struct streams_task *
streams_tasks_find(const struct streams_tasks *set, struct slice subtopology,
    int32_t partition)
{
	const struct streams_task task = { subtopology, partition, 0 };

	return set->count == 0 ? NULL :
				 bsearch(&task, set->tasks, (size_t)set->count,
				     sizeof(*set->tasks), compare);
}

bool
streams_tasks_same(const struct streams_tasks *a, const struct streams_tasks *b)
{
	if (a->count != b->count)
		return false;
	for (int32_t i = 0; i < a->count; i++)
		if (compare(&a->tasks[i], &b->tasks[i]) != 0)
			return false;
	return true;
}

bool
streams_tasks_equal(
    const struct streams_tasks *a, const struct streams_tasks *b)
{
	if (!streams_tasks_same(a, b))
		return false;
	for (int32_t i = 0; i < a->count; i++)
		if (a->tasks[i].epoch != b->tasks[i].epoch)
			return false;
	return true;
}

/*
 * Walk both: which of the two comes next at *i and *j, a negative number for
 * a's, a positive one for b's, 0 for one that is in both.
 */
static int
next_of(const struct streams_tasks *a, int32_t i, const struct streams_tasks *b,
    int32_t j)
{
	if (i == a->count)
		return 1;
	return j == b->count ? -1 : compare(&a->tasks[i], &b->tasks[j]);
}

bool
streams_tasks_within(
    const struct streams_tasks *a, const struct streams_tasks *b)
{
	for (int32_t i = 0, j = 0; i < a->count;) {
		int order = next_of(a, i, b, j);

		if (order < 0)
			return false;
		i += order == 0;
		j++;
	}
	return true;
}

bool
streams_tasks_meet(const struct streams_tasks *a, const struct streams_tasks *b)
{
	for (int32_t i = 0, j = 0; i < a->count && j < b->count;) {
		int order = next_of(a, i, b, j);

		if (order == 0)
			return true;
		i += order < 0;
		j += order > 0;
	}
	return false;
}

/* Those of a that are in b, or those that are not. */
static struct streams_tasks
part_of(struct arena *arena, const struct streams_tasks *a,
    const struct streams_tasks *b, bool in_both)
{
	struct streams_tasks out = streams_tasks_new(arena, a->count);

	for (int32_t i = 0, j = 0; i < a->count;) {
		int order = next_of(a, i, b, j);

		if (order <= 0 && (order == 0) == in_both)
			out.tasks[out.count++] = a->tasks[i];
		i += order <= 0;
		j += order >= 0;
	}
	return out;
}

struct streams_tasks
streams_tasks_common(struct arena *arena, const struct streams_tasks *a,
    const struct streams_tasks *b)
{
	return part_of(arena, a, b, true);
}

struct streams_tasks
streams_tasks_minus(struct arena *arena, const struct streams_tasks *a,
    const struct streams_tasks *b)
{
	return part_of(arena, a, b, false);
}

struct streams_tasks
streams_tasks_plus(struct arena *arena, const struct streams_tasks *a,
    const struct streams_tasks *b)
{
	struct streams_tasks out =
	    streams_tasks_new(arena, a->count + b->count);

	for (int32_t i = 0, j = 0; i < a->count || j < b->count;) {
		int order = next_of(a, i, b, j);

		out.tasks[out.count++] = order <= 0 ? a->tasks[i] : b->tasks[j];
		i += order <= 0;
		j += order >= 0;
	}
	return out;
}

int32_t
streams_tasks_run(const struct streams_tasks *set, int32_t at)
{
	int32_t end = at + 1;

	while (end < set->count &&
	    slice_equal(
		set->tasks[end].subtopology, set->tasks[at].subtopology))
		end++;
	return end - at;
}

int32_t *
streams_tasks_partitions(struct arena *arena, const struct streams_tasks *set,
    int32_t at, int32_t count)
{
	int32_t *partitions =
	    arena_xcalloc(arena, (size_t)count, sizeof(*partitions));

	for (int32_t i = 0; i < count; i++)
		partitions[i] = set->tasks[at + i].partition;
	return partitions;
}

/* --- What a group owns --------------------------------------------------- */

/* The names stand behind the tasks, each once. */
static size_t
names_len(const struct streams_tasks *set)
{
	size_t len = 0;

	for (int32_t i = 0; i < set->count; i += streams_tasks_run(set, i))
		len += set->tasks[i].subtopology.len;
	return len;
}

static struct streams_tasks
copy_of(const struct streams_tasks *set)
{
	size_t bytes = (size_t)set->count * sizeof(*set->tasks);
	struct streams_tasks copy = { xmalloc(bytes + names_len(set)),
		set->count };
	uint8_t *name = (uint8_t *)copy.tasks + bytes;

	memcpy(copy.tasks, set->tasks, bytes);
	for (int32_t i = 0, run; i < set->count; i += run) {
		struct slice from = set->tasks[i].subtopology;

		run = streams_tasks_run(set, i);
		if (from.len > 0)
			memcpy(name, from.data, from.len);
		for (int32_t t = i; t < i + run; t++)
			copy.tasks[t].subtopology = slice_of(name, from.len);
		name += from.len;
	}
	return copy;
}

void
streams_tasks_own(
    struct streams_tasks *owned, const struct streams_tasks *value)
{
	struct streams_tasks copy = { 0 };

	if (value->count > 0)
		copy = copy_of(value);
	free(owned->tasks);
	*owned = copy;
}

/* --- Assignments --------------------------------------------------------- */

int32_t
streams_assignment_count(const struct streams_assignment *assignment)
{
	int32_t count = 0;

	for (int kind = 0; kind < STREAMS_KINDS; kind++)
		count += assignment->kinds[kind].count;
	return count;
}

bool
streams_assignment_same(
    const struct streams_assignment *a, const struct streams_assignment *b)
{
	for (int kind = 0; kind < STREAMS_KINDS; kind++)
		if (!streams_tasks_same(&a->kinds[kind], &b->kinds[kind]))
			return false;
	return true;
}

bool
streams_assignment_equal(
    const struct streams_assignment *a, const struct streams_assignment *b)
{
	for (int kind = 0; kind < STREAMS_KINDS; kind++)
		if (!streams_tasks_equal(&a->kinds[kind], &b->kinds[kind]))
			return false;
	return true;
}

bool
streams_assignment_within(
    const struct streams_assignment *a, const struct streams_assignment *b)
{
	for (int kind = 0; kind < STREAMS_KINDS; kind++)
		if (!streams_tasks_within(&a->kinds[kind], &b->kinds[kind]))
			return false;
	return true;
}

bool
streams_assignment_meet(
    const struct streams_assignment *a, const struct streams_assignment *b)
{
	for (int kind = 0; kind < STREAMS_KINDS; kind++)
		if (streams_tasks_meet(&a->kinds[kind], &b->kinds[kind]))
			return true;
	return false;
}

void
streams_assignment_own(
    struct streams_assignment *owned, const struct streams_assignment *value)
{
	for (int kind = 0; kind < STREAMS_KINDS; kind++)
		streams_tasks_own(&owned->kinds[kind], &value->kinds[kind]);
}
