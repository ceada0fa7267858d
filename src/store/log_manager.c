#include "base/base.h"
#include "store/log_manager.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/disk.h"
#include "store/fd_cache.h"
#include "store/flusher.h"
#include "store/log.h"
#include "store/log_manager_internal.h"

#include <errno.h>
#include <stdio.h>

/* A topic's 249 characters, '-', a number and a NUL. */
#define NAME_SIZE 272

/* --- tables -------------------------------------------------------------- */

/* The name of a partition's directory in text; false where it is too long. */
static bool
name_format(char text[NAME_SIZE], struct slice topic, int32_t partition)
{
	int len =
	    snprintf(text, NAME_SIZE, "%.*s-%d", SLICE_ARG(topic), partition);

	return len > 0 && len < NAME_SIZE;
}

struct managed_log *
log_manager_add(struct log_manager *manager, struct managed_dir *home,
    struct slice topic, int32_t partition, struct log *log)
{
	struct managed_log *entry = xcalloc(1, sizeof(*entry));

	entry->home = home;
	entry->log = log;
	entry->topic = slice_dup(topic);
	entry->partition = partition;
	log_flush_link(log)->lane = (size_t)(home - manager->dirs);
	home->log_count++;
	if (map_set(&manager->by_name, slice_str(log_name(log)), entry) != NULL)
		assert(!"one log a name");
	map_set(&manager->by_log, MAP_KEY(entry->log), entry);
	return entry;
}

/* The entry of a log that its caller holds. */
static struct managed_log *
entry_of(struct log_manager *manager, struct log *log)
{
	struct managed_log *entry = map_get(&manager->by_log, MAP_KEY(log));

	assert(entry != NULL);
	return entry;
}

void
log_manager_entry_free(struct log_manager *manager, struct managed_log *entry)
{
	if (entry->log != NULL) {
		flusher_forget(manager->settings.flusher, entry->log);
		log_free(entry->log);
	}
	free(entry->doomed_path);
	free(entry->topic);
	free(entry);
}

/*
 * A mutex alone may be had again by who has just given it up, time after time,
 * before who waits for it is awake.  Here somebody waits for it with the turn,
 * and who comes back has to get the turn first, which is not his while that
 * one waits.  Between several who wait for the turn nothing is promised.
 */
void
log_manager_upkeep_take(struct log_manager *manager)
{
	pthread_mutex_lock(&manager->upkeep_turn);
	pthread_mutex_lock(&manager->upkeep);
	pthread_mutex_unlock(&manager->upkeep_turn);
}

void
log_manager_upkeep_release(struct log_manager *manager)
{
	pthread_mutex_unlock(&manager->upkeep);
}

struct log_manager_view
log_manager_view_take(struct log_manager *manager)
{
	struct log_manager_view view = { 0 };
	struct managed_log *entry;

	pthread_mutex_lock(&manager->lock);
	view.logs = xcalloc(manager->by_name.count, sizeof(struct log *));
	for (size_t at = 0;
	     (entry = map_next(&manager->by_name, &at)) != NULL;) {
		entry->holds++;
		view.logs[view.count++] = entry;
	}
	pthread_mutex_unlock(&manager->lock);
	return view;
}

/* Give back one hold; true where the background thread waits for that. */
static bool
entry_release(struct managed_log *entry)
{
	assert(entry->holds > 0);
	return --entry->holds == 0 && entry->deleted;
}

void
log_manager_view_release(
    struct log_manager *manager, struct log_manager_view *view)
{
	bool kick = false;

	pthread_mutex_lock(&manager->lock);
	for (size_t i = 0; i < view->count; i++)
		kick = entry_release(view->logs[i]) || kick;
	pthread_mutex_unlock(&manager->lock);
	free(view->logs);
	if (kick)
		log_manager_kick(manager);
}

/* --- using -------------------------------------------------------------- */

void
log_manager_release(struct log_manager *manager, struct log *log)
{
	bool kick;

	pthread_mutex_lock(&manager->lock);
	kick = entry_release(entry_of(manager, log));
	pthread_mutex_unlock(&manager->lock);
	if (kick)
		log_manager_kick(manager);
}

