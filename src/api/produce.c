/*
 * Produce, versions 3-13 (advertised from 0, because old clients look for
 * that): append record batches.
 *
 * The frame's bytes are patched in place and appended before the handler
 * returns.  With acks=-1, or where flush.messages asks for a sync, the answer
 * then waits for the high watermark, at most timeout_ms.
 *
 * In a transaction partitions are verified before (produce_txn.h), which may
 * take a while: then the frame is copied, and the connection's next requests
 * wait, so that batches stay in their order.
 */
#include "api/api.h"
#include "api/partition_index.h"
#include "api/partitions.h"
#include "api/produce_txn.h"
#include "api/throttle.h"
#include "base/clock.h"
#include "net/loop.h"
#include "net/timer.h"
#include "wire/generated/produce.h"

enum { ACKS_NONE = 0, ACKS_LEADER = 1, ACKS_ALL = -1 };

#define VERSION_TOPIC_IDS 13
#define VERSION_LEADERS 10
#define VERSION_ZSTD 7

/* The client id of Kafka's own tools that may write to internal topics. */
#define ADMIN_CLIENT_ID "__admin_client"

/*
 * Once so many records' errors are told, further partitions have only their
 * error codes.
 */
#define RECORD_ERRORS_MAX 10000

/* No partition, and not among the negative ones that clients try. */
#define INDEX_SUPERSEDED INT32_MIN

struct produce;

/* A partition whose answer waits to be committed. */
struct produce_part {
	struct hw_waiter waiter;
	struct produce *produce;
	struct partition *partition; /* referenced until answered */
	struct kp_produce_response_partition *answer;
	bool waits;
};

struct produce {
	struct request *request;
	const struct kp_produce_request *body;
	struct kp_produce_response *response;
	enum kp_error refused;        /* all of the request */
	struct slice refused_message; /* null: none */
	struct produce_txn *txn;      /* NULL: not transactional */
	size_t at;                    /* the partition that is looked at */
	bool kept;                    /* the body is ours */
	bool failed;                  /* some partition did */
	int32_t record_errors;        /* told so far */
	struct partitions_leaders leaders;
	struct timer timer;
	size_t total;               /* of partitions */
	struct produce_part *parts; /* NULL, or room for each partition */
	int32_t parts_count;
	int32_t waiting;
};

/* --- The answer -------------------------------------------------------- */

static void
endpoints_fill(struct produce *produce)
{
	const struct partitions_leaders *leaders = &produce->leaders;
	struct kp_produce_response_node_endpoint *endpoints;

	if (leaders->count == 0)
		return;
	endpoints = arena_xcalloc(&produce->request->arena,
	    (size_t)leaders->count, sizeof(*endpoints));
	for (int32_t i = 0; i < leaders->count; i++)
		endpoints[i] = (struct kp_produce_response_node_endpoint){
			.node_id = leaders->endpoints[i].node_id,
			.host = leaders->endpoints[i].host,
			.port = leaders->endpoints[i].port,
			.rack = leaders->endpoints[i].rack,
		};
	produce->response->node_endpoints = endpoints;
	produce->response->node_endpoints_count = leaders->count;
}

static void
produce_answer(struct produce *produce)
{
	struct request *request = produce->request;

	timer_stop(&produce->timer);
	for (int32_t i = 0; i < produce->parts_count; i++)
		partition_unref(produce->parts[i].partition);
	if (produce->body->acks != ACKS_NONE) {
		endpoints_fill(produce);
		request_reply(request, produce->response);
	} else if (produce->failed) {
		request_close(request, "an error of a produce with acks=0");
	} else {
		request_reply_none(request);
	}
}

static void
leader_tell(struct produce *produce, struct partition_leader leader,
    struct kp_produce_response_partition *answer)
{
	if (produce->request->version < VERSION_LEADERS)
		return;
	answer->current_leader.leader_id = leader.id;
	answer->current_leader.leader_epoch = leader.epoch;
	partitions_leader_add(produce->request, &produce->leaders, leader.id);
}

