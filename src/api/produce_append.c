#include "api/api.h"
#include "api/produce_inner.h"

#define VERSION_ZSTD 7

/* The client id of Kafka's own tools that may write to internal topics. */
#define ADMIN_CLIENT_ID "__admin_client"

/*
 * Once so many records' errors are told, further partitions have only their
 * error codes.
 */
#define RECORD_ERRORS_MAX 10000

/* Is there exactly one whole batch, in a form that this version may send? */
static enum kp_error
records_check(struct slice records, int16_t version)
{
	struct batch_frame frame, next;
	struct batch batch;

	if (slice_is_null(records) ||
	    batch_scan(records.data, records.len, &frame) ==
		BATCH_SCAN_INCOMPLETE)
		return KP_INVALID_RECORD;
	if (batch_read(records, &batch) != 0)
		return KP_CORRUPT_MESSAGE;
	if (batch.magic != BATCH_MAGIC ||
	    batch_scan(records.data + batch.size_bytes,
		records.len - batch.size_bytes, &next) == BATCH_SCAN_WHOLE)
		return KP_INVALID_RECORD;
	if (batch_codec(&batch) == COMPRESSION_ZSTD && version < VERSION_ZSTD)
		return KP_UNSUPPORTED_COMPRESSION_TYPE;
	return KP_NONE;
}

static struct slice
record_message(struct arena *arena, const struct batch_record_error *error)
{
	switch (error->fault) {
	case BATCH_RECORD_KEY_NULL:
		return slice_str("A compacted topic needs a key in every "
				 "record.");
	case BATCH_RECORD_TIMESTAMP:
		return arena_printf(arena,
		    "The timestamp %lld of record %d "
		    "is too far from the broker's clock.",
		    (long long)error->timestamp, error->index);
	case BATCH_RECORD_FINE:
		break;
	}
	return SLICE_NULL;
}

static void
record_errors_fill(struct produce *produce,
    const struct partition_append *append,
    struct kp_produce_response_partition *answer)
{
	struct arena *arena = &produce->request->arena;
	struct kp_produce_response_record_error *errors;

	if (append->record_errors_count == 0 ||
	    produce->record_errors >= RECORD_ERRORS_MAX)
		return;
	produce->record_errors += append->record_errors_count;
	errors = arena_calloc(
	    arena, (size_t)append->record_errors_count, sizeof(*errors));
	if (errors == NULL)
		return;
	for (int32_t i = 0; i < append->record_errors_count; i++) {
		errors[i].batch_index = append->record_errors[i].index;
		errors[i].batch_index_error_message =
		    record_message(arena, &append->record_errors[i]);
	}
	answer->record_errors = errors;
	answer->record_errors_count = append->record_errors_count;
	answer->error_message = slice_str("Some records of the batch are not "
					  "acceptable.");
}

static void
part_add(struct produce *produce, struct partition *partition, int64_t offset,
    struct kp_produce_response_partition *answer)
{
	if (produce->parts == NULL)
		produce->parts = arena_xcalloc(&produce->request->arena,
		    produce->total, sizeof(*produce->parts));
	produce->parts[produce->parts_count++] = (struct produce_part){
		.waiter.offset = offset,
		.waiter.node_id = produce->request->node_id,
		.produce = produce,
		.partition = partition,
		.answer = answer,
	};
}

/* Has the answer to wait until what was appended is committed? */
static bool
must_wait(const struct produce *produce, const struct partition_append *append)
{
	int16_t acks = produce->body->acks;

	return !append->committed &&
	    (acks == ACKS_ALL || (acks == ACKS_LEADER && append->awaits_flush));
}

static void
records_append(struct produce *produce, const struct produce_check *check,
    struct partition *partition, struct slice records,
    struct kp_produce_response_partition *answer)
{
	struct partition_append append = {
		.node_id = produce->request->node_id,
		.origin = LOG_CLIENT,
		/* The frame is ours to change, though decoders only read. */
		.data = (uint8_t *)(uintptr_t)records.data,
		.len = records.len,
		.produce_version = produce->request->version,
		.transaction_named =
		    !slice_is_null(produce->body->transactional_id),
		.all_replicas = produce->body->acks == ACKS_ALL,
		.guarded = produce->txn != NULL && produce->txn->guarded,
		.guard = check->guard,
		.arena = &produce->request->arena,
	};
	enum kp_error error = partition_append(partition, &append);

	answer->log_start_offset = append.log_start_offset;
	if (error != KP_NONE) {
		produce_fail(produce, error, append.leader, answer);
		record_errors_fill(produce, &append, answer);
	} else {
		answer->base_offset = append.base_offset;
		answer->log_append_time_ms = append.log_append_time_ms;
	}
	if (error == KP_NONE && must_wait(produce, &append))
		part_add(produce, partition, append.last_offset + 1, answer);
	else
		partition_unref(partition);
}

static enum kp_error
partition_refuse(
    const struct produce *produce, const struct partition *partition)
{
	int16_t acks = produce->body->acks;

	if (acks != ACKS_NONE && acks != ACKS_LEADER && acks != ACKS_ALL)
		return KP_INVALID_REQUIRED_ACKS;
	if (partition_is_internal(partition) &&
	    !slice_equal_str(produce->request->client_id, ADMIN_CLIENT_ID))
		return KP_INVALID_TOPIC_EXCEPTION;
	return KP_NONE;
}

/* Find the partition, and see whether the records may go into it. */
static enum kp_error
partition_prepare(const struct produce *produce,
    const struct partitions_key *key, struct slice records,
    struct partitions_found *found)
{
	enum kp_error error = produce->refused;

	*found = (struct partitions_found){ .leader = { -1, -1 } };
	if (error == KP_NONE)
		error =
		    partitions_find(produce->request, key, ACL_WRITE, found);
	if (error == KP_NONE)
		error = records_check(records, produce->request->version);
	if (error == KP_NONE)
		error = partition_refuse(produce, found->partition);
	return error;
}

void
produce_append(struct produce *produce, const struct partitions_key *key,
    struct slice records, struct kp_produce_response_partition *answer)
{
	static const struct produce_check fine;
	const struct produce_check *check =
	    produce->txn == NULL ? &fine : &produce->txn->checks[produce->at];
	struct partitions_found found;
	enum kp_error error = partition_prepare(produce, key, records, &found);

	answer->error_message = produce->refused_message;
	if (error == KP_NONE) {
		error = check->error;
		answer->error_message = check->message;
	}
	if (error == KP_NONE) {
		records_append(
		    produce, check, found.partition, records, answer);
		return;
	}
	partition_unref(found.partition);
	produce_fail(produce, error, found.leader, answer);
}

void
produce_look(struct produce *produce, const struct partitions_key *key,
    struct slice records)
{
	struct partitions_found found;

	if (partition_prepare(produce, key, records, &found) == KP_NONE)
		produce_txn_take(
		    produce->txn, produce->at, found.partition, records);
	partition_unref(found.partition);
}
