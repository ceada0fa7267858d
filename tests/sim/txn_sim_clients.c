/*
 * The clients of test_txn_sim: producers that do as Kafka's do, two of them
 * for each transactional id so that they fence each other, and strays, which
 * are requests that come late, twice, or from nobody.
 */
#include "sim/txn_sim.h"

#include "base/log.h"

#include <stdio.h>

static bool
chance(struct sim *sim, unsigned percent)
{
	return sim_chance(&sim->rng, percent);
}

/* --- What a client asks ------------------------------------------------- */

static void
begin(struct sim *sim, struct sim_client *client)
{
	struct sim_op *op = sim_op_new(sim, SIM_OP_BEGIN, client->txn);
	bool expects = client->producer_id >= 0 && chance(sim, 60);

	op->begin.call.version = client->begin_version;
	op->begin.timeout_ms = chance(sim, 10) ?
	    TXN_TIMEOUT_NEVER :
	    (int32_t)(1000 + rng_below(&sim->rng, 60000));
	op->begin.producer_id = expects ? client->producer_id : -1;
	op->begin.producer_epoch = expects ? client->epoch : -1;
	client->op = op;
	sim_op_ask(op);
}

static void
add(struct sim *sim, struct sim_client *client, int log)
{
	struct sim_op *op = sim_op_new(sim, SIM_OP_ADD, client->txn);

	op->add.call.version = (int16_t)(1 + rng_below(&sim->rng, 3));
	op->add.producer_id = client->producer_id;
	op->add.producer_epoch = client->epoch;
	op->add.partitions = op->parts;
	op->add.count = 1;
	op->parts[0] = (struct txn_partition){
		slice_str(sim->logs[log].topic), sim->logs[log].index, KP_NONE
	};
	/* Perhaps together with another one. */
	if (log < SIM_PARTITIONS - 1 && chance(sim, 30)) {
		op->parts[op->add.count++] = (struct txn_partition){
			slice_str("t"), sim->logs[log + 1].index, KP_NONE };
	}
	client->op = op;
	sim_op_ask(op);
}

static void
produce(struct sim *sim, struct sim_client *client, int log)
{
	bool offsets = log == SIM_LOG_OFFSETS;
	struct sim_op *op = sim_op_new(
	    sim, offsets ? SIM_OP_OFFSETS : SIM_OP_SEND, client->txn);

	op->log = log;
	op->producer_id = client->producer_id;
	op->epoch = client->epoch;
	op->sequence = offsets ? -1 : client->sequences[log];
	op->adds = client->each;
	client->op = op;
	sim_op_produce(op);
}

static void
end(struct sim *sim, struct sim_client *client)
{
	struct sim_op *op = sim_op_new(sim, SIM_OP_END, client->txn);

	op->end.call.version =
	    client->each ? 5 : (int16_t)(1 + rng_below(&sim->rng, 4));
	op->end.client_version = client->each ? 2 : 0;
	op->end.producer_id = client->producer_id;
	op->end.producer_epoch = client->epoch;
	op->end.commit = client->end_commit;
	client->op = op;
	sim_op_ask(op);
}

/* --- What it makes of the answers --------------------------------------- */

static bool
comes_back(enum kp_error error)
{
	return error == KP_CONCURRENT_TRANSACTIONS ||
	    error == KP_COORDINATOR_LOAD_IN_PROGRESS ||
	    error == KP_COORDINATOR_NOT_AVAILABLE ||
	    error == KP_NOT_COORDINATOR;
}

/* As another instance of the application. */
static void
start_over(struct sim_client *client, enum kp_error error)
{
	client->producer_id = -1;
	client->in_txn = client->ending = false;
	client->renew = true;
	/* Two that are always there would never let each other work. */
	client->away = error == KP_PRODUCER_FENCED ||
	    error == KP_INVALID_PRODUCER_EPOCH;
}

static void
transaction_over(struct sim_client *client)
{
	client->in_txn = client->ending = client->broken = false;
	client->used = false;
	client->added = 0;
	memset(client->ends, 0, sizeof(client->ends));
}

static void
identity_set(struct sim_client *client, int64_t producer_id, int16_t epoch)
{
	if (client->producer_id != producer_id || client->epoch != epoch)
		memset(client->sequences, 0, sizeof(client->sequences));
	client->producer_id = producer_id;
	client->epoch = epoch;
}

static void
begin_answered(struct sim_client *client, const struct sim_op *op)
{
	if (op->error == KP_NONE) {
		identity_set(client, op->begin.producer_id,
		    op->begin.producer_epoch);
		transaction_over(client);
		client->renew = client->away = false;
	} else if (!comes_back(op->error)) {
		start_over(client, op->error);
	}
}

