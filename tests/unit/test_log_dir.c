/* A log directory: its lock, its mark, its checkpoints, its names. */
#include "unit/unit.h"

#include "store/disk_posix.h"
#include "store/log_dir.c"
#include "unit/disk_fault.h"
#include "unit/temp_dir.h"

static const struct uuid id = { { 1, 2, 3 } };

static int
setup(void **state)
{
	*state = temp_dir_make();
	return 0;
}

static int
teardown(void **state)
{
	temp_dir_remove(*state);
	return 0;
}

static struct log_dir *
must_open(const char *path)
{
	struct log_dir *dir = log_dir_open(disk_posix(), path, id);

	assert_non_null(dir);
	return dir;
}

/* --- the lock ------------------------------------------------------------ */

/* In a process of its own: can the lock be had as Java takes it? */
static bool
other_process_locks(const char *path)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct flock lock = { .l_type = F_WRLCK,
			.l_whence = SEEK_SET };
		char *file = xasprintf("%s/.lock", path);
		int fd = open(file, O_RDWR | O_CREAT, 0644);

		_exit(fcntl(fd, F_SETLK, &lock) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void
the_lock_keeps_others_out(void **state)
{
	struct log_dir *dir = must_open(*state);

	assert_false(other_process_locks(*state));
	/* Not even we get it twice, and trying does not lose it. */
	assert_null(log_dir_open(disk_posix(), *state, id));
	assert_false(other_process_locks(*state));
	log_dir_free(dir);
	assert_true(temp_dir_has(*state, ".lock"));
	assert_true(other_process_locks(*state));
	dir = must_open(*state);
	log_dir_unlock(dir);
	assert_false(temp_dir_has(*state, ".lock"));
	log_dir_free(dir);
}

static void
a_directory_that_is_not_there_is_refused(void **state)
{
	char *path = xasprintf("%s/none", (char *)*state);

	assert_null(log_dir_open(disk_posix(), path, id));
	free(path);
}

/* --- the mark ------------------------------------------------------------ */

static void
the_mark_is_taken_once(void **state)
{
	struct log_dir *dir = must_open(*state);

	assert_false(dir->clean);
	assert_int_equal(dir->clean_broker_epoch, -1);
	assert_int_equal(log_dir_mark_clean(dir, 42), 0);
	log_dir_free(dir);
	dir = must_open(*state);
	assert_true(dir->clean);
	assert_int_equal(dir->clean_broker_epoch, 42);
	/* Who only looked leaves it where it is. */
	assert_true(temp_dir_has(*state, ".kafka_cleanshutdown"));
	assert_int_equal(log_dir_mark_take(dir), 0);
	assert_false(temp_dir_has(*state, ".kafka_cleanshutdown"));
	log_dir_free(dir);
	dir = must_open(*state);
	assert_false(dir->clean);
	log_dir_free(dir);
}

static void
the_mark_is_kafkas_json(void **state)
{
	struct log_dir *dir = must_open(*state);
	char *text;

	assert_int_equal(log_dir_mark_clean(dir, 7), 0);
	text = temp_dir_get(*state, ".kafka_cleanshutdown");
	assert_string_equal(text, "{\"version\":0,\"brokerEpoch\":7}");
	free(text);
	log_dir_free(dir);
}

static void
any_mark_is_clean_but_only_a_whole_one_has_an_epoch(void **state)
{
	static const char *const marks[] = { "", "x", "{\"version\":0",
		"{\"version\":1,\"brokerEpoch\":7}", "{\"version\":0}",
		"{\"version\":0,\"brokerEpoch\":\"7\"}", "[]" };

	for (size_t i = 0; i < COUNT_OF(marks); i++) {
		struct log_dir *dir;

		temp_dir_put(*state, ".kafka_cleanshutdown", marks[i]);
		dir = must_open(*state);
		assert_true(dir->clean);
		assert_int_equal(dir->clean_broker_epoch, -1);
		log_dir_free(dir);
	}
}

/* Where the mark cannot be removed durably there is no start. */
static void
a_mark_that_stays_refuses_the_directory(void **state)
{
	struct disk_fault fault;
	struct log_dir *dir;

	disk_fault_init(&fault, disk_posix());
	temp_dir_put(*state, ".kafka_cleanshutdown", "");
	dir = log_dir_open(&fault.disk, *state, id);
	assert_non_null(dir);
	disk_fault_fail(&fault, DISK_UNLINK, NULL, 0, EIO);
	assert_int_equal(log_dir_mark_take(dir), -1);
	assert_int_equal(disk_fault_clear(&fault), 1);
	disk_fault_fail(&fault, DISK_FSYNC, NULL, 0, EIO);
	assert_int_equal(log_dir_mark_take(dir), -1);
	assert_int_equal(disk_fault_clear(&fault), 1);
	log_dir_free(dir);
	/* Nor where it cannot be told whether there is one. */
	disk_fault_fail(&fault, DISK_OPEN, "cleanshutdown", 0, EMFILE);
	assert_null(log_dir_open(&fault.disk, *state, id));
	assert_int_equal(disk_fault_clear(&fault), 1);
	disk_fault_fini(&fault);
}

/* --- checkpoints --------------------------------------------------------- */

static void
checkpoints_are_found_and_replaced(void **state)
{
	struct log_dir *dir;
	struct checkpoint c;
	char *text;

	temp_dir_put(*state, CHECKPOINT_LOG_STARTS, "0\n1\na 0 5\n");
	temp_dir_put(*state, CHECKPOINT_RECOVERY_POINTS, "");
	dir = must_open(*state);
	assert_int_equal(log_dir_checkpoint_find(dir, LOG_DIR_LOG_STARTS,
			     slice_str("a"), 0, 0),
	    5);
	assert_int_equal(log_dir_checkpoint_find(dir, LOG_DIR_RECOVERY_POINTS,
			     slice_str("a"), 0, 3),
	    3);
	checkpoint_init(&c);
	checkpoint_add(&c, slice_str("b"), 1, 9);
	assert_int_equal(log_dir_checkpoint_write(dir,
			     LOG_DIR_HIGH_WATERMARKS, &c),
	    0);
	text = temp_dir_get(*state, CHECKPOINT_HIGH_WATERMARKS);
	assert_string_equal(text, "0\n1\nb 1 9\n");
	checkpoint_fini(&c);
	free(text);
	log_dir_free(dir);
}

static void
the_same_checkpoint_is_written_once(void **state)
{
	struct disk_fault fault;
	struct log_dir *dir;
	struct checkpoint c;

	disk_fault_init(&fault, disk_posix());
	dir = log_dir_open(&fault.disk, *state, id);
	checkpoint_init(&c);
	checkpoint_add(&c, slice_str("b"), 1, 9);
	disk_fault_fail(&fault, DISK_RENAME, NULL, 0, ENOSPC);
	assert_int_equal(log_dir_checkpoint_write(dir,
			     LOG_DIR_RECOVERY_POINTS, &c),
	    -1);
	assert_int_equal(errno, ENOSPC);
	disk_fault_clear(&fault);
	for (int i = 0; i < 3; i++)
		assert_int_equal(log_dir_checkpoint_write(dir,
				     LOG_DIR_RECOVERY_POINTS, &c),
		    0);
	assert_int_equal(disk_fault_count(&fault, DISK_RENAME), 2);
	checkpoint_add(&c, slice_str("c"), 1, 9);
	assert_int_equal(log_dir_checkpoint_write(dir,
			     LOG_DIR_RECOVERY_POINTS, &c),
	    0);
	assert_int_equal(disk_fault_count(&fault, DISK_RENAME), 3);
	checkpoint_fini(&c);
	log_dir_free(dir);
	disk_fault_fini(&fault);
}

static void
a_malformed_checkpoint_refuses_the_directory(void **state)
{
	static const char *const files[] = { CHECKPOINT_RECOVERY_POINTS,
		CHECKPOINT_LOG_STARTS, CHECKPOINT_HIGH_WATERMARKS };

	for (size_t i = 0; i < COUNT_OF(files); i++) {
		temp_dir_put(*state, files[i], "0\n1\na 0");
		assert_null(log_dir_open(disk_posix(), *state, id));
		temp_dir_put(*state, files[i], "");
	}
	log_dir_free(must_open(*state));
}

/* --- names --------------------------------------------------------------- */

static void
expect_name(const char *name, enum log_dir_kind kind, const char *topic,
    int32_t partition)
{
	struct log_dir_entry entry;

	assert_int_equal(log_dir_name_parse(name, &entry), 0);
	assert_int_equal(entry.kind, kind);
	if (topic == NULL)
		return;
	assert_true(slice_equal_str(entry.topic, topic));
	assert_int_equal(entry.partition, partition);
}

static void
names_are_parsed(void **state UNUSED)
{
	static const char *const bad[] = { "lost and found", "a", "-1", "a-",
		"a-b", "a-1x", "a-2147483648", "a-delete", "a.b-delete",
		"a-1-stray", ".x" };
	struct log_dir_entry entry;

	expect_name("a-0", LOG_DIR_PARTITION, "a", 0);
	expect_name("a-b.c_d-12", LOG_DIR_PARTITION, "a-b.c_d", 12);
	expect_name(".x-1", LOG_DIR_PARTITION, ".x", 1);
	expect_name("a--1", LOG_DIR_PARTITION, "a-", 1);
	expect_name("a.b-3.00112233445566778899aabbccddeeff-delete",
	    LOG_DIR_DELETE, "a.b", 3);
	expect_name("a-3.00112233445566778899aabbccddeeff-stray",
	    LOG_DIR_STRAY, "a", 3);
	expect_name("a-3.00112233445566778899aabbccddeeff-future",
	    LOG_DIR_FUTURE, "a", 3);
	expect_name("__cluster_metadata-0", LOG_DIR_METADATA, NULL, 0);
	expect_name("remote-log-index-cache", LOG_DIR_IGNORED, NULL, 0);
	expect_name("lost+found", LOG_DIR_IGNORED, NULL, 0);
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(log_dir_name_parse(bad[i], &entry), -1);
}

static void
renamed_names_fit_and_parse(void **state UNUSED)
{
	char topic[250], *name, *other;
	struct log_dir_entry entry;

	memset(topic, 't', 249);
	topic[249] = '\0';
	name = log_dir_renamed_name(slice_str(topic), 12345, LOG_DIR_DELETE);
	assert_int_equal(strlen(name), 255);
	assert_int_equal(log_dir_name_parse(name, &entry), 0);
	assert_int_equal(entry.kind, LOG_DIR_DELETE);
	assert_int_equal(entry.partition, 12345);
	free(name);
	name = log_dir_renamed_name(slice_str("a"), 0, LOG_DIR_STRAY);
	other = log_dir_renamed_name(slice_str("a"), 0, LOG_DIR_STRAY);
	assert_int_equal(strlen(name), strlen("a-0.-stray") + 32);
	assert_string_not_equal(name, other);
	free(name);
	free(other);
}

static void
listing_finds_partitions_and_refuses_strangers(void **state)
{
	struct log_dir *dir;
	size_t partitions = 0;

	temp_dir_put(*state, "a-0", NULL);
	temp_dir_put(*state, "b-1", NULL);
	temp_dir_put(*state, "__cluster_metadata-0", NULL);
	temp_dir_put(*state, "lost+found", NULL);
	temp_dir_put(*state, "c-0.00112233445566778899aabbccddeeff-delete",
	    NULL);
	temp_dir_put(*state, "any file", "x");
	temp_dir_put(*state, "d-0", "a file, not a directory");
	dir = must_open(*state);
	assert_int_equal(log_dir_list(dir), 0);
	assert_int_equal(dir->entry_count, 3);
	for (size_t i = 0; i < 3; i++)
		partitions += dir->entries[i].kind == LOG_DIR_PARTITION;
	assert_int_equal(partitions, 2);
	log_dir_free(dir);
	temp_dir_put(*state, "strangers", NULL);
	dir = must_open(*state);
	assert_int_equal(log_dir_list(dir), -1);
	log_dir_free(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_lock_keeps_others_out),
		TEST(a_directory_that_is_not_there_is_refused),
		TEST(the_mark_is_taken_once),
		TEST(the_mark_is_kafkas_json),
		TEST(any_mark_is_clean_but_only_a_whole_one_has_an_epoch),
		TEST(a_mark_that_stays_refuses_the_directory),
		TEST(checkpoints_are_found_and_replaced),
		TEST(the_same_checkpoint_is_written_once),
		TEST(a_malformed_checkpoint_refuses_the_directory),
		TEST(names_are_parsed),
		TEST(renamed_names_fit_and_parse),
		TEST(listing_finds_partitions_and_refuses_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
