/*
 * Uniform, where all members subscribe to the same topics: everybody gets the
 * same number of partitions, or one more.  First those that a member had are
 * left to it up to its quota, then what nobody has is dealt.
 */
#include "coord/assignor.h"

struct uniform {
	struct assignor_job *job;
	const struct assignor_index *index;
	struct uuid found_id; /* what was looked up last: the next is mostly */
	int32_t found;        /* of the same topic; -1 if there is none */
	const int32_t *first_numbers;
	struct assignor_list *kept; /* one for each member */
	struct assignor_list unassigned;
	bool *settled; /* partitions that were looked at */
	int32_t *room; /* what each member has left */
	int32_t quota;
	int32_t extras; /* members that get one more */
};

/* --- Keeping ------------------------------------------------------------- */

static int32_t
topic_of(struct uniform *u, struct uuid id)
{
	if (!uuid_equal(u->found_id, id)) {
		u->found_id = id;
		u->found = assignor_index_find(u->index, id);
	}
	return u->found;
}

/* The number of a partition that there is, or -1. */
static int32_t
number_of(struct uniform *u, const struct consumer_partition *p)
{
	int32_t topic = topic_of(u, p->topic_id);

	if (topic < 0 || p->partition < 0 ||
	    p->partition >= u->job->topics[topic].partitions_count)
		return -1;
	return u->first_numbers[topic] + p->partition;
}

/* What nobody had comes first, in its order. */
static void
collect_free(struct uniform *u, int32_t total)
{
	bool *had = arena_xcalloc(u->job->arena, (size_t)total, sizeof(*had));

	for (int32_t m = 0; m < u->job->members_count; m++) {
		const struct consumer_assignment *set = &u->job->members[m].had;

		for (int32_t i = 0; i < set->count; i++) {
			int32_t number = number_of(u, &set->partitions[i]);

			if (number >= 0)
				had[number] = true;
		}
	}
	for (int32_t number = 0; number < total; number++)
		if (!had[number])
			assignor_list_add(
			    &u->unassigned, number, u->job->arena);
}

/*
 * Up to room partitions of the member's stay; the others are free.  Should
 * two have had the same it is the first one's.
 */
static int32_t
keep(struct uniform *u, int32_t member, int32_t room)
{
	const struct consumer_assignment *had = &u->job->members[member].had;

	for (int32_t i = 0; i < had->count; i++) {
		int32_t number = number_of(u, &had->partitions[i]);

		if (number < 0 || u->settled[number])
			continue;
		u->settled[number] = true;
		assignor_list_add(room > 0 ? &u->kept[member] : &u->unassigned,
		    number, u->job->arena);
		room -= room > 0;
	}
	return room;
}

/*
 * Who has room for one more but is not needed for it, because enough members
 * follow, gives that place back.
 */
static void
revoke(struct uniform *u)
{
	int32_t members_left = u->job->members_count;

	for (int32_t m = 0; m < u->job->members_count; m++) {
		bool extra = u->extras > 0;
		int32_t room = keep(u, m, u->quota + extra);

		members_left--;
		if (extra && room > 0 && members_left >= u->extras) {
			room--;
			extra = false;
		}
		u->extras -= extra;
		u->room[m] = room;
	}
}

static void
deal(struct uniform *u)
{
	int32_t next = 0;

	for (int32_t m = 0; m < u->job->members_count; m++)
		for (int32_t i = 0;
		    i < u->room[m] && next < u->unassigned.count; i++)
			assignor_list_add(&u->kept[m],
			    u->unassigned.numbers[next++], u->job->arena);
	assert(next == u->unassigned.count);
}

void
assignor_uniform(struct assignor_job *job)
{
	struct assignor_index *index;
	size_t members = (size_t)job->members_count;
	struct uniform u = { .job = job };
	int32_t total;

	if (!job->homogeneous) {
		assignor_uniform_mixed(job);
		return;
	}
	u.index = index = assignor_index_new(job);
	u.found = assignor_index_find(index, u.found_id);
	u.first_numbers = assignor_first_numbers(job, &total);
	u.kept = arena_xcalloc(job->arena, members, sizeof(*u.kept));
	u.room = arena_xcalloc(job->arena, members, sizeof(*u.room));
	u.settled =
	    arena_xcalloc(job->arena, (size_t)total, sizeof(*u.settled));
	u.quota = total / job->members_count;
	u.extras = total % job->members_count;
	collect_free(&u, total);
	revoke(&u);
	deal(&u);
	assignor_conclude(job, u.kept, u.first_numbers);
	assignor_index_free(index);
}
