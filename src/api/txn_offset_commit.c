/*
 * TxnOffsetCommit, versions 0-5: offsets of a group that become visible when a
 * transaction is committed.  From version 5 on the request itself adds the
 * group's partition to the transaction (KIP-890).
 *
 * Partitions that are not there or may not be read are answered here; about
 * the others the transaction's coordinator is asked, and then they go to the
 * group's coordinator as one commit.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "api/offset_commits.h"
#include "api/txn_question.h"
#include "base/clock.h"
#include "broker/partition.h"
#include "broker/partition_manager.h"
#include "store/verification.h"
#include "wire/generated/txn_offset_commit.h"

/* Versions whose clients know TRANSACTION_ABORTABLE, and what is newer. */
#define VERSION_ABORTABLE 4
#define VERSION_ADDS 5

struct state {
	struct txn_question question;
	struct txn_partition asked;
	struct shard_transaction transaction;
	uint64_t accepted_guard; /* what the question was answered for */
	struct group_call *call;
	struct group_commit commit;
};

/* --- The request's offsets, and the answer's ------------------------------ */

static void
take_topic(struct request *request,
    const struct kp_txn_offset_commit_request_topic *asked,
    struct group_topic *taken)
{
	taken->name = asked->name;
	offset_commits_offsets(request, taken, asked->partitions_count);
	for (int32_t i = 0; i < taken->offsets_count; i++) {
		const struct kp_txn_offset_commit_request_partition *partition =
		    &asked->partitions[i];

		taken->offsets[i] = offset_commits_offset(
		    partition->partition_index, partition->committed_offset,
		    partition->committed_leader_epoch,
		    partition->committed_metadata);
	}
}

static void
take(struct request *request, struct state *state)
{
	const struct kp_txn_offset_commit_request *body = request->body;
	struct group_commit *commit = &state->commit;

	state->transaction.producer_id = body->producer_id;
	state->transaction.producer_epoch = body->producer_epoch;
	state->transaction.guarded =
	    txn_coordinator_verifies(request->server->txns);
	commit->group_id = body->group_id;
	commit->generation_id = body->generation_id;
	commit->member_id = body->member_id;
	commit->instance_id = body->group_instance_id;
	commit->retention_ms = -1;
	commit->transaction = &state->transaction;
	offset_commits_topics(request, commit, body->topics_count);
	for (int32_t i = 0; i < commit->topics_count; i++)
		take_topic(request, &body->topics[i], &commit->topics[i]);
}

static void
answer_topic(struct request *request, const struct group_topic *committed,
    struct kp_txn_offset_commit_response_topic *topic)
{
	topic->partitions = arena_xcalloc(&request->arena,
	    (size_t)committed->offsets_count, sizeof(*topic->partitions));
	topic->partitions_count = committed->offsets_count;
	for (int32_t i = 0; i < topic->partitions_count; i++) {
		const struct group_offset *offset = &committed->offsets[i];

		topic->partitions[i].partition_index = offset->partition;
		topic->partitions[i].error_code = (int16_t)offset->error;
	}
}

/* What no error was found for gets this one. */
static void
reply(struct request *request, struct state *state, enum kp_error error)
{
	const struct kp_txn_offset_commit_request *body = request->body;
	struct group_commit *commit = &state->commit;
	struct kp_txn_offset_commit_response *response =
	    request_response_new(request);

	offset_commits_fail(commit, error);
	response->topics = arena_xcalloc(&request->arena,
	    (size_t)commit->topics_count, sizeof(*response->topics));
	response->topics_count = commit->topics_count;
	for (int32_t i = 0; i < response->topics_count; i++) {
		response->topics[i].name = body->topics[i].name;
		answer_topic(request, &commit->topics[i], &response->topics[i]);
	}
	request_reply(request, response);
}

static void
fail_txn_offset_commit(struct request *request, enum kp_error error)
{
	struct state state = { 0 };

	take(request, &state);
	reply(request, &state, error);
}

/* --- The group ----------------------------------------------------------- */

static void
on_committed(struct request *request)
{
	struct state *state = request->state;

	reply(request, state, state->call->call.error);
}

static void
commit(struct request *request, struct state *state)
{
	struct coordinated *all = coordinated_new(request, on_committed);

	state->call = coordinated_call(all);
	request->state = state;
	group_coordinator_commit(
	    request->server->groups, state->call, &state->commit);
	coordinated_wait(all);
}

/* --- The transaction ----------------------------------------------------- */

