#include "store/disk_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

/*
 * A file system's own checksum that is wrong is EBADMSG to Linux; here that is
 * what a parser says of bytes that could be read.
 */
static ssize_t
told(ssize_t result)
{
	if (result < 0 && errno == EBADMSG)
		errno = EIO;
	return result;
}

static int
posix_open(struct disk *disk UNUSED, const char *path, int flags, mode_t mode)
{
	return (int)told(open(path, flags, mode));
}

static int
posix_close(struct disk *disk UNUSED, int fd)
{
	return close(fd);
}

static ssize_t
posix_pread(
    struct disk *disk UNUSED, int fd, void *data, size_t len, int64_t position)
{
	return told(pread(fd, data, len, position));
}

static ssize_t
posix_pwritev(struct disk *disk UNUSED, int fd, const struct iovec *iov,
    int count, int64_t position)
{
	if (count == 1)
		return told(pwrite(fd, iov->iov_base, iov->iov_len, position));
	return told(pwritev(fd, iov, count, position));
}

static int
posix_ftruncate(struct disk *disk UNUSED, int fd, int64_t size)
{
	return (int)told(ftruncate(fd, size));
}

static int
posix_fallocate_keep(
    struct disk *disk UNUSED, int fd, int64_t position, int64_t len)
{
	return (int)told(fallocate(fd, FALLOC_FL_KEEP_SIZE, position, len));
}

static int
posix_fdatasync(struct disk *disk UNUSED, int fd)
{
	return (int)told(fdatasync(fd));
}

static int
posix_fsync(struct disk *disk UNUSED, int fd)
{
	return (int)told(fsync(fd));
}

static int
posix_syncfs(struct disk *disk UNUSED, int fd)
{
	return (int)told(syncfs(fd));
}

static int
posix_forget(struct disk *disk UNUSED, int fd)
{
	return posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int
posix_fstat(struct disk *disk UNUSED, int fd, struct stat *st)
{
	return (int)told(fstat(fd, st));
}

static int
posix_stat(struct disk *disk UNUSED, const char *path, struct stat *st)
{
	return (int)told(stat(path, st));
}

static int
posix_space(
    struct disk *disk UNUSED, const char *path, struct disk_space *space)
{
	struct statvfs st;

	if (told(statvfs(path, &st)) != 0)
		return -1;
	space->total_bytes = (int64_t)(st.f_blocks * st.f_frsize);
	space->usable_bytes = (int64_t)(st.f_bavail * st.f_frsize);
	return 0;
}

static int
posix_set_mtime(struct disk *disk UNUSED, int fd, int64_t mtime_ms)
{
	const struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_sec = (time_t)(mtime_ms / 1000),
		    .tv_nsec = (long)(mtime_ms % 1000 * 1000000) },
	};

	return (int)told(futimens(fd, times));
}

static int
posix_rename(struct disk *disk UNUSED, const char *from, const char *to)
{
	return (int)told(rename(from, to));
}

static int
posix_unlink(struct disk *disk UNUSED, const char *path)
{
	return (int)told(unlink(path));
}

static int
posix_mkdir(struct disk *disk UNUSED, const char *path, mode_t mode)
{
	return (int)told(mkdir(path, mode));
}

static int
posix_rmdir(struct disk *disk UNUSED, const char *path)
{
	return (int)told(rmdir(path));
}

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int
posix_list(
    struct disk *disk UNUSED, const char *path, disk_list_fn fn, void *context)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int result = 0;
	int saved;

	if (dir == NULL)
		return (int)told(-1);
	while (result == 0) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			result = errno == 0 ? 0 : (int)told(-1);
			break;
		}
		if (!is_dots(entry->d_name))
			result = fn(context, entry->d_name);
	}
	saved = errno;
	closedir(dir);
	errno = saved;
	return result;
}

static int
posix_lock(struct disk *disk UNUSED, int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &lock);
}

struct disk *
disk_posix(void)
{
	static struct disk disk = {
		.open = posix_open,
		.close = posix_close,
		.pread = posix_pread,
		.pwritev = posix_pwritev,
		.ftruncate = posix_ftruncate,
		.fallocate = posix_fallocate_keep,
		.fdatasync = posix_fdatasync,
		.fsync = posix_fsync,
		.syncfs = posix_syncfs,
		.forget = posix_forget,
		.fstat = posix_fstat,
		.stat = posix_stat,
		.space = posix_space,
		.lock = posix_lock,
		.set_mtime = posix_set_mtime,
		.rename = posix_rename,
		.unlink = posix_unlink,
		.mkdir = posix_mkdir,
		.rmdir = posix_rmdir,
		.list = posix_list,
	};

	return &disk;
}
