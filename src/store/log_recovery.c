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
#include "base/bytes.h"
#include "base/log.h"
#include "store/disk.h"
#include "store/file_scan.h"
#include "store/log_internal.h"

#include <errno.h>
#include <inttypes.h>

#define SCAN_BUFFER_LEN_MAX ((size_t)1 << 20)
/* What resync looks at between two reads. */
#define RESYNC_LEN ((size_t)64 << 10)

/* As much as a file of this size needs, for most logs are small. */
static uint8_t *
scan_buffer(int64_t size_bytes, size_t *len)
{
	*len = MIN((size_t)size_bytes, SCAN_BUFFER_LEN_MAX);
	*len = MAX(*len, FILE_SCAN_BUFFER_MIN);
	return xmalloc(*len);
}

struct recovery {
	struct log *log;
	struct segment *segment;
	struct file_scan scan;
	int64_t next_offset; /* the least that the next batch may have */
	int64_t offset_end;  /* the next segment's base, or INT64_MAX */
};

/* --- One batch ---------------------------------------------------------- */

static bool
offsets_fit(const struct recovery *recovery, const struct batch *batch)
{
	return batch->base_offset >= recovery->next_offset &&
	    batch->last_offset < recovery->offset_end &&
	    batch->last_offset - recovery->segment->base_offset <= INT32_MAX;
}

/*
 * Offsets are not covered by the checksum.  They may jump where a compaction
 * took batches away; but when the batch behind goes back again, the jump is
 * one of bad bits.  1: it is; 0: not; -1: errno.
 */
static int
jump_is_wrong(struct recovery *recovery, const struct batch *batch)
{
	struct file_scan *scan = &recovery->scan;
	int64_t position = scan->position;
	size_t size_bytes = scan->size_bytes;
	enum file_scan_step step;
	struct batch behind;
	int wrong = 0;

	step = file_scan_next(scan, &behind);
	if (step == FILE_SCAN_BATCH &&
	    behind.base_offset >= recovery->next_offset &&
	    behind.base_offset <= batch->last_offset)
		wrong = file_scan_crc_valid(scan, &behind);
	file_scan_seek(scan, position);
	scan->size_bytes = size_bytes;
	return step == FILE_SCAN_ERROR ? -1 : wrong;
}

/* 1: a good batch; 0: none; -1: errno. */
static int
next_good(struct recovery *recovery, struct batch *batch)
{
	int good;

	switch (file_scan_next(&recovery->scan, batch)) {
	case FILE_SCAN_BATCH:
		break;
	case FILE_SCAN_END:
	case FILE_SCAN_CUT:
	case FILE_SCAN_CORRUPT:
		return 0;
	case FILE_SCAN_ERROR:
		return -1;
	}
	if (!offsets_fit(recovery, batch))
		return 0;
	good = file_scan_crc_valid(&recovery->scan, batch);
	if (good > 0 && batch->base_offset > recovery->next_offset) {
		int wrong = jump_is_wrong(recovery, batch);

		good = wrong < 0 ? -1 : !wrong;
	}
	return good;
}

/* The position of the batch is the segment's size so far, but for damage. */
static int
take(struct recovery *recovery, const struct batch *batch)
{
	struct log *log = recovery->log;

	recovery->segment->size_bytes = recovery->scan.position;
	segment_account(
	    recovery->segment, batch, log->settings.index_interval_bytes);
	if (batch->leader_epoch >= 0 &&
	    batch->leader_epoch > leader_epochs_latest(&log->epochs))
		leader_epochs_assign(
		    &log->epochs, batch->leader_epoch, batch->base_offset);
	recovery->next_offset = batch->last_offset + 1;
	return log_producers_note_scanned(log, &recovery->scan, batch);
}

/* --- Damage ------------------------------------------------------------- */

/* May a good batch begin here?  A cheap look before the checksum. */
static bool
may_begin(const struct recovery *recovery, const uint8_t *data, int64_t left)
{
	struct batch_frame frame;
	struct batch batch;

	return data[BATCH_SCAN_LEN - 1] == BATCH_MAGIC &&
	    batch_scan(data, (uint64_t)left, &frame) == BATCH_SCAN_WHOLE &&
	    batch_decode(data, &frame, &batch) == 0 &&
	    batch.last_offset_delta >= 0 && offsets_fit(recovery, &batch);
}

