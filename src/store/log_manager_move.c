/*
 * Moving partitions between log directories (KIP-113): one after the other, on
 * a thread of its own.
 *
 * On disk: the copy grows in TOPIC-N.<hex>-future of the other directory.  A
 * start that finds one begins the move anew.  When the copy has all that the
 * log has, and appends go to both, the checkpoints of the other directory get
 * its lines; the copy becomes TOPIC-N there, durably; then the log becomes
 * TOPIC-N.<hex>-delete in its own, durably; and only then is anything
 * acknowledged that is not in the log's old files.  Between the two renames a
 * start finds both, each with all that was acknowledged, and takes the one
 * that the metadata names.
 */
#include "base/base.h"
#include "store/log_manager_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/worker.h"
#include "store/disk.h"
#include "store/flusher.h"
#include "store/log.h"
#include "store/log_move.h"

#include <errno.h>
#include <limits.h>

/* Somebody may name as many partitions that will never be. */
#define PREFERRED_MAX 10000

struct preferred {
	char *name; /* owned */
	struct managed_dir *home;
};

/* --- places for logs to come --------------------------------------------- */

struct managed_dir *
log_manager_preferred(struct log_manager *manager, const char *name)
{
	struct managed_dir *home = NULL;
	struct preferred *preferred;

	pthread_mutex_lock(&manager->lock);
	preferred = map_get(&manager->preferred, slice_str(name));
	if (preferred != NULL && !preferred->home->offline)
		home = preferred->home;
	pthread_mutex_unlock(&manager->lock);
	return home;
}

void
log_manager_preferred_drop(struct log_manager *manager, const char *name)
{
	struct preferred *preferred;

	pthread_mutex_lock(&manager->lock);
	preferred = map_remove(&manager->preferred, slice_str(name));
	pthread_mutex_unlock(&manager->lock);
	if (preferred == NULL)
		return;
	free(preferred->name);
	free(preferred);
}

/* Locked; name is taken. */
static void
prefer(struct log_manager *manager, char *name, struct managed_dir *home)
{
	struct preferred *preferred =
	    map_get(&manager->preferred, slice_str(name));

	if (preferred != NULL) {
		preferred->home = home;
		free(name);
	} else if (manager->preferred.count < PREFERRED_MAX) {
		preferred = xmalloc(sizeof(*preferred));
		*preferred = (struct preferred){ name, home };
		map_set(&manager->preferred, slice_str(name), preferred);
	} else {
		free(name);
	}
}

void
log_manager_preferred_free(struct log_manager *manager)
{
	struct preferred *preferred;

	for (size_t at = 0;
	     (preferred = map_next(&manager->preferred, &at)) != NULL;) {
		free(preferred->name);
		free(preferred);
	}
	map_fini(&manager->preferred);
}

/* --- a move -------------------------------------------------------------- */

struct managed_move *
log_manager_move_of(
    struct log_manager *manager, const struct managed_log *entry)
{
	LIST_FOR_EACH (node, &manager->moves) {
		struct managed_move *move =
		    LIST_ENTRY(node, struct managed_move, node);

		if (move->entry == entry && !move->cancelled)
			return move;
	}
	return NULL;
}

static bool
goes_on(void *context, size_t bytes UNUSED)
{
	const struct managed_move *move = context;

	return !atomic_load(&move->cancelled) &&
	    !atomic_load(&move->manager->moves_stop) && !move->to->offline;
}

static int
catch_up(struct log_move *files)
{
	int result;

	do {
		result = log_move_copy(files);
		if (result == 0)
			result = log_move_follow(files);
	} while (result != 0 && errno == EAGAIN);
	return result;
}

/* The path of the entry's log in home under one of its names, on the heap. */
static char *
path_in(const struct managed_log *entry, const struct managed_dir *home,
    enum log_dir_kind kind)
{
	struct slice topic = slice_str(entry->topic);
	char *name = kind == LOG_DIR_PARTITION ?
	    log_dir_partition_name(topic, entry->partition) :
	    log_dir_renamed_name(topic, entry->partition, kind);
	char *path = log_dir_path(home->dir, name);

	free(name);
	return path;
}

/*
 * Give a log's directory another name, durably.  -1 after a logged line; home
 * is offline then, because nobody knows which name a start will find.
 */
static int
rename_durably(
    struct managed_move *move, struct managed_dir *home, struct log *log,
    const char *path)
{
	struct log_manager *manager = move->manager;

	if (log_rename(log, path) == 0 &&
	    disk_sync_dir(manager->settings.disk, home->dir->path) == 0)
		return 0;
	log_error(LOG_MANAGER_LOGGER, "Cannot rename %s to %s for good: %s",
	    log_name(log), path, strerror(errno));
	log_manager_dir_fail(manager, home, "a move's rename failed");
	return -1;
}

