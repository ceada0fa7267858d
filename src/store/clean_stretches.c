#include "store/clean_stretches.h"

#include "wire/batch.h"

/* As far as a stretch of several batches goes. */
#define STRETCH_LEN (16 << 10)
#define CAP_MIN 64
/* Those of 128 million offsets take 16 MB. */
#define BITS_MAX (INT64_C(128) << 20)
#define WORD_BITS 64

static size_t
word_count(int64_t bit_count)
{
	return (size_t)bit_count / WORD_BITS + 1;
}

void
clean_stretches_init(struct clean_stretches *stretches, size_t count_max,
    int64_t first_offset, int64_t end_offset)
{
	int64_t bit_count = MIN(BITS_MAX, end_offset - first_offset);

	assert(bit_count >= 0);
	*stretches = (struct clean_stretches){
		.count_max = count_max,
		.closed = true,
		.latest = xcalloc(word_count(bit_count), sizeof(uint64_t)),
		.first_offset = first_offset,
		.bit_count = bit_count,
	};
}

void
clean_stretches_fini(struct clean_stretches *stretches)
{
	free(stretches->stretches);
	free(stretches->latest);
	*stretches = (struct clean_stretches){ .closed = true };
}

size_t
clean_stretches_bytes_max(const struct clean_stretches *stretches)
{
	return stretches->count_max * CLEAN_STRETCH_LEN +
	    word_count(stretches->bit_count) * sizeof(uint64_t);
}

/* --- Bits ----------------------------------------------------------------- */

static bool
has_bit(const struct clean_stretches *stretches, int64_t offset)
{
	return offset >= stretches->first_offset &&
	    offset - stretches->first_offset < stretches->bit_count;
}

/* The word that has the offset's bit, and the bit in it. */
static uint64_t *
word_of(const struct clean_stretches *stretches, int64_t offset, uint64_t *bit)
{
	uint64_t at = (uint64_t)(offset - stretches->first_offset);

	*bit = UINT64_C(1) << at % WORD_BITS;
	return &stretches->latest[at / WORD_BITS];
}

void
clean_stretches_put(
    struct clean_stretches *stretches, int64_t offset, int64_t before)
{
	uint64_t *word, bit;

	if (has_bit(stretches, before)) {
		word = word_of(stretches, before, &bit);
		*word &= ~bit;
	}
	if (has_bit(stretches, offset)) {
		word = word_of(stretches, offset, &bit);
		*word |= bit;
	}
}

bool
clean_stretches_is_latest(
    const struct clean_stretches *stretches, int64_t offset)
{
	uint64_t bit;

	return has_bit(stretches, offset) &&
	    (*word_of(stretches, offset, &bit) & bit) != 0;
}

/* How many records between two offsets, which have bits, are the latest. */
static int32_t
count_latest(
    const struct clean_stretches *stretches, int64_t from, int64_t last)
{
	uint64_t from_bit, last_bit;
	const uint64_t *first = word_of(stretches, from, &from_bit);
	const uint64_t *end = word_of(stretches, last, &last_bit);
	int32_t count = 0;

	for (const uint64_t *word = first; word <= end; word++) {
		uint64_t bits = *word;

		if (word == first)
			bits &= ~(from_bit - 1);
		if (word == end)
			bits &= last_bit | (last_bit - 1);
		count += __builtin_popcountll(bits);
	}
	return count;
}

void
clean_stretches_complete(struct clean_stretches *stretches)
{
	for (size_t i = 0; i < stretches->count; i++) {
		struct clean_stretch *stretch = &stretches->stretches[i];

		stretch->left = count_latest(stretches, stretch->base_offset,
		    stretch->last_offset);
	}
}

/* --- Building ------------------------------------------------------------- */

void
clean_stretches_break(struct clean_stretches *stretches)
{
	stretches->closed = true;
}

static bool
may_join(const struct clean_stretches *stretches, const struct batch *batch,
    int64_t position)
{
	const struct clean_stretch *stretch;

	if (stretches->closed)
		return false;
	stretch = &stretches->stretches[stretches->count - 1];
	return batch->producer_id == stretch->producer_id &&
	    position == (int64_t)stretch->position + stretch->size_bytes &&
	    (size_t)stretch->size_bytes + batch->size_bytes <= STRETCH_LEN;
}

