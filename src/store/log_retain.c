#include "base/log.h"
#include "store/disk.h"
#include "store/log_internal.h"

#include <errno.h>
#include <inttypes.h>

/* --- Removing segments -------------------------------------------------- */

static void
schedule(struct log *log, int64_t base_offset, int64_t now_ms)
{
	struct log_removal *removal = xcalloc(1, sizeof(*removal));

	removal->base_offset = base_offset;
	removal->due_ms = now_ms + log->settings.file_delete_delay_ms;
	list_append(&log->removals, &removal->node);
}

int
log_segments_remove(struct log *log, size_t at, size_t count, int64_t now_ms)
{
	int result = 0;

	assert(log->flushing && at + count <= log->segment_count);
	for (size_t i = at; i < at + count; i++) {
		struct segment *segment = log->segments[i];

		if (segment_mark_deleted(segment) != 0)
			result = -1;
		schedule(log, segment->base_offset, now_ms);
		segment_unref(segment);
	}
	memmove(&log->segments[at], &log->segments[at + count],
	    (log->segment_count - at - count) * sizeof(*log->segments));
	log->segment_count -= count;
	if (count > 0)
		log_names_changed(log);
	return result;
}

/* --- Retention ---------------------------------------------------------- */

struct retention {
	int64_t now_ms;
	int64_t size_bytes; /* of the segments that are left */
};

static bool
breaches_size(const struct log *log, const struct segment *segment,
    const struct retention *retention)
{
	int64_t max = log->settings.retention_bytes;

	return max >= 0 && retention->size_bytes - segment->size_bytes >= max;
}

/* Reads the time index of a closed segment, once. */
static bool
breaches_time(const struct log *log, struct segment *segment,
    const struct retention *retention)
{
	int64_t timestamp_ms;

	if (log->settings.retention_ms < 0 ||
	    segment_max_timestamp(segment, &timestamp_ms) != 0)
		return false;
	if (timestamp_ms < 0)
		timestamp_ms = segment->modified_ms;
	return retention->now_ms - timestamp_ms > log->settings.retention_ms;
}

/* Is the segment at this index to go, given that all before it went? */
static bool
breaches(const struct log *log, size_t at, const struct retention *retention)
{
	struct segment *segment = log->segments[at];
	int64_t end = log_segment_end(log, at);

	if (end > log->high_watermark ||
	    (segment->active && segment->size_bytes == 0))
		return false;
	if (end <= log->start_offset)
		return true;
	return log->settings.cleanup_delete &&
	    (breaches_size(log, segment, retention) ||
		breaches_time(log, segment, retention));
}

static size_t
count_breaches(const struct log *log, int64_t now_ms)
{
	struct retention retention = {
		.now_ms = now_ms,
		.size_bytes = log_size_bytes(log),
	};
	size_t count = 0;

	while (count < log->segment_count && breaches(log, count, &retention))
		retention.size_bytes -= log->segments[count++]->size_bytes;
	return count;
}

static void
raise_start(struct log *log, int64_t offset)
{
	if (offset <= log->start_offset)
		return;
	log->start_offset = offset;
	log->recovery_point = MAX(log->recovery_point, offset);
	leader_epochs_truncate_start(&log->epochs, offset);
}

/* Locked, flushes held. */
static int
retain(struct log *log, int64_t now_ms)
{
	size_t count = log->offline ? 0 : count_breaches(log, now_ms);

	if (count == 0)
		return 0;
	if (count == log->segment_count && log_roll(log, now_ms) != 0)
		return -1;
	raise_start(log, log->segments[count]->base_offset);
	log_info("store",
	    "%s: retention lets %zu segments go, the log begins"
	    " at offset %" PRId64,
	    log->name, count, log->start_offset);
	if (log_segments_remove(log, 0, count, now_ms) != 0)
		return -1;
	return (int)MIN(count, INT32_MAX);
}

/*
 * Learn the times of closed segments before the lock is taken for long: each
 * may have to be read from its time index.
 */
static void
learn_times(struct log *log, int64_t now_ms)
{
	bool old = true;

	for (size_t at = 0; old; at++) {
		struct segment *segment = NULL;
		int64_t retention_ms;
		int64_t timestamp_ms;

		log_lock(log);
		retention_ms = log->settings.retention_ms;
		if (log->settings.cleanup_delete && retention_ms >= 0 &&
		    at + 1 < log->segment_count)
			segment = segment_ref(log->segments[at]);
		log_unlock(log);
		old = segment != NULL &&
		    segment_max_timestamp_closed(segment, &timestamp_ms) == 0 &&
		    now_ms - timestamp_ms > retention_ms;
		segment_unref(segment);
	}
}

int
log_retain(struct log *log, int64_t now_ms)
{
	int result;

	learn_times(log, now_ms);
	log_lock(log);
	log_flush_hold(log);
	result = retain(log, now_ms);
	log_flush_release(log);
	log_unlock(log);
	return result;
}

enum kp_error
log_delete_records(struct log *log, int64_t offset)
{
	if (log->offline)
		return KP_KAFKA_STORAGE_ERROR;
	if (offset == -1)
		offset = log->high_watermark;
	if (offset < 0 || offset > log->high_watermark)
		return KP_OFFSET_OUT_OF_RANGE;
	raise_start(log, offset);
	return KP_NONE;
}

/* --- Upkeep ------------------------------------------------------------- */

/* The next removal that is due, taken out of the list; or when one will be. */
static struct log_removal *
take_due(struct log *log, int64_t now_ms, int64_t *next_ms, char **path)
{
	struct log_removal *found = NULL;

	*next_ms = INT64_MAX;
	log_lock(log);
	LIST_FOR_EACH (node, &log->removals) {
		struct log_removal *removal =
		    LIST_ENTRY(node, struct log_removal, node);

		*next_ms = MIN(*next_ms, removal->due_ms);
		if (removal->due_ms <= now_ms) {
			found = removal;
			break;
		}
	}
	if (found != NULL) {
		list_remove(&found->node);
		*path = xstrdup(log->path);
	}
	log_unlock(log);
	return found;
}

static void
relax(struct log *log)
{
	for (size_t at = 0;; at++) {
		struct segment *segment = NULL;

		log_lock(log);
		if (at + 1 < log->segment_count)
			segment = segment_ref(log->segments[at]);
		log_unlock(log);
		if (segment == NULL)
			break;
		segment_relax(segment);
		segment_unref(segment);
	}
}

int64_t
log_tidy(struct log *log, int64_t now_ms)
{
	struct log_removal *removal;
	int64_t next_ms;
	char *path = NULL;

	while ((removal = take_due(log, now_ms, &next_ms, &path)) != NULL) {
		if (segment_unlink_deleted(
			log->disk, path, removal->base_offset) != 0)
			log_warn("store",
			    "cannot unlink segment %" PRId64 " of %s: %s",
			    removal->base_offset, path, strerror(errno));
		free(removal);
		free(path);
	}
	relax(log);
	return next_ms;
}
