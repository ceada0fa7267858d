#include "base/clock.h"
#include "store/disk.h"
#include "store/log_internal.h"
#include "wire/batch.h"

#include <errno.h>

/* What all batches of an append come to. */
struct append_sum {
	int64_t offset_count; /* offsets that are assigned */
	int64_t first_offset; /* as the batches say */
	int64_t last_offset;
	int64_t max_timestamp_ms;
	bool has_producer; /* a batch with a producer id */
};

/* Take the next batch off bytes; false where it is none that can be stored. */
static bool
next_batch(struct slice *bytes, struct batch *batch)
{
	if (batch_read(*bytes, batch) != 0 || batch->magic != BATCH_MAGIC ||
	    batch->last_offset_delta < 0)
		return false;
	bytes->data += batch->size_bytes;
	bytes->len -= batch->size_bytes;
	return true;
}

/* Look at all headers; false where data is not whole batches. */
static bool
sum_up(const struct log_append *append, struct append_sum *sum)
{
	struct slice left = slice_of(append->data, append->len);
	struct batch batch;
	bool first = true;

	*sum = (struct append_sum){ .max_timestamp_ms = -1 };
	for (; left.len > 0; first = false) {
		if (!next_batch(&left, &batch))
			return false;
		/* Kept offsets go up; assigned ones are not there yet. */
		if (append->origin == LOG_REPLICATION &&
		    (batch.base_offset < 0 ||
			batch.last_offset < batch.base_offset ||
			(!first && batch.base_offset <= sum->last_offset) ||
			batch.leader_epoch < 0))
			return false;
		if (first)
			sum->first_offset = batch.base_offset;
		sum->last_offset = batch.last_offset;
		sum->offset_count += INT64_C(1) + batch.last_offset_delta;
		sum->max_timestamp_ms =
		    MAX(sum->max_timestamp_ms, batch.max_timestamp);
		sum->has_producer |= batch.producer_id >= 0;
	}
	return !first;
}

/* Say where the batches will stand; an error where they cannot. */
static enum kp_error
place(const struct log *log, struct log_append *append, struct append_sum *sum)
{
	if (append->origin == LOG_REPLICATION) {
		if (sum->first_offset < log->end_offset)
			return KP_OFFSET_OUT_OF_RANGE;
	} else {
		assert(append->leader_epoch >= 0);
		sum->first_offset = log->end_offset;
		sum->last_offset = log->end_offset + sum->offset_count - 1;
	}
	/* Offsets in a segment are relative to its base, in 31 bits. */
	if (sum->last_offset - sum->first_offset > INT32_MAX)
		return KP_RECORD_LIST_TOO_LARGE;
	append->base_offset = sum->first_offset;
	append->last_offset = sum->last_offset;
	append->max_timestamp_ms = sum->max_timestamp_ms;
	append->log_start_offset = log->start_offset;
	append->duplicate = false;
	return KP_NONE;
}

/* --- Roll --------------------------------------------------------------- */

static int64_t
segment_ms(const struct log_settings *settings)
{
	if (!settings->cleanup_compact)
		return settings->segment_ms;
	return MIN(settings->segment_ms, settings->max_compaction_lag_ms);
}

/* Record time that the segment covers, or its age where it has none. */
static int64_t
elapsed_ms(const struct segment *active, const struct log_append *append)
{
	if (active->first_timestamp_ms >= 0)
		return append->max_timestamp_ms - active->first_timestamp_ms;
	return append->now_ms - active->created_ms;
}

static bool
must_roll(const struct log *log, const struct log_append *append)
{
	const struct log_settings *settings = &log->settings;
	const struct segment *active = log_active(log);
	int64_t size = active->size_bytes;

	if (size > settings->segment_bytes - (int64_t)append->len)
		return true;
	if (append->last_offset - active->base_offset > INT32_MAX)
		return true;
	if (size == 0)
		return false;
	if (elapsed_ms(active, append) >
	    segment_ms(settings) - active->jitter_ms)
		return true;
	return segment_indexes_full(
	    &active->indexes, settings->segment_index_bytes);
}

