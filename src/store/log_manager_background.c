/*
 * What the log manager's thread does: retention, checkpoints, removal.  It
 * sleeps until the next job is due or somebody kicks it.
 */
#include "base/base.h"
#include "store/log_manager_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/checkpoint.h"
#include "store/cleaner.h"
#include "store/disk.h"
#include "store/flusher.h"
#include "store/log.h"

#include <errno.h>
#include <time.h>

/* How long idle indexes stay in memory; the least between two such looks. */
#define TIDY_INTERVAL_MS 60000
#define TIDY_PAUSE_MS 1000

/* How long a full segment waits for its sync at the most. */
#define FLUSH_CHECK_INTERVAL_MAX_MS 10000

/* A deletion's lines leave the checkpoints after this, many at once. */
#define STALE_DELAY_MS 1000

void
log_manager_kick(struct log_manager *manager)
{
	pthread_mutex_lock(&manager->wake_lock);
	manager->kicked = true;
	pthread_cond_signal(&manager->wake);
	pthread_mutex_unlock(&manager->wake_lock);
}

static int64_t
flush_interval(const struct log_manager_settings *settings)
{
	return MIN(settings->flush_check_interval_ms,
	    FLUSH_CHECK_INTERVAL_MAX_MS);
}

void
log_manager_due_init(struct log_manager *manager)
{
	const struct log_manager_settings *s = &manager->settings;
	int64_t now = clock_monotonic_ms();

	manager->due = (struct log_manager_due){
		.retention_ms = log_manager_after(now, s->retention_initial_ms),
		/* A full disk needs what the last run did not unlink. */
		.tidy_ms = now,
		.checkpoints_ms = log_manager_after(now,
		    MIN(s->recovery_point_interval_ms,
			s->log_start_interval_ms)),
		.high_watermarks_ms =
		    log_manager_after(now, s->high_watermark_interval_ms),
		.producers_ms =
		    log_manager_after(now, s->producer_check_interval_ms),
		.flush_ms = log_manager_after(now, flush_interval(s)),
		.doomed_ms = now,
		.room_ms = INT64_MAX,
	};
}

/* --- errors -------------------------------------------------------------- */

/* The directories of the logs that failed fail. */
static void
failures_spread(struct log_manager *manager)
{
	struct log **failed;
	size_t count;

	pthread_mutex_lock(&manager->wake_lock);
	failed = manager->failed;
	count = manager->failed_count;
	manager->failed = NULL;
	manager->failed_count = 0;
	pthread_mutex_unlock(&manager->wake_lock);
	for (size_t i = 0; i < count; i++) {
		struct managed_log *entry;
		struct managed_dir *home = NULL;

		pthread_mutex_lock(&manager->lock);
		entry = map_get(&manager->by_log, MAP_KEY(failed[i]));
		if (entry != NULL && !entry->deleted)
			home = entry->home;
		pthread_mutex_unlock(&manager->lock);
		if (home != NULL)
			log_manager_dir_fail(manager, home, "a log failed");
	}
	free(failed);
}

/* --- retention ----------------------------------------------------------- */

static void
retention_run(struct log_manager *manager)
{
	struct log_manager_view view = log_manager_view_take(manager);
	int64_t now = clock_wall_ms();

	for (size_t i = 0; i < view.count; i++) {
		struct managed_log *entry = view.logs[i];

		if (entry->home->offline)
			continue;
		log_manager_upkeep_take(manager);
		if (!entry->deleted && log_retain(entry->log, now) < 0)
			log_manager_dir_error(manager, entry->home, errno);
		log_manager_upkeep_release(manager);
	}
	log_manager_view_release(manager, &view);
}

static bool
is_stopping(struct log_manager *manager)
{
	bool stopping;

	pthread_mutex_lock(&manager->wake_lock);
	stopping = manager->stopping;
	pthread_mutex_unlock(&manager->wake_lock);
	return stopping;
}

