/*
 * The log manager's orderly stop: everything closed, then the checkpoints,
 * then the marks, then the locks.
 */
#include "base/base.h"
#include "store/log_manager_internal.h"

#include "base/log.h"
#include "base/parallel.h"
#include "store/checkpoint.h"
#include "store/disk.h"
#include "store/flusher.h"
#include "store/log.h"
#include "store/log_clean.h"

#include <errno.h>

/*
 * Closing waits for the disk nearly all the time, and a journal commits what
 * many threads wait for together.
 */
#define STOP_THREADS 32

/* One log while it is closed. */
struct stop_item {
	struct managed_log *entry;
	struct log *log;
	int64_t start_offset; /* -1: not for the checkpoint */
	int64_t end_offset;
	int64_t high_watermark;
	int64_t clean_offset; /* -1: not for the checkpoint */
	struct buf closed; /* how it was closed, for the next start */
	bool failed;
};

static void
item_note(struct stop_item *item)
{
	struct log *log = item->log;

	log_lock(log);
	item->start_offset = log_start_offset(log);
	if (item->start_offset <= log_first_base_offset(log))
		item->start_offset = -1;
	item->end_offset = log_end_offset(log);
	item->high_watermark = log_high_watermark(log);
	item->clean_offset = log_clean_offset(log);
	log_unlock(log);
}

/* Where that fails log_close fails again, and says so. */
static void
item_prepare(void *context, size_t index)
{
	struct stop_item *item = (struct stop_item *)context + index;

	if (log_close_prepare(item->log) < 0)
		log_warn(LOG_MANAGER_LOGGER, "%s will not be clean",
		    log_name(item->log));
}

static void
item_publish(void *context, size_t index)
{
	struct stop_item *item = (struct stop_item *)context + index;

	if (log_close_publish(item->log) < 0)
		log_warn(LOG_MANAGER_LOGGER, "%s may not be clean",
		    log_name(item->log));
}

static void
item_close(void *context, size_t index)
{
	struct stop_item *item = (struct stop_item *)context + index;

	item->failed = log_close_described(item->log, &item->closed) < 0;
}

/* All logs into one round of the flusher, which may sync them together. */
static void
logs_flush(
    struct log_manager *manager, const struct stop_item *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		flusher_submit(manager->settings.flusher, items[i].log);
	for (size_t i = 0; i < count; i++)
		flusher_drain(manager->settings.flusher, items[i].log);
}

/* Leave nothing to log_close that it would sync for each log by itself. */
static void
logs_prepare(
    struct log_manager *manager, struct stop_item *items, size_t count)
{
	parallel_run(STOP_THREADS, count, item_prepare, items);
	logs_flush(manager, items, count);
	parallel_run(STOP_THREADS, count, item_publish, items);
	logs_flush(manager, items, count);
	/* What it had no descriptor for it would try again. */
	for (size_t i = 0; i < count; i++)
		flusher_forget(manager->settings.flusher, items[i].log);
}

/* Take the logs out of the tables and close them. */
static struct stop_item *
logs_close(struct log_manager *manager, size_t *count)
{
	struct log_manager_view view = log_manager_view_take(manager);
	struct stop_item *items = xcalloc(view.count, sizeof(*items));

	for (size_t i = 0; i < view.count; i++) {
		assert(view.logs[i]->holds == 1);
		items[i].entry = view.logs[i];
		items[i].log = view.logs[i]->log;
	}
	logs_prepare(manager, items, view.count);
	for (size_t i = 0; i < view.count; i++) {
		item_note(&items[i]);
		buf_init(&items[i].closed, UINT32_MAX);
		view.logs[i]->log = NULL;
	}
	map_fini(&manager->by_name);
	parallel_run(STOP_THREADS, view.count, item_close, items);
	*count = view.count;
	free(view.logs);
	return items;
}