static void
add_answered(struct sim_client *client, const struct sim_op *op)
{
	struct sim *sim = op->sim;

	if (op->error != KP_NONE) {
		if (!comes_back(op->error))
			start_over(client, op->error);
		return;
	}
	for (int32_t i = 0; i < op->add.count; i++)
		client->added |= 1u << (sim_log_find(sim, op->parts[i].topic,
					    op->parts[i].index) -
				     sim->logs);
}

static void
end_answered(struct sim_client *client, const struct sim_op *op)
{
	struct sim *sim = op->sim;

	if (op->error == KP_UNSUPPORTED_VERSION)
		client->each = false;
	else if (op->error != KP_NONE && !comes_back(op->error))
		start_over(client, op->error);
	if (op->error != KP_NONE)
		return;
	sim->commits += op->end.commit;
	/* Batches that were lost have left a gap behind. */
	client->renew = client->broken && !client->each;
	if (client->each)
		identity_set(
		    client, op->end.producer_id, op->end.producer_epoch);
	transaction_over(client);
}

static void
produce_answered(struct sim_client *client, const struct sim_op *op)
{
	bool send = op->kind == SIM_OP_SEND;

	if (op->error == KP_UNSUPPORTED_VERSION) {
		client->each = false;
		return;
	}
	if (op->error != KP_NONE && !comes_back(op->error)) {
		client->broken = true;
		return;
	}
	if (op->error != KP_NONE || !send)
		return;
	client->sequences[op->log]++;
	client->ends[op->log] = op->offset + 1;
}

static void
answered(struct sim_client *client, const struct sim_op *op)
{
	switch (op->kind) {
	case SIM_OP_BEGIN:
		begin_answered(client, op);
		break;
	case SIM_OP_ADD:
		add_answered(client, op);
		break;
	case SIM_OP_END:
		end_answered(client, op);
		break;
	default:
		produce_answered(client, op);
		break;
	}
}

/* Is it over? */
static bool
go_on(struct sim_op *op)
{
	if (op->kind == SIM_OP_SEND || op->kind == SIM_OP_OFFSETS) {
		sim_op_produce(op);
		return op->over;
	}
	if (op->done)
		sim_op_judge(op);
	return op->done;
}

void
sim_client_go_on(struct sim *sim, struct sim_client *client)
{
	static const char *const names[] = { "begin", "add", "end", "send",
		"offsets" };
	struct sim_op *op = client->op;

	if (op == NULL || !go_on(op))
		return;
	client->op = NULL;
	log_debug("sim", "client %td (%s) of producer %lld %d: %s %s",
	    client - sim->clients, sim->models[client->txn].id,
	    (long long)client->producer_id, client->epoch, names[op->kind],
	    kp_error_name(op->error));
	answered(client, op);
	sim_op_free(op);
}

/* --- What it does next -------------------------------------------------- */

/* Has all that was accepted been acknowledged? */
static bool
acknowledged(const struct sim *sim, const struct sim_client *client)
{
	for (int i = 0; i < SIM_PARTITIONS; i++)
		if (client->ends[i] > sim_log_flushed(sim, i))
			return false;
	return true;
}

static void
go_into(struct sim *sim, struct sim_client *client)
{
	int log = (int)rng_below(&sim->rng, SIM_LOGS_TRANSACTIONAL);

	client->used = true;
	/* Some forget to say so, and are told. */
	if (!client->each && (client->added & 1u << log) == 0 &&
	    chance(sim, 97))
		add(sim, client, log);
	else
		produce(sim, client, log);
}

static void
decide(struct sim *sim, struct sim_client *client)
{
	client->end_commit = !client->broken && chance(sim, 70);
	if (client->end_commit && !acknowledged(sim, client))
		return;
	if (!client->used) {
		transaction_over(client);
		return;
	}
	client->ending = true;
	end(sim, client);
}

void
sim_client_act(struct sim *sim, struct sim_client *client)
{
	if (client->away && !chance(sim, 1))
		return;
	if (client->ending) {
		end(sim, client);
	} else if (client->in_txn) {
		if (client->broken || chance(sim, 25))
			decide(sim, client);
		else
			go_into(sim, client);
	} else if (client->renew || chance(sim, 3)) {
		begin(sim, client);
	} else if (chance(sim, 3)) {
		/* There is nothing to end. */
		client->end_commit = chance(sim, 50);
		end(sim, client);
	} else {
		client->in_txn = true;
	}
}

void
sim_client_step(struct sim *sim)
{
	struct sim_client *client =
	    &sim->clients[rng_below(&sim->rng, SIM_CLIENTS)];

	if (client->op != NULL)
		sim_client_go_on(sim, client);
	else if (!sim->settling)
		sim_client_act(sim, client);
}

