/*
 * Finding things in a segment: by its indexes, and by a walk over headers.
 */
#include "base/log.h"
#include "store/batch_walk.h"
#include "store/disk.h"
#include "store/segment.h"

#include <errno.h>

/* One index interval and the header behind it, with some to spare. */
#define LOCATE_BUFFER_LEN 8192
/* index.interval.bytes of an index that is made anew. */
#define REBUILD_INTERVAL_BYTES 4096

/* A file that may be the old one, which is no good, is better not there. */
static void
drop(struct disk *disk, const char *path)
{
	if (disk_unlink(disk, path) != 0 && errno != ENOENT)
		log_warn("store", "cannot remove %s, which is wrong: %s", path,
		    strerror(errno));
}

/*
 * M.  The indexes say nothing that the batches do not say.  What was there
 * stays until the new ones are whole.
 */
static int
rebuild(struct segment *segment, int fd, const char *offsets, const char *times)
{
	struct segment_indexes fresh;

	segment_indexes_init(&fresh, segment->base_offset);
	if (segment_indexes_rebuild(&fresh, segment->disk, fd,
		segment->size_bytes, REBUILD_INTERVAL_BYTES) != 0) {
		int saved = errno;

		segment_indexes_fini(&fresh);
		errno = saved;
		return -1;
	}
	segment_indexes_fini(&segment->indexes);
	segment->indexes = fresh;
	segment->indexes_loaded = true;
	segment->timestamps_known = true;
	/* Not writing them costs a rebuild next time. */
	if (segment_indexes_write(
		&segment->indexes, segment->disk, offsets, times) != 0) {
		log_warn("store", "cannot write %s or %s: %s", offsets, times,
		    strerror(errno));
		drop(segment->disk, offsets);
		drop(segment->disk, times);
	}
	return 0;
}

/* M.  Read the index files, or make new ones where they are unbelievable. */
static int
load(struct segment *segment, int fd)
{
	char *offsets = segment_path_held(segment, ".index");
	char *times = segment_path_held(segment, ".timeindex");
	int result = segment_indexes_read(&segment->indexes, segment->disk,
	    offsets, times, segment->size_bytes);

	if (result != 0 && (errno == ENOENT || errno == EBADMSG)) {
		log_info(
		    "store", "rebuilding %s: %s", offsets, strerror(errno));
		result = rebuild(segment, fd, offsets, times);
	}
	free(offsets);
	free(times);
	segment->indexes_loaded = result == 0;
	segment->timestamps_known = result == 0;
	return result;
}

/* M. */
static int
distrust(struct segment *segment, int fd)
{
	char *offsets = segment_path_held(segment, ".index");
	char *times = segment_path_held(segment, ".timeindex");
	int result;

	log_warn("store", "%s is wrong; making a new one", offsets);
	result = rebuild(segment, fd, offsets, times);
	free(offsets);
	free(times);
	segment->indexes_rebuilt = result == 0;
	return result == 0 ? 1 : -1;
}

int
segment_distrust(struct segment *segment)
{
	int fd = segment_pin(segment);
	int result = 0;

	if (fd < 0)
		return -1;
	pthread_mutex_lock(&segment->mutex);
	if (!segment->indexes_rebuilt)
		result = distrust(segment, fd);
	pthread_mutex_unlock(&segment->mutex);
	segment_unpin(segment);
	return result;
}

/* Take M, with the indexes loaded; -1 with errno, and then not M. */
static int
lock_loaded(struct segment *segment)
{
	int result = 0;
	int fd;

	pthread_mutex_lock(&segment->mutex);
	segment->indexes_used = true;
	if (segment->indexes_loaded)
		return 0;
	pthread_mutex_unlock(&segment->mutex);

	fd = segment_pin(segment);
	if (fd < 0)
		return -1;
	pthread_mutex_lock(&segment->mutex);
	if (!segment->indexes_loaded)
		result = load(segment, fd);
	if (result != 0)
		pthread_mutex_unlock(&segment->mutex);
	segment_unpin(segment);
	return result;
}