static void
answer_fail(struct produce *produce, enum kp_error error,
    struct partition_leader leader,
    struct kp_produce_response_partition *answer)
{
	produce->failed = true;
	answer->error_code = (int16_t)error;
	answer->base_offset = -1;
	answer->log_append_time_ms = -1;
	if (error == KP_NOT_LEADER_OR_FOLLOWER)
		leader_tell(produce, leader, answer);
}

/* --- Waiting ----------------------------------------------------------- */

static void
part_finish(struct produce_part *part, enum kp_error error)
{
	struct produce *produce = part->produce;

	part->waits = false;
	produce->waiting--;
	if (error != KP_NONE) {
		part->answer->log_start_offset = -1;
		answer_fail(produce, error, partition_leader(part->partition),
		    part->answer);
	}
}

static void
part_committed(struct task *task)
{
	struct wakeup *wakeup = CONTAINER_OF(task, struct wakeup, task);
	struct hw_waiter *waiter =
	    CONTAINER_OF(wakeup, struct hw_waiter, wakeup);
	struct produce_part *part =
	    CONTAINER_OF(waiter, struct produce_part, waiter);

	part_finish(part, part->waiter.result);
	if (part->produce->waiting == 0)
		produce_answer(part->produce);
}

/* Those whose wake-up is under way are left to it. */
static void
produce_give_up(struct produce *produce)
{
	for (int32_t i = 0; i < produce->parts_count; i++) {
		struct produce_part *part = &produce->parts[i];

		if (part->waits &&
		    partition_unwait_hw(part->partition, &part->waiter))
			part_finish(part, KP_REQUEST_TIMED_OUT);
	}
	if (produce->waiting == 0)
		produce_answer(produce);
}

static void
on_timeout(struct timer *timer)
{
	produce_give_up(CONTAINER_OF(timer, struct produce, timer));
}

static void
on_cancelled(struct request *request)
{
	produce_give_up(request->state);
}

static void
part_wait(struct produce_part *part)
{
	struct produce *produce = part->produce;

	wakeup_init(&part->waiter.wakeup, request_loop(produce->request),
	    part_committed);
	produce->waiting++;
	part->waits = true;
	if (!partition_wait_hw(part->partition, &part->waiter))
		part_finish(part, part->waiter.result);
}

/* The frame goes away, and with it the names in the answer. */
static void
names_keep(struct produce *produce)
{
	struct kp_produce_response *response = produce->response;

	for (int32_t i = 0; i < response->responses_count; i++)
		response->responses[i].name = arena_copy(
		    &produce->request->arena, response->responses[i].name);
}

static void
produce_wait(struct produce *produce)
{
	for (int32_t i = 0; i < produce->parts_count; i++)
		part_wait(&produce->parts[i]);
	if (produce->waiting == 0) {
		produce_answer(produce);
		return;
	}
	names_keep(produce);
	produce->request->state = produce;
	request_park(produce->request, on_cancelled);
	timer_start(request_loop(produce->request), &produce->timer,
	    produce->body->timeout_ms);
}

/* --- One partition ----------------------------------------------------- */

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
		answer_fail(produce, error, append.leader, answer);
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

static void
partition_produce(struct produce *produce, const struct partitions_key *key,
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
	answer_fail(produce, error, found.leader, answer);
}

/* The same before anything is appended: is there something to be asked? */
static void
partition_take(struct produce *produce, const struct partitions_key *key,
    struct slice records)
{
	struct partitions_found found;

	if (partition_prepare(produce, key, records, &found) == KP_NONE)
		produce_txn_take(
		    produce->txn, produce->at, found.partition, records);
	partition_unref(found.partition);
}

/* --- The whole request ------------------------------------------------- */

static int64_t
partitions_total(const struct kp_produce_request *body)
{
	int64_t total = 0;

	for (int32_t i = 0; i < body->topic_data_count; i++)
		total += MAX(body->topic_data[i].partition_data_count, 0);
	return total;
}

/*
 * A partition that comes twice: the last one counts, and those before it give
 * no answer.  They are marked by an index that no partition has.
 */
