#include "store/clean_stretches.h"

#include "wire/batch.h"

/* As far as a stretch of several batches goes. */
#define STRETCH_LEN (16 << 10)
#define CAP_MIN 64

void
clean_stretches_init(struct clean_stretches *stretches, size_t count_max)
{
	*stretches = (struct clean_stretches){
		.count_max = count_max,
		.closed = true,
	};
}

void
clean_stretches_fini(struct clean_stretches *stretches)
{
	free(stretches->stretches);
	clean_stretches_init(stretches, 0);
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
clean_stretches_supersede(struct clean_stretches *stretches, int64_t offset)
{
	struct clean_stretch *stretch = find(stretches, offset);

	if (stretch != NULL)
		stretch->left--;
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
