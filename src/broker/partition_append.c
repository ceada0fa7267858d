#include "base/buf.h"
#include "base/clock.h"
#include "broker/partition.h"
#include "store/flusher.h"
#include "wire/batch_recode.h"

/* Decompressed records of one batch may take so much, or so many times it. */
#define EXPANDED_BYTES_MAX ((size_t)64 << 20)
#define EXPANDED_TIMES_MAX 16

/* From here on Produce needs to be told apart (KIP-110). */
#define PRODUCE_VERSION_ZSTD 7

/* A client's batch on its way into the log, before the lock. */
struct intake {
	struct partition_append *append;
	struct batch_rules rules;
	struct batch_verdict verdict;
	int compression; /* the topic's, see struct topic_settings */
	int compression_level;
	uint8_t *data; /* what will be appended */
	size_t len;
	struct buf scratch; /* decompressed records */
	struct buf recoded; /* the batch in another codec */
};

static size_t
expanded_bytes_max(size_t len)
{
	return MAX(len * EXPANDED_TIMES_MAX, EXPANDED_BYTES_MAX);
}

static void
intake_init(struct intake *intake, struct partition_append *append)
{
	size_t max = expanded_bytes_max(append->len);

	*intake = (struct intake){
		.append = append, .data = append->data, .len = append->len
	};
	buf_init(&intake->scratch, max);
	buf_init(&intake->recoded, max);
}

static void
intake_fini(struct intake *intake)
{
	buf_fini(&intake->scratch);
	buf_fini(&intake->recoded);
}

static void
rules_set(struct intake *intake, const struct topic_settings *settings)
{
	const struct partition_append *append = intake->append;

	intake->compression = settings->compression;
	intake->compression_level = settings->compression_level;
	intake->rules = (struct batch_rules){
		.size_bytes_max = (size_t)settings->max_message_bytes,
		.zstd_allowed = append->produce_version >= PRODUCE_VERSION_ZSTD,
		.transaction_named = append->transaction_named,
		.compacted = settings->log.cleanup_compact,
		.timestamp_type = settings->timestamp_type,
		.now_ms = clock_wall_ms(),
		.before_max_ms = settings->timestamp_before_max_ms,
		.after_max_ms = settings->timestamp_after_max_ms,
	};
}

/* --- Another codec ----------------------------------------------------- */

static bool
codec_differs(const struct intake *intake)
{
	return intake->compression != TOPIC_COMPRESSION_PRODUCER &&
	    intake->compression != batch_codec(&intake->verdict.batch);
}

/* The stored batch then has its own size, which counts once more. */
static enum kp_error
intake_recode(struct intake *intake)
{
	const struct batch_rules *rules = &intake->rules;
	enum kp_error error;

	error = batch_recode(slice_of(intake->data, intake->len),
	    (enum compression)intake->compression, intake->compression_level,
	    &intake->scratch, &intake->recoded);
	if (error != KP_NONE)
		return error;
	if (intake->recoded.len > rules->size_bytes_max)
		return KP_MESSAGE_TOO_LARGE;
	intake->data = intake->recoded.data;
	intake->len = intake->recoded.len;
	if (rules->timestamp_type == BATCH_APPEND_TIME)
		batch_patch_timestamp(
		    intake->data, rules->timestamp_type, rules->now_ms);
	return KP_NONE;
}

/* --- Before the lock --------------------------------------------------- */

/* Judge the batch and bring it into the form in which it will be stored. */
static enum kp_error
intake_prepare(struct intake *intake)
{
	struct batch_verdict *verdict = &intake->verdict;
	enum kp_error error;

	error = batch_validate(slice_of(intake->data, intake->len),
	    &intake->rules, &intake->scratch, intake->append->arena, verdict);
	if (error != KP_NONE)
		return error;
	intake->len = verdict->batch.size_bytes;
	if (codec_differs(intake))
		return intake_recode(intake);
	if (verdict->timestamp_differs)
		batch_patch_timestamp(intake->data,
		    intake->rules.timestamp_type, verdict->max_timestamp);
	return KP_NONE;
}