/* What the answer to the question comes to. */
static enum kp_error
verdict(const struct request *request, const struct txn_question *question)
{
	enum kp_error error = question->error;

	if (error == KP_NONE)
		error = question->add.partitions[0].error;
	if (error == KP_TRANSACTION_ABORTABLE &&
	    request->version < VERSION_ABORTABLE)
		return KP_INVALID_TXN_STATE;
	return error;
}

static void go_on(struct request *request, struct state *state);

/* Where the guard is another one by now it is asked about once more. */
static void
on_answered(struct txn_question *question)
{
	struct state *state = CONTAINER_OF(question, struct state, question);
	struct request *request = question->request;
	enum kp_error error = verdict(request, question);

	state->accepted_guard = state->transaction.guard;
	if (error == KP_NONE)
		go_on(request, state);
	else
		reply(request, state, error);
}

static void
ask(struct request *request, struct state *state)
{
	const struct kp_txn_offset_commit_request *body = request->body;
	struct txn_question *question = &state->question;

	question->request = request;
	question->transactional_id = body->transactional_id;
	question->answered = on_answered;
	question->add.producer_id = body->producer_id;
	question->add.producer_epoch = body->producer_epoch;
	question->add.verify_only = request->version < VERSION_ADDS;
	question->add.partitions = &state->asked;
	question->add.count = 1;
	if (txn_question_ask(question) || txn_question_wait(question))
		on_answered(question);
}

/* The partition with the group's offsets: its guard, if there must be one. */
static enum kp_error
verify(struct request *request, struct state *state)
{
	const struct kp_txn_offset_commit_request *body = request->body;
	struct server *server = request->server;
	const struct verification_start start = {
		.producer_id = body->producer_id,
		.producer_epoch = body->producer_epoch,
		.base_sequence = -1,
		.supports_epoch_bump = request->version >= VERSION_ADDS,
		.now_ms = clock_wall_ms(),
	};
	struct partition *partition;
	enum kp_error error;

	state->asked.topic = slice_str(GROUP_COORDINATOR_TOPIC);
	state->asked.index =
	    group_coordinator_partition(server->groups, body->group_id);
	partition = partition_manager_find(
	    server->partitions, state->asked.topic, state->asked.index);
	if (partition == NULL)
		return KP_NOT_COORDINATOR;
	error = partition_verify(
	    partition, request->node_id, &start, &state->transaction.guard);
	partition_unref(partition);
	return error == KP_NONE || error == KP_INVALID_PRODUCER_EPOCH ?
	    error :
	    KP_NOT_COORDINATOR;
}

/* Is there a question that was not answered yet? */
static bool
asks(const struct request *request, const struct state *state)
{
	const struct shard_transaction *transaction = &state->transaction;

	return transaction->guard != VERIFICATION_NONE &&
	    transaction->guard != state->accepted_guard &&
	    (transaction->guarded || request->version >= VERSION_ADDS);
}

static void
go_on(struct request *request, struct state *state)
{
	enum kp_error error = verify(request, state);

	if (error != KP_NONE)
		reply(request, state, error);
	else if (asks(request, state))
		ask(request, state);
	else
		commit(request, state);
}

/* --- The request --------------------------------------------------------- */

static enum kp_error
refuse(const struct request *request)
{
	const struct kp_txn_offset_commit_request *body = request->body;

	if (!coordinated_txn_allowed(
		request, ACL_WRITE, body->transactional_id))
		return KP_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	if (!coordinated_allowed(request, ACL_READ, body->group_id))
		return KP_GROUP_AUTHORIZATION_FAILED;
	return KP_NONE;
}

static enum kp_error
check(const struct kp_txn_offset_commit_request *body)
{
	if (body->group_id.len == 0)
		return KP_INVALID_GROUP_ID;
	/* Such a batch would be in no transaction. */
	return body->producer_id < 0 || body->producer_epoch < 0 ?
	    KP_INVALID_PRODUCER_ID_MAPPING :
	    KP_NONE;
}

static void
handle_txn_offset_commit(struct request *request)
{
	const struct kp_txn_offset_commit_request *body = request->body;
	enum kp_error error = refuse(request);
	struct state *state;

	if (error != KP_NONE) {
		fail_txn_offset_commit(request, error);
		return;
	}
	state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	take(request, state);
	if (offset_commits_check(request, &state->commit, false) == 0) {
		reply(request, state, KP_NONE);
		return;
	}
	error = check(body);
	if (error != KP_NONE)
		reply(request, state, error);
	else
		go_on(request, state);
}

const struct api api_txn_offset_commit =
    API_ROW(txn_offset_commit, API_ENTRIES, .fail = fail_txn_offset_commit);
