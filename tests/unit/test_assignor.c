/*
 * Assignors: examples worked out by hand, and random groups against what must
 * hold for all.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "coord/assignor.c"

#define TOPICS_MAX 8
#define MEMBERS_MAX 12

struct fixture {
	struct arena arena;
	struct assignor_topic topics[TOPICS_MAX];
	struct assignor_member members[MEMBERS_MAX];
	char ids[MEMBERS_MAX][8];
	int32_t indexes[MEMBERS_MAX][TOPICS_MAX];
	struct assignor_job job;
};

static struct uuid
id_of(int32_t topic)
{
	struct uuid id = { { 0 } };

	be32_put(id.bytes, (uint32_t)topic + 1);
	return id;
}

static void
fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	arena_init(&f->arena, SIZE_MAX);
	f->job.topics = f->topics;
	f->job.members = f->members;
	f->job.arena = &f->arena;
	f->job.homogeneous = true;
}

static void
add_topic(struct fixture *f, int32_t partitions)
{
	int32_t i = f->job.topics_count++;

	f->topics[i] = (struct assignor_topic){ id_of(i), partitions };
}

/* A member that subscribes to the topics whose bits are set. */
static void
add_member(struct fixture *f, unsigned topics)
{
	int32_t m = f->job.members_count++;
	struct assignor_member *member = &f->members[m];

	snprintf(f->ids[m], sizeof(f->ids[m]), "m%02d", m);
	member->id = slice_str(f->ids[m]);
	member->topics = f->indexes[m];
	for (int32_t t = 0; t < f->job.topics_count; t++)
		if (topics >> t & 1)
			f->indexes[m][member->topics_count++] = t;
}

static void
has(struct fixture *f, int32_t member, int32_t topic, int32_t partition)
{
	struct consumer_assignment one = consumer_assignment_new(&f->arena, 1);
	struct consumer_assignment *had = &f->members[member].had;

	consumer_assignment_add(&one, id_of(topic), partition, 0);
	*had = consumer_assignment_plus(&f->arena, had, &one);
}

/* "0:0,1 1:3" are partitions 0 and 1 of topic 0, and 3 of topic 1. */
static const char *
text_of(const struct consumer_assignment *set)
{
	static char text[512];
	size_t len = 0;

	text[0] = '\0';
	for (int32_t i = 0; i < set->count; i++) {
		const struct consumer_partition *p = &set->partitions[i];
		bool first = i == 0 || !uuid_equal(p->topic_id, p[-1].topic_id);

		if (first)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
			    "%s%u:%d", i == 0 ? "" : " ",
			    be32_get(p->topic_id.bytes) - 1, p->partition);
		else
			len += (size_t)snprintf(text + len, sizeof(text) - len,
			    ",%d", p->partition);
	}
	return text;
}

static void
gets(const struct fixture *f, int32_t member, const char *text)
{
	assert_string_equal(text_of(&f->members[member].assigned), text);
}

/* --- Uniform ------------------------------------------------------------- */

static void
uniform_spreads_evenly(void **state UNUSED)
{
	struct fixture f;

	fixture_init(&f);
	add_topic(&f, 3);
	add_topic(&f, 4);
	for (int i = 0; i < 3; i++)
		add_member(&f, 3);
	assignor_uniform(&f.job);
	gets(&f, 0, "0:0,1");
	gets(&f, 1, "0:2 1:0");
	gets(&f, 2, "1:1,2,3");
	arena_reset(&f.arena);
}

/* The example of the specification: {0,1} stay, 2 moves. */
static void
uniform_moves_no_more_than_it_must(void **state UNUSED)
{
	struct fixture f;

	fixture_init(&f);
	add_topic(&f, 3);
	add_member(&f, 1);
	add_member(&f, 1);
	for (int32_t p = 0; p < 3; p++)
		has(&f, 0, 0, p);
	assignor_uniform(&f.job);
	gets(&f, 0, "0:0,1");
	gets(&f, 1, "0:2");
	arena_reset(&f.arena);
}

/* A member that could have one more, but has not, leaves it to a later one. */
static void
uniform_leaves_one_more_to_who_has_it(void **state UNUSED)
{
	struct fixture f;

	fixture_init(&f);
	add_topic(&f, 3);
	add_member(&f, 1);
	add_member(&f, 1);
	has(&f, 0, 0, 0);
	has(&f, 1, 0, 1);
	has(&f, 1, 0, 2);
	assignor_uniform(&f.job);
	gets(&f, 0, "0:0");
	gets(&f, 1, "0:1,2");
	arena_reset(&f.arena);
}