static int64_t
lookup(const struct segment *segment, int64_t offset)
{
	struct offset_index_entry entry;

	if (offset < segment->base_offset)
		return 0;
	offset = MIN(offset - segment->base_offset, INT32_MAX);
	if (!offset_index_lookup(
		&segment->indexes.offsets, (uint32_t)offset, &entry))
		return 0;
	return entry.position;
}

int64_t
segment_lookup(struct segment *segment, int64_t offset)
{
	return segment->active ? lookup(segment, offset) :
				 segment_lookup_closed(segment, offset);
}

int64_t
segment_lookup_closed(struct segment *segment, int64_t offset)
{
	int64_t position;

	if (lock_loaded(segment) != 0)
		return -1;
	position = lookup(segment, offset);
	pthread_mutex_unlock(&segment->mutex);
	return position;
}

/*
 * Batches that fill the index interval have an entry each, so the one behind
 * an offset is of the next batch or, if it has a smaller one, a little behind.
 * Where the two are close one read brings both.
 */
static void
guess_next(const struct segment *segment, int64_t offset,
    struct segment_guess *guess)
{
	const struct offset_index *offsets = &segment->indexes.offsets;
	int64_t relative = offset - segment->base_offset;
	int64_t before = 0;
	size_t next;

	guess->position = -1;
	if (relative <= 0 || relative > INT32_MAX)
		return;
	next = offset_index_count_to(offsets, (uint32_t)relative - 1);
	if (next == offsets->count)
		return;
	if (next > 0)
		before = offsets->entries[next - 1].position;
	if (offsets->entries[next].position - before <= LOCATE_BUFFER_LEN)
		return;
	guess->position = offsets->entries[next].position;
	guess->last_offset =
	    segment->base_offset + offsets->entries[next].relative_offset;
}

void
segment_guess(
    struct segment *segment, int64_t offset, struct segment_guess *guess)
{
	if (segment->active)
		guess_next(segment, offset, guess);
	else
		segment_guess_closed(segment, offset, guess);
}

void
segment_guess_closed(
    struct segment *segment, int64_t offset, struct segment_guess *guess)
{
	guess->position = -1;
	pthread_mutex_lock(&segment->mutex);
	if (segment->indexes_loaded)
		guess_next(segment, offset, guess);
	pthread_mutex_unlock(&segment->mutex);
}

static int64_t
floor_of(const struct segment *segment, int64_t position)
{
	const struct offset_index *offsets = &segment->indexes.offsets;
	size_t count = offset_index_count_before(offsets, position + 1);

	return count > 0 ? offsets->entries[count - 1].position : 0;
}

int64_t
segment_floor(struct segment *segment, int64_t position)
{
	return segment->active ? floor_of(segment, position) :
				 segment_floor_closed(segment, position);
}

int64_t
segment_floor_closed(struct segment *segment, int64_t position)
{
	int64_t found = 0;

	pthread_mutex_lock(&segment->mutex);
	if (segment->indexes_loaded)
		found = floor_of(segment, position);
	pthread_mutex_unlock(&segment->mutex);
	return found;
}

static int64_t
offset_behind(const struct segment *segment, int64_t position)
{
	const struct offset_index *offsets = &segment->indexes.offsets;
	size_t next = offset_index_count_before(offsets, position);

	if (next == offsets->count)
		return INT64_MAX;
	return segment->base_offset + offsets->entries[next].relative_offset;
}

int
segment_offset_behind(
    struct segment *segment, int64_t position, int64_t *offset)
{
	if (!segment->active)
		return segment_offset_behind_closed(segment, position, offset);
	*offset = offset_behind(segment, position);
	return 0;
}

int
segment_offset_behind_closed(
    struct segment *segment, int64_t position, int64_t *offset)
{
	if (lock_loaded(segment) != 0)
		return -1;
	*offset = offset_behind(segment, position);
	pthread_mutex_unlock(&segment->mutex);
	return 0;
}

static void
lookup_timestamp(const struct segment *segment, int64_t timestamp_ms,
    struct segment_time *found)
{
	struct time_index_entry entry;

