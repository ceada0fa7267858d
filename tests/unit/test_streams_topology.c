/*
 * Topologies of streams applications, and what Kafka makes of them next to the
 * topics that there are.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "coord/streams_configure.c"
#include "coord/streams_topology.h"

#define TOPICS_MAX 64
#define PARTS_MAX 16

struct fixture {
	struct streams_topics topics; /* first */
	struct arena arena;
	struct {
		struct slice name;
		int32_t partitions;
	} existing[TOPICS_MAX];
	int existing_count;
	struct streams_topology_part parts[PARTS_MAX];
	int32_t parts_count;
	enum kp_error error;
	struct slice message;
	struct streams_topology *topology; /* what configured is of */
	struct streams_configured *configured;
};

static int32_t
partitions(const struct streams_topics *topics, struct slice name)
{
	const struct fixture *f =
	    CONTAINER_OF_CONST(topics, struct fixture, topics);

	for (int i = 0; i < f->existing_count; i++)
		if (slice_equal(f->existing[i].name, name))
			return f->existing[i].partitions;
	return 0;
}

static void
fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->topics.partitions = partitions;
	arena_init(&f->arena, SIZE_MAX);
}

static void
fixture_fini(struct fixture *f)
{
	streams_configured_free(f->configured);
	streams_topology_free(f->topology);
	arena_reset(&f->arena);
}

static char *
copy_of(struct fixture *f, const char *text)
{
	return (char *)(uintptr_t)arena_printf(&f->arena, "%s", text).data;
}

/* --- Reading ------------------------------------------------------------- */

/* "a=1,b=2" or "-". */
static void
read_existing(struct fixture *f, const char *said)
{
	char *text = copy_of(f, said), *word;

	if (strcmp(text, "-") == 0)
		return;
	while ((word = strsep(&text, ",")) != NULL) {
		assert_true(f->existing_count < TOPICS_MAX);
		f->existing[f->existing_count].name =
		    slice_str(strsep(&word, "="));
		f->existing[f->existing_count++].partitions = atoi(word);
	}
}

static struct slice *
read_names(struct fixture *f, const char *said, int32_t *count)
{
	struct slice *names =
	    arena_xcalloc(&f->arena, TOPICS_MAX, sizeof(*names));
	char *text = copy_of(f, said), *word;

	*count = 0;
	if (strcmp(text, "-") == 0)
		return names;
	while ((word = strsep(&text, ",")) != NULL)
		names[(*count)++] = slice_str(word);
	return names;
}

static struct streams_topology_topic *
read_topics(struct fixture *f, const char *said, int32_t *count)
{
	struct slice *names = read_names(f, said, count);
	struct streams_topology_topic *topics =
	    arena_xcalloc(&f->arena, TOPICS_MAX, sizeof(*topics));

	for (int32_t i = 0; i < *count; i++) {
		char *word = (char *)(uintptr_t)names[i].data;

		topics[i].name = slice_str(strsep(&word, "="));
		topics[i].partitions = atoi(word);
	}
	return topics;
}

static int16_t *
read_indexes(struct fixture *f, char *text, int32_t *count)
{
	int16_t *indexes =
	    arena_xcalloc(&f->arena, TOPICS_MAX, sizeof(*indexes));
	const char *word;

	*count = 0;
	if (text[0] == '\0')
		return indexes;
	while ((word = strsep(&text, ",")) != NULL)
		indexes[(*count)++] = (int16_t)atoi(word);
	return indexes;
}

/* "0,1/2" or "-": of source and of repartition topics. */
static void
read_group(
    struct fixture *f, const char *said, struct streams_topology_part *part)
{
	struct kp_streams_group_topology_value_copartition_group *group;
	char *text = copy_of(f, said), *sources;

