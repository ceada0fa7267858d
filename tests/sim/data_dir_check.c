/*
 * What a start on a damaged directory may do.
 */
#include "sim/data_dir.h"

#include "base/buf.h"
#include "sim/sim_aborted.h"
#include "store/flusher.h"
#include "store/log.h"
#include "store/log_manager.h"
#include "wire/batch.h"
#include "wire/batch_builder.h"

#include <stdio.h>

struct check {
	struct data_dir *dir;
	struct sim_disk *disk;
	const struct data_damage *damage;
	struct rng *rng;
	struct data_dir_tally *tally;
	struct log_manager *manager;

	/* Of the log that is looked at. */
	const struct data_log *model;
	struct log *log;
	int64_t start;
	int64_t end;
};

static bool
has_suffix(const char *text, const char *suffix)
{
	size_t len = strlen(text), suffix_len = strlen(suffix);

	return len >= suffix_len &&
	    strcmp(text + len - suffix_len, suffix) == 0;
}

static bool
is_damaged(const struct check *check, const char *name)
{
	return has_suffix(check->damage->path, name);
}

/* Is the damage in a file of this log, of that kind? */
static bool
is_damaged_here(const struct check *check, const char *suffix)
{
	size_t len = strlen(check->model->topic);

	return strncmp(check->damage->path, check->model->topic, len) == 0 &&
	    check->damage->path[len] == '-' && is_damaged(check, suffix);
}

/* Did the damage hit this batch? */
static bool
is_hit(const struct check *check, const struct data_batch *batch)
{
	char name[40];
	int64_t in_batch = check->damage->position - batch->position;

	snprintf(name, sizeof(name), "%020lld.log",
	    (long long)batch->segment_base);
	return is_damaged_here(check, name) &&
	    (check->damage->position < 0 ||
		(in_batch >= 0 && in_batch < (int64_t)batch->len));
}

static bool
is_bad(const struct check *check, const struct data_batch *batch)
{
	return batch->lost || is_hit(check, batch);
}

/* The batch that has the offset; NULL behind the last one. */
static const struct data_batch *
batch_at(const struct data_log *log, int64_t offset)
{
	for (size_t i = 0; i < log->count; i++)
		if (log->batches[i].last_offset >= offset)
			return &log->batches[i];
	return NULL;
}

/* Where the log may end: at the damage, if that is no rot but a torn tail. */
static int64_t
end_min(const struct check *check)
{
	const struct data_log *model = check->model;

	for (size_t i = 0; i < model->count; i++)
		if (check->dir->end == DATA_DIR_KILLED &&
		    is_hit(check, &model->batches[i]) &&
		    (model->batches[i].base_offset >= model->recovery_point ||
			check->damage->position < 0))
			return model->batches[i].base_offset;
	return model->end_offset;
}

/* --- Reading ------------------------------------------------------------- */

static enum kp_error
read_at(struct check *check, int64_t offset, uint8_t **data, size_t *len)
{
	static const size_t sizes[] = { 1, 700, 1 << 20 };
	struct log_read read = {
		.offset = offset,
		.upper_bound = INT64_MAX,
		.max_bytes = sizes[rng_below(check->rng, COUNT_OF(sizes))],
		.min_one_batch = true,
	};
	enum kp_error error;

	log_lock(check->log);
	error = log_read(check->log, &read);
	log_unlock(check->log);
	if (error == KP_NONE && read.unresolved)
		error = log_read_resolve(&read);
	*data = NULL;
	*len = read.len;
	if (error != KP_NONE)
		return error;
	*data = xmalloc(MAX(read.len, 1));
	if (read.len > 0)
		CHECK(disk_pread(&check->disk->disk, read.fd, *data, read.len,
			  read.position) == (ssize_t)read.len);
	log_read_release(&read);
	return KP_NONE;
}

/*
 * A batch that is not as it was written.  Its checksum shows that to whoever
 * reads it, unless the bit is one that the checksum does not cover.
 */
static void
see_bad_batch(struct check *check, const struct data_batch *batch,
    struct slice bytes)
{
	CHECK(is_bad(check, batch));
	if (bytes.len < batch->len ||
	    !batch_crc_valid(slice_of(bytes.data, batch->len)))
		check->tally->bad_checksum++;
	else
		check->tally->unseen++;
}

