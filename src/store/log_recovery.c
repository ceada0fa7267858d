/*
 * Finding out at a start what of a log is good.
 *
 * Bytes at or above the recovery point were never said to be durable: the
 * first that is not a good batch ends the log.  Bytes below it were: what is
 * bad there is rot.  It is kept and noted, the scan goes on behind it, and the
 * offsets are never used again.  Where each append was synced before the next,
 * a good batch proves the one in front of it to be rot as well; such a log is
 * small and must be whole, so it is refused.
 */
#include "base/log.h"
#include "store/batch_walk.h"
#include "store/disk.h"
#include "store/log_internal.h"

#include <errno.h>
#include <inttypes.h>

#define SCAN_BUFFER_LEN_MAX ((size_t)1 << 20)

/* As much as a file of this size needs, for most logs are small. */
uint8_t *
log_scan_buffer(int64_t size_bytes, size_t *len)
{
	*len = MIN((size_t)size_bytes, SCAN_BUFFER_LEN_MAX);
	*len = MAX(*len, FILE_SCAN_BUFFER_MIN);
	return xmalloc(*len);
}

/*
 * Does a batch behind end_offset reach over the recovery point, where it would
 * have to end, from behind a gap?  Its offset is damaged.
 */
static bool
passes_durable(
    const struct log *log, int64_t end_offset, const struct batch *batch)
{
	return !log->settings.cleanup_compact &&
	    log->recovery_point > log->start_offset &&
	    end_offset < log->recovery_point &&
	    batch->base_offset > end_offset &&
	    batch->last_offset >= log->recovery_point;
}

struct recovery {
	struct log *log;
	struct segment *segment;
	struct batch_walk walk;
	int64_t segment_end; /* the next segment's base, or INT64_MAX */
};

/* --- One batch ---------------------------------------------------------- */

/* The position of the batch is the segment's size so far, but for damage. */
static int
take(struct recovery *recovery, const struct batch *batch)
{
	struct log *log = recovery->log;

	recovery->segment->size_bytes = recovery->walk.scan.position;
	segment_account(
	    recovery->segment, batch, log->settings.index_interval_bytes);
	log_epoch_note(log, batch);
	recovery->walk.next_offset = batch->last_offset + 1;
	return log_producers_note_scanned(
	    log, &recovery->walk.scan, batch, recovery->segment);
}

/* --- Damage ------------------------------------------------------------- */

static void
note_damage(struct recovery *recovery, int64_t position, int64_t end_position,
    int64_t end_offset)
{
	struct log_damage damage = {
		.first_offset = recovery->walk.next_offset,
		.end_offset = end_offset,
		.segment_base = recovery->segment->base_offset,
		.position = position,
		.end_position = end_position,
	};

	log_damage_note(recovery->log, &damage);
	recovery->walk.next_offset = end_offset;
	segment_indexes_want_entry(&recovery->segment->indexes);
}

/* Where offsets must go on behind damage that nothing good follows. */
static int64_t
damage_end(const struct recovery *recovery)
{
	if (recovery->segment_end != INT64_MAX)
		return recovery->segment_end;
	return MAX(
	    recovery->log->recovery_point, recovery->walk.next_offset + 1);
}

/* Skip rot: 1 and the good batch behind it, 0 at the end, -1 with errno. */
static int
skip_damage(struct recovery *recovery, struct batch *batch)
{
	struct file_scan *scan = &recovery->walk.scan;
	int64_t position = scan->position;
	int good = batch_walk_resync(&recovery->walk, batch);

	if (good < 0)
		return -1;
	if (good > 0) {
		note_damage(
		    recovery, position, scan->position, batch->base_offset);
		return 1;
	}
	note_damage(recovery, position, scan->end, damage_end(recovery));
	file_scan_seek(scan, scan->end);
	recovery->segment->size_bytes = scan->end;
	return 0;
}

/* --- A segment ---------------------------------------------------------- */

/* Is all that is durable read? */
static bool
is_behind_durable(const struct recovery *recovery)
{
	return recovery->walk.next_offset >= recovery->log->recovery_point;
}

/* Walk to the end or to the first bad byte that is not rot; -1 with errno. */
static int
walk(struct recovery *recovery)
{
	struct batch_walk *walk = &recovery->walk;
	struct batch batch;
	int good;

	while ((good = batch_walk_step(walk, &batch)) >= 0) {
		if (good > 0 &&
		    passes_durable(recovery->log, walk->next_offset, &batch))
			good = 0;
		if (good == 0 &&
		    (walk->scan.position >= walk->scan.end ||
			is_behind_durable(recovery)))
			return 0;
		if (good == 0)
			good = skip_damage(recovery, &batch);
		if (good < 0)
			break;
		if (good > 0 && take(recovery, &batch) != 0)
			break;
	}
	return -1;
}

/*
 * Is what looks like a torn tail damage in front of something good?  Only
 * where each append was synced before the next can that be told apart.  1, 0,
 * or -1 with errno.
 */
static int
good_follows(struct recovery *recovery)
{
	struct batch behind;

	if (!recovery->log->appends_synced)
		return 0;
	return recovery->segment_end != INT64_MAX
	    ? 1 : batch_walk_resync(&recovery->walk, &behind);
}

