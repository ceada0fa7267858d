#include "coord/consumer_assignment.h"

int
consumer_partition_compare(
    const struct consumer_partition *a, const struct consumer_partition *b)
{
	int order = memcmp(
	    a->topic_id.bytes, b->topic_id.bytes, sizeof(a->topic_id.bytes));

	if (order != 0)
		return order;
	return (a->partition > b->partition) - (a->partition < b->partition);
}

static int
compare(const void *a, const void *b)
{
	return consumer_partition_compare(a, b);
}

struct consumer_assignment
consumer_assignment_new(struct arena *arena, int32_t count)
{
	return (struct consumer_assignment){
		.partitions = arena_xcalloc(
		    arena, (size_t)count, sizeof(struct consumer_partition)),
	};
}

void
consumer_assignment_add(struct consumer_assignment *set, struct uuid topic_id,
    int32_t partition, int32_t epoch)
{
	set->partitions[set->count++] =
	    (struct consumer_partition){ topic_id, partition, epoch };
}

/* In order, and each once. */
static bool
sorted(const struct consumer_assignment *set)
{
	for (int32_t i = 1; i < set->count; i++)
		if (compare(&set->partitions[i - 1], &set->partitions[i]) >= 0)
			return false;
	return true;
}

void
consumer_assignment_sort(struct consumer_assignment *set)
{
	int32_t kept = 0;

	/* Assignors mostly make them so, and often. */
	if (sorted(set))
		return;
	qsort(set->partitions, (size_t)set->count, sizeof(*set->partitions),
	    compare);
	for (int32_t i = 1; i < set->count; i++)
		if (compare(&set->partitions[kept], &set->partitions[i]) != 0)
			set->partitions[++kept] = set->partitions[i];
	set->count = kept + 1;
}

const struct consumer_partition *
consumer_assignment_find(const struct consumer_assignment *set,
    struct uuid topic_id, int32_t partition)
{
	const struct consumer_partition wanted = { topic_id, partition, 0 };

	if (set->count == 0)
		return NULL;
	return bsearch(&wanted, set->partitions, (size_t)set->count,
	    sizeof(*set->partitions), compare);
}

/* --- Comparing ----------------------------------------------------------- */

bool
consumer_assignment_same(
    const struct consumer_assignment *a, const struct consumer_assignment *b)
{
	if (a->count != b->count)
		return false;
	for (int32_t i = 0; i < a->count; i++)
		if (compare(&a->partitions[i], &b->partitions[i]) != 0)
			return false;
	return true;
}

bool
consumer_assignment_equal(
    const struct consumer_assignment *a, const struct consumer_assignment *b)
{
	if (!consumer_assignment_same(a, b))
		return false;
	for (int32_t i = 0; i < a->count; i++)
		if (a->partitions[i].epoch != b->partitions[i].epoch)
			return false;
	return true;
}

/*
 * Walk both in order: out gets what of a is in b (common), or what is not.
 * The number of them; out may be NULL.
 */
static int32_t
merge(const struct consumer_assignment *a, const struct consumer_assignment *b,
    bool common, struct consumer_assignment *out)
{
	int32_t count = 0, j = 0;

	for (int32_t i = 0; i < a->count; i++) {
		const struct consumer_partition *p = &a->partitions[i];

		while (j < b->count && compare(&b->partitions[j], p) < 0)
			j++;
		if ((j < b->count && compare(&b->partitions[j], p) == 0) !=
		    common)
			continue;
		count++;
		if (out != NULL)
			out->partitions[out->count++] = *p;
	}
	return count;
}

bool
consumer_assignment_within(
    const struct consumer_assignment *a, const struct consumer_assignment *b)
{
	return merge(a, b, true, NULL) == a->count;
}

bool
consumer_assignment_meet(
    const struct consumer_assignment *a, const struct consumer_assignment *b)
{
	return merge(a, b, true, NULL) != 0;
}

/* --- Making -------------------------------------------------------------- */

struct consumer_assignment
consumer_assignment_common(struct arena *arena,
    const struct consumer_assignment *a, const struct consumer_assignment *b)
{
	struct consumer_assignment out =
	    consumer_assignment_new(arena, MIN(a->count, b->count));

	merge(a, b, true, &out);
	return out;
}

struct consumer_assignment
consumer_assignment_minus(struct arena *arena,
    const struct consumer_assignment *a, const struct consumer_assignment *b)
{
	struct consumer_assignment out =
	    consumer_assignment_new(arena, a->count);

	merge(a, b, false, &out);
	return out;
}

struct consumer_assignment
consumer_assignment_plus(struct arena *arena,
    const struct consumer_assignment *a, const struct consumer_assignment *b)
{
	struct consumer_assignment out =
	    consumer_assignment_new(arena, a->count + b->count);
	int32_t i = 0, j = 0;

	while (i < a->count || j < b->count) {
		int order = i == a->count ?
		    1 :
		    j == b->count ?
		    -1 :
		    compare(&a->partitions[i], &b->partitions[j]);

		out.partitions[out.count++] =
		    order <= 0 ? a->partitions[i] : b->partitions[j];
		i += order <= 0;
		j += order >= 0;
	}
	return out;
}

struct consumer_assignment
consumer_assignment_at(
    struct arena *arena, const struct consumer_assignment *set, int32_t epoch)
{
	struct consumer_assignment out =
	    consumer_assignment_new(arena, set->count);

	for (int32_t i = 0; i < set->count; i++)
		consumer_assignment_add(&out, set->partitions[i].topic_id,
		    set->partitions[i].partition, epoch);
	return out;
}

int32_t
consumer_assignment_run(const struct consumer_assignment *set, int32_t at)
{
	int32_t end = at + 1;

	while (end < set->count &&
	    uuid_equal(
		set->partitions[end].topic_id, set->partitions[at].topic_id))
		end++;
	return end - at;
}

void
consumer_assignment_own(
    struct consumer_assignment *owned, struct consumer_assignment value)
{
	size_t size = (size_t)value.count * sizeof(*value.partitions);
	struct consumer_assignment copy = { NULL, value.count };

	if (value.count > 0) {
		copy.partitions = xmalloc(size);
		memcpy(copy.partitions, value.partitions, size);
	}
	free(owned->partitions);
	*owned = copy;
}
