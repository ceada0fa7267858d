/*
 * How a log's batches become producer state: as they are appended, and again
 * at a start and after a truncation, from a snapshot and the batches since.
 */
#include "base/log.h"
#include "store/batch_walk.h"
#include "store/disk.h"
#include "store/log_internal.h"
#include "store/producer_snapshot.h"
#include "wire/batch_reader.h"
#include "wire/control_record.h"

#include <errno.h>
#include <inttypes.h>

#define SCAN_BUFFER_LEN ((size_t)256 << 10)

void
log_producers_describe(
    const struct batch *batch, struct producer_append *append)
{
	*append = (struct producer_append){
		.producer_id = batch->producer_id,
		.base_offset = batch->base_offset,
		.last_offset = batch->last_offset,
		.max_timestamp_ms = batch->max_timestamp,
		.base_sequence = batch->base_sequence,
		/* A log of another broker may have anything below zero. */
		.last_sequence = batch->base_sequence < 0 ?
		    BATCH_NO_SEQUENCE :
		    batch_last_sequence(batch),
		.producer_epoch = batch->producer_epoch,
		.transactional = batch_is_transactional(batch),
	};
}

/* What a transaction's marker says; -1 where the record is none. */
static int
parse_marker(const struct record *record, bool *abort,
    int32_t *coordinator_epoch)
{
	enum control_record_type type;

	if (control_record_key_read(record->key, &type) != 0 ||
	    (type != CONTROL_RECORD_ABORT && type != CONTROL_RECORD_COMMIT))
		return -1;
	*abort = type == CONTROL_RECORD_ABORT;
	return control_record_marker_read(record->value, coordinator_epoch);
}

int
log_marker_read(struct slice bytes, bool *abort, int32_t *coordinator_epoch)
{
	struct batch_reader reader;
	struct record record;
	struct buf scratch;
	int result = -1;

	/* Markers are never compressed, so there is nothing to unpack. */
	buf_init(&scratch, 0);
	if (batch_reader_open(&reader, bytes, &scratch) == KP_NONE &&
	    batch_reader_next(&reader, &record))
		result = parse_marker(&record, abort, coordinator_epoch);
	buf_fini(&scratch);
	return result;
}

/* A transaction that began at first_offset was aborted by this marker. */
static void
note_abort(struct log *log, const struct batch *marker, int64_t first_offset,
    struct segment *segment)
{
	int64_t ongoing = open_txns_first_ongoing(&log->txns);

	segment_add_abort(segment,
	    &(struct txn_index_entry){
		.producer_id = marker->producer_id,
		.first_offset = first_offset,
		.last_offset = marker->last_offset,
		.last_stable_offset = ongoing == OPEN_TXNS_NONE ?
		    marker->last_offset + 1 :
		    ongoing,
	    });
}

static void
note_marker(struct log *log, const struct batch *batch, struct slice bytes,
    struct segment *segment)
{
	struct producer_marker marker = {
		.producer_id = batch->producer_id,
		.timestamp_ms = batch->max_timestamp,
		.producer_epoch = batch->producer_epoch,
	};
	int64_t first_offset;
	bool abort;

	if (log_marker_read(bytes, &abort, &marker.coordinator_epoch) != 0)
		return;
	verification_end(&log->verifications, batch->producer_id);
	producer_state_update_marker(&log->producers, &marker);
	if (open_txns_end(&log->txns, batch->producer_id, batch->last_offset,
		&first_offset) &&
	    abort && segment != NULL)
		note_abort(log, batch, first_offset, segment);
}

static bool
has_open_txn(const struct log *log, int64_t producer_id)
{
	const struct producer *producer =
	    producer_state_find(&log->producers, producer_id);

	return producer != NULL && producer->txn_first_offset >= 0;
}

void
log_producers_note(struct log *log, const struct batch *batch,
    struct slice bytes, struct segment *segment)
{
	struct producer_append append;

	if (batch->producer_id < 0)
		return;
	if (batch_is_control(batch)) {
		note_marker(log, batch, bytes, segment);
		return;
	}
	log_producers_describe(batch, &append);
	if (append.transactional && !has_open_txn(log, append.producer_id)) {
		verification_end(&log->verifications, append.producer_id);
		open_txns_begin(
		    &log->txns, append.producer_id, append.base_offset);
	}
	producer_state_update(&log->producers, &append);
}

int
log_producers_note_scanned(struct log *log, struct file_scan *scan,
    const struct batch *batch, struct segment *segment)
{
	struct slice bytes = SLICE_NULL;
	uint8_t *heap = NULL;

	if (batch->producer_id < 0)
		return 0;
	if (batch_is_control(batch)) {
		bytes = file_scan_bytes(scan, &heap);
		if (slice_is_null(bytes))
			return -1;
	}
	log_producers_note(log, batch, bytes, segment);
	free(heap);
	return 0;
}

/* --- Load --------------------------------------------------------------- */

void
log_snapshot_unlink(struct log *log, int64_t offset)
{
	char name[PRODUCER_SNAPSHOT_NAME_SIZE];
	char *path;

	producer_snapshot_name(offset, name);
	path = xasprintf("%s/%s", log->path, name);
	if (disk_unlink(log->disk, path) != 0 && errno != ENOENT)
		log_warn(
		    "store", "cannot unlink %s: %s", path, strerror(errno));
	free(path);
	log_names_changed(log);
}

/* Transactions that a snapshot at offset says are open began before it. */
static int
open_txns_restore(struct log *log, int64_t offset)
{
	const struct producer_state *state = &log->producers;

	for (size_t i = 0; i < state->count; i++) {
		const struct producer *producer = state->producers[i];

		if (producer->txn_first_offset >= offset) {
			open_txns_clear(&log->txns);
			producer_state_clear(&log->producers);
			errno = EBADMSG;
			return -1;
		}
		if (producer->txn_first_offset >= 0)
			open_txns_begin(&log->txns, producer->id,
			    producer->txn_first_offset);
	}
	return 0;
}

