/*
 * Simple, the assignor of share groups: what Kafka's gave for many groups, and
 * what must hold for all.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "coord/assignor.h"

#define TOPICS_MAX 8
#define MEMBERS_MAX 32
#define TEXT_MAX 512

struct fixture {
	struct arena arena;
	struct assignor_topic topics[TOPICS_MAX];
	struct assignor_member members[MEMBERS_MAX];
	int32_t indexes[MEMBERS_MAX][TOPICS_MAX];
	struct consumer_assignment assignable;
	struct assignor_job job;
};

/* Ids whose hash codes differ, and that are no numbers in a row. */
static struct uuid
id_of(int32_t topic)
{
	struct uuid id;

	be64_put(id.bytes,
	    UINT64_C(0x1122334455667788) * ((uint64_t)topic + 1));
	be64_put(id.bytes + 8,
	    UINT64_C(0x9e3779b97f4a7c15) * ((uint64_t)topic + 3));
	return id;
}

static int32_t
topic_of(struct uuid id)
{
	for (int32_t t = 0; t <= TOPICS_MAX; t++)
		if (uuid_equal(id_of(t), id))
			return t;
	fail_msg("an unknown topic");
	return -1;
}

static void
fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	arena_init(&f->arena, SIZE_MAX);
	f->job.topics = f->topics;
	f->job.members = f->members;
	f->job.assignable = &f->assignable;
	f->job.arena = &f->arena;
}

static void
add(struct fixture *f, struct consumer_assignment *set, int32_t topic,
    int32_t partition)
{
	struct consumer_assignment one = consumer_assignment_new(&f->arena, 1);

	consumer_assignment_add(&one, id_of(topic), partition, 0);
	*set = consumer_assignment_plus(&f->arena, set, &one);
}

static int32_t
add_topic(struct fixture *f, int32_t partitions)
{
	int32_t topic = f->job.topics_count++;

	f->topics[topic] = (struct assignor_topic){ id_of(topic), partitions };
	return topic;
}

static struct assignor_member *
add_member(struct fixture *f, unsigned topics)
{
	int32_t m = f->job.members_count++;
	struct assignor_member *member = &f->members[m];

	member->id = slice_str("m");
	member->topics = f->indexes[m];
	for (int32_t t = 0; t < f->job.topics_count; t++)
		if (topics >> t & 1)
			f->indexes[m][member->topics_count++] = t;
	return member;
}

/* --- What Kafka gives ---------------------------------------------------- */

/* "0:0,1 1:3" are partitions 0 and 1 of topic 0, and 3 of topic 1. */
static const char *
text_of(const struct consumer_assignment *set)
{
	static char text[TEXT_MAX];
	size_t len = 0;

	text[0] = '\0';
	for (int32_t t = 0; t <= TOPICS_MAX; t++) {
		bool any = false;

		for (int32_t i = 0; i < set->count; i++) {
			if (topic_of(set->partitions[i].topic_id) != t)
				continue;
			if (!any)
				len += (size_t)snprintf(text + len,
				    sizeof(text) - len, "%s%d:",
				    len == 0 ? "" : " ", t);
			len += (size_t)snprintf(text + len, sizeof(text) - len,
			    "%s%d", any ? "," : "",
			    set->partitions[i].partition);
			any = true;
		}
	}
	return text;
}

static const char *
word(char **rest, const char *separators)
{
	const char *text = strsep(rest, separators);

	assert_non_null(text);
	return text;
}

/* "9 5:0,3" are a topic of nine partitions, and one of five: two initialised */
static void
read_topics(struct fixture *f, char *text)
{
	char *entry, *number;

	while ((entry = strsep(&text, " ")) != NULL) {
		int32_t count = atoi(word(&entry, ":"));
		int32_t topic = add_topic(f, count);

		for (int32_t p = 0; entry == NULL && p < count; p++)
			add(f, &f->assignable, topic, p);
		while (entry != NULL && *entry != '\0' &&
		    (number = strsep(&entry, ",")) != NULL)
			add(f, &f->assignable, topic, atoi(number));
	}
}

static void
read_set(struct fixture *f, struct consumer_assignment *set, char *text)
{
	char *topic, *number;

	if (strcmp(text, "-") == 0)
		return;
	while ((topic = strsep(&text, " ")) != NULL) {
		int32_t index = atoi(word(&topic, ":"));

		while ((number = strsep(&topic, ",")) != NULL)
			add(f, set, index, atoi(number));
	}
}

