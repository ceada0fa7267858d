/*
 * The log manager's life up to its logs: settings, log directories, and the
 * freeing of all of it.
 */
#include "base/base.h"
#include "store/log_manager_internal.h"

#include "base/descriptors.h"
#include "base/log.h"
#include "store/disk.h"
#include "store/fd_cache.h"
#include "store/log_clean.h"
#include "store/meta_properties.h"

#include <errno.h>

/* --- settings ------------------------------------------------------------ */

void
log_manager_settings_init(struct log_manager_settings *settings)
{
	*settings = (struct log_manager_settings){
		.open_files_max = descriptors_share(),
		.recovery_thread_count = 2,
		.retention_initial_ms = 30000,
		.retention_interval_ms = 300000,
		.recovery_point_interval_ms = 60000,
		.log_start_interval_ms = 60000,
		.high_watermark_interval_ms = 5000,
		.delete_delay_ms = 60000,
		.producer_check_interval_ms = 600000,
		.flush_check_interval_ms = INT64_MAX,
	};
	cleaner_settings_init(&settings->cleaner);
}

/* --- opening ------------------------------------------------------------- */

/*
 * The directory.id of path's meta.properties; -1 with errno after a logged
 * line, EBADMSG where it makes no sense or is another node's.
 */
static int
directory_id_read(const struct log_manager_settings *settings, const char *path,
    struct uuid *id)
{
	struct meta_properties meta;
	char *why = NULL;
	int result, error = EBADMSG;

	meta_properties_init(&meta);
	result = meta_properties_read(&meta, settings->disk, path, &why);
	if (result < 0) {
		error = errno;
		log_error(LOG_MANAGER_LOGGER, "Cannot use %s/%s: %s", path,
		    META_PROPERTIES_FILE, why != NULL ? why : strerror(error));
	} else if (meta.node_id != settings->node_id) {
		log_error(LOG_MANAGER_LOGGER,
		    "Log directory %s belongs to node %d, and this is node %d",
		    path, meta.node_id, settings->node_id);
		result = -1;
	} else if (uuid_is_zero(meta.directory_id)) {
		log_error(LOG_MANAGER_LOGGER,
		    "Cannot use %s/%s: directory.id is missing", path,
		    META_PROPERTIES_FILE);
		result = -1;
	}
	*id = meta.directory_id;
	free(why);
	meta_properties_fini(&meta);
	errno = error;
	return result;
}

/* Two directories with one id, or one directory twice. */
static bool
id_is_taken(const struct log_manager *manager, const char *path, struct uuid id)
{
	for (size_t i = 0; i < manager->dir_count; i++) {
		if (!uuid_equal(manager->dirs[i].dir->id, id))
			continue;
		log_error(LOG_MANAGER_LOGGER,
		    "Log directories %s and %s have the same directory.id",
		    manager->dirs[i].dir->path, path);
		return true;
	}
	return false;
}

/* NULL with errno after a logged line. */
static struct log_dir *
dir_open(struct log_manager *manager, const char *path)
{
	struct uuid id;

	if (directory_id_read(&manager->settings, path, &id) < 0)
		return NULL;
	if (id_is_taken(manager, path, id)) {
		errno = EBADMSG;
		return NULL;
	}
	return log_dir_open(manager->settings.disk, path, id);
}

bool
log_manager_must_refuse(int error)
{
	return error == EAGAIN || error == EBADMSG || disk_is_short(error);
}

static int
dir_add(struct log_manager *manager, const char *path, bool usable)
{
	struct managed_dir *home = &manager->dirs[manager->dir_count];

	if (usable) {
		home->dir = dir_open(manager, path);
		if (home->dir == NULL && log_manager_must_refuse(errno))
			return -1;
	}
	home->offline = home->dir == NULL;
	if (home->offline) {
		log_error(LOG_MANAGER_LOGGER,
		    "Log directory %s is offline: it cannot be used", path);
		home->dir =
		    log_dir_new_unusable(manager->settings.disk, path);
	}
	manager->dir_count++;
	return 0;
}

