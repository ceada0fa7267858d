#include "unit/store_fixture.h"

#include "wire/batch_builder.h"
#include "wire/batch_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

static int
remove_entry(const char *path, const struct stat *st UNUSED, int type UNUSED,
    struct FTW *ftw UNUSED)
{
	return remove(path);
}

void
fixture_remove_tree(const char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static char *
make_root(void)
{
	const char *tmp = getenv("TMPDIR");
	char *root =
	    xasprintf("%s/klamm-test-XXXXXX", tmp == NULL ? "/tmp" : tmp);

	assert_non_null(mkdtemp(root));
	return root;
}

void
fixture_init(struct fixture *fixture)
{
	*fixture = (struct fixture){ .root = make_root() };
	fixture->path = xasprintf("%s/topic-0", fixture->root);
	disk_fault_init(&fixture->fault, disk_posix());
	fixture->files = fd_cache_new(&fixture->fault.disk, 16);
	fixture->open = (struct log_open){
		.disk = &fixture->fault.disk,
		.files = fixture->files,
		.path = fixture->path,
		.now_ms = FIXTURE_NOW_MS,
	};
	log_settings_init(&fixture->open.settings);
	fixture->log = log_create(
	    &fixture->open, (struct uuid){ { 1, 2, 3, 4, 5, 6, 7, 8, 9 } });
	assert_non_null(fixture->log);
}

void
fixture_fini(struct fixture *fixture)
{
	log_free(fixture->log);
	fd_cache_free(fixture->files);
	disk_fault_fini(&fixture->fault);
	fixture_remove_tree(fixture->root);
	free(fixture->path);
	free(fixture->root);
}

int
fixture_setup(void **state)
{
	struct fixture *fixture = xmalloc(sizeof(*fixture));

	fixture_init(fixture);
	*state = fixture;
	return 0;
}

int
fixture_teardown(void **state)
{
	fixture_fini(*state);
	free(*state);
	return 0;
}

void
fixture_open(struct fixture *fixture)
{
	assert_null(fixture->log);
	fixture->log = log_open(&fixture->open);
	assert_non_null(fixture->log);
	log_high_watermark_set(fixture->log, log_end_offset(fixture->log));
}

void
fixture_restart(struct fixture *fixture)
{
	fixture->open.recovery_point = log_end_offset(fixture->log);
	fixture->open.log_start_offset = log_start_offset(fixture->log);
	fixture->open.clean = true;
	assert_int_equal(log_close(fixture->log), 0);
	fixture->log = NULL;
	fixture_open(fixture);
}

void
fixture_kill(struct fixture *fixture, int64_t recovery_point)
{
	fixture->open.recovery_point = recovery_point;
	fixture->open.log_start_offset = log_start_offset(fixture->log);
	fixture->open.clean = false;
	log_free(fixture->log);
	fixture->log = NULL;
	fixture_open(fixture);
}

void
fixture_batch(struct buf *out, const struct fixture_batch *batch)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	size_t len = batch->value_len == 0 ? 10 : batch->value_len;
	int count = batch->count == 0 ? 1 : batch->count;
	uint8_t *value = xcalloc(1, len);
	struct batch_builder builder;

	memset(value, 'v', len);
	if (batch->has_producer) {
		options.producer_id = batch->producer_id;
		options.producer_epoch = batch->producer_epoch;
		options.base_sequence = batch->base_sequence;
		options.transactional = batch->transactional;
	}
	batch_builder_init(&builder, &options, out);
	for (int i = 0; i < count; i++)
		assert_int_equal(
		    batch_builder_add(&builder, batch->timestamp_ms + i,
			SLICE_NULL, slice_of(value, len)),
		    0);
	assert_int_equal(batch_builder_finish(&builder), 0);
	free(value);
}

enum kp_error
fixture_append(struct fixture *fixture, const struct fixture_batch *batch,
    struct log_append *append)
{
	enum kp_error error;
	struct buf bytes;

