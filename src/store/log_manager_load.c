/*
 * The log manager's start: the logs that its directories have.
 */
#include "base/base.h"
#include "store/log_manager_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/parallel.h"
#include "store/disk.h"
#include "store/log.h"
#include "store/log_clean.h"
#include "store/log_settings.h"
#include "store/partition_metadata.h"

#include <errno.h>

/* One directory to load, and what became of it. */
struct load_item {
	struct managed_dir *home;
	const struct log_dir_entry *found;
	struct log *log; /* NULL: it was no partition of ours */
	bool failed;
	bool heals; /* for want of room or descriptors */
	bool surplus; /* another directory has it, and the metadata that one */
	char *future; /* owned: the path of a copy that was not complete */
};

struct load {
	struct log_manager *manager;
	struct load_item *items;
	size_t count;
	int64_t now_ms;
};

/* Does the metadata have this partition, with that topic id? */
static bool
is_wanted(struct load *load, const struct load_item *item,
    struct uuid *topic_id, struct log_settings *settings)
{
	const struct log_manager_hooks *hooks = &load->manager->hooks;

	return hooks->wanted(hooks->context, item->found->topic,
	    item->found->partition, topic_id, settings);
}

static int64_t
found_offset(const struct load_item *item, enum log_dir_checkpoint which)
{
	return log_dir_checkpoint_find(item->home->dir, which,
	    item->found->topic, item->found->partition, 0);
}

/*
 * The file that says whose these records are is lost or damaged.  They are not
 * given up for that, if any were durable, as the file was before: the metadata
 * knows the name.  What was not may be a deleted topic's whose directory a
 * crash has brought back, and must not be another's.  -1 with errno, 1 where
 * the partition is wanted.
 */
static int
metadata_restore(struct load *load, const struct load_item *item,
    const char *path, struct log_settings *settings)
{
	struct disk *disk = load->manager->settings.disk;
	struct uuid topic_id = UUID_ZERO;
	int records = log_dir_has_records(disk, path);

	if (records <= 0)
		return records;
	if (found_offset(item, LOG_DIR_RECOVERY_POINTS) == 0 ||
	    !is_wanted(load, item, &topic_id, settings))
		return 0;
	log_warn(LOG_MANAGER_LOGGER,
	    "%s/%s is missing or damaged: it is written anew from the metadata",
	    path, PARTITION_METADATA_FILE);
	return partition_metadata_restore(disk, path, topic_id) < 0 ? -1 : 1;
}

/* 1 where the partition is wanted, 0 where it is not, -1 with errno. */
static int
partition_wanted(struct load *load, const struct load_item *item,
    const char *path, struct log_settings *settings)
{
	struct uuid topic_id;

	if (partition_metadata_read(
		load->manager->settings.disk, path, &topic_id) == 0)
		return is_wanted(load, item, &topic_id, settings);
	if (errno == ENOENT || errno == EBADMSG)
		return metadata_restore(load, item, path, settings);
	return -1;
}

/*
 * The checkpointed high watermark, as far as the log can have it, and up to
 * where it was cleaned before.
 */
static void
offsets_set(struct log *log, int64_t high_watermark, int64_t cleaner_point)
{
	log_lock(log);
	high_watermark = MAX(high_watermark, log_start_offset(log));
	high_watermark = MIN(high_watermark, log_end_offset(log));
	log_high_watermark_set(log, high_watermark);
	log_clean_offset_set(log, cleaner_point);
	log_unlock(log);
}

static void
offsets_restore(struct load_item *item)
{
	if (item->log == NULL)
		return;
	offsets_set(item->log, found_offset(item, LOG_DIR_HIGH_WATERMARKS),
	    log_dir_checkpoint_find(item->home->dir, LOG_DIR_CLEANER_POINTS,
		item->found->topic, item->found->partition, -1));
}

static struct log_open
open_of(const struct load *load, const struct load_item *item, const char *path,
    const struct log_settings *settings)
{
	return (struct log_open){
		.disk = load->manager->settings.disk,
		.files = load->manager->files,
		.path = path,
		.settings = *settings,
		.recovery_point = found_offset(item, LOG_DIR_RECOVERY_POINTS),
		.log_start_offset = found_offset(item, LOG_DIR_LOG_STARTS),
		.clean = item->home->dir->clean,
		.now_ms = load->now_ms,
	};
}

/*
 * The quick way: from what the stop noted, without opening a file.  False
 * where the log has to be loaded.
 */