/* Read what one answer has; the offset behind it. */
static int64_t
see_bytes(struct check *check, int64_t offset, struct slice bytes)
{
	const struct data_batch *batch = batch_at(check->model, offset);
	int64_t next = offset;

	while (batch != NULL && bytes.len >= batch->len) {
		if (memcmp(bytes.data, batch->bytes, batch->len) != 0)
			see_bad_batch(check, batch, bytes);
		next = batch->last_offset + 1;
		bytes.data += batch->len;
		bytes.len -= batch->len;
		batch = batch_at(check->model, next);
	}
	/* The first one is whole, unless its length is what was hit. */
	if (next == offset) {
		CHECK(batch != NULL);
		see_bad_batch(check, batch, bytes);
		next = batch->last_offset + 1;
	}
	return next;
}

static void
read_all(struct check *check)
{
	int64_t offset = check->start;

	while (offset < MIN(check->end, check->model->end_offset)) {
		const struct data_batch *batch =
		    batch_at(check->model, offset);
		uint8_t *data;
		size_t len;
		enum kp_error error = read_at(check, offset, &data, &len);

		if (error == KP_NONE) {
			CHECK(len > 0);
			offset =
			    see_bytes(check, offset, slice_of(data, len));
			free(data);
			continue;
		}
		CHECK(error == KP_CORRUPT_MESSAGE);
		CHECK(is_bad(check, batch));
		check->tally->corrupt++;
		offset = batch->last_offset + 1;
	}
}

/* --- By time ------------------------------------------------------------- */

/* The first record at or above the time, in batches that are whole or not. */
static int64_t
offset_at_time(
    const struct check *check, int64_t timestamp_ms, bool with_bad)
{
	const struct data_log *model = check->model;

	for (size_t i = 0; i < model->count; i++) {
		const struct data_batch *batch = &model->batches[i];
		int64_t first = MAX(batch->base_offset, check->start);

		if (batch->last_offset >= check->end ||
		    (!with_bad && is_bad(check, batch)))
			continue;
		for (; first <= batch->last_offset; first++)
			if (batch->base_timestamp_ms + first -
				batch->base_offset >= timestamp_ms)
				return first;
	}
	return -1;
}

static void
check_time(struct check *check)
{
	const struct data_log *model = check->model;
	const struct data_batch *batch =
	    &model->batches[rng_below(check->rng, model->count)];
	int64_t wanted = batch->base_timestamp_ms +
	    (int64_t)rng_below(check->rng, 3);
	struct log_position found;
	enum kp_error error = log_find_timestamp(
	    check->log, wanted, check->end, &found);

	if (error == KP_CORRUPT_MESSAGE) {
		CHECK(model == &check->dir->logs[2] ||
		    is_damaged_here(check, ".log"));
		return;
	}
	CHECK(error == KP_NONE);
	CHECK(found.offset == offset_at_time(check, wanted, false) ||
	    found.offset == offset_at_time(check, wanted, true) ||
	    is_damaged_here(check, ".log"));
}

/* --- Transactions -------------------------------------------------------- */

/* Was the transaction of this batch aborted? */
static bool
was_aborted(const struct data_log *log, const struct data_batch *batch)
{
	const struct data_batch *end = log->batches + log->count;

	for (const struct data_batch *at = batch; at < end; at++)
		if (at->control && at->producer_id == batch->producer_id)
			return !at->commit;
	return false;
}

static int64_t
stable_offset(const struct check *check)
{
	int64_t stable;

	log_lock(check->log);
	log_high_watermark_set(check->log, check->end);
	stable = log_last_stable_offset(check->log);
	log_unlock(check->log);
	return stable;
}

