/*
 * A log as an orderly stop leaves it, described in bytes, and a log made from
 * that without opening any of its files.
 *
 *     off  size  field
 *     0    16    topic id
 *     16   8     inode of the directory
 *     24   8     time of its last change, in nanoseconds
 *     32   8     end offset
 *     40   8     offset of the newest producer snapshot, or -1
 *     48   8     first timestamp of the active segment, or -1
 *     56   4     number of segments: base offset i64, size i64, time of the
 *                last change in nanoseconds i64, and whether there is a
 *                .txnindex i8: 0, 1, or 2 where there is none, but nobody has
 *                compared that with the batches
 *     60   4     number of leader epochs: epoch i32, start offset i64
 *     64   4     number of entries in the active segment's offset index
 *     68   4     number of entries in its time index
 *     72         those four, the indexes as in their files; the rest is the
 *                producer snapshot
 *
 * Files that come, go or are replaced change their directory's time, and what
 * is written to a segment changes the segment's: where all are as they were,
 * so is the log.
 */
#include "base/buf.h"
#include "base/bytes.h"
#include "store/disk.h"
#include "store/log_internal.h"
#include "store/producer_snapshot.h"

enum {
	TOPIC_ID_AT = 0,
	INODE_AT = 16,
	CHANGED_AT = 24,
	END_OFFSET_AT = 32,
	SNAPSHOT_OFFSET_AT = 40,
	FIRST_TIMESTAMP_AT = 48,
	SEGMENT_COUNT_AT = 56,
	EPOCH_COUNT_AT = 60,
	OFFSETS_COUNT_AT = 64,
	TIMES_COUNT_AT = 68,
	HEADER_LEN = 72,

	SEGMENT_SIZE_AT = 8,
	SEGMENT_CHANGED_AT = 16,
	SEGMENT_ABORTS_AT = 24,
	SEGMENT_LEN = 25,

	EPOCH_START_AT = 4,
	EPOCH_LEN = 12,
};

/* Of a segment: whether there is a .txnindex. */
enum {
	ABORTS_NONE,
	ABORTS_FILE,
	ABORTS_UNKNOWN,
};

/* Longer indexes are as quickly read from their files. */
#define INDEX_COUNT_MAX 256

#define NS_PER_MS 1000000

static int64_t
get64(const uint8_t *p)
{
	return (int64_t)be64_get(p);
}

static void
put64(uint8_t *p, int64_t value)
{
	be64_put(p, (uint64_t)value);
}

static int64_t
changed_ns(const struct stat *st)
{
	return st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
}

/* A segment's file, as it is. */
static int
segment_stat(const struct log *log, int64_t base_offset, struct stat *st)
{
	char name[SEGMENT_NAME_SIZE];
	char *path;
	int result;

	segment_name(base_offset, name);
	path = xasprintf("%s/%s.log", log->path, name);
	result = disk_stat(log->disk, path, st);
	free(path);
	return result;
}

/* --- Describing ---------------------------------------------------------- */

/* With more than this the next start has to look into the files. */
static bool
is_plain(const struct log *log)
{
	const struct segment *active = log_active(log);

	return !log->offline && !log->lost_data && log->damage_count == 0 &&
	    !log->damages_dirty && list_empty(&log->removals) &&
	    log->unsettled == NULL &&
	    log->recovery_point == log->end_offset &&
	    log->txns.ongoing.count == 0 && log->txns.undecided.count == 0 &&
	    !active->has_aborts &&
	    active->indexes.offsets.count <= INDEX_COUNT_MAX &&
	    active->indexes.times.count <= INDEX_COUNT_MAX;
}

static void
put_header(uint8_t *p, const struct log *log, const struct stat *directory)
{
	const struct segment *active = log_active(log);

	memcpy(p + TOPIC_ID_AT, log->topic_id.bytes,
	    sizeof(log->topic_id.bytes));
	put64(p + INODE_AT, (int64_t)directory->st_ino);
	put64(p + CHANGED_AT, changed_ns(directory));
	put64(p + END_OFFSET_AT, log->end_offset);
	put64(p + SNAPSHOT_OFFSET_AT, log->snapshot_offset);
	put64(p + FIRST_TIMESTAMP_AT, active->first_timestamp_ms);
	be32_put(p + SEGMENT_COUNT_AT, (uint32_t)log->segment_count);
	be32_put(p + EPOCH_COUNT_AT, (uint32_t)log->epochs.count);
	be32_put(p + OFFSETS_COUNT_AT, (uint32_t)active->indexes.offsets.count);
	be32_put(p + TIMES_COUNT_AT, (uint32_t)active->indexes.times.count);
}