static void
topic_dedupe(const struct request *request,
    const struct kp_produce_request_topic *topic, struct partition_index *index)
{
	struct slice name = request->version >= VERSION_TOPIC_IDS ?
	    slice_of(topic->topic_id.bytes, sizeof(topic->topic_id.bytes)) :
	    topic->name;
	uint32_t number = partition_index_topic(index, name);

	for (int32_t i = 0; i < topic->partition_data_count; i++) {
		struct kp_produce_request_partition *partition =
		    &topic->partition_data[i];
		struct kp_produce_request_partition *before;

		before = partition_index_set(
		    index, number, partition->index, partition);
		if (before != NULL)
			before->index = INDEX_SUPERSEDED;
	}
}

static void
body_dedupe(struct request *request, const struct kp_produce_request *body)
{
	struct partition_index index;

	partition_index_init(&index, &request->arena);
	for (int32_t i = 0; i < body->topic_data_count; i++)
		topic_dedupe(request, &body->topic_data[i], &index);
	partition_index_fini(&index);
}

static struct partitions_key
key_of(
    const struct produce *produce, const struct kp_produce_request_topic *topic)
{
	return (struct partitions_key){
		.topic = topic->name,
		.topic_id = topic->topic_id,
		.by_id = produce->request->version >= VERSION_TOPIC_IDS,
	};
}

static void
topic_produce(struct produce *produce,
    const struct kp_produce_request_topic *topic,
    struct kp_produce_response_topic *answer)
{
	struct partitions_key key = key_of(produce, topic);

	answer->name = topic->name;
	answer->topic_id = topic->topic_id;
	answer->partition_responses = kp_array(&produce->request->arena,
	    &kp_produce_response_partition_struct,
	    MAX(topic->partition_data_count, 0));
	assert(answer->partition_responses != NULL);
	for (int32_t i = 0; i < topic->partition_data_count;
	    i++, produce->at++) {
		const struct kp_produce_request_partition *partition =
		    &topic->partition_data[i];
		struct kp_produce_response_partition *part =
		    &answer->partition_responses[answer
			    ->partition_responses_count];

		if (partition->index == INDEX_SUPERSEDED)
			continue;
		answer->partition_responses_count++;
		part->index = key.index = partition->index;
		partition_produce(
		    produce, &key, partition->records.bytes, part);
	}
}

static void
topics_produce(struct produce *produce)
{
	const struct kp_produce_request *body = produce->body;
	int32_t count = MAX(body->topic_data_count, 0);

	produce->response->responses = kp_array(
	    &produce->request->arena, &kp_produce_response_topic_struct, count);
	assert(produce->response->responses != NULL);
	produce->response->responses_count = count;
	for (int32_t i = 0; i < count; i++)
		topic_produce(produce, &body->topic_data[i],
		    &produce->response->responses[i]);
}

/* --- In a transaction ---------------------------------------------------- */

/*
 * The frame goes away, and with it names and records.  Later requests wait, so
 * that what comes behind does not overtake.
 */
static void
body_keep(struct produce *produce)
{
	struct arena *arena = &produce->request->arena;

	if (produce->kept)
		return;
	produce->kept = true;
	exchange_set_exclusive(&produce->request->exchange, true);

	for (int32_t i = 0; i < produce->body->topic_data_count; i++) {
		struct kp_produce_request_topic *topic =
		    &produce->body->topic_data[i];

		topic->name = arena_copy(arena, topic->name);
		for (int32_t j = 0; j < topic->partition_data_count; j++)
			topic->partition_data[j].records.bytes = arena_copy(
			    arena, topic->partition_data[j].records.bytes);
	}
}

static void
topic_take(
    struct produce *produce, const struct kp_produce_request_topic *topic)
{
	struct partitions_key key = key_of(produce, topic);

	for (int32_t i = 0; i < topic->partition_data_count;
	    i++, produce->at++) {
		const struct kp_produce_request_partition *partition =
		    &topic->partition_data[i];

		key.index = partition->index;
		if (partition->index != INDEX_SUPERSEDED)
			partition_take(produce, &key, partition->records.bytes);
	}
}

static void on_backoff(struct timer *timer);

static void
backoff_start(struct produce *produce)
{
	const struct request *request = produce->request;

	timer_init(&produce->timer, on_backoff);
	timer_start(request_loop(request), &produce->timer,
	    request->server->settings->add_partitions_backoff_ms);
}

static void
produce_go_on(struct produce *produce)
{
	produce->at = 0;
	topics_produce(produce);
	exchange_set_exclusive(&produce->request->exchange, false);
	produce_wait(produce);
}

