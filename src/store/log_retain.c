#include "base/clock.h"
#include "base/log.h"
#include "store/disk.h"
#include "store/log_internal.h"
#include "store/producer_snapshot.h"

#include <errno.h>
#include <inttypes.h>

/* The file of a large segment may take the disk a tenth of a second. */
#define UNLINK_MAX 8

/* --- Removing segments -------------------------------------------------- */

/* A second file of the name has taken the first one's place. */
static struct log_removal *
removal_of(struct log *log, int64_t base_offset)
{
	LIST_FOR_EACH (node, &log->removals) {
		struct log_removal *removal =
		    LIST_ENTRY(node, struct log_removal, node);

		if (removal->base_offset == base_offset) {
			list_remove(&removal->node);
			return removal;
		}
	}
	return xcalloc(1, sizeof(struct log_removal));
}

void
log_removal_schedule(struct log *log, int64_t base_offset)
{
	struct log_removal *removal = removal_of(log, base_offset);
	int64_t now_ms = clock_monotonic_ms();

	removal->base_offset = base_offset;
	/* A delay may be anything: this one never ends then. */
	if (__builtin_add_overflow(now_ms, log->settings.file_delete_delay_ms,
		&removal->due_ms))
		removal->due_ms = INT64_MAX;
	list_append(&log->removals, &removal->node);
}

/* Who read them did so in another process. */
void
log_removal_is_due(struct log *log, int64_t base_offset)
{
	struct log_removal *removal = xcalloc(1, sizeof(*removal));

	removal->base_offset = base_offset;
	removal->due_ms = 0;
	list_append(&log->removals, &removal->node);
}

/*
 * Whatever cuts this short, the log has no gap at the next start: the oldest
 * go first where the log's beginning goes, the newest where its end does, and
 * after a rename that failed the others stay.
 */
int
log_segments_remove(struct log *log, size_t at, size_t count)
{
	size_t done = 0;
	int saved;

	assert(log->flushing && at + count <= log->segment_count);
	while (done < count) {
		size_t next = at == 0 ? done : at + count - 1 - done;
		struct segment *segment = log->segments[next];

		if (segment_remove(segment) != 0)
			break;
		log_removal_schedule(log, segment->base_offset);
		log_damages_forget_segment(log, segment->base_offset);
		segment_unref(segment);
		done++;
	}
	saved = errno;
	if (at > 0)
		at += count - done;
	memmove(&log->segments[at], &log->segments[at + done],
	    (log->segment_count - at - done) * sizeof(*log->segments));
	log->segment_count -= done;
	if (count > 0)
		log_names_changed(log);
	errno = saved;
	return done < count ? -1 : 0;
}

/* --- Retention ---------------------------------------------------------- */

struct retention {
	int64_t now_ms;
	int64_t size_bytes; /* of the segments that are left */
	size_t count;       /* how many go */
	/* The next one goes if its times are as they seem: to be checked. */
	bool unchecked;
};

static bool
breaches_size(const struct log *log, const struct segment *segment,
    const struct retention *retention)
{
	int64_t max = log->settings.retention_bytes;

	return max >= 0 && retention->size_bytes - segment->size_bytes >= max;
}

/*
 * A time index has no checksum, so that a closed segment does not go before
 * its times were checked, which is not done under the lock.
 */
static bool
breaches_time(const struct log *log, struct segment *segment,
    struct retention *retention)
{
	int64_t timestamp_ms;

	if (log->settings.retention_ms < 0)
		return false;
	if (!segment->active && !segment_times_checked(segment)) {
		retention->unchecked = true;
		return false;
	}
	if (segment_max_timestamp(segment, &timestamp_ms) != 0)
		return false;
	if (timestamp_ms < 0)
		timestamp_ms = segment->modified_ms;
	return retention->now_ms - timestamp_ms > log->settings.retention_ms;
}

/* Is the segment at this index to go, given that all before it went? */
static bool
breaches(const struct log *log, size_t at, struct retention *retention)
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

