#include "store/segment.h"

#include "base/log.h"
#include "store/disk.h"
#include "wire/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

/* Reserving ahead pays for files that grow; small ones stay small. */
#define RESERVE_ABOVE (INT64_C(1) << 20)
#define RESERVE_STEP_MAX (INT64_C(16) << 20)

/*
 * Every file that belongs to a base offset, and goes with the segment; the
 * last one is not the segment's own.
 */
static const char *const extensions[] = { ".log", ".index", ".timeindex",
	".txnindex", ".snapshot" };

/* Suffixes: one pointer of each, so that they can be compared. */
static const char plain[] = "";
static const char deleted[] = ".deleted";

void
segment_name(int64_t base_offset, char name[SEGMENT_NAME_SIZE])
{
	assert(base_offset >= 0);
	snprintf(name, SEGMENT_NAME_SIZE, "%020" PRId64, base_offset);
}

/* directory/NAME.extension suffix, on the heap. */
static char *
path_of(const char *directory, int64_t base_offset, const char *extension,
    const char *suffix)
{
	char name[SEGMENT_NAME_SIZE];

	segment_name(base_offset, name);
	return xasprintf("%s/%s%s%s", directory, name, extension, suffix);
}

char *
segment_path_held(const struct segment *segment, const char *extension)
{
	const char *suffix = segment->suffix;

	for (size_t i = 0; i < segment->renamed_count; i++)
		if (strcmp(extension, extensions[i]) == 0)
			suffix = segment->renamed_suffix;
	return path_of(
	    segment->directory, segment->base_offset, extension, suffix);
}

char *
segment_path(struct segment *segment, const char *extension)
{
	char *path;

	pthread_mutex_lock(&segment->mutex);
	path = segment_path_held(segment, extension);
	pthread_mutex_unlock(&segment->mutex);
	return path;
}

static struct segment *
segment_new(struct fd_cache *files, const char *directory, int64_t base_offset)
{
	struct segment *segment = xcalloc(1, sizeof(*segment));

	segment->files = files;
	segment->disk = fd_cache_disk(files);
	segment->base_offset = base_offset;
	atomic_init(&segment->refs, 1);
	segment->first_timestamp_ms = -1;
	segment_indexes_init(&segment->indexes, base_offset);
	txn_index_init(&segment->aborts);
	segment->aborts_loaded = true;
	segment->aborts_checked = true;
	segment->open_first = -1;
	pthread_mutex_init(&segment->mutex, NULL);
	segment->directory = xstrdup(directory);
	segment->suffix = plain;
	fd_cache_file_init(&segment->file);
	return segment;
}

static int
pin(struct segment *segment, int flags)
{
	int fd = fd_cache_pin(segment->files, &segment->file);
	char *path;

	if (fd >= 0)
		return fd;
	pthread_mutex_lock(&segment->mutex);
	path = segment_path_held(segment, ".log");
	fd = fd_cache_pin_open(
	    segment->files, &segment->file, path, O_RDWR | flags);
	pthread_mutex_unlock(&segment->mutex);
	free(path);
	return fd;
}

int
segment_pin(struct segment *segment)
{
	return pin(segment, 0);
}

void
segment_unpin(struct segment *segment)
{
	fd_cache_unpin(segment->files, &segment->file);
}

struct segment *
segment_create(struct fd_cache *files, const char *directory,
    int64_t base_offset, int64_t now_ms)
{
	struct segment *segment = segment_new(files, directory, base_offset);

	if (pin(segment, O_CREAT | O_TRUNC) < 0) {
		int saved = errno;

		segment_unref(segment);
		errno = saved;
		return NULL;
	}
	segment_unpin(segment);
	segment->created_ms = now_ms;
	segment->modified_ms = now_ms;
	segment->active = true;
	segment->dirty = true;
	segment->indexes_dirty = true;
	segment->indexes_loaded = true;
	segment->timestamps_known = true;
	return segment;
}

struct segment *
segment_open(struct fd_cache *files, const char *directory, int64_t base_offset,
    int64_t size_bytes, int64_t modified_ms)
{
	struct segment *segment = segment_new(files, directory, base_offset);

	segment->size_bytes = size_bytes;
	segment->modified_ms = modified_ms;
	return segment;
}

struct segment *
segment_open_swap(struct fd_cache *files, const char *directory,
    int64_t base_offset, int64_t size_bytes, int64_t modified_ms)
{
	struct segment *segment = segment_open(
	    files, directory, base_offset, size_bytes, modified_ms);

	segment->suffix = ".swap";
	return segment;
}

struct segment *
segment_ref(struct segment *segment)
{
	atomic_fetch_add_explicit(&segment->refs, 1, memory_order_relaxed);
	return segment;
}

