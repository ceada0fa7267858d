/*
 * Uniform, where members differ in what they subscribe to: what a member had
 * and still subscribes to stays with it, what is free goes to the subscriber
 * that has least, and then partitions move between subscribers of the same
 * topic until these differ by one at the most, or nothing moves any more.
 */
#include "coord/assignor.h"

#define ROUNDS_MAX 16
#define NOBODY (-1)

struct topic {
	int32_t index;        /* in the job */
	int32_t *subscribers; /* members, ascending */
	int32_t subscribers_count;
};

struct mixed {
	struct assignor_job *job;
	const int32_t *first_numbers;
	struct topic *topics; /* by index */
	struct topic **order; /* in which they are assigned */
	int32_t *owners;      /* of each partition, by number */
	int32_t *loads;       /* of each member */
};

/* --- A heap of members by their load ------------------------------------- */

/*
 * Entries are not moved when a load changes: who changes one adds another, and
 * those that are not true any more are passed over.
 */
struct heap {
	int64_t *keys;
	size_t count;
	size_t capacity;
};

static void
heap_add(struct heap *heap, int64_t key)
{
	size_t i = heap->count++;

	if (i == heap->capacity) {
		heap->capacity = MAX(16, heap->capacity * 2);
		heap->keys =
		    xrealloc(heap->keys, heap->capacity * sizeof(*heap->keys));
	}
	for (; i > 0 && heap->keys[(i - 1) / 2] > key; i = (i - 1) / 2)
		heap->keys[i] = heap->keys[(i - 1) / 2];
	heap->keys[i] = key;
}

static void
heap_drop_first(struct heap *heap)
{
	int64_t key = heap->keys[--heap->count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < heap->count) {
		if (child + 1 < heap->count &&
		    heap->keys[child + 1] < heap->keys[child])
			child++;
		if (heap->keys[child] >= key)
			break;
		heap->keys[i] = heap->keys[child];
		i = child;
	}
	heap->keys[i] = key;
}

static int64_t
key_of(int32_t rank, int32_t member)
{
	return (int64_t)rank << 32 | member;
}

/* The least loaded come first in one heap, the most loaded in another. */
static void
add_least(const struct mixed *x, struct heap *heap, int32_t member)
{
	heap_add(heap, key_of(x->loads[member], member));
}

static void
add_most(const struct mixed *x, struct heap *heap, int32_t member)
{
	heap_add(heap, key_of(INT32_MAX - x->loads[member], member));
}

static int32_t
least(const struct mixed *x, struct heap *heap)
{
	for (;; heap_drop_first(heap)) {
		int32_t member = (int32_t)heap->keys[0];

		if (heap->keys[0] == key_of(x->loads[member], member))
			return member;
	}
}

/* --- Setting up ---------------------------------------------------------- */

static void
collect_subscribers(struct mixed *x)
{
	const struct assignor_job *job = x->job;
	struct arena *arena = job->arena;

	x->topics =
	    arena_xcalloc(arena, (size_t)job->topics_count, sizeof(*x->topics));
	for (int32_t m = 0; m < job->members_count; m++)
		for (int32_t i = 0; i < job->members[m].topics_count; i++)
			x->topics[job->members[m].topics[i]]
			    .subscribers_count++;
	for (int32_t t = 0; t < job->topics_count; t++) {
		x->topics[t].index = t;
		x->topics[t].subscribers = arena_xcalloc(arena,
		    (size_t)x->topics[t].subscribers_count, sizeof(int32_t));
		x->topics[t].subscribers_count = 0;
	}
	for (int32_t m = 0; m < job->members_count; m++)
		for (int32_t i = 0; i < job->members[m].topics_count; i++) {
			struct topic *topic =
			    &x->topics[job->members[m].topics[i]];

			topic->subscribers[topic->subscribers_count++] = m;
		}
}

static bool
subscribes(const struct topic *topic, int32_t member)
{
	int32_t low = 0, high = topic->subscribers_count;

	while (low < high) {
		int32_t middle = low + (high - low) / 2;

		if (topic->subscribers[middle] < member)
			low = middle + 1;
		else
			high = middle;
	}
	return low < topic->subscribers_count &&
	    topic->subscribers[low] == member;
}

static void
keep(struct mixed *x, const struct assignor_index *index, int32_t member)
{
	const struct consumer_assignment *had = &x->job->members[member].had;

	for (int32_t i = 0; i < had->count; i++) {
		const struct consumer_partition *p = &had->partitions[i];
		int32_t t = assignor_index_find(index, p->topic_id);
		int32_t *owner;

		if (t < 0 || p->partition < 0 ||
		    p->partition >= x->job->topics[t].partitions_count ||
		    !subscribes(&x->topics[t], member))
			continue;
		owner = &x->owners[x->first_numbers[t] + p->partition];
		if (*owner != NOBODY)
			continue;
		*owner = member;
		x->loads[member]++;
	}
}

static void
keep_all(struct mixed *x, int32_t total)
{
	struct assignor_index *index = assignor_index_new(x->job);
	struct arena *arena = x->job->arena;

	x->owners = arena_xcalloc(arena, (size_t)total, sizeof(*x->owners));
	x->loads = arena_xcalloc(
	    arena, (size_t)x->job->members_count, sizeof(*x->loads));
	for (int32_t number = 0; number < total; number++)
		x->owners[number] = NOBODY;
	for (int32_t m = 0; m < x->job->members_count; m++)
		keep(x, index, m);
	assignor_index_free(index);
}

/* --- Assigning ----------------------------------------------------------- */

/* The job that is sorted, which qsort does not hand on. */
struct ordered {
	const struct assignor_topic *topic;
	struct topic *entry;
};