size_t
log_manager_count(struct log_manager *manager, uint64_t *size_bytes)
{
	struct log_manager_view view = log_manager_view_take(manager);
	size_t count = view.count;

	if (size_bytes != NULL) {
		*size_bytes = 0;
		for (size_t i = 0; i < count; i++) {
			struct log *log = view.logs[i]->log;

			log_lock(log);
			*size_bytes += (uint64_t)log_size_bytes(log);
			log_unlock(log);
		}
	}
	log_manager_view_release(manager, &view);
	return count;
}

void
log_manager_each(struct log_manager *manager,
    void (*fn)(void *context, struct log *log), void *context)
{
	struct log_manager_view view = log_manager_view_take(manager);

	for (size_t i = 0; i < view.count; i++)
		fn(context, view.logs[i]->log);
	log_manager_view_release(manager, &view);
}

/* --- creating ------------------------------------------------------------ */

static size_t
dirs_working(const struct log_manager *manager)
{
	size_t count = 0;

	for (size_t i = 0; i < manager->dir_count; i++)
		count += !manager->dirs[i].offline;
	return count;
}

/* The working directory with the fewest logs, or NULL.  Locked. */
static struct managed_dir *
dir_pick(struct log_manager *manager)
{
	struct managed_dir *best = NULL;

	for (size_t i = 0; i < manager->dir_count; i++) {
		struct managed_dir *dir = &manager->dirs[i];

		if (dir->offline)
			continue;
		if (best == NULL || dir->log_count < best->log_count)
			best = dir;
	}
	return best;
}

/* The directory for a new log, or NULL where it is missing. */
static struct managed_dir *
dir_choose(struct log_manager *manager, const struct log_manager_place *place)
{
	bool known = !uuid_is_zero(place->directory);
	struct managed_dir *dir;

	for (size_t i = 0; i < manager->dir_count && known; i++) {
		dir = &manager->dirs[i];
		if (uuid_equal(dir->dir->id, place->directory))
			return dir->offline ? NULL : dir;
	}
	if (!place->is_new &&
	    (known || dirs_working(manager) < manager->dir_count))
		return NULL;
	pthread_mutex_lock(&manager->lock);
	dir = dir_pick(manager);
	pthread_mutex_unlock(&manager->lock);
	return dir;
}

/*
 * May a log of this name that is gone be in a checkpoint still?  A crash would
 * give its offsets to the new one.
 */
static bool
name_is_stale(struct log_manager *manager, const char *name)
{
	bool stale;

	pthread_mutex_lock(&manager->lock);
	stale = map_get(&manager->stale, slice_str(name)) != NULL;
	for (size_t i = 0; i < manager->dir_count; i++)
		stale |= manager->dirs[i].leftovers &&
		    !manager->dirs[i].offline;
	pthread_mutex_unlock(&manager->lock);
	return stale;
}

/* Write all checkpoints anew, without what was deleted. */
static int
stale_names_drop(struct log_manager *manager)
{
	struct log_manager_view view;
	int result = 0;

	log_manager_upkeep_take(manager);
	view = log_manager_view_take(manager);
	for (size_t i = 0; i < manager->dir_count; i++) {
		struct managed_dir *home = &manager->dirs[i];

		if (home->offline ||
		    log_manager_checkpoint(manager, home, &view) == 0)
			continue;
		result = -1;
		log_manager_lack(
		    manager, home, "write", "checkpoints", errno);
	}
	log_manager_view_release(manager, &view);
	log_manager_upkeep_release(manager);
	return result;
}

/* The log that has the name already; *log is held then. */
static bool
log_find_same(struct log_manager *manager, const char *name,
    struct uuid topic_id, struct log **log, enum kp_error *error)
{
	struct managed_log *entry;

	*error = KP_NONE;
	pthread_mutex_lock(&manager->lock);
	entry = map_get(&manager->by_name, slice_str(name));
	if (entry != NULL && uuid_equal(log_topic_id(entry->log), topic_id)) {
		entry->holds++;
		*log = entry->log;
	} else if (entry != NULL) {
		*error = KP_KAFKA_STORAGE_ERROR;
	}
	pthread_mutex_unlock(&manager->lock);
	if (*error != KP_NONE)
		log_error(LOG_MANAGER_LOGGER,
		    "Cannot create %s: it is there with another topic id",
		    name);
	return entry != NULL;
}

