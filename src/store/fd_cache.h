/*
 * Open files, bounded: the descriptors of segment files, of which the one
 * longest unused is closed when there are too many.
 *
 * A cached_file is embedded in what owns the file.  Whoever uses its
 * descriptor pins it first; a pinned descriptor is never closed, so it may be
 * given to sendfile without a lock.  When everything is pinned the maximum is
 * passed rather than refused.  Where the process has no descriptor left, unused
 * ones are closed to get one.  A dirty file may be closed and opened again
 * before it is synced: Linux (from 4.16 on) reports a write error to the
 * first one that syncs, whichever descriptor that has, and dirty files are
 * the most recently used.
 *
 * Thread-safe; the cache's lock is a leaf.
 */
#ifndef STORE_FD_CACHE_H
#define STORE_FD_CACHE_H

#include "base/base.h"
#include "base/list.h"

struct disk;
struct fd_cache;

/* Guarded by the cache's lock. */
struct cached_file {
	struct list_node node;	/* in the cache's list of unpinned files */
	int fd;			/* -1 while closed */
	unsigned pins;
};

/* A cache of at most open_max descriptors; the caller frees it. */
struct fd_cache *fd_cache_new(struct disk *disk, size_t open_max);
void fd_cache_free(struct fd_cache *cache);

struct disk *fd_cache_disk(const struct fd_cache *cache);

/* A file that is not open. */
void fd_cache_file_init(struct cached_file *file);

/* Pin the file if it is open: its descriptor, else -1. */
int fd_cache_pin(struct fd_cache *cache, struct cached_file *file);

/*
 * Pin the file, opening path with flags first where it is not open.  The
 * descriptor, or -1 with errno.
 */
int fd_cache_pin_open(struct fd_cache *cache, struct cached_file *file,
    const char *path, int flags) WARN_UNUSED;

void fd_cache_unpin(struct fd_cache *cache, struct cached_file *file);

/* Close the file, which nobody has pinned; no-op where it is closed. */
void fd_cache_close(struct fd_cache *cache, struct cached_file *file);

/* Descriptors open now. */
size_t fd_cache_count(struct fd_cache *cache);

#endif
