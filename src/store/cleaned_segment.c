#include "store/cleaned_segment.h"

#include "store/disk.h"
#include "store/segment.h"
#include "wire/batch.h"

#include <errno.h>
#include <fcntl.h>

/* The largest batch that there can be, and what waits in front of it. */
#define BUFFER_LEN_MAX (SIZE_MAX / 2)

/* In the order in which they are renamed. */
static const char *const extensions[] = { ".log", ".index", ".timeindex",
	".txnindex" };

static char *
path_of(const struct cleaned_segment *cleaned, const char *extension,
    const char *suffix)
{
	char name[SEGMENT_NAME_SIZE];

	segment_name(cleaned->base_offset, name);
	return xasprintf(
	    "%s/%s%s%s", cleaned->directory, name, extension, suffix);
}

int
cleaned_segment_open(struct cleaned_segment *cleaned, struct disk *disk,
    const char *directory, int64_t base_offset, int32_t index_interval_bytes,
    size_t buffer_len)
{
	char *path;

	*cleaned = (struct cleaned_segment){
		.base_offset = base_offset,
		.disk = disk,
		.directory = xstrdup(directory),
		.buffer_len = buffer_len,
		.index_interval_bytes = index_interval_bytes,
	};
	txn_index_init(&cleaned->aborted);
	buf_init(&cleaned->buffer, BUFFER_LEN_MAX);
	segment_indexes_init(&cleaned->indexes, base_offset);
	path = path_of(cleaned, ".log", ".cleaned");
	cleaned->fd =
	    disk_open(disk, path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	free(path);
	return cleaned->fd < 0 ? -1 : 0;
}

void
cleaned_segment_fini(struct cleaned_segment *cleaned)
{
	if (cleaned->fd >= 0)
		disk_close(cleaned->disk, cleaned->fd);
	txn_index_fini(&cleaned->aborted);
	buf_fini(&cleaned->buffer);
	segment_indexes_fini(&cleaned->indexes);
	free(cleaned->directory);
	cleaned->directory = NULL;
	cleaned->fd = -1;
}

/* --- Batches -------------------------------------------------------------- */

static int
write_bytes(struct cleaned_segment *cleaned, struct slice bytes, int64_t at)
{
	return disk_pwrite(
	    cleaned->disk, cleaned->fd, bytes.data, bytes.len, at);
}

static int
write_buffer(struct cleaned_segment *cleaned)
{
	struct slice bytes = buf_slice(&cleaned->buffer);

	if (bytes.len > 0 &&
	    write_bytes(cleaned, bytes,
		cleaned->size_bytes - (int64_t)bytes.len) != 0)
		return -1;
	buf_clear(&cleaned->buffer);
	return 0;
}

/* Note a batch that is to stand at the end. */
static int
account(struct cleaned_segment *cleaned, const struct batch *batch)
{
	if (cleaned->size_bytes + (int64_t)batch->size_bytes > INT32_MAX ||
	    batch->last_offset - cleaned->base_offset > INT32_MAX) {
		errno = EFBIG;
		return -1;
	}
	segment_indexes_add(&cleaned->indexes, batch, cleaned->size_bytes,
	    cleaned->index_interval_bytes);
	cleaned->size_bytes += (int64_t)batch->size_bytes;
	return 0;
}

/* Decode the header of a batch that is known to be whole. */
static void
decode(struct slice bytes, struct batch *batch)
{
	int result = batch_read(bytes, batch);

	assert(result == 0 && batch->size_bytes == bytes.len);
}

int
cleaned_segment_append(struct cleaned_segment *cleaned, struct slice bytes)
{
	struct batch batch;

	decode(bytes, &batch);
	if (cleaned->buffer.len + bytes.len > cleaned->buffer_len &&
	    write_buffer(cleaned) != 0)
		return -1;
	if (account(cleaned, &batch) != 0)
		return -1;
	/* A large one needs no copy. */
	if (bytes.len >= cleaned->buffer_len)
		return write_bytes(cleaned, bytes,
		    cleaned->size_bytes - (int64_t)bytes.len);
	return buf_append(&cleaned->buffer, bytes.data, bytes.len);
}

int
cleaned_segment_added(struct cleaned_segment *cleaned, size_t from)
{
	struct batch batch;

	decode(slice_of(cleaned->buffer.data + from,
		   cleaned->buffer.len - from),
	    &batch);
	if (account(cleaned, &batch) != 0)
		return -1;
	return cleaned->buffer.len < cleaned->buffer_len ?
	    0 :
	    write_buffer(cleaned);
}

/* --- The end -------------------------------------------------------------- */

static int
write_indexes(struct cleaned_segment *cleaned)
{
	char *offsets = path_of(cleaned, ".index", ".cleaned");
	char *times = path_of(cleaned, ".timeindex", ".cleaned");
	char *aborted = path_of(cleaned, ".txnindex", ".cleaned");
	int result;

	segment_indexes_finish(&cleaned->indexes);
	result = segment_indexes_write(
	    &cleaned->indexes, cleaned->disk, offsets, times);
	if (result == 0)
		result = disk_sync_file(cleaned->disk, offsets);
	if (result == 0)
		result = disk_sync_file(cleaned->disk, times);
	if (result == 0 && cleaned->aborted.count > 0)
		result = txn_index_write(
		    &cleaned->aborted, cleaned->disk, aborted);
	if (result == 0 && cleaned->aborted.count > 0)
		result = disk_sync_file(cleaned->disk, aborted);
	free(offsets);
	free(times);
	free(aborted);
	return result;
}

int
cleaned_segment_finish(struct cleaned_segment *cleaned, int64_t mtime_ms)
{
	if (write_buffer(cleaned) != 0 || write_indexes(cleaned) != 0)
		return -1;
	if (disk_set_mtime(cleaned->disk, cleaned->fd, mtime_ms) != 0)
		return -1;
	return disk_fsync(cleaned->disk, cleaned->fd);
}

/* Has it a file with this extension? */
static bool
has(const struct cleaned_segment *cleaned, size_t extension)
{
	return strcmp(extensions[extension], ".txnindex") != 0 ||
	    cleaned->aborted.count > 0;
}

static int
rename_all(const struct cleaned_segment *cleaned)
{
	int result = 0;

	for (size_t i = 0; i < COUNT_OF(extensions) && result == 0; i++) {
		char *from = path_of(cleaned, extensions[i], ".cleaned");
		char *to = path_of(cleaned, extensions[i], ".swap");

		if (has(cleaned, i))
			result = disk_rename(cleaned->disk, from, to);
		free(from);
		free(to);
	}
	return result;
}

int
cleaned_segment_publish(const struct cleaned_segment *cleaned)
{
	/* Each rename is of a name that cannot be lost any more. */
	if (disk_sync_dir(cleaned->disk, cleaned->directory) != 0 ||
	    rename_all(cleaned) != 0)
		return -1;
	return disk_sync_dir(cleaned->disk, cleaned->directory);
}

static int
unlink_one(const struct cleaned_segment *cleaned, size_t extension,
    const char *suffix)
{
	char *path = path_of(cleaned, extensions[extension], suffix);
	int result = disk_unlink(cleaned->disk, path);

	free(path);
	return result != 0 && errno != ENOENT ? -1 : 0;
}

int
cleaned_segment_discard(const struct cleaned_segment *cleaned)
{
	int result = 0;

	/* Those named .swap first: what is left then is surely no whole. */
	for (size_t i = 0; i < COUNT_OF(extensions); i++)
		if (unlink_one(cleaned, i, ".swap") != 0)
			result = -1;
	for (size_t i = 0; i < COUNT_OF(extensions); i++)
		if (unlink_one(cleaned, i, ".cleaned") != 0)
			result = -1;
	return result;
}
