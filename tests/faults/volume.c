#include "faults/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "unit/unit.h"

/* EXT4_IOC_SHUTDOWN and its flags, which no header for programs has. */
#define SHUTDOWN _IOR('X', 125, uint32_t)
#define SHUTDOWN_LOGFLUSH 1
#define SHUTDOWN_NOLOGFLUSH 2

void
volume_mount(const struct volume *volume, const char *options)
{
	if (mount(volume->device, volume->directory, "ext4", MS_NOATIME,
		options) != 0)
		fail_msg("cannot mount %s with \"%s\": %s", volume->device,
		    options, strerror(errno));
}

void
volume_unmount(const struct volume *volume)
{
	if (umount2(volume->directory, 0) != 0)
		fail_msg("cannot unmount %s: %s", volume->directory,
		    strerror(errno));
}

void
volume_cut_power(const struct volume *volume, bool journal)
{
	uint32_t how = journal ? SHUTDOWN_LOGFLUSH : SHUTDOWN_NOLOGFLUSH;
	int fd = open(volume->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, SHUTDOWN, &how) != 0)
		fail_msg("cannot shut %s down: %s", volume->directory,
		    strerror(errno));
	close(fd);
}