/* Unlink what the log removed, a few files at a time; when to come again. */
static int64_t
tidy(struct log_manager *manager, struct managed_log *entry, int64_t now_ms)
{
	int64_t next_ms = INT64_MAX;
	bool more = true;

	/* What is left the next start removes. */
	while (more && !is_stopping(manager)) {
		log_manager_upkeep_take(manager);
		more = !entry->deleted && log_unlink_due(entry->log, now_ms);
		if (!more && !entry->deleted)
			next_ms = log_tidy(entry->log, now_ms);
		log_manager_upkeep_release(manager);
	}
	return next_ms;
}

/* Unlink what the logs removed; in how many milliseconds again. */
static int64_t
tidy_run(struct log_manager *manager)
{
	struct log_manager_view view = log_manager_view_take(manager);
	int64_t now = clock_monotonic_ms(), next = INT64_MAX;

	for (size_t i = 0; i < view.count; i++) {
		if (!view.logs[i]->home->offline)
			next = MIN(next, tidy(manager, view.logs[i], now));
	}
	log_manager_view_release(manager, &view);
	if (next == INT64_MAX)
		return TIDY_INTERVAL_MS;
	return MIN(TIDY_INTERVAL_MS, MAX(TIDY_PAUSE_MS, next - now));
}

static void
producers_expire(struct log_manager *manager)
{
	struct log_manager_view view = log_manager_view_take(manager);
	int64_t now = clock_wall_ms();

	for (size_t i = 0; i < view.count; i++) {
		log_lock(view.logs[i]->log);
		log_producers_expire(view.logs[i]->log, now);
		log_unlock(view.logs[i]->log);
	}
	log_manager_view_release(manager, &view);
}

/*
 * Is it time to sync the log?  flush.ms says so, or a segment that is full:
 * with klamm.flush=os nobody else does, and after a crash all that was not
 * synced has to be checked.
 */
static bool
flush_due(struct log *log, int64_t now_ms)
{
	int64_t since_ms, flush_ms;
	bool segment_full;

	log_lock(log);
	since_ms = log_unflushed_since_ms(log);
	flush_ms = log_settings(log)->flush_ms;
	segment_full = log_recovery_point(log) < log_active_base_offset(log);
	log_unlock(log);
	return segment_full ||
	    (since_ms >= 0 && log_manager_after(since_ms, flush_ms) <= now_ms);
}

static void
flush_check(struct log_manager *manager)
{
	struct log_manager_view view = log_manager_view_take(manager);
	int64_t now_ms = clock_monotonic_ms();

	for (size_t i = 0; i < view.count; i++) {
		if (flush_due(view.logs[i]->log, now_ms))
			flusher_submit(manager->settings.flusher,
			    view.logs[i]->log);
	}
	log_manager_view_release(manager, &view);
}

/* --- checkpoints --------------------------------------------------------- */

/* Make a log's recovery point fit for the checkpoint. */
static void
recovery_point_advance(struct log_manager *manager, struct managed_log *entry)
{
	int64_t recovery_point;

	if (entry->home->offline || entry->deleted)
		return;
	log_lock(entry->log);
	recovery_point = log_recovery_point(entry->log);
	log_unlock(entry->log);
	if (recovery_point == entry->recovery_point)
		return;
	if (log_checkpoint(entry->log, &recovery_point) < 0)
		log_manager_dir_error(manager, entry->home, errno);
	else
		entry->recovery_point = recovery_point;
}

void
log_manager_lost_add(const struct log_manager *manager,
    const struct managed_dir *home, enum log_dir_checkpoint which,
    struct checkpoint *checkpoint)
{
	for (size_t i = 0; i < manager->lost_count; i++) {
		const struct lost_log *lost = &manager->lost[i];

		if (lost->home == home && !lost->loaded &&
		    lost->offsets[which] >= 0)
			checkpoint_add(checkpoint, slice_str(lost->topic),
			    lost->partition, lost->offsets[which]);
	}
}

/* Write the checkpoint, which is freed, with the lines of what is lost. */
static int
checkpoint_finish(const struct log_manager *manager, struct managed_dir *home,
    enum log_dir_checkpoint which, struct checkpoint *checkpoint)
{
	int result, error;

	log_manager_lost_add(manager, home, which, checkpoint);
	result = log_dir_checkpoint_write(home->dir, which, checkpoint);
	error = errno;
	checkpoint_fini(checkpoint);
	errno = error;
	return result;
}

