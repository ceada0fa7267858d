#include "base/base.h"
#include "net/loop.h"
#include "net/loop_group.h"

#include <errno.h>
#include <stdio.h>

#define NAME_LEN_MAX 31

/*
 * A loop gets further connections while it is less busy than this, and does
 * not have so many more than another: those who come all at once have not
 * shown yet what they cost.
 */
#define BUSY_MAX 500
#define LOAD_AHEAD_MAX 64

/* Strangers are on few loops rather, since most will not stay there. */
#define STRANGERS_AHEAD_MAX 256

struct loop_group {
	/* immutable */
	int count;
	struct loop **loops;
};

struct loop_group *
loop_group_new(int count)
{
	struct loop_group *group = xcalloc(1, sizeof(*group));
	int error;

	assert(count > 0);
	group->loops = xcalloc((size_t)count, sizeof(*group->loops));
	while (group->count < count) {
		struct loop *loop = loop_new(group->count);

		if (loop == NULL) {
			error = errno;
			loop_group_free(group);
			errno = error;
			return NULL;
		}
		group->loops[group->count++] = loop;
	}
	return group;
}

void
loop_group_free(struct loop_group *group)
{
	if (group == NULL)
		return;
	for (int i = 0; i < group->count; i++)
		loop_free(group->loops[i]);
	free(group->loops);
	free(group);
}

int
loop_group_start(struct loop_group *group)
{
	char name[NAME_LEN_MAX + 1];

	for (int i = 0; i < group->count; i++) {
		int error;

		(void)snprintf(name, sizeof(name), "loop-%d", i);
		if (loop_start(group->loops[i], name) == 0)
			continue;
		error = errno;
		while (i-- > 0)
			loop_stop(group->loops[i]);
		errno = error;
		return -1;
	}
	return 0;
}

void
loop_group_stop(struct loop_group *group)
{
	for (int i = 0; i < group->count; i++)
		loop_stop(group->loops[i]);
}

int
loop_group_count(const struct loop_group *group)
{
	return group->count;
}

struct loop *
loop_group_get(const struct loop_group *group, int index)
{
	assert(index >= 0 && index < group->count);
	return group->loops[index];
}

static struct loop *
least_loaded(const struct loop_group *group)
{
	struct loop *best = group->loops[0];

	for (int i = 1; i < group->count; i++)
		if (loop_load(group->loops[i]) < loop_load(best))
			best = group->loops[i];
	return best;
}

static bool
has_room(const struct loop *loop, const struct loop *least, int ahead_max)
{
	return loop_load(loop) - loop_load(least) < ahead_max &&
	    loop_busy(loop) < BUSY_MAX;
}

struct loop *
loop_group_pick(const struct loop_group *group)
{
	struct loop *least = least_loaded(group);

	for (int i = 0; i < group->count; i++)
		if (has_room(group->loops[i], least, LOAD_AHEAD_MAX))
			return group->loops[i];
	return least;
}

struct loop *
loop_group_pick_for_stranger(const struct loop_group *group)
{
	struct loop *least = least_loaded(group);

	for (int i = group->count - 1; i >= 0; i--)
		if (has_room(group->loops[i], least, STRANGERS_AHEAD_MAX))
			return group->loops[i];
	return least;
}

struct loop *
loop_group_idlest(const struct loop_group *group)
{
	struct loop *best = group->loops[0];

	for (int i = 1; i < group->count; i++)
		if (loop_busy(group->loops[i]) < loop_busy(best))
			best = group->loops[i];
	return best;
}
