#include "unit/disk_fault.h"

#include <errno.h>
#include <stdio.h>

static struct disk_fault *
of(struct disk *disk)
{
	return CONTAINER_OF(disk, struct disk_fault, disk);
}

/* Count an operation; 0, or the errno that it fails with. */
static int
count(struct disk_fault *fault, enum disk_operation operation, const char *path,
    size_t *short_len)
{
	int error = 0;

	if (fault->hook != NULL)
		fault->hook(fault->hook_context, operation, path);
	pthread_mutex_lock(&fault->mutex);
	fault->counts[operation]++;
	fault->total++;
	if ((fault->operation == DISK_ANY ||
		fault->operation == (int)operation) &&
	    (fault->path_part == NULL ||
		strstr(path, fault->path_part) != NULL)) {
		if (fault->skip > 0) {
			fault->skip--;
		} else if (fault->failed < fault->fail_max) {
			fault->failed++;
			error = fault->error;
		}
	}
	if (short_len != NULL)
		*short_len = fault->short_len;
	pthread_mutex_unlock(&fault->mutex);
	errno = error;
	return error;
}

/* The same for a descriptor; its path may go while we look, so it is copied. */
static int
count_fd(struct disk_fault *fault, enum disk_operation operation, int fd,
    size_t *short_len)
{
	char path[512];

	pthread_mutex_lock(&fault->mutex);
	snprintf(path, sizeof(path), "%s",
	    fd >= 0 && fd < DISK_FAULT_FDS && fault->paths[fd] != NULL ?
		fault->paths[fd] :
		"");
	pthread_mutex_unlock(&fault->mutex);
	return count(fault, operation, path, short_len);
}

static void
note_path(struct disk_fault *fault, int fd, const char *path)
{
	assert(fd < DISK_FAULT_FDS);
	pthread_mutex_lock(&fault->mutex);
	free(fault->paths[fd]);
	fault->paths[fd] = path == NULL ? NULL : xstrdup(path);
	pthread_mutex_unlock(&fault->mutex);
}

static int
fault_open(struct disk *disk, const char *path, int flags, mode_t mode)
{
	struct disk_fault *fault = of(disk);
	int fd;

	if (count(fault, DISK_OPEN, path, NULL) != 0)
		return -1;
	fd = fault->real->open(fault->real, path, flags, mode);
	if (fd >= 0)
		note_path(fault, fd, path);
	return fd;
}

static int
fault_close(struct disk *disk, int fd)
{
	struct disk_fault *fault = of(disk);

	note_path(fault, fd, NULL);
	return fault->real->close(fault->real, fd);
}

static ssize_t
fault_pread(struct disk *disk, int fd, void *data, size_t len, int64_t position)
{
	struct disk_fault *fault = of(disk);

	if (count_fd(fault, DISK_PREAD, fd, NULL) != 0)
		return -1;
	return fault->real->pread(fault->real, fd, data, len, position);
}

/* A disk that fills up, or a cable that is pulled, leaves a part. */
static void
write_part(struct disk_fault *fault, int fd, const struct iovec *iov,
    int64_t position, size_t len)
{
	struct iovec part = { iov->iov_base, MIN(len, iov->iov_len) };

	if (part.iov_len > 0 &&
	    fault->real->pwritev(fault->real, fd, &part, 1, position) < 0)
		return;
}

static ssize_t
fault_pwritev(
    struct disk *disk, int fd, const struct iovec *iov, int n, int64_t position)
{
	struct disk_fault *fault = of(disk);
	size_t short_len;
	int error = count_fd(fault, DISK_PWRITE, fd, &short_len);

	if (error != 0) {
		write_part(fault, fd, iov, position, short_len);
		errno = error;
		return -1;
	}
	return fault->real->pwritev(fault->real, fd, iov, n, position);
}

static int
fault_ftruncate(struct disk *disk, int fd, int64_t size)
{
	struct disk_fault *fault = of(disk);

	if (count_fd(fault, DISK_FTRUNCATE, fd, NULL) != 0)
		return -1;
	return fault->real->ftruncate(fault->real, fd, size);
}

static int
fault_fallocate(struct disk *disk, int fd, int64_t position, int64_t len)
{
	struct disk_fault *fault = of(disk);

	if (count_fd(fault, DISK_FALLOCATE, fd, NULL) != 0)
		return -1;
	return fault->real->fallocate(fault->real, fd, position, len);
}

static int
fault_fdatasync(struct disk *disk, int fd)
{
	struct disk_fault *fault = of(disk);

	if (count_fd(fault, DISK_FDATASYNC, fd, NULL) != 0)
		return -1;
	return fault->real->fdatasync(fault->real, fd);
}

static int
fault_fsync(struct disk *disk, int fd)
{
	struct disk_fault *fault = of(disk);

	if (count_fd(fault, DISK_FSYNC, fd, NULL) != 0)
		return -1;
	return fault->real->fsync(fault->real, fd);
}

static int
fault_syncfs(struct disk *disk, int fd)
{
	struct disk_fault *fault = of(disk);

	if (count_fd(fault, DISK_SYNCFS, fd, NULL) != 0)
		return -1;
	return fault->real->syncfs(fault->real, fd);
}

