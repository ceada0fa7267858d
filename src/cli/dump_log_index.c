/*
 * Indexes: their entries, and whether the batches are where they say.
 */
#include <errno.h>
#include <inttypes.h>

#include "cli/dump_log.h"
#include "cli/index_file.h"
#include "store/disk.h"
#include "store/file_scan.h"
#include "store/offset_index.h"
#include "store/time_index.h"
#include "wire/batch_reader.h"

/* An index on its way, with the files beside it. */
struct index_dump {
	struct dump_log *dump;
	const char *path;
	char *log_path;		/* owned */
	int log_fd;		/* -1: not open */
	int64_t log_size;
	int index_fd;
	struct index_file index;
	/* The offset index, while index is the time index. */
	int offsets_fd;
	struct index_file offsets;
};

/* "DIRECTORY/BASE" + suffix for the file at "DIRECTORY/BASE.anything". */
static char *
sibling(const char *path, const char *suffix)
{
	const char *dot = strchr(dump_log_name(path), '.');

	assert(dot != NULL);
	return xasprintf("%.*s%s", (int)(dot - path), path, suffix);
}

static int
open_index(struct dump_log *dump, const char *path, int64_t base_offset,
    size_t entry_len, struct index_file *index)
{
	int64_t size;
	int fd = dump_log_open(dump, path, &size);

	if (fd >= 0)
		index_file_init(index, dump->disk, fd, size, base_offset,
		    entry_len);
	return fd;
}

static int
open_files(struct index_dump *index, size_t entry_len, bool with_offsets)
{
	struct dump_log *dump = index->dump;
	int64_t base_offset;
	char *path;

	index->log_fd = index->index_fd = index->offsets_fd = -1;
	index->log_path = NULL;
	if (dump_log_base_offset(dump, index->path, &base_offset) != 0)
		return -1;
	index->log_path = sibling(index->path, ".log");
	index->log_fd = dump_log_open(dump, index->log_path,
	    &index->log_size);
	if (index->log_fd < 0)
		return -1;
	index->index_fd = open_index(dump, index->path, base_offset, entry_len,
	    &index->index);
	if (index->index_fd < 0)
		return -1;
	if (!with_offsets)
		return 0;
	path = sibling(index->path, ".index");
	index->offsets_fd = open_index(dump, path, base_offset,
	    OFFSET_INDEX_ENTRY_LEN, &index->offsets);
	free(path);
	return index->offsets_fd < 0 ? -1 : 0;
}

static void
close_files(struct index_dump *index)
{
	const int fds[] = { index->log_fd, index->index_fd,
		index->offsets_fd };

	for (size_t i = 0; i < COUNT_OF(fds); i++)
		if (fds[i] >= 0)
			disk_close(index->dump->disk, fds[i]);
	free(index->log_path);
}

static int
fail_read(struct index_dump *index)
{
	return dump_log_fail(index->dump, index->path, "%s", strerror(errno));
}

/* Begin to read the log at a position, up to len bytes. */
static int
begin_scan(struct index_dump *index, struct file_scan *scan, int32_t position,
    int64_t len)
{
	if (position < 0 || position > index->log_size)
		return dump_log_fail(index->dump, index->path, "an entry "
		    "points to position %" PRId32 " of a log of %" PRId64
		    " bytes", position, index->log_size);
	file_scan_init(scan, index->dump->disk, index->log_fd, position,
	    MIN(index->log_size, position + len), index->dump->buffer,
	    DUMP_LOG_BUFFER_LEN);
	return 0;
}

/* A scan ended; -1 with a line where that is because of damage. */
static int
check_scan_end(struct index_dump *index, const struct file_scan *scan,
    enum file_scan_step step)
{
	char *problem = dump_log_scan_problem(scan, step, index->log_path);
	int result = 0;

	if (problem != NULL)
		result = dump_log_fail(index->dump, index->log_path, "%s",
		    problem);
	free(problem);
	return result;
}

/* --- .index -------------------------------------------------------------- */

