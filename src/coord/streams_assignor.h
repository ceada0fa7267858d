/*
 * The assignor of streams groups, "sticky" (StickyTaskAssignor of Kafka): a
 * task goes on where it was, as long as no member has more than its share, and
 * else to where there is least to do.
 *
 * What it gives is what Kafka gives, down to the order in which Kafka's hash
 * maps and priority queues have members and processes that are equal.
 */
#ifndef COORD_STREAMS_ASSIGNOR_H
#define COORD_STREAMS_ASSIGNOR_H

#include "coord/streams_tasks.h"

/* A part of the topology. */
struct streams_assignor_subtopology {
	struct slice id;
	int32_t tasks_count;
	bool stateful; /* it has changelogs */
};

/* A member; members of one process share what is on its disk. */
struct streams_assignor_member {
	struct slice id;
	struct slice process_id;
	struct streams_assignment had;      /* its target so far */
	struct streams_assignment assigned; /* out, in the job's arena */
};

struct streams_assignor_job {
	/* sorted by id */
	const struct streams_assignor_subtopology *subtopologies;
	int32_t subtopologies_count;
	/* in the order in which they joined */
	struct streams_assignor_member *members;
	int32_t members_count;
	int32_t standby_replicas; /* wanted, of each stateful task */
	struct arena *arena;
};

/*
 * Give each task to one member, and as many standby tasks as there are
 * processes for.  Without members nobody gets anything.
 */
void streams_assignor_sticky(struct streams_assignor_job *job);

#endif