static int
recovery_points_write(const struct log_manager *manager,
    struct managed_dir *home, const struct log_manager_view *view)
{
	struct checkpoint checkpoint;

	checkpoint_init(&checkpoint);
	for (size_t i = 0; i < view->count; i++) {
		const struct managed_log *entry = view->logs[i];

		if (managed_log_in(entry, home))
			checkpoint_add(&checkpoint, slice_str(entry->topic),
			    entry->partition, entry->recovery_point);
	}
	return checkpoint_finish(
	    manager, home, LOG_DIR_RECOVERY_POINTS, &checkpoint);
}

static int
log_starts_write(const struct log_manager *manager, struct managed_dir *home,
    const struct log_manager_view *view)
{
	struct checkpoint checkpoint;

	checkpoint_init(&checkpoint);
	for (size_t i = 0; i < view->count; i++) {
		const struct managed_log *entry = view->logs[i];
		int64_t start, first;

		if (!managed_log_in(entry, home))
			continue;
		log_lock(entry->log);
		start = log_start_offset(entry->log);
		first = log_first_base_offset(entry->log);
		log_unlock(entry->log);
		if (start > first)
			checkpoint_add(&checkpoint, slice_str(entry->topic),
			    entry->partition, start);
	}
	return checkpoint_finish(
	    manager, home, LOG_DIR_LOG_STARTS, &checkpoint);
}

static int
high_watermarks_write(struct log_manager *manager, struct managed_dir *home,
    struct log_manager_view *view)
{
	struct checkpoint checkpoint;

	checkpoint_init(&checkpoint);
	for (size_t i = 0; i < view->count; i++) {
		const struct managed_log *entry = view->logs[i];
		int64_t high_watermark;

		if (!managed_log_in(entry, home))
			continue;
		log_lock(entry->log);
		high_watermark = log_high_watermark(entry->log);
		log_unlock(entry->log);
		checkpoint_add(&checkpoint, slice_str(entry->topic),
		    entry->partition, high_watermark);
	}
	return checkpoint_finish(
	    manager, home, LOG_DIR_HIGH_WATERMARKS, &checkpoint);
}

/* No checkpoint of home names its deleted logs any more. */
static void
stale_forget(struct log_manager *manager, struct managed_dir *home)
{
	struct managed_log *entry;

	pthread_mutex_lock(&manager->lock);
	home->leftovers = false;
	for (size_t at = 0; (entry = map_next(&manager->stale, &at)) != NULL;) {
		if (entry->home == home)
			map_remove(
			    &manager->stale, slice_str(log_name(entry->log)));
	}
	LIST_FOR_EACH (node, &manager->doomed) {
		entry = LIST_ENTRY(node, struct managed_log, node);
		if (entry->home == home)
			entry->stale = false;
	}
	pthread_mutex_unlock(&manager->lock);
}

int
log_manager_checkpoint(struct log_manager *manager, struct managed_dir *home,
    struct log_manager_view *view)
{
	if (recovery_points_write(manager, home, view) < 0 ||
	    log_starts_write(manager, home, view) < 0 ||
	    cleaner_checkpoint(manager, home, view) < 0 ||
	    high_watermarks_write(manager, home, view) < 0)
		return -1;
	stale_forget(manager, home);
	return 0;
}

typedef int (*dir_write_fn)(struct log_manager *manager,
    struct managed_dir *home, struct log_manager_view *view);

/* Call fn for each working directory, upkeep held. */
static void
dirs_write(
    struct log_manager *manager, struct log_manager_view *view, dir_write_fn fn)
{
	for (size_t i = 0; i < manager->dir_count; i++) {
		struct managed_dir *home = &manager->dirs[i];
		int error = 0;

		if (home->offline)
			continue;
		log_manager_upkeep_take(manager);
		if (fn(manager, home, view) < 0)
			error = errno;
		log_manager_upkeep_release(manager);
		if (error != 0)
			log_manager_dir_error(manager, home, error);
	}
}