/* Upkeep. */
static int
checkpoint(struct managed_move *move, struct managed_dir *home)
{
	struct log_manager_view view = log_manager_view_take(move->manager);
	int result = log_manager_checkpoint(move->manager, home, &view);
	int error = errno;

	log_manager_view_release(move->manager, &view);
	if (result != 0)
		log_manager_dir_error(move->manager, home, error);
	errno = error;
	return result;
}

/* The log is in the other directory: what it was is to be removed.  Upkeep. */
static void
settle(struct managed_move *move, char *old_path)
{
	struct log_manager *manager = move->manager;
	struct managed_log *entry = move->entry;
	struct managed_log *old = xcalloc(1, sizeof(*old));

	old->home = entry->home;
	old->log = move->copy;
	old->topic = xstrdup(entry->topic);
	old->partition = entry->partition;
	old->deleted = true;
	old->doomed_path = old_path;
	old->remove_at_ms = log_manager_after(
	    clock_monotonic_ms(), manager->delete_delay_ms);
	pthread_mutex_lock(&manager->lock);
	move->copy = NULL;
	old->home->log_count--;
	entry->home = move->to;
	list_append(&manager->doomed, &old->node);
	pthread_mutex_unlock(&manager->lock);
	entry->next_home = NULL;
	flusher_move(manager->settings.flusher, entry->log,
	    (size_t)(move->to - manager->dirs));
	/* A log of this name that comes back must not find its old offsets. */
	if (!old->home->offline)
		(void)!checkpoint(move, old->home);
}

/* The copy lacks something after all: both get their names back. */
static void
names_undo(struct managed_move *move, struct managed_dir *from)
{
	char *plain = path_in(move->entry, from, LOG_DIR_PARTITION);
	char *future = path_in(move->entry, move->to, LOG_DIR_FUTURE);

	if (rename_durably(move, from, move->entry->log, plain) == 0 &&
	    rename_durably(move, move->to, move->copy, future) == 0)
		move->named = false;
	free(future);
	free(plain);
}

/* The first rename, whose failure takes nothing from the log.  Upkeep. */
static int
copy_name(struct managed_move *move)
{
	char *plain = path_in(move->entry, move->to, LOG_DIR_PARTITION);
	int result = rename_durably(move, move->to, move->copy, plain);

	move->named = result == 0;
	free(plain);
	return result;
}

/* Upkeep. */
static int
names_change(struct managed_move *move, struct log_move *files)
{
	struct managed_dir *from = move->entry->home;
	char *doomed = path_in(move->entry, from, LOG_DIR_DELETE);
	int result = -1;

	if (copy_name(move) == 0 &&
	    rename_durably(move, from, move->entry->log, doomed) == 0) {
		result = log_move_exchange(files);
		if (result != 0)
			names_undo(move, from);
	}
	if (result == 0)
		settle(move, doomed);
	else
		free(doomed);
	errno = EIO;
	return result;
}

/* Upkeep. */
static int
change_places(struct managed_move *move, struct log_move *files)
{
	struct managed_log *entry = move->entry;
	int result, error;

	if (log_move_freeze(files) != 0)
		return -1;
	entry->next_home = move->to;
	result = checkpoint(move, move->to);
	if (result == 0)
		result = names_change(move, files);
	error = errno;
	/* The next start may need the lines of a copy that has its name. */
	if (result != 0 && !move->named) {
		entry->next_home = NULL;
		if (!move->to->offline)
			(void)!checkpoint(move, move->to);
	}
	errno = error;
	return result;
}

static int
finish(struct managed_move *move, struct log_move *files)
{
	struct log_manager *manager = move->manager;
	int result = -1, error;

	log_manager_upkeep_take(manager);
	errno = ECANCELED;
	if (!move->entry->deleted && goes_on(move, 0))
		result = change_places(move, files);
	error = errno;
	log_manager_upkeep_release(manager);
	errno = error;
	return result;
}

/*
 * Remove the copy of a move that came to nothing.  One that the stop ended
 * stays, for the next start to know, and one that may be all there is.
 */