static uint8_t
aborts_of(const struct segment *segment)
{
	if (segment->has_aborts)
		return ABORTS_FILE;
	return segment->aborts_checked ? ABORTS_NONE : ABORTS_UNKNOWN;
}

/* -1 where a segment's file is not as the log has it. */
static int
put_segments(uint8_t *p, const struct log *log)
{
	struct stat st;

	for (size_t i = 0; i < log->segment_count; i++) {
		const struct segment *segment = log->segments[i];

		if (segment_stat(log, segment->base_offset, &st) != 0 ||
		    st.st_size != segment->size_bytes)
			return -1;
		put64(p, segment->base_offset);
		put64(p + SEGMENT_SIZE_AT, segment->size_bytes);
		put64(p + SEGMENT_CHANGED_AT, changed_ns(&st));
		p[SEGMENT_ABORTS_AT] = aborts_of(segment);
		p += SEGMENT_LEN;
	}
	return 0;
}

static uint8_t *
put_epochs(uint8_t *p, const struct leader_epochs *epochs)
{
	for (size_t i = 0; i < epochs->count; i++) {
		be32_put(p, (uint32_t)epochs->entries[i].epoch);
		put64(p + EPOCH_START_AT, epochs->entries[i].start_offset);
		p += EPOCH_LEN;
	}
	return p;
}

static uint8_t *
put_indexes(uint8_t *p, const struct segment_indexes *indexes)
{
	offset_index_encode(&indexes->offsets, p);
	p += indexes->offsets.count * OFFSET_INDEX_ENTRY_LEN;
	time_index_encode(&indexes->times, p);
	return p + indexes->times.count * TIME_INDEX_ENTRY_LEN;
}

void
log_closed_describe(struct log *log, struct buf *description)
{
	const struct segment_indexes *indexes = &log_active(log)->indexes;
	size_t segments_len = log->segment_count * SEGMENT_LEN;
	size_t snapshot_len, len;
	uint8_t *snapshot, *p;
	struct stat directory;

	if (!is_plain(log) || disk_stat(log->disk, log->path, &directory) != 0)
		return;
	snapshot = producer_snapshot_encode(&log->producers, &snapshot_len);
	len = HEADER_LEN + segments_len + log->epochs.count * EPOCH_LEN +
	    indexes->offsets.count * OFFSET_INDEX_ENTRY_LEN +
	    indexes->times.count * TIME_INDEX_ENTRY_LEN + snapshot_len;
	p = buf_reserve(description, len);
	if (p != NULL && put_segments(p + HEADER_LEN, log) == 0) {
		put_header(p, log, &directory);
		p = put_epochs(p + HEADER_LEN + segments_len, &log->epochs);
		p = put_indexes(p, indexes);
		memcpy(p, snapshot, snapshot_len);
		description->len += len;
	}
	free(snapshot);
}

/* --- Restoring ----------------------------------------------------------- */

/* The parts of a description. */
struct closed {
	const uint8_t *header;
	struct slice segments;
	struct slice epochs;
	struct slice offsets;
	struct slice times;
	struct slice snapshot;
};

/* Take count items of len bytes off rest; false where they are not there. */
static bool
take(struct slice *rest, const uint8_t *count, size_t len, struct slice *part)
{
	size_t want = (size_t)be32_get(count) * len;

	if (rest->len < want)
		return false;
	*part = slice_of(rest->data, want);
	*rest = slice_of(rest->data + want, rest->len - want);
	return true;
}

static bool
parse(struct slice bytes, struct closed *closed)
{
	const uint8_t *header = bytes.data;

	if (bytes.len < HEADER_LEN)
		return false;
	closed->header = header;
	closed->snapshot =
	    slice_of(header + HEADER_LEN, bytes.len - HEADER_LEN);
	return take(&closed->snapshot, header + SEGMENT_COUNT_AT, SEGMENT_LEN,
		   &closed->segments) &&
	    closed->segments.len > 0 &&
	    take(&closed->snapshot, header + EPOCH_COUNT_AT, EPOCH_LEN,
		&closed->epochs) &&
	    take(&closed->snapshot, header + OFFSETS_COUNT_AT,
		OFFSET_INDEX_ENTRY_LEN, &closed->offsets) &&
	    take(&closed->snapshot, header + TIMES_COUNT_AT,
		TIME_INDEX_ENTRY_LEN, &closed->times);
}

static bool
segments_current(const struct log *log, const struct closed *closed)
{
	struct stat st;

	for (size_t at = 0; at < closed->segments.len; at += SEGMENT_LEN) {
		const uint8_t *p = closed->segments.data + at;

		if (segment_stat(log, get64(p), &st) != 0 ||
		    st.st_size != get64(p + SEGMENT_SIZE_AT) ||
		    changed_ns(&st) != get64(p + SEGMENT_CHANGED_AT))
			return false;
	}
	return true;
}

