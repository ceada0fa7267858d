/*
 * Range: of each topic the members that subscribe to it get a run of
 * partitions each, static members first.  Where all subscribe to the same
 * topics, partitions of the same number meet at one member.
 */
#include "coord/assignor.h"

/* Static members by instance id, then dynamic ones by member id. */
static int
compare(const void *a, const void *b)
{
	const struct assignor_member *x =
	    *(const struct assignor_member *const *)a;
	const struct assignor_member *y =
	    *(const struct assignor_member *const *)b;
	bool x_dynamic = slice_is_null(x->instance_id);
	bool y_dynamic = slice_is_null(y->instance_id);

	if (x_dynamic != y_dynamic)
		return x_dynamic - y_dynamic;
	return x_dynamic ? slice_compare(x->id, y->id) :
			   slice_compare(x->instance_id, y->instance_id);
}

static struct assignor_member **
sorted(const struct assignor_job *job)
{
	size_t count = (size_t)job->members_count;
	struct assignor_member **members =
	    arena_xcalloc(job->arena, count, sizeof(struct assignor_member *));

	for (size_t i = 0; i < count; i++)
		members[i] = &job->members[i];
	qsort(
	    (void *)members, count, sizeof(struct assignor_member *), compare);
	return members;
}

/* How many subscribe to each topic, and how many of them had their turn. */
struct turn {
	int32_t subscribers;
	int32_t served;
};

static struct turn *
turns_new(const struct assignor_job *job)
{
	struct turn *turns = arena_xcalloc(
	    job->arena, (size_t)job->topics_count, sizeof(*turns));

	for (int32_t m = 0; m < job->members_count; m++)
		for (int32_t i = 0; i < job->members[m].topics_count; i++)
			turns[job->members[m].topics[i]].subscribers++;
	return turns;
}

/* The run of a topic's partitions for whose turn it is. */
struct run {
	int32_t first;
	int32_t count;
};

static struct run
run_of(const struct assignor_topic *topic, const struct turn *turn)
{
	int32_t each = topic->partitions_count / turn->subscribers;
	int32_t extras = topic->partitions_count % turn->subscribers;

	return (struct run){
		.first = turn->served * each + MIN(turn->served, extras),
		.count = each + (turn->served < extras),
	};
}

static void
assign(const struct assignor_job *job, struct assignor_member *member,
    struct turn *turns)
{
	int32_t count = 0;

	for (int32_t i = 0; i < member->topics_count; i++) {
		int32_t t = member->topics[i];

		count += run_of(&job->topics[t], &turns[t]).count;
	}
	member->assigned = consumer_assignment_new(job->arena, count);
	for (int32_t i = 0; i < member->topics_count; i++) {
		int32_t t = member->topics[i];
		struct run run = run_of(&job->topics[t], &turns[t]);

		for (int32_t p = 0; p < run.count; p++)
			consumer_assignment_add(&member->assigned,
			    job->topics[t].id, run.first + p, 0);
		turns[t].served++;
	}
	consumer_assignment_sort(&member->assigned);
}

void
assignor_range(struct assignor_job *job)
{
	struct assignor_member **members = sorted(job);
	struct turn *turns = turns_new(job);

	for (int32_t m = 0; m < job->members_count; m++)
		assign(job, members[m], turns);
}