/* Which segments go: the first ones, as many as do one after the other. */
static struct retention
plan(const struct log *log, int64_t now_ms)
{
	struct retention retention = {
		.now_ms = now_ms,
		.size_bytes = log_size_bytes(log),
	};

	while (!log->offline && retention.count < log->segment_count &&
	    breaches(log, retention.count, &retention)) {
		retention.size_bytes -=
		    log->segments[retention.count]->size_bytes;
		retention.count++;
	}
	return retention;
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

/*
 * Check the times of the segments that are about to go, each once, without
 * the lock.  One whose times cannot be read stays, and all behind it.
 */
static void
check_times(struct log *log, int64_t now_ms)
{
	struct segment *segment;
	int result = 0;

	do {
		struct retention retention;

		log_lock(log);
		retention = plan(log, now_ms);
		segment = retention.unchecked ?
		    segment_ref(log->segments[retention.count]) :
		    NULL;
		log_unlock(log);
		if (segment != NULL)
			result = segment_check_times(segment);
		if (result != 0)
			log_warn("store", "cannot read segment %" PRId64
			    " of %s: %s", segment->base_offset, log->name,
			    strerror(errno));
		segment_unref(segment);
	} while (segment != NULL && result == 0);
}

int
log_names_sync(struct log *log)
{
	uint64_t version = log->names_version;
	int error = 0;
	char *path;

	if (!log->names_dirty)
		return 0;
	path = xstrdup(log->path);
	log_unlock(log);
	if (disk_sync_dir(log->disk, path) != 0) {
		error = errno;
		log_error(
		    "store", "cannot sync %s: %s", path, strerror(error));
	}
	free(path);
	log_lock(log);
	if (error != 0 && !disk_is_busy(error))
		log_fence(log, "a sync failed");
	else if (error == 0 && log->names_version == version)
		log->names_dirty = false;
	errno = error;
	return log->offline || error != 0 ? -1 : 0;
}

int
log_snapshot_sync(struct log *log, const char *directory, int64_t base)
{
	char name[PRODUCER_SNAPSHOT_NAME_SIZE];
	char *path;
	int result;

	producer_snapshot_name(base, name);
	path = xasprintf("%s/%s", directory, name);
	result = disk_sync_file(log->disk, path);
	if (result != 0 && errno == ENOENT)
		result = 0;
	if (result != 0)
		log_error(
		    "store", "cannot sync %s: %s", path, strerror(errno));
	free(path);
	return result;
}

/* Of what goes nothing else will tell.  Locked but for the sync; held. */
static int
sync_snapshot(struct log *log, int64_t base)
{
	char *directory = xstrdup(log->path);
	int result, error;

	log_unlock(log);
	result = log_snapshot_sync(log, directory, base);
	error = errno;
	log_lock(log);
	free(directory);
	errno = error;
	return result != 0 || log->offline ? -1 : 0;
}

/*
 * Where all segments are to go a new one comes first; on a full disk it may
 * not come, and then the active one stays.  -1 with errno where none can go.
 */
static int
make_room(struct log *log, size_t *count, int64_t now_ms)
{
	if (*count < log->segment_count || log_roll(log, now_ms) == 0)
		return 0;
	(*count)--;
	return *count > 0 && !log->offline ? 0 : -1;
}

/* Locked, flushes held. */
static int
retain(struct log *log, int64_t now_ms)
{
	size_t count = plan(log, now_ms).count;

	if (count == 0)
		return 0;
	if (make_room(log, &count, now_ms) != 0 ||
	    sync_snapshot(log, log->segments[count]->base_offset) != 0 ||
	    log_names_sync(log) != 0)
		return -1;
	raise_start(log, log->segments[count]->base_offset);
	log_info("store",
	    "%s: retention lets %zu segments go, the log begins"
	    " at offset %" PRId64,
	    log->name, count, log->start_offset);
	if (log_segments_remove(log, 0, count) != 0) {
		/* On a full disk the rest goes another time. */
		if (!disk_is_short(errno))
			log_fence(log, "a rename failed");
		return -1;
	}
	return (int)MIN(count, INT32_MAX);
}

int
log_retain(struct log *log, int64_t now_ms)
{
	int result;

	check_times(log, now_ms);
	if (log_clean_settle(log) != 0)
		return -1;
	log_lock(log);
	/* Whoever cleans it looks again afterwards. */
	if (log->cleaning || log->unsettled != NULL) {
		log_unlock(log);
		return 0;
	}
	log_clean_pause(log);
	log_flush_hold(log);
	result = retain(log, now_ms);
	log_flush_release(log);
	log_clean_resume(log);
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

/* The next removal that is due, taken out of the list, or NULL. */
static struct log_removal *
take_due(struct log *log, int64_t now_ms, char **path)
{
	struct log_removal *found = NULL;

	log_lock(log);
	LIST_FOR_EACH (node, &log->removals) {
		struct log_removal *removal =
		    LIST_ENTRY(node, struct log_removal, node);

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

static int64_t
next_due(struct log *log)
{
	int64_t next_ms = INT64_MAX;

	log_lock(log);
	LIST_FOR_EACH (node, &log->removals)
		next_ms = MIN(next_ms,
		    LIST_ENTRY(node, struct log_removal, node)->due_ms);
	log_unlock(log);
	return next_ms;
}

/* The closed segments; the active one is the last. */
static void
relax(struct log *log)
{
	int64_t from = 0;
	bool closed = true;

	while (closed) {
		struct segment *segment;

		log_lock(log);
		segment = log_segment_from(log, from);
		closed = segment != NULL && !segment->active;
		log_unlock(log);
		if (closed) {
			segment_relax(segment);
			from = segment->base_offset + 1;
		}
		segment_unref(segment);
	}
}

/* Is a removal due, and are the names durable that it goes by? */
static bool
may_unlink(struct log *log, int64_t now_ms)
{
	bool due = false;

	log_lock(log);
	LIST_FOR_EACH (node, &log->removals)
		due |= LIST_ENTRY(node, struct log_removal, node)->due_ms <=
		    now_ms;
	if (due) {
		log_flush_hold(log);
		due = log_names_sync(log) == 0;
		log_flush_release(log);
	}
	log_unlock(log);
	return due;
}

/* Unlink the files of one segment; false where none are due. */
static bool
unlink_one(struct log *log, int64_t now_ms)
{
	char *path;
	struct log_removal *removal = take_due(log, now_ms, &path);

	if (removal == NULL)
		return false;
	if (segment_unlink_deleted(log->disk, path, removal->base_offset) != 0)
		log_warn("store", "cannot unlink segment %" PRId64 " of %s: %s",
		    removal->base_offset, path, strerror(errno));
	free(removal);
	free(path);
	return true;
}

bool
log_unlink_due(struct log *log, int64_t now_ms)
{
	if (log_clean_settle(log) != 0 || !may_unlink(log, now_ms))
		return false;
	for (int i = 0; i < UNLINK_MAX; i++)
		if (!unlink_one(log, now_ms))
			return false;
	return true;
}

int64_t
log_tidy(struct log *log, int64_t now_ms)
{
	if (log_unsaved_write(log) != 0)
		log_debug("store", "%s lacks room for its index files",
		    log->name);
	(void)!log_unlink_due(log, now_ms);
	relax(log);
	return next_due(log);
}
