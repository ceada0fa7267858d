/* Leader epochs: assignment, lookups, truncation, the file. */
#include "unit/unit.h"

#include "base/rng.h"
#include "store/disk_posix.h"
#include "store/leader_epochs.c"
#include "unit/temp_dir.h"

/* Do the entries read "epoch@offset ..."? */
static void
expect(const struct leader_epochs *epochs, const char *text)
{
	char buffer[512] = "", *end = buffer;

	for (size_t i = 0; i < epochs->count; i++)
		end += snprintf(end, (size_t)(buffer + 512 - end), "%s%d@%lld",
		    i == 0 ? "" : " ", epochs->entries[i].epoch,
		    (long long)epochs->entries[i].start_offset);
	assert_string_equal(buffer, text);
}

static void
expect_end(const struct leader_epochs *epochs, int32_t epoch, int32_t found,
    int64_t end_offset)
{
	struct leader_epoch_end end = leader_epochs_end_offset(epochs, epoch,
	    100);

	assert_int_equal(end.epoch, found);
	assert_int_equal(end.end_offset, end_offset);
}

/* Epochs 2, 4 and 7 of a log that ends at 100. */
static void
three_epochs(struct leader_epochs *epochs)
{
	leader_epochs_init(epochs);
	leader_epochs_assign(epochs, 2, 0);
	leader_epochs_assign(epochs, 4, 10);
	leader_epochs_assign(epochs, 7, 30);
	expect(epochs, "2@0 4@10 7@30");
}

static void
assign_removes_what_contradicts(void **state UNUSED)
{
	struct leader_epochs epochs;

	three_epochs(&epochs);
	epochs.dirty = false;
	leader_epochs_assign(&epochs, 7, 30);
	leader_epochs_assign(&epochs, 7, 90);
	assert_false(epochs.dirty);
	leader_epochs_assign(&epochs, 8, 30);
	assert_true(epochs.dirty);
	expect(&epochs, "2@0 4@10 8@30");
	leader_epochs_assign(&epochs, 8, 20);
	expect(&epochs, "2@0 4@10 8@20");
	leader_epochs_assign(&epochs, 4, 40);
	expect(&epochs, "2@0 4@40");
	leader_epochs_assign(&epochs, 9, 0);
	expect(&epochs, "9@0");
	leader_epochs_fini(&epochs);
}

static void
end_offsets_follow_kafkas_rules(void **state UNUSED)
{
	struct leader_epochs epochs;

	leader_epochs_init(&epochs);
	expect_end(&epochs, 0, -1, -1);
	three_epochs(&epochs);
	expect_end(&epochs, -1, -1, -1);
	expect_end(&epochs, -2, -2, 0);
	expect_end(&epochs, 0, 0, 0);
	expect_end(&epochs, 1, 1, 0);
	expect_end(&epochs, 2, 2, 10);
	expect_end(&epochs, 3, 2, 10);
	expect_end(&epochs, 4, 4, 30);
	expect_end(&epochs, 6, 4, 30);
	expect_end(&epochs, 7, 7, 100);
	expect_end(&epochs, 8, -1, -1);
	assert_int_equal(leader_epochs_latest(&epochs), 7);
	leader_epochs_fini(&epochs);
}

static void
offsets_have_an_epoch(void **state UNUSED)
{
	struct leader_epochs epochs;

	three_epochs(&epochs);
	assert_int_equal(leader_epochs_at(&epochs, 0), 2);
	assert_int_equal(leader_epochs_at(&epochs, 9), 2);
	assert_int_equal(leader_epochs_at(&epochs, 10), 4);
	assert_int_equal(leader_epochs_at(&epochs, 1000), 7);
	leader_epochs_truncate_start(&epochs, 5);
	assert_int_equal(leader_epochs_at(&epochs, 4), -1);
	leader_epochs_fini(&epochs);
}

