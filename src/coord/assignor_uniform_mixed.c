/*
 * Uniform, where members differ in what they subscribe to: what a member had
 * and still subscribes to stays with it, what is free goes to the subscriber
 * that has least, and then partitions move between subscribers of the same
 * topic until these differ by one at the most, or nothing moves any more.  To
 * the letter what UniformHeterogeneousAssignmentBuilder of Kafka does.
 */
#include "base/bytes.h"
#include "coord/assignor.h"

#define ROUNDS_MAX 16
#define NOBODY (-1)

struct topic {
	int32_t index;        /* in the job */
	int32_t *subscribers; /* members, ascending */
	int32_t subscribers_count;
};

struct balancer;
struct loaded;

struct mixed {
	struct assignor_job *job;
	const int32_t *first_numbers;
	struct topic *topics; /* by index */
	struct topic **order; /* in which they are assigned */
	int32_t *owners;      /* of each partition, by number */
	int32_t *loads;       /* of each member */
	struct balancer *balancer;
	struct loaded *scratch; /* for each member */
};

/* --- Members of a topic by their load ------------------------------------- */

/*
 * The subscribers of a topic, sorted by load, in two rounds: at the low end
 * each of those that have least gets one more in turn, then those and all that
 * had as many before, and so on; at the high end each of those that have most
 * loses one.  What the two ends have come to is kept as counts, and is the load
 * of all members in their range.
 */
struct balancer {
	const int32_t *loads;
	int32_t *members; /* sorted at first */
	int32_t count;
	int32_t least_end; /* behind the range of those with least */
	int32_t least_load;
	int32_t least_next;
	int32_t most_start;
	int32_t most_end; /* behind it are those that are left out */
	int32_t most_load;
	int32_t most_next;
};

/* The member and its load, which qsort does not hand on. */
struct loaded {
	int32_t load;
	int32_t member;
};

static int
compare_loads(const void *a, const void *b)
{
	const struct loaded *x = a, *y = b;

	if (x->load != y->load)
		return x->load < y->load ? -1 : 1;
	return (x->member > y->member) - (x->member < y->member);
}

static int32_t
load_at(const struct balancer *b, int32_t at)
{
	return b->loads[b->members[at]];
}

/* By how much the loads of the subscribers, at least one, differ. */
static int32_t
balancer_begin(struct balancer *b, const struct mixed *x,
    const struct topic *topic, struct loaded *scratch)
{
	b->count = topic->subscribers_count;
	for (int32_t i = 0; i < b->count; i++)
		scratch[i] = (struct loaded){ x->loads[topic->subscribers[i]],
			topic->subscribers[i] };
	qsort(scratch, (size_t)b->count, sizeof(*scratch), compare_loads);
	for (int32_t i = 0; i < b->count; i++)
		b->members[i] = scratch[i].member;
	b->loads = x->loads;
	b->least_end = 0;
	b->least_load = load_at(b, 0) - 1;
	b->least_next = 0;
	b->most_start = b->most_end = b->count;
	b->most_load = load_at(b, b->count - 1) + 1;
	b->most_next = b->count - 1;
	return load_at(b, b->count - 1) - load_at(b, 0);
}

static int32_t
balancer_least(struct balancer *b)
{
	if (b->least_next >= b->least_end) {
		b->least_load++;
		while (b->least_end < b->count &&
		    load_at(b, b->least_end) == b->least_load)
			b->least_end++;
		b->least_next = 0;
	}
	return b->members[b->least_next++];
}

/* NOBODY: all are left out. */
static int32_t
balancer_most(struct balancer *b)
{
	if (b->most_next < b->most_start) {
		if (b->most_end <= b->most_start && b->most_start > 0)
			b->most_load = load_at(b, b->most_start - 1);
		else
			b->most_load--;
		while (b->most_start > 0 &&
		    load_at(b, b->most_start - 1) == b->most_load)
			b->most_start--;
		b->most_next = b->most_end - 1;
	}
	return b->most_next < 0 ? NOBODY : b->members[b->most_next--];
}

/* The one that was last had has nothing to lose. */
static void
balancer_exclude(struct balancer *b)
{
	int32_t at = b->most_next + 1, member = b->members[at];

	b->members[at] = b->members[b->most_end - 1];
	b->members[--b->most_end] = member;
}

static bool
balancer_is_balanced(const struct balancer *b)
{
	return b->most_load - b->least_load <= 1;
}

