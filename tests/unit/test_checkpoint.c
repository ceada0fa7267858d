/* State files and the text files made of them. */
#include "unit/unit.h"

#include "store/checkpoint.c"
#include "store/disk_posix.h"
#include "unit/disk_fault.h"
#include "unit/temp_dir.h"

#include "store/meta_properties.h"
#include "store/partition_metadata.h"
#include "store/state_file.h"

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

/* --- state files --------------------------------------------------------- */

/* Whatever call fails: the old contents or the new, and an error if old. */
static void
a_state_file_is_replaced_whole(void **state)
{
	char *path = xasprintf("%s/f", (char *)*state), *text;
	struct disk_fault fault;
	uint64_t calls, failed;

	disk_fault_init(&fault, disk_posix());
	assert_int_equal(state_file_write(&fault.disk, path,
			     SLICE_LITERAL("old")),
	    0);
	calls = fault.total;
	assert_true(calls >= 5);
	for (uint64_t call = 0; call < calls; call++) {
		int result;

		disk_fault_fail(&fault, DISK_ANY, NULL, call, EIO);
		result = state_file_write(&fault.disk, path,
		    SLICE_LITERAL("new"));
		failed = disk_fault_clear(&fault);
		text = temp_dir_get(*state, "f");
		assert_int_equal(result, failed > 0 ? -1 : 0);
		assert_true(strcmp(text, "new") == 0 ||
		    (result < 0 && strcmp(text, "old") == 0));
		free(text);
		assert_int_equal(state_file_write(&fault.disk, path,
				     SLICE_LITERAL("old")),
		    0);
		assert_false(temp_dir_has(*state, "f.tmp"));
	}
	disk_fault_fini(&fault);
	free(path);
}

static void
a_state_file_is_synced_before_its_rename(void **state)
{
	char *path = xasprintf("%s/f", (char *)*state);
	struct disk_fault fault;

	disk_fault_init(&fault, disk_posix());
	disk_fault_fail(&fault, DISK_FSYNC, ".tmp", 0, EIO);
	assert_int_equal(state_file_write(&fault.disk, path,
			     SLICE_LITERAL("x")),
	    -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(disk_fault_clear(&fault), 1);
	assert_false(temp_dir_has(*state, "f"));
	/* The directory's sync is the second one. */
	disk_fault_fail(&fault, DISK_FSYNC, NULL, 1, EIO);
	assert_int_equal(state_file_write(&fault.disk, path,
			     SLICE_LITERAL("x")),
	    -1);
	assert_int_equal(disk_fault_clear(&fault), 1);
	disk_fault_fini(&fault);
	free(path);
}

static void
a_removed_state_file_is_gone(void **state)
{
	char *path = xasprintf("%s/f", (char *)*state);

	assert_int_equal(state_file_remove(disk_posix(), path), 0);
	temp_dir_put(*state, "f", "x");
	assert_int_equal(state_file_remove(disk_posix(), path), 0);
	assert_false(temp_dir_has(*state, "f"));
	free(path);
}

/* --- checkpoints --------------------------------------------------------- */

static int
read_text(const char *dir, const char *text, struct checkpoint *c)
{
	char *path = xasprintf("%s/c", dir);
	int result;

	temp_dir_put(dir, "c", text);
	checkpoint_init(c);
	result = checkpoint_read(c, disk_posix(), path);
	free(path);
	return result;
}

static void
a_checkpoint_finds_its_entries(void **state)
{
	struct checkpoint c;

	assert_int_equal(read_text(*state,
			     "0\n3\nb 1 7\na.b-c 0 9223372036854775807\n"
			     "b\t 0  5 \n",
			     &c),
	    0);
	assert_int_equal(c.count, 3);
	assert_int_equal(checkpoint_find(&c, slice_str("b"), 1, -1), 7);
	assert_int_equal(checkpoint_find(&c, slice_str("b"), 0, -1), 5);
	assert_int_equal(checkpoint_find(&c, slice_str("a.b-c"), 0, -1),
	    INT64_MAX);
	assert_int_equal(checkpoint_find(&c, slice_str("b"), 2, -1), -1);
	assert_int_equal(checkpoint_find(&c, slice_str("c"), 0, 42), 42);
	checkpoint_fini(&c);
}

static void
no_checkpoint_and_an_empty_one_have_no_entries(void **state)
{
	char *path = xasprintf("%s/none", (char *)*state);
	struct checkpoint c;

	checkpoint_init(&c);
	assert_int_equal(checkpoint_read(&c, disk_posix(), path), 0);
	assert_int_equal(c.count, 0);
	checkpoint_fini(&c);
	assert_int_equal(read_text(*state, "", &c), 0);
	assert_int_equal(c.count, 0);
	checkpoint_fini(&c);
	assert_int_equal(read_text(*state, "0\n0\n", &c), 0);
	assert_int_equal(checkpoint_find(&c, slice_str("a"), 0, 3), 3);
	checkpoint_fini(&c);
	free(path);
}

static void
malformed_checkpoints_are_refused(void **state)
{
	static const char *const bad[] = {
		"1\n0\n",		    /* version */
		"0\n",			    /* no count */
		"0\n-1\n",		    /* count */
		"0\nx\n",		    /* count */
		"0\n2\na 0 1\n",	    /* too few */
		"0\n1\na 0 1\nb 0 1\n",	    /* too many */
		"0\n1\na 0\n",		    /* fields */
		"0\n1\na 0 1 2\n",	    /* fields */
		"0\n1\na 0 -1\n",	    /* offset */
		"0\n1\na -1 1\n",	    /* partition */
		"0\n1\na 2147483648 1\n",   /* partition */
		"0\n1\na 0 9223372036854775808\n",
		"0\n1\na 0 12",		    /* cut */
		"0\n99999999999999999999\n", /* count */
		"\n0\n1\na 0 1\n",
		"0 0\n0\n",
	};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct checkpoint c;

		errno = 0;
		assert_int_equal(read_text(*state, bad[i], &c), -1);
		assert_int_equal(errno, EBADMSG);
		assert_int_equal(c.count, 0);
		checkpoint_fini(&c);
	}
}

