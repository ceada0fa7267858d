/*
 * DescribeTransactions, version 0: the state of transactional ids, and the
 * partitions of their transactions that the asker may describe (KIP-664).
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "wire/generated/describe_transactions.h"

/* More ids in one request are refused by closing the connection. */
#define IDS_MAX 100000

static bool
may_describe(const struct request *request, struct slice topic)
{
	return request_sees(request, ACL_DESCRIBE, ACL_RESOURCE_TOPIC, topic);
}

static void
fill_topics(struct request *request, const struct txn_description *description,
    struct kp_describe_transactions_response_transaction_state *told)
{
	told->topics = arena_xcalloc(&request->arena,
	    (size_t)description->topics_count, sizeof(*told->topics));
	for (int32_t i = 0; i < description->topics_count; i++) {
		const struct txn_topic *topic = &description->topics[i];
		struct kp_describe_transactions_response_topic *entry =
		    &told->topics[told->topics_count];

		if (!may_describe(request, topic->name))
			continue;
		told->topics_count++;
		entry->topic = topic->name;
		entry->partitions = topic->indexes;
		entry->partitions_count = topic->count;
	}
}

static void
fill(struct request *request, const struct txn_description *description,
    struct kp_describe_transactions_response_transaction_state *told)
{
	const struct txn_values *values = &description->values;

	told->transactional_id = description->call.transactional_id;
	told->error_code = (int16_t)description->call.call.error;
	told->transaction_state = slice_str("");
	if (told->error_code != KP_NONE)
		return;
	told->transaction_state = slice_str(txn_state_name(values->state));
	told->transaction_timeout_ms = values->timeout_ms;
	told->transaction_start_time_ms = values->start_ms;
	told->producer_id = values->producer_id;
	told->producer_epoch = values->producer_epoch;
	fill_topics(request, description, told);
}

static void
answer(struct request *request)
{
	const struct kp_describe_transactions_request *body = request->body;
	const struct txn_description *descriptions = request->state;
	struct kp_describe_transactions_response *response =
	    request_response_new(request);
	int32_t count = MAX(body->transactional_ids_count, 0);

	response->transaction_states = arena_xcalloc(&request->arena,
	    (size_t)count, sizeof(*response->transaction_states));
	response->transaction_states_count = count;
	for (int32_t i = 0; i < count; i++)
		fill(request, &descriptions[i],
		    &response->transaction_states[i]);
	request_reply(request, response);
}

static enum kp_error
refuse(const struct request *request, struct slice transactional_id)
{
	if (!coordinated_txn_allowed(request, ACL_DESCRIBE, transactional_id))
		return KP_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	return transactional_id.len == 0 ? KP_INVALID_REQUEST : KP_NONE;
}

static void
handle_describe_transactions(struct request *request)
{
	const struct kp_describe_transactions_request *body = request->body;
	int32_t count = MAX(body->transactional_ids_count, 0);
	struct txn_description *descriptions;
	struct coordinated *all;

	if (count > IDS_MAX) {
		request_close(request, "a look at too many transactions");
		return;
	}
	descriptions = arena_xcalloc(
	    &request->arena, (size_t)count, sizeof(*descriptions));
	request->state = descriptions;
	all = coordinated_new(request, answer);
	for (int32_t i = 0; i < count; i++) {
		struct txn_description *description = &descriptions[i];
		struct slice id = body->transactional_ids[i];

		description->arena = &request->arena;
		description->call.transactional_id = id;
		description->call.call.error = refuse(request, id);
		if (description->call.call.error != KP_NONE)
			continue;
		coordinated_join_txn(all, &description->call, id);
		txn_coordinator_describe(request->server->txns, description);
	}
	coordinated_wait(all);
}

const struct api api_describe_transactions =
    API_ROW(describe_transactions, API_ENTRIES);