void
segment_unref(struct segment *segment)
{
	if (segment == NULL ||
	    atomic_fetch_sub_explicit(
		&segment->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (segment->held)
		segment_unpin(segment);
	fd_cache_close(segment->files, &segment->file);
	segment_indexes_fini(&segment->indexes);
	txn_index_fini(&segment->aborts);
	pthread_mutex_destroy(&segment->mutex);
	free(segment->directory);
	free(segment->snapshot);
	free(segment);
}

/* --- Active ------------------------------------------------------------- */

/*
 * How much to reserve behind end, now; 0: nothing.  What is kept for a full
 * disk is made up for when half of it is used.
 */
static int64_t
reserve_step(const struct segment *segment, int64_t end)
{
	int64_t size = segment->size_bytes;

	if (end + segment->reserve_bytes / 2 <= segment->allocated_bytes)
		return 0;
	if (end < RESERVE_ABOVE)
		return segment->reserve_bytes;
	return MAX(segment->reserve_bytes,
	    MIN(MAX(size, RESERVE_ABOVE), RESERVE_STEP_MAX));
}

/*
 * Reserve blocks ahead of a file that grows: the file system then finds them
 * once for many appends.  What fails here fails again, and properly, when the
 * bytes are written.
 */
static void
reserve(struct segment *segment, int fd, int64_t end, int64_t size_max)
{
	int64_t size = segment->size_bytes;
	int64_t step = MIN(reserve_step(segment, end), size_max - end);

	if (step <= 0)
		return;
	if (disk_fallocate(segment->disk, fd, size, end - size + step) == 0)
		segment->allocated_bytes = end + step;
	else if (!disk_is_full(errno))
		segment->allocated_bytes = INT64_MAX;
}

void
segment_reserve(struct segment *segment, int64_t len)
{
	int fd = segment_pin(segment);

	if (fd < 0)
		return;
	if (disk_fallocate(segment->disk, fd, 0, len) == 0)
		segment->allocated_bytes = len;
	segment_unpin(segment);
}

/* Free what was reserved behind the size, and what a failed write left. */
static int
cut(struct segment *segment, int fd)
{
	if (disk_ftruncate(segment->disk, fd, segment->size_bytes) != 0)
		return -1;
	segment->allocated_bytes = 0;
	return 0;
}

static int
write_pinned(struct segment *segment, int fd, const uint8_t *data, size_t len,
    bool *damaged)
{
	int saved;

	if (disk_pwrite(segment->disk, fd, data, len, segment->size_bytes) == 0)
		return 0;
	saved = errno;
	*damaged = cut(segment, fd) != 0;
	errno = saved;
	return -1;
}

int
segment_write(struct segment *segment, const uint8_t *data, size_t len,
    int64_t size_max, bool *damaged)
{
	int fd = segment_pin(segment);
	int result;

	assert(segment->active);
	*damaged = false;
	if (fd < 0)
		return -1;
	reserve(segment, fd, segment->size_bytes + (int64_t)len, size_max);
	segment->dirty = true;
	result = write_pinned(segment, fd, data, len, damaged);
	segment_unpin(segment);
	return result;
}

void
segment_account(struct segment *segment, const struct batch *batch,
    int32_t index_interval_bytes)
{
	if (segment->size_bytes == 0)
		segment->first_timestamp_ms = batch->max_timestamp;
	segment_indexes_add(&segment->indexes, batch, segment->size_bytes,
	    index_interval_bytes);
	segment->size_bytes += (int64_t)batch->size_bytes;
	segment->indexes_dirty = true;
}

static int
write_indexes(struct segment *segment)
{
	char *offsets = segment_path(segment, ".index");
	char *times = segment_path(segment, ".timeindex");
	int result = segment_indexes_write(
	    &segment->indexes, segment->disk, offsets, times);

	free(offsets);
	free(times);
	return result;
}

static int
trim(struct segment *segment)
{
	int fd;
	int result;

	if (segment->allocated_bytes == 0 ||
	    segment->allocated_bytes == INT64_MAX)
		return 0;
	fd = segment_pin(segment);
	if (fd < 0)
		return -1;
	result = cut(segment, fd);
	segment_unpin(segment);
	return result;
}

int
segment_save(struct segment *segment)
{
	assert(segment->active);
	segment_indexes_finish(&segment->indexes);
	segment->indexes_dirty = true;
	if (write_indexes(segment) != 0 || segment_write_aborts(segment) != 0)
		return -1;
	return trim(segment);
}

/* M. */
static int
unlink_indexes(struct segment *segment)
{
	static const char *const indexes[] = { ".index", ".timeindex",
		".txnindex" };
	int result = 0;

	for (size_t i = 0; i < COUNT_OF(indexes) && result == 0; i++) {
		char *path = segment_path_held(segment, indexes[i]);

		if (disk_unlink(segment->disk, path) != 0 && errno != ENOENT)
			result = -1;
		free(path);
	}
	return result;
}

int
segment_unsave(struct segment *segment)
{
	int result;

	assert(segment->active);
	pthread_mutex_lock(&segment->mutex);
	result = unlink_indexes(segment);
	segment->unsaved = true;
	pthread_mutex_unlock(&segment->mutex);
	segment->has_aborts = segment->aborts.count > 0;
	segment->indexes_dirty = false;
	return result == 0 ? trim(segment) : -1;
}

/* M. */
static int
write_unsaved(struct segment *segment)
{
	char *offsets = segment_path_held(segment, ".index");
	char *times = segment_path_held(segment, ".timeindex");
	char *txns = segment_path_held(segment, ".txnindex");
	int result = segment_indexes_write(
	    &segment->indexes, segment->disk, offsets, times);

	if (result == 0)
		result =
		    txn_index_write(&segment->aborts, segment->disk, txns);
	free(offsets);
	free(times);
	free(txns);
	return result;
}

int
segment_save_late(struct segment *segment)
{
	bool unsaved;
	int result = 0;

	pthread_mutex_lock(&segment->mutex);
	unsaved = segment->unsaved;
	if (unsaved)
		result = write_unsaved(segment);
	pthread_mutex_unlock(&segment->mutex);
	if (!unsaved)
		return 0;
	if (result == 0)
		result = segment_sync_indexes(segment);
	if (result != 0)
		return -1;
	pthread_mutex_lock(&segment->mutex);
	segment->unsaved = false;
	pthread_mutex_unlock(&segment->mutex);
	return 0;
}

void
segment_take_unsaved(struct segment *segment, struct segment *old)
{
	segment->snapshot = old->snapshot;
	segment->snapshot_len = old->snapshot_len;
	old->snapshot = NULL;
	pthread_mutex_lock(&old->mutex);
	if (old->unsaved) {
		for (size_t i = 0; i < old->aborts.count; i++)
			txn_index_append(
			    &segment->aborts, &old->aborts.entries[i]);
		segment->aborts_loaded = true;
	}
	pthread_mutex_unlock(&old->mutex);
}

void
segment_touch_index(struct segment *segment)
{
	pthread_mutex_lock(&segment->mutex);
	if (!segment->index_touched && segment->suffix == plain &&
	    segment->renamed_count == 0) {
		char *path = segment_path_held(segment, ".index");
		int fd = disk_open(
		    segment->disk, path, O_WRONLY | O_CREAT, 0644);

		if (fd >= 0)
			disk_close(segment->disk, fd);
		segment->index_touched = fd >= 0;
		free(path);
	}
	pthread_mutex_unlock(&segment->mutex);
}

void
segment_close(struct segment *segment)
{
	assert(segment->active);
	segment->active = false;
	segment->indexes_used = true;
}

int
segment_truncate(struct segment *segment, int64_t position, int64_t offset)
{
	int fd = segment_pin(segment);
	int result;

	assert(segment->active && position <= segment->size_bytes);
	if (fd < 0)
		return -1;
	segment->size_bytes = position;
	segment->cuts++;
	result = cut(segment, fd);
	if (result == 0)
		result = disk_fdatasync(segment->disk, fd);
	segment->dirty = true;
	segment->indexes_dirty = true;
	segment_indexes_truncate(&segment->indexes, position, offset);
	if (result == 0)
		result = segment_indexes_catch_up(
		    &segment->indexes, segment->disk, fd, position);
	segment_unpin(segment);
	txn_index_truncate(&segment->aborts, offset);
	if (position == 0)
		segment->first_timestamp_ms = -1;
	return result;
}

void
segment_recount(struct segment *segment)
{
	segment_indexes_fini(&segment->indexes);
	txn_index_fini(&segment->aborts);
	segment->aborts_loaded = true;
	segment->aborts_checked = true;
	segment->indexes_dirty = true;
	segment->size_bytes = 0;
	segment->first_timestamp_ms = -1;
	segment->indexes_loaded = true;
	segment->timestamps_known = true;
	segment->active = true;
}

/* --- Upkeep ------------------------------------------------------------- */

void
segment_relax(struct segment *segment)
{
	bool idle;

	pthread_mutex_lock(&segment->mutex);
	idle = !segment->indexes_used && !segment->held && !segment->unsaved;
	if (idle && segment->indexes_loaded) {
		offset_index_fini(&segment->indexes.offsets);
		time_index_fini(&segment->indexes.times);
		segment->indexes_loaded = false;
	}
	if (idle && segment->aborts.count > 0) {
		txn_index_fini(&segment->aborts);
		segment->aborts_loaded = false;
	}
	segment->indexes_used = false;
	pthread_mutex_unlock(&segment->mutex);
}

int
segment_sync_indexes(struct segment *segment)
{
	char *offsets = segment_path(segment, ".index");
	char *times = segment_path(segment, ".timeindex");
	char *txns = segment_path(segment, ".txnindex");
	int result = disk_sync_file(segment->disk, offsets);

	if (result == 0)
		result = disk_sync_file(segment->disk, times);
	/* Most segments do not have one. */
	if (result == 0 && disk_sync_file(segment->disk, txns) != 0 &&
	    errno != ENOENT)
		result = -1;
	free(offsets);
	free(times);
	free(txns);
	return result;
}

static int
rename_if_there(struct disk *disk, const char *from, const char *to)
{
	int saved;

	if (disk_rename(disk, from, to) == 0 || errno == ENOENT)
		return 0;
	saved = errno;
	log_error(
	    "store", "cannot rename %s to %s: %s", from, to, strerror(saved));
	errno = saved;
	return -1;
}

/* The first so many files, M. */
typedef int (*files_fn)(
    struct segment *segment, size_t extension_count, const char *suffix);

/* Give them another suffix, one after the other, from where this ended. */
static int
rename_files(
    struct segment *segment, size_t extension_count, const char *suffix)
{
	size_t *count = &segment->renamed_count;
	int result = 0;

	assert(*count == 0 || segment->renamed_suffix == suffix);
	segment->renamed_suffix = suffix;
	while (*count < extension_count && result == 0) {
		char *from = segment_path_held(segment, extensions[*count]);
		char *to = path_of(segment->directory, segment->base_offset,
		    extensions[*count], suffix);

		result = rename_if_there(segment->disk, from, to);
		*count += result == 0;
		free(from);
		free(to);
	}
	if (result != 0)
		return -1;
	segment->suffix = suffix;
	*count = 0;
	return 0;
}

/* Unlink those that do not have that suffix yet. */
static int
unlink_files(
    struct segment *segment, size_t extension_count, const char *suffix)
{
	int result = 0;

	for (size_t i = segment->renamed_count; i < extension_count; i++) {
		char *path = segment_path_held(segment, extensions[i]);

		if (disk_unlink(segment->disk, path) != 0 && errno != ENOENT)
			result = -1;
		free(path);
	}
	segment->suffix = suffix;
	segment->renamed_count = 0;
	return result;
}

static int
with_files(struct segment *segment, files_fn fn, size_t extension_count,
    const char *suffix)
{
	int result;

	pthread_mutex_lock(&segment->mutex);
	result = fn(segment, extension_count, suffix);
	pthread_mutex_unlock(&segment->mutex);
	return result;
}

/*
 * A directory that has no place for the longer name may not grow on a full
 * disk, of all times: files go at once then, and readers of the segment, which
 * is held, do without their names.
 */
static int
remove_files(struct segment *segment, size_t extension_count)
{
	if (with_files(segment, rename_files, extension_count, deleted) == 0)
		return 0;
	if (!disk_is_full(errno) ||
	    (!segment->held && segment_hold(segment) != 0))
		return -1;
	return with_files(segment, unlink_files, extension_count, deleted);
}

int
segment_remove(struct segment *segment)
{
	return remove_files(segment, COUNT_OF(extensions));
}

int
segment_remove_replaced(struct segment *segment)
{
	return remove_files(segment, COUNT_OF(extensions) - 1);
}

int
segment_settle(struct segment *segment)
{
	return with_files(
	    segment, rename_files, COUNT_OF(extensions) - 1, plain);
}

int
segment_hold(struct segment *segment)
{
	int result = -1;

	/* Said before they are loaded, so that they are not dropped again. */
	if (segment_pin(segment) < 0)
		return -1;
	pthread_mutex_lock(&segment->mutex);
	assert(!segment->held);
	segment->held = true;
	pthread_mutex_unlock(&segment->mutex);
	if (segment_lookup_closed(segment, segment->base_offset) >= 0)
		result = 0;
	else
		segment_unhold(segment);
	return result;
}

void
segment_unhold(struct segment *segment)
{
	pthread_mutex_lock(&segment->mutex);
	assert(segment->held);
	segment->held = false;
	pthread_mutex_unlock(&segment->mutex);
	segment_unpin(segment);
}

int
segment_unlink_deleted(
    struct disk *disk, const char *directory, int64_t base_offset)
{
	int result = 0;

	for (size_t i = 0; i < COUNT_OF(extensions); i++) {
		char *path =
		    path_of(directory, base_offset, extensions[i], ".deleted");

		if (disk_unlink(disk, path) != 0 && errno != ENOENT)
			result = -1;
		free(path);
	}
	return result;
}

void
segment_moved(struct segment *segment, const char *directory)
{
	pthread_mutex_lock(&segment->mutex);
	free(segment->directory);
	segment->directory = xstrdup(directory);
	pthread_mutex_unlock(&segment->mutex);
}
