#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int
disk_open(struct disk *disk, const char *path, int flags, mode_t mode)
{
	int fd;

	do
		fd = disk->open(disk, path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	if (fd < 0 && errno == ENOMEM)
		errno = ENFILE;
	return fd;
}

void
disk_close(struct disk *disk, int fd)
{
	int saved = errno;

	(void)disk->close(disk, fd);
	errno = saved;
}

ssize_t
disk_pread(struct disk *disk, int fd, void *data, size_t len, int64_t position)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = disk->pread(disk, fd, (uint8_t *)data + done,
		    len - done, position + (int64_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int
disk_pwrite(
    struct disk *disk, int fd, const void *data, size_t len, int64_t position)
{
	/* writev has no const; the bytes are only read. */
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data,
		.iov_len = len };

	return disk_pwritev(disk, fd, &iov, 1, position);
}

/* Take len bytes off the front of the pieces. */
static void
skip(struct iovec **iov, int *count, size_t len)
{
	while (*count > 0 && len >= (*iov)->iov_len) {
		len -= (*iov)->iov_len;
		++*iov;
		--*count;
	}
	if (*count > 0) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + len;
		(*iov)->iov_len -= len;
	}
}

int
disk_pwritev(
    struct disk *disk, int fd, struct iovec *iov, int count, int64_t position)
{
	skip(&iov, &count, 0);
	while (count > 0) {
		ssize_t n = disk->pwritev(disk, fd, iov, count, position);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0) {
			errno = EIO;
			return -1;
		}
		position += n;
		skip(&iov, &count, (size_t)n);
	}
	return 0;
}

int
disk_ftruncate(struct disk *disk, int fd, int64_t size)
{
	int result;

	do
		result = disk->ftruncate(disk, fd, size);
	while (result < 0 && errno == EINTR);
	return result;
}

int
disk_fallocate(struct disk *disk, int fd, int64_t position, int64_t len)
{
	int result;

	do
		result = disk->fallocate(disk, fd, position, len);
	while (result < 0 && errno == EINTR);
	return result;
}

int
disk_fdatasync(struct disk *disk, int fd)
{
	int result = disk->fdatasync(disk, fd);

	if (result != 0)
		disk_forget(disk, fd);
	return result;
}

int
disk_fsync(struct disk *disk, int fd)
{
	int result = disk->fsync(disk, fd);

	if (result != 0)
		disk_forget(disk, fd);
	return result;
}

int
disk_syncfs(struct disk *disk, int fd)
{
	return disk->syncfs(disk, fd);
}

void
disk_forget(struct disk *disk, int fd)
{
	int saved = errno;

	/* Where that fails nothing is lost that was not lost before. */
	(void)disk->forget(disk, fd);
	errno = saved;
}

int
disk_fstat(struct disk *disk, int fd, struct stat *st)
{
	return disk->fstat(disk, fd, st);
}

int
disk_stat(struct disk *disk, const char *path, struct stat *st)
{
	return disk->stat(disk, path, st);
}

int
disk_space(struct disk *disk, const char *path, struct disk_space *space)
{
	return disk->space(disk, path, space);
}

int
disk_lock(struct disk *disk, int fd)
{
	int result = disk->lock(disk, fd);

	if (result != 0 && errno == EACCES)
		errno = EAGAIN;
	return result;
}

int
disk_set_mtime(struct disk *disk, int fd, int64_t mtime_ms)
{
	return disk->set_mtime(disk, fd, MAX(0, mtime_ms));
}

int
disk_rename(struct disk *disk, const char *from, const char *to)
{
	return disk->rename(disk, from, to);
}

int
disk_unlink(struct disk *disk, const char *path)
{
	return disk->unlink(disk, path);
}

int
disk_mkdir(struct disk *disk, const char *path, mode_t mode)
{
	return disk->mkdir(disk, path, mode);
}

int
disk_rmdir(struct disk *disk, const char *path)
{
	return disk->rmdir(disk, path);
}

int
disk_list(struct disk *disk, const char *path, disk_list_fn fn, void *context)
{
	return disk->list(disk, path, fn, context);
}

static int
sync_path(struct disk *disk, const char *path, int flags)
{
	int fd = disk_open(disk, path, O_RDONLY | flags, 0);
	int result;

	if (fd < 0)
		return -1;
	result = disk_fsync(disk, fd);
	disk_close(disk, fd);
	return result;
}

int
disk_sync_dir(struct disk *disk, const char *path)
{
	return sync_path(disk, path, O_DIRECTORY);
}

int
disk_sync_file(struct disk *disk, const char *path)
{
	return sync_path(disk, path, 0);
}

static uint8_t *
read_all(struct disk *disk, int fd, size_t len_max, size_t *len)
{
	struct stat st;
	uint8_t *data;
	ssize_t n;

	if (disk_fstat(disk, fd, &st) != 0)
		return NULL;
	if ((uint64_t)st.st_size > len_max) {
		errno = EFBIG;
		return NULL;
	}
	data = xmalloc((size_t)st.st_size + 1);
	n = disk_pread(disk, fd, data, (size_t)st.st_size, 0);
	if (n < 0) {
		free(data);
		return NULL;
	}
	data[n] = '\0';
	*len = (size_t)n;
	return data;
}

uint8_t *
disk_read_file(struct disk *disk, const char *path, size_t len_max, size_t *len)
{
	int fd = disk_open(disk, path, O_RDONLY, 0);
	uint8_t *data;

	if (fd < 0)
		return NULL;
	data = read_all(disk, fd, len_max, len);
	disk_close(disk, fd);
	return data;
}

/* Errno stays, but where the part cannot be taken away. */
static int
unlink_part(struct disk *disk, const char *path)
{
	int saved = errno;

	if (disk_unlink(disk, path) == 0 || errno == ENOENT)
		errno = saved;
	return -1;
}

int
disk_write_file(struct disk *disk, const char *path, const void *data,
    size_t len, mode_t mode)
{
	int fd = disk_open(disk, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	int result;

	if (fd < 0)
		return -1;
	result = disk_pwrite(disk, fd, data, len, 0);
	disk_close(disk, fd);
	return result == 0 ? 0 : unlink_part(disk, path);
}

struct removal {
	struct disk *disk;
	const char *path;
};

static int
remove_one(void *context, const char *name)
{
	struct removal *removal = context;
	char *path = xasprintf("%s/%s", removal->path, name);
	int result = disk_unlink(removal->disk, path);

	if (result != 0 && errno == ENOENT)
		result = 0;
	free(path);
	return result;
}

int
disk_remove_dir(struct disk *disk, const char *path)
{
	struct removal removal = { .disk = disk, .path = path };

	if (disk_list(disk, path, remove_one, &removal) != 0)
		return errno == ENOENT ? 0 : -1;
	if (disk_rmdir(disk, path) != 0 && errno != ENOENT)
		return -1;
	return 0;
}

bool
disk_is_full(int error)
{
	return error == ENOSPC || error == EDQUOT;
}

bool
disk_is_busy(int error)
{
	return error == EMFILE || error == ENFILE;
}

bool
disk_is_short(int error)
{
	return disk_is_full(error) || disk_is_busy(error);
}