/* More partitions for each subscriber first; by cross multiplication. */
static int
compare(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;
	int64_t x_share =
	    (int64_t)x->topic->partitions_count * y->entry->subscribers_count;
	int64_t y_share =
	    (int64_t)y->topic->partitions_count * x->entry->subscribers_count;

	if (x_share != y_share)
		return x_share > y_share ? -1 : 1;
	if (x->entry->subscribers_count != y->entry->subscribers_count)
		return x->entry->subscribers_count <
			y->entry->subscribers_count ?
		    -1 :
		    1;
	return memcmp(
	    x->topic->id.bytes, y->topic->id.bytes, sizeof(x->topic->id.bytes));
}

static void
sort_topics(struct mixed *x)
{
	size_t count = (size_t)x->job->topics_count;
	struct ordered *ordered =
	    arena_xcalloc(x->job->arena, count, sizeof(*ordered));

	x->order = arena_xcalloc(x->job->arena, count, sizeof(struct topic *));
	for (size_t i = 0; i < count; i++)
		ordered[i] =
		    (struct ordered){ &x->job->topics[i], &x->topics[i] };
	if (count > 0)
		qsort(ordered, count, sizeof(*ordered), compare);
	for (size_t i = 0; i < count; i++)
		x->order[i] = ordered[i].entry;
}

static void
assign_free(struct mixed *x, const struct topic *topic)
{
	int32_t first = x->first_numbers[topic->index];
	int32_t end = x->first_numbers[topic->index + 1];
	struct heap heap = { 0 };

	for (int32_t i = 0; i < topic->subscribers_count; i++)
		add_least(x, &heap, topic->subscribers[i]);
	for (int32_t number = first; number < end && heap.count > 0; number++) {
		int32_t member;

		if (x->owners[number] != NOBODY)
			continue;
		member = least(x, &heap);
		x->owners[number] = member;
		x->loads[member]++;
		add_least(x, &heap, member);
	}
	free(heap.keys);
}

/* --- Balancing ----------------------------------------------------------- */

/* What is under way with one topic. */
struct balance {
	struct mixed *x;
	struct heap least;
	struct heap most;            /* of those that own some of it */
	struct assignor_list *owned; /* by member */
};

/* The most loaded that owns some; NOBODY: nobody does. */
static int32_t
most(struct balance *b)
{
	for (; b->most.count > 0; heap_drop_first(&b->most)) {
		int32_t member = (int32_t)b->most.keys[0];
		int32_t rank = INT32_MAX - b->x->loads[member];

		if (b->most.keys[0] == key_of(rank, member) &&
		    b->owned[member].count > 0)
			return member;
	}
	return NOBODY;
}

static void
move(struct balance *b, int32_t from, int32_t to)
{
	struct assignor_list *list = &b->owned[from];
	int32_t number = list->numbers[--list->count];
	struct mixed *x = b->x;

	assignor_list_add(&b->owned[to], number, x->job->arena);
	x->owners[number] = to;
	x->loads[from]--;
	x->loads[to]++;
	add_least(x, &b->least, from);
	add_least(x, &b->least, to);
	add_most(x, &b->most, from);
	add_most(x, &b->most, to);
}

static bool
balance_moves(struct balance *b)
{
	bool moved = false;

	for (;;) {
		int32_t from = most(b), to;

		if (from == NOBODY)
			return moved;
		to = least(b->x, &b->least);
		if (b->x->loads[from] - b->x->loads[to] <= 1)
			return moved;
		move(b, from, to);
		moved = true;
	}
}

/* owned is empty, and is again on return. */
static bool
balance_topic(
    struct mixed *x, const struct topic *topic, struct assignor_list *owned)
{
	struct balance b = { .x = x, .owned = owned };
	int32_t first = x->first_numbers[topic->index];
	int32_t end = x->first_numbers[topic->index + 1];
	bool moved;

	for (int32_t number = first; number < end; number++)
		assignor_list_add(
		    &owned[x->owners[number]], number, x->job->arena);
	for (int32_t i = 0; i < topic->subscribers_count; i++) {
		add_least(x, &b.least, topic->subscribers[i]);
		if (owned[topic->subscribers[i]].count > 0)
			add_most(x, &b.most, topic->subscribers[i]);
	}
	moved = balance_moves(&b);
	for (int32_t i = 0; i < topic->subscribers_count; i++)
		owned[topic->subscribers[i]].count = 0;
	free(b.least.keys);
	free(b.most.keys);
	return moved;
}

static void
balance(struct mixed *x)
{
	struct assignor_list *owned = arena_xcalloc(
	    x->job->arena, (size_t)x->job->members_count, sizeof(*owned));
	bool moved = true;

	for (int round = 0; round < ROUNDS_MAX && moved; round++) {
		moved = false;
		for (int32_t i = 0; i < x->job->topics_count; i++)
			if (x->order[i]->subscribers_count > 1)
				moved |= balance_topic(x, x->order[i], owned);
	}
}

static void
conclude(struct mixed *x, int32_t total)
{
	struct assignor_list *lists = arena_xcalloc(
	    x->job->arena, (size_t)x->job->members_count, sizeof(*lists));

	for (int32_t number = 0; number < total; number++)
		if (x->owners[number] != NOBODY)
			assignor_list_add(
			    &lists[x->owners[number]], number, x->job->arena);
	assignor_conclude(x->job, lists, x->first_numbers);
}

void
assignor_uniform_mixed(struct assignor_job *job)
{
	struct mixed x = { .job = job };
	int32_t total;

	x.first_numbers = assignor_first_numbers(job, &total);
	collect_subscribers(&x);
	keep_all(&x, total);
	sort_topics(&x);
	for (int32_t i = 0; i < job->topics_count; i++)
		assign_free(&x, x.order[i]);
	balance(&x);
	conclude(&x, total);
}
