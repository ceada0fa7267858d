#include "base/machine.h"

#include <fcntl.h>
#include <unistd.h>

int
machine_processors(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	return count < 1 ? 1 : (int)count;
}

/*
 * The fourth field of /proc/loadavg is "runnable/all".  Container runtimes
 * that put a file of their own there keep the form.
 */
int
machine_runnable(void)
{
	int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	char text[128], *at = text;
	ssize_t len;
	long count;

	if (fd < 0)
		return -1;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0)
		return -1;
	text[len] = '\0';
	for (int i = 0; i < 3 && at != NULL; i++)
		at = strchr(at + 1, ' ');
	if (at == NULL)
		return -1;
	count = strtol(at, &at, 10);
	return *at == '/' ? (int)count : -1;
}