/* A file cut anywhere is noticed, but for one cut to nothing. */
static void
a_cut_checkpoint_is_never_believed(void **state)
{
	static const char whole[] = "0\n2\nabc 10 1234\nd 0 5\n";

	for (size_t len = 1; len < sizeof(whole) - 1; len++) {
		char *text = slice_dup(slice_of(whole, len));
		struct checkpoint c;

		assert_int_equal(read_text(*state, text, &c), -1);
		checkpoint_fini(&c);
		free(text);
	}
}

static void
a_checkpoint_text_reads_back(void **state)
{
	struct checkpoint c, d;
	char *text;

	checkpoint_init(&c);
	for (int32_t i = 0; i < 100; i++)
		checkpoint_add(&c, slice_str(i % 2 ? "odd" : "even"), i,
		    (int64_t)i << 40);
	text = checkpoint_text(&c);
	assert_memory_equal(text, "0\n100\neven 0 0\n", 15);
	assert_int_equal(read_text(*state, text, &d), 0);
	for (int32_t i = 0; i < 100; i++)
		assert_int_equal(checkpoint_find(&d,
				     slice_str(i % 2 ? "odd" : "even"), i,
				     -1),
		    (int64_t)i << 40);
	checkpoint_fini(&c);
	checkpoint_fini(&d);
	free(text);
}

/* --- meta.properties ----------------------------------------------------- */

static int
meta_read(const char *dir, const char *text, struct meta_properties *meta,
    char **why)
{
	temp_dir_put(dir, META_PROPERTIES_FILE, text);
	meta_properties_init(meta);
	return meta_properties_read(meta, disk_posix(), dir, why);
}

static void
meta_properties_of_kafka_are_read(void **state)
{
	struct meta_properties meta;
	char text[UUID_TEXT_LEN + 1], *why;

	assert_int_equal(meta_read(*state,
			     "#\n#Sat Jul 25 10:00:00 UTC 2026\n"
			     "cluster.id=go1denC1usterId0123456\n"
			     "directory.id=JsnDDlzSSLWAPgwEYBGOrw\n"
			     "node.id=1\nversion=1\n",
			     &meta, &why),
	    0);
	assert_int_equal(meta.version, 1);
	assert_int_equal(meta.node_id, 1);
	assert_string_equal(meta.cluster_id, "go1denC1usterId0123456");
	uuid_format(meta.directory_id, text);
	assert_string_equal(text, "JsnDDlzSSLWAPgwEYBGOrw");
	meta_properties_fini(&meta);
	assert_int_equal(meta_read(*state,
			     "version=0\nbroker.id=3\ncluster.id=x\n", &meta,
			     &why),
	    0);
	assert_int_equal(meta.version, 0);
	assert_int_equal(meta.node_id, 3);
	assert_true(uuid_is_zero(meta.directory_id));
	meta_properties_fini(&meta);
}