static int
dirs_add(struct log_manager *manager)
{
	const struct log_manager_settings *settings = &manager->settings;

	for (size_t i = 0; i < settings->directory_count; i++)
		if (dir_add(manager, settings->directories[i],
			settings->unusable == NULL ||
			    !settings->unusable[i]) < 0)
			return -1;
	for (size_t i = 0; i < manager->dir_count; i++)
		if (!manager->dirs[i].offline)
			return 0;
	log_error(
	    LOG_MANAGER_LOGGER, "None of the log directories can be used");
	return -1;
}

static void
wake_init(struct log_manager *manager)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&manager->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&manager->wake_lock, NULL);
}

void
log_manager_configure(
    struct log_manager *manager, const struct log_manager_settings *settings)
{
	atomic_store(
	    &manager->recovery_thread_count, settings->recovery_thread_count);
	atomic_store(&manager->delete_delay_ms, settings->delete_delay_ms);
	cleaner_configure(manager->cleaner, &settings->cleaner);
}

struct log_manager *
log_manager_new(const struct log_manager_settings *settings)
{
	struct log_manager *manager = xcalloc(1, sizeof(*manager));

	manager->settings = *settings;
	manager->cleaner = cleaner_new(manager);
	log_manager_configure(manager, settings);
	manager->dirs =
	    xcalloc(settings->directory_count, sizeof(*manager->dirs));
	manager->files = fd_cache_new(settings->disk, settings->open_files_max);
	pthread_mutex_init(&manager->lock, NULL);
	pthread_mutex_init(&manager->upkeep, NULL);
	pthread_mutex_init(&manager->upkeep_turn, NULL);
	wake_init(manager);
	map_init(&manager->by_name);
	map_init(&manager->by_log);
	map_init(&manager->stale);
	list_init(&manager->doomed);
	list_init(&manager->moves);
	map_init(&manager->preferred);
	log_manager_due_init(manager);
	if (dirs_add(manager) < 0) {
		log_manager_free(manager);
		return NULL;
	}
	manager->settings.directories = NULL;
	manager->settings.unusable = NULL;
	return manager;
}

/* Free all logs and what is doomed; nothing is written. */
static void
entries_free(struct log_manager *manager)
{
	struct managed_log *entry;
	struct list_node *node;

	while ((node = list_pop(&manager->doomed)) != NULL)
		log_manager_entry_free(
		    manager, LIST_ENTRY(node, struct managed_log, node));
	for (size_t at = 0; (entry = map_next(&manager->by_name, &at)) != NULL;)
		log_manager_entry_free(manager, entry);
}

void
log_manager_free(struct log_manager *manager)
{
	if (manager == NULL)
		return;
	log_manager_background_stop(manager);
	log_manager_moves_stop(manager);
	cleaner_free(manager->cleaner);
	entries_free(manager);
	for (size_t i = 0; i < manager->dir_count; i++)
		log_dir_free(manager->dirs[i].dir);
	map_fini(&manager->by_name);
	map_fini(&manager->by_log);
	map_fini(&manager->stale);
	log_manager_preferred_free(manager);
	for (size_t i = 0; i < manager->unfinished_count; i++) {
		free(manager->unfinished[i].name);
		free(manager->unfinished[i].path);
	}
	free(manager->unfinished);
	for (size_t i = 0; i < manager->lost_count; i++) {
		free(manager->lost[i].name);
		free(manager->lost[i].topic);
	}
	free(manager->lost);
	free(manager->failed);
	free(manager->dirs);
	fd_cache_free(manager->files);
	pthread_cond_destroy(&manager->wake);
	pthread_mutex_destroy(&manager->wake_lock);
	pthread_mutex_destroy(&manager->upkeep);
	pthread_mutex_destroy(&manager->upkeep_turn);
	pthread_mutex_destroy(&manager->lock);
	free(manager);
}

bool
log_manager_was_clean(const struct log_manager *manager)
{
	for (size_t i = 0; i < manager->dir_count; i++) {
		if (!manager->dirs[i].offline && !manager->dirs[i].dir->clean)
			return false;
	}
	return true;
}

int64_t
log_manager_previous_broker_epoch(const struct log_manager *manager)
{
	int64_t epoch = -1;

	for (size_t i = 0; i < manager->dir_count; i++) {
		int64_t found = manager->dirs[i].dir->clean_broker_epoch;

		if (manager->dirs[i].offline)
			continue;
		if (found < 0 || (epoch >= 0 && found != epoch))
			return -1;
		epoch = found;
	}
	return epoch;
}