static void
copy_discard(struct managed_move *move)
{
	struct log_manager *manager = move->manager;
	char *path = path_in(move->entry, move->to, LOG_DIR_DELETE);
	bool failed;

	log_lock(move->copy);
	failed = log_is_offline(move->copy);
	log_unlock(move->copy);
	if (failed && !move->to->offline)
		log_manager_dir_fail(
		    manager, move->to, "the copy of a moving log failed");
	if (move->to->offline || move->named ||
	    atomic_load(&manager->moves_stop)) {
		free(path);
	} else if (log_rename(move->copy, path) != 0) {
		log_warn(LOG_MANAGER_LOGGER, "Cannot rename a copy to %s: %s",
		    path, strerror(errno));
		free(path);
	} else {
		log_manager_doom_path(manager, move->to, path);
	}
	log_free(move->copy);
}

static void
move_free(struct managed_move *move)
{
	struct log_manager *manager = move->manager;
	struct managed_log *entry = move->entry;
	bool kick;

	pthread_mutex_lock(&manager->lock);
	list_remove(&move->node);
	pthread_mutex_unlock(&manager->lock);
	if (move->copy != NULL) {
		pthread_mutex_lock(&manager->lock);
		move->to->log_count--;
		pthread_mutex_unlock(&manager->lock);
		copy_discard(move);
	}
	pthread_mutex_lock(&manager->lock);
	kick = --entry->holds == 0 && entry->deleted;
	pthread_mutex_unlock(&manager->lock);
	if (kick)
		log_manager_kick(manager);
	free(move);
}

static void
tell(struct managed_move *move, int error)
{
	const char *name = log_name(move->entry->log);
	const char *to = move->to->dir->path;

	if (error == 0)
		log_info(LOG_MANAGER_LOGGER, "Moved %s to %s", name, to);
	else if (error == ECANCELED)
		log_info(LOG_MANAGER_LOGGER,
		    "The move of %s to %s has ended before its end", name, to);
	else
		log_error(LOG_MANAGER_LOGGER,
		    "Cannot move %s to %s, it stays where it is: %s", name, to,
		    error == EBADMSG ? "it has batches that are damaged, or "
				       "of a format before Kafka 0.11" :
				       strerror(error));
}

/* On the mover's thread. */
static void
move_run(struct task *task)
{
	struct managed_move *move =
	    CONTAINER_OF(task, struct managed_move, task);
	const struct log_manager_hooks *hooks = &move->manager->hooks;
	struct managed_log *entry = move->entry;
	struct log_move files = {
		.log = entry->log,
		.copy = move->copy,
		.pace = goes_on,
		.context = move,
	};
	int error = ECANCELED;

	if (goes_on(move, 0)) {
		log_move_begin(&files);
		error = catch_up(&files) == 0 && finish(move, &files) == 0 ?
		    0 :
		    errno;
		log_move_end(&files);
	}
	tell(move, error);
	if (error == 0 && hooks->moved != NULL)
		hooks->moved(hooks->context, log_topic_id(entry->log),
		    entry->partition, move->to->dir->id);
	move_free(move);
}

/* --- asking for one ------------------------------------------------------ */

static struct log *
copy_make(struct log_manager *manager, struct managed_log *entry,
    struct managed_dir *to)
{
	char *path = path_in(entry, to, LOG_DIR_FUTURE);
	struct log_open open = {
		.disk = manager->settings.disk,
		.files = manager->files,
		.path = path,
		.now_ms = clock_wall_ms(),
	};
	struct log *copy;
	int error;

	log_lock(entry->log);
	open.settings = *log_settings(entry->log);
	log_unlock(entry->log);
	copy = log_create(&open, log_topic_id(entry->log));
	error = errno;
	free(path);
	if (copy == NULL)
		log_manager_dir_error(manager, to, error);
	return copy;
}

/* Locked. */
static bool
mover_start(struct log_manager *manager)
{
	if (manager->mover == NULL && !atomic_load(&manager->moves_stop))
		manager->mover = worker_new("log-mover");
	return manager->mover != NULL;
}

/* Have entry, a hold on which is taken over, moved. */
static enum kp_error
move_start(struct log_manager *manager, struct managed_log *entry,
    struct managed_dir *to)
{
	struct managed_move *move = xcalloc(1, sizeof(*move));
	bool started;

	move->manager = manager;
	move->entry = entry;
	move->to = to;
	move->task.run = move_run;
	atomic_init(&move->cancelled, false);
	move->copy = copy_make(manager, entry, to);
	pthread_mutex_lock(&manager->lock);
	started = move->copy != NULL && mover_start(manager);
	if (started) {
		to->log_count++;
		list_append(&manager->moves, &move->node);
		worker_post(manager->mover, &move->task);
	}
	pthread_mutex_unlock(&manager->lock);
	if (started)
		return KP_NONE;
	if (move->copy != NULL)
		copy_discard(move);
	log_manager_release(manager, entry->log);
	free(move);
	return KP_KAFKA_STORAGE_ERROR;
}