static void
checkpoints_run(struct log_manager *manager)
{
	struct log_manager_view view = log_manager_view_take(manager);

	for (size_t i = 0; i < view.count; i++) {
		log_manager_upkeep_take(manager);
		recovery_point_advance(manager, view.logs[i]);
		log_manager_upkeep_release(manager);
	}
	dirs_write(manager, &view, log_manager_checkpoint);
	log_manager_view_release(manager, &view);
}

static void
high_watermarks_run(struct log_manager *manager)
{
	struct log_manager_view view = log_manager_view_take(manager);

	dirs_write(manager, &view, high_watermarks_write);
	log_manager_view_release(manager, &view);
}

/* --- removal ------------------------------------------------------------- */

/* The renames of deletions become durable, many with one sync. */
static void
names_sync(struct log_manager *manager)
{
	for (size_t i = 0; i < manager->dir_count; i++) {
		struct managed_dir *home = &manager->dirs[i];

		if (home->offline ||
		    !atomic_exchange(&home->names_dirty, false))
			continue;
		if (disk_sync_dir(manager->settings.disk, home->dir->path) <
		    0) {
			int error = errno;

			log_error(LOG_MANAGER_LOGGER, "Cannot sync %s: %s",
			    home->dir->path, strerror(error));
			home->names_dirty = true;
			log_manager_dir_error(manager, home, error);
		}
	}
}

/* Remove the directory; what stays because of an error is tried again. */
static void
doomed_remove(
    struct log_manager *manager, struct managed_log *entry, int64_t now_ms)
{
	if (entry->home->offline) {
		/* The next start finds it by its name. */
		free(entry->doomed_path);
		entry->doomed_path = NULL;
		return;
	}
	if (disk_remove_dir(manager->settings.disk, entry->doomed_path) == 0) {
		log_info(LOG_MANAGER_LOGGER, "Deleted %s", entry->doomed_path);
		free(entry->doomed_path);
		entry->doomed_path = NULL;
		entry->home->names_dirty = true;
		return;
	}
	log_warn(LOG_MANAGER_LOGGER, "Cannot delete %s: %s", entry->doomed_path,
	    strerror(errno));
	entry->remove_at_ms = log_manager_after(
	    now_ms, MAX(manager->delete_delay_ms, TIDY_PAUSE_MS));
}

/* Move the doomed entries to list, so that they can be worked on unlocked. */
static void
doomed_take(struct log_manager *manager, struct list *list)
{
	list_init(list);
	pthread_mutex_lock(&manager->lock);
	list_splice(list, &manager->doomed);
	pthread_mutex_unlock(&manager->lock);
}

/* Put an entry back, unless nobody needs it: then it is the caller's. */
static bool
doomed_keep(
    struct log_manager *manager, struct managed_log *entry, int64_t now_ms)
{
	struct log_manager_due *due = &manager->due;
	bool keep;

	pthread_mutex_lock(&manager->lock);
	if (entry->stale)
		due->checkpoints_ms =
		    MIN(due->checkpoints_ms, now_ms + STALE_DELAY_MS);
	keep = entry->doomed_path != NULL || entry->holds > 0 || entry->stale;
	if (keep)
		list_append(&manager->doomed, &entry->node);
	else if (entry->log != NULL)
		map_remove(&manager->by_log, MAP_KEY(entry->log));
	pthread_mutex_unlock(&manager->lock);
	return keep;
}

/*
 * Open descriptors keep the room of what was unlinked, and a full disk keeps
 * the name in the checkpoints, and so the log, until it has some.
 */
static void
doomed_release(struct log_manager *manager, struct managed_log *entry)
{
	bool held;

	pthread_mutex_lock(&manager->lock);
	held = entry->holds > 0;
	pthread_mutex_unlock(&manager->lock);
	if (held || entry->log == NULL)
		return;
	flusher_forget(manager->settings.flusher, entry->log);
	log_drop_segments(entry->log);
}

