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

/*
 * Above this a state file is not one: a checkpoint of a million lines.  For
 * disk_read_file, which reads them.
 */
#define STATE_FILE_SIZE_MAX ((size_t)256 << 20)

/* Replace path's contents.  0, or -1 with errno; then path is untouched. */
int state_file_write(
    struct disk *disk, const char *path, struct slice contents) WARN_UNUSED;

/*
 * The same in two steps, for who syncs many files at once in between: write
 * NAME.tmp, and, once the caller has synced that, rename it over NAME, and the
 * caller syncs the directory.  0, or -1 with errno; then path is untouched.
 */
int state_file_stage(
    struct disk *disk, const char *path, struct slice contents) WARN_UNUSED;
int state_file_publish(struct disk *disk, const char *path) WARN_UNUSED;

/*
 * Write path in place, and sync it and its directory when sync is true.  For
 * files whose reader notices a torn one.  0, or -1 with errno.
 */
int state_file_write_in_place(struct disk *disk, const char *path,
    struct slice contents, bool sync) WARN_UNUSED;

/* Unlink path durably.  0, also where there was none, or -1 with errno. */
int state_file_remove(struct disk *disk, const char *path) WARN_UNUSED;

#endif