static void
truncation_cuts_both_ends(void **state UNUSED)
{
	struct leader_epochs epochs;

	three_epochs(&epochs);
	epochs.dirty = false;
	leader_epochs_truncate_end(&epochs, 31);
	leader_epochs_truncate_start(&epochs, 0);
	assert_false(epochs.dirty);
	leader_epochs_truncate_end(&epochs, 30);
	expect(&epochs, "2@0 4@10");
	assert_true(epochs.dirty);
	leader_epochs_truncate_start(&epochs, 5);
	expect(&epochs, "2@5 4@10");
	leader_epochs_truncate_start(&epochs, 10);
	expect(&epochs, "4@10");
	leader_epochs_truncate_start(&epochs, 50);
	expect(&epochs, "4@50");
	leader_epochs_truncate_end(&epochs, 0);
	expect(&epochs, "");
	assert_int_equal(leader_epochs_latest(&epochs), -1);
	leader_epochs_fini(&epochs);
}

/* The epoch of each offset, kept in an array, against the entries. */
static void
entries_agree_with_an_array(void **state UNUSED)
{
	int32_t model[400];
	struct leader_epochs epochs;
	struct rng rng;
	int32_t epoch = 0;
	int64_t end = 0;

	rng_init(&rng, 11);
	leader_epochs_init(&epochs);
	for (int step = 0; step < 20000; step++) {
		if (rng_below(&rng, 4) == 0 && end > 0) {
			end = (int64_t)rng_below(&rng, (uint64_t)end);
			leader_epochs_truncate_end(&epochs, end);
			epoch++;
		} else if (end < 400) {
			epoch += rng_below(&rng, 3) == 0;
			model[end] = epoch;
			leader_epochs_assign(&epochs, epoch, end++);
		}
		for (int64_t offset = 0; offset < end; offset += 7)
			assert_int_equal(leader_epochs_at(&epochs, offset),
			    model[offset]);
	}
	leader_epochs_fini(&epochs);
}

static void
the_file_reads_back(void **state UNUSED)
{
	struct leader_epochs epochs, back;
	char *dir = temp_dir_make(), *text;

	three_epochs(&epochs);
	text = leader_epochs_text(&epochs);
	assert_false(epochs.dirty);
	assert_string_equal(text, "0\n3\n2 0\n4 10\n7 30\n");
	assert_int_equal(leader_epochs_text_write(text, disk_posix(), dir), 0);
	leader_epochs_init(&back);
	leader_epochs_assign(&back, 9, 9);
	assert_int_equal(leader_epochs_read(&back, disk_posix(), dir), 0);
	expect(&back, "2@0 4@10 7@30");
	assert_false(back.dirty);
	free(text);
	leader_epochs_fini(&epochs);
	leader_epochs_fini(&back);
	temp_dir_remove(dir);
}

static void
bad_files_are_told(void **state UNUSED)
{
	static const char *const bad[] = {
		"0\n2\n2 0\n",
		"0\n2\n2 0\n2 5\n",
		"0\n2\n2 5\n3 5\n",
		"0\n1\n-1 5\n",
		"0\n1\n2147483648 5\n",
		"0\n1\n1 5",
		"1\n1\n1 5\n",
	};
	struct leader_epochs epochs;
	char *dir = temp_dir_make();

	leader_epochs_init(&epochs);
	assert_int_equal(leader_epochs_read(&epochs, disk_posix(), dir), 0);
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		temp_dir_put(dir, LEADER_EPOCHS_FILE, bad[i]);
		assert_int_equal(leader_epochs_read(&epochs, disk_posix(),
				     dir),
		    -1);
		assert_int_equal(errno, EBADMSG);
		assert_int_equal(epochs.count, 0);
	}
	temp_dir_put(dir, LEADER_EPOCHS_FILE, "");
	assert_int_equal(leader_epochs_read(&epochs, disk_posix(), dir), 0);
	leader_epochs_fini(&epochs);
	temp_dir_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(assign_removes_what_contradicts),
		cmocka_unit_test(end_offsets_follow_kafkas_rules),
		cmocka_unit_test(offsets_have_an_epoch),
		cmocka_unit_test(truncation_cuts_both_ends),
		cmocka_unit_test(entries_agree_with_an_array),
		cmocka_unit_test(the_file_reads_back),
		cmocka_unit_test(bad_files_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
