#include "base/base.h"
#include "store/state_file.h"

#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>

#define STATE_FILE_MODE 0644

/* The directory of path, on the heap. */
static char *
parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	if (slash == path)
		return xstrdup("/");
	return slice_dup(slice_of(path, (size_t)(slash - path)));
}

static int
parent_sync(struct disk *disk, const char *path)
{
	char *parent = parent_of(path);
	int result = disk_sync_dir(disk, parent);

	free(parent);
	return result;
}

/* Create or empty path, write contents, and sync them where asked. */
static int
file_write(
    struct disk *disk, const char *path, struct slice contents, bool sync)
{
	int fd = disk_open(
	    disk, path, O_WRONLY | O_CREAT | O_TRUNC, STATE_FILE_MODE);
	int result, error;

	if (fd < 0)
		return -1;
	result = disk_pwrite(disk, fd, contents.data, contents.len, 0);
	if (result == 0 && sync)
		result = disk_fsync(disk, fd);
	error = errno;
	disk_close(disk, fd);
	errno = error;
	return result;
}

static char *
temporary_of(const char *path)
{
	return xasprintf("%s.tmp", path);
}

/* What is left of it is harmless: nobody reads it. */
static void
temporary_drop(struct disk *disk, const char *temporary)
{
	int error = errno;

	if (disk_unlink(disk, temporary) < 0)
		errno = error;
	errno = error;
}

static int
temporary_write(
    struct disk *disk, const char *path, struct slice contents, bool sync)
{
	char *temporary = temporary_of(path);
	int result = file_write(disk, temporary, contents, sync);

	if (result != 0)
		temporary_drop(disk, temporary);
	free(temporary);
	return result;
}

int
state_file_stage(struct disk *disk, const char *path, struct slice contents)
{
	return temporary_write(disk, path, contents, false);
}

int
state_file_publish(struct disk *disk, const char *path)
{
	char *temporary = temporary_of(path);
	int result = disk_rename(disk, temporary, path);

	if (result != 0)
		temporary_drop(disk, temporary);
	free(temporary);
	return result;
}

int
state_file_write(struct disk *disk, const char *path, struct slice contents)
{
	if (temporary_write(disk, path, contents, true) != 0)
		return -1;
	return state_file_publish(disk, path) == 0 ? parent_sync(disk, path) :
						     -1;
}

int
state_file_write_in_place(
    struct disk *disk, const char *path, struct slice contents, bool sync)
{
	if (file_write(disk, path, contents, sync) < 0)
		return -1;
	return sync ? parent_sync(disk, path) : 0;
}

int
state_file_remove(struct disk *disk, const char *path)
{
	if (disk_unlink(disk, path) < 0 && errno != ENOENT)
		return -1;
	return parent_sync(disk, path);
}
