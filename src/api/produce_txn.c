#include "api/produce_txn.h"

#include "base/clock.h"
#include "broker/partition.h"
#include "store/verification.h"
#include "wire/generated/produce.h"

/* Versions whose clients know TRANSACTION_ABORTABLE, and what is newer. */
#define VERSION_ABORTABLE 11
/* From this version on partitions are added by the first batch (TV2). */
#define VERSION_ADDS 12

/* --- The request --------------------------------------------------------- */

/* The transactional batch at the front of records; false: there is none. */
static bool
transactional_batch(struct slice records, struct batch *batch)
{
	return !slice_is_null(records) && batch_read(records, batch) == 0 &&
	    batch->magic == BATCH_MAGIC && batch_is_transactional(batch);
}

/* Who produces, all in all. */
struct producers {
	int64_t id;
	int16_t epoch;
	bool found;
	bool several;
};

static void
producers_add(struct producers *producers, struct slice records)
{
	struct batch batch;

	if (!transactional_batch(records, &batch))
		return;
	producers->several |= producers->found &&
	    (producers->id != batch.producer_id ||
		producers->epoch != batch.producer_epoch);
	producers->id = batch.producer_id;
	producers->epoch = batch.producer_epoch;
	producers->found = true;
}

static struct producers
producers_of(const struct kp_produce_request *body)
{
	struct producers producers = { .id = -1, .epoch = -1 };

	for (int32_t i = 0; i < body->topic_data_count; i++) {
		const struct kp_produce_request_topic *topic =
		    &body->topic_data[i];

		for (int32_t j = 0; j < topic->partition_data_count; j++)
			producers_add(
			    &producers, topic->partition_data[j].records.bytes);
	}
	return producers;
}

bool
produce_txn_is(const struct kp_produce_request *body)
{
	return producers_of(body).found;
}

enum kp_error
produce_txn_refuse(const struct request *request,
    const struct kp_produce_request *body, struct slice *message)
{
	if (slice_is_null(body->transactional_id) ||
	    !request_allows(request, ACL_WRITE, ACL_RESOURCE_TRANSACTIONAL_ID,
		body->transactional_id))
		return KP_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	if (!producers_of(body).several)
		return KP_NONE;
	*message = slice_str("Transactional records contained more than one "
			     "producer ID");
	return KP_INVALID_PRODUCER_ID_MAPPING;
}

/* --- The question -------------------------------------------------------- */

static bool
adds(const struct request *request)
{
	return request->version >= VERSION_ADDS;
}

struct produce_txn *
produce_txn_new(struct request *request, size_t total)
{
	const struct server *server = request->server;
	const struct kp_produce_request *body = request->body;
	struct arena *arena = &request->arena;
	struct produce_txn *txn = arena_xcalloc(arena, 1, sizeof(*txn));
	struct producers producers = producers_of(body);

	txn->checks = arena_xcalloc(arena, total, sizeof(*txn->checks));
	txn->guarded = txn_coordinator_verifies(server->txns);
	txn->question.request = request;
	txn->question.transactional_id =
	    arena_copy(arena, body->transactional_id);
	txn->question.add.producer_id = producers.id;
	txn->question.add.producer_epoch = producers.epoch;
	txn->question.add.verify_only = !adds(request);
	txn->question.add.partitions =
	    arena_xcalloc(arena, total, sizeof(*txn->question.add.partitions));
	if (adds(request))
		txn->deadline_ms = clock_monotonic_ms() +
		    server->settings->add_partitions_backoff_max_ms;
	return txn;
}

void
produce_txn_reset(struct produce_txn *txn)
{
	txn->question.add.count = 0;
	txn->stale = false;
}

static void
question_add(struct produce_txn *txn, size_t at, struct partition *partition)
{
	struct txn_add *add = &txn->question.add;

	add->partitions[add->count++] = (struct txn_partition){
		.topic = arena_copy(
		    &txn->question.request->arena, partition_topic(partition)),
		.index = partition_index(partition),
	};
	txn->checks[at].asked = add->count;
}

void
produce_txn_take(struct produce_txn *txn, size_t at,
    struct partition *partition, struct slice records)
{
	const struct request *request = txn->question.request;
	struct produce_check *check = &txn->checks[at];
	struct verification_start start;
	uint64_t guard;
	struct batch batch;

	check->asked = 0;
	if (!transactional_batch(records, &batch) || batch.producer_id < 0 ||
	    (!txn->guarded && !adds(request)))
		return;
	start = (struct verification_start){
		.producer_id = batch.producer_id,
		.producer_epoch = batch.producer_epoch,
		.base_sequence = batch.base_sequence,
		.supports_epoch_bump = adds(request),
		.now_ms = clock_wall_ms(),
	};
	check->error =
	    partition_verify(partition, request->node_id, &start, &guard);
	txn->stale |= guard != check->guard;
	check->guard = guard;
	if (check->error == KP_NONE && check->guard != VERIFICATION_NONE)
		question_add(txn, at, partition);
}

bool
produce_txn_asks(const struct produce_txn *txn)
{
	return txn->question.add.count > 0;
}

/* --- The answer ---------------------------------------------------------- */

bool
produce_txn_accepted(const struct produce_txn *txn)
{
	const struct txn_add *add = &txn->question.add;

	for (int32_t i = 0; i < add->count; i++)
		if (add->partitions[i].error != KP_NONE)
			return false;
	return txn->question.error == KP_NONE;
}

bool
produce_txn_is_patient(const struct produce_txn *txn)
{
	const struct request *request = txn->question.request;

	return txn->question.error == KP_CONCURRENT_TRANSACTIONS &&
	    clock_monotonic_ms() +
		request->server->settings->add_partitions_backoff_ms <=
	    txn->deadline_ms;
}

/* Producers come back for what goes by itself. */
static bool
passes(const struct request *request, enum kp_error error)
{
	switch (error) {
	case KP_NETWORK_EXCEPTION:
	case KP_COORDINATOR_LOAD_IN_PROGRESS:
	case KP_COORDINATOR_NOT_AVAILABLE:
	case KP_NOT_COORDINATOR:
		return true;
	case KP_CONCURRENT_TRANSACTIONS:
		return !adds(request);
	default:
		return false;
	}
}

static void
check_settle(const struct produce_txn *txn, struct produce_check *check)
{
	struct request *request = txn->question.request;
	enum kp_error error = txn->question.error;

	if (error == KP_NONE)
		error = txn->question.add.partitions[check->asked - 1].error;
	check->error = error;
	if (passes(request, error)) {
		check->error = KP_NOT_ENOUGH_REPLICAS;
		check->message = arena_printf(&request->arena,
		    "Unable to verify the partition has been added to the "
		    "transaction. Underlying error: %s",
		    kp_error_name(error));
	} else if (error == KP_TRANSACTION_ABORTABLE &&
	    request->version < VERSION_ABORTABLE) {
		check->error = KP_INVALID_TXN_STATE;
		check->message = slice_str("Partition was not added to the "
					   "transaction");
	}
}

void
produce_txn_settle(struct produce_txn *txn)
{
	const struct txn_add *add = &txn->question.add;

	for (size_t at = 0, left = (size_t)add->count; left > 0; at++) {
		if (txn->checks[at].asked == 0)
			continue;
		check_settle(txn, &txn->checks[at]);
		left--;
	}
}