/* Logs can say anything. */
static void
uniform_believes_no_old_target(void **state UNUSED)
{
	struct fixture f;

	fixture_init(&f);
	add_topic(&f, 2);
	add_member(&f, 1);
	add_member(&f, 1);
	has(&f, 0, 0, 0);
	has(&f, 1, 0, 0);
	has(&f, 1, 0, 9);
	has(&f, 1, 0, -1);
	has(&f, 1, 5, 0);
	assignor_uniform(&f.job);
	gets(&f, 0, "0:0");
	gets(&f, 1, "0:1");
	f.job.homogeneous = false;
	assignor_uniform(&f.job);
	gets(&f, 0, "0:0");
	gets(&f, 1, "0:1");
	arena_reset(&f.arena);
}

static void
uniform_serves_members_with_little_choice_first(void **state UNUSED)
{
	struct fixture f;

	fixture_init(&f);
	add_topic(&f, 2);
	add_topic(&f, 4);
	f.job.homogeneous = false;
	add_member(&f, 1); /* the first topic only */
	add_member(&f, 3);
	add_member(&f, 2);
	assignor_uniform(&f.job);
	gets(&f, 0, "0:0,1");
	gets(&f, 1, "1:0,2");
	gets(&f, 2, "1:1,3");
	arena_reset(&f.arena);
}

/* --- Range --------------------------------------------------------------- */

/* Of topics with equal shares that with the lower id comes first, signed. */
static void
uniform_compares_ids_as_java_does(void **state UNUSED)
{
	struct fixture f;

	fixture_init(&f);
	f.job.homogeneous = false;
	add_topic(&f, 1);
	add_topic(&f, 1);
	f.topics[1].id.bytes[0] = 0x80;
	add_member(&f, 3);
	add_member(&f, 3);
	add_member(&f, 0);
	assignor_uniform(&f.job);
	assert_true(uuid_equal(f.members[0].assigned.partitions[0].topic_id,
	    f.topics[1].id));
	assert_true(uuid_equal(f.members[1].assigned.partitions[0].topic_id,
	    f.topics[0].id));
	arena_reset(&f.arena);
}

static void
range_gives_runs(void **state UNUSED)
{
	struct fixture f;

	fixture_init(&f);
	add_topic(&f, 4);
	add_topic(&f, 3);
	add_member(&f, 3);
	add_member(&f, 3);
	add_member(&f, 3);
	/* Static members come first. */
	f.members[2].instance_id = slice_str("i");
	assignor_range(&f.job);
	gets(&f, 2, "0:0,1 1:0");
	gets(&f, 0, "0:2 1:1");
	gets(&f, 1, "0:3 1:2");
	arena_reset(&f.arena);
}

static void
range_looks_at_each_topics_subscribers(void **state UNUSED)
{
	struct fixture f;

	fixture_init(&f);
	add_topic(&f, 2);
	add_topic(&f, 3);
	f.job.homogeneous = false;
	add_member(&f, 1);
	add_member(&f, 3);
	add_member(&f, 2);
	assignor_range(&f.job);
	gets(&f, 0, "0:0");
	gets(&f, 1, "0:1 1:0,1");
	gets(&f, 2, "1:2");
	arena_reset(&f.arena);
}

/* --- What Kafka gives ---------------------------------------------------- */

/*
 * assignments.tsv is what the assignors of Apache Kafka 4.3.1 gave for random
 * groups: a line with the assignor, whether all subscribe to the same, and the
 * topics' partitions; and for each member one with the topics' bits, what it
 * had, and what it got.
 */
static const char *
word(char **rest, const char *separators)
{
	const char *text = strsep(rest, separators);

	assert_non_null(text);
	return text;
}

static void
read_topics(struct fixture *f, char *text)
{
	char *count;

	while ((count = strsep(&text, " ")) != NULL)
		add_topic(f, atoi(count));
}

static void
read_had(struct fixture *f, int32_t member, char *text)
{
	char *topic, *number;

	if (strcmp(text, "-") == 0)
		return;
	while ((topic = strsep(&text, " ")) != NULL) {
		int32_t index = atoi(word(&topic, ":"));

		while ((number = strsep(&topic, ",")) != NULL)
			has(f, member, index, atoi(number));
	}
}

static void
check_case(struct fixture *f, bool range, char got[][256])
{
	(range ? assignor_range : assignor_uniform)(&f->job);
	for (int32_t m = 0; m < f->job.members_count; m++)
		gets(f, m, strcmp(got[m], "-") == 0 ? "" : got[m]);
	arena_reset(&f->arena);
}