/* What a reader of committed records is told of what stands at offset. */
static void
check_aborted(struct check *check, int64_t offset, int64_t stable)
{
	struct log_read read = {
		.offset = offset,
		.upper_bound = stable,
		.max_bytes = 2000,
		.min_one_batch = true,
	};
	const struct data_batch *batch = batch_at(check->model, offset);
	struct txn_index aborted;
	enum kp_error error;

	log_lock(check->log);
	error = log_read(check->log, &read);
	log_unlock(check->log);
	if (error == KP_NONE && read.unresolved)
		error = log_read_resolve(&read);
	if (error != KP_NONE) {
		CHECK(error == KP_CORRUPT_MESSAGE && is_bad(check, batch));
		return;
	}
	txn_index_init(&aborted);
	error = log_read_aborted(&read, &aborted);
	if (error == KP_NONE && batch->transactional && !batch->control &&
	    !is_bad(check, batch))
		CHECK(sim_aborted_has(&aborted, batch->producer_id,
			  batch->base_offset) ==
		    was_aborted(check->model, batch));
	CHECK(error == KP_NONE || error == KP_CORRUPT_MESSAGE);
	log_read_release(&read);
	txn_index_fini(&aborted);
}

/* Where the first transaction begins that is open at the end. */
static int64_t
stable_offset_expected(const struct check *check)
{
	const struct data_log *model = check->model;
	int64_t open[4] = { -1, -1, -1, -1 };
	int64_t stable = check->end;

	for (size_t i = 0; i < model->count; i++) {
		const struct data_batch *batch = &model->batches[i];

		if (batch->base_offset >= check->end || !batch->transactional)
			continue;
		if (batch->control)
			open[batch->producer_id] = -1;
		else if (open[batch->producer_id] < 0)
			open[batch->producer_id] = batch->base_offset;
	}
	for (size_t i = 0; i < COUNT_OF(open); i++)
		if (open[i] >= 0)
			stable = MIN(stable, open[i]);
	return stable;
}

static void
check_transactions(struct check *check)
{
	int64_t stable = stable_offset(check);
	int64_t known = MIN(stable, check->model->end_offset);

	/* Producers are learnt from batches, and those may be what was hit. */
	if (!is_damaged_here(check, ".log") && check->start == 0)
		CHECK(stable == stable_offset_expected(check));
	for (int i = 0; i < 4 && known > check->start; i++)
		check_aborted(check,
		    check->start +
			(int64_t)rng_below(check->rng,
			    (uint64_t)(known - check->start)),
		    stable);
}

/* --- Epochs and producers ------------------------------------------------ */

/*
 * Is it the epoch of one of the last two batches?  That nothing contradicts it
 * lasts until the next leader begins.
 */
static bool
is_end_hit(const struct check *check)
{
	const struct data_log *model = check->model;

	for (size_t i = model->count - 2; i < model->count; i++) {
		int64_t in_batch =
		    check->damage->position - model->batches[i].position;

		if (is_hit(check, &model->batches[i]))
			return in_batch >= 12 && in_batch < 16;
	}
	return false;
}

static void
check_epochs(const struct check *check)
{
	const struct data_log *model = check->model;

	for (size_t i = 0; i < model->count; i++) {
		const struct data_batch *batch = &model->batches[i];

		if (batch->base_offset < check->start ||
		    batch->last_offset >= check->end ||
		    is_bad(check, batch) ||
		    leader_epochs_at(log_leader_epochs(check->log),
			batch->last_offset) == batch->epoch)
			continue;
		CHECK(is_end_hit(check));
		check->tally->unseen++;
	}
}

static void
check_producers(const struct check *check)
{
	const struct data_log *model = check->model;
	const struct producer *producer;
	int32_t last = -1;

	if (is_damaged_here(check, ".log"))
		return;
	for (size_t i = 0; i < model->count; i++)
		if (model->batches[i].producer_id == 0)
			last = model->batches[i].last_sequence;
	if (last < 0 || check->start > 0)
		return;
	producer = producer_state_find(log_producers(check->log), 0);
	CHECK(producer != NULL && producer->batch_count > 0);
	CHECK(producer->batches[producer->batch_count - 1].last_sequence ==
	    last);
}

/* --- Going on ------------------------------------------------------------ */