/*
 * An empty active segment that must roll is too far below what comes: a
 * follower's, whose leader has nothing older.  Another takes its place.
 */
static int
roll(struct log *log, const struct log_append *append)
{
	struct segment *active = log_active(log);

	if (active->size_bytes > 0)
		return log_roll_at(log, append->base_offset, append->now_ms);
	return log_segment_replace(log, append->base_offset, append->now_ms);
}

/* --- Producers ---------------------------------------------------------- */

/* Was it appended before?  Then say where. */
static bool
answer_duplicate(const struct producer_batch *before, struct log_append *append)
{
	if (before == NULL)
		return false;
	append->base_offset = before->last_offset - before->offset_delta;
	append->last_offset = before->last_offset;
	append->max_timestamp_ms = before->timestamp_ms;
	append->duplicate = true;
	return true;
}

/* May the batch begin a transaction, or is it part of an open one? */
static bool
verified(const struct log *log, const struct log_append *append,
    const struct producer_append *batch)
{
	const struct producer *producer;
	const struct verification *verification;

	if (!append->guarded || !batch->transactional)
		return true;
	producer = producer_state_find(&log->producers, batch->producer_id);
	if (producer != NULL && producer->txn_first_offset >= 0 &&
	    producer->epoch == batch->producer_epoch)
		return true;
	verification =
	    verification_find(&log->verifications, batch->producer_id);
	return append->guard != VERIFICATION_NONE && verification != NULL &&
	    verification->guard == append->guard;
}

/*
 * A sequence above the lowest one that was asked for is out of order; so is a
 * beginning in the middle, of a producer whose epochs are its transactions'.
 */
static bool
sequence_follows(const struct log *log, const struct producer_append *batch)
{
	const struct verification *verification =
	    verification_find(&log->verifications, batch->producer_id);
	const struct producer *producer;

	if (verification == NULL)
		return true;
	producer = producer_state_find(&log->producers, batch->producer_id);
	if (verification->supports_epoch_bump && batch->base_sequence != 0 &&
	    (producer == NULL || producer->batch_count == 0))
		return false;
	return batch->base_sequence <= verification->lowest_sequence;
}

/*
 * A client's batch.  A Produce request has one batch a partition, so that a
 * duplicate answers for all of it.
 */
static enum kp_error
check_client(const struct log *log, struct log_append *append,
    const struct producer_append *batch)
{
	const struct producer_batch *before = NULL;
	enum kp_error error =
	    producer_state_check(&log->producers, batch, &before);

	if (answer_duplicate(before, append))
		return KP_NONE;
	if (!verified(log, append, batch))
		return KP_INVALID_TXN_STATE;
	if (error == KP_NONE && !sequence_follows(log, batch))
		return KP_OUT_OF_ORDER_SEQUENCE_NUMBER;
	return error;
}

/* Coordinators' batches have no sequences to speak of. */
static enum kp_error
check_coordinator(const struct log *log, const struct log_append *append,
    const struct producer_append *batch)
{
	const struct producer *producer =
	    producer_state_find(&log->producers, batch->producer_id);

	if (!verified(log, append, batch))
		return KP_INVALID_TXN_STATE;
	return producer != NULL && batch->producer_epoch < producer->epoch ?
	    KP_INVALID_PRODUCER_EPOCH :
	    KP_NONE;
}

/* Control batches that are no markers are not about producers. */
static enum kp_error
check_marker(const struct log *log, const struct log_append *append,
    const struct batch *batch, struct slice bytes)
{
	struct producer_marker marker = {
		.producer_id = batch->producer_id,
		.timestamp_ms = batch->max_timestamp,
		.producer_epoch = batch->producer_epoch,
	};
	bool abort;

	if (log_marker_read(bytes, &abort, &marker.coordinator_epoch) != 0)
		return KP_NONE;
	return producer_state_check_marker(
	    &log->producers, &marker, append->transaction_version >= 2);
}