/* Kafka tells the log start with the errors that say what is in the log. */
static bool
error_tells_start(enum kp_error error)
{
	switch (error) {
	case KP_NOT_ENOUGH_REPLICAS:
	case KP_INVALID_TIMESTAMP:
	case KP_INVALID_RECORD:
	case KP_OUT_OF_ORDER_SEQUENCE_NUMBER:
	case KP_INVALID_PRODUCER_EPOCH:
		return true;
	default:
		return false;
	}
}

/* --- Under the lock ---------------------------------------------------- */

/* No more are asked for than there are (Partition.effectiveMinIsr of Kafka). */
static bool
in_sync_enough(const struct partition *partition)
{
	return partition->isr_count >=
	    MIN(partition->settings.min_insync_replicas,
		partition->replicas_count);
}

static enum kp_error
append_check(const struct partition *partition, struct partition_append *append)
{
	enum kp_error error;

	append->leader = (struct partition_leader){ partition->leader,
		partition->leader_epoch };
	append->log_start_offset = log_start_offset(partition->log);
	error = partition_check(
	    partition, append->node_id, true, PARTITION_ANY_EPOCH);
	if (error != KP_NONE)
		return error;
	if (append->all_replicas && !in_sync_enough(partition))
		return KP_NOT_ENOUGH_REPLICAS;
	return KP_NONE;
}

static enum kp_error
bytes_append(struct partition *partition, struct partition_append *append,
    uint8_t *data, size_t len, struct list *fired)
{
	struct log_append bytes = {
		.data = data,
		.len = len,
		.leader_epoch = partition->leader_epoch,
		.origin = append->origin,
		.now_ms = clock_wall_ms(),
		.guarded = append->guarded,
		.guard = append->guard,
		.transaction_version = append->transaction_version,
	};
	enum kp_error error = log_append(partition->log, &bytes);

	if (error != KP_NONE)
		return error;
	append->base_offset = bytes.base_offset;
	append->last_offset = bytes.last_offset;
	append->log_start_offset = bytes.log_start_offset;
	append->duplicate = bytes.duplicate;
	if (bytes.duplicate ||
	    partition->settings.timestamp_type == BATCH_APPEND_TIME)
		append->log_append_time_ms = bytes.max_timestamp_ms;
	if (!bytes.duplicate)
		partition_appended(partition, len, fired);
	append->committed =
	    log_high_watermark(partition->log) > append->last_offset;
	append->awaits_flush =
	    !append->committed && partition_flush_due(partition);
	return KP_NONE;
}

/* Does what was appended have to be synced now? */
static bool
flush_due(const struct partition *partition)
{
	return partition->context->flush_acked ||
	    partition_flush_due(partition);
}

static enum kp_error
append_locked(struct partition *partition, struct partition_append *append,
    uint8_t *data, size_t len)
{
	struct list fired;
	enum kp_error error;
	bool flush = false;

	list_init(&fired);
	log_lock(partition->log);
	error = append_check(partition, append);
	if (error == KP_NONE)
		error = bytes_append(partition, append, data, len, &fired);
	if (error == KP_NONE)
		flush = flush_due(partition);
	log_unlock(partition->log);
	wakeup_post_all(&fired);
	if (flush)
		flusher_submit(partition->context->flusher, partition->log);
	return error;
}

static enum kp_error
client_append(struct partition *partition, struct partition_append *append)
{
	struct intake intake;
	enum kp_error error;

	intake_init(&intake, append);
	log_lock(partition->log);
	error = append_check(partition, append);
	rules_set(&intake, &partition->settings);
	log_unlock(partition->log);
	if (error == KP_NONE)
		error = intake_prepare(&intake);
	append->record_errors = intake.verdict.record_errors;
	append->record_errors_count = intake.verdict.record_errors_count;
	if (error == KP_NONE)
		error =
		    append_locked(partition, append, intake.data, intake.len);
	intake_fini(&intake);
	return error;
}

enum kp_error
partition_append(struct partition *partition, struct partition_append *append)
{
	enum kp_error error;

	append->record_errors = NULL;
	append->record_errors_count = 0;
	append->base_offset = -1;
	append->last_offset = -1;
	append->log_append_time_ms = -1;
	append->duplicate = false;
	append->committed = false;
	append->awaits_flush = false;
	if (append->origin == LOG_CLIENT)
		error = client_append(partition, append);
	else
		error =
		    append_locked(partition, append, append->data, append->len);
	if (error != KP_NONE && !error_tells_start(error))
		append->log_start_offset = -1;
	return error;
}