/* Is there something to be asked, or to be asked again? */
static bool
body_take(struct produce *produce)
{
	produce->at = 0;
	produce_txn_reset(produce->txn);
	for (int32_t i = 0; i < produce->body->topic_data_count; i++)
		topic_take(produce, &produce->body->topic_data[i]);
	return produce_txn_asks(produce->txn) && produce->txn->stale;
}

/* True: all is said that there is to say, and the partitions know it. */
static bool
answer_take(struct produce *produce)
{
	struct produce_txn *txn = produce->txn;

	if (produce_txn_accepted(txn))
		return !body_take(produce);
	produce_txn_settle(txn);
	return true;
}

/* Ask until there is an answer; false: it comes later. */
static bool
produce_ask(struct produce *produce)
{
	struct txn_question *question = &produce->txn->question;

	do {
		if (!txn_question_ask(question)) {
			body_keep(produce);
			if (!txn_question_wait(question))
				return false;
		}
		if (produce_txn_is_patient(produce->txn)) {
			body_keep(produce);
			backoff_start(produce);
			return false;
		}
	} while (!answer_take(produce));
	return true;
}

/* Ask the coordinator what has to be asked, then append. */
static void
produce_verified(struct produce *produce)
{
	if (!body_take(produce) || produce_ask(produce))
		produce_go_on(produce);
}

static void
on_answered(struct txn_question *question)
{
	struct produce *produce =
	    CONTAINER_OF(question, struct produce_txn, question)->context;

	if (produce_txn_is_patient(produce->txn))
		backoff_start(produce);
	else if (answer_take(produce) || produce_ask(produce))
		produce_go_on(produce);
}

static void
on_backoff(struct timer *timer)
{
	struct produce *produce = CONTAINER_OF(timer, struct produce, timer);

	timer_init(&produce->timer, on_timeout);
	/* The guards are new ones where the marker has come meanwhile. */
	if (body_take(produce) || produce_txn_asks(produce->txn)) {
		if (!produce_ask(produce))
			return;
	}
	produce_go_on(produce);
}

static void
txn_begin(struct produce *produce)
{
	produce->txn = produce_txn_new(produce->request, produce->total);
	produce->txn->context = produce;
	produce->txn->question.answered = on_answered;
}

static struct produce *
produce_new(struct request *request, int64_t total)
{
	struct arena *arena = &request->arena;
	struct produce *produce = arena_xcalloc(arena, 1, sizeof(*produce));

	produce->request = request;
	produce->body = request->body;
	produce->response = request_response_new(request);
	produce->total = (size_t)total;
	if (produce_txn_is(produce->body)) {
		produce->refused = produce_txn_refuse(
		    request, produce->body, &produce->refused_message);
		if (produce->refused == KP_NONE)
			txn_begin(produce);
	}
	timer_init(&produce->timer, on_timeout);
	return produce;
}

/*
 * Whoever has sent too much is not heard any more, even before his answer: it
 * may have to wait, and he may have sent the next one already.
 */
static void
charge(struct request *request)
{
	struct client_quotas *quotas =
	    throttle_quotas(request, CLIENT_QUOTA_PRODUCER_BYTE_RATE);
	struct client_quotas_client client;

	if (quotas == NULL)
		return;
	client = throttle_client(request);
	throttle_add(request,
	    client_quotas_take(quotas, &client, (double)request->body_len,
		clock_monotonic_ms()));
	throttle_begin(request);
}

static void
handle_produce(struct request *request)
{
	int64_t total = partitions_total(request->body);
	struct produce *produce;

	if (total > PARTITIONS_MAX) {
		request_close(request, "a produce to too many partitions");
		return;
	}
	charge(request);
	if (total > 1)
		body_dedupe(request, request->body);
	produce = produce_new(request, total);
	if (produce->txn != NULL) {
		produce_verified(produce);
	} else {
		topics_produce(produce);
		produce_wait(produce);
	}
}

const struct api api_produce = API_ROW(produce, API_ENTRIES,
    .flags = API_BORROWS_FRAME | API_ADVERTISED_FROM_ZERO | API_PIPELINED);
