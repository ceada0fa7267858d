#include "store/log_tail.h"

#define CAPACITY_FIRST 16

void
log_tail_init(struct log_tail *tail)
{
	*tail = (struct log_tail){ .entries = NULL };
}

void
log_tail_fini(struct log_tail *tail)
{
	free(tail->entries);
	log_tail_init(tail);
}

void
log_tail_clear(struct log_tail *tail)
{
	tail->first = 0;
	tail->count = 0;
}

static struct log_tail_entry *
entry_at(const struct log_tail *tail, size_t i)
{
	return &tail->entries[(tail->first + i) & (tail->capacity - 1)];
}

static void
grow(struct log_tail *tail)
{
	size_t capacity =
	    tail->capacity == 0 ? CAPACITY_FIRST : 2 * tail->capacity;
	struct log_tail_entry *entries = xcalloc(capacity, sizeof(*entries));

	for (size_t i = 0; i < tail->count; i++)
		entries[i] = *entry_at(tail, i);
	free(tail->entries);
	tail->entries = entries;
	tail->capacity = capacity;
	tail->first = 0;
}

void
log_tail_push(struct log_tail *tail, int64_t base_offset, int64_t position,
    int64_t keep_from)
{
	if (tail->count == tail->capacity) {
		if (tail->capacity == 0 ||
		    (tail->capacity < LOG_TAIL_MAX &&
			entry_at(tail, 0)->base_offset >= keep_from)) {
			grow(tail);
		} else {
			tail->first++;
			tail->count--;
		}
	}
	*entry_at(tail, tail->count) = (struct log_tail_entry){
		.base_offset = base_offset,
		.position = position,
	};
	tail->count++;
}

bool
log_tail_find(const struct log_tail *tail, int64_t offset, int64_t *position,
    int64_t *end)
{
	size_t low = 0;
	size_t high = tail->count;

	/* Batches below low begin at or before offset. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (entry_at(tail, middle)->base_offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return false;
	*position = entry_at(tail, low - 1)->position;
	*end = low == tail->count ? -1 : entry_at(tail, low)->position;
	return true;
}

int64_t
log_tail_floor(const struct log_tail *tail, int64_t limit, int64_t size_bytes)
{
	size_t low = 0;
	size_t high = tail->count;

	if (limit >= size_bytes)
		return size_bytes;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (entry_at(tail, middle)->position <= limit)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? -1 : entry_at(tail, low - 1)->position;
}
