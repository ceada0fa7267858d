/*
 * A segment is verified in one pass over its log: its indexes and its aborted
 * transactions are in the order of their offsets, so a cursor in each follows
 * the batches.
 */
#include "cli/dump_log_deep.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "cli/dump_log.h"
#include "cli/index_file.h"
#include "meta/metadata_record.h"
#include "store/disk.h"
#include "store/file_scan.h"
#include "store/offset_index.h"
#include "store/time_index.h"
#include "wire/batch_reader.h"
#include "wire/control_record.h"

/* A file beside the log, and how far it was compared. */
struct cursor {
	char *path;	/* owned */
	int fd;		/* -1: there is none */
	int64_t next;	/* the entry that comes next */
	struct index_file index;
};

struct segment {
	struct dump_log_deep *deep;
	const struct dump_log_deep_segment *about;
	char *path;			/* of the log; owned */
	int fd;
	struct file_scan scan;
	struct batch batch;		/* the current one */
	int64_t batch_timestamp;	/* its records'; without any, its own */
	int64_t next_offset;		/* behind the batch before */
	struct cursor offsets;
	struct cursor times;
	struct cursor aborts;
};

/* --- Files --------------------------------------------------------------- */

static int
open_file(struct segment *segment, const char *path, int64_t *size)
{
	struct disk *disk = segment->deep->disk;
	int fd = disk_open(disk, path, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return -1;
	segment->deep->files++;
	if (fd >= 0 && disk_fstat(disk, fd, &st) == 0 && S_ISREG(st.st_mode)) {
		*size = st.st_size;
		return fd;
	}
	dump_log_deep_problem(segment->deep, path, "cannot be opened: %s",
	    fd < 0 ? strerror(errno) : "not a regular file");
	if (fd >= 0)
		disk_close(disk, fd);
	return -1;
}

static char *
path_of(const struct dump_log_deep_segment *about, const char *suffix)
{
	return xasprintf("%s/%020" PRId64 "%s", about->directory,
	    about->base_offset, suffix);
}

static bool
all_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/*
 * The entries of an index up to the zeroes at its end, which are room that a
 * process that was killed had reserved.
 */
static int64_t
count_entries(struct segment *segment, const struct cursor *cursor)
{
	struct disk *disk = segment->deep->disk;
	size_t entry_len = cursor->index.entry_len;
	uint8_t piece[INDEX_FILE_WINDOW_LEN];
	int64_t end = cursor->index.count;

	while (end > 0) {
		int64_t begin = MAX(0, end - (int64_t)(sizeof(piece) /
						entry_len));
		size_t len = (size_t)(end - begin) * entry_len;
		ssize_t n = disk_pread(disk, cursor->fd, piece, len,
		    begin * (int64_t)entry_len);

		if (n != (ssize_t)len)
			return end;
		for (; end > begin; end--)
			if (!all_zero(piece + (size_t)(end - begin - 1) *
				entry_len, entry_len))
				return end;
	}
	return 0;
}

static void
cursor_open(struct segment *segment, struct cursor *cursor,
    const char *suffix, size_t entry_len)
{
	int64_t size;

	cursor->path = path_of(segment->about, suffix);
	cursor->fd = open_file(segment, cursor->path, &size);
	if (cursor->fd < 0)
		return;
	index_file_init(&cursor->index, segment->deep->disk, cursor->fd, size,
	    segment->about->base_offset, entry_len);
	cursor->index.count = count_entries(segment, cursor);
	if (size % (int64_t)entry_len != 0)
		dump_log_deep_problem(segment->deep, cursor->path,
		    "its length, %" PRId64 ", is no multiple of %zu", size,
		    entry_len);
}

static void
cursor_close(struct segment *segment, struct cursor *cursor)
{
	if (cursor->fd >= 0)
		disk_close(segment->deep->disk, cursor->fd);
	free(cursor->path);
}

/* Is there another entry? */
static bool
cursor_more(const struct cursor *cursor)
{
	return cursor->fd >= 0 && cursor->next < cursor->index.count;
}

/* The rest of a file that cannot be read is not looked at. */
static void
cursor_fail(struct segment *segment, struct cursor *cursor)
{
	dump_log_deep_problem(segment->deep, cursor->path,
	    "cannot be read: %s", strerror(errno));
	cursor->next = cursor->index.count;
}

/* --- Indexes ------------------------------------------------------------- */

/* What the offset index says of the current batch. */
static void
follow_offsets(struct segment *segment)
{
	struct cursor *cursor = &segment->offsets;
	int64_t position = segment->scan.position;
	struct index_file_offset entry;

	for (; cursor_more(cursor); cursor->next++) {
		if (index_file_offset_at(&cursor->index, cursor->next,
			&entry) != 0) {
			cursor_fail(segment, cursor);
			return;
		}
		if (entry.position > position)
			return;
		if (entry.position == position &&
		    entry.offset == segment->batch.last_offset)
			continue;
		dump_log_deep_problem(segment->deep, cursor->path,
		    "entry %" PRId64 " is offset %" PRId64 " at position %"
		    PRId32 ", where no batch with that last offset is",
		    cursor->next, entry.offset, entry.position);
	}
}

static void
follow_times(struct segment *segment)
{
	struct cursor *cursor = &segment->times;
	struct index_file_time entry;

	for (; cursor_more(cursor); cursor->next++) {
		if (index_file_time_at(&cursor->index, cursor->next,
			&entry) != 0) {
			cursor_fail(segment, cursor);
			return;
		}
		if (entry.offset > segment->batch.last_offset)
			return;
		if (entry.offset != segment->batch.last_offset)
			dump_log_deep_problem(segment->deep, cursor->path,
			    "entry %" PRId64 " names offset %" PRId64
			    ", where no batch ends", cursor->next,
			    entry.offset);
		else if (entry.timestamp_ms != segment->batch_timestamp)
			dump_log_deep_problem(segment->deep, cursor->path,
			    "entry %" PRId64 " says that offset %" PRId64
			    " has timestamp %" PRId64 ", the log says %"
			    PRId64, cursor->next, entry.offset,
			    entry.timestamp_ms, segment->batch_timestamp);
	}
}

static bool
txn_is_sane(const struct index_file_txn *entry)
{
	return entry->version == 0 && entry->first_offset >= 0 &&
	    entry->first_offset <= entry->last_offset;
}

/*
 * What the aborted transactions say of the current batch: each ends at a
 * marker of its producer.  abort: the current batch is such a marker.
 */
static void
follow_aborts(struct segment *segment, bool abort)
{
	struct cursor *cursor = &segment->aborts;
	struct index_file_txn entry;

	for (; cursor_more(cursor); cursor->next++) {
		if (index_file_txn_at(&cursor->index, cursor->next,
			&entry) != 0) {
			cursor_fail(segment, cursor);
			return;
		}
		if (entry.last_offset > segment->batch.last_offset)
			return;
		if (abort && txn_is_sane(&entry) &&
		    entry.last_offset == segment->batch.last_offset &&
		    entry.producer_id == segment->batch.producer_id)
			continue;
		dump_log_deep_problem(segment->deep, cursor->path,
		    "a transaction of producer %" PRId64 " was aborted at "
		    "offset %" PRId64 ", where the log has no such marker",
		    entry.producer_id, entry.last_offset);
	}
}

static void
report_rest(struct segment *segment, const struct cursor *cursor)
{
	if (cursor_more(cursor))
		dump_log_deep_problem(segment->deep, cursor->path,
		    "what entry %" PRId64 " and those after it are about is "
		    "behind the log's end", cursor->next);
}

/* --- Batches ------------------------------------------------------------- */

static void
batch_problem(struct segment *segment, const char *what)
{
	dump_log_deep_problem(segment->deep, segment->path,
	    "the batch at position %" PRId64 ", offset %" PRId64 ", %s",
	    segment->scan.position, segment->batch.base_offset, what);
}

static void
check_offsets(struct segment *segment)
{
	const struct batch *batch = &segment->batch;

	if (batch->base_offset < segment->next_offset)
		batch_problem(segment, "begins before its predecessor ends");
	if (batch->last_offset >= segment->about->next_offset)
		batch_problem(segment, "ends in the next segment");
	segment->next_offset = MAX(segment->next_offset,
	    batch->last_offset + 1);
}

static bool
is_abort(const struct segment *segment, const struct record *record)
{
	enum control_record_type type;

	return batch_is_control(&segment->batch) &&
	    !slice_is_null(record->key) &&
	    control_record_key_read(record->key, &type) == 0 &&
	    type == CONTROL_RECORD_ABORT;
}

/* The records of the metadata are known in full. */
static void
check_metadata(struct segment *segment, const struct record *record)
{
	struct metadata_record decoded;
	struct arena arena;
	const char *why;

	if (!segment->about->metadata || batch_is_control(&segment->batch))
		return;
	arena_init(&arena, DUMP_LOG_BATCH_LEN_MAX);
	if (metadata_record_decode(record->value, &arena, &decoded, &why) != 0)
		dump_log_deep_problem(segment->deep, segment->path,
		    "the record at offset %" PRId64 " has %s", record->offset,
		    why);
	arena_reset(&arena);
}

/* Walk the records; true in *abort where one is an abort marker. */
static void
check_records(struct segment *segment, struct slice bytes, bool *abort)
{
	int64_t offset = segment->batch.base_offset - 1;
	struct batch_reader reader;
	struct record record;
	bool ordered = true;

	if (batch_reader_open(&reader, bytes, &segment->deep->scratch) ==
	    KP_NONE) {
		/* Of old wrappers the header only has the last offset. */
		if (segment->batch.magic < BATCH_MAGIC)
			offset = INT64_MIN;
		if (segment->batch.record_count != 0)
			segment->batch_timestamp = -1;
		while (batch_reader_next(&reader, &record)) {
			ordered = ordered && record.offset > offset &&
			    record.offset <= segment->batch.last_offset;
			offset = record.offset;
			segment->batch_timestamp =
			    MAX(segment->batch_timestamp, record.timestamp);
			*abort = *abort || is_abort(segment, &record);
			check_metadata(segment, &record);
		}
	}
	if (reader.error != KP_NONE)
		batch_problem(segment, "has damaged records");
	else if (!ordered)
		batch_problem(segment, "has records out of order");
}

static void
check_batch(struct segment *segment)
{
	struct slice bytes = SLICE_NULL;
	uint8_t *heap = NULL;
	bool abort = false;

	/* What the header says, unless the records can be read. */
	segment->batch_timestamp = segment->batch.max_timestamp;
	check_offsets(segment);
	if (segment->scan.size_bytes > DUMP_LOG_BATCH_LEN_MAX)
		batch_problem(segment, "is too large to be looked at");
	else
		bytes = file_scan_bytes(&segment->scan, &heap);
	if (!slice_is_null(bytes) && !batch_crc_valid(bytes))
		batch_problem(segment, "has a wrong checksum");
	else if (!slice_is_null(bytes))
		check_records(segment, bytes, &abort);
	free(heap);
	follow_offsets(segment);
	follow_times(segment);
	follow_aborts(segment, abort);
}

static void
check_log(struct segment *segment)
{
	enum file_scan_step step;

	while ((step = file_scan_next(&segment->scan, &segment->batch)) ==
	    FILE_SCAN_BATCH)
		check_batch(segment);
	if (step == FILE_SCAN_ERROR)
		dump_log_deep_problem(segment->deep, segment->path,
		    "cannot be read: %s", strerror(errno));
	else if (step != FILE_SCAN_END)
		dump_log_deep_problem(segment->deep, segment->path,
		    "%" PRId64 " bytes from position %" PRId64 " on are no "
		    "batch", segment->scan.end - segment->scan.position,
		    segment->scan.position);
	report_rest(segment, &segment->offsets);
	report_rest(segment, &segment->times);
	report_rest(segment, &segment->aborts);
}

void
dump_log_deep_segment(struct dump_log_deep *deep,
    const struct dump_log_deep_segment *about)
{
	struct segment *segment = xcalloc(1, sizeof(*segment));
	int64_t size;

	segment->deep = deep;
	segment->about = about;
	segment->next_offset = about->base_offset;
	segment->path = path_of(about, ".log");
	segment->fd = open_file(segment, segment->path, &size);
	if (segment->fd >= 0) {
		cursor_open(segment, &segment->offsets, ".index",
		    OFFSET_INDEX_ENTRY_LEN);
		cursor_open(segment, &segment->times, ".timeindex",
		    TIME_INDEX_ENTRY_LEN);
		cursor_open(segment, &segment->aborts, ".txnindex",
		    INDEX_FILE_TXN_ENTRY_LEN);
		file_scan_init(&segment->scan, deep->disk, segment->fd, 0,
		    size, deep->buffer, DUMP_LOG_BUFFER_LEN);
		check_log(segment);
		cursor_close(segment, &segment->offsets);
		cursor_close(segment, &segment->times);
		cursor_close(segment, &segment->aborts);
		disk_close(deep->disk, segment->fd);
	}
	free(segment->path);
	free(segment);
}