/* Are the files those that were described, and the checkpoints, too? */
static bool
is_current(const struct log *log, const struct closed *closed)
{
	const uint8_t *header = closed->header;
	struct stat directory;

	return get64(header + END_OFFSET_AT) == log->recovery_point &&
	    disk_stat(log->disk, log->path, &directory) == 0 &&
	    (int64_t)directory.st_ino == get64(header + INODE_AT) &&
	    changed_ns(&directory) == get64(header + CHANGED_AT) &&
	    segments_current(log, closed);
}

/* One row of segments, each within what the log can have. */
static bool
segments_fit(const struct closed *closed)
{
	int64_t next = 0, end = get64(closed->header + END_OFFSET_AT);

	for (size_t at = 0; at < closed->segments.len; at += SEGMENT_LEN) {
		const uint8_t *p = closed->segments.data + at;
		int64_t base = get64(p), size = get64(p + SEGMENT_SIZE_AT);

		if (base < next || base > end || size < 0 || size > INT32_MAX)
			return false;
		next = base + 1;
	}
	return end <= LOG_BASE_OFFSET_MAX;
}

static void
add_segments(struct log *log, const struct closed *closed)
{
	for (size_t at = 0; at < closed->segments.len; at += SEGMENT_LEN) {
		const uint8_t *p = closed->segments.data + at;
		struct segment *segment = segment_open(log->files, log->path,
		    get64(p), get64(p + SEGMENT_SIZE_AT),
		    get64(p + SEGMENT_CHANGED_AT) / NS_PER_MS);

		segment->has_aborts = p[SEGMENT_ABORTS_AT] == ABORTS_FILE;
		segment->aborts_loaded = !segment->has_aborts;
		segment->aborts_checked = p[SEGMENT_ABORTS_AT] == ABORTS_NONE;
		log_segment_push(log, segment);
	}
}

/* False where they are not in order. */
static bool
add_epochs(struct log *log, const struct closed *closed)
{
	struct leader_epochs *epochs = &log->epochs;

	for (size_t at = 0; at < closed->epochs.len; at += EPOCH_LEN) {
		const uint8_t *p = closed->epochs.data + at;
		int32_t epoch = (int32_t)be32_get(p);
		int64_t start = get64(p + EPOCH_START_AT);

		if (epoch < 0 || start < 0)
			return false;
		leader_epochs_assign(epochs, epoch, start);
	}
	epochs->dirty = false;
	return epochs->count * EPOCH_LEN == closed->epochs.len;
}

/* False where they are unbelievable, or have a transaction open. */
static bool
add_producers(struct log *log, struct slice snapshot)
{
	const struct producer_state *state = &log->producers;

	if (producer_snapshot_decode(&log->producers, snapshot) != 0)
		return false;
	for (size_t i = 0; i < state->count; i++)
		if (state->producers[i]->txn_first_offset >= 0)
			return false;
	return true;
}

static bool
restore(struct log *log, struct slice description, int64_t now_ms)
{
	struct closed closed;

	if (!parse(description, &closed) || !segments_fit(&closed) ||
	    !is_current(log, &closed))
		return false;
	add_segments(log, &closed);
	log->start_offset =
	    MAX(log->start_offset, log->segments[0]->base_offset);
	memcpy(log->topic_id.bytes, closed.header + TOPIC_ID_AT,
	    sizeof(log->topic_id.bytes));
	log->end_offset = get64(closed.header + END_OFFSET_AT);
	log->snapshot_offset = get64(closed.header + SNAPSHOT_OFFSET_AT);
	log->snapshot_synced = log->snapshot_offset;
	return add_epochs(log, &closed) &&
	    segment_activate_noted(log_active(log), closed.offsets,
		closed.times, get64(closed.header + FIRST_TIMESTAMP_AT),
		now_ms) == 0 &&
	    add_producers(log, closed.snapshot);
}

struct log *
log_reopen(const struct log_open *open, struct slice description)
{
	struct log *log = log_new(open);

	log_load_begin(log, open);
	if (!open->clean || !restore(log, description, open->now_ms)) {
		log_free(log);
		return NULL;
	}
	log_load_end(log);
	return log;
}

bool
log_description_topic_id(struct slice description, struct uuid *topic_id)
{
	if (description.len < HEADER_LEN)
		return false;
	memcpy(topic_id->bytes, description.data + TOPIC_ID_AT,
	    sizeof(topic_id->bytes));
	return true;
}