	buf_init(&bytes, 64 << 20);
	fixture_batch(&bytes, batch);
	*append = (struct log_append){
		.data = bytes.data,
		.len = bytes.len,
		.leader_epoch = 3,
		.origin = LOG_CLIENT,
		.now_ms = fixture->open.now_ms,
	};
	log_lock(fixture->log);
	error = log_append(fixture->log, append);
	log_unlock(fixture->log);
	append->data = NULL;
	buf_fini(&bytes);
	return error;
}

int64_t
fixture_must_append(struct fixture *fixture, const struct fixture_batch *batch)
{
	struct log_append append;

	assert_int_equal(fixture_append(fixture, batch, &append), KP_NONE);
	log_lock(fixture->log);
	log_high_watermark_set(fixture->log, log_end_offset(fixture->log));
	log_unlock(fixture->log);
	return append.base_offset;
}

enum kp_error
fixture_read(struct fixture *fixture, int64_t offset, size_t max_bytes,
    uint8_t **data, size_t *len)
{
	struct log_read read = {
		.offset = offset,
		.upper_bound = INT64_MAX,
		.max_bytes = max_bytes,
		.min_one_batch = true,
	};
	enum kp_error error;

	*data = NULL;
	*len = 0;
	log_lock(fixture->log);
	error = log_read(fixture->log, &read);
	log_unlock(fixture->log);
	if (error == KP_NONE && read.unresolved)
		error = log_read_resolve(&read);
	if (error != KP_NONE)
		return error;
	*len = read.len;
	*data = xmalloc(read.len);
	if (read.len > 0)
		assert_int_equal(pread(read.fd, *data, read.len, read.position),
		    (ssize_t)read.len);
	log_read_release(&read);
	return KP_NONE;
}

/* The records of the whole batches in bytes, which must go up from *offset. */
static int64_t
count_records(struct slice bytes, int64_t *offset)
{
	struct batch_reader reader;
	struct record record;
	struct buf scratch;
	struct batch batch;
	int64_t count = 0;

	buf_init(&scratch, 64 << 20);
	while (batch_read(bytes, &batch) == 0) {
		assert_true(
		    batch_crc_valid(slice_of(bytes.data, batch.size_bytes)));
		assert_int_equal(
		    batch_reader_open(&reader, bytes, &scratch), KP_NONE);
		while (batch_reader_next(&reader, &record)) {
			if (record.offset < *offset)
				continue;
			*offset = record.offset + 1;
			count++;
		}
		assert_int_equal(reader.error, KP_NONE);
		*offset = MAX(*offset, batch.last_offset + 1);
		bytes.data += batch.size_bytes;
		bytes.len -= batch.size_bytes;
	}
	buf_fini(&scratch);
	return count;
}

int64_t
fixture_count_records(struct fixture *fixture, int64_t from, size_t max_bytes)
{
	int64_t count = 0;
	uint8_t *data;
	size_t len;

	for (;;) {
		assert_int_equal(
		    fixture_read(fixture, from, max_bytes, &data, &len),
		    KP_NONE);
		if (len == 0)
			break;
		count += count_records(slice_of(data, len), &from);
		free(data);
	}
	free(data);
	return count;
}

char *
fixture_file(const struct fixture *fixture, const char *name)
{
	return xasprintf("%s/%s", fixture->path, name);
}

int64_t
fixture_file_size(const struct fixture *fixture, const char *name)
{
	char *path = fixture_file(fixture, name);
	struct stat st;
	int result = stat(path, &st);

	free(path);
	return result == 0 ? (int64_t)st.st_size : -1;
}

void
fixture_poke(const struct fixture *fixture, const char *name, int64_t position,
    const void *data, size_t len)
{
	char *path = fixture_file(fixture, name);
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, position), (ssize_t)len);
	close(fd);
	free(path);
}