static bool
partition_reopen(struct load *load, struct load_item *item, const char *path)
{
	struct slice description = closed_logs_find(
	    &item->home->dir->closed, slice_str(item->found->name));
	struct log_settings settings;
	struct log_open open;
	struct uuid topic_id;

	log_settings_init(&settings);
	if (!log_description_topic_id(description, &topic_id) ||
	    !is_wanted(load, item, &topic_id, &settings))
		return false;
	open = open_of(load, item, path, &settings);
	item->log = log_reopen(&open, description);
	return item->log != NULL;
}

/* It could not be loaded; what passes is tried again. */
static void
item_fail(struct load *load, struct load_item *item, int error)
{
	item->failed = true;
	item->heals = disk_is_short(error);
	if (item->heals)
		log_manager_lack(load->manager, item->home, "load",
		    item->found->name, error);
}

static void
partition_open(struct load *load, struct load_item *item, const char *path,
    const struct log_settings *settings)
{
	struct log_open open = open_of(load, item, path, settings);

	item->log = log_open(&open);
	if (item->log == NULL)
		item_fail(load, item, errno);
}

static void
partition_load(struct load *load, struct load_item *item, const char *path)
{
	struct log_settings settings;
	int wanted;

	if (partition_reopen(load, item, path))
		return;
	log_settings_init(&settings);
	wanted = partition_wanted(load, item, path, &settings);
	if (wanted > 0) {
		partition_open(load, item, path, &settings);
	} else if (wanted == 0) {
		/* Where there was no room, who takes the name tries again. */
		item->failed = log_manager_set_aside(load->manager, item->home,
				   item->found->topic, item->found->partition,
				   path) < 0 &&
		    !disk_is_full(errno);
	} else {
		int error = errno;

		log_error(LOG_MANAGER_LOGGER, "Cannot tell whose %s is: %s",
		    path, strerror(error));
		item_fail(load, item, error);
	}
}

/*
 * A crash has cut a move short between its two renames, for which the
 * directory's checkpoint has a line already: it is a copy again.
 */
static int
surplus_unfinish(struct load *load, struct load_item *item, const char *path)
{
	char *name = log_dir_renamed_name(
	    item->found->topic, item->found->partition, LOG_DIR_FUTURE);

	item->future = log_dir_path(item->home->dir, name);
	free(name);
	item->home->names_dirty = true;
	return disk_rename(load->manager->settings.disk, path, item->future);
}

/* Or somebody has copied it. */
static void
surplus_set_aside(struct load *load, struct load_item *item, const char *path)
{
	bool moving = log_dir_checkpoint_find(item->home->dir,
			  LOG_DIR_RECOVERY_POINTS, item->found->topic,
			  item->found->partition, -1) >= 0;

	log_warn(LOG_MANAGER_LOGGER,
	    "Partition %s is in two log directories; the metadata does not "
	    "have it in %s",
	    item->found->name, item->home->dir->path);
	if (moving && surplus_unfinish(load, item, path) == 0)
		return;
	free(item->future);
	item->future = NULL;
	item->failed = log_manager_set_aside(load->manager, item->home,
			   item->found->topic, item->found->partition, path) <
	    0;
}

static void
item_load(void *context, size_t index)
{
	struct load *load = context;
	struct load_item *item = &load->items[index];
	char *path;

	if (item->home->offline)
		return;
	path = log_dir_path(item->home->dir, item->found->name);
	switch (item->found->kind) {
	case LOG_DIR_PARTITION:
		if (item->surplus) {
			surplus_set_aside(load, item, path);
			break;
		}
		partition_load(load, item, path);
		offsets_restore(item);
		break;
	case LOG_DIR_FUTURE:
		item->future = path;
		return;
	case LOG_DIR_DELETE:
		log_manager_doom_path(load->manager, item->home, path);
		return;
	default:
		log_warn(LOG_MANAGER_LOGGER, "Leaving %s alone", path);
		break;
	}
	free(path);
}

/*
 * List a directory; -1 where what is in it makes no sense.  It goes offline
 * where it cannot be listed.
 */
static int
dir_list(struct log_manager *manager, struct managed_dir *home)
{
	int error;

	if (home->offline || log_dir_list(home->dir) == 0)
		return 0;
	error = errno;
	log_dir_entries_forget(home->dir);
	if (log_manager_must_refuse(error))
		return -1;
	log_manager_dir_fail(manager, home, "it cannot be listed");
	return 0;
}

