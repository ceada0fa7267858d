#include "coord/txn_sender.h"

#include "base/log.h"
#include "coord/txn_mark.h"
#include "meta/image.h"
#include "meta/topic_image.h"
#include "net/loop.h"
#include "net/timer.h"

/* How long what could not be written is left alone. */
#define RETRY_MS 50

/* A partition of the transaction. */
struct part {
	struct txn_mark mark;
	struct sending *sending;
	bool marked; /* or gone */
};

struct sending {
	struct list_node node; /* in the sender's list */
	struct task task;
	struct txn_sender *sender;
	struct txn_ending *ending;
	struct part *parts;
	size_t count;
	size_t left;    /* that are not marked */
	size_t pending; /* marks that are under way, and the round */
	bool given_up;
	struct timer retry;
};

static void
end(struct sending *sending)
{
	timer_stop(&sending->retry);
	list_remove(&sending->node);
	txn_ending_free(sending->ending);
	free(sending->parts);
	free(sending);
}

static void
try_later(struct sending *sending)
{
	timer_start(sending->sender->loop, &sending->retry, RETRY_MS);
}

/* --- One partition ------------------------------------------------------- */

static bool
in_metadata(struct sending *sending, const struct txn_mark *mark)
{
	struct image *image = sending->sender->services->image;
	const struct topic_image *topic;
	bool found;

	image_read_lock(image);
	topic = image_topic(image, mark->topic);
	found =
	    topic != NULL && topic_image_partition(topic, mark->index) != NULL;
	image_read_unlock(image);
	return found;
}

/* Somebody newer has written to the partition: it is not ours to end. */
static void
give_up(struct sending *sending, const struct txn_mark *mark)
{
	log_warn("coord",
	    "The transaction of %.*s cannot be ended in %.*s-%d: %s",
	    SLICE_ARG(sending->ending->id), SLICE_ARG(mark->topic), mark->index,
	    kp_error_name(mark->error));
	sending->given_up = true;
}

static void
settle(struct part *part)
{
	struct sending *sending = part->sending;

	switch (part->mark.error) {
	case KP_NONE:
	case KP_UNSUPPORTED_VERSION:
	case KP_UNSUPPORTED_FOR_MESSAGE_FORMAT:
		part->marked = true;
		break;
	case KP_INVALID_PRODUCER_EPOCH:
	case KP_TRANSACTION_COORDINATOR_FENCED:
		give_up(sending, &part->mark);
		break;
	default:
		/* With its topic its part of the transaction is over. */
		part->marked = !in_metadata(sending, &part->mark);
		break;
	}
	sending->left -= part->marked;
}

/* --- A round of all that are left ---------------------------------------- */

/* What the transaction is still in, for whoever asks. */
static bool
tell_left(struct sending *sending)
{
	struct txn_partitions left;

	txn_partitions_init(&left);
	for (size_t i = 0; i < sending->count; i++) {
		const struct part *part = &sending->parts[i];

		if (!part->marked)
			txn_partitions_add(
			    &left, part->mark.topic, part->mark.index);
	}
	return txn_ending_shrink(sending->ending, &left);
}

static void
round_end(struct sending *sending)
{
	bool over = sending->given_up || sending->sender->closing;

	if (!over && sending->left == 0)
		over = txn_ending_complete(sending->ending);
	else if (!over)
		over = !tell_left(sending);
	if (over)
		end(sending);
	else
		try_later(sending);
}

static void
release(struct sending *sending)
{
	assert(sending->pending > 0);
	if (--sending->pending == 0)
		round_end(sending);
}

static void
on_marked(struct txn_mark *mark)
{
	struct part *part = CONTAINER_OF(mark, struct part, mark);

	settle(part);
	release(part->sending);
}

static void
round_begin(struct sending *sending)
{
	sending->pending = 1;
	for (size_t i = 0; i < sending->count; i++) {
		struct part *part = &sending->parts[i];

		if (part->marked)
			continue;
		if (txn_mark_begin(&part->mark))
			settle(part);
		else
			sending->pending++;
	}
	release(sending);
}

static void
on_retry(struct timer *timer)
{
	round_begin(CONTAINER_OF(timer, struct sending, retry));
}

/* --- Beginning ----------------------------------------------------------- */

static void
part_fill(struct part *part, struct sending *sending, struct slice topic,
    int32_t index)
{
	const struct txn_sender *sender = sending->sender;
	const struct txn_ending *ending = sending->ending;

	part->sending = sending;
	part->mark = (struct txn_mark){
		.partitions = sender->services->partitions,
		.groups = sender->services->groups,
		.loop = sender->loop,
		.node_id = PARTITION_ANY_NODE,
		.topic = topic,
		.index = index,
		.marker = { ending->producer_id, ending->producer_epoch,
		    ending->commit, ending->coordinator_epoch },
		.transaction_version = ending->client_version,
		.done = on_marked,
	};
}

static void
parts_fill(struct sending *sending)
{
	const struct txn_partitions *set = &sending->ending->partitions;

	sending->count = sending->left = set->total;
	sending->parts = xcalloc(set->total + 1, sizeof(*sending->parts));
	for (int32_t i = 0, n = 0; i < set->count; i++)
		for (int32_t j = 0; j < set->topics[i].count; j++)
			part_fill(&sending->parts[n++], sending,
			    set->topics[i].name, set->topics[i].indexes[j]);
}

static void
run_begin(struct task *task)
{
	struct sending *sending = CONTAINER_OF(task, struct sending, task);

	list_append(&sending->sender->sendings, &sending->node);
	if (sending->sender->closing) {
		end(sending);
		return;
	}
	parts_fill(sending);
	round_begin(sending);
}

void
txn_sender_send(struct txn_sender *sender, struct txn_ending *ending)
{
	struct sending *sending = xcalloc(1, sizeof(*sending));

	sending->sender = sender;
	sending->ending = ending;
	sending->task.run = run_begin;
	timer_init(&sending->retry, on_retry);
	loop_post(sender->loop, &sending->task);
}

/* --- Life ---------------------------------------------------------------- */

/* Those marks that cannot be called back end it when they come. */
static void
cancel(struct sending *sending)
{
	for (size_t i = 0; i < sending->count; i++)
		if (txn_mark_cancel(&sending->parts[i].mark))
			sending->pending--;
	if (sending->pending == 0)
		end(sending);
}

static void
run_close(struct task *task)
{
	struct txn_sender *sender =
	    CONTAINER_OF(task, struct txn_sender, close_task);

	sender->closing = true;
	LIST_FOR_EACH_SAFE (node, &sender->sendings)
		cancel(LIST_ENTRY(node, struct sending, node));
	sender->closed(sender);
}

void
txn_sender_init(struct txn_sender *sender,
    const struct txn_sender_services *services, struct loop *loop)
{
	sender->services = services;
	sender->loop = loop;
	list_init(&sender->sendings);
	sender->close_task.run = run_close;
	sender->closing = false;
}

void
txn_sender_close(
    struct txn_sender *sender, void (*closed)(struct txn_sender *sender))
{
	sender->closed = closed;
	loop_post(sender->loop, &sender->close_task);
}
