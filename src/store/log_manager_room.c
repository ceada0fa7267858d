/*
 * Log directories without room: what found none is tried again by the
 * background thread until there is some, and said once, not with each try.
 */
#include "base/base.h"
#include "store/log_manager_internal.h"

#include "base/log.h"
#include "store/disk.h"
#include "store/log.h"
#include "store/log_settings.h"
#include "store/partition_metadata.h"

#include <errno.h>

/* Between two tries. */
#define RETRY_INTERVAL_MS 2000

/* What must be free before a log is loaded: it may write small files. */
#define ROOM_BYTES (INT64_C(4) * 1024 * 1024)

void
log_manager_lack(struct log_manager *manager, struct managed_dir *home,
    const char *verb, const char *name, int error)
{
	atomic_store(&home->lacks, true);
	if (atomic_exchange(&home->told, true))
		return;
	log_error(LOG_MANAGER_LOGGER,
	    "Cannot %s %s in log directory %s: %s. All that fails there is "
	    "tried again, which is not said each time",
	    verb, name, home->dir->path, strerror(error));
	log_manager_kick(manager);
}

void
log_manager_retry_soon(struct log_manager *manager)
{
	atomic_store(&manager->retry_wanted, true);
	log_manager_kick(manager);
}

/* --- what found no room at the start ------------------------------------- */

/* Is there room to load a log, which may have to write a few small files? */
static bool
has_room(const struct log_manager *manager, const struct managed_dir *home)
{
	struct disk_space space;

	return disk_space(manager->settings.disk, home->dir->path, &space) ==
	    0 &&
	    space.usable_bytes >= ROOM_BYTES;
}

/* Whose records are they, and with which settings?  -1 with errno. */
static int
lost_identify(const struct log_manager *manager, const struct lost_log *lost,
    struct log_settings *settings)
{
	const struct log_manager_hooks *hooks = &manager->hooks;
	char *path = log_dir_path(lost->home->dir, lost->name);
	struct uuid topic_id;
	int result =
	    partition_metadata_read(manager->settings.disk, path, &topic_id);
	int error = errno;

	if (result == 0 &&
	    !hooks->wanted(hooks->context, slice_str(lost->topic),
		lost->partition, &topic_id, settings)) {
		error = ENOENT;
		result = -1;
	}
	free(path);
	errno = error;
	return result;
}

/* Its log; NULL, and it heals no more unless it was for want of room. */
static struct log *
lost_open(struct log_manager *manager, struct lost_log *lost)
{
	struct log_settings settings;
	struct log *log = NULL;

	log_settings_init(&settings);
	if (lost_identify(manager, lost, &settings) == 0)
		log = log_manager_lost_open(manager, lost, &settings);
	lost->heals = log != NULL || disk_is_short(errno);
	return log;
}

static void
lost_load(struct log_manager *manager, struct lost_log *lost)
{
	struct log *log = lost_open(manager, lost);
	struct managed_log *entry;

	if (log == NULL) {
		if (lost->heals)
			atomic_store(&lost->home->lacks, true);
		return;
	}
	log_manager_upkeep_take(manager);
	pthread_mutex_lock(&manager->lock);
	entry = log_manager_add(
	    manager, lost->home, slice_str(lost->topic), lost->partition, log);
	entry->recovery_point = log_recovery_point(log);
	lost->loaded = true;
	pthread_mutex_unlock(&manager->lock);
	log_manager_upkeep_release(manager);
	log_info(LOG_MANAGER_LOGGER, "Partition %s is loaded", lost->name);
}

/* Those of home, up to the first that finds no room. */
static void
lost_load_all(struct log_manager *manager, struct managed_dir *home)
{
	for (size_t i = 0; i < manager->lost_count && !home->lacks; i++) {
		struct lost_log *lost = &manager->lost[i];

		if (lost->home == home && lost->heals && !lost->loaded)
			lost_load(manager, lost);
	}
}

/* --- trying again -------------------------------------------------------- */

/* A directory where something found no room, some time ago. */
static void
dir_look(struct log_manager *manager, struct managed_dir *home)
{
	bool lacked = atomic_exchange(&home->lacks, false);

	if (home->offline) {
		home->told = false;
		return;
	}
	if (!has_room(manager, home))
		return;
	if (!lacked && atomic_exchange(&home->told, false))
		log_info(LOG_MANAGER_LOGGER, "Log directory %s has room again",
		    home->dir->path);
	lost_load_all(manager, home);
}

static bool
any_told(const struct log_manager *manager)
{
	for (size_t i = 0; i < manager->dir_count; i++)
		if (manager->dirs[i].told)
			return true;
	return false;
}

void
log_manager_room_tend(struct log_manager *manager, int64_t now_ms)
{
	const struct log_manager_hooks *hooks = &manager->hooks;
	bool again = atomic_exchange(&manager->retry_wanted, false);
	int64_t *due_ms = &manager->due.room_ms;

	if (*due_ms <= now_ms) {
		for (size_t i = 0; i < manager->dir_count; i++)
			if (manager->dirs[i].told)
				dir_look(manager, &manager->dirs[i]);
		*due_ms = INT64_MAX;
		again = true;
	}
	if (*due_ms == INT64_MAX && any_told(manager))
		*due_ms = log_manager_after(now_ms, RETRY_INTERVAL_MS);
	if (again && hooks->retry != NULL)
		hooks->retry(hooks->context);
}