static void
check_case(struct fixture *f, char got[][TEXT_MAX])
{
	assignor_simple(&f->job);
	for (int32_t m = 0; m < f->job.members_count; m++)
		assert_string_equal(text_of(&f->members[m].assigned),
		    strcmp(got[m], "-") == 0 ? "" : got[m]);
	arena_reset(&f->arena);
}

/*
 * share-assignments.tsv is what SimpleAssignor of Apache Kafka 4.3.1 gave for
 * random groups, and for some that change step by step: a line with whether
 * all subscribe to the same, and the topics' partitions with those that are
 * initialised; and for each member one with the topics' bits, what it had, and
 * what it got.
 */
static void
kafka_gives_the_same(void **state UNUSED)
{
	FILE *file = fopen(SRCDIR "/tests/coord/share-assignments.tsv", "r");
	char line[1024], got[MEMBERS_MAX][TEXT_MAX];
	struct fixture f = { 0 };
	int cases = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		char *rest = line;
		int32_t m = f.job.members_count;
		struct assignor_member *member;

		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\t') {
			if (cases++ > 0)
				check_case(&f, got);
			fixture_init(&f);
			f.job.homogeneous =
			    strcmp(word(&rest, "\t"), "same") == 0;
			read_topics(&f, rest);
			continue;
		}
		rest++;
		member = add_member(&f, (unsigned)atoi(word(&rest, "\t")));
		read_set(&f, &member->had,
		    (char *)(uintptr_t)word(&rest, "\t"));
		snprintf(got[m], sizeof(got[m]), "%s", rest);
	}
	check_case(&f, got);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(cases, 312);
}

/* --- What holds for all -------------------------------------------------- */

static int32_t
sharers_of(const struct fixture *f, int32_t topic, int32_t partition)
{
	int32_t count = 0;

	for (int32_t m = 0; m < f->job.members_count; m++)
		count += consumer_assignment_find(&f->members[m].assigned,
			     id_of(topic), partition) != NULL;
	return count;
}

/* Members without any partition wait for nothing. */
static void
check_served(const struct fixture *f)
{
	for (int32_t t = 0; t < f->job.topics_count; t++)
		for (int32_t p = 0; p < f->topics[t].partitions_count; p++)
			assert_true(sharers_of(f, t, p) > 0);
	for (int32_t m = 0; m < f->job.members_count; m++)
		assert_true(f->members[m].assigned.count > 0);
}

/* Everybody subscribes to everything, and logs can say anything. */
static void
every_partition_and_member_is_served(void **state UNUSED)
{
	struct fixture f;
	struct rng rng;

	for (uint64_t seed = 0; seed < 1000; seed++) {
		rng_init(&rng, seed);
		fixture_init(&f);
		f.job.assignable = NULL;
		f.job.homogeneous = rng_below(&rng, 2) == 0;
		for (uint64_t n = 1 + rng_below(&rng, TOPICS_MAX); n > 0; n--)
			add_topic(&f, 1 + (int32_t)rng_below(&rng, 9));
		for (uint64_t n = 1 + rng_below(&rng, MEMBERS_MAX); n > 0; n--)
			add_member(&f, UINT32_MAX);
		for (int n = 0; n < 20; n++)
			add(&f,
			    &f.members[rng_below(
					   &rng, (uint64_t)f.job.members_count)]
				 .had,
			    (int32_t)rng_below(
				&rng, (uint64_t)f.job.topics_count),
			    (int32_t)rng_below(&rng, 12) - 1);
		assignor_simple(&f.job);
		check_served(&f);
		arena_reset(&f.arena);
	}
}

/* The outcome is nobody's where nobody has initialised anything. */
static void
nothing_to_give(void **state UNUSED)
{
	struct fixture f;

	fixture_init(&f);
	f.job.homogeneous = true;
	add_topic(&f, 3);
	add_member(&f, 1);
	assignor_simple(&f.job);
	assert_int_equal(f.members[0].assigned.count, 0);
	f.job.homogeneous = false;
	assignor_simple(&f.job);
	assert_int_equal(f.members[0].assigned.count, 0);
	f.job.topics_count = 0;
	f.members[0].topics_count = 0;
	assignor_simple(&f.job);
	assert_int_equal(f.members[0].assigned.count, 0);
	arena_reset(&f.arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kafka_gives_the_same),
		cmocka_unit_test(every_partition_and_member_is_served),
		cmocka_unit_test(nothing_to_give),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
