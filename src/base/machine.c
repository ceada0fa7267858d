#include "base/machine.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

int
machine_processors(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	return count < 1 ? 1 : (int)count;
}

/* The beginning of a file of the kernel's; -1 where there is none. */
static int
read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return -1;
	len = read(fd, text, size - 1);
	close(fd);
	if (len <= 0)
		return -1;
	text[len] = '\0';
	return 0;
}

/* "QUOTA PERIOD", of processor time, rounded up; "max" is no limit. */
static int
quota_processors(const char *text)
{
	long long quota, period;

	if (sscanf(text, "%lld %lld", &quota, &period) != 2 || quota <= 0 ||
	    period <= 0)
		return INT_MAX;
	return (int)MIN(INT_MAX, quota / period + (quota % period != 0));
}

int
machine_processors_usable(void)
{
	int count = machine_processors();
	char text[64];
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		count = CPU_COUNT(&set);
	/* Where the root is our own control group, as in a container. */
	if (read_text("/sys/fs/cgroup/cpu.max", text, sizeof(text)) == 0)
		count = MIN(count, quota_processors(text));
	return MAX(count, 1);
}

/*
 * The fourth field of /proc/loadavg is "runnable/all".  Container runtimes
 * that put a file of their own there keep the form.
 */
int
machine_runnable(void)
{
	char text[128], *at = text;
	long count;

	if (read_text("/proc/loadavg", text, sizeof(text)) != 0)
		return -1;
	for (int i = 0; i < 3 && at != NULL; i++)
		at = strchr(at + 1, ' ');
	if (at == NULL)
		return -1;
	count = strtol(at, &at, 10);
	return *at == '/' ? (int)count : -1;
}
