/*
 * What the log manager tells of its log directories.
 */
#include "base/base.h"
#include "store/log_manager_internal.h"

#include "store/disk.h"
#include "store/log.h"

#include <errno.h>

size_t
log_manager_directory_count(const struct log_manager *manager)
{
	return manager->dir_count;
}

struct log_manager_directory
log_manager_directory(const struct log_manager *manager, size_t number)
{
	const struct managed_dir *home = &manager->dirs[number];

	assert(number < manager->dir_count);
	return (struct log_manager_directory){
		.path = home->dir->path,
		.id = home->dir->id,
		.offline = home->offline,
	};
}

/* A question that is merely not allowed says nothing of the disk. */
static bool
is_gone(int error)
{
	return error == EIO || error == ENOENT || error == ENOTDIR ||
	    error == ESTALE || error == ENODEV;
}

int
log_manager_directory_space(
    struct log_manager *manager, size_t number, struct disk_space *space)
{
	struct managed_dir *home = &manager->dirs[number];
	int error;

	assert(number < manager->dir_count);
	if (disk_space(manager->settings.disk, home->dir->path, space) == 0)
		return 0;
	error = errno;
	if (is_gone(error))
		log_manager_dir_error(manager, home, error);
	errno = error;
	return -1;
}

bool
log_manager_find(struct log_manager *manager, struct slice topic,
    int32_t partition, struct uuid topic_id, struct uuid *directory)
{
	char *name = log_dir_partition_name(topic, partition);
	const struct managed_log *entry;
	bool found;

	pthread_mutex_lock(&manager->lock);
	entry = map_get(&manager->by_name, slice_str(name));
	found = entry != NULL && uuid_equal(log_topic_id(entry->log), topic_id);
	if (found)
		*directory = entry->home->dir->id;
	pthread_mutex_unlock(&manager->lock);
	free(name);
	return found;
}

static size_t
number_of(const struct log_manager *manager, const struct managed_dir *home)
{
	return (size_t)(home - manager->dirs);
}

/* What is shown of a log; of a copy with how far it is behind end. */
static struct log_manager_replica
replica_of(const struct log_manager *manager, const struct managed_log *entry,
    const struct managed_dir *home, struct log *log)
{
	struct log_manager_replica replica = {
		.topic = entry->topic,
		.partition = entry->partition,
		.directory = number_of(manager, home),
		.future = log != entry->log,
	};
	int64_t end;

	log_lock(entry->log);
	end = log_end_offset(entry->log);
	log_unlock(entry->log);
	log_lock(log);
	replica.size_bytes = log_size_bytes(log);
	if (replica.future)
		replica.offset_lag = MAX(end - log_end_offset(log), 0);
	log_unlock(log);
	return replica;
}

/* The copy of a log that moves, which lives as long as the lock is held. */
static bool
copy_look(struct log_manager *manager, const struct managed_log *entry,
    struct log_manager_replica *replica)
{
	const struct managed_move *move;

	pthread_mutex_lock(&manager->lock);
	move = log_manager_move_of(manager, entry);
	if (move != NULL && (move->copy == NULL || move->to->offline))
		move = NULL;
	if (move != NULL)
		*replica = replica_of(manager, entry, move->to, move->copy);
	pthread_mutex_unlock(&manager->lock);
	return move != NULL;
}

void
log_manager_describe(struct log_manager *manager,
    void (*fn)(void *context, const struct log_manager_replica *replica),
    void *context)
{
	struct log_manager_view view = log_manager_view_take(manager);

	for (size_t i = 0; i < view.count; i++) {
		const struct managed_log *entry = view.logs[i];
		const struct managed_dir *home = entry->home;
		struct log_manager_replica replica;

		if (!home->offline) {
			replica = replica_of(manager, entry, home, entry->log);
			fn(context, &replica);
		}
		if (copy_look(manager, entry, &replica))
			fn(context, &replica);
	}
	log_manager_view_release(manager, &view);
}
