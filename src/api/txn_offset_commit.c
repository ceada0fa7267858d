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
#include "api/txn_question.h"
#include "base/clock.h"
#include "broker/partition.h"
#include "broker/partition_manager.h"
#include "meta/image.h"
#include "meta/topic_image.h"
#include "store/verification.h"
#include "wire/generated/txn_offset_commit.h"

/* Versions whose clients know TRANSACTION_ABORTABLE, and what is newer. */
#define VERSION_ABORTABLE 4
#define VERSION_ADDS 5

/* What a partition's code is until the coordinators have spoken. */
#define UNDECIDED INT16_MAX

struct state {
	struct txn_question question;
	struct txn_partition asked;
	struct shard_transaction transaction;
	uint64_t accepted_guard; /* what the question was answered for */
	struct group_call *call;
	struct group_commit commit;
	struct kp_txn_offset_commit_response *response;
};

/* --- Answers ------------------------------------------------------------- */

static void
fill_topic(struct request *request,
    const struct kp_txn_offset_commit_request_topic *asked, int16_t code,
    struct kp_txn_offset_commit_response_topic *topic)
{
	size_t count = (size_t)MAX(asked->partitions_count, 0);

	topic->name = asked->name;
	topic->partitions =
	    arena_xcalloc(&request->arena, count, sizeof(*topic->partitions));
	topic->partitions_count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		topic->partitions[i].partition_index =
		    asked->partitions[i].partition_index;
		topic->partitions[i].error_code = code;
	}
}

/* A response in which every partition has code. */
static struct kp_txn_offset_commit_response *
response_of(struct request *request, int16_t code)
{
	const struct kp_txn_offset_commit_request *body = request->body;
	struct kp_txn_offset_commit_response *response =
	    request_response_new(request);
	size_t count = (size_t)MAX(body->topics_count, 0);

	response->topics =
	    arena_xcalloc(&request->arena, count, sizeof(*response->topics));
	response->topics_count = (int32_t)count;
	for (size_t i = 0; i < count; i++)
		fill_topic(
		    request, &body->topics[i], code, &response->topics[i]);
	return response;
}

static void
fail_txn_offset_commit(struct request *request, enum kp_error error)
{
	request_reply(request, response_of(request, (int16_t)error));
}

/* The offsets were taken from the undecided partitions, in their order. */
static void
decide(enum kp_error error, const struct group_topic *committed,
    struct kp_txn_offset_commit_response_topic *topic)
{
	const struct group_offset *offset = committed->offsets;

	for (int32_t i = 0; i < topic->partitions_count; i++) {
		struct kp_txn_offset_commit_response_partition *partition =
		    &topic->partitions[i];

		if (partition->error_code != UNDECIDED)
			continue;
		partition->error_code =
		    (int16_t)(error != KP_NONE ? error : offset->error);
		offset++;
	}
	assert(offset == committed->offsets + committed->offsets_count);
}

static void
reply(struct request *request, const struct state *state, enum kp_error error)
{
	struct kp_txn_offset_commit_response *response = state->response;

	for (int32_t i = 0; i < response->topics_count; i++)
		decide(error, &state->commit.topics[i], &response->topics[i]);
	request_reply(request, response);
}

/* --- What can be committed ----------------------------------------------- */

/* Is the topic there, and may it be read?  Image locked. */
static enum kp_error
resolve(const struct request *request, struct slice name,
    const struct topic_image **topic)
{
	*topic = image_topic(request->server->image, name);
	if (!request_allows(request, ACL_READ, ACL_RESOURCE_TOPIC, name))
		return KP_TOPIC_AUTHORIZATION_FAILED;
	return *topic == NULL ? KP_UNKNOWN_TOPIC_OR_PARTITION : KP_NONE;
}

static void
take_offset(const struct kp_txn_offset_commit_request_partition *asked,
    struct group_offset *offset)
{
	offset->partition = asked->partition_index;
	offset->offset = asked->committed_offset;
	offset->leader_epoch = asked->committed_leader_epoch;
	offset->metadata = slice_is_null(asked->committed_metadata) ?
	    slice_str("") :
	    asked->committed_metadata;
}

/* Decide what can be decided here, and take the rest for the coordinators. */
static void
take_topic(struct request *request,
    const struct kp_txn_offset_commit_request_topic *asked,
    struct kp_txn_offset_commit_response_topic *answered,
    struct group_topic *taken)
{
	const struct topic_image *topic;
	enum kp_error error = resolve(request, asked->name, &topic);

	taken->offsets = arena_xcalloc(&request->arena,
	    (size_t)answered->partitions_count, sizeof(*taken->offsets));
	taken->name = asked->name;
	for (int32_t i = 0; i < answered->partitions_count; i++) {
		int32_t index = asked->partitions[i].partition_index;
		enum kp_error own = error;

		if (own == KP_NONE &&
		    topic_image_partition(topic, index) == NULL)
			own = KP_UNKNOWN_TOPIC_OR_PARTITION;
		if (own != KP_NONE)
			answered->partitions[i].error_code = (int16_t)own;
		else
			take_offset(&asked->partitions[i],
			    &taken->offsets[taken->offsets_count++]);
	}
}

/* The number of offsets that are to be committed. */
static int32_t
take_topics(struct request *request, struct state *state)
{
	const struct kp_txn_offset_commit_request *body = request->body;
	struct group_commit *commit = &state->commit;
	int32_t count = 0;

	commit->topics_count = state->response->topics_count;
	commit->topics = arena_xcalloc(&request->arena,
	    (size_t)commit->topics_count, sizeof(*commit->topics));
	image_read_lock(request->server->image);
	for (int32_t i = 0; i < commit->topics_count; i++) {
		take_topic(request, &body->topics[i],
		    &state->response->topics[i], &commit->topics[i]);
		count += commit->topics[i].offsets_count;
	}
	image_read_unlock(request->server->image);
	return count;
}

/* --- The group ----------------------------------------------------------- */

static void
on_committed(struct request *request)
{
	const struct state *state = request->state;

	reply(request, state, state->call->call.error);
}

static void
commit(struct request *request, struct state *state)
{
	const struct kp_txn_offset_commit_request *body = request->body;
	struct coordinated *all = coordinated_new(request, on_committed);

	state->call = coordinated_call(all);
	state->commit.group_id = body->group_id;
	state->commit.generation_id = body->generation_id;
	state->commit.member_id = body->member_id;
	state->commit.instance_id = body->group_instance_id;
	state->commit.retention_ms = -1;
	state->commit.transaction = &state->transaction;
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
	state->response = response_of(request, UNDECIDED);
	if (take_topics(request, state) == 0) {
		request_reply(request, state->response);
		return;
	}
	state->transaction.producer_id = body->producer_id;
	state->transaction.producer_epoch = body->producer_epoch;
	state->transaction.guarded =
	    txn_coordinator_verifies(request->server->txns);
	error = check(body);
	if (error != KP_NONE)
		reply(request, state, error);
	else
		go_on(request, state);
}

const struct api api_txn_offset_commit =
    API_ROW(txn_offset_commit, API_ENTRIES, .fail = fail_txn_offset_commit);
