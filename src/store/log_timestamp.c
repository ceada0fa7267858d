#include "base/buf.h"
#include "base/log.h"
#include "store/file_scan.h"
#include "store/log_internal.h"
#include "wire/batch_reader.h"

#include <errno.h>
#include <inttypes.h>

#define SCAN_BUFFER_LEN ((size_t)64 << 10)
/* Bounds what one batch may decompress to here. */
#define SCRATCH_LEN_MAX ((size_t)256 << 20)

/* What is searched for, and where. */
struct search {
	struct log *log;
	int64_t timestamp_ms;
	int64_t start_offset;    /* records below do not count */
	struct segment *segment; /* a reference, or NULL: nothing */
	bool active;
	struct segment_time hint; /* where to begin in the active one */
	int64_t end_position;
};

/* --- Which segment ------------------------------------------------------ */

/* A segment that may be the one. */
struct candidate {
	struct segment *segment;  /* a reference */
	int64_t max_timestamp_ms; /* recorded; -1: none */
	int64_t modified_ms;
	bool active;
	bool empty; /* compaction may leave one */
};

/*
 * The segment that *offset falls into: 1, and *offset is behind it then; 0
 * behind the last; -1 with errno.  Offsets stay where they are while segments
 * are merged or removed.
 */
static int
take(struct log *log, int64_t *offset, struct candidate *candidate)
{
	int result = 0;

	candidate->segment = NULL;
	log_lock(log);
	if (*offset < log->end_offset) {
		size_t at = log_segment_find(log, *offset);

		*offset = log_segment_end(log, at);
		candidate->segment = segment_ref(log->segments[at]);
		candidate->modified_ms = candidate->segment->modified_ms;
		candidate->active = candidate->segment->active;
		candidate->empty = candidate->segment->size_bytes == 0;
		if (candidate->active)
			result = segment_max_timestamp(
			    candidate->segment, &candidate->max_timestamp_ms);
	}
	log_unlock(log);
	if (candidate->segment == NULL)
		return 0;
	/* The time index has no checksum: it is compared with the batches. */
	if (!candidate->active)
		result = segment_check_times(candidate->segment);
	if (!candidate->active && result == 0)
		result = segment_max_timestamp_closed(
		    candidate->segment, &candidate->max_timestamp_ms);
	if (result == 0)
		return 1;
	segment_unref(candidate->segment);
	return -1;
}

/* Make it the segment to search. */
static void
choose(struct search *search, struct segment *segment)
{
	segment_unref(search->segment);
	search->segment = segment_ref(segment);
	log_lock(search->log);
	search->start_offset = search->log->start_offset;
	search->end_position = segment->size_bytes;
	search->active = segment->active;
	if (search->active)
		segment_lookup_timestamp(
		    segment, search->timestamp_ms, &search->hint);
	log_unlock(search->log);
}

/*
 * The first segment that has a time of timestamp_ms or later; one without
 * times counts as written when the file was last changed.
 */
static int
choose_first(struct search *search)
{
	struct candidate candidate;
	int64_t offset = 0;
	int result = 0;

	while (search->segment == NULL &&
	    (result = take(search->log, &offset, &candidate)) > 0) {
		int64_t timestamp_ms;

		timestamp_ms = candidate.max_timestamp_ms;
		if (timestamp_ms < 0)
			timestamp_ms = candidate.modified_ms;
		if (timestamp_ms >= search->timestamp_ms && !candidate.empty)
			choose(search, candidate.segment);
		segment_unref(candidate.segment);
	}
	return result;
}

/* The first segment that has the largest time; that is searched for then. */
static int
choose_largest(struct search *search)
{
	struct candidate candidate;
	int64_t offset = 0;
	int result;

	search->timestamp_ms = -1;
	while ((result = take(search->log, &offset, &candidate)) > 0) {
		if (candidate.max_timestamp_ms > search->timestamp_ms) {
			search->timestamp_ms = candidate.max_timestamp_ms;
			choose(search, candidate.segment);
		}
		segment_unref(candidate.segment);
	}
	return result;
}

/* --- Which record ------------------------------------------------------- */

