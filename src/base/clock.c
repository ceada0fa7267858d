#include "base/clock.h"

#include <time.h>

static const struct clock_source *installed;

static int64_t
read_us(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) != 0)
		abort();
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_wall_ms(void)
{
	if (installed != NULL)
		return installed->wall_ms(installed->context);
	return read_us(CLOCK_REALTIME) / 1000;
}

int64_t
clock_monotonic_us(void)
{
	if (installed != NULL)
		return installed->monotonic_us(installed->context);
	return read_us(CLOCK_MONOTONIC);
}

int64_t
clock_monotonic_ms(void)
{
	return clock_monotonic_us() / 1000;
}

int64_t
clock_thread_cpu_us(void)
{
	return read_us(CLOCK_THREAD_CPUTIME_ID);
}

void
clock_install(const struct clock_source *source)
{
	installed = source;
}