/* --- Setting up ---------------------------------------------------------- */

static void
collect_subscribers(struct mixed *x)
{
	const struct assignor_job *job = x->job;
	struct arena *arena = job->arena;

	x->topics =
	    arena_xcalloc(arena, (size_t)job->topics_count, sizeof(*x->topics));
	for (int32_t m = 0; m < job->members_count; m++)
		for (int32_t i = 0; i < job->members[m].topics_count; i++)
			x->topics[job->members[m].topics[i]]
			    .subscribers_count++;
	for (int32_t t = 0; t < job->topics_count; t++) {
		x->topics[t].index = t;
		x->topics[t].subscribers = arena_xcalloc(arena,
		    (size_t)x->topics[t].subscribers_count, sizeof(int32_t));
		x->topics[t].subscribers_count = 0;
	}
	for (int32_t m = 0; m < job->members_count; m++)
		for (int32_t i = 0; i < job->members[m].topics_count; i++) {
			struct topic *topic =
			    &x->topics[job->members[m].topics[i]];

			topic->subscribers[topic->subscribers_count++] = m;
		}
}

static bool
subscribes(const struct topic *topic, int32_t member)
{
	int32_t low = 0, high = topic->subscribers_count;

	while (low < high) {
		int32_t middle = low + (high - low) / 2;

		if (topic->subscribers[middle] < member)
			low = middle + 1;
		else
			high = middle;
	}
	return low < topic->subscribers_count &&
	    topic->subscribers[low] == member;
}

static void
keep(struct mixed *x, const struct assignor_index *index, int32_t member)
{
	const struct consumer_assignment *had = &x->job->members[member].had;

	for (int32_t i = 0; i < had->count; i++) {
		const struct consumer_partition *p = &had->partitions[i];
		int32_t t = assignor_index_find(index, p->topic_id);
		int32_t *owner;

		if (t < 0 || p->partition < 0 ||
		    p->partition >= x->job->topics[t].partitions_count ||
		    !subscribes(&x->topics[t], member))
			continue;
		owner = &x->owners[x->first_numbers[t] + p->partition];
		if (*owner != NOBODY)
			continue;
		*owner = member;
		x->loads[member]++;
	}
}

static void
keep_all(struct mixed *x, int32_t total)
{
	struct assignor_index *index = assignor_index_new(x->job);
	struct arena *arena = x->job->arena;

	x->owners = arena_xcalloc(arena, (size_t)total, sizeof(*x->owners));
	x->loads = arena_xcalloc(
	    arena, (size_t)x->job->members_count, sizeof(*x->loads));
	for (int32_t number = 0; number < total; number++)
		x->owners[number] = NOBODY;
	for (int32_t m = 0; m < x->job->members_count; m++)
		keep(x, index, m);
	assignor_index_free(index);
}

/* --- Assigning ----------------------------------------------------------- */

/* The job that is sorted, which qsort does not hand on. */
struct ordered {
	const struct assignor_topic *topic;
	struct topic *entry;
};

