/*
 * State files: small files that are replaced whole.
 *
 * A write goes to NAME.tmp, which is synced and renamed over NAME, and then
 * the directory is synced: after a power cut the file has the old contents or
 * the new ones.  All functions may block, so they are not for a loop nor for
 * under a lock.
 */
#ifndef STORE_STATE_FILE_H
#define STORE_STATE_FILE_H

#include "base/base.h"

struct disk;

/* Above this a state file is not ours: a checkpoint of a million lines. */
#define STATE_FILE_SIZE_MAX (256 << 20)

/* Replace path's contents.  0, or -1 with errno; then path is untouched. */
int state_file_write(struct disk *disk, const char *path,
    struct slice contents) WARN_UNUSED;

/*
 * Write path in place, and sync it and its directory when sync is true.  For
 * files whose reader notices a torn one.  0, or -1 with errno.
 */
int state_file_write_in_place(struct disk *disk, const char *path,
    struct slice contents, bool sync) WARN_UNUSED;

/*
 * Read path whole.  0 and *contents on the heap, with a NUL behind the len
 * bytes: the caller frees it.  -1 with errno: ENOENT, EFBIG above size_max.
 */
int state_file_read(struct disk *disk, const char *path, size_t size_max,
    struct slice *contents) WARN_UNUSED;

/* Unlink path durably.  0, also where there was none, or -1 with errno. */
int state_file_remove(struct disk *disk, const char *path) WARN_UNUSED;

#endif
