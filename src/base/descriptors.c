#include "base/base.h"
#include "base/descriptors.h"

#include <sys/resource.h>

/*
 * For what is opened and closed again at once (checkpoints, directories), for
 * loops, listeners and the metadata log.
 */
#define RESERVED 64
#define SHARE_MIN 16

/* Where there is no limit: what no machine has. */
#define UNLIMITED ((size_t)1 << 20)

void
descriptors_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	/* Where it cannot be raised, what there is has to do. */
	(void)!setrlimit(RLIMIT_NOFILE, &limit);
}

size_t
descriptors_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    limit.rlim_cur == RLIM_INFINITY)
		return UNLIMITED;
	return limit.rlim_cur;
}

size_t
descriptors_share(void)
{
	size_t max = descriptors_max();

	if (max <= RESERVED)
		return SHARE_MIN;
	return MAX(SHARE_MIN, (max - RESERVED) / 2);
}
