/* Formatting, and telling whose directories are there. */
#include "unit/unit.h"

#include "base/log.h"
#include "meta/format.h"
#include "store/disk_posix.h"
#include "store/log_dir.h"
#include "unit/disk_fault.h"
#include "unit/temp_dir.h"

struct setting {
	char *root;
	char *paths[2];
	const char *dirs[2];
	struct disk_fault fault;
	struct rng rng;
	struct format_settings settings;
	struct format_result result;
};

static int
setup(void **state)
{
	struct setting *s = xcalloc(1, sizeof(*s));

	log_set_level(LOG_FATAL);
	s->root = temp_dir_make();
	disk_fault_init(&s->fault, disk_posix());
	rng_init(&s->rng, 3);
	for (int i = 0; i < 2; i++)
		s->dirs[i] = s->paths[i] = xasprintf("%s/deep/d%d", s->root, i);
	s->settings = (struct format_settings){
		.disk = &s->fault.disk,
		.dirs = s->dirs,
		.dirs_count = 1,
		.node_id = 1,
		.rng = &s->rng,
		.controller_listener = "CONTROLLER",
		.controller_host = "localhost",
		.controller_port = 9093,
	};
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct setting *s = *state;

	format_result_fini(&s->result);
	for (int i = 0; i < 2; i++)
		free(s->paths[i]);
	disk_fault_fini(&s->fault);
	temp_dir_remove(s->root);
	free(s);
	return 0;
}

static int
ensure(struct setting *s)
{
	format_result_fini(&s->result);
	return format_ensure(&s->settings, &s->result);
}

/* Nothing may be missing in a directory that counts as formatted. */
static void
check_whole(const struct setting *s, const char *dir, bool metadata)
{
	char text[UUID_TEXT_LEN + 1];
	char *properties = temp_dir_get(dir, "meta.properties");

	assert_non_null(properties);
	assert_non_null(strstr(properties, "node.id=1\n"));
	assert_non_null(strstr(properties, "version=1\n"));
	assert_non_null(strstr(properties, s->result.cluster_id));
	uuid_format(s->result.directory_ids[0], text);
	if (dir == s->dirs[0])
		assert_non_null(strstr(properties, text));
	free(properties);
	assert_true(temp_dir_has(dir, "bootstrap.checkpoint"));
	assert_int_equal(temp_dir_has(dir,
			     "__cluster_metadata-0/"
			     "00000000000000000000-0000000000.checkpoint"),
	    metadata);
}

static void
an_empty_directory_becomes_ours(void **state)
{
	struct setting *s = *state;
	struct uuid id;
	char *cluster;

	assert_int_equal(ensure(s), 0);
	assert_true(s->result.formatted);
	check_whole(s, s->dirs[0], true);
	id = s->result.directory_ids[0];
	cluster = xstrdup(s->result.cluster_id);
	/* And stays what it is. */
	assert_int_equal(ensure(s), 0);
	assert_false(s->result.formatted);
	assert_true(uuid_equal(s->result.directory_ids[0], id));
	assert_string_equal(s->result.cluster_id, cluster);
	free(cluster);
}

static void
the_wanted_cluster_id_is_taken(void **state)
{
	struct setting *s = *state;

	s->settings.cluster_id = "MkU3OEVBNTcwNTJENDM2Qk";
	assert_int_equal(ensure(s), 0);
	assert_string_equal(s->result.cluster_id, "MkU3OEVBNTcwNTJENDM2Qk");
	assert_int_equal(ensure(s), 0);
	s->settings.cluster_id = "another";
	assert_int_equal(ensure(s), -1);
	s->settings.cluster_id = NULL;
	assert_int_equal(ensure(s), 0);
	assert_string_equal(s->result.cluster_id, "MkU3OEVBNTcwNTJENDM2Qk");
}

static void
the_node_must_be_the_same(void **state)
{
	struct setting *s = *state;

	assert_int_equal(ensure(s), 0);
	s->settings.node_id = 2;
	assert_int_equal(ensure(s), -1);
}

static void
strange_directories_are_left_alone(void **state)
{
	struct setting *s = *state;

	s->dirs[0] = s->root;
	temp_dir_put(s->root, "precious", "data");
	assert_int_equal(ensure(s), -1);
	assert_false(temp_dir_has(s->root, "meta.properties"));
	assert_false(temp_dir_has(s->root, "bootstrap.checkpoint"));
	temp_dir_put(s->root, "meta.properties", "version=1\nnode.id=");
	assert_int_equal(ensure(s), -1);
}

static void
several_directories_are_one_cluster(void **state)
{
	struct setting *s = *state;

	s->settings.dirs_count = 2;
	s->settings.metadata_dir = 1;
	assert_int_equal(ensure(s), 0);
	check_whole(s, s->dirs[0], false);
	check_whole(s, s->dirs[1], true);
	assert_false(uuid_equal(s->result.directory_ids[0],
	    s->result.directory_ids[1]));
	assert_int_equal(ensure(s), 0);
}

static void
a_directory_may_be_added_but_not_that_of_the_metadata(void **state)
{
	struct setting *s = *state;

	assert_int_equal(ensure(s), 0);
	s->settings.dirs_count = 2;
	assert_int_equal(ensure(s), 0);
	check_whole(s, s->dirs[1], false);
	temp_dir_put(s->root, "other", NULL);
	free(s->paths[1]);
	s->dirs[1] = s->paths[1] = xasprintf("%s/other", s->root);
	s->settings.metadata_dir = 1;
	assert_int_equal(ensure(s), -1);
	assert_false(temp_dir_has(s->dirs[1], "meta.properties"));
}

