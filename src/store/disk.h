/*
 * The only door to files, and a seam: everything in store/ goes through one of
 * these tables, so that a test or a simulator can fail, cut, delay or record
 * each operation.  disk_posix.h has the real one.
 *
 * The operations are those of the C library with the same arguments, results
 * and errno.  They may be called from any thread.  Callers use the disk_*
 * functions below, not the table: they retry what a signal interrupted and go
 * on after short transfers.
 *
 * An error is returned, not logged: who knows what was attempted logs it.
 */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include "base/base.h"

#include <sys/stat.h>
#include <sys/uio.h>

/* The file system that a path is on. */
struct disk_space {
	int64_t total_bytes;
	int64_t usable_bytes;		/* for us, who are not root */
};

/* Called for each name in a directory but "." and ".."; non-zero stops. */
typedef int (*disk_list_fn)(void *context, const char *name);

struct disk {
	int (*open)(struct disk *disk, const char *path, int flags,
	    mode_t mode);
	int (*close)(struct disk *disk, int fd);
	ssize_t (*pread)(struct disk *disk, int fd, void *data, size_t len,
	    int64_t position);
	ssize_t (*pwritev)(struct disk *disk, int fd, const struct iovec *iov,
	    int count, int64_t position);
	int (*ftruncate)(struct disk *disk, int fd, int64_t size);
	/* Reserve blocks without changing the size (FALLOC_FL_KEEP_SIZE). */
	int (*fallocate)(struct disk *disk, int fd, int64_t position,
	    int64_t len);
	int (*fdatasync)(struct disk *disk, int fd);
	int (*fsync)(struct disk *disk, int fd);
	int (*syncfs)(struct disk *disk, int fd);
	/* Drop clean pages from memory (POSIX_FADV_DONTNEED). */
	int (*forget)(struct disk *disk, int fd);
	int (*fstat)(struct disk *disk, int fd, struct stat *st);
	int (*stat)(struct disk *disk, const char *path, struct stat *st);
	int (*space)(struct disk *disk, const char *path,
	    struct disk_space *space);
	/* Take the write lock of an open file (F_OFD_SETLK). */
	int (*lock)(struct disk *disk, int fd);
	/* Set the time of the last change, wall clock milliseconds. */
	int (*set_mtime)(struct disk *disk, int fd, int64_t mtime_ms);
	int (*rename)(struct disk *disk, const char *from, const char *to);
	int (*unlink)(struct disk *disk, const char *path);
	int (*mkdir)(struct disk *disk, const char *path, mode_t mode);
	int (*rmdir)(struct disk *disk, const char *path);
	/* The result of fn if that is not zero, else 0; -1 with errno. */
	int (*list)(struct disk *disk, const char *path, disk_list_fn fn,
	    void *context);
};

/*
 * Open path, close-on-exec; the descriptor, or -1 with errno.  A lack of memory
 * is ENFILE, too, so that it is not taken for an ENOMEM of a sync.
 */
int disk_open(struct disk *disk, const char *path, int flags, mode_t mode)
    WARN_UNUSED;

/*
 * Close fd.  There is no result: whoever cares whether the bytes arrived has
 * called disk_fdatasync before.
 */
void disk_close(struct disk *disk, int fd);

/*
 * Read up to len bytes at position: fewer only at the end of the file.  The
 * number of bytes, or -1 with errno.
 */
ssize_t disk_pread(struct disk *disk, int fd, void *data, size_t len,
    int64_t position) WARN_UNUSED;

/*
 * Write all len bytes at position.  -1 with errno means that an unknown part
 * of them, perhaps none, was written.
 */
int disk_pwrite(struct disk *disk, int fd, const void *data, size_t len,
    int64_t position) WARN_UNUSED;

/* The same for count pieces; iov is changed after a short write. */
int disk_pwritev(struct disk *disk, int fd, struct iovec *iov, int count,
    int64_t position) WARN_UNUSED;

int disk_ftruncate(struct disk *disk, int fd, int64_t size) WARN_UNUSED;
int disk_fallocate(struct disk *disk, int fd, int64_t position, int64_t len)
    WARN_UNUSED;

/*
 * Make the file durable.  A failure is final: the kernel has forgotten which
 * pages it could not write, so these are never called again for the same
 * bytes (EINTR is not retried either).  The first two forget the file then, as
 * disk_forget does.
 */
int disk_fdatasync(struct disk *disk, int fd) WARN_UNUSED;
int disk_fsync(struct disk *disk, int fd) WARN_UNUSED;
int disk_syncfs(struct disk *disk, int fd) WARN_UNUSED;

/*
 * After a sync that failed: what the kernel could not write it keeps in memory
 * as if it had, for whoever reads it next, perhaps a broker that was started
 * again.  Drop it, so that all see what is on the medium.
 */
void disk_forget(struct disk *disk, int fd);

int disk_fstat(struct disk *disk, int fd, struct stat *st) WARN_UNUSED;
int disk_stat(struct disk *disk, const char *path, struct stat *st)
    WARN_UNUSED;
/* How large the file system of path is; it blocks where that hangs. */
int disk_space(struct disk *disk, const char *path, struct disk_space *space)
    WARN_UNUSED;
/*
 * Lock the file that fd is open on until fd is closed; -1 with errno, EAGAIN
 * where somebody else has the lock.  A lock of the open file, unlike one of
 * the process, is not lost when somebody closes another descriptor of the
 * file, and still excludes the record locks that Java takes.
 */
int disk_lock(struct disk *disk, int fd) WARN_UNUSED;
int disk_set_mtime(struct disk *disk, int fd, int64_t mtime_ms) WARN_UNUSED;
int disk_rename(struct disk *disk, const char *from, const char *to)
    WARN_UNUSED;
int disk_unlink(struct disk *disk, const char *path) WARN_UNUSED;
int disk_mkdir(struct disk *disk, const char *path, mode_t mode) WARN_UNUSED;
int disk_rmdir(struct disk *disk, const char *path) WARN_UNUSED;
int disk_list(struct disk *disk, const char *path, disk_list_fn fn,
    void *context) WARN_UNUSED;

/* Make the names in directory path durable; -1 with errno. */
int disk_sync_dir(struct disk *disk, const char *path) WARN_UNUSED;

/* Make the contents of the file at path durable; -1 with errno. */
int disk_sync_file(struct disk *disk, const char *path) WARN_UNUSED;

/*
 * Read the whole file at path into a heap block that the caller frees, with a
 * NUL behind it that *len does not count.  NULL with errno; EFBIG where the
 * file is longer than len_max.
 */
uint8_t *disk_read_file(struct disk *disk, const char *path, size_t len_max,
    size_t *len) WARN_UNUSED;

/*
 * Create or empty the file at path and write len bytes; nothing is synced.
 * -1 with errno: there is no file, for a part could be taken for a whole,
 * unless errno is of taking it away.
 */
int disk_write_file(struct disk *disk, const char *path, const void *data,
    size_t len, mode_t mode) WARN_UNUSED;

/*
 * Remove the directory path with the files in it (one level, as partition
 * directories have).  What is not there is no error; -1 with errno.
 */
int disk_remove_dir(struct disk *disk, const char *path) WARN_UNUSED;

/* Is the error about space (ENOSPC, EDQUOT), which heals by itself? */
bool disk_is_full(int error);

/*
 * Is it that no file could be opened, because there are too many (EMFILE,
 * ENFILE)?  Nothing was done to the file then, and later it may work.
 */
bool disk_is_busy(int error);

/* Either of the two: no damage, and it heals by itself. */
bool disk_is_short(int error);

#endif