void
log_manager_doomed_tend(struct log_manager *manager, int64_t now_ms)
{
	struct list list;
	struct list_node *node;
	int64_t next = INT64_MAX;

	names_sync(manager);
	doomed_take(manager, &list);
	while ((node = list_pop(&list)) != NULL) {
		struct managed_log *entry =
		    LIST_ENTRY(node, struct managed_log, node);

		if (entry->doomed_path != NULL && entry->remove_at_ms <= now_ms)
			doomed_remove(manager, entry, now_ms);
		if (entry->doomed_path != NULL)
			next = MIN(next, entry->remove_at_ms);
		else
			doomed_release(manager, entry);
		if (!doomed_keep(manager, entry, now_ms))
			log_manager_entry_free(manager, entry);
	}
	manager->due.doomed_ms = next;
}

/* --- the thread ---------------------------------------------------------- */

/* Is the job due?  Then its next time is set. */
static bool
due_take(int64_t *due_ms, int64_t now_ms, int64_t interval_ms)
{
	if (now_ms < *due_ms)
		return false;
	*due_ms = log_manager_after(now_ms, interval_ms);
	return true;
}

void
log_manager_tick(struct log_manager *manager)
{
	const struct log_manager_settings *s = &manager->settings;
	struct log_manager_due *due = &manager->due;
	int64_t now = clock_monotonic_ms();

	failures_spread(manager);
	if (due_take(&due->retention_ms, now, s->retention_interval_ms)) {
		retention_run(manager);
		due->tidy_ms = now;
	}
	if (due_take(&due->tidy_ms, now, 0))
		due->tidy_ms = now + tidy_run(manager);
	if (due_take(&due->producers_ms, now, s->producer_check_interval_ms))
		producers_expire(manager);
	if (due_take(&due->flush_ms, now, flush_interval(s)))
		flush_check(manager);
	if (due_take(&due->checkpoints_ms, now,
		MIN(s->recovery_point_interval_ms, s->log_start_interval_ms)))
		checkpoints_run(manager);
	if (due_take(
		&due->high_watermarks_ms, now, s->high_watermark_interval_ms))
		high_watermarks_run(manager);
	log_manager_doomed_tend(manager, now);
	log_manager_room_tend(manager, now);
}

static int64_t
due_next(const struct log_manager_due *due)
{
	int64_t next = MIN(due->retention_ms, due->tidy_ms);

	next = MIN(next, MIN(due->producers_ms, due->flush_ms));
	next = MIN(next, MIN(due->checkpoints_ms, due->high_watermarks_ms));
	return MIN(next, MIN(due->doomed_ms, due->room_ms));
}

/* Sleep until a job is due or somebody kicks; false to end. */
static bool
background_wait(struct log_manager *manager)
{
	int64_t due_ms = due_next(&manager->due);
	struct timespec until = { .tv_sec = (time_t)(due_ms / 1000),
		.tv_nsec = (long)(due_ms % 1000 * 1000000) };
	bool stopping;

	pthread_mutex_lock(&manager->wake_lock);
	while (!manager->kicked && !manager->stopping &&
	    clock_monotonic_ms() < due_ms)
		pthread_cond_timedwait(
		    &manager->wake, &manager->wake_lock, &until);
	manager->kicked = false;
	stopping = manager->stopping;
	pthread_mutex_unlock(&manager->wake_lock);
	return !stopping;
}

static void *
background_main(void *argument)
{
	struct log_manager *manager = argument;

	while (background_wait(manager))
		log_manager_tick(manager);
	return NULL;
}

void
log_manager_start(struct log_manager *manager)
{
	assert(!manager->running);
	log_manager_due_init(manager);
	manager->running = thread_start(&manager->thread, "log-manager",
			       background_main, manager) == 0;
	if (!manager->running)
		log_error(LOG_MANAGER_LOGGER,
		    "Cannot start the log manager's thread: %s",
		    strerror(errno));
	cleaner_start(manager->cleaner);
	log_manager_moves_resume(manager);
}

void
log_manager_background_stop(struct log_manager *manager)
{
	if (!manager->running)
		return;
	pthread_mutex_lock(&manager->wake_lock);
	manager->stopping = true;
	pthread_cond_signal(&manager->wake);
	pthread_mutex_unlock(&manager->wake_lock);
	pthread_join(manager->thread, NULL);
	manager->running = false;
}