static int
refuse_damage(const struct recovery *recovery)
{
	log_error("store",
	    "%s: the batch at offset %" PRId64 " (segment %" PRId64
	    ", byte %" PRId64 ") is damaged and good ones follow; restore the "
	    "log from a copy, or cut it there to do without what follows",
	    recovery->log->path, recovery->walk.next_offset,
	    recovery->segment->base_offset, recovery->segment->size_bytes);
	errno = EBADMSG;
	return -1;
}

/*
 * Where all offsets up to the next segment are there, what is behind them is
 * of an append that was refused: the power went before its cut was synced.
 */
static int
cut_tail(struct recovery *recovery, bool *cut)
{
	int64_t size = recovery->segment->size_bytes;
	int64_t bad = recovery->walk.scan.end - size;
	bool lost = recovery->walk.next_offset != recovery->segment_end;
	int follows = 0;

	*cut = bad > 0 && lost;
	if (bad <= 0)
		return 0;
	if (lost)
		follows = good_follows(recovery);
	if (follows != 0)
		return follows < 0 ? -1 : refuse_damage(recovery);
	log_warn("store",
	    "%s: cutting %" PRId64 " bytes behind offset %" PRId64
	    " that are no whole batch (segment %" PRId64 ")",
	    recovery->log->path, bad, recovery->walk.next_offset,
	    recovery->segment->base_offset);
	recovery->log->lost_data |= lost;
	/* Or what was cut might come back behind what is appended now. */
	if (disk_ftruncate(
		recovery->log->disk, recovery->walk.scan.fd, size) != 0)
		return -1;
	return disk_fdatasync(recovery->log->disk, recovery->walk.scan.fd);
}

static int
recover_pinned(struct recovery *recovery, bool *cut)
{
	segment_recount(recovery->segment);
	if (walk(recovery) != 0 || cut_tail(recovery, cut) != 0)
		return -1;
	recovery->segment->dirty = true;
	segment_indexes_finish(&recovery->segment->indexes);
	recovery->log->end_offset = recovery->walk.next_offset;
	return 0;
}

int
log_recover_segment(struct log *log, size_t at, bool *cut)
{
	struct segment *segment = log->segments[at];
	struct recovery recovery = {
		.log = log,
		.segment = segment,
		.segment_end = at + 1 < log->segment_count ?
		    log->segments[at + 1]->base_offset :
		    INT64_MAX,
	};
	int fd = segment_pin(segment);
	struct file_scan scan;
	uint8_t *buffer;
	size_t len;
	int result;

	if (fd < 0)
		return -1;
	log_damages_forget_bytes(log, segment->base_offset);
	buffer = log_scan_buffer(segment->size_bytes, &len);
	file_scan_init(
	    &scan, log->disk, fd, 0, segment->size_bytes, buffer, len);
	batch_walk_init(&recovery.walk, &scan, segment->base_offset);
	recovery.walk.verify = true;
	recovery.walk.offset_end =
	    MIN(recovery.walk.offset_end, recovery.segment_end);
	result = recover_pinned(&recovery, cut);
	free(buffer);
	segment_unpin(segment);
	return result;
}

/* --- After an orderly stop ---------------------------------------------- */

/*
 * Walk to the end of the active segment from where the last index entry
 * leads, which must name a batch on the way: the next entry goes behind it.
 * Apache Kafka used to make one entry for all batches of an append, so it need
 * not be the first.  No batch may be later than the time index says.
 */
static enum file_scan_step
walk_tail(struct log *log, struct file_scan *scan,
    const struct offset_index_entry *entry, bool *broken)
{
	struct segment *active = log_active(log);
	int64_t max_ms = active->indexes.max_timestamp_ms;
	enum file_scan_step step;
	bool met = entry == NULL;
	struct batch batch;

	while ((step = file_scan_next(scan, &batch)) == FILE_SCAN_BATCH &&
	    batch.base_offset >= log->end_offset &&
	    !passes_durable(log, log->end_offset, &batch) &&
	    batch.max_timestamp <= max_ms) {
		log->end_offset = batch.last_offset + 1;
		met = met ||
		    batch.last_offset ==
			active->base_offset + entry->relative_offset;
	}
	*broken = step != FILE_SCAN_END || !met ||
	    log->end_offset < log->recovery_point;
	return step;
}

int
log_recover_end(struct log *log, bool *broken)
{
	struct segment *active = log_active(log);
	const struct offset_index *offsets = &active->indexes.offsets;
	const struct offset_index_entry *last = offsets->count == 0 ? NULL :
	    &offsets->entries[offsets->count - 1];
	int64_t position = last == NULL ? 0 : last->position;
	int fd = segment_pin(active);
	enum file_scan_step step;
	struct file_scan scan;
	uint8_t *buffer;
	size_t len;
	int so = 1;

	if (fd < 0)
		return -1;
	buffer = log_scan_buffer(active->size_bytes - position, &len);
	log->end_offset = active->base_offset;
	file_scan_init(&scan, log->disk, fd, position, active->size_bytes,
	    buffer, len);
	step = walk_tail(log, &scan, last, broken);
	free(buffer);
	segment_unpin(active);
	if (step != FILE_SCAN_ERROR && !*broken)
		so = segment_times_agree(active);
	*broken |= so == 0;
	return step == FILE_SCAN_ERROR || so < 0 ? -1 : 0;
}
