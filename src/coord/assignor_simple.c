/*
 * Simple, the assignor of share groups: members that are more than partitions
 * share them, and what a member has stays with it as far as it can
 * (SimpleAssignor of Kafka).
 *
 * A deal gives a set of partitions to members.  Where all subscribe to the
 * same there is one deal over the partitions of all topics, else one for each
 * topic, among those who subscribe to it.  In a deal each partition is to have
 * the same number of members, and each member its share of these places.
 *
 * Sets are walked as Java walks them, so that the outcome is Kafka's.
 */
#include "coord/assignor.h"
#include "coord/java_map.h"

/* Partitions have the job's numbers, members their indexes. */
struct deal {
	struct assignor_job *job;
	const int32_t *first;		/* numbers, of each topic */
	const struct assignor_index *index;
	int32_t topic;			/* the only one; -1: all */
	int32_t base;			/* the deal's first number */
	int32_t sharing;		/* members for each partition */
	int32_t *desired;		/* partitions, of each member */
	struct java_map partitions;
	struct java_map *sharers;	/* members, of each partition */
	struct java_map *shares;	/* partitions, of each member */
	int32_t *targets;		/* partitions that can be given */
	int32_t targets_count;
};

/* --- Hashes --------------------------------------------------------------- */

/* Uuid.hashCode. */
static uint32_t
uuid_java_hash(struct uuid id)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < sizeof(id.bytes); i++)
		hash ^= (uint32_t)id.bytes[i] << (24 - 8 * (i % 4));
	return hash;
}

/* Of a TopicIdPartition, or the partition alone where there is one topic. */
static uint32_t
partition_hash(const struct deal *d, int32_t topic, int32_t number)
{
	uint32_t partition = (uint32_t)(number - d->first[topic]);

	return d->topic >= 0 ?
	    partition :
	    31 * uuid_java_hash(d->job->topics[topic].id) + partition;
}

/* --- What a deal is about ------------------------------------------------- */

static bool
subscribes(const struct assignor_member *member, int32_t topic)
{
	int32_t low = 0, high = member->topics_count;

	while (low < high) {
		int32_t middle = low + (high - low) / 2;

		if (member->topics[middle] < topic)
			low = middle + 1;
		else
			high = middle;
	}
	return low < member->topics_count && member->topics[low] == topic;
}

static bool
takes_part(const struct deal *d, int32_t member)
{
	return d->topic < 0 ||
	    subscribes(&d->job->members[member], d->topic);
}

static void
add_targets(struct deal *d, int32_t topic)
{
	const struct assignor_topic *of = &d->job->topics[topic];

	for (int32_t p = 0; p < of->partitions_count; p++)
		if (d->job->assignable == NULL ||
		    consumer_assignment_find(
			d->job->assignable, of->id, p) != NULL)
			d->targets[d->targets_count++] = d->first[topic] + p;
}

/* Java rounds up what is a little above a whole number, and so do we. */
static int32_t
ceiling(double value)
{
	int32_t whole = (int32_t)value;

	return whole + (value > (double)whole);
}

static void
share_out(struct deal *d)
{
	int32_t members = 0, member = 0;
	double precise;

	for (int32_t m = 0; m < d->job->members_count; m++)
		members += takes_part(d, m);
	if (members == 0 || d->targets_count == 0)
		return;
	d->sharing = (members + d->targets_count - 1) / d->targets_count;
	precise = (double)(d->sharing * d->targets_count) / (double)members;
	for (int32_t m = 0; m < d->job->members_count; m++) {
		if (!takes_part(d, m))
			continue;
		d->desired[m] = ceiling(precise * (double)(member + 1)) -
		    ceiling(precise * (double)member);
		member++;
	}
}

/* --- What members had ----------------------------------------------------- */

/* The partition is one of the deal from now on; its sharers. */
static struct java_map *
sharers_of(struct deal *d, int32_t topic, int32_t number, int32_t capacity)
{
	struct java_map *sharers = &d->sharers[number - d->base];

	java_map_compute(
	    &d->partitions, partition_hash(d, topic, number), number);
	if (sharers->arena == NULL)
		java_map_init(sharers, d->job->arena, capacity);
	return sharers;
}

static void
give(struct deal *d, int32_t topic, int32_t number, int32_t member)
{
	java_map_put(&d->shares[member], partition_hash(d, topic, number),
	    number);
}

/* Partitions that the topic has not got are nobody's. */
static void
keep_topic(struct deal *d, int32_t member, int32_t topic,
    const struct consumer_partition *had, int32_t count)
{
	struct java_map walk;

	java_map_init(
	    &walk, d->job->arena, java_map_capacity_of_copy(count));
	for (int32_t i = 0; i < count; i++)
		if (had[i].partition >= 0 &&
		    had[i].partition < d->job->topics[topic].partitions_count)
			java_map_put(&walk, (uint32_t)had[i].partition,
			    had[i].partition);
	for (const struct java_map_entry *e = java_map_first(&walk); e != NULL;
	    e = java_map_next(&walk, e)) {
		int32_t number = d->first[topic] + e->key;

		java_map_put(sharers_of(d, topic, number, JAVA_MAP_CAPACITY),
		    (uint32_t)member, member);
		give(d, topic, number, member);
	}
}