	if (strcmp(text, "-") == 0)
		return;
	group = arena_xcalloc(&f->arena, 1, sizeof(*group));
	sources = strsep(&text, "/");
	group->source_topics =
	    read_indexes(f, sources, &group->source_topics_count);
	group->repartition_source_topics =
	    read_indexes(f, text, &group->repartition_source_topics_count);
	part->copartition_groups = group;
	part->copartition_groups_count = 1;
}

static void
add_part(struct fixture *f, const char *id, const char *sources,
    const char *repartition, const char *sinks, const char *changelogs,
    const char *group)
{
	struct streams_topology_part *part = &f->parts[f->parts_count++];

	part->subtopology_id = slice_str(copy_of(f, id));
	part->source_topics =
	    read_names(f, sources, &part->source_topics_count);
	part->repartition_source_topics =
	    read_topics(f, repartition, &part->repartition_source_topics_count);
	part->repartition_sink_topics =
	    read_names(f, sinks, &part->repartition_sink_topics_count);
	part->state_changelog_topics =
	    read_topics(f, changelogs, &part->state_changelog_topics_count);
	read_group(f, group, part);
}

static struct streams_topology *
topology_of(struct fixture *f)
{
	const struct kp_streams_group_topology_value value = {
		.subtopologies = f->parts,
		.subtopologies_count = f->parts_count,
	};

	return streams_topology_new(&value);
}

/* What Kafka says of it, in the words of the file. */
static struct slice
outcome(struct fixture *f)
{
	const struct streams_configured *configured;
	struct slice tasks = slice_str(""), missing = slice_str("");

	f->topology = topology_of(f);
	assert_non_null(f->topology);
	f->error = streams_configure(
	    f->topology, &f->topics, &f->arena, &f->message, &f->configured);
	configured = f->configured;
	if (f->error == KP_STREAMS_INVALID_TOPOLOGY)
		tasks = arena_printf(
		    &f->arena, "invalid\t%.*s", SLICE_ARG(f->message));
	else if (f->error != KP_NONE)
		tasks = slice_str("error");
	if (f->error != KP_NONE)
		return tasks;
	for (int32_t i = 0; i < configured->subtopologies_count; i++)
		tasks = arena_printf(&f->arena, "%.*s%s%.*s:%d",
		    SLICE_ARG(tasks), i == 0 ? "" : " ",
		    SLICE_ARG(
			configured->subtopologies[i].said->subtopology_id),
		    configured->subtopologies[i].tasks_count);
	for (int32_t i = 0; i < configured->missing_count; i++)
		missing = arena_printf(&f->arena, "%.*s%s%.*s=%d",
		    SLICE_ARG(missing), i == 0 ? "" : " ",
		    SLICE_ARG(configured->missing[i].topic->name),
		    configured->missing[i].partitions);
	return arena_printf(&f->arena, "ok\t%d\t%.*s\t%.*s\t%.*s",
	    configured->status,
	    SLICE_ARG(configured->status == STREAMS_READY ? slice_str("-") :
							    configured->detail),
	    SLICE_ARG(tasks.len == 0 ? slice_str("-") : tasks),
	    SLICE_ARG(missing.len == 0 ? slice_str("-") : missing));
}

static void
becomes(struct fixture *f, const char *expected)
{
	struct slice got = outcome(f);

	if (!slice_equal_str(got, expected))
		print_error("%.*s\nexpected %s\n", SLICE_ARG(got), expected);
	assert_true(slice_equal_str(got, expected));
}

/* --- What Kafka makes of them -------------------------------------------- */

/*
 * streams-topologies.tsv is what Apache Kafka 4.3.1 made of random topologies:
 * a line with the topics that there are; for each subtopology one with its id,
 * the topics it reads, those it reads of others, those it writes for others,
 * its changelogs, and which have to be partitioned alike; and one with the
 * outcome.
 */
static void
read_part(struct fixture *f, char *line)
{
	char *fields[6];

	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		fields[i] = strsep(&line, "\t");
		assert_non_null(fields[i]);
	}
	add_part(f, fields[0], fields[1], fields[2], fields[3], fields[4],
	    fields[5]);
}