/* Is there a directory of that name that could not be loaded? */
static bool
name_is_lost(struct log_manager *manager, const char *name)
{
	bool found = false;

	pthread_mutex_lock(&manager->lock);
	for (size_t i = 0; i < manager->lost_count && !found; i++) {
		const struct lost_log *lost = &manager->lost[i];

		found = !lost->loaded && strcmp(lost->name, name) == 0;
	}
	pthread_mutex_unlock(&manager->lock);
	return found;
}

int
log_manager_set_aside(struct log_manager *manager, struct managed_dir *home,
    struct slice topic, int32_t partition, const char *path)
{
	char *name = log_dir_renamed_name(topic, partition, LOG_DIR_STRAY);
	char *stray = log_dir_path(home->dir, name);
	int result = disk_rename(manager->settings.disk, path, stray);
	int error = errno;

	if (result < 0 && disk_is_short(error))
		log_manager_lack(manager, home, "rename", path, error);
	else if (result < 0)
		log_error(LOG_MANAGER_LOGGER, "Cannot rename %s to %s: %s",
		    path, stray, strerror(error));
	else
		log_warn(LOG_MANAGER_LOGGER,
		    "%s is not in the metadata: it is kept as %s", path, stray);
	home->names_dirty = true;
	free(stray);
	free(name);
	errno = error;
	return result;
}

/*
 * A directory of the name of a new log, with records in it, is one whose
 * deletion did not get far.  It must not lend its records to the new one.
 */
static int
name_clear(struct log_manager *manager, struct managed_dir *home,
    struct slice topic, int32_t partition, const char *path)
{
	int records = log_dir_has_records(manager->settings.disk, path);

	if (records <= 0)
		return records;
	return log_manager_set_aside(manager, home, topic, partition, path);
}

/* Make the files of a new log at path. */
static struct log *
log_make(struct log_manager *manager, const char *path, struct uuid topic_id,
    const struct log_settings *settings)
{
	const struct log_open open = {
		.disk = manager->settings.disk,
		.files = manager->files,
		.path = path,
		.settings = *settings,
		.now_ms = clock_wall_ms(),
	};

	return log_create(&open, topic_id);
}

/* Make a new log in home, which nobody has yet. */
static struct log *
log_add(struct log_manager *manager, struct managed_dir *home,
    struct slice topic, int32_t partition, struct uuid topic_id,
    const struct log_settings *settings)
{
	char *name = log_dir_partition_name(topic, partition);
	char *path = log_dir_path(home->dir, name);
	struct log *log = NULL;

	if (name_clear(manager, home, topic, partition, path) == 0)
		log = log_make(manager, path, topic_id, settings);
	if (log == NULL) {
		log_manager_lack(manager, home, "create", name, errno);
	} else {
		pthread_mutex_lock(&manager->lock);
		log_manager_add(manager, home, topic, partition, log)->holds++;
		pthread_mutex_unlock(&manager->lock);
	}
	free(path);
	free(name);
	return log;
}

enum kp_error
log_manager_create(struct log_manager *manager, struct slice topic,
    int32_t partition, struct uuid topic_id,
    const struct log_manager_place *place, const struct log_settings *settings,
    struct log **log)
{
	char name[NAME_SIZE];
	struct managed_dir *home;
	enum kp_error error;

	if (!name_format(name, topic, partition) ||
	    name_is_lost(manager, name))
		return KP_KAFKA_STORAGE_ERROR;
	if (log_find_same(manager, name, topic_id, log, &error))
		return error;
	home = log_manager_preferred(manager, name);
	if (home == NULL)
		home = dir_choose(manager, place);
	if (home == NULL || (place->again && home->lacks))
		return KP_KAFKA_STORAGE_ERROR;
	if (name_is_stale(manager, name) && stale_names_drop(manager) < 0)
		return KP_KAFKA_STORAGE_ERROR;
	*log = log_add(manager, home, topic, partition, topic_id, settings);
	if (*log == NULL)
		return KP_KAFKA_STORAGE_ERROR;
	log_manager_preferred_drop(manager, name);
	return KP_NONE;
}

/* --- deleting ------------------------------------------------------------ */

