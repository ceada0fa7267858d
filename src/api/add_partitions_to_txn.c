/*
 * AddPartitionsToTxn, versions 0-5: partitions join a transaction.  Versions 0
 * to 3 are clients' and have one transaction; from version 4 on brokers send
 * it, for several transactions, or only to see what is in them (KIP-890).
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "api/partitions.h"
#include "meta/image.h"
#include "meta/topic_image.h"
#include "wire/generated/add_partitions_to_txn.h"

#define VERSION_BROKERS 4

/* One transaction of the request. */
struct addition {
	struct txn_add add;
	struct slice transactional_id;
	const struct kp_add_partitions_to_txn_request_topic *topics;
	int32_t topics_count;
	enum kp_error error; /* of all of it */
	bool refused;        /* partitions have errors of their own */
};

struct state {
	struct addition *additions;
	int32_t count;
};

/* --- Answers ------------------------------------------------------------- */

static enum kp_error
error_of(const struct addition *addition, const struct txn_partition *partition)
{
	if (addition->error != KP_NONE)
		return addition->error;
	if (addition->refused)
		return partition->error != KP_NONE ? partition->error :
						     KP_OPERATION_NOT_ATTEMPTED;
	if (addition->add.call.call.error != KP_NONE)
		return addition->add.call.call.error;
	return partition->error;
}

static struct kp_add_partitions_to_txn_response_topic *
fill_topics(struct request *request, const struct addition *addition)
{
	const struct txn_partition *partition = addition->add.partitions;
	struct kp_add_partitions_to_txn_response_topic *topics = arena_xcalloc(
	    &request->arena, (size_t)addition->topics_count, sizeof(*topics));

	for (int32_t i = 0; i < addition->topics_count; i++) {
		size_t count =
		    (size_t)MAX(addition->topics[i].partitions_count, 0);

		topics[i].name = addition->topics[i].name;
		topics[i].results_by_partition_count = (int32_t)count;
		topics[i].results_by_partition = arena_xcalloc(&request->arena,
		    count, sizeof(*topics[i].results_by_partition));
		for (size_t j = 0; j < count; j++, partition++) {
			topics[i].results_by_partition[j].partition_index =
			    partition->index;
			topics[i].results_by_partition[j].partition_error_code =
			    (int16_t)error_of(addition, partition);
		}
	}
	return topics;
}

static void
answer(struct request *request)
{
	const struct state *state = request->state;
	struct kp_add_partitions_to_txn_response *response =
	    request_response_new(request);

	if (request->version < VERSION_BROKERS) {
		response->results_by_topic_v3_and_below =
		    fill_topics(request, &state->additions[0]);
		response->results_by_topic_v3_and_below_count =
		    state->additions[0].topics_count;
		request_reply(request, response);
		return;
	}
	response->results_by_transaction = arena_xcalloc(&request->arena,
	    (size_t)state->count, sizeof(*response->results_by_transaction));
	response->results_by_transaction_count = state->count;
	for (int32_t i = 0; i < state->count; i++) {
		const struct addition *addition = &state->additions[i];

		response->results_by_transaction[i].transactional_id =
		    addition->transactional_id;
		response->results_by_transaction[i].topic_results =
		    fill_topics(request, addition);
		response->results_by_transaction[i].topic_results_count =
		    addition->topics_count;
	}
	request_reply(request, response);
}

/* --- What may be added --------------------------------------------------- */

/* Clients have no business with topics of our own.  Image locked. */
static enum kp_error
check_partition(const struct request *request, struct slice name, int32_t index)
{
	const struct topic_image *topic =
	    image_topic(request->server->image, name);

	if (request->version < VERSION_BROKERS &&
	    (!request_allows(request, ACL_WRITE, ACL_RESOURCE_TOPIC, name) ||
		topic_image_name_internal(name)))
		return KP_TOPIC_AUTHORIZATION_FAILED;
	return topic == NULL || topic_image_partition(topic, index) == NULL ?
	    KP_UNKNOWN_TOPIC_OR_PARTITION :
	    KP_NONE;
}

static void
take_partitions(struct request *request, struct addition *addition)
{
	struct txn_partition *partition = addition->add.partitions;

	image_read_lock(request->server->image);
	for (int32_t i = 0; i < addition->topics_count; i++) {
		const struct kp_add_partitions_to_txn_request_topic *topic =
		    &addition->topics[i];

		for (int32_t j = 0; j < topic->partitions_count;
		    j++, partition++) {
			partition->topic = topic->name;
			partition->index = topic->partitions[j];
			partition->error = check_partition(
			    request, partition->topic, partition->index);
			addition->refused |= partition->error != KP_NONE;
		}
	}
	image_read_unlock(request->server->image);
}

