/*
 * Is what a .txnindex says of aborted transactions what the batches say?
 *
 * The file has no checksum, and its absence means that there is nothing to
 * say, so a start cannot tell.  The first reader of committed records in a
 * segment has it compared, once: the producers at the segment's base are in a
 * snapshot, and its batches tell the rest.  A segment whose snapshots know of
 * no transaction is not read.
 *
 * Batches are the last word where all of them are there.  Where some were
 * compacted or are damaged, or the snapshot is missing, they do not tell where
 * each transaction began: an entry whose marker is there is believed then.
 */
#include "base/log.h"
#include "store/batch_walk.h"
#include "store/log_internal.h"
#include "store/producer_snapshot.h"

#include <errno.h>

#define SCAN_BUFFER_LEN ((size_t)256 << 10)

struct abort_check {
	struct log *log;
	struct segment *segment;

	/* What is looked at, of a segment that may be appended to. */
	int64_t size_bytes;
	unsigned cuts;
	int64_t end_offset;      /* markers at or above are not */
	int64_t snapshot_offset; /* at its end; -1: active */
	char *directory;         /* owned */
	bool may_have;           /* transactions */

	struct open_txns txns;    /* open where the walk is */
	struct txn_index markers; /* of aborts; first offset -1: not known */
	bool base_known;          /* what was open at the base */
	bool gaps;                /* not all offsets have their record */
	bool damaged;             /* not all batches are good */
};

/* --- What the snapshots say ---------------------------------------------- */

static bool
has_transactions(const struct producer_state *state)
{
	for (size_t i = 0; i < state->count; i++)
		if (state->producers[i]->coordinator_epoch >= 0 ||
		    state->producers[i]->txn_first_offset >= 0)
			return true;
	return false;
}

/* Read a snapshot; -1 with errno. */
static int
read_snapshot(const struct abort_check *check, int64_t offset,
    struct producer_state *state)
{
	producer_state_init(state);
	return producer_snapshot_read(
	    state, check->log->disk, check->directory, offset);
}

static void
look_at_base(struct abort_check *check)
{
	int64_t base = check->segment->base_offset;
	struct producer_state state;

	check->base_known = read_snapshot(check, base, &state) == 0 ||
	    (base == 0 && errno == ENOENT);
	check->may_have |= !check->base_known || has_transactions(&state);
	for (size_t i = 0; i < state.count; i++)
		if (state.producers[i]->txn_first_offset >= 0)
			open_txns_begin(&check->txns, state.producers[i]->id,
			    state.producers[i]->txn_first_offset);
	producer_state_fini(&state);
}

static void
look_at_end(struct abort_check *check)
{
	struct producer_state state;

	if (check->snapshot_offset < 0)
		return;
	check->may_have |=
	    read_snapshot(check, check->snapshot_offset, &state) != 0 ||
	    has_transactions(&state);
	producer_state_fini(&state);
}

/* --- What the batches say ------------------------------------------------ */

static bool
is_open(const struct open_txns *txns, int64_t producer_id)
{
	for (size_t i = 0; i < txns->ongoing.count; i++)
		if (txns->ongoing.txns[i].producer_id == producer_id)
			return true;
	return false;
}

static void
note_marker(
    struct abort_check *check, const struct batch *batch, struct slice bytes)
{
	struct txn_index_entry entry = {
		.producer_id = batch->producer_id,
		.first_offset = -1,
		.last_offset = batch->last_offset,
	};
	int32_t coordinator_epoch;
	int64_t ongoing;
	bool abort;

	if (log_marker_read(bytes, &abort, &coordinator_epoch) != 0)
		return;
	(void)open_txns_end(&check->txns, batch->producer_id,
	    batch->last_offset, &entry.first_offset);
	open_txns_settle(&check->txns, INT64_MAX);
	ongoing = open_txns_first_ongoing(&check->txns);
	entry.last_stable_offset =
	    ongoing == OPEN_TXNS_NONE ? batch->last_offset + 1 : ongoing;
	if (abort)
		txn_index_append(&check->markers, &entry);
}

static int
note_batch(struct abort_check *check, struct file_scan *scan,
    const struct batch *batch)
{
	struct slice bytes;
	uint8_t *heap;

	if (batch->producer_id < 0)
		return 0;
	if (!batch_is_control(batch)) {
		if (batch_is_transactional(batch) &&
		    !is_open(&check->txns, batch->producer_id))
			open_txns_begin(&check->txns, batch->producer_id,
			    batch->base_offset);
		return 0;
	}
	bytes = file_scan_bytes(scan, &heap);
	if (slice_is_null(bytes))
		return -1;
	note_marker(check, batch, bytes);
	free(heap);
	return 0;
}

static int
walk(struct abort_check *check, struct batch_walk *walk)
{
	int64_t expected = check->segment->base_offset;
	struct batch batch;
	int result;

	while ((result = batch_walk_next(walk, &batch)) > 0) {
		check->damaged |= walk->skipped;
		check->gaps |= batch.base_offset != expected ||
		    batch.record_count != INT64_C(1) + batch.last_offset_delta;
		expected = batch.last_offset + 1;
		if (note_batch(check, &walk->scan, &batch) != 0)
			return -1;
	}
	check->damaged |= walk->scan.position < walk->scan.end;
	return result;
}

