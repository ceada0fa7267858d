#include "store/disk_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int
posix_open(struct disk *disk UNUSED, const char *path, int flags, mode_t mode)
{
	return open(path, flags, mode);
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
	return pread(fd, data, len, position);
}

static ssize_t
posix_pwritev(struct disk *disk UNUSED, int fd, const struct iovec *iov,
    int count, int64_t position)
{
	if (count == 1)
		return pwrite(fd, iov->iov_base, iov->iov_len, position);
	return pwritev(fd, iov, count, position);
}

static int
posix_ftruncate(struct disk *disk UNUSED, int fd, int64_t size)
{
	return ftruncate(fd, size);
}

static int
posix_fallocate_keep(
    struct disk *disk UNUSED, int fd, int64_t position, int64_t len)
{
	return fallocate(fd, FALLOC_FL_KEEP_SIZE, position, len);
}

static int
posix_fdatasync(struct disk *disk UNUSED, int fd)
{
	return fdatasync(fd);
}

static int
posix_fsync(struct disk *disk UNUSED, int fd)
{
	return fsync(fd);
}

static int
posix_syncfs(struct disk *disk UNUSED, int fd)
{
	return syncfs(fd);
}

static int
posix_forget(struct disk *disk UNUSED, int fd)
{
	return posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static int
posix_fstat(struct disk *disk UNUSED, int fd, struct stat *st)
{
	return fstat(fd, st);
}

static int
posix_stat(struct disk *disk UNUSED, const char *path, struct stat *st)
{
	return stat(path, st);
}

static int
posix_space(
    struct disk *disk UNUSED, const char *path, struct disk_space *space)
{
	struct statvfs st;

	if (statvfs(path, &st) != 0)
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

	return futimens(fd, times);
}

static int
posix_rename(struct disk *disk UNUSED, const char *from, const char *to)
{
	return rename(from, to);
}

static int
posix_unlink(struct disk *disk UNUSED, const char *path)
{
	return unlink(path);
}

static int
posix_mkdir(struct disk *disk UNUSED, const char *path, mode_t mode)
{
	return mkdir(path, mode);
}

static int
posix_rmdir(struct disk *disk UNUSED, const char *path)
{
	return rmdir(path);
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
		return -1;
	while (result == 0) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			result = errno == 0 ? 0 : -1;
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
