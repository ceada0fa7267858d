/*
 * Files that a full disk has no room for while a log is loaded: the index
 * files of segments that recovery closes, and producer snapshots at the bases
 * of segments.  The log may be the one that has to make room, so it is loaded
 * without them.
 *
 * Until they are written everything is as if it were not behind: they are in
 * memory, the checkpointed recovery point stays where the load found it, so
 * that the next start makes them again, nothing is compacted, and the log does
 * not close in order.
 */
#include "base/log.h"
#include "store/disk.h"
#include "store/log_internal.h"
#include "store/producer_snapshot.h"
#include "store/state_file.h"

#include <errno.h>
#include <inttypes.h>

/*
 * So many snapshots are in memory at the most: a few times what the log's
 * producers take there anyway.
 */
#define SNAPSHOTS_MAX 4

/* --- Doing without ------------------------------------------------------ */

static void
hold_checkpoint(struct log *log)
{
	if (log_is_unsaved(log))
		return;
	log->checkpoint_max = log->recovery_point;
	log_warn("store",
	    "%s: no room for index files and producer snapshots; they are "
	    "written when there is some",
	    log->path);
}

int
log_unsaved_segment(struct log *log, size_t at)
{
	if (segment_unsave(log->segments[at]) != 0)
		return -1;
	hold_checkpoint(log);
	return 0;
}

/*
 * What an older snapshot says the batches behind it say as well, unless it
 * tells of producers whose batches retention took; these are as if expired
 * where a truncation, or a start, has to go on from below the newer ones.
 */
static void
drop_old_snapshots(struct log *log)
{
	size_t count = 0;

	for (size_t i = log->segment_count; i-- > 0;) {
		struct segment *segment = log->segments[i];

		if (segment->snapshot == NULL || ++count <= SNAPSHOTS_MAX)
			continue;
		free(segment->snapshot);
		segment->snapshot = NULL;
	}
}

void
log_unsaved_snapshot(struct log *log, size_t at)
{
	struct segment *segment = log->segments[at];

	free(segment->snapshot);
	segment->snapshot = producer_snapshot_encode(
	    &log->producers, &segment->snapshot_len);
	drop_old_snapshots(log);
	hold_checkpoint(log);
}

/* Segments that a truncation takes have taken theirs along. */
const struct segment *
log_unsaved_snapshot_below(const struct log *log, int64_t limit)
{
	for (size_t i = log->segment_count; i-- > 0;) {
		const struct segment *segment = log->segments[i];

		if (segment->snapshot != NULL && segment->base_offset <= limit)
			return segment;
	}
	return NULL;
}

/* --- Writing them ------------------------------------------------------- */

static int
write_snapshot(const struct segment *segment, const char *directory)
{
	char name[PRODUCER_SNAPSHOT_NAME_SIZE];
	char *path;
	int result;

	if (segment->snapshot == NULL)
		return 0;
	producer_snapshot_name(segment->base_offset, name);
	path = xasprintf("%s/%s", directory, name);
	result = state_file_write_in_place(segment->disk, path,
	    slice_of(segment->snapshot, segment->snapshot_len), true);
	free(path);
	return result;
}

/* Those of all segments up to now.  Not locked; no segment can go. */
static int
write_all(struct log *log, const char *directory)
{
	struct segment *segment;
	int64_t from = 0;
	int result = 0;

	do {
		log_lock(log);
		segment = log_segment_from(log, from);
		log_unlock(log);
		if (segment == NULL)
			break;
		if (segment_save_late(segment) != 0 ||
		    write_snapshot(segment, directory) != 0)
			result = -1;
		from = segment->base_offset + 1;
		segment_unref(segment);
	} while (result == 0);
	return result;
}

/* Locked. */
static void
forget(struct log *log)
{
	for (size_t i = 0; i < log->segment_count; i++) {
		free(log->segments[i]->snapshot);
		log->segments[i]->snapshot = NULL;
	}
	log->checkpoint_max = INT64_MAX;
	log_info("store", "%s has its index files and producer snapshots",
	    log->path);
}

/* Locked, flushes and cleaning held; not locked meanwhile. */
static int
write_held(struct log *log)
{
	char *directory = xstrdup(log->path);
	int result, saved;

	log_unlock(log);
	result = write_all(log, directory);
	saved = errno;
	free(directory);
	log_lock(log);
	errno = saved;
	if (result != 0)
		return -1;
	log_names_changed(log);
	if (log_names_sync(log) != 0)
		return -1;
	forget(log);
	return 0;
}

int
log_unsaved_write(struct log *log)
{
	int result = 0, saved = 0;

	log_lock(log);
	if (log_is_unsaved(log) && !log->offline) {
		log_clean_pause(log);
		log_flush_hold(log);
		if (!log->offline)
			result = write_held(log);
		saved = errno;
		log_flush_release(log);
		log_clean_resume(log);
	}
	log_unlock(log);
	errno = saved;
	return result;
}
