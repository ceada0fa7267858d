/*
 * ListTransactions, versions 0-2: the transactional ids of this broker that the
 * asker may describe, filtered by state and producer id, from version 1 on by
 * duration and from version 2 on by a pattern for the id (KIP-664, KIP-994,
 * KIP-1152).
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "base/clock.h"
#include "base/regex.h"
#include "wire/generated/list_transactions.h"

struct state {
	struct txn_call call;
	struct txn_filter filter;
	struct txn_list list;
	struct regex *pattern; /* NULL: any; freed with the answer */
	struct kp_list_transactions_response *response;
};

static void
answer(struct request *request)
{
	struct state *state = request->state;
	struct kp_list_transactions_response *response = state->response;

	regex_free(state->pattern);
	response->error_code = (int16_t)state->call.call.error;
	if (response->error_code == KP_NONE)
		response->transaction_states =
		    arena_xcalloc(&request->arena, (size_t)state->list.count,
			sizeof(*response->transaction_states));
	for (int32_t i = 0;
	    i < state->list.count && response->error_code == KP_NONE; i++) {
		const struct txn_listed *listed = &state->list.entries[i];
		struct kp_list_transactions_response_transaction_state *told =
		    &response->transaction_states[response
			    ->transaction_states_count];

		if (!request_sees(request, ACL_DESCRIBE,
			ACL_RESOURCE_TRANSACTIONAL_ID, listed->id))
			continue;
		response->transaction_states_count++;
		told->transactional_id = listed->id;
		told->producer_id = listed->producer_id;
		told->transaction_state =
		    slice_str(txn_state_name(listed->state));
	}
	request_reply(request, response);
}

/* --- Filters ------------------------------------------------------------- */

static bool
state_find(struct slice name, unsigned *found)
{
	for (unsigned i = 0; i < TXN_STATES_COUNT; i++) {
		if (!slice_equal_str(name, txn_state_name((enum txn_state)i)))
			continue;
		*found = i;
		return true;
	}
	return false;
}

/* Names that are not known are told; where there are no others none passes. */
static void
take_states(struct request *request, struct state *state)
{
	const struct kp_list_transactions_request *body = request->body;
	struct kp_list_transactions_response *response = state->response;
	unsigned found;

	response->unknown_state_filters = arena_xcalloc(&request->arena,
	    (size_t)MAX(body->state_filters_count, 0),
	    sizeof(*response->unknown_state_filters));
	for (int32_t i = 0; i < body->state_filters_count; i++) {
		if (state_find(body->state_filters[i], &found))
			state->filter.states |= UINT32_C(1) << found;
		else
			response->unknown_state_filters[response
				->unknown_state_filters_count++] =
			    body->state_filters[i];
	}
	if (body->state_filters_count > 0 && state->filter.states == 0)
		state->filter.states = UINT32_C(1) << TXN_STATES_COUNT;
}

static int
compare_ids(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

static void
take_producers(struct request *request, struct state *state)
{
	const struct kp_list_transactions_request *body = request->body;
	size_t count = (size_t)MAX(body->producer_id_filters_count, 0);
	int64_t *ids = arena_xcalloc(&request->arena, count, sizeof(*ids));

	if (count > 0)
		memcpy(ids, body->producer_id_filters, count * sizeof(*ids));
	qsort(ids, count, sizeof(*ids), compare_ids);
	state->filter.producer_ids = ids;
	state->filter.producer_ids_count = (int32_t)count;
}

static bool
pattern_matches(const struct txn_filter *filter, struct slice id)
{
	return regex_matches(filter->context, id);
}

/* "" is no pattern; all of an id has to match one. */
static enum kp_error
take_pattern(const struct request *request, struct state *state)
{
	const struct kp_list_transactions_request *body = request->body;
	const char *reason;

	if (body->transactional_id_pattern.len == 0)
		return KP_NONE;
	state->pattern = regex_new(body->transactional_id_pattern, &reason);
	state->filter.context = state->pattern;
	state->filter.passes = pattern_matches;
	return state->pattern == NULL ? KP_INVALID_REGULAR_EXPRESSION : KP_NONE;
}

/* --- The request --------------------------------------------------------- */

static void
handle_list_transactions(struct request *request)
{
	const struct kp_list_transactions_request *body = request->body;
	struct state *state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	struct coordinated *all;

	state->response = request_response_new(request);
	state->filter.duration_ms = body->duration_filter;
	state->filter.now_ms = clock_wall_ms();
	take_states(request, state);
	take_producers(request, state);
	request->state = state;
	state->call.call.error = take_pattern(request, state);
	if (state->call.call.error != KP_NONE) {
		answer(request);
		return;
	}
	all = coordinated_new(request, answer);
	coordinated_join_txn(all, &state->call, slice_str(""));
	txn_coordinator_list(request->server->txns, &state->call,
	    &request->arena, &state->filter, &state->list);
	coordinated_wait(all);
}

const struct api api_list_transactions =
    API_ROW(list_transactions, API_ENTRIES);