static int
check_offset_sanity(struct index_dump *index)
{
	struct index_file *file = &index->index;
	struct index_file_offset last;

	if (index_file_offset_at(file, file->count - 1, &last) != 0)
		return fail_read(index);
	if (last.offset < file->base_offset)
		return dump_log_fail(index->dump, index->path,
		    "the last offset is %" PRId64 " which is less than the "
		    "base offset %" PRId64, last.offset, file->base_offset);
	if (file->len % OFFSET_INDEX_ENTRY_LEN != 0)
		return dump_log_fail(index->dump, index->path,
		    "found %" PRId64 " bytes which is neither positive nor a "
		    "multiple of %d", file->len, OFFSET_INDEX_ENTRY_LEN);
	fprintf(index->dump->out, "%s passed sanity check.\n", index->path);
	return 0;
}

/* The batch at an entry's position must end at the entry's offset. */
static int
dump_offset_entry(struct index_dump *index,
    const struct index_file_offset *entry)
{
	struct dump_log *dump = index->dump;
	enum file_scan_step step;
	struct file_scan scan;
	struct batch batch;

	if (begin_scan(index, &scan, entry->position,
		dump->options->max_message_size) != 0)
		return -1;
	step = file_scan_next(&scan, &batch);
	if (step != FILE_SCAN_BATCH) {
		if (check_scan_end(index, &scan, step) != 0)
			return -1;
		return dump_log_fail(dump, index->path, "there is no batch at "
		    "position %" PRId32 " of the log", entry->position);
	}
	if (batch.last_offset != entry->offset)
		dump_log_findings_add(&dump->findings,
		    DUMP_LOG_OFFSET_MISMATCH, index->path, entry->offset,
		    batch.last_offset);
	if (!dump->options->verify_index_only)
		fprintf(dump->out,
		    "offset: %" PRId64 " position: %" PRId32 "\n",
		    entry->offset, entry->position);
	return 0;
}

static int
dump_offsets(struct index_dump *index)
{
	struct index_file *file = &index->index;
	struct index_file_offset entry;

	if (file->count == 0) {
		fprintf(index->dump->out, "%s is empty.\n", index->path);
		return 0;
	}
	if (index->dump->options->index_sanity_check)
		return check_offset_sanity(index);
	for (int64_t i = 0; i < file->count; i++) {
		if (index_file_offset_at(file, i, &entry) != 0)
			return fail_read(index);
		/* Zeroes: room for entries to come. */
		if (entry.offset == file->base_offset && i > 0)
			return 0;
		if (dump_offset_entry(index, &entry) != 0)
			return -1;
	}
	return 0;
}

int
dump_log_offset_index(struct dump_log *dump, const char *path)
{
	struct index_dump *index = xcalloc(1, sizeof(*index));
	int result;

	index->dump = dump;
	index->path = path;
	result = open_files(index, OFFSET_INDEX_ENTRY_LEN, false);
	if (result == 0)
		result = dump_offsets(index);
	close_files(index);
	free(index);
	return result;
}

/* --- .timeindex ---------------------------------------------------------- */

static int
check_time_sanity(struct index_dump *index)
{
	struct index_file *file = &index->index;
	struct index_file_time first, last;

	if (file->count > 0) {
		if (index_file_time_at(file, 0, &first) != 0 ||
		    index_file_time_at(file, file->count - 1, &last) != 0)
			return fail_read(index);
		if (last.timestamp_ms < first.timestamp_ms)
			return dump_log_fail(index->dump, index->path,
			    "the last timestamp is %" PRId64 " which is less "
			    "than the first timestamp %" PRId64,
			    last.timestamp_ms, first.timestamp_ms);
		if (last.offset < file->base_offset)
			return dump_log_fail(index->dump, index->path,
			    "the last offset is %" PRId64 " which is less "
			    "than the first offset %" PRId64, last.offset,
			    file->base_offset);
	}
	if (file->len % TIME_INDEX_ENTRY_LEN != 0)
		return dump_log_fail(index->dump, index->path,
		    "found %" PRId64 " bytes which is neither positive nor a "
		    "multiple of %d", file->len, TIME_INDEX_ENTRY_LEN);
	fprintf(index->dump->out, "%s passed sanity check.\n", index->path);
	return 0;
}

