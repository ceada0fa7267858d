#include "api/txn_question.h"

/* AddPartitionsToTxn's, as brokers send it. */
#define VERSION_BROKERS 5

static void
settle(struct txn_question *question)
{
	question->error = question->add.call.call.error;
	/* What a producer is told who has been fenced. */
	if (question->error == KP_PRODUCER_FENCED)
		question->error = KP_INVALID_PRODUCER_EPOCH;
}

static void
posted(struct request *request)
{
	struct txn_question *question = request->state;

	settle(question);
	question->answered(question);
}

/* On any thread. */
static void
done(struct shard_call *call)
{
	struct txn_question *question = call->context;

	if (atomic_fetch_sub(&question->pending, 1) == 1)
		request_post(question->request, posted);
}

bool
txn_question_ask(struct txn_question *question)
{
	struct txn_add *add = &question->add;

	question->request->state = question;
	atomic_store(&question->pending, 2);
	add->client_version = TXN_VERSION_EPOCH_EACH;
	add->call = (struct txn_call){
		.call = { .done = done, .context = question },
		.transactional_id = question->transactional_id,
		.node_id = question->request->node_id,
		.version = VERSION_BROKERS,
	};
	txn_coordinator_add(question->request->server->txns, add);
	if (atomic_load(&question->pending) != 1)
		return false;
	settle(question);
	return true;
}

bool
txn_question_wait(struct txn_question *question)
{
	if (atomic_fetch_sub(&question->pending, 1) != 1)
		return false;
	settle(question);
	return true;
}