/*
 * The next position from `from` on where a batch may begin, else the end; -1
 * with errno.
 */
static int64_t
candidate(struct recovery *recovery, int64_t from, uint8_t *buffer)
{
	const struct file_scan *scan = &recovery->scan;

	while (scan->end - from >= BATCH_HEADER_LEN) {
		ssize_t n =
		    disk_pread(scan->disk, scan->fd, buffer, RESYNC_LEN, from);
		ssize_t i;

		if (n < BATCH_HEADER_LEN)
			return n < 0 ? -1 : scan->end;
		for (i = 0; i + BATCH_HEADER_LEN <= n; i++)
			if (may_begin(
				recovery, buffer + i, scan->end - from - i))
				return from + i;
		from += i;
	}
	return scan->end;
}

/*
 * Go to the next good batch behind the bad bytes at the scan's position.  1
 * and the batch, 0 where there is none, -1 with errno.
 */
static int
resync(struct recovery *recovery, struct batch *batch)
{
	uint8_t *buffer = xmalloc(RESYNC_LEN);
	int64_t at = recovery->scan.position;
	int good = 0;

	while (good == 0) {
		at = candidate(recovery, at + 1, buffer);
		if (at < 0 || at >= recovery->scan.end)
			break;
		file_scan_seek(&recovery->scan, at);
		good = next_good(recovery, batch);
	}
	free(buffer);
	return at < 0 ? -1 : good;
}

static void
note_damage(struct recovery *recovery, int64_t position, int64_t end_position,
    int64_t end_offset)
{
	struct log *log = recovery->log;
	struct log_damage damage = {
		.first_offset = recovery->next_offset,
		.end_offset = end_offset,
		.segment_base = recovery->segment->base_offset,
		.position = position,
		.end_position = end_position,
	};

	log->damages = xrealloc(
	    log->damages, (log->damage_count + 1) * sizeof(*log->damages));
	log->damages[log->damage_count++] = damage;
	log_error("store",
	    "%s: offsets %" PRId64 " to %" PRId64 " are damaged (segment "
						  "%" PRId64 ", bytes %" PRId64
	    " to %" PRId64 "); they are kept and not served",
	    log->path, damage.first_offset, damage.end_offset - 1,
	    damage.segment_base, damage.position, damage.end_position);
	recovery->next_offset = end_offset;
	segment_indexes_want_entry(&recovery->segment->indexes);
}

/* Where offsets must go on behind damage that nothing good follows. */
static int64_t
damage_end(const struct recovery *recovery)
{
	if (recovery->offset_end != INT64_MAX)
		return recovery->offset_end;
	return MAX(recovery->log->recovery_point, recovery->next_offset + 1);
}

/* Skip rot: 1 and the good batch behind it, 0 at the end, -1 with errno. */
static int
skip_damage(struct recovery *recovery, struct batch *batch)
{
	int64_t position = recovery->scan.position;
	int64_t end = recovery->scan.end;
	int good = resync(recovery, batch);

	if (good < 0)
		return -1;
	if (good > 0) {
		note_damage(recovery, position, recovery->scan.position,
		    batch->base_offset);
		return 1;
	}
	note_damage(recovery, position, end, damage_end(recovery));
	file_scan_seek(&recovery->scan, end);
	recovery->segment->size_bytes = end;
	return 0;
}

/* --- A segment ---------------------------------------------------------- */