/* Offsets are new ones, and what is there now is read. */
static void
check_append(struct check *check)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct log_append append = {
		.leader_epoch = 100,
		.origin = LOG_CLIENT,
		.now_ms = 1800000900000,
	};
	struct batch_builder builder;
	uint8_t *data;
	struct buf bytes;
	size_t len;

	buf_init(&bytes, 1 << 20);
	batch_builder_init(&builder, &options, &bytes);
	CHECK(batch_builder_add(&builder, append.now_ms, SLICE_NULL,
		  slice_str("new")) == 0);
	CHECK(batch_builder_finish(&builder) == 0);
	append.data = bytes.data;
	append.len = bytes.len;
	log_lock(check->log);
	CHECK(log_append(check->log, &append) == KP_NONE);
	log_unlock(check->log);
	CHECK(append.base_offset == check->end);
	CHECK(read_at(check, check->end, &data, &len) == KP_NONE);
	CHECK(len == bytes.len && memcmp(data, bytes.data, len) == 0);
	free(data);
	buf_fini(&bytes);
}

/* --- A log --------------------------------------------------------------- */

static bool
is_set_aside(struct check *check)
{
	return check->end == 0 && is_damaged_here(check, "partition.metadata");
}

static void
check_offsets(const struct check *check)
{
	if (is_damaged(check, "log-start-offset-checkpoint"))
		CHECK(check->start <= check->end);
	else
		CHECK(check->start == 0 || check->damage->position < 0);
	CHECK(check->end >= end_min(check));
}

static void
check_log(struct check *check, const struct data_log *model)
{
	const struct log_manager_place place = { .is_new = true };
	struct log_settings settings;
	struct uuid id = model->id;

	check->model = model;
	CHECK(data_dir_wanted(check->dir, slice_str(model->topic), 0, &id,
	    &settings));
	CHECK(log_manager_create(check->manager, slice_str(model->topic), 0,
		  id, &place, &settings, &check->log) == KP_NONE);
	check->start = log_start_offset(check->log);
	check->end = log_end_offset(check->log);
	if (is_set_aside(check)) {
		check->tally->set_aside++;
	} else {
		check_offsets(check);
		read_all(check);
		check_time(check);
		check_transactions(check);
		check_epochs(check);
		check_producers(check);
		check_append(check);
	}
	log_manager_release(check->manager, check->log);
}

/* --- A start ------------------------------------------------------------- */

/* Where a file of this kind is not believed nobody can go on without it. */
static bool
may_be_refused(const struct check *check)
{
	return strncmp(check->damage->path, "__cluster_metadata-0/", 21) ==
	    0 ||
	    (strchr(check->damage->path, '/') == NULL &&
		(is_damaged(check, "-checkpoint") ||
		    is_damaged(check, ".checkpoint") ||
		    is_damaged(check, "meta.properties")));
}

/* False where the start is refused. */
static bool
check_metadata(struct check *check)
{
	char *text = data_dir_metadata(check->dir, check->disk);
	bool whole, before;

	if (text == NULL)
		return false;
	whole = strcmp(text, check->dir->metadata) == 0;
	before = strcmp(text, check->dir->metadata_before) == 0;
	free(text);
	CHECK(whole || (before && is_damaged(check, ".log")));
	check->tally->tail += !whole;
	return true;
}

/* In the order of a node's start; false where that is refused. */
static bool
check_start(struct check *check, struct flusher *flusher)
{
	const struct log_manager_hooks hooks = {
		.context = check->dir,
		.wanted = data_dir_wanted,
	};
	struct log_manager_settings settings;

	if (!data_dir_formatted(check->dir, check->disk))
		return false;
	data_dir_manager(check->disk, &settings);
	settings.flusher = flusher;
	check->manager = log_manager_new(&settings);
	if (check->manager == NULL || !check_metadata(check) ||
	    log_manager_load(check->manager, &hooks) != 0)
		return false;
	for (int i = 0; i < DATA_DIR_LOGS; i++)
		check_log(check, &check->dir->logs[i]);
	return true;
}

void
data_dir_check(struct data_dir *dir, struct sim_disk *disk,
    const struct data_damage *damage, struct rng *rng,
    struct data_dir_tally *tally)
{
	struct check check = {
		.dir = dir,
		.disk = disk,
		.damage = damage,
		.rng = rng,
		.tally = tally,
	};
	struct flusher *flusher = flusher_new();

	CHECK(flusher != NULL);
	if (!check_start(&check, flusher)) {
		CHECK(may_be_refused(&check));
		tally->refused++;
	}
	log_manager_free(check.manager);
	flusher_free(flusher);
}