static int64_t
count_partitions(const struct addition *addition)
{
	int64_t count = 0;

	for (int32_t i = 0; i < addition->topics_count; i++)
		count += MAX(addition->topics[i].partitions_count, 0);
	return count;
}

static enum kp_error
check_id(const struct request *request, const struct addition *addition)
{
	if (request->version < VERSION_BROKERS &&
	    !coordinated_txn_allowed(
		request, ACL_WRITE, addition->transactional_id))
		return KP_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	return addition->transactional_id.len == 0 ? KP_INVALID_REQUEST :
						     KP_NONE;
}

/* --- The request --------------------------------------------------------- */

static void
take_old(const struct request *request, struct addition *addition)
{
	const struct kp_add_partitions_to_txn_request *body = request->body;

	addition->transactional_id = body->v3_and_below_transactional_id;
	addition->topics = body->v3_and_below_topics;
	addition->topics_count = MAX(body->v3_and_below_topics_count, 0);
	addition->add.producer_id = body->v3_and_below_producer_id;
	addition->add.producer_epoch = body->v3_and_below_producer_epoch;
}

static void
take_new(const struct kp_add_partitions_to_txn_request_transaction *asked,
    struct addition *addition)
{
	addition->transactional_id = asked->transactional_id;
	addition->topics = asked->topics;
	addition->topics_count = MAX(asked->topics_count, 0);
	addition->add.producer_id = asked->producer_id;
	addition->add.producer_epoch = asked->producer_epoch;
	addition->add.verify_only = asked->verify_only;
	addition->add.client_version = TXN_VERSION_EPOCH_EACH;
}

static struct state *
take(struct request *request)
{
	const struct kp_add_partitions_to_txn_request *body = request->body;
	struct state *state = arena_xcalloc(&request->arena, 1, sizeof(*state));

	state->count = request->version < VERSION_BROKERS ?
	    1 :
	    MAX(body->transactions_count, 0);
	state->additions = arena_xcalloc(
	    &request->arena, (size_t)state->count, sizeof(*state->additions));
	for (int32_t i = 0; i < state->count; i++)
		if (request->version < VERSION_BROKERS)
			take_old(request, &state->additions[i]);
		else
			take_new(&body->transactions[i], &state->additions[i]);
	return state;
}

/* False where there are too many partitions. */
static bool
prepare(struct request *request, struct state *state)
{
	int64_t total = 0;

	for (int32_t i = 0; i < state->count; i++)
		total += count_partitions(&state->additions[i]);
	if (total > PARTITIONS_MAX)
		return false;
	for (int32_t i = 0; i < state->count; i++) {
		struct addition *addition = &state->additions[i];

		addition->add.count = (int32_t)count_partitions(addition);
		addition->add.partitions =
		    arena_xcalloc(&request->arena, (size_t)addition->add.count,
			sizeof(*addition->add.partitions));
		addition->error = check_id(request, addition);
		take_partitions(request, addition);
	}
	return true;
}

static void
handle_add_partitions_to_txn(struct request *request)
{
	struct state *state = take(request);
	struct coordinated *all;

	if (request->version >= VERSION_BROKERS &&
	    !request_allows(request, ACL_CLUSTER_ACTION, ACL_RESOURCE_CLUSTER,
		ACL_CLUSTER_NAME)) {
		request_fail(request, KP_CLUSTER_AUTHORIZATION_FAILED);
		return;
	}
	if (!prepare(request, state)) {
		request_close(request, "a transaction of too many partitions");
		return;
	}
	request->state = state;
	all = coordinated_new(request, answer);
	for (int32_t i = 0; i < state->count; i++) {
		struct addition *addition = &state->additions[i];

		if (addition->error != KP_NONE || addition->refused)
			continue;
		coordinated_join_txn(
		    all, &addition->add.call, addition->transactional_id);
		txn_coordinator_add(request->server->txns, &addition->add);
	}
	coordinated_wait(all);
}

/* Versions 0 to 3 have no error but those of their partitions. */
static void
fail_add_partitions_to_txn(struct request *request, enum kp_error error)
{
	struct kp_add_partitions_to_txn_response *response =
	    request_response_new(request);

	response->error_code = (int16_t)error;
	request_reply(request, response);
}

const struct api api_add_partitions_to_txn = API_ROW(
    add_partitions_to_txn, API_ENTRIES, .fail = fail_add_partitions_to_txn);