static enum kp_error
check_producer(const struct log *log, struct log_append *append,
    const struct batch *batch, struct slice bytes)
{
	struct producer_append producer;

	if (batch->producer_id < 0)
		return KP_NONE;
	if (batch_is_control(batch))
		return check_marker(log, append, batch, bytes);
	log_producers_describe(batch, &producer);
	return append->origin == LOG_CLIENT ?
	    check_client(log, append, &producer) :
	    check_coordinator(log, append, &producer);
}

static enum kp_error
check_producers(const struct log *log, struct log_append *append)
{
	struct slice left = slice_of(append->data, append->len);
	enum kp_error error = KP_NONE;
	struct batch batch;

	while (error == KP_NONE && !append->duplicate && left.len > 0) {
		const uint8_t *data = left.data;

		if (!next_batch(&left, &batch))
			break;
		error = check_producer(
		    log, append, &batch, slice_of(data, batch.size_bytes));
	}
	return error;
}

/* --- Write -------------------------------------------------------------- */

static void
patch(struct log_append *append)
{
	struct slice left = slice_of(append->data, append->len);
	int64_t offset = append->base_offset;
	uint8_t *data = append->data;
	struct batch batch;

	while (left.len > 0 && next_batch(&left, &batch)) {
		batch_patch(data, offset, append->leader_epoch);
		data += batch.size_bytes;
		offset += INT64_C(1) + batch.last_offset_delta;
	}
}

static void
account(struct log *log, const struct log_append *append, bool has_producer)
{
	struct slice left = slice_of(append->data, append->len);
	struct segment *active = log_active(log);
	const uint8_t *data = append->data;
	struct batch batch;

	while (left.len > 0 && next_batch(&left, &batch)) {
		log_tail_push(&log->tail, batch.base_offset, active->size_bytes,
		    log->high_watermark);
		segment_account(
		    active, &batch, log->settings.index_interval_bytes);
		leader_epochs_assign(
		    &log->epochs, batch.leader_epoch, batch.base_offset);
		if (has_producer)
			log_producers_note(log, &batch,
			    slice_of(data, batch.size_bytes), active);
		data += batch.size_bytes;
	}
	active->modified_ms = append->now_ms;
	log->end_offset = append->last_offset + 1;
	if (log->unflushed_since_ms < 0)
		log->unflushed_since_ms = clock_monotonic_ms();
}

static enum kp_error
write_batches(struct log *log, struct log_append *append, bool has_producer)
{
	bool damaged;

	if (append->origin != LOG_REPLICATION)
		patch(append);
	if (segment_write(log_active(log), append->data, append->len,
		log->settings.segment_bytes, &damaged) != 0) {
		/*
		 * A full disk heals, and so does a lack of descriptors;
		 * anything else, or a file that could not be cut back to its
		 * whole batches, does not.
		 */
		log_write_failed(
		    log, "append", damaged || !disk_is_short(errno));
		return KP_KAFKA_STORAGE_ERROR;
	}
	log->full = false;
	account(log, append, has_producer);
	if (log->mirror != NULL)
		log_mirror_append(log, append);
	return KP_NONE;
}

enum kp_error
log_append(struct log *log, struct log_append *append)
{
	enum kp_error error;
	struct append_sum sum;

	if (log->offline)
		return KP_KAFKA_STORAGE_ERROR;
	if (!sum_up(append, &sum))
		return KP_CORRUPT_MESSAGE;
	if (append->len > (size_t)log->settings.segment_bytes)
		return KP_RECORD_LIST_TOO_LARGE;
	error = place(log, append, &sum);
	if (error != KP_NONE)
		return error;
	if (sum.has_producer && append->origin <= LOG_COORDINATOR) {
		error = check_producers(log, append);
		if (error != KP_NONE || append->duplicate)
			return error;
	}
	if (must_roll(log, append) && roll(log, append) != 0)
		return KP_KAFKA_STORAGE_ERROR;
	return write_batches(log, append, sum.has_producer);
}