static void
kafka_makes_the_same(void **state UNUSED)
{
	FILE *file = fopen(SRCDIR "/tests/coord/streams-topologies.tsv", "r");
	char line[2048];
	struct fixture f;
	int cases = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '=') {
			char *error = strstr(line, "=error\t");

			if (error != NULL)
				error[strlen("=error")] = '\0';
			becomes(&f, line + 1);
			fixture_fini(&f);
			cases++;
		} else if (line[0] == '\t') {
			read_part(&f, line + 1);
		} else {
			fixture_init(&f);
			read_existing(&f, line);
		}
	}
	assert_int_equal(fclose(file), 0);
	assert_int_equal(cases, 400);
}

/* --- Scenarios ----------------------------------------------------------- */

static void
changelogs_follow_their_sources(void **state UNUSED)
{
	struct fixture f;

	fixture_init(&f);
	read_existing(&f, "in=3,wide=5");
	add_part(&f, "0", "in,wide", "-", "r", "log=0", "-");
	add_part(&f, "1", "-", "r=0", "-", "-", "-");
	becomes(&f,
	    "ok\t3\tInternal topics are missing: r, log\t0:5 1:5\t"
	    "r=5 log=5");
	assert_int_equal(
	    streams_configured_find(f.configured, slice_str("1"))->tasks_count,
	    5);
	assert_null(streams_configured_find(f.configured, slice_str("2")));
	fixture_fini(&f);
}

static void
negative_partitions_are_refused(void **state UNUSED)
{
	struct fixture f;

	fixture_init(&f);
	read_existing(&f, "in=3");
	add_part(&f, "0", "in", "r=-4", "r", "-", "-");
	becomes(&f, "error");
	fixture_fini(&f);
}

static void
topologies_are_compared_by_id(void **state UNUSED)
{
	struct streams_topology *a, *b, *c;
	struct streams_topology_part first;
	struct fixture f;

	fixture_init(&f);
	add_part(&f, "b", "in", "r=2", "-", "log=0", "0/0");
	add_part(&f, "a", "other", "-", "r", "-", "-");
	a = topology_of(&f);
	first = f.parts[0];
	f.parts[0] = f.parts[1];
	f.parts[1] = first;
	b = topology_of(&f);
	f.parts[1].state_changelog_topics[0].partitions = 1;
	c = topology_of(&f);
	assert_true(streams_topology_equal(a, b));
	assert_false(streams_topology_equal(a, c));
	f.parts[1].subtopology_id = f.parts[0].subtopology_id;
	assert_null(topology_of(&f));
	streams_topology_free(a);
	streams_topology_free(b);
	streams_topology_free(c);
	fixture_fini(&f);
}

static void
a_topic_has_its_reader(void **state UNUSED)
{
	struct streams_topology *topology;
	struct fixture f;
	int32_t count;

	fixture_init(&f);
	add_part(&f, "0", "in,in", "r=0", "r", "log=0", "-");
	add_part(&f, "1", "in", "-", "-", "-", "-");
	topology = topology_of(&f);
	assert_true(slice_equal_str(
	    streams_topology_reader(topology, slice_str("in"))->subtopology_id,
	    "1"));
	assert_true(slice_equal_str(
	    streams_topology_reader(topology, slice_str("r"))->subtopology_id,
	    "0"));
	assert_null(streams_topology_reader(topology, slice_str("log")));
	(void)streams_topology_required(topology, &f.arena, &count);
	assert_int_equal(count, 3);
	streams_topology_free(topology);
	fixture_fini(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kafka_makes_the_same),
		cmocka_unit_test(changelogs_follow_their_sources),
		cmocka_unit_test(negative_partitions_are_refused),
		cmocka_unit_test(topologies_are_compared_by_id),
		cmocka_unit_test(a_topic_has_its_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
