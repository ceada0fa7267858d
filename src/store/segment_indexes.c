#include "store/segment_indexes.h"

#include "store/batch_walk.h"

#include <errno.h>

#define REBUILD_BUFFER_LEN ((size_t)256 << 10)

void
segment_indexes_init(struct segment_indexes *indexes, int64_t base_offset)
{
	*indexes = (struct segment_indexes){
		.base_offset = base_offset,
		.max_timestamp_ms = -1,
		.max_timestamp_offset = -1,
	};
	offset_index_init(&indexes->offsets);
	time_index_init(&indexes->times);
}

void
segment_indexes_fini(struct segment_indexes *indexes)
{
	offset_index_fini(&indexes->offsets);
	time_index_fini(&indexes->times);
	segment_indexes_init(indexes, indexes->base_offset);
}

void
segment_indexes_finish(struct segment_indexes *indexes)
{
	if (indexes->max_timestamp_ms >= 0)
		time_index_append(&indexes->times, indexes->max_timestamp_ms,
		    (uint32_t)(indexes->max_timestamp_offset -
			indexes->base_offset));
}

void
segment_indexes_add(struct segment_indexes *indexes, const struct batch *batch,
    int64_t position, int32_t interval_bytes)
{
	if (batch->max_timestamp > indexes->max_timestamp_ms) {
		indexes->max_timestamp_ms = batch->max_timestamp;
		indexes->max_timestamp_offset = batch->last_offset;
	}
	if (indexes->unindexed_bytes > interval_bytes) {
		offset_index_append(&indexes->offsets,
		    (uint32_t)(batch->last_offset - indexes->base_offset),
		    (uint32_t)position);
		segment_indexes_finish(indexes);
		indexes->unindexed_bytes = 0;
	}
	indexes->unindexed_bytes += (int64_t)batch->size_bytes;
}

void
segment_indexes_want_entry(struct segment_indexes *indexes)
{
	indexes->unindexed_bytes = INT32_MAX + INT64_C(1);
}

/* The last entry of the time index has the largest timestamp. */
static void
recall(struct segment_indexes *indexes)
{
	const struct time_index *times = &indexes->times;

	indexes->max_timestamp_ms = -1;
	indexes->max_timestamp_offset = -1;
	if (times->count > 0) {
		const struct time_index_entry *last =
		    &times->entries[times->count - 1];

		indexes->max_timestamp_ms = last->timestamp_ms;
		indexes->max_timestamp_offset =
		    indexes->base_offset + last->relative_offset;
	}
}

void
segment_indexes_truncate(
    struct segment_indexes *indexes, int64_t position, int64_t offset)
{
	const struct offset_index *offsets = &indexes->offsets;
	int64_t relative = MAX(offset - indexes->base_offset, 0);
	uint32_t last = 0;

	offset_index_truncate(&indexes->offsets, (uint32_t)position,
	    (uint32_t)MIN(relative, UINT32_MAX));
	if (offsets->count > 0)
		last = offsets->entries[offsets->count - 1].relative_offset;
	/* A time entry is made with an offset entry, of that or before it. */
	time_index_truncate(
	    &indexes->times, offsets->count == 0 ? 0 : last + 1);
	indexes->unindexed_bytes = 0;
	recall(indexes);
}

bool
segment_indexes_full(const struct segment_indexes *indexes, int32_t len_max)
{
	size_t offsets_max = (size_t)len_max / OFFSET_INDEX_ENTRY_LEN;
	size_t times_max = (size_t)len_max / TIME_INDEX_ENTRY_LEN;

	/* One slot of the time index is for the entry at the roll. */
	return indexes->offsets.count >= offsets_max ||
	    indexes->times.count + 1 >= times_max;
}

int
segment_indexes_read(struct segment_indexes *indexes, struct disk *disk,
    const char *offsets_path, const char *times_path, int64_t log_size)
{
	segment_indexes_fini(indexes);
	if (offset_index_read(
		&indexes->offsets, disk, offsets_path, log_size) != 0 ||
	    time_index_read(&indexes->times, disk, times_path) != 0) {
		int saved = errno;

		segment_indexes_fini(indexes);
		errno = saved;
		return -1;
	}
	recall(indexes);
	return 0;
}

int
segment_indexes_decode(struct segment_indexes *indexes, struct slice offsets,
    struct slice times, int64_t log_size)
{
	if (offset_index_decode(&indexes->offsets, offsets, log_size) != 0 ||
	    time_index_decode(&indexes->times, times) != 0) {
		segment_indexes_fini(indexes);
		return -1;
	}
	recall(indexes);
	return 0;
}

int
segment_indexes_write(const struct segment_indexes *indexes, struct disk *disk,
    const char *offsets_path, const char *times_path)
{
	if (offset_index_write(&indexes->offsets, disk, offsets_path) != 0)
		return -1;
	return time_index_write(&indexes->times, disk, times_path);
}

/* Take in the batches of [from, to) of a file; -1 with errno. */
static int
take_batches(struct segment_indexes *indexes, struct disk *disk, int fd,
    int64_t from, int64_t to, int32_t interval_bytes)
{
	uint8_t *buffer = xmalloc(REBUILD_BUFFER_LEN);
	struct batch_walk walk;
	struct file_scan scan;
	struct batch batch;
	int result;

	file_scan_init(
	    &scan, disk, fd, from, to, buffer, REBUILD_BUFFER_LEN);
	batch_walk_init(&walk, &scan, indexes->base_offset);
	walk.verify = true;
	walk.in_middle = from > 0;
	while ((result = batch_walk_next(&walk, &batch)) > 0) {
		if (walk.skipped)
			segment_indexes_want_entry(indexes);
		segment_indexes_add(
		    indexes, &batch, walk.scan.position, interval_bytes);
	}
	free(buffer);
	return result;
}

int
segment_indexes_rebuild(struct segment_indexes *indexes, struct disk *disk,
    int fd, int64_t log_size, int32_t interval_bytes)
{
	int result =
	    take_batches(indexes, disk, fd, 0, log_size, interval_bytes);

	segment_indexes_finish(indexes);
	return result;
}

int
segment_indexes_catch_up(struct segment_indexes *indexes, struct disk *disk,
    int fd, int64_t log_size)
{
	const struct offset_index *offsets = &indexes->offsets;
	int64_t from = offsets->count == 0 ?
	    0 :
	    offsets->entries[offsets->count - 1].position;

	return take_batches(indexes, disk, fd, from, log_size, INT32_MAX);
}
