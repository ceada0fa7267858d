/*
 * Loop group: the loops that share the connections.  They are started and
 * stopped together.
 *
 * The group is immutable while it runs, so any thread may ask it.
 */
#ifndef NET_LOOP_GROUP_H
#define NET_LOOP_GROUP_H

#include "base/base.h"

struct loop;
struct loop_group;

/* count loops (above 0) that do not run yet; NULL with errno. */
struct loop_group *loop_group_new(int count) WARN_UNUSED;

/* Free them; they have been stopped.  NULL is allowed. */
void loop_group_free(struct loop_group *group);

/* Start a thread a loop; -1 with errno, then none runs. */
int loop_group_start(struct loop_group *group) WARN_UNUSED;

/*
 * Stop all loops, with what is posted between them carried out first: see
 * loop_stop.  Tasks posted to a loop that has ended are never run, so other
 * threads have been stopped before.
 */
void loop_group_stop(struct loop_group *group);

int loop_group_count(const struct loop_group *group);
struct loop *loop_group_get(const struct loop_group *group, int index);

/*
 * The loop for a new connection.  As long as there is little to do, loops
 * that sleep are left asleep: a message that passes from one loop to another
 * costs twice what it costs on one.  Any thread.
 */
struct loop *loop_group_pick(const struct loop_group *group);

/*
 * The same for one whose client has yet to show who it is.  It begins with the
 * last loop, so that strangers and clients that are known meet only where
 * there is much of either: the system lets a thread that has little to do run
 * at once, but not one that a storm of strangers keeps busy.
 */
struct loop *loop_group_pick_for_stranger(const struct loop_group *group);

/* The loop that is least busy.  Any thread. */
struct loop *loop_group_idlest(const struct loop_group *group);

#endif
