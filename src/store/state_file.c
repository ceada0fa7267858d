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

/* Write the temporary file, sync it where asked, and put it in place. */
static int
file_replace(struct disk *disk, const char *temporary, const char *path,
    struct slice contents, bool sync)
{
	int error;

	if (file_write(disk, temporary, contents, sync) == 0 &&
	    disk_rename(disk, temporary, path) == 0)
		return 0;
	error = errno;
	/* What is left of it is harmless: nobody reads it. */
	if (disk_unlink(disk, temporary) < 0)
		errno = error;
	errno = error;
	return -1;
}

int
state_file_write(struct disk *disk, const char *path, struct slice contents)
{
	char *temporary = xasprintf("%s.tmp", path);
	int result = file_replace(disk, temporary, path, contents, true);

	free(temporary);
	return result == 0 ? parent_sync(disk, path) : -1;
}

int
state_file_replace(struct disk *disk, const char *path, struct slice contents)
{
	char *temporary = xasprintf("%s.tmp", path);
	int result = file_replace(disk, temporary, path, contents, false);

	free(temporary);
	return result;
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