/* List all directories into load. */
static int
items_find(struct load *load)
{
	struct log_manager *manager = load->manager;

	for (size_t i = 0; i < manager->dir_count; i++) {
		struct log_dir *dir = manager->dirs[i].dir;

		if (dir_list(manager, &manager->dirs[i]) < 0)
			return -1;
		load->items = xrealloc(load->items,
		    (load->count + dir->entry_count) * sizeof(*load->items));
		for (size_t j = 0; j < dir->entry_count; j++)
			load->items[load->count++] = (struct load_item){
				.home = &manager->dirs[i],
				.found = &dir->entries[j],
			};
	}
	return 0;
}

/* Keep what is known of a partition that could not be loaded. */
static void
lost_enter(struct load *load, const struct load_item *item)
{
	struct log_manager *manager = load->manager;
	struct lost_log *lost = &manager->lost[manager->lost_count++];

	log_error(LOG_MANAGER_LOGGER,
	    "Partition %s is offline, because its log could not be loaded; "
	    "the others are served",
	    item->found->name);
	lost->home = item->home;
	lost->name = xstrdup(item->found->name);
	lost->topic = slice_dup(item->found->topic);
	lost->partition = item->found->partition;
	lost->heals = item->heals;
	for (int which = 0; which < LOG_DIR_CHECKPOINTS; which++)
		lost->offsets[which] = log_dir_checkpoint_find(item->home->dir,
		    which, item->found->topic, item->found->partition, -1);
}

struct log *
log_manager_lost_open(struct log_manager *manager,
    const struct lost_log *lost, const struct log_settings *settings)
{
	char *path = log_dir_path(lost->home->dir, lost->name);
	const struct log_open open = {
		.disk = manager->settings.disk,
		.files = manager->files,
		.path = path,
		.settings = *settings,
		.recovery_point =
		    MAX(lost->offsets[LOG_DIR_RECOVERY_POINTS], 0),
		.log_start_offset = MAX(lost->offsets[LOG_DIR_LOG_STARTS], 0),
		.now_ms = clock_wall_ms(),
	};
	struct log *log = log_open(&open);
	int error = errno;

	if (log != NULL)
		offsets_set(log, lost->offsets[LOG_DIR_HIGH_WATERMARKS],
		    lost->offsets[LOG_DIR_CLEANER_POINTS]);
	free(path);
	errno = error;
	return log;
}

/*
 * A copy that was not complete: where its log was found the move begins anew,
 * else it is all that is left, and not touched.
 */
static void
future_enter(struct load *load, struct load_item *item)
{
	struct log_manager *manager = load->manager;
	char *name = log_dir_partition_name(
	    item->found->topic, item->found->partition);

	if (map_get(&manager->by_name, slice_str(name)) == NULL) {
		log_warn(LOG_MANAGER_LOGGER,
		    "Leaving %s alone: there is no %s", item->future, name);
		free(item->future);
		free(name);
		return;
	}
	manager->unfinished = xrealloc(manager->unfinished,
	    (manager->unfinished_count + 1) * sizeof(*manager->unfinished));
	manager->unfinished[manager->unfinished_count++] =
	    (struct unfinished_move){ name, item->future, item->home };
}

static void
futures_enter(struct load *load)
{
	for (size_t i = 0; i < load->count; i++)
		if (load->items[i].future != NULL)
			future_enter(load, &load->items[i]);
}

/* Enter what was loaded, so that it has an owner. */
static void
items_enter(struct load *load)
{
	load->manager->lost =
	    xcalloc(load->count, sizeof(*load->manager->lost));
	for (size_t i = 0; i < load->count; i++) {
		struct load_item *item = &load->items[i];
		struct managed_log *entry;

		if (item->failed)
			lost_enter(load, item);
		if (item->log == NULL)
			continue;
		entry = log_manager_add(load->manager, item->home,
		    item->found->topic, item->found->partition, item->log);
		entry->recovery_point = log_recovery_point(item->log);
	}
}

/* Which of the two does the metadata name?  The other one is surplus. */
static bool
surplus_find(struct load *load, struct load_item *a, struct load_item *b)
{
	const struct log_manager_hooks *hooks = &load->manager->hooks;
	struct uuid id;

	if (hooks->assigned == NULL || b->surplus)
		return false;
	id = hooks->assigned(
	    hooks->context, a->found->topic, a->found->partition);
	a->surplus = uuid_equal(b->home->dir->id, id);
	b->surplus = uuid_equal(a->home->dir->id, id);
	return a->surplus != b->surplus;
}

/* Two log directories must not both have a partition. */
static int
duplicates_check(struct load *load)
{
	struct map names;
	int result = 0;

	map_init(&names);
	for (size_t i = 0; i < load->count && result == 0; i++) {
		struct load_item *item = &load->items[i], *other;

		if (item->found->kind != LOG_DIR_PARTITION)
			continue;
		other = map_set(&names, slice_str(item->found->name), item);
		if (other == NULL || surplus_find(load, item, other))
			continue;
		log_error(LOG_MANAGER_LOGGER,
		    "Partition %s is in two log directories: %s and %s",
		    item->found->name, other->home->dir->path,
		    item->home->dir->path);
		result = -1;
	}
	map_fini(&names);
	return result;
}

