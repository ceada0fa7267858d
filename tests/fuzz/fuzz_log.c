/*
 * A log's directory with any bytes in it: it opens or is refused, everything
 * in it is read or called damaged, and after an append and an orderly stop it
 * is the same.
 *
 * Input: a byte of flags (1: after an orderly stop, 2: make the batches'
 * checksums right), a byte for the recovery point, then with two bytes of
 * length each the files .index, .timeindex, leader-epoch-checkpoint and a
 * producer snapshot; the rest is the .log file.
 */
#include "base/base.h"
#include "base/buf.h"
#include "base/log.h"
#include "fuzz/input.h"
#include "store/disk_posix.h"
#include "store/fd_cache.h"
#include "store/log.h"
#include "wire/batch_builder.h"

#include <stdio.h>
#include <unistd.h>

#define NOW_MS INT64_C(1800000000000)
#define SECTIONS 4

static const char *const names[SECTIONS] = { "00000000000000000000.index",
	"00000000000000000000.timeindex", LEADER_EPOCHS_FILE,
	"00000000000000000003.snapshot" };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *directory;

static void
drop_directory(void)
{
	assert(disk_remove_dir(disk_posix(), directory) == 0);
	free(directory);
}

static void
make_directory(void)
{
	const char *tmp = getenv("TMPDIR");

	if (directory != NULL)
		return;
	log_set_level(LOG_FATAL);
	directory = xasprintf("%s/klamm-fuzz-%d", tmp == NULL ? "/tmp" : tmp,
	    (int)getpid());
	atexit(drop_directory);
}

static void
write_file(const char *name, struct slice bytes)
{
	char *path = xasprintf("%s/%s", directory, name);

	assert(disk_write_file(
		   disk_posix(), path, bytes.data, bytes.len, 0644) == 0);
	free(path);
}

static void
write_log(struct slice bytes, bool sealed)
{
	uint8_t *copy = xmalloc(bytes.len);

	if (bytes.len > 0)
		memcpy(copy, bytes.data, bytes.len);
	if (sealed)
		fuzz_seal_batches(copy, bytes.len);
	write_file("00000000000000000000.log", slice_of(copy, bytes.len));
	free(copy);
}

/* Behind the last whole batch of what was read; it goes up. */
static int64_t
next_offset(const struct log_read *read)
{
	uint8_t *data = xmalloc(read->len);
	struct slice left = slice_of(data, read->len);
	int64_t next = read->offset;
	struct batch batch;

	assert(pread(read->fd, data, read->len, read->position) ==
	    (ssize_t)read->len);
	while (batch_read(left, &batch) == 0) {
		next = MAX(next, batch.last_offset + 1);
		left.data += batch.size_bytes;
		left.len -= batch.size_bytes;
	}
	free(data);
	return MAX(next, read->offset + 1);
}

/* Read all; where it is damaged try a few offsets behind. */
static void
read_all(struct log *log)
{
	struct log_read read = { .offset = log_start_offset(log),
		.upper_bound = log_end_offset(log),
		.min_one_batch = true,
		.max_bytes = 1000 };
	int damaged = 0;

	while (damaged < 20) {
		enum kp_error error;

		log_lock(log);
		error = log_read(log, &read);
		log_unlock(log);
		if (error == KP_NONE && read.unresolved)
			error = log_read_resolve(&read);
		if (error == KP_NONE && read.len == 0)
			break;
		if (error != KP_NONE) {
			assert(error == KP_CORRUPT_MESSAGE ||
			    error == KP_OFFSET_OUT_OF_RANGE);
			damaged++;
			read.offset++;
			continue;
		}
		read.offset = next_offset(&read);
		log_read_release(&read);
	}
}

static void
find_times(struct log *log)
{
	static const int64_t times[] = { 0, NOW_MS, LOG_TIMESTAMP_MAX };
	struct log_position found;

	for (size_t i = 0; i < COUNT_OF(times); i++) {
		enum kp_error error = log_find_timestamp(
		    log, times[i], log_end_offset(log), &found);

		assert(error == KP_NONE || error == KP_CORRUPT_MESSAGE);
		assert(found.offset < log_end_offset(log));
	}
}

static void
append_one(struct log *log)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct log_append append = { .origin = LOG_COORDINATOR,
		.leader_epoch = INT32_MAX,
		.now_ms = NOW_MS };
	struct batch_builder builder;
	struct buf bytes;

	buf_init(&bytes, 1000);
	batch_builder_init(&builder, &options, &bytes);
	assert(batch_builder_add(&builder, NOW_MS, SLICE_NULL, SLICE_NULL) ==
	    0);
	assert(batch_builder_finish(&builder) == 0);
	append.data = bytes.data;
	append.len = bytes.len;
	log_lock(log);
	assert(log_append(log, &append) == KP_NONE);
	log_unlock(log);
	buf_fini(&bytes);
}

static void
live(struct log_open *open)
{
	struct log *log = log_open(open);
	int64_t end;

	if (log == NULL)
		return;
	read_all(log);
	find_times(log);
	append_one(log);
	end = log_end_offset(log);
	assert(log_close(log) == 0);
	open->clean = true;
	open->recovery_point = end;
	log = log_open(open);
	assert(log != NULL && log_end_offset(log) == end);
	read_all(log);
	log_free(log);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = slice_of(data, size);
	struct log_open open = { .disk = disk_posix(), .now_ms = NOW_MS };

	if (size < 2)
		return 0;
	make_directory();
	assert(disk_remove_dir(disk_posix(), directory) == 0);
	assert(disk_mkdir(disk_posix(), directory, 0755) == 0);
	fuzz_take(&input, 2);
	for (size_t i = 0; i < SECTIONS; i++)
		write_file(names[i], fuzz_take_section(&input));
	write_log(input, (data[0] & 2) != 0);
	log_settings_init(&open.settings);
	open.files = fd_cache_new(disk_posix(), 4);
	open.path = directory;
	open.clean = (data[0] & 1) != 0;
	open.recovery_point = data[1];
	live(&open);
	fd_cache_free(open.files);
	return 0;
}