void
log_manager_doom_path(
    struct log_manager *manager, struct managed_dir *home, char *path)
{
	struct managed_log *entry = xcalloc(1, sizeof(*entry));

	entry->home = home;
	entry->topic = xstrdup("");
	entry->deleted = true;
	entry->doomed_path = path;
	entry->remove_at_ms = log_manager_after(
	    clock_monotonic_ms(), manager->delete_delay_ms);
	pthread_mutex_lock(&manager->lock);
	list_append(&manager->doomed, &entry->node);
	pthread_mutex_unlock(&manager->lock);
}

/*
 * Take the entry out of the live ones.  Upkeep held; takes path, which is NULL
 * where the directory has its name still and stays.
 */
static void
entry_doom(struct log_manager *manager, struct managed_log *entry, char *path)
{
	struct slice name = slice_str(log_name(entry->log));

	entry->doomed_path = path;
	entry->remove_at_ms = log_manager_after(
	    clock_monotonic_ms(), manager->delete_delay_ms);
	entry->home->names_dirty = true;
	pthread_mutex_lock(&manager->lock);
	assert(!entry->deleted);
	entry->deleted = true;
	entry->stale = true;
	entry->home->log_count--;
	map_remove(&manager->by_name, name);
	map_set(&manager->stale, name, entry);
	list_append(&manager->doomed, &entry->node);
	pthread_mutex_unlock(&manager->lock);
}

/* The path of the entry's directory while it waits for its removal. */
static char *
delete_path(const struct managed_log *entry)
{
	char *name = log_dir_renamed_name(
	    slice_str(entry->topic), entry->partition, LOG_DIR_DELETE);
	char *path = log_dir_path(entry->home->dir, name);

	free(name);
	return path;
}

enum kp_error
log_manager_delete(struct log_manager *manager, struct log *log)
{
	struct managed_log *entry;
	struct managed_move *move;
	char *path;
	int error = 0;

	pthread_mutex_lock(&manager->lock);
	entry = entry_of(manager, log);
	move = log_manager_move_of(manager, entry);
	if (move != NULL)
		atomic_store(&move->cancelled, true);
	pthread_mutex_unlock(&manager->lock);
	log_manager_upkeep_take(manager);
	path = delete_path(entry);
	if (log_rename(log, path) < 0) {
		error = errno;
		free(path);
		path = NULL;
	}
	log_lock(log);
	log_retire(log);
	log_unlock(log);
	entry_doom(manager, entry, path);
	log_manager_upkeep_release(manager);
	if (error != 0)
		log_manager_dir_error(manager, entry->home, error);
	log_manager_kick(manager);
	return error == 0 ? KP_NONE : KP_KAFKA_STORAGE_ERROR;
}

/* --- failing ------------------------------------------------------------- */

void
log_manager_log_failed(struct log_manager *manager, struct log *log)
{
	pthread_mutex_lock(&manager->wake_lock);
	manager->failed = xrealloc(manager->failed,
	    (manager->failed_count + 1) * sizeof(struct log *));
	manager->failed[manager->failed_count++] = log;
	manager->kicked = true;
	pthread_cond_signal(&manager->wake);
	pthread_mutex_unlock(&manager->wake_lock);
}

void
log_manager_dir_fail(
    struct log_manager *manager, struct managed_dir *home, const char *reason)
{
	struct log_manager_view view;

	if (atomic_exchange(&home->offline, true))
		return;
	log_error(LOG_MANAGER_LOGGER, "Log directory %s is offline: %s",
	    home->dir->path, reason);
	view = log_manager_view_take(manager);
	for (size_t i = 0; i < view.count; i++) {
		struct log *log = view.logs[i]->log;

		if (view.logs[i]->home != home)
			continue;
		log_lock(log);
		log_fence(log, "its directory failed");
		log_unlock(log);
	}
	log_manager_view_release(manager, &view);
	if (manager->hooks.directory_failed != NULL)
		manager->hooks.directory_failed(manager->hooks.context,
		    home->dir->path, home->dir->id, dirs_working(manager));
}

void
log_manager_dir_error(
    struct log_manager *manager, struct managed_dir *home, int error)
{
	if (disk_is_short(error))
		log_manager_lack(manager, home, "write", "files", error);
	else
		log_manager_dir_fail(manager, home, strerror(error));
}
