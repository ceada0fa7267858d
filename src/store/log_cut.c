/*
 * Cutting a log: at the end, as a follower does that diverged, or all of it.
 *
 * What was cut must never come back behind what is appended in its place:
 * nothing in a batch could tell them apart that bad bits do not look like.  So
 * a cut is durable before it is done, and in an order in which whatever a
 * crash leaves of it is a log without a gap.
 *
 * This is rare and not on a client's path, so files are read, written and
 * synced with the log locked.
 */
#include "base/log.h"
#include "store/disk.h"
#include "store/log_internal.h"

#include <errno.h>
#include <inttypes.h>

static void
clamp(int64_t *offset, int64_t max)
{
	*offset = MIN(*offset, max);
}

/* Snapshots that are in the directory; the log's segments are known. */
static int
reload_producers(struct log *log)
{
	int64_t synced = log->snapshot_synced;
	struct log_files files;
	int result = log_sweep_snapshots(log, &files);

	if (result != 0)
		return -1;
	result = log_producers_load(log, &files, log->end_offset, true);
	log->snapshot_synced = MIN(log->snapshot_synced, synced);
	log_files_fini(&files);
	return result;
}

static int
after_cut(struct log *log, int64_t offset)
{
	log->end_offset = offset;
	clamp(&log->start_offset, offset);
	clamp(&log->recovery_point, offset);
	clamp(&log->high_watermark, offset);
	clamp(&log->clean_offset, offset);
	log->unflushed_since_ms = -1;
	log_tail_clear(&log->tail);
	leader_epochs_truncate_end(&log->epochs, offset);
	log_damages_truncate(log, offset);
	return reload_producers(log);
}

/*
 * Reads in flight may still use the segment as it was, closed; what is
 * appended to is a new one of the same file.
 */
static int
reopen_last(struct log *log, int64_t now_ms)
{
	struct segment *old = log_active(log);
	struct segment *segment;

	if (old->active)
		return 0;
	segment = segment_open(log->files, log->path, old->base_offset,
	    old->size_bytes, old->modified_ms);
	segment->dirty = old->dirty;
	segment->has_aborts = old->has_aborts;
	segment->aborts_loaded = !old->has_aborts;
	segment->aborts_checked = old->aborts_checked;
	segment_take_unsaved(segment, old);
	if (segment_activate(segment, now_ms) != 0) {
		segment_unref(segment);
		return -1;
	}
	log->segments[log->segment_count - 1] = segment;
	segment_unref(old);
	return 0;
}

/* Cut the active segment before the batch that has offset. */
static int
cut_active(struct log *log, int64_t offset)
{
	struct segment *active = log_active(log);
	const struct segment_bound bound = {
		.position = active->size_bytes,
		.offset = log->end_offset,
	};
	int64_t position = segment_lookup(active, offset);
	size_t ignored;
	int found =
	    segment_locate(active, offset, &position, &bound, &ignored);

	/* What is damaged at the cut goes, too. */
	if (found < 0 && errno == EBADMSG)
		found = segment_find_end(active, offset, &bound, &position);
	return found < 0 ? -1 : segment_truncate(active, position, offset);
}

/* Take the segments from index at out of the log, for good. */
static int
remove_from(struct log *log, size_t at)
{
	size_t count = log->segment_count - at;

	if (count == 0)
		return 0;
	return log_segments_remove(log, at, count) == 0 ?
	    disk_sync_dir(log->disk, log->path) :
	    -1;
}

static int
truncate_to(struct log *log, int64_t offset, int64_t now_ms)
{
	size_t at = log_segment_find(log, offset);

	/* A segment that begins at offset loses all, and is kept. */
	if (remove_from(log, at + 1) != 0 || reopen_last(log, now_ms) != 0 ||
	    cut_active(log, offset) != 0)
		return -1;
	return after_cut(log, offset);
}

static int
truncate_fully(struct log *log, int64_t offset, int64_t now_ms)
{
	if (remove_from(log, 0) != 0 ||
	    log_segment_add(log, offset, now_ms) != 0)
		return -1;
	leader_epochs_clear(&log->epochs);
	log_damages_truncate(log, 0);
	log->start_offset = offset;
	log->recovery_point = offset;
	log->high_watermark = offset;
	return after_cut(log, offset);
}

/* Nothing is cut yet: an error that passes leaves the log as it was. */
static int
begin(struct log *log)
{
	int result = 0, error;

	log_lock(log);
	log_clean_pause(log);
	if (!log->offline)
		result = log_clean_settle_paused(log);
	error = errno;
	log_flush_hold(log);
	errno = error;
	if (result != 0 && !log->offline)
		log_write_failed(log, "truncate", !disk_is_short(errno));
	return log->offline ? -1 : result;
}

/* A cut that ended halfway is final. */
static int
cut(struct log *log, int result)
{
	if (result != 0)
		log_write_failed(log, "truncate", true);
	return result;
}

static int
finish(struct log *log, int result)
{
	log_flush_release(log);
	log_clean_resume(log);
	log_unlock(log);
	return result;
}

int
log_truncate_to(struct log *log, int64_t offset, int64_t now_ms)
{
	int result = begin(log);

	if (result != 0)
		return finish(log, result);
	if (offset < log->segments[0]->base_offset)
		result = cut(log, truncate_fully(log, offset, now_ms));
	else if (offset < log->end_offset)
		result = cut(log, truncate_to(log, offset, now_ms));
	return finish(log, result);
}

int
log_truncate_fully(struct log *log, int64_t offset, int64_t now_ms)
{
	int result = begin(log);

	if (result == 0)
		result = cut(log, truncate_fully(log, offset, now_ms));
	return finish(log, result);
}
