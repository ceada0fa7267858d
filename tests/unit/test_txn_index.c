/* The .txnindex file. */
#include "unit/store_fixture.h"

#include "store/txn_index.c"

#include <stdio.h>
#include <unistd.h>

static const uint8_t golden[2 * TXN_INDEX_ENTRY_LEN] = {
	/* version 0, producer 3, offsets 3 to 6, last stable offset 0 */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 3,
	0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0,
	/* producer 3, offsets 11 to 13, last stable offset 14 */
	0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 11,
	0, 0, 0, 0, 0, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0, 14
};

static void
check_read(struct fixture *fixture, const uint8_t *data, size_t len,
    int64_t base_offset, int error, size_t count)
{
	char *path = fixture_file(fixture, "x.txnindex");
	struct txn_index index;

	txn_index_init(&index);
	assert_int_equal(
	    disk_write_file(disk_posix(), path, data, len, 0644), 0);
	errno = 0;
	assert_int_equal(
	    txn_index_read(&index, disk_posix(), path, base_offset),
	    error == 0 ? 0 : -1);
	if (error != 0)
		assert_int_equal(errno, error);
	assert_int_equal(index.count, count);
	txn_index_fini(&index);
	free(path);
}

static void
reads_what_kafka_writes(void **state)
{
	check_read(*state, golden, sizeof(golden), 0, 0, 2);
	check_read(*state, golden, sizeof(golden), 6, 0, 2);
	check_read(*state, golden, 0, 0, 0, 0);
}

static void
believes_nothing_else(void **state)
{
	uint8_t data[sizeof(golden)];

	check_read(*state, golden, sizeof(golden) - 1, 0, EBADMSG, 0);
	check_read(*state, golden, sizeof(golden), 7, EBADMSG, 0);
	memcpy(data, golden, sizeof(data));
	data[1] = 1;
	check_read(*state, data, sizeof(data), 0, EBADMSG, 0);
	/* The second marker in front of the first. */
	memcpy(data, golden, sizeof(data));
	data[TXN_INDEX_ENTRY_LEN + 25] = 5;
	data[TXN_INDEX_ENTRY_LEN + 17] = 5;
	check_read(*state, data, sizeof(data), 0, EBADMSG, 0);
}

static void
writes_what_kafka_writes(void **state)
{
	const struct txn_index_entry entries[] = {
		{ 3, 3, 6, 0 },
		{ 3, 11, 13, 14 },
	};
	char *path = fixture_file(*state, "x.txnindex");
	struct txn_index index;
	uint8_t *data;
	size_t len;

	txn_index_init(&index);
	for (size_t i = 0; i < COUNT_OF(entries); i++)
		txn_index_append(&index, &entries[i]);
	assert_int_equal(txn_index_write(&index, disk_posix(), path), 0);
	data = disk_read_file(disk_posix(), path, SIZE_MAX, &len);
	assert_int_equal(len, sizeof(golden));
	assert_memory_equal(data, golden, sizeof(golden));
	free(data);
	txn_index_fini(&index);
	free(path);
}

static void
looks_up_by_marker(void **state)
{
	static const struct txn_index_entry entries[] = {
		{ 7, 90, 110, 95 },
		{ 8, 95, 120, 121 },
		{ 7, 130, 140, 141 },
	};
	char *path = fixture_file(*state, "x.txnindex");
	struct txn_index index;

	txn_index_init(&index);
	for (size_t i = 0; i < COUNT_OF(entries); i++)
		txn_index_append(&index, &entries[i]);
	assert_int_equal(txn_index_find(&index, 0), 0);
	assert_int_equal(txn_index_find(&index, 110), 0);
	assert_int_equal(txn_index_find(&index, 111), 1);
	assert_int_equal(txn_index_find(&index, 140), 2);
	assert_int_equal(txn_index_find(&index, 141), 3);
	txn_index_truncate(&index, 120);
	assert_int_equal(index.count, 1);
	assert_int_equal(txn_index_write(&index, disk_posix(), path), 0);
	assert_int_equal(access(path, F_OK), 0);
	/* Without entries there is no file. */
	txn_index_truncate(&index, 0);
	assert_int_equal(txn_index_write(&index, disk_posix(), path), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(txn_index_write(&index, disk_posix(), path), 0);
	txn_index_fini(&index);
	free(path);
}

static void
is_often_not_there(void **state)
{
	char *path = fixture_file(*state, "none.txnindex");
	struct txn_index index;

	txn_index_init(&index);
	assert_int_equal(txn_index_read(&index, disk_posix(), path, 0), -1);
	assert_int_equal(errno, ENOENT);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_what_kafka_writes,
		    fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(believes_nothing_else,
		    fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(writes_what_kafka_writes,
		    fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(looks_up_by_marker,
		    fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(is_often_not_there,
		    fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
