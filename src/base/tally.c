#include "base/tally.h"

void
tally_init(struct tally *tally)
{
	map_init(&tally->counts);
}

void
tally_fini(struct tally *tally)
{
	map_fini(&tally->counts);
}

/* The counts themselves stand where the map has its pointers. */
size_t
tally_count(const struct tally *tally, struct slice s)
{
	return (size_t)(uintptr_t)map_get(&tally->counts, s);
}

size_t
tally_add(struct tally *tally, struct slice s)
{
	size_t count = tally_count(tally, s) + 1;

	map_set(&tally->counts, s, (void *)(uintptr_t)count);
	return count;
}