static int
look_at_batches(struct abort_check *check)
{
	struct segment *segment = check->segment;
	int fd = segment_pin(segment);
	struct batch_walk batches;
	struct file_scan scan;
	uint8_t *buffer;
	int result;

	if (fd < 0)
		return -1;
	buffer = xmalloc(SCAN_BUFFER_LEN);
	file_scan_init(&scan, segment->disk, fd, 0, check->size_bytes, buffer,
	    SCAN_BUFFER_LEN);
	batch_walk_init(&batches, &scan, segment->base_offset);
	batches.verify = true;
	result = walk(check, &batches);
	free(buffer);
	segment_unpin(segment);
	return result;
}

/* --- Comparing ----------------------------------------------------------- */

/* The entry that the file has for this marker, or NULL. */
static const struct txn_index_entry *
entry_of(const struct txn_index *file, const struct txn_index_entry *marker)
{
	size_t at = txn_index_find(file, marker->last_offset);

	return at < file->count &&
		file->entries[at].last_offset == marker->last_offset &&
		file->entries[at].producer_id == marker->producer_id ?
	    &file->entries[at] :
	    NULL;
}

static bool
is_sure(const struct abort_check *check)
{
	return check->base_known && !check->gaps && !check->damaged;
}

/* The entries below marker's that only the file has, *at being the next. */
static void
keep_others(const struct abort_check *check, const struct txn_index *file,
    size_t *at, int64_t marker_offset, struct txn_index *entries)
{
	for (;
	    *at < file->count && file->entries[*at].last_offset < marker_offset;
	    (*at)++)
		if (check->damaged ||
		    file->entries[*at].last_offset >= check->end_offset)
			txn_index_append(entries, &file->entries[*at]);
	if (*at < file->count &&
	    file->entries[*at].last_offset == marker_offset)
		(*at)++;
}

static void
merge(const struct abort_check *check, const struct txn_index *file,
    struct txn_index *entries)
{
	size_t at = 0;

	for (size_t i = 0; i < check->markers.count; i++) {
		const struct txn_index_entry *marker =
		    &check->markers.entries[i];
		const struct txn_index_entry *entry =
		    is_sure(check) ? NULL : entry_of(file, marker);

		keep_others(check, file, &at, marker->last_offset, entries);
		if (entry != NULL)
			txn_index_append(entries, entry);
		else if (marker->first_offset >= 0)
			txn_index_append(entries, marker);
	}
	keep_others(check, file, &at, INT64_MAX, entries);
}

static bool
is_same(const struct txn_index *a, const struct txn_index *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct txn_index_entry *x = &a->entries[i];
		const struct txn_index_entry *y = &b->entries[i];

		if (x->producer_id != y->producer_id ||
		    x->first_offset != y->first_offset ||
		    x->last_offset != y->last_offset ||
		    x->last_stable_offset != y->last_stable_offset)
			return false;
	}
	return true;
}

/* Have what the segment's file says in memory: nothing where it is bad. */
static int
load_file(struct segment *segment, bool *bad)
{
	int result;

	pthread_mutex_lock(&segment->mutex);
	result = segment_load_aborts(segment);
	*bad = result != 0 && (errno == EBADMSG || errno == ENOENT);
	pthread_mutex_unlock(&segment->mutex);
	return *bad ? 0 : result;
}

/* Locked, with the segment's mutex. */
static void
put(struct abort_check *check, bool bad)
{
	struct segment *segment = check->segment;
	struct txn_index entries;

	txn_index_init(&entries);
	merge(check, &segment->aborts, &entries);
	if (bad || !is_same(&entries, &segment->aborts)) {
		log_warn("store",
		    "%s/%020lld.txnindex is not what the batches say; "
		    "making a new one",
		    check->directory, (long long)segment->base_offset);
		segment_replace_aborts(segment, &entries);
	}
	txn_index_fini(&entries);
	segment->aborts_checked = true;
	if (!segment->active && segment->open_first < 0 && check->base_known &&
	    !check->damaged)
		segment->open_first = open_txns_first_ongoing(&check->txns);
}

/* --- A check ------------------------------------------------------------- */

static void
init(struct abort_check *check)
{
	struct segment *segment = check->segment;
	struct log *log = check->log;
	size_t at;

	open_txns_init(&check->txns);
	txn_index_init(&check->markers);
	log_lock(log);
	at = log_segment_find(log, segment->base_offset);
	check->directory = xstrdup(log->path);
	check->size_bytes = segment->size_bytes;
	check->cuts = segment->cuts;
	check->end_offset = segment->active ? log->end_offset : INT64_MAX;
	check->may_have = segment->has_aborts;
	check->snapshot_offset = -1;
	if (segment->active)
		check->may_have |= has_transactions(&log->producers);
	else
		check->snapshot_offset = log_segment_end(log, at);
	log_unlock(log);
}

static int
look(struct abort_check *check)
{
	look_at_base(check);
	look_at_end(check);
	return check->may_have ? look_at_batches(check) : 0;
}

static int
finish(struct abort_check *check)
{
	struct log *log = check->log;
	struct segment *segment = check->segment;
	bool bad;

	if (load_file(segment, &bad) != 0)
		return -1;
	log_lock(log);
	pthread_mutex_lock(&segment->mutex);
	/* Of one that was truncated meanwhile all begins anew. */
	if (segment->cuts == check->cuts)
		put(check, bad);
	pthread_mutex_unlock(&segment->mutex);
	log_unlock(log);
	return 0;
}

int
log_check_aborts(struct log *log, struct segment *segment)
{
	struct abort_check check = { .log = log, .segment = segment };
	int result, saved;

	init(&check);
	result = look(&check);
	if (result == 0)
		result = finish(&check);
	saved = errno;
	open_txns_fini(&check.txns);
	txn_index_fini(&check.markers);
	free(check.directory);
	errno = saved;
	return result;
}
