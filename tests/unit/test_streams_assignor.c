/*
 * Sets of tasks, and the assignor of streams groups against what Kafka's gives.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "base/slice.h"
#include "coord/streams_assignor.c"
#include "coord/streams_tasks.h"

#define MEMBERS_MAX 20
#define SUBTOPOLOGIES_MAX 16

struct fixture {
	struct arena arena;
	struct streams_assignor_subtopology subtopologies[SUBTOPOLOGIES_MAX];
	struct streams_assignor_member members[MEMBERS_MAX];
	struct streams_assignment expected[MEMBERS_MAX];
	struct streams_assignor_job job;
};

static void
fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	arena_init(&f->arena, SIZE_MAX);
	f->job.arena = &f->arena;
	f->job.subtopologies = f->subtopologies;
	f->job.members = f->members;
}

/* "0:1,2 10:0", or "-". */
static struct streams_tasks
tasks_of(struct fixture *f, const char *said)
{
	struct streams_tasks set = streams_tasks_new(&f->arena, 200);
	char *text =
	    (char *)(uintptr_t)arena_printf(&f->arena, "%s", said).data;
	char *run, *number;

	if (strcmp(text, "-") == 0)
		return set;
	while ((run = strsep(&text, " ")) != NULL) {
		struct slice subtopology = slice_str(strsep(&run, ":"));

		while ((number = strsep(&run, ",")) != NULL)
			streams_tasks_add(&set, subtopology, atoi(number), 0);
	}
	streams_tasks_sort(&set);
	return set;
}

static void
add_subtopology(struct fixture *f, const char *id, int32_t count, bool stateful)
{
	f->subtopologies[f->job.subtopologies_count++] =
	    (struct streams_assignor_subtopology){
		    arena_copy(&f->arena, slice_str(id)), count, stateful
	    };
}

static struct streams_assignor_member *
add_member(struct fixture *f, const char *id, const char *process,
    const char *active, const char *standby)
{
	struct streams_assignor_member *member =
	    &f->members[f->job.members_count++];

	assert_true(f->job.members_count <= MEMBERS_MAX);
	member->id = arena_copy(&f->arena, slice_str(id));
	member->process_id = arena_copy(&f->arena, slice_str(process));
	member->had.kinds[STREAMS_ACTIVE] = tasks_of(f, active);
	member->had.kinds[STREAMS_STANDBY] = tasks_of(f, standby);
	return member;
}

static void
gets(struct fixture *f, int32_t member, const char *active,
    const char *standby)
{
	const struct streams_assignment *got = &f->members[member].assigned;
	struct streams_tasks a = tasks_of(f, active);
	struct streams_tasks s = tasks_of(f, standby);

	assert_true(streams_tasks_same(&got->kinds[STREAMS_ACTIVE], &a));
	assert_true(streams_tasks_same(&got->kinds[STREAMS_STANDBY], &s));
	assert_int_equal(got->kinds[STREAMS_WARMUP].count, 0);
}

/* --- Sets ---------------------------------------------------------------- */

static void
sets_are_sets(void **state UNUSED)
{
	struct fixture f;
	struct streams_tasks a, b, out;

	fixture_init(&f);
	a = tasks_of(&f, "1:3,1 0:2 1:1");
	b = tasks_of(&f, "0:2,5 1:1");
	assert_int_equal(a.count, 3);
	assert_true(slice_equal_str(a.tasks[0].subtopology, "0"));
	out = streams_tasks_common(&f.arena, &a, &b);
	assert_int_equal(out.count, 2);
	assert_true(streams_tasks_within(&out, &a));
	assert_false(streams_tasks_within(&a, &b));
	out = streams_tasks_minus(&f.arena, &a, &b);
	assert_int_equal(out.count, 1);
	assert_int_equal(out.tasks[0].partition, 3);
	assert_false(streams_tasks_meet(&out, &b));
	assert_true(streams_tasks_meet(&a, &b));
	out = streams_tasks_plus(&f.arena, &a, &b);
	assert_int_equal(out.count, 4);
	assert_int_equal(streams_tasks_run(&out, 0), 2);
	assert_non_null(streams_tasks_find(&out, slice_str("0"), 5));
	assert_null(streams_tasks_find(&out, slice_str("0"), 4));
	arena_reset(&f.arena);
}