static int
fault_forget(struct disk *disk, int fd)
{
	struct disk_fault *fault = of(disk);

	return fault->real->forget(fault->real, fd);
}

static int
fault_fstat(struct disk *disk, int fd, struct stat *st)
{
	struct disk_fault *fault = of(disk);

	if (count_fd(fault, DISK_STAT, fd, NULL) != 0)
		return -1;
	return fault->real->fstat(fault->real, fd, st);
}

static int
fault_stat(struct disk *disk, const char *path, struct stat *st)
{
	struct disk_fault *fault = of(disk);

	if (count(fault, DISK_STAT, path, NULL) != 0)
		return -1;
	return fault->real->stat(fault->real, path, st);
}

static int
fault_space(struct disk *disk, const char *path, struct disk_space *space)
{
	struct disk_fault *fault = of(disk);

	if (count(fault, DISK_STAT, path, NULL) != 0)
		return -1;
	return fault->real->space(fault->real, path, space);
}

static int
fault_lock(struct disk *disk, int fd)
{
	struct disk_fault *fault = of(disk);

	return fault->real->lock(fault->real, fd);
}

static int
fault_set_mtime(struct disk *disk, int fd, int64_t mtime_ms)
{
	struct disk_fault *fault = of(disk);

	if (count_fd(fault, DISK_SET_MTIME, fd, NULL) != 0)
		return -1;
	return fault->real->set_mtime(fault->real, fd, mtime_ms);
}

static int
fault_rename(struct disk *disk, const char *from, const char *to)
{
	struct disk_fault *fault = of(disk);

	if (count(fault, DISK_RENAME, from, NULL) != 0)
		return -1;
	return fault->real->rename(fault->real, from, to);
}

static int
fault_unlink(struct disk *disk, const char *path)
{
	struct disk_fault *fault = of(disk);

	if (count(fault, DISK_UNLINK, path, NULL) != 0)
		return -1;
	return fault->real->unlink(fault->real, path);
}

static int
fault_mkdir(struct disk *disk, const char *path, mode_t mode)
{
	struct disk_fault *fault = of(disk);

	if (count(fault, DISK_MKDIR, path, NULL) != 0)
		return -1;
	return fault->real->mkdir(fault->real, path, mode);
}

static int
fault_rmdir(struct disk *disk, const char *path)
{
	struct disk_fault *fault = of(disk);

	if (count(fault, DISK_RMDIR, path, NULL) != 0)
		return -1;
	return fault->real->rmdir(fault->real, path);
}

static int
fault_list(struct disk *disk, const char *path, disk_list_fn fn, void *context)
{
	struct disk_fault *fault = of(disk);

	if (count(fault, DISK_LIST, path, NULL) != 0)
		return -1;
	return fault->real->list(fault->real, path, fn, context);
}

void
disk_fault_init(struct disk_fault *fault, struct disk *real)
{
	*fault = (struct disk_fault){
		.disk = {
			.open = fault_open,
			.close = fault_close,
			.pread = fault_pread,
			.pwritev = fault_pwritev,
			.ftruncate = fault_ftruncate,
			.fallocate = fault_fallocate,
			.fdatasync = fault_fdatasync,
			.fsync = fault_fsync,
			.syncfs = fault_syncfs,
			.forget = fault_forget,
			.fstat = fault_fstat,
			.stat = fault_stat,
		.space = fault_space,
			.lock = fault_lock,
			.set_mtime = fault_set_mtime,
			.rename = fault_rename,
			.unlink = fault_unlink,
			.mkdir = fault_mkdir,
			.rmdir = fault_rmdir,
			.list = fault_list,
		},
		.real = real,
		.operation = -1,
	};
	pthread_mutex_init(&fault->mutex, NULL);
}

void
disk_fault_fini(struct disk_fault *fault)
{
	for (size_t i = 0; i < DISK_FAULT_FDS; i++)
		free(fault->paths[i]);
	pthread_mutex_destroy(&fault->mutex);
}

static void
arm(struct disk_fault *fault, int operation, const char *path_part,
    uint64_t skip, uint64_t fail_max, int error)
{
	pthread_mutex_lock(&fault->mutex);
	fault->operation = operation;
	fault->path_part = path_part;
	fault->skip = skip;
	fault->fail_max = fail_max;
	fault->error = error;
	fault->failed = 0;
	pthread_mutex_unlock(&fault->mutex);
}

void
disk_fault_fail(struct disk_fault *fault, int operation, const char *path_part,
    uint64_t skip, int error)
{
	arm(fault, operation, path_part, skip, 1, error);
}

void
disk_fault_fail_all(struct disk_fault *fault, int operation,
    const char *path_part, uint64_t skip, int error)
{
	arm(fault, operation, path_part, skip, UINT64_MAX, error);
}

uint64_t
disk_fault_clear(struct disk_fault *fault)
{
	uint64_t failed;

	pthread_mutex_lock(&fault->mutex);
	failed = fault->failed;
	fault->operation = -1;
	pthread_mutex_unlock(&fault->mutex);
	return failed;
}

uint64_t
disk_fault_count(struct disk_fault *fault, enum disk_operation operation)
{
	uint64_t n;

	pthread_mutex_lock(&fault->mutex);
	n = fault->counts[operation];
	pthread_mutex_unlock(&fault->mutex);
	return n;
}