/* Walk to the end or to the first bad byte that is not rot; -1 with errno. */
static int
walk(struct recovery *recovery)
{
	struct batch batch;
	int good;

	while ((good = next_good(recovery, &batch)) >= 0) {
		if (good == 0 &&
		    (recovery->scan.position >= recovery->scan.end ||
			recovery->next_offset >= recovery->log->recovery_point))
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
	return recovery->offset_end != INT64_MAX
	    ? 1 : resync(recovery, &behind);
}

static int
refuse_damage(const struct recovery *recovery)
{
	log_error("store",
	    "%s: the batch at offset %" PRId64 " (segment %" PRId64
	    ", byte %" PRId64 ") is damaged and good ones follow; restore the "
	    "log from a copy, or cut it there to do without what follows",
	    recovery->log->path, recovery->next_offset,
	    recovery->segment->base_offset, recovery->segment->size_bytes);
	errno = EBADMSG;
	return -1;
}

static int
cut_tail(struct recovery *recovery, bool *cut)
{
	int64_t size = recovery->segment->size_bytes;
	int64_t bad = recovery->scan.end - size;
	int follows;

	*cut = bad > 0;
	if (bad <= 0)
		return 0;
	follows = good_follows(recovery);
	if (follows != 0)
		return follows < 0 ? -1 : refuse_damage(recovery);
	log_warn("store",
	    "%s: cutting %" PRId64 " bytes behind offset %" PRId64
	    " that are no whole batch (segment %" PRId64 ")",
	    recovery->log->path, bad, recovery->next_offset,
	    recovery->segment->base_offset);
	if (disk_ftruncate(recovery->log->disk, recovery->scan.fd, size) != 0)
		return -1;
	return 0;
}

static int
recover_pinned(struct recovery *recovery, bool *cut)
{
	segment_recount(recovery->segment);
	if (walk(recovery) != 0 || cut_tail(recovery, cut) != 0)
		return -1;
	recovery->segment->dirty = true;
	segment_indexes_finish(&recovery->segment->indexes);
	recovery->log->end_offset = recovery->next_offset;
	return 0;
}

int
log_recover_segment(struct log *log, size_t at, bool *cut)
{
	struct segment *segment = log->segments[at];
	struct recovery recovery = {
		.log = log,
		.segment = segment,
		.next_offset = segment->base_offset,
		.offset_end = at + 1 < log->segment_count ?
		    log->segments[at + 1]->base_offset :
		    INT64_MAX,
	};
	int fd = segment_pin(segment);
	uint8_t *buffer;
	size_t len;
	int result;

	if (fd < 0)
		return -1;
	buffer = scan_buffer(segment->size_bytes, &len);
	file_scan_init(
	    &recovery.scan, log->disk, fd, 0, segment->size_bytes, buffer, len);
	result = recover_pinned(&recovery, cut);
	free(buffer);
	segment_unpin(segment);
	return result;
}

/* --- After an orderly stop ---------------------------------------------- */

int
log_recover_end(struct log *log, bool *broken)
{
	struct segment *active = log_active(log);
	int64_t size_bytes = active->size_bytes;
	int64_t position = segment_lookup(active, INT64_MAX);
	int fd = segment_pin(active);
	enum file_scan_step step;
	struct file_scan scan;
	struct batch batch;
	uint8_t *buffer;
	size_t len;

	if (fd < 0)
		return -1;
	buffer = scan_buffer(size_bytes - position, &len);
	log->end_offset = active->base_offset;
	file_scan_init(&scan, log->disk, fd, position, size_bytes, buffer, len);
	while ((step = file_scan_next(&scan, &batch)) == FILE_SCAN_BATCH &&
	    batch.base_offset >= log->end_offset)
		log->end_offset = batch.last_offset + 1;
	*broken =
	    step != FILE_SCAN_END || log->end_offset < log->recovery_point;
	free(buffer);
	segment_unpin(active);
	return step == FILE_SCAN_ERROR ? -1 : 0;
}

static int
read_epochs(struct log *log, struct segment *segment)
{
	int fd = segment_pin(segment);
	enum file_scan_step step;
	struct file_scan scan;
	struct batch batch;
	uint8_t *buffer;
	size_t len;

	if (fd < 0)
		return -1;
	buffer = scan_buffer(segment->size_bytes, &len);
	file_scan_init(
	    &scan, log->disk, fd, 0, segment->size_bytes, buffer, len);
	while ((step = file_scan_next(&scan, &batch)) == FILE_SCAN_BATCH)
		if (batch.leader_epoch > leader_epochs_latest(&log->epochs))
			leader_epochs_assign(&log->epochs, batch.leader_epoch,
			    batch.base_offset);
	free(buffer);
	segment_unpin(segment);
	return step == FILE_SCAN_ERROR ? -1 : 0;
}

int
log_recover_epochs(struct log *log)
{
	int result = 0;

	leader_epochs_clear(&log->epochs);
	for (size_t i = 0; i < log->segment_count && result == 0; i++)
		result = read_epochs(log, log->segments[i]);
	return result;
}
