#include "bench/cost.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static void
file_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, text, size - 1);

	text[len < 0 ? 0 : len] = '\0';
	if (fd >= 0)
		close(fd);
}

static long
number_behind(const char *text, const char *label)
{
	const char *at = strstr(text, label);

	return at == NULL ? 0 : strtol(at + strlen(label), NULL, 10);
}

/* The n-th number behind a process's name, which may hold blanks itself. */
static double
ticks(const char *stat, int n)
{
	const char *at = strrchr(stat, ')');

	for (int i = 0; at != NULL && i <= n; i++)
		at = strchr(at + 1, ' ');
	return at == NULL ? 0 : (double)strtol(at, NULL, 10);
}

static void
add_thread(struct cost *cost, long pid, const char *thread)
{
	char path[320], text[4096];

	snprintf(path, sizeof(path), "/proc/%ld/task/%s/status", pid, thread);
	file_text(path, text, sizeof(text));
	cost->switches +=
	    (uint64_t)number_behind(text, "\nvoluntary_ctxt_switches:") +
	    (uint64_t)number_behind(text, "\nnonvoluntary_ctxt_switches:");
	snprintf(
	    path, sizeof(path), "/proc/%ld/task/%s/schedstat", pid, thread);
	file_text(path, text, sizeof(text));
	cost->threads_cpu_s += strtod(text, NULL) / 1e9;
	cost->threads++;
}

static void
add_threads(struct cost *cost, long pid)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%ld/task", pid);
	dir = opendir(path);
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			add_thread(cost, pid, entry->d_name);
	closedir(dir);
}

/* All but what idles and waits for disks, columns 4 and 5. */
static double
machine_ticks(void)
{
	double sum = 0;
	char text[256], *at;

	file_text("/proc/stat", text, sizeof(text));
	at = strchr(text, ' ');
	for (int i = 0; at != NULL && i < 8; i++) {
		double value = strtod(at, &at);

		sum += i == 3 || i == 4 ? 0 : value;
	}
	return sum;
}

void
cost_read(struct cost *cost, long pid)
{
	double hz = (double)sysconf(_SC_CLK_TCK);
	char path[64], text[4096];

	memset(cost, 0, sizeof(*cost));
	if (pid == 0)
		return;
	cost->machine_s = machine_ticks() / hz;
	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	file_text(path, text, sizeof(text));
	cost->cpu_s = (ticks(text, 11) + ticks(text, 12)) / hz;
	snprintf(path, sizeof(path), "/proc/%ld/status", pid);
	file_text(path, text, sizeof(text));
	cost->rss_kb = number_behind(text, "\nVmRSS:");
	cost->peak_kb = number_behind(text, "\nVmHWM:");
	add_threads(cost, pid);
}

double
cost_own(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
