/*
 * What tests of store/ need around a log: a directory that goes away, a disk
 * that fails on demand, batches, and a view of what a log has.
 */
#ifndef UNIT_STORE_FIXTURE_H
#define UNIT_STORE_FIXTURE_H

#include "unit/unit.h"

#include "base/buf.h"
#include "store/disk_posix.h"
#include "store/fd_cache.h"
#include "store/log.h"
#include "unit/disk_fault.h"
#include "wire/batch.h"

#define FIXTURE_NOW_MS INT64_C(1800000000000)

struct fixture {
	char *root;		/* a temporary directory */
	char *path;		/* of the log, root/topic-0 */
	struct disk_fault fault;
	struct fd_cache *files;
	struct log_open open;	/* how the log was and is opened */
	struct log *log;	/* or NULL */
};

/* An empty directory and an open log; settings start from the defaults. */
void fixture_init(struct fixture *fixture);
void fixture_fini(struct fixture *fixture);

/* cmocka's setup and teardown; *state is the fixture. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Close in order and open again, as after an orderly stop. */
void fixture_restart(struct fixture *fixture);

/* Drop the log as kill -9 does, and open it with this recovery point. */
void fixture_kill(struct fixture *fixture, int64_t recovery_point);

/* Open the log as fixture->open says. */
void fixture_open(struct fixture *fixture);

/* What a batch of a test is made of; zero fields mean the usual. */
struct fixture_batch {
	int count;		/* records, 1 if 0 */
	size_t value_len;	/* of each, 10 if 0 */
	int64_t timestamp_ms;	/* of the first; the others one later each */
	bool has_producer;
	bool transactional;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
};

/* Append the batch's bytes to out. */
void fixture_batch(struct buf *out, const struct fixture_batch *batch);

/* Append one batch as a client; the error. */
enum kp_error fixture_append(struct fixture *fixture,
    const struct fixture_batch *batch, struct log_append *append);

/* The same, which must succeed; the base offset. */
int64_t fixture_must_append(struct fixture *fixture,
    const struct fixture_batch *batch);

/* Read from offset up to the log's end; the heap bytes, or an error. */
enum kp_error fixture_read(struct fixture *fixture, int64_t offset,
    size_t max_bytes, uint8_t **data, size_t *len);

/* Read the whole log by reads of max_bytes; the number of records. */
int64_t fixture_count_records(struct fixture *fixture, int64_t from,
    size_t max_bytes);

/* The path of a file in the log's directory; the caller frees it. */
char *fixture_file(const struct fixture *fixture, const char *name);

/* The size of a file in the log's directory, -1 where there is none. */
int64_t fixture_file_size(const struct fixture *fixture, const char *name);

/* Overwrite len bytes of a file in the log's directory. */
void fixture_poke(const struct fixture *fixture, const char *name,
    int64_t position, const void *data, size_t len);

/* Remove a directory with all that is in it. */
void fixture_remove_tree(const char *path);

#endif