/* 1: found; 0: not in this batch; -1 with errno. */
static int
search_batch(const struct search *search, struct file_scan *scan,
    const struct batch *batch, struct log_position *found)
{
	struct batch_reader reader;
	struct record record;
	struct buf scratch;
	uint8_t *heap;
	struct slice bytes = file_scan_bytes(scan, &heap);
	int result = 0;

	if (slice_is_null(bytes))
		return -1;
	buf_init(&scratch, SCRATCH_LEN_MAX);
	if (batch_reader_open(&reader, bytes, &scratch) != KP_NONE) {
		errno = EBADMSG;
		result = -1;
	}
	while (result == 0 && batch_reader_next(&reader, &record)) {
		if (record.timestamp < search->timestamp_ms ||
		    record.offset < search->start_offset)
			continue;
		*found = (struct log_position){
			.offset = record.offset,
			.timestamp_ms = record.timestamp,
			.leader_epoch = batch->leader_epoch,
		};
		result = 1;
	}
	if (result == 0 && reader.error != KP_NONE) {
		errno = EBADMSG;
		result = -1;
	}
	buf_fini(&scratch);
	free(heap);
	return result;
}

static int
search_batches(const struct search *search, struct file_scan *scan,
    struct log_position *found)
{
	enum file_scan_step step;
	struct batch batch;
	int result = 0;

	while (result == 0 &&
	    (step = file_scan_next(scan, &batch)) != FILE_SCAN_END) {
		if (step == FILE_SCAN_ERROR)
			return -1;
		if (step != FILE_SCAN_BATCH) {
			errno = EBADMSG;
			return -1;
		}
		if (batch.max_timestamp >= search->timestamp_ms &&
		    batch.last_offset >= search->start_offset)
			result = search_batch(search, scan, &batch, found);
	}
	return result;
}

/* Search from position on. */
static int
search_from(const struct search *search, int64_t position,
    struct log_position *found)
{
	int fd = segment_pin(search->segment);
	struct file_scan scan;
	uint8_t *buffer;
	int result;

	if (fd < 0)
		return -1;
	buffer = xmalloc(SCAN_BUFFER_LEN);
	file_scan_init(&scan, search->log->disk, fd, position,
	    search->end_position, buffer, SCAN_BUFFER_LEN);
	result = search_batches(search, &scan, found);
	free(buffer);
	segment_unpin(search->segment);
	return result;
}

/*
 * Where the time index says, if the batches say the same; else from the
 * segment's beginning, and so where no batch stands at that place.
 */
static int
search_segment(const struct search *search, struct log_position *found)
{
	struct segment_time hint = search->hint;
	int result = 0;

	if (!search->active)
		result = segment_lookup_timestamp_closed(
		    search->segment, search->timestamp_ms, &hint);
	if (result == 0 && hint.position > 0)
		result = segment_has_time(
		    search->segment, &hint, search->end_position);
	if (result == 0 && hint.position > 0 && !search->active &&
	    segment_distrust(search->segment) < 0)
		result = -1;
	if (result >= 0)
		result = search_from(
		    search, result > 0 ? hint.position : 0, found);
	/* The offset index may have led into the middle of a batch. */
	if (result < 0 && errno == EBADMSG && hint.position > 0)
		result = search_from(search, 0, found);
	return result;
}

static enum kp_error
failure(const struct log *log)
{
	if (errno == EBADMSG)
		return KP_CORRUPT_MESSAGE;
	log_error("store", "cannot look for a timestamp in %s: %s", log->name,
	    strerror(errno));
	return KP_KAFKA_STORAGE_ERROR;
}

enum kp_error
log_find_timestamp(struct log *log, int64_t timestamp_ms, int64_t upper_bound,
    struct log_position *found)
{
	static const struct log_position none = { -1, -1, -1 };
	struct search search = { .log = log, .timestamp_ms = timestamp_ms };
	int result = timestamp_ms == LOG_TIMESTAMP_MAX ?
	    choose_largest(&search) :
	    choose_first(&search);

	*found = none;
	if (result >= 0 && search.segment != NULL)
		result = search_segment(&search, found);
	segment_unref(search.segment);
	if (result < 0)
		return failure(log);
	if (found->offset >= upper_bound)
		*found = none;
	return KP_NONE;
}