static void
bad_meta_properties_say_why(void **state)
{
	static const char *const bad[][2] = {
		{ "", "it is empty" },
		{ "# nothing\n", "it is empty" },
		{ "cluster.id=x\nnode.id=1\n", "version is missing" },
		{ "version=2\n", "version is 2, known are 0 and 1" },
		{ "version=1\ncluster.id=x\n", "node.id is missing" },
		{ "version=1\nnode.id=-1\n", "node.id is no number: -1" },
		{ "version=1\nnode.id=1\n", "cluster.id is missing" },
		{ "version=1\nnode.id=1\ncluster.id=x\ndirectory.id=short\n",
		    "directory.id is no id: short" },
		{ "version=1\nnode.id=\\u00\n", "line 2 is no property" },
	};

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct meta_properties meta;
		char *why;

		assert_int_equal(meta_read(*state, bad[i][0], &meta, &why),
		    -1);
		assert_int_equal(errno, EBADMSG);
		assert_string_equal(why, bad[i][1]);
		assert_null(meta.cluster_id);
		free(why);
		meta_properties_fini(&meta);
	}
}

static void
written_meta_properties_read_back(void **state)
{
	struct meta_properties meta, back;
	char *why, *text;

	meta_properties_init(&meta);
	meta.node_id = 7;
	meta.cluster_id = xstrdup("any = cluster: id");
	memset(meta.directory_id.bytes, 0x5a, 16);
	assert_int_equal(meta_properties_write(&meta, disk_posix(), *state),
	    0);
	text = temp_dir_get(*state, META_PROPERTIES_FILE);
	assert_memory_equal(text, "#\n#", 3);
	meta_properties_init(&back);
	assert_int_equal(meta_properties_read(&back, disk_posix(), *state,
			     &why),
	    0);
	assert_int_equal(back.version, 1);
	assert_int_equal(back.node_id, 7);
	assert_string_equal(back.cluster_id, meta.cluster_id);
	assert_true(uuid_equal(back.directory_id, meta.directory_id));
	free(text);
	meta_properties_fini(&meta);
	meta_properties_fini(&back);
}

static void
missing_meta_properties_are_told_from_bad_ones(void **state)
{
	struct meta_properties meta;
	char *why;

	meta_properties_init(&meta);
	assert_int_equal(meta_properties_read(&meta, disk_posix(), *state,
			     &why),
	    -1);
	assert_int_equal(errno, ENOENT);
	assert_null(why);
}

/* --- partition.metadata -------------------------------------------------- */

static void
partition_metadata_is_kafkas_43_bytes(void **state)
{
	struct uuid id, back;
	char *text;

	assert_int_equal(uuid_parse(slice_str("JsnDDlzSSLWAPgwEYBGOrw"), &id),
	    0);
	assert_int_equal(partition_metadata_write(disk_posix(), *state, id),
	    0);
	text = temp_dir_get(*state, PARTITION_METADATA_FILE);
	assert_string_equal(text,
	    "version: 0\ntopic_id: JsnDDlzSSLWAPgwEYBGOrw");
	assert_int_equal(strlen(text), 43);
	assert_int_equal(partition_metadata_read(disk_posix(), *state, &back),
	    0);
	assert_true(uuid_equal(id, back));
	free(text);
}

static void
bad_partition_metadata_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"version: 0\n",
		"version: 0\ntopic_id: ",
		"version: 0\ntopic_id: JsnDDlzSSLWAPgwEYBGOr",
		"version: 0\ntopic_id: JsnDDlzSSLWAPgwEYBGOr!",
		"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA",
		"version: 1\ntopic_id: JsnDDlzSSLWAPgwEYBGOrw",
	};
	struct uuid id;

	assert_int_equal(partition_metadata_read(disk_posix(), *state, &id),
	    -1);
	assert_int_equal(errno, ENOENT);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		temp_dir_put(*state, PARTITION_METADATA_FILE, bad[i]);
		assert_int_equal(partition_metadata_read(disk_posix(), *state,
				     &id),
		    -1);
		assert_int_equal(errno, EBADMSG);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_state_file_is_replaced_whole),
		TEST(a_state_file_is_synced_before_its_rename),
		TEST(a_removed_state_file_is_gone),
		TEST(a_checkpoint_finds_its_entries),
		TEST(no_checkpoint_and_an_empty_one_have_no_entries),
		TEST(malformed_checkpoints_are_refused),
		TEST(a_cut_checkpoint_is_never_believed),
		TEST(a_checkpoint_text_reads_back),
		TEST(meta_properties_of_kafka_are_read),
		TEST(bad_meta_properties_say_why),
		TEST(written_meta_properties_read_back),
		TEST(missing_meta_properties_are_told_from_bad_ones),
		TEST(partition_metadata_is_kafkas_43_bytes),
		TEST(bad_partition_metadata_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
