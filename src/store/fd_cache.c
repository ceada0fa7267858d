#include "store/fd_cache.h"

#include "store/disk.h"

#include <errno.h>
#include <pthread.h>

struct fd_cache {
	/* Immutable. */
	struct disk *disk;
	size_t open_max;

	pthread_mutex_t mutex;
	/* Guarded by mutex. */
	struct list unpinned; /* open files, longest unused first */
	size_t count;
};

struct fd_cache *
fd_cache_new(struct disk *disk, size_t open_max)
{
	struct fd_cache *cache = xcalloc(1, sizeof(*cache));

	cache->disk = disk;
	cache->open_max = open_max;
	pthread_mutex_init(&cache->mutex, NULL);
	list_init(&cache->unpinned);
	return cache;
}

void
fd_cache_free(struct fd_cache *cache)
{
	if (cache == NULL)
		return;
	assert(cache->count == 0);
	pthread_mutex_destroy(&cache->mutex);
	free(cache);
}

struct disk *
fd_cache_disk(const struct fd_cache *cache)
{
	return cache->disk;
}

void
fd_cache_file_init(struct cached_file *file)
{
	*file = (struct cached_file){ .fd = -1 };
}

static void
pin(struct cached_file *file)
{
	if (file->pins++ == 0 && list_node_linked(&file->node))
		list_remove(&file->node);
}

int
fd_cache_pin(struct fd_cache *cache, struct cached_file *file)
{
	int fd;

	pthread_mutex_lock(&cache->mutex);
	fd = file->fd;
	if (fd >= 0)
		pin(file);
	pthread_mutex_unlock(&cache->mutex);
	return fd;
}

/* Forget the file's descriptor, which the caller closes. */
static int
detach(struct fd_cache *cache, struct cached_file *file)
{
	int fd = file->fd;

	assert(file->pins == 0);
	list_remove(&file->node);
	file->fd = -1;
	cache->count--;
	return fd;
}

/* The descriptor that has to be closed to keep to the maximum, or -1. */
static int
evict(struct fd_cache *cache)
{
	if (cache->count <= cache->open_max || list_empty(&cache->unpinned))
		return -1;
	return detach(cache,
	    LIST_ENTRY(cache->unpinned.head.next, struct cached_file, node));
}

static void
close_if(struct fd_cache *cache, int fd)
{
	if (fd >= 0)
		disk_close(cache->disk, fd);
}

/* Give file the descriptor fd, unless another thread was quicker. */
static int
attach(struct fd_cache *cache, struct cached_file *file, int fd)
{
	int surplus = -1;

	pthread_mutex_lock(&cache->mutex);
	if (file->fd >= 0) {
		surplus = fd;
	} else {
		file->fd = fd;
		cache->count++;
		surplus = evict(cache);
	}
	pin(file);
	fd = file->fd;
	pthread_mutex_unlock(&cache->mutex);
	close_if(cache, surplus);
	return fd;
}

/* Close the file that is longest unused; false where all are pinned. */
static bool
close_one(struct fd_cache *cache)
{
	int fd = -1;

	pthread_mutex_lock(&cache->mutex);
	if (!list_empty(&cache->unpinned))
		fd = detach(cache,
		    LIST_ENTRY(cache->unpinned.head.next, struct cached_file,
			node));
	pthread_mutex_unlock(&cache->mutex);
	close_if(cache, fd);
	return fd >= 0;
}

int
fd_cache_pin_open(struct fd_cache *cache, struct cached_file *file,
    const char *path, int flags)
{
	int fd = fd_cache_pin(cache, file);

	if (fd >= 0)
		return fd;
	do
		fd = disk_open(cache->disk, path, flags, 0644);
	while (fd < 0 && disk_is_busy(errno) && close_one(cache));
	return fd < 0 ? -1 : attach(cache, file, fd);
}

void
fd_cache_unpin(struct fd_cache *cache, struct cached_file *file)
{
	int surplus = -1;

	pthread_mutex_lock(&cache->mutex);
	assert(file->pins > 0);
	if (--file->pins == 0) {
		list_append(&cache->unpinned, &file->node);
		surplus = evict(cache);
	}
	pthread_mutex_unlock(&cache->mutex);
	close_if(cache, surplus);
}

void
fd_cache_close(struct fd_cache *cache, struct cached_file *file)
{
	int fd = -1;

	pthread_mutex_lock(&cache->mutex);
	if (file->fd >= 0)
		fd = detach(cache, file);
	pthread_mutex_unlock(&cache->mutex);
	close_if(cache, fd);
}

size_t
fd_cache_count(struct fd_cache *cache)
{
	size_t count;

	pthread_mutex_lock(&cache->mutex);
	count = cache->count;
	pthread_mutex_unlock(&cache->mutex);
	return count;
}