/* The final checkpoints of a directory. */
static int
dir_checkpoint(const struct log_manager *manager, struct managed_dir *home,
    const struct stop_item *items, size_t count)
{
	struct checkpoint checkpoints[LOG_DIR_CHECKPOINTS];
	int result = 0, error = 0;

	for (int which = 0; which < LOG_DIR_CHECKPOINTS; which++)
		checkpoint_init(&checkpoints[which]);
	for (size_t i = 0; i < count; i++) {
		const struct managed_log *entry = items[i].entry;
		struct slice topic = slice_str(entry->topic);

		if (entry->home != home)
			continue;
		checkpoint_add(&checkpoints[LOG_DIR_RECOVERY_POINTS], topic,
		    entry->partition, items[i].end_offset);
		checkpoint_add(&checkpoints[LOG_DIR_HIGH_WATERMARKS], topic,
		    entry->partition, items[i].high_watermark);
		if (items[i].start_offset >= 0)
			checkpoint_add(&checkpoints[LOG_DIR_LOG_STARTS], topic,
			    entry->partition, items[i].start_offset);
		if (items[i].clean_offset >= 0)
			checkpoint_add(&checkpoints[LOG_DIR_CLEANER_POINTS],
			    topic, entry->partition, items[i].clean_offset);
	}
	for (int which = 0; which < LOG_DIR_CHECKPOINTS; which++) {
		log_manager_lost_add(
		    manager, home, which, &checkpoints[which]);
		if (result == 0)
			result = log_dir_checkpoint_write(
			    home->dir, which, &checkpoints[which]);
		if (result != 0 && error == 0)
			error = errno;
		checkpoint_fini(&checkpoints[which]);
	}
	errno = error;
	return result;
}

static void
dir_closed_write(const struct managed_dir *home, const struct stop_item *items,
    size_t count)
{
	struct closed_logs closed;

	closed_logs_init(&closed);
	for (size_t i = 0; i < count; i++) {
		const struct managed_log *entry = items[i].entry;
		char *name;

		if (entry->home != home || items[i].closed.len == 0)
			continue;
		name = xasprintf("%s-%d", entry->topic, (int)entry->partition);
		closed_logs_add(
		    &closed, slice_str(name), buf_slice(&items[i].closed));
		free(name);
	}
	log_dir_closed_write(home->dir, &closed);
	closed_logs_fini(&closed);
}

/* Were all logs of the directory loaded, and did they close in order? */
static bool
dir_closed(const struct log_manager *manager, const struct managed_dir *home,
    const struct stop_item *items, size_t count)
{
	for (size_t i = 0; i < manager->lost_count; i++) {
		if (manager->lost[i].home == home && !manager->lost[i].loaded)
			return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (items[i].entry->home == home && items[i].failed)
			return false;
	}
	return !home->offline;
}

static int
dir_stop(const struct log_manager *manager, struct managed_dir *home,
    const struct stop_item *items, size_t count, int64_t broker_epoch)
{
	int result = -1;

	if (!dir_closed(manager, home, items, count)) {
		log_warn(LOG_MANAGER_LOGGER,
		    "Log directory %s is not left clean: its logs will be "
		    "checked at the next start",
		    home->dir->path);
	} else if (dir_checkpoint(manager, home, items, count) == 0) {
		dir_closed_write(home, items, count);
		result = log_dir_mark_clean(home->dir, broker_epoch);
	} else if (disk_is_short(errno)) {
		log_error(LOG_MANAGER_LOGGER,
		    "Cannot write the checkpoints of log directory %s: %s",
		    home->dir->path, strerror(errno));
	}
	log_dir_unlock(home->dir);
	return result;
}

int
log_manager_stop(struct log_manager *manager, int64_t broker_epoch)
{
	struct stop_item *items;
	size_t count;
	int result = 0;

	log_manager_background_stop(manager);
	log_manager_moves_stop(manager);
	cleaner_stop(manager->cleaner);
	items = logs_close(manager, &count);
	for (size_t i = 0; i < manager->dir_count; i++) {
		if (dir_stop(manager, &manager->dirs[i], items, count,
			broker_epoch) < 0)
			result = -1;
	}
	for (size_t i = 0; i < count; i++) {
		log_manager_entry_free(manager, items[i].entry);
		buf_fini(&items[i].closed);
	}
	free(items);
	return result;
}