/*
 * Write its checkpoints, or take it offline.  Where the disk is full they are
 * written before the first new log is made.
 */
static int
dir_write(struct log_manager *manager, struct managed_dir *home,
    struct log_manager_view *view)
{
	int error;

	if (log_manager_checkpoint(manager, home, view) == 0)
		return 0;
	error = errno;
	if (disk_is_short(error))
		log_manager_lack(manager, home, "write", "checkpoints", error);
	if (disk_is_full(error)) {
		home->leftovers = true;
		return 0;
	}
	if (log_manager_must_refuse(error))
		return -1;
	log_manager_dir_fail(
	    manager, home, "its checkpoints cannot be written");
	return 0;
}

/*
 * A checkpoint may name partitions that are not there.  One that is created
 * later must not inherit the offsets.
 */
static int
leftovers_drop(struct load *load)
{
	struct log_manager *manager = load->manager;
	struct log_manager_view view = log_manager_view_take(manager);
	int result = 0;

	for (size_t i = 0; i < manager->dir_count && result == 0; i++) {
		const struct log_dir *dir = manager->dirs[i].dir;

		if (manager->dirs[i].offline)
			continue;
		if (dir->found[LOG_DIR_RECOVERY_POINTS].count +
			dir->found[LOG_DIR_LOG_STARTS].count +
			dir->found[LOG_DIR_CLEANER_POINTS].count +
			dir->found[LOG_DIR_HIGH_WATERMARKS].count >
		    0)
			result = dir_write(manager, &manager->dirs[i], &view);
	}
	log_manager_view_release(manager, &view);
	return result;
}

/* From here on a crash is a crash. */
static int
marks_take(struct log_manager *manager)
{
	for (size_t i = 0; i < manager->dir_count; i++) {
		struct managed_dir *home = &manager->dirs[i];

		if (home->offline || log_dir_mark_take(home->dir) == 0)
			continue;
		if (log_manager_must_refuse(errno))
			return -1;
		log_manager_dir_fail(
		    manager, home, "its mark cannot be removed");
	}
	return 0;
}

static int
entry_check_empty(struct log_dir *dir, const struct log_dir_entry *entry)
{
	char *path = log_dir_path(dir, entry->name);
	int found = 0;

	if (entry->kind == LOG_DIR_PARTITION)
		found = log_dir_has_records(dir->disk, path);
	if (found < 0)
		log_error(LOG_MANAGER_LOGGER, "Cannot look at %s: %s", path,
		    strerror(errno));
	else if (found > 0)
		log_error(LOG_MANAGER_LOGGER,
		    "There is no metadata, but %s has records: restore "
		    "__cluster_metadata-0, or move the partitions away",
		    path);
	free(path);
	return found == 0 ? 0 : -1;
}

int
log_manager_check_empty(struct log_manager *manager)
{
	int result = 0;

	for (size_t i = 0; i < manager->dir_count && result == 0; i++) {
		struct log_dir *dir = manager->dirs[i].dir;

		if (manager->dirs[i].offline)
			continue;
		result = log_dir_list(dir);
		for (size_t j = 0; j < dir->entry_count && result == 0; j++)
			result = entry_check_empty(dir, &dir->entries[j]);
		log_dir_entries_forget(dir);
	}
	return result;
}

int
log_manager_load(
    struct log_manager *manager, const struct log_manager_hooks *hooks)
{
	struct load load = { .manager = manager, .now_ms = clock_wall_ms() };
	int64_t begin_ms = clock_monotonic_ms();
	int result = -1;

	manager->hooks = *hooks;
	if (items_find(&load) == 0 && duplicates_check(&load) == 0 &&
	    marks_take(manager) == 0) {
		parallel_run(atomic_load(&manager->recovery_thread_count) *
			(int)manager->dir_count,
		    load.count, item_load, &load);
		items_enter(&load);
		futures_enter(&load);
		result = leftovers_drop(&load);
	}
	for (size_t i = 0; i < manager->dir_count; i++)
		log_dir_forget(manager->dirs[i].dir);
	log_info(LOG_MANAGER_LOGGER, "Loaded %zu logs in %lldms",
	    manager->by_name.count,
	    (long long)(clock_monotonic_ms() - begin_ms));
	free(load.items);
	return result;
}