static bool
any_offline(const struct log_manager *manager)
{
	for (size_t i = 0; i < manager->dir_count; i++)
		if (manager->dirs[i].offline)
			return true;
	return false;
}

/*
 * What is asked for against what is: *entry is held where a move has to
 * begin.  A move to another place ends.  Locked.
 */
static enum kp_error
judge(struct log_manager *manager, struct managed_dir *to, const char *name,
    struct managed_log **entry)
{
	struct managed_log *found =
	    map_get(&manager->by_name, slice_str(name));
	struct managed_move *move;

	*entry = NULL;
	if (found == NULL)
		return KP_NOT_LEADER_OR_FOLLOWER;
	if (found->home->offline)
		return KP_KAFKA_STORAGE_ERROR;
	move = log_manager_move_of(manager, found);
	if (move != NULL && move->to == to)
		return KP_NONE;
	if (move != NULL)
		atomic_store(&move->cancelled, true);
	if (found->home == to)
		return KP_NONE;
	/* It may be in the one that is offline already, as a copy. */
	if (any_offline(manager))
		return KP_KAFKA_STORAGE_ERROR;
	found->holds++;
	*entry = found;
	return KP_NONE;
}

enum kp_error
log_manager_move(struct log_manager *manager, struct slice topic,
    int32_t partition, size_t number)
{
	struct managed_dir *to = &manager->dirs[number];
	struct managed_log *entry;
	enum kp_error error;
	char *name;

	assert(number < manager->dir_count);
	if (!log_dir_may_move(topic, partition))
		return KP_INVALID_TOPIC_EXCEPTION;
	if (to->offline)
		return KP_KAFKA_STORAGE_ERROR;
	name = log_dir_partition_name(topic, partition);
	pthread_mutex_lock(&manager->lock);
	error = judge(manager, to, name, &entry);
	if (error == KP_NOT_LEADER_OR_FOLLOWER)
		prefer(manager, name, to);
	else
		free(name);
	pthread_mutex_unlock(&manager->lock);
	/* It may be one whose directory is missing. */
	if (error == KP_NOT_LEADER_OR_FOLLOWER)
		log_manager_retry_soon(manager);
	return entry == NULL ? error : move_start(manager, entry, to);
}

/* The old copy goes once there is a new one, so that a crash finds either. */
static void
leftover_doom(struct log_manager *manager, struct unfinished_move *unfinished)
{
	struct log_dir_entry name;
	char *doomed_name, *doomed;
	int result = log_dir_name_parse(
	    strrchr(unfinished->path, '/') + 1, &name);

	assert(result == 0);
	doomed_name =
	    log_dir_renamed_name(name.topic, name.partition, LOG_DIR_DELETE);
	doomed = log_dir_path(unfinished->to->dir, doomed_name);
	free(doomed_name);
	if (disk_rename(manager->settings.disk, unfinished->path, doomed) ==
	    0) {
		unfinished->to->names_dirty = true;
		log_manager_doom_path(manager, unfinished->to, doomed);
		return;
	}
	log_warn(LOG_MANAGER_LOGGER, "Cannot rename %s to %s: %s",
	    unfinished->path, doomed, strerror(errno));
	free(doomed);
}

static void
resume(struct log_manager *manager, struct unfinished_move *unfinished)
{
	struct managed_log *entry = NULL;
	enum kp_error error = KP_KAFKA_STORAGE_ERROR;

	pthread_mutex_lock(&manager->lock);
	if (!unfinished->to->offline)
		error =
		    judge(manager, unfinished->to, unfinished->name, &entry);
	pthread_mutex_unlock(&manager->lock);
	if (entry != NULL)
		error = move_start(manager, entry, unfinished->to);
	if (error == KP_NONE)
		leftover_doom(manager, unfinished);
	else
		log_warn(LOG_MANAGER_LOGGER,
		    "The move of %s to %s cannot be begun again now",
		    unfinished->name, unfinished->to->dir->path);
}

void
log_manager_moves_resume(struct log_manager *manager)
{
	for (size_t i = 0; i < manager->unfinished_count; i++) {
		resume(manager, &manager->unfinished[i]);
		free(manager->unfinished[i].name);
		free(manager->unfinished[i].path);
	}
	manager->unfinished_count = 0;
}

void
log_manager_moves_stop(struct log_manager *manager)
{
	struct worker *mover;

	pthread_mutex_lock(&manager->lock);
	atomic_store(&manager->moves_stop, true);
	mover = manager->mover;
	manager->mover = NULL;
	pthread_mutex_unlock(&manager->lock);
	worker_stop_free(mover);
}