	*found = (struct segment_time){ 0 };
	if (!time_index_lookup(&segment->indexes.times, timestamp_ms, &entry))
		return;
	found->timestamp_ms = entry.timestamp_ms;
	found->offset = segment->base_offset + entry.relative_offset;
	found->position = lookup(segment, found->offset);
}

void
segment_lookup_timestamp(struct segment *segment, int64_t timestamp_ms,
    struct segment_time *found)
{
	assert(segment->active);
	lookup_timestamp(segment, timestamp_ms, found);
}

int
segment_lookup_timestamp_closed(struct segment *segment, int64_t timestamp_ms,
    struct segment_time *found)
{
	if (lock_loaded(segment) != 0)
		return -1;
	lookup_timestamp(segment, timestamp_ms, found);
	pthread_mutex_unlock(&segment->mutex);
	return 0;
}

int
segment_max_timestamp(struct segment *segment, int64_t *timestamp_ms)
{
	if (!segment->active)
		return segment_max_timestamp_closed(segment, timestamp_ms);
	*timestamp_ms = segment->indexes.max_timestamp_ms;
	return 0;
}

int
segment_max_timestamp_closed(struct segment *segment, int64_t *timestamp_ms)
{
	pthread_mutex_lock(&segment->mutex);
	if (!segment->timestamps_known) {
		pthread_mutex_unlock(&segment->mutex);
		if (lock_loaded(segment) != 0)
			return -1;
	}
	*timestamp_ms = segment->indexes.max_timestamp_ms;
	pthread_mutex_unlock(&segment->mutex);
	return 0;
}

/*
 * Walk to the first batch that has offset or more.  1; 0 at the end; -1 with
 * errno, EBADMSG where the offset may be in what was skipped, or where the
 * first one, whose place is in_doubt, or the second is behind it.
 */
static int
walk_to(struct batch_walk *walk, int64_t offset, bool in_doubt,
    struct batch *batch)
{
	int64_t from = walk->scan.position;
	int count = 0;
	bool bad;
	int good;

	do {
		good = batch_walk_next(walk, batch);
		count++;
	} while (good > 0 && batch->last_offset < offset);
	/* Where an index leads there is nothing that it leads past. */
	if (good > 0)
		bad = batch->base_offset > offset &&
		    (walk->skipped || (in_doubt && count == 2) ||
			(from > 0 && walk->scan.position == from));
	else
		bad = good == 0 && walk->scan.position < walk->scan.end;
	if (bad)
		errno = EBADMSG;
	return bad ? -1 : good;
}

/*
 * No checksum covers the offset of the batch that an index leads to, and what
 * is in front of it is not known.  Does it end before the next one begins?  1,
 * or -1 with errno, EBADMSG where it does not.
 */
static int
check_behind(struct batch_walk *walk, const struct batch *batch)
{
	struct batch behind;

	switch (file_scan_next(&walk->scan, &behind)) {
	case FILE_SCAN_ERROR:
		return -1;
	case FILE_SCAN_BATCH:
		if (behind.base_offset > batch->last_offset)
			return 1;
		errno = EBADMSG;
		return -1;
	default:
		return 1;
	}
}

/* The index was made by a walk over all batches, which knows which is bad. */
static bool
is_rebuilt(struct segment *segment)
{
	bool rebuilt;

	pthread_mutex_lock(&segment->mutex);
	rebuilt = segment->indexes_rebuilt;
	pthread_mutex_unlock(&segment->mutex);
	return rebuilt;
}

int
segment_locate(struct segment *segment, int64_t offset, int64_t *position,
    const struct segment_bound *bound, size_t *size_bytes)
{
	uint8_t buffer[LOCATE_BUFFER_LEN];
	bool in_doubt = *position > 0 && !is_rebuilt(segment);
	int64_t from = *position;
	int fd = segment_pin(segment);
	struct batch_walk walk;
	struct file_scan scan;
	struct batch batch;
	int found;

	if (fd < 0)
		return -1;
	file_scan_init(&scan, segment->disk, fd, *position, bound->position,
	    buffer, sizeof(buffer));
	batch_walk_init(&walk, &scan, segment->base_offset);
	walk.offset_end = MIN(walk.offset_end, bound->offset);
	walk.in_middle = *position > 0;
	found = walk_to(&walk, offset, in_doubt && !bound->gaps, &batch);
	*position = walk.scan.position;
	*size_bytes = walk.scan.size_bytes;
	if (found > 0 && in_doubt && *position == from)
		found = check_behind(&walk, &batch);
	segment_unpin(segment);
	return found;
}