/* The largest timestamp of the current batch's records, -1 without any. */
static int
batch_timestamp(struct index_dump *index, struct file_scan *scan,
    int64_t *timestamp)
{
	struct batch_reader reader;
	struct record record;
	struct slice bytes = SLICE_NULL;
	uint8_t *heap = NULL;
	enum kp_error error = KP_MESSAGE_TOO_LARGE;

	*timestamp = -1;
	if (scan->size_bytes <= DUMP_LOG_BATCH_LEN_MAX) {
		bytes = file_scan_bytes(scan, &heap);
		error = KP_CORRUPT_MESSAGE;
	}
	if (!slice_is_null(bytes))
		error = batch_reader_open(&reader, bytes,
		    &index->dump->scratch);
	if (error == KP_NONE) {
		while (batch_reader_next(&reader, &record))
			*timestamp = MAX(*timestamp, record.timestamp);
		error = reader.error;
	}
	free(heap);
	if (error == KP_NONE)
		return 0;
	return dump_log_fail(index->dump, index->log_path, "the records of "
	    "the batch at position %" PRId64 " cannot be read",
	    scan->position);
}

/* The batch that ends at an entry's offset must have its timestamp. */
static int
check_time_batch(struct index_dump *index, struct file_scan *scan,
    const struct index_file_time *entry, int64_t previous_ms)
{
	struct dump_log_findings *findings = &index->dump->findings;
	int64_t timestamp;

	if (batch_timestamp(index, scan, &timestamp) != 0)
		return -1;
	if (timestamp != entry->timestamp_ms)
		dump_log_findings_add(findings, DUMP_LOG_TIMESTAMP_MISMATCH,
		    index->path, entry->timestamp_ms, timestamp);
	if (previous_ms >= entry->timestamp_ms)
		dump_log_findings_add(findings, DUMP_LOG_TIMESTAMP_ORDER,
		    index->path, entry->timestamp_ms, previous_ms);
	return 0;
}

/*
 * Kafka lists all batches behind an entry's before it looks at any, so damage
 * anywhere in the log ends the dump.
 */
static int
check_log(struct index_dump *index, int32_t position)
{
	enum file_scan_step step;
	struct file_scan scan;
	struct batch batch;

	if (begin_scan(index, &scan, position, INT32_MAX) != 0)
		return -1;
	while ((step = file_scan_next(&scan, &batch)) == FILE_SCAN_BATCH)
		;
	return check_scan_end(index, &scan, step);
}

static int
check_time_entry(struct index_dump *index,
    const struct index_file_time *entry, int64_t previous_ms, bool first)
{
	struct index_file_offset place;
	enum file_scan_step step;
	struct file_scan scan;
	struct batch batch;
	int64_t found = -1;

	if (index_file_lookup(&index->offsets, entry->offset, &place) != 0)
		return fail_read(index);
	if (first && check_log(index, place.position) != 0)
		return -1;
	if (begin_scan(index, &scan, place.position, INT32_MAX) != 0)
		return -1;
	while ((step = file_scan_next(&scan, &batch)) == FILE_SCAN_BATCH &&
	    batch.last_offset < entry->offset)
		;
	if (step != FILE_SCAN_BATCH && check_scan_end(index, &scan, step) != 0)
		return -1;
	if (step == FILE_SCAN_BATCH)
		found = batch.last_offset;
	if (step == FILE_SCAN_BATCH && found == entry->offset)
		return check_time_batch(index, &scan, entry, previous_ms);
	dump_log_findings_add(&index->dump->findings,
	    DUMP_LOG_OFFSET_NOT_FOUND, index->path, entry->offset, found);
	return 0;
}

static int
dump_times(struct index_dump *index)
{
	struct index_file *file = &index->index;
	struct index_file_time entry;
	int64_t previous_ms = -1;

	if (index->dump->options->index_sanity_check)
		return check_time_sanity(index);
	for (int64_t i = 0; i < file->count; i++) {
		if (index_file_time_at(file, i, &entry) != 0)
			return fail_read(index);
		if (entry.offset == file->base_offset && i > 0)
			return 0;
		if (check_time_entry(index, &entry, previous_ms, i == 0) != 0)
			return -1;
		if (!index->dump->options->verify_index_only)
			fprintf(index->dump->out,
			    "timestamp: %" PRId64 " offset: %" PRId64 "\n",
			    entry.timestamp_ms, entry.offset);
		previous_ms = entry.timestamp_ms;
	}
	return 0;
}

int
dump_log_time_index(struct dump_log *dump, const char *path)
{
	struct index_dump *index = xcalloc(1, sizeof(*index));
	int result;

	index->dump = dump;
	index->path = path;
	result = open_files(index, TIME_INDEX_ENTRY_LEN, true);
	if (result == 0)
		result = dump_times(index);
	close_files(index);
	free(index);
	return result;
}