/* As of two signed numbers, as Java's are. */
static int
compare_ids(const struct uuid *a, const struct uuid *b)
{
	for (size_t i = 0; i < sizeof(a->bytes); i += sizeof(int64_t)) {
		int64_t x = (int64_t)be64_get(a->bytes + i);
		int64_t y = (int64_t)be64_get(b->bytes + i);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}

/* More partitions for each subscriber first; by cross multiplication. */
static int
compare(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;
	int64_t x_share =
	    (int64_t)x->topic->partitions_count * y->entry->subscribers_count;
	int64_t y_share =
	    (int64_t)y->topic->partitions_count * x->entry->subscribers_count;

	if (x_share != y_share)
		return x_share > y_share ? -1 : 1;
	if (x->entry->subscribers_count != y->entry->subscribers_count)
		return x->entry->subscribers_count <
			y->entry->subscribers_count ?
		    -1 :
		    1;
	return compare_ids(&x->topic->id, &y->topic->id);
}

static void
sort_topics(struct mixed *x)
{
	size_t count = (size_t)x->job->topics_count;
	struct ordered *ordered =
	    arena_xcalloc(x->job->arena, count, sizeof(*ordered));

	x->order = arena_xcalloc(x->job->arena, count, sizeof(struct topic *));
	for (size_t i = 0; i < count; i++)
		ordered[i] =
		    (struct ordered){ &x->job->topics[i], &x->topics[i] };
	if (count > 0)
		qsort(ordered, count, sizeof(*ordered), compare);
	for (size_t i = 0; i < count; i++)
		x->order[i] = ordered[i].entry;
}

static void
assign_free(struct mixed *x, const struct topic *topic)
{
	int32_t number = x->first_numbers[topic->index];
	int32_t end = x->first_numbers[topic->index + 1];

	if (topic->subscribers_count == 0)
		return;
	(void)balancer_begin(x->balancer, x, topic, x->scratch);
	for (; number < end; number++) {
		if (x->owners[number] != NOBODY)
			continue;
		x->owners[number] = balancer_least(x->balancer);
		x->loads[x->owners[number]]++;
	}
}

/* --- Balancing ----------------------------------------------------------- */

/* The most loaded that has some of the topic left to lose; or NOBODY. */
static int32_t
next_loser(struct balancer *b, const struct assignor_list *owned)
{
	int32_t member = balancer_most(b);

	while (member != NOBODY && owned[member].count == 0) {
		balancer_exclude(b);
		member = balancer_most(b);
	}
	return member;
}

/*
 * Move partitions, each member's last ones first, and none twice.
 * True where some were moved.
 */
static bool
move_all(struct mixed *x, struct assignor_list *owned)
{
	struct balancer *b = x->balancer;
	bool moved = false;

	while (!balancer_is_balanced(b)) {
		int32_t from = next_loser(b, owned), to, number;

		if (from == NOBODY)
			break;
		number = owned[from].numbers[--owned[from].count];
		to = balancer_least(b);
		if (balancer_is_balanced(b))
			break;
		x->owners[number] = to;
		x->loads[from]--;
		x->loads[to]++;
		moved = true;
	}
	return moved;
}

/* owned is empty, and is again on return. */
static bool
balance_topic(
    struct mixed *x, const struct topic *topic, struct assignor_list *owned)
{
	int32_t first = x->first_numbers[topic->index];
	int32_t end = x->first_numbers[topic->index + 1];
	bool moved;

	if (balancer_begin(x->balancer, x, topic, x->scratch) <= 1)
		return false;
	for (int32_t number = first; number < end; number++)
		assignor_list_add(
		    &owned[x->owners[number]], number, x->job->arena);
	moved = move_all(x, owned);
	for (int32_t i = 0; i < topic->subscribers_count; i++)
		owned[topic->subscribers[i]].count = 0;
	return moved;
}

/* Until a whole round has moved nothing, or for so many rounds. */
static void
balance(struct mixed *x)
{
	struct assignor_list *owned = arena_xcalloc(
	    x->job->arena, (size_t)x->job->members_count, sizeof(*owned));
	int32_t last = NOBODY;

	for (int round = 0; round < ROUNDS_MAX; round++)
		for (int32_t i = 0, nth = 0; i < x->job->topics_count; i++) {
			if (x->order[i]->subscribers_count < 2)
				continue;
			if (nth == last)
				return;
			if (balance_topic(x, x->order[i], owned) ||
			    last == NOBODY)
				last = nth;
			nth++;
		}
}

static void
conclude(struct mixed *x, int32_t total)
{
	struct assignor_list *lists = arena_xcalloc(
	    x->job->arena, (size_t)x->job->members_count, sizeof(*lists));

	for (int32_t number = 0; number < total; number++)
		if (x->owners[number] != NOBODY)
			assignor_list_add(
			    &lists[x->owners[number]], number, x->job->arena);
	assignor_conclude(x->job, lists, x->first_numbers);
}

void
assignor_uniform_mixed(struct assignor_job *job)
{
	size_t members_count = (size_t)job->members_count;
	struct balancer balancer = {
		.members = arena_xcalloc(
		    job->arena, members_count, sizeof(*balancer.members)),
	};
	struct mixed x = {
		.job = job,
		.balancer = &balancer,
		.scratch = arena_xcalloc(
		    job->arena, members_count, sizeof(*x.scratch)),
	};
	int32_t total;

	x.first_numbers = assignor_first_numbers(job, &total);
	collect_subscribers(&x);
	keep_all(&x, total);
	sort_topics(&x);
	for (int32_t i = 0; i < job->topics_count; i++)
		assign_free(&x, x.order[i]);
	balance(&x);
	conclude(&x, total);
}