int
segment_try(struct segment *segment, int64_t offset,
    const struct segment_guess *guess, const struct segment_bound *bound,
    size_t *size_bytes)
{
	uint8_t buffer[FILE_SCAN_BUFFER_MIN];
	enum file_scan_step step;
	struct file_scan scan;
	struct batch batch;
	int fd;

	if (guess->position < 0 || guess->position >= bound->position)
		return 0;
	fd = segment_pin(segment);
	if (fd < 0)
		return -1;
	file_scan_init(&scan, segment->disk, fd, guess->position,
	    bound->position, buffer, sizeof(buffer));
	step = file_scan_next(&scan, &batch);
	segment_unpin(segment);
	if (step != FILE_SCAN_BATCH)
		return step == FILE_SCAN_ERROR ? -1 : 0;
	*size_bytes = scan.size_bytes;
	return batch.base_offset <= offset && offset <= batch.last_offset &&
	    batch.last_offset == guess->last_offset &&
	    batch.last_offset < bound->offset;
}

int
segment_find_end(struct segment *segment, int64_t offset,
    const struct segment_bound *bound, int64_t *position)
{
	uint8_t buffer[LOCATE_BUFFER_LEN];
	int fd = segment_pin(segment);
	struct batch_walk walk;
	struct file_scan scan;
	struct batch batch;
	int good;

	if (fd < 0)
		return -1;
	file_scan_init(&scan, segment->disk, fd, 0, bound->position, buffer,
	    sizeof(buffer));
	batch_walk_init(&walk, &scan, segment->base_offset);
	walk.offset_end = MIN(walk.offset_end, bound->offset);
	*position = 0;
	while ((good = batch_walk_next(&walk, &batch)) > 0 &&
	    batch.last_offset < offset)
		*position =
		    walk.scan.position + (int64_t)walk.scan.size_bytes;
	segment_unpin(segment);
	return good < 0 ? -1 : 0;
}

/* The time by which segment.ms counts is that of the first batch. */
static int
read_first_timestamp(struct segment *segment)
{
	uint8_t buffer[FILE_SCAN_BUFFER_MIN];
	int fd = segment_pin(segment);
	enum file_scan_step step;
	struct file_scan scan;
	struct batch batch;

	if (fd < 0)
		return -1;
	file_scan_init(&scan, segment->disk, fd, 0, segment->size_bytes, buffer,
	    sizeof(buffer));
	step = file_scan_next(&scan, &batch);
	segment_unpin(segment);
	segment->first_timestamp_ms =
	    step == FILE_SCAN_BATCH ? batch.max_timestamp : -1;
	return step == FILE_SCAN_ERROR ? -1 : 0;
}

int
segment_activate(struct segment *segment, int64_t now_ms)
{
	assert(!segment->active);
	if (lock_loaded(segment) != 0)
		return -1;
	segment->indexes.unindexed_bytes = 0;
	if (segment_load_aborts(segment) != 0) {
		pthread_mutex_unlock(&segment->mutex);
		return -1;
	}
	pthread_mutex_unlock(&segment->mutex);
	if (read_first_timestamp(segment) != 0)
		return -1;
	segment->created_ms = now_ms;
	segment->active = true;
	return 0;
}

int
segment_activate_noted(struct segment *segment, struct slice offsets,
    struct slice times, int64_t first_timestamp_ms, int64_t now_ms)
{
	assert(!segment->active && !segment->indexes_loaded);
	if (segment_indexes_decode(
		&segment->indexes, offsets, times, segment->size_bytes) != 0)
		return -1;
	segment->indexes_loaded = true;
	segment->timestamps_known = true;
	segment->first_timestamp_ms = first_timestamp_ms;
	segment->created_ms = now_ms;
	segment->active = true;
	return 0;
}