static void
directories_that_disagree_are_refused(void **state)
{
	struct setting *s = *state;

	assert_int_equal(ensure(s), 0);
	s->dirs[0] = s->paths[1];
	assert_int_equal(ensure(s), 0);
	s->dirs[0] = s->paths[0];
	s->settings.dirs_count = 2;
	assert_int_equal(ensure(s), -1);
}

static void
one_directory_by_two_names_is_refused(void **state)
{
	struct setting *s = *state;

	free(s->paths[1]);
	s->dirs[1] = s->paths[1] = xasprintf("%s/../d0", s->paths[0]);
	s->settings.dirs_count = 2;
	assert_int_equal(ensure(s), -1);
	assert_false(temp_dir_has(s->dirs[0], "meta.properties"));
}

/* A kill at any point leaves a directory that the next start makes whole. */
static void
a_format_that_was_cut_short_is_done_again(void **state)
{
	struct setting *s = *state;
	uint64_t failed = 1;

	s->settings.dirs_count = 2;
	s->settings.metadata_dir = 1;
	for (uint64_t skip = 0; failed > 0; skip++) {
		int outcome;

		for (int i = 0; i < 2; i++) {
			free(s->paths[i]);
			s->dirs[i] = s->paths[i] = xasprintf(
			    "%s/kill%d-%d", s->root, (int)skip, i);
		}
		disk_fault_fail_all(&s->fault, DISK_ANY, NULL, skip, EIO);
		outcome = ensure(s);
		failed = disk_fault_clear(&s->fault);
		assert_int_equal(outcome == 0, failed == 0);
		assert_int_equal(ensure(s), 0);
		check_whole(s, s->dirs[0], false);
		check_whole(s, s->dirs[1], true);
		assert_true(skip < 400);
	}
}

static void
a_new_volume_may_have_lost_and_found(void **state)
{
	struct setting *s = *state;

	s->dirs[0] = s->root;
	temp_dir_put(s->root, "lost+found", NULL);
	assert_int_equal(ensure(s), 0);
	check_whole(s, s->root, true);
	assert_true(temp_dir_has(s->root, "lost+found"));
}

/* Metadata that has more than a format writes is somebody's. */
static void
metadata_without_properties_is_left_alone(void **state)
{
	struct setting *s = *state;
	char *path;

	assert_int_equal(ensure(s), 0);
	path = xasprintf("%s/meta.properties", s->dirs[0]);
	assert_int_equal(disk_unlink(disk_posix(), path), 0);
	free(path);
	temp_dir_put(s->dirs[0],
	    "__cluster_metadata-0/00000000000000000000.log", "");
	assert_int_equal(ensure(s), -1);
	assert_false(temp_dir_has(s->dirs[0], "meta.properties"));
}

/* Two first starts: the one that does not hold the lock writes nothing. */
static void
only_who_has_the_lock_formats(void **state)
{
	struct setting *s = *state;
	int fd;

	temp_dir_put(s->root, "held", NULL);
	free(s->paths[0]);
	s->dirs[0] = s->paths[0] = xasprintf("%s/held", s->root);
	fd = log_dir_lock(disk_posix(), s->dirs[0]);
	assert_true(fd >= 0);
	assert_int_equal(ensure(s), -1);
	assert_false(temp_dir_has(s->dirs[0], "bootstrap.checkpoint"));
	disk_close(disk_posix(), fd);
	assert_int_equal(ensure(s), 0);
	check_whole(s, s->dirs[0], true);
	/* It is free for the log manager then. */
	fd = log_dir_lock(disk_posix(), s->dirs[0]);
	assert_true(fd >= 0);
	disk_close(disk_posix(), fd);
}

struct names {
	int synced;
};

static void
note_name(void *context, enum disk_operation operation, const char *path)
{
	struct names *names = context;

	names->synced += operation == DISK_FSYNC &&
	    strlen(path) > 3 && strcmp(path + strlen(path) - 3, "/..") == 0;
}

/* A directory whose name is lost takes all with it that is in it. */
static void
new_directories_are_durable(void **state)
{
	struct setting *s = *state;
	struct names names = { 0 };

	s->fault.hook = note_name;
	s->fault.hook_context = &names;
	assert_int_equal(ensure(s), 0);
	s->fault.hook = NULL;
	/* deep, d0, __cluster_metadata-0 */
	assert_int_equal(names.synced, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(an_empty_directory_becomes_ours),
		TEST(the_wanted_cluster_id_is_taken),
		TEST(the_node_must_be_the_same),
		TEST(strange_directories_are_left_alone),
		TEST(several_directories_are_one_cluster),
		TEST(a_directory_may_be_added_but_not_that_of_the_metadata),
		TEST(directories_that_disagree_are_refused),
		TEST(one_directory_by_two_names_is_refused),
		TEST(a_format_that_was_cut_short_is_done_again),
		TEST(a_new_volume_may_have_lost_and_found),
		TEST(metadata_without_properties_is_left_alone),
		TEST(only_who_has_the_lock_formats),
		TEST(new_directories_are_durable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