static int
read_snapshot(struct log *log, int64_t offset)
{
	if (producer_snapshot_read(
		&log->producers, log->disk, log->path, offset) != 0)
		return -1;
	return open_txns_restore(log, offset);
}

/*
 * Load the newest snapshot above `above` that can be read, and drop the others
 * on the way: *known becomes the offset up to which the state is known, or -1.
 * -1 with errno where descriptors were short: the batches that are left may
 * not tell of all producers.
 */
static int
load_file(struct log *log, struct log_files *files, int64_t above,
    int64_t limit, int64_t *known)
{
	*known = -1;
	while (files->snapshot_count > 0) {
		int64_t offset = files->snapshots[files->snapshot_count - 1];

		if (offset < log->start_offset || offset <= above)
			break;
		if (offset <= limit) {
			if (read_snapshot(log, offset) == 0) {
				*known = offset;
				return 0;
			}
			if (disk_is_busy(errno))
				return -1;
			log_warn("store",
			    "%s: producer snapshot %" PRId64 " cannot be used: "
							     "%s",
			    log->path, offset, strerror(errno));
		}
		/* One that could not be read now may be good. */
		if (offset > limit || errno == EBADMSG)
			log_snapshot_unlink(log, offset);
		files->snapshot_count--;
	}
	return 0;
}

/* The same of all, for there may be one that no disk had room for. */
static int
load_snapshot(
    struct log *log, struct log_files *files, int64_t limit, int64_t *known)
{
	const struct segment *unsaved = log_unsaved_snapshot_below(log, limit);
	int64_t above = unsaved == NULL ? -1 : unsaved->base_offset;

	if (above < log->start_offset)
		above = -1;
	if (load_file(log, files, above, limit, known) != 0)
		return -1;
	if (*known >= 0 || above < 0)
		return 0;
	if (producer_snapshot_decode(&log->producers,
		slice_of(unsaved->snapshot, unsaved->snapshot_len)) == 0 &&
	    open_txns_restore(log, above) == 0)
		*known = above;
	return 0;
}

static int
scan_batches(
    struct log *log, struct batch_walk *walk, int64_t from, int64_t to)
{
	struct batch batch;
	int result;

	while ((result = batch_walk_next(walk, &batch)) > 0 &&
	    batch.base_offset < to) {
		if (batch.last_offset >= from &&
		    log_producers_note_scanned(
			log, &walk->scan, &batch, NULL) != 0)
			return -1;
	}
	return result < 0 ? -1 : 0;
}

static int
scan_segment(struct log *log, struct segment *segment, int64_t from, int64_t to,
    uint8_t *buffer)
{
	int64_t position = segment_lookup(segment, from);
	int fd = position < 0 ? -1 : segment_pin(segment);
	struct batch_walk walk;
	struct file_scan scan;
	int result;

	if (fd < 0)
		return -1;
	file_scan_init(&scan, log->disk, fd, position, segment->size_bytes,
	    buffer, SCAN_BUFFER_LEN);
	batch_walk_init(&walk, &scan, segment->base_offset);
	result = scan_batches(log, &walk, from, to);
	segment_unpin(segment);
	return result;
}

/*
 * The state is that of all batches below offset: where a segment begins there,
 * keep it for the next start, and for when the batches are gone.
 */
static int
keep_snapshot(struct log *log, int64_t offset)
{
	if (!log_has_base(log, offset) ||
	    producer_snapshot_write(&log->producers, log->disk, log->path,
		offset, true) == 0)
		return 0;
	if (!disk_is_full(errno))
		return -1;
	log_unsaved_snapshot(log, log_segment_find(log, offset));
	return 0;
}

/* Read the batches of [from, to) from the segments that are there. */
static int
scan_log(struct log *log, int64_t from, int64_t to)
{
	uint8_t *buffer = xmalloc(SCAN_BUFFER_LEN);
	int result = 0;

	for (size_t i = log_segment_find(log, from); i < log->segment_count &&
	     result == 0 && log->segments[i]->base_offset < to;
	     i++) {
		if (log->segments[i]->base_offset > from)
			result =
			    keep_snapshot(log, log->segments[i]->base_offset);
		if (result == 0)
			result = scan_segment(
			    log, log->segments[i], from, to, buffer);
	}
	free(buffer);
	return result == 0 ? keep_snapshot(log, to) : -1;
}

/*
 * Snapshots stand at the bases of segments and go with them.  Those that an
 * orderly stop left in the middle of one would stay for ever.
 */
static void
drop_strays(struct log *log, const struct log_files *files)
{
	for (size_t i = 0; i + 1 < files->snapshot_count; i++)
		if (!log_has_base(log, files->snapshots[i]))
			log_snapshot_unlink(log, files->snapshots[i]);
}

int
log_producers_load(struct log *log, struct log_files *files, int64_t offset,
    bool scan_all)
{
	int64_t from;

	/* Kafka's rule: where there are none at all there was no producer. */
	scan_all |= files->snapshot_count > 0;
	producer_state_clear(&log->producers);
	open_txns_clear(&log->txns);
	if (load_snapshot(log, files, offset, &from) != 0)
		return -1;
	drop_strays(log, files);
	log->snapshot_offset = from;
	log->snapshot_synced = from;
	if (from < 0) {
		if (!scan_all)
			return 0;
		from = log->start_offset;
	}
	if (from < offset && log->segment_count > 0 &&
	    scan_log(log, from, offset) != 0)
		return -1;
	open_txns_settle(&log->txns, log->high_watermark);
	return 0;
}