static struct clean_stretch *
begin(struct clean_stretches *stretches, const struct batch *batch,
    int64_t position)
{
	struct clean_stretch *stretch;

	if (stretches->count == stretches->cap) {
		stretches->cap = MIN(stretches->count_max,
		    MAX(CAP_MIN, 2 * stretches->cap));
		stretches->stretches = xrealloc(stretches->stretches,
		    stretches->cap * sizeof(*stretches->stretches));
	}
	stretch = &stretches->stretches[stretches->count++];
	*stretch = (struct clean_stretch){
		.base_offset = batch->base_offset,
		.producer_id = batch->producer_id,
		.position = (int32_t)position,
	};
	stretches->closed = false;
	return stretch;
}

struct clean_stretch *
clean_stretches_add(struct clean_stretches *stretches,
    const struct batch *batch, int64_t position)
{
	struct clean_stretch *stretch;

	assert(position + (int64_t)batch->size_bytes <= INT32_MAX);
	if (!has_bit(stretches, batch->base_offset) ||
	    !has_bit(stretches, batch->last_offset)) {
		clean_stretches_break(stretches);
		return NULL;
	}
	if (may_join(stretches, batch, position)) {
		stretch = &stretches->stretches[stretches->count - 1];
	} else if (stretches->count < stretches->count_max) {
		stretch = begin(stretches, batch, position);
	} else {
		clean_stretches_break(stretches);
		return NULL;
	}
	stretch->last_offset = batch->last_offset;
	stretch->size_bytes += (int32_t)batch->size_bytes;
	return stretch;
}

/* --- Finding -------------------------------------------------------------- */

static size_t
index_from(const struct clean_stretches *stretches, int64_t offset)
{
	size_t low = 0, high = stretches->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (stretches->stretches[middle].base_offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct clean_stretch *
clean_stretches_from(const struct clean_stretches *stretches, int64_t offset)
{
	size_t at = index_from(stretches, offset);

	return at == stretches->count ? NULL : &stretches->stretches[at];
}

static struct clean_stretch *
find(const struct clean_stretches *stretches, int64_t offset)
{
	size_t behind = index_from(stretches, offset + 1);
	struct clean_stretch *stretch;

	if (behind == 0)
		return NULL;
	stretch = &stretches->stretches[behind - 1];
	return offset <= stretch->last_offset ? stretch : NULL;
}

const struct clean_stretch *
clean_stretches_find(const struct clean_stretches *stretches, int64_t offset)
{
	return find(stretches, offset);
}

const struct clean_stretch *
clean_stretches_at(const struct clean_stretches *stretches,
    int64_t next_offset, int64_t end_offset, int64_t position)
{
	const struct clean_stretch *stretch =
	    clean_stretches_from(stretches, next_offset);

	return stretch != NULL && stretch->position == position &&
		stretch->base_offset < end_offset ?
	    stretch :
	    NULL;
}

void
clean_stretches_need(struct clean_stretches *stretches, int64_t offset)
{
	struct clean_stretch *stretch = find(stretches, offset);

	if (stretch != NULL)
		stretch->needed = true;
}

/* --- What is left --------------------------------------------------------- */

bool
clean_stretch_is_dead(const struct clean_stretch *stretch)
{
	return stretch->left == 0 && !stretch->needed;
}

/* A tombstone may have to get a horizon, or to go for the one that it has. */
bool
clean_stretch_is_whole(const struct clean_stretch *stretch)
{
	return stretch->left == stretch->records && !stretch->tombstones;
}

int64_t
clean_stretches_whole_bytes(const struct clean_stretches *stretches,
    int64_t base_offset, int64_t end_offset)
{
	const struct clean_stretch *stretch =
	    clean_stretches_from(stretches, base_offset);
	int64_t bytes = 0;

	while (stretch != NULL && stretch->base_offset < end_offset) {
		if (clean_stretch_is_whole(stretch))
			bytes += stretch->size_bytes;
		stretch = clean_stretches_from(
		    stretches, stretch->last_offset + 1);
	}
	return bytes;
}