/* In which order topics come in makes a difference between several only. */
static void
keep_one_topic(struct deal *d, int32_t member)
{
	const struct consumer_assignment *had = &d->job->members[member].had;
	const struct consumer_partition first = {
		.topic_id = d->job->topics[d->topic].id,
		.partition = INT32_MIN,
	};
	int32_t low = 0, high = had->count;

	while (low < high) {
		int32_t middle = low + (high - low) / 2;

		if (consumer_partition_compare(
			&had->partitions[middle], &first) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < had->count &&
	    uuid_equal(had->partitions[low].topic_id, first.topic_id))
		keep_topic(d, member, d->topic, &had->partitions[low],
		    consumer_assignment_run(had, low));
}

static void
keep_all_topics(struct deal *d, int32_t member)
{
	const struct consumer_assignment *had = &d->job->members[member].had;
	struct java_map walk; /* where each topic begins */

	java_map_init(&walk, d->job->arena, JAVA_MAP_CAPACITY);
	for (int32_t i = 0; i < had->count;
	    i += consumer_assignment_run(had, i))
		java_map_put(
		    &walk, uuid_java_hash(had->partitions[i].topic_id), i);
	for (const struct java_map_entry *e = java_map_first(&walk); e != NULL;
	    e = java_map_next(&walk, e)) {
		int32_t topic = assignor_index_find(
		    d->index, had->partitions[e->key].topic_id);

		if (topic >= 0)
			keep_topic(d, member, topic, &had->partitions[e->key],
			    consumer_assignment_run(had, e->key));
	}
}

/* --- The deal ------------------------------------------------------------- */

static int32_t
topic_of(const struct deal *d, int32_t number)
{
	return d->topic >= 0 ?
	    d->topic :
	    assignor_topic_of(d->first, d->job->topics_count, number);
}

/* Members have too much: what they are walked to first goes. */
static void
revoke_overfilled(struct deal *d)
{
	for (int32_t m = 0; m < d->job->members_count; m++)
		while (d->shares[m].count > d->desired[m]) {
			int32_t number = java_map_first(&d->shares[m])->key;

			java_map_remove(
			    &d->sharers[number - d->base], (uint32_t)m, m);
			java_map_remove(&d->shares[m],
			    partition_hash(d, topic_of(d, number), number),
			    number);
		}
}

/* Too many have a partition. */
static void
revoke_overshared(struct deal *d)
{
	for (const struct java_map_entry *e = java_map_first(&d->partitions);
	    e != NULL; e = java_map_next(&d->partitions, e)) {
		struct java_map *sharers = &d->sharers[e->key - d->base];

		while (sharers->count > d->sharing) {
			int32_t member = java_map_first(sharers)->key;

			java_map_remove(sharers, (uint32_t)member, member);
			java_map_remove(&d->shares[member],
			    partition_hash(d, topic_of(d, e->key), e->key),
			    e->key);
		}
	}
}

/* Members that have less than they are to have, dealt to in turn. */
struct unfilled {
	int32_t *members;
	int32_t count;
	int32_t at;
	bool dealt;	/* something, since the last turn began */
};

static void
find_unfilled(const struct deal *d, struct unfilled *unfilled)
{
	*unfilled = (struct unfilled){
		.members = arena_xcalloc(d->job->arena,
		    (size_t)d->job->members_count, sizeof(int32_t)),
	};
	for (int32_t m = 0; m < d->job->members_count; m++)
		if (d->shares[m].count < d->desired[m])
			unfilled->members[unfilled->count++] = m;
}

/* The next member; -1 where a whole turn was of no use. */
static int32_t
next_unfilled(struct unfilled *unfilled)
{
	if (unfilled->at == unfilled->count) {
		if (!unfilled->dealt || unfilled->count == 0)
			return -1;
		unfilled->at = 0;
		unfilled->dealt = false;
	}
	return unfilled->members[unfilled->at++];
}

/* The member that was dealt to last has all that it is to have. */
static void
drop_filled(struct unfilled *unfilled)
{
	int32_t at = --unfilled->at;

	unfilled->count--;
	memmove(&unfilled->members[at], &unfilled->members[at + 1],
	    (size_t)(unfilled->count - at) * sizeof(int32_t));
}

static void
deal_partition(struct deal *d, int32_t number, struct unfilled *unfilled)
{
	const struct java_map *sharers = &d->sharers[number - d->base];
	int32_t wanted = d->sharing - sharers->count, member;

	while (wanted > 0 && (member = next_unfilled(unfilled)) >= 0) {
		if (java_map_has(sharers, (uint32_t)member, member))
			continue;
		give(d, topic_of(d, number), number, member);
		wanted--;
		unfilled->dealt = true;
		if (d->shares[member].count >= d->desired[member])
			drop_filled(unfilled);
	}
}

static void
deal_rest(struct deal *d)
{
	struct unfilled unfilled;

	find_unfilled(d, &unfilled);
	for (const struct java_map_entry *e = java_map_first(&d->partitions);
	    e != NULL && unfilled.count > 0;
	    e = java_map_next(&d->partitions, e))
		deal_partition(d, e->key, &unfilled);
}

static int32_t
participants(const struct deal *d)
{
	int32_t count = 0;

	for (int32_t m = 0; m < d->job->members_count; m++)
		count += takes_part(d, m);
	return count;
}

static void
run(struct deal *d, struct assignor_list *lists)
{
	struct arena *arena = d->job->arena;
	int32_t members_count = d->job->members_count;

	share_out(d);
	java_map_init(
	    &d->partitions, arena, java_map_capacity_for(d->targets_count));
	for (int32_t m = 0; m < members_count; m++)
		java_map_init(&d->shares[m], arena, JAVA_MAP_CAPACITY);
	for (int32_t m = 0; m < members_count; m++)
		if (d->topic >= 0)
			keep_one_topic(d, m);
		else
			keep_all_topics(d, m);
	revoke_overfilled(d);
	revoke_overshared(d);
	for (int32_t i = 0; i < d->targets_count; i++)
		(void)sharers_of(d, topic_of(d, d->targets[i]), d->targets[i],
		    d->topic < 0 ? JAVA_MAP_CAPACITY :
				   java_map_capacity_for(participants(d)));
	deal_rest(d);
	for (int32_t m = 0; m < members_count; m++)
		for (const struct java_map_entry *e =
			 java_map_first(&d->shares[m]);
		    e != NULL; e = java_map_next(&d->shares[m], e))
			assignor_list_add(&lists[m], e->key, arena);
}

/* --- All of it ------------------------------------------------------------ */

/* A deal about the partitions of topics, which are one or all. */
static void
deal_topics(struct assignor_job *job, const int32_t *first,
    const struct assignor_index *index, int32_t topic,
    struct assignor_list *lists)
{
	int32_t begin = MAX(topic, 0);
	int32_t end = topic < 0 ? job->topics_count : topic + 1;
	size_t total = (size_t)(first[end] - first[begin]);
	size_t members_count = (size_t)job->members_count;
	struct deal deal = {
		.job = job,
		.first = first,
		.index = index,
		.topic = topic,
		.base = first[begin],
		.desired = arena_xcalloc(
		    job->arena, members_count, sizeof(*deal.desired)),
		.sharers =
		    arena_xcalloc(job->arena, total, sizeof(*deal.sharers)),
		.shares = arena_xcalloc(
		    job->arena, members_count, sizeof(*deal.shares)),
		.targets =
		    arena_xcalloc(job->arena, total, sizeof(*deal.targets)),
	};

	for (int32_t t = begin; t < end; t++)
		add_targets(&deal, t);
	run(&deal, lists);
}

/* Of each topic: does somebody subscribe to it? */
static const bool *
wanted_topics(const struct assignor_job *job)
{
	bool *wanted = arena_xcalloc(
	    job->arena, (size_t)job->topics_count, sizeof(*wanted));

	for (int32_t m = 0; m < job->members_count; m++)
		for (int32_t i = 0; i < job->members[m].topics_count; i++)
			wanted[job->members[m].topics[i]] = true;
	return wanted;
}

/*
 * Topics that nobody subscribes to any more stay with who had them: where
 * members differ Kafka looks at the others only.
 */
static void
keep_forgotten(struct assignor_job *job, const struct assignor_index *index,
    const bool *wanted)
{
	for (int32_t m = 0; m < job->members_count; m++) {
		struct assignor_member *member = &job->members[m];
		struct consumer_assignment forgotten =
		    consumer_assignment_new(job->arena, member->had.count);

		for (int32_t i = 0; i < member->had.count; i++) {
			const struct consumer_partition *p =
			    &member->had.partitions[i];
			int32_t topic =
			    assignor_index_find(index, p->topic_id);

			if (topic < 0 || !wanted[topic])
				consumer_assignment_add(&forgotten,
				    p->topic_id, p->partition, 0);
		}
		member->assigned = consumer_assignment_plus(
		    job->arena, &member->assigned, &forgotten);
	}
}

static void
assign_each(struct assignor_job *job, const int32_t *first,
    const struct assignor_index *index, struct assignor_list *lists)
{
	const bool *wanted = wanted_topics(job);
	bool any = false;

	for (int32_t t = 0; t < job->topics_count; t++)
		if (wanted[t]) {
			deal_topics(job, first, index, t, lists);
			any = true;
		}
	assignor_conclude(job, lists, first);
	if (any)
		keep_forgotten(job, index, wanted);
}

void
assignor_simple(struct assignor_job *job)
{
	struct assignor_index *index = assignor_index_new(job);
	struct assignor_list *lists = arena_xcalloc(
	    job->arena, (size_t)job->members_count, sizeof(*lists));
	int32_t total;
	const int32_t *first = assignor_first_numbers(job, &total);

	if (job->homogeneous) {
		deal_topics(job, first, index, -1, lists);
		assignor_conclude(job, lists, first);
	} else {
		assign_each(job, first, index, lists);
	}
	assignor_index_free(index);
}
