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
#include "api/produce_inner.h"
#include "api/throttle.h"
#include "base/clock.h"
#include "net/loop.h"

#define VERSION_TOPIC_IDS 13

/* No partition, and not among the negative ones that clients try. */
#define INDEX_SUPERSEDED INT32_MIN

/* --- The whole request --------------------------------------------------- */

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
		produce_append(
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
			produce_look(produce, &key, partition->records.bytes);
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