static void
owned_sets_have_their_names(void **state UNUSED)
{
	struct fixture f;
	struct streams_tasks owned = { 0 }, set, none = { 0 };

	fixture_init(&f);
	set = tasks_of(&f, "0:1,2 abc:0 abd:7");
	streams_tasks_own(&owned, &set);
	memset((void *)(uintptr_t)set.tasks[2].subtopology.data, 'x', 3);
	assert_int_equal(owned.count, 4);
	assert_non_null(streams_tasks_find(&owned, slice_str("abc"), 0));
	assert_non_null(streams_tasks_find(&owned, slice_str("abd"), 7));
	streams_tasks_own(&owned, &none);
	assert_null(owned.tasks);
	arena_reset(&f.arena);
}

/* --- Assigning ----------------------------------------------------------- */

static void
nobody_gets_nothing(void **state UNUSED)
{
	struct fixture f;

	fixture_init(&f);
	add_subtopology(&f, "0", 3, true);
	streams_assignor_sticky(&f.job);
	arena_reset(&f.arena);
}

static void
a_standby_is_elsewhere(void **state UNUSED)
{
	struct fixture f;

	fixture_init(&f);
	f.job.standby_replicas = 1;
	add_subtopology(&f, "0", 2, true);
	add_member(&f, "a", "p", "-", "-");
	add_member(&f, "b", "q", "-", "-");
	streams_assignor_sticky(&f.job);
	gets(&f, 0, "0:0", "0:1");
	gets(&f, 1, "0:1", "0:0");
	arena_reset(&f.arena);
}

/* One process cannot be a standby of itself. */
static void
one_process_has_no_standby(void **state UNUSED)
{
	struct fixture f;

	fixture_init(&f);
	f.job.standby_replicas = 2;
	add_subtopology(&f, "0", 2, true);
	add_member(&f, "a", "p", "-", "-");
	add_member(&f, "b", "p", "-", "-");
	streams_assignor_sticky(&f.job);
	gets(&f, 0, "0:0", "-");
	gets(&f, 1, "0:1", "-");
	arena_reset(&f.arena);
}

/* --- What Kafka gives ---------------------------------------------------- */

/*
 * streams-assignments.tsv is what the sticky assignor of Apache Kafka 4.3.1
 * gave for random groups: a line with the standby replicas and the
 * subtopologies, each with its tasks and an s where it is stateful; and for
 * each member one with its id, its process, the active and standby tasks that
 * it had, and those that it got.
 */
static void
read_subtopologies(struct fixture *f, char *text)
{
	char *word;

	while ((word = strsep(&text, " ")) != NULL) {
		const char *id = strsep(&word, ":");

		add_subtopology(f, id, atoi(word), strchr(word, 's') != NULL);
	}
}

static void
read_member(struct fixture *f, char *line)
{
	char *fields[6];

	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		fields[i] = strsep(&line, "\t");
		assert_non_null(fields[i]);
	}
	f->expected[f->job.members_count] = (struct streams_assignment){
		.kinds = { [STREAMS_ACTIVE] = tasks_of(f, fields[4]),
		    [STREAMS_STANDBY] = tasks_of(f, fields[5]) },
	};
	add_member(f, fields[0], fields[1], fields[2], fields[3]);
}

static void
check_case(struct fixture *f)
{
	streams_assignor_sticky(&f->job);
	for (int32_t m = 0; m < f->job.members_count; m++)
		assert_true(streams_assignment_same(
		    &f->members[m].assigned, &f->expected[m]));
	arena_reset(&f->arena);
}

static void
kafka_gives_the_same(void **state UNUSED)
{
	FILE *file = fopen(SRCDIR "/tests/coord/streams-assignments.tsv", "r");
	char line[1024];
	struct fixture f;
	int cases = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		char *rest = line;

		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '\t') {
			read_member(&f, line + 1);
			continue;
		}
		if (cases++ > 0)
			check_case(&f);
		fixture_init(&f);
		f.job.standby_replicas = atoi(strsep(&rest, "\t"));
		read_subtopologies(&f, rest);
	}
	check_case(&f);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(cases, 300);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_are_sets),
		cmocka_unit_test(owned_sets_have_their_names),
		cmocka_unit_test(nobody_gets_nothing),
		cmocka_unit_test(a_standby_is_elsewhere),
		cmocka_unit_test(one_process_has_no_standby),
		cmocka_unit_test(kafka_gives_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