/* --- Strays ------------------------------------------------------------- */

/* Who it says that it is: now, before, later, or nobody. */
static void
pick_identity(struct sim *sim, int txn, int64_t *producer_id, int16_t *epoch)
{
	const struct txn_model *now = &sim->models[txn].now;
	int shift = chance(sim, 50) ? 0 : (int)rng_below(&sim->rng, 5) - 2;

	*producer_id = chance(sim, 85) ? now->producer_id :
	    chance(sim, 60)	       ? now->previous_id :
					 (int64_t)rng_below(&sim->rng, 20);
	*epoch = (int16_t)MIN(MAX(now->epoch + shift, 0), INT16_MAX);
	if (chance(sim, 5))
		*epoch = TXN_EPOCH_EXHAUSTED;
	*producer_id = MAX(*producer_id, 0);
}

static struct sim_op *
stray_ask(struct sim *sim, int txn, enum sim_op_kind kind, int64_t producer_id,
    int16_t epoch)
{
	struct sim_client client = {
		.txn = txn,
		.producer_id = producer_id,
		.epoch = epoch,
	};
	int log = (int)rng_below(&sim->rng, SIM_LOGS_TRANSACTIONAL);

	client.each = chance(sim, 50);
	client.begin_version = chance(sim, 50) ? 3 : 5;
	client.end_commit = chance(sim, 50);
	for (int i = 0; i < SIM_PARTITIONS; i++)
		client.sequences[i] = (int32_t)rng_below(&sim->rng, 3);
	if (kind == SIM_OP_BEGIN)
		begin(sim, &client);
	else if (kind == SIM_OP_ADD)
		add(sim, &client, log);
	else if (kind == SIM_OP_END)
		end(sim, &client);
	else
		produce(sim, &client, log);
	return client.op;
}

void
sim_stray_step(struct sim *sim)
{
	int txn = (int)rng_below(&sim->rng, SIM_TXNS);
	enum sim_op_kind kind =
	    (enum sim_op_kind)rng_below(&sim->rng, SIM_OP_OFFSETS);
	int64_t producer_id;
	int16_t epoch;
	struct sim_op *op;

	pick_identity(sim, txn, &producer_id, &epoch);
	/* Of a producer that began anew nobody wants to hear all the time. */
	if (kind == SIM_OP_BEGIN && chance(sim, 70))
		kind = SIM_OP_SEND;
	op = stray_ask(sim, txn, kind, producer_id, epoch);
	list_append(&sim->strays, &op->node);
}

void
sim_strays_go_on(struct sim *sim)
{
	LIST_FOR_EACH_SAFE (node, &sim->strays) {
		struct sim_op *op = LIST_ENTRY(node, struct sim_op, node);

		if (!sim->settling && chance(sim, 60))
			continue;
		if (!go_on(op))
			continue;
		list_remove(&op->node);
		sim_op_free(op);
	}
}

/* --- The broker has gone ------------------------------------------------ */

static void
client_interrupt(struct sim *sim, struct sim_client *client)
{
	if (client->op != NULL)
		client->op->interrupted = true;
	for (int i = 0; i < SIM_PARTITIONS; i++)
		if (client->ends[i] > sim_log_end(sim, i))
			client->broken = true;
}

void
sim_clients_interrupt(struct sim *sim)
{
	for (int i = 0; i < SIM_CLIENTS; i++)
		client_interrupt(sim, &sim->clients[i]);
	LIST_FOR_EACH (node, &sim->strays)
		LIST_ENTRY(node, struct sim_op, node)->interrupted = true;
}

bool
sim_clients_wait(const struct sim *sim)
{
	for (int i = 0; i < SIM_CLIENTS; i++)
		if (sim->clients[i].op != NULL)
			return true;
	return !list_empty(&sim->strays);
}

void
sim_clients_init(struct sim *sim)
{
	list_init(&sim->strays);
	for (int i = 0; i < SIM_TXNS; i++) {
		snprintf(sim->models[i].id, sizeof(sim->models[i].id), "txn-%d",
		    i);
		sim->models[i].noted = -1;
		sim->models[i].now.last_epoch = -1;
	}
	for (int i = 0; i < SIM_CLIENTS; i++) {
		struct sim_client *client = &sim->clients[i];

		client->txn = i % SIM_TXNS;
		client->each = chance(sim, 60);
		client->begin_version = chance(sim, 30) ? 3 : 5;
		client->producer_id = -1;
		client->renew = true;
		client->away = i >= SIM_TXNS;
	}
}
