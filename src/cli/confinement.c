#include "cli/confinement.h"

#include <sys/prctl.h>
#include <sys/stat.h>

/* Nothing for others, and no writing for the group. */
#define MASK 027

void
confinement_files(void)
{
	umask(umask(MASK) | MASK);
}

void
confinement_memory(bool seen)
{
	int result = prctl(PR_SET_DUMPABLE, seen ? 1 : 0, 0, 0, 0);

	assert(result == 0);
}