static void
kafka_gives_the_same(void **state UNUSED)
{
	FILE *file = fopen(SRCDIR "/tests/coord/assignments.tsv", "r");
	char line[1024], got[MEMBERS_MAX][256];
	struct fixture f = { 0 };
	bool range = false;
	int cases = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		char *rest = line;
		int32_t m = f.job.members_count;

		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\t') {
			if (cases++ > 0)
				check_case(&f, range, got);
			fixture_init(&f);
			range = strcmp(word(&rest, "\t"), "range") == 0;
			f.job.homogeneous =
			    strcmp(word(&rest, "\t"), "same") == 0;
			read_topics(&f, rest);
			continue;
		}
		rest++;
		add_member(&f, (unsigned)atoi(word(&rest, "\t")));
		read_had(&f, m, (char *)(uintptr_t)word(&rest, "\t"));
		snprintf(got[m], sizeof(got[m]), "%s", rest);
	}
	check_case(&f, range, got);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(cases, 499);
}

/* --- What holds for all -------------------------------------------------- */

static bool
subscribes(const struct assignor_member *member, int32_t topic)
{
	for (int32_t i = 0; i < member->topics_count; i++)
		if (member->topics[i] == topic)
			return true;
	return false;
}

/* Every partition that someone subscribes to has one owner who does. */
static void
check_owners(const struct fixture *f)
{
	int32_t total = 0, wanted = 0;

	for (int32_t t = 0; t < f->job.topics_count; t++) {
		bool any = false;

		for (int32_t m = 0; m < f->job.members_count; m++)
			any |= subscribes(&f->members[m], t);
		wanted += any ? f->topics[t].partitions_count : 0;
		for (int32_t p = 0; p < f->topics[t].partitions_count; p++) {
			int32_t owners = 0;

			for (int32_t m = 0; m < f->job.members_count; m++) {
				if (consumer_assignment_find(
					&f->members[m].assigned, id_of(t), p) ==
				    NULL)
					continue;
				assert_true(subscribes(&f->members[m], t));
				owners++;
			}
			assert_int_equal(owners, any ? 1 : 0);
		}
	}
	for (int32_t m = 0; m < f->job.members_count; m++)
		total += f->members[m].assigned.count;
	assert_int_equal(total, wanted);
}

static void
check_even(const struct fixture *f)
{
	int32_t most = 0, least = INT32_MAX;

	for (int32_t m = 0; m < f->job.members_count; m++) {
		most = MAX(most, f->members[m].assigned.count);
		least = MIN(least, f->members[m].assigned.count);
	}
	assert_true(most - least <= 1);
}

/* Nothing moves where nothing has changed. */
static void
check_still(struct fixture *f)
{
	for (int32_t m = 0; m < f->job.members_count; m++)
		f->members[m].had = f->members[m].assigned;
	assignor_uniform(&f->job);
	for (int32_t m = 0; m < f->job.members_count; m++)
		assert_true(consumer_assignment_same(
		    &f->members[m].had, &f->members[m].assigned));
}

static void
random_group(struct fixture *f, struct rng *rng)
{
	unsigned all;

	fixture_init(f);
	f->job.homogeneous = rng_below(rng, 2) == 0;
	for (uint64_t n = 1 + rng_below(rng, TOPICS_MAX); n > 0; n--)
		add_topic(f, 1 + (int32_t)rng_below(rng, 9));
	all = (1u << f->job.topics_count) - 1;
	for (uint64_t n = 1 + rng_below(rng, MEMBERS_MAX); n > 0; n--)
		add_member(f,
		    f->job.homogeneous ? all :
					 (unsigned)rng_below(rng, all + 1));
	for (int n = 0; n < 20; n++)
		has(f, (int32_t)rng_below(rng, (uint64_t)f->job.members_count),
		    (int32_t)rng_below(rng, TOPICS_MAX),
		    (int32_t)rng_below(rng, 9));
}

static void
random_groups(void **state UNUSED)
{
	struct fixture f;
	struct rng rng;

	for (uint64_t seed = 0; seed < 2000; seed++) {
		rng_init(&rng, seed);
		random_group(&f, &rng);
		assignor_uniform(&f.job);
		check_owners(&f);
		if (f.job.homogeneous) {
			check_even(&f);
			check_still(&f);
		}
		assignor_range(&f.job);
		check_owners(&f);
		arena_reset(&f.arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uniform_spreads_evenly),
		cmocka_unit_test(uniform_moves_no_more_than_it_must),
		cmocka_unit_test(uniform_leaves_one_more_to_who_has_it),
		cmocka_unit_test(uniform_believes_no_old_target),
		cmocka_unit_test(
		    uniform_serves_members_with_little_choice_first),
		cmocka_unit_test(uniform_compares_ids_as_java_does),
		cmocka_unit_test(range_gives_runs),
		cmocka_unit_test(range_looks_at_each_topics_subscribers),
		cmocka_unit_test(kafka_gives_the_same),
		cmocka_unit_test(random_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
