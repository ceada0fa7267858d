#include "base/base.h"
#include "base/budget.h"
#include "net/exchange.h"
#include "net/outbox.h"

/* A run of replies is copied up to this length; a reply above it stays. */
#define RUN_LEN_MAX ((size_t)64 * 1024)

/* What is left of several replies, in the place of their exchanges. */
struct residue {
	struct exchange exchange;
	struct output_piece piece;
	struct budget *budget;
	uint8_t bytes[];
};

/* Ready exchanges that follow each other, and what they have not sent. */
struct run {
	struct list_node *first;
	size_t count;
	size_t len;
};

static void
release(struct exchange *exchange)
{
	struct residue *residue =
	    CONTAINER_OF(exchange, struct residue, exchange);

	budget_give(
	    residue->budget, sizeof(*residue) + residue->exchange.output.len);
	free(residue);
}

static struct residue *
residue_new(size_t len, struct budget *budget)
{
	struct residue *residue = xmalloc(sizeof(*residue) + len);

	*residue = (struct residue){ .budget = budget };
	residue->piece = (struct output_piece){ .data = residue->bytes,
		.len = len };
	residue->exchange.output = (struct output){ .pieces = &residue->piece,
		.count = 1,
		.capacity = 1,
		.len = len };
	residue->exchange.state = EXCHANGE_READY;
	residue->exchange.release = release;
	budget_force(budget, sizeof(*residue) + len);
	return residue;
}

/* The bytes that exchange has yet to send; false where a file has some. */
static bool
is_in_memory(const struct exchange *exchange, size_t *len)
{
	const struct output *output = &exchange->output;

	*len = 0;
	for (int32_t i = exchange->piece; i < output->count; i++) {
		if (output->pieces[i].data == NULL)
			return false;
		*len += output->pieces[i].len;
	}
	*len -= exchange->piece_sent;
	return true;
}

/* The run that begins at node, without a single exchange where it is none. */
static struct run
run_at(const struct outbox *outbox, struct list_node *node)
{
	struct run run = { .first = node };

	while (node != &outbox->exchanges.head) {
		const struct exchange *exchange =
		    LIST_ENTRY(node, const struct exchange, node);
		size_t len;

		if (exchange->state != EXCHANGE_READY ||
		    !is_in_memory(exchange, &len) ||
		    run.len + len > RUN_LEN_MAX)
			break;
		run.len += len;
		run.count++;
		node = node->next;
	}
	return run;
}

/* Copy what exchange has yet to send to out; where that ends. */
static uint8_t *
copy_unsent(const struct exchange *exchange, uint8_t *out)
{
	const struct output *output = &exchange->output;
	size_t skip = exchange->piece_sent;

	for (int32_t i = exchange->piece; i < output->count; i++) {
		const struct output_piece *piece = &output->pieces[i];

		memcpy(out, piece->data + skip, piece->len - skip);
		out += piece->len - skip;
		skip = 0;
	}
	return out;
}

/* Put the bytes of the run in its place; the node behind it. */
static struct list_node *
condense(struct outbox *outbox, const struct run *run, struct budget *budget)
{
	struct residue *residue = residue_new(run->len, budget);
	struct list_node *node = run->first;
	uint8_t *end = residue->bytes;

	residue->exchange.connection =
	    LIST_ENTRY(node, struct exchange, node)->connection;
	list_insert_before(node, &residue->exchange.node);
	for (size_t i = 0; i < run->count; i++) {
		struct exchange *exchange =
		    LIST_ENTRY(node, struct exchange, node);

		node = node->next;
		end = copy_unsent(exchange, end);
		list_remove(&exchange->node);
		exchange->release(exchange);
	}
	assert(end == residue->bytes + run->len);
	outbox->count -= run->count - 1;
	return node;
}

void
outbox_condense(struct outbox *outbox, struct budget *budget)
{
	struct list_node *node = outbox->exchanges.head.next;

	while (node != &outbox->exchanges.head) {
		struct run run = run_at(outbox, node);

		node = run.count >= 2 ? condense(outbox, &run, budget) :
					node->next;
	}
}
