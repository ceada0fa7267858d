#include "coord/share_state_batches.h"

/*
 * Batches that wait for their turn, the first one at the end: what is put back
 * is nearly first again, so little has to move for it.
 */
struct waiting {
	struct share_state_batch *items;
	int32_t count;
	int32_t room;
};

static int
compare_deliveries(
    const struct share_state_batch *a, const struct share_state_batch *b)
{
	if (a->delivery_count != b->delivery_count)
		return a->delivery_count < b->delivery_count ? -1 : 1;
	return a->delivery_state - b->delivery_state;
}

static int
compare(const struct share_state_batch *a, const struct share_state_batch *b)
{
	if (a->first_offset != b->first_offset)
		return a->first_offset < b->first_offset ? -1 : 1;
	if (a->last_offset != b->last_offset)
		return a->last_offset < b->last_offset ? -1 : 1;
	return compare_deliveries(a, b);
}

static int
compare_backwards(const void *a, const void *b)
{
	return compare(b, a);
}

static const struct share_state_batch *
first(const struct waiting *waiting)
{
	return &waiting->items[waiting->count - 1];
}

static struct share_state_batch
pop(struct waiting *waiting)
{
	assert(waiting->count > 0);
	return waiting->items[--waiting->count];
}

/* Put back a part of a batch that was taken: there is room. */
static void
push(struct waiting *waiting, const struct share_state_batch *like,
    int64_t first_offset, int64_t last_offset)
{
	struct share_state_batch batch = *like;
	int32_t at = waiting->count++;

	assert(at < waiting->room);
	batch.first_offset = first_offset;
	batch.last_offset = last_offset;
	for (; at > 0 && compare(&waiting->items[at - 1], &batch) < 0; at--)
		waiting->items[at] = waiting->items[at - 1];
	waiting->items[at] = batch;
}

/* Have the two to be looked at together?  a comes first. */
static bool
meet(const struct share_state_batch *a, const struct share_state_batch *b)
{
	return b->first_offset <= a->last_offset ||
	    (b->first_offset == a->last_offset + 1 &&
		compare_deliveries(a, b) == 0);
}

/* What is left of two that meet: they differ, and b counts. */
static void
put_higher(struct waiting *waiting, const struct share_state_batch *a,
    const struct share_state_batch *b)
{
	if (a->first_offset < b->first_offset)
		push(waiting, a, a->first_offset, b->first_offset - 1);
	push(waiting, b, b->first_offset, b->last_offset);
	if (b->last_offset < a->last_offset)
		push(waiting, a, b->last_offset + 1, a->last_offset);
}

/* The same where a counts. */
static void
put_lower(struct waiting *waiting, const struct share_state_batch *a,
    const struct share_state_batch *b)
{
	push(waiting, a, a->first_offset, a->last_offset);
	if (a->last_offset < b->last_offset)
		push(waiting, b, a->last_offset + 1, b->last_offset);
}

static void
put_back(struct waiting *waiting, const struct share_state_batch *a,
    const struct share_state_batch *b)
{
	int order = compare_deliveries(a, b);

	if (order == 0)
		push(waiting, a, a->first_offset,
		    MAX(a->last_offset, b->last_offset));
	else if (order < 0)
		put_higher(waiting, a, b);
	else
		put_lower(waiting, a, b);
}

/* Those from start_offset on, the first one cut there. */
static void
add(struct waiting *waiting, const struct share_state_batch *items,
    int32_t count, int64_t start_offset)
{
	for (int32_t i = 0; i < count; i++) {
		struct share_state_batch batch = items[i];

		if (batch.last_offset < start_offset)
			continue;
		batch.first_offset = MAX(batch.first_offset, start_offset);
		waiting->items[waiting->count++] = batch;
	}
}

struct share_state_batches
share_state_batches_combine(const struct share_state_batches *so_far,
    const struct share_state_batch *more, int32_t count, int64_t start_offset)
{
	struct share_state_batches result = { NULL, 0 };
	/* Each batch splits another one in two at most. */
	struct waiting waiting = { .room = 2 * (so_far->count + count) };

	if (waiting.room == 0)
		return result;
	waiting.items = xcalloc((size_t)waiting.room, sizeof(*waiting.items));
	result.items = xcalloc((size_t)waiting.room, sizeof(*result.items));
	add(&waiting, so_far->items, so_far->count, start_offset);
	add(&waiting, more, count, start_offset);
	qsort(waiting.items, (size_t)waiting.count, sizeof(*waiting.items),
	    compare_backwards);
	while (waiting.count > 0) {
		struct share_state_batch batch = pop(&waiting);

		if (waiting.count > 0 && meet(&batch, first(&waiting))) {
			struct share_state_batch other = pop(&waiting);

			put_back(&waiting, &batch, &other);
		} else {
			result.items[result.count++] = batch;
		}
	}
	free(waiting.items);
	return result;
}
