#include "meta/producer_ids.h"

#include <pthread.h>

#include "meta/controller.h"
#include "wire/generated/metadata_producer_ids_record.h"

/* The next block is asked for when so many of one are used. */
#define BLOCK_USED_MANY (PRODUCER_IDS_BLOCK * 9 / 10)

struct block {
	int64_t first;
	int64_t used;			/* PRODUCER_IDS_BLOCK: nothing left */
};

struct producer_ids {
	/* immutable */
	struct controller *controller;
	int32_t node_id;

	/* guarded by lock */
	pthread_mutex_t lock;
	struct block now;
	struct block next;
	struct list waiters;		/* of struct producer_ids_waiter */
	bool asking;			/* op is submitted */

	/* the controller's, while asking */
	struct controller_op op;
	int64_t allocated;
};

static const struct block no_block = { -1, PRODUCER_IDS_BLOCK };

static bool
block_empty(const struct block *block)
{
	return block->used >= PRODUCER_IDS_BLOCK;
}

/* --- Asking for a block -------------------------------------------------- */

static void
allocate(struct controller_op *op, struct controller *controller)
{
	struct producer_ids *ids = CONTAINER_OF(op, struct producer_ids, op);
	const struct delta *view = controller_view(controller);
	const struct broker_image *broker = delta_broker(view, ids->node_id);
	struct kp_producer_ids_record record = { .broker_id = ids->node_id };

	ids->allocated = delta_next_producer_id(view);
	if (ids->allocated > INT64_MAX - PRODUCER_IDS_BLOCK) {
		op->error = KP_UNKNOWN_SERVER_ERROR;
		return;
	}
	record.broker_epoch =
	    broker == NULL ? -1 : broker->record.broker_epoch;
	record.next_producer_id = ids->allocated + PRODUCER_IDS_BLOCK;
	controller_emit(controller, METADATA_RECORD_PRODUCER_IDS, &record);
}

static bool
take(struct producer_ids *ids, int64_t *id)
{
	if (block_empty(&ids->now)) {
		ids->now = ids->next;
		ids->next = no_block;
	}
	if (block_empty(&ids->now))
		return false;
	*id = ids->now.first + ids->now.used++;
	return true;
}

/* Move waiters that have an id now, or all of them with the error. */
static void
serve(struct producer_ids *ids, enum kp_error error, struct list *served)
{
	while (!list_empty(&ids->waiters)) {
		struct producer_ids_waiter *waiter =
		    LIST_ENTRY(ids->waiters.head.next,
			struct producer_ids_waiter, node);

		if (error == KP_NONE && !take(ids, &waiter->id))
			return;
		waiter->error = error;
		list_remove(&waiter->node);
		list_append(served, &waiter->node);
	}
}

/* Must another block be asked for?  Then the caller submits. */
static bool
must_ask(struct producer_ids *ids)
{
	if (ids->asking || !block_empty(&ids->next) ||
	    (ids->now.used < BLOCK_USED_MANY && list_empty(&ids->waiters)))
		return false;
	ids->asking = true;
	return true;
}

static void
allocated(struct controller_op *op)
{
	struct producer_ids *ids = CONTAINER_OF(op, struct producer_ids, op);
	enum kp_error error = op->error;
	struct list_node *node;
	struct list served;
	bool ask;

	list_init(&served);
	pthread_mutex_lock(&ids->lock);
	ids->asking = false;
	if (error == KP_NONE)
		ids->next = (struct block){ ids->allocated, 0 };
	serve(ids, error, &served);
	ask = error == KP_NONE && must_ask(ids);
	pthread_mutex_unlock(&ids->lock);
	while ((node = list_pop(&served)) != NULL) {
		struct producer_ids_waiter *waiter =
		    LIST_ENTRY(node, struct producer_ids_waiter, node);

		waiter->ready(waiter);
	}
	if (ask)
		controller_submit(ids->controller, &ids->op);
}

/* --- Life and use -------------------------------------------------------- */

struct producer_ids *
producer_ids_new(struct controller *controller, int32_t node_id)
{
	struct producer_ids *ids = xcalloc(1, sizeof(*ids));

	ids->controller = controller;
	ids->node_id = node_id;
	ids->now = ids->next = no_block;
	ids->op.run = allocate;
	ids->op.done = allocated;
	list_init(&ids->waiters);
	pthread_mutex_init(&ids->lock, NULL);
	return ids;
}

void
producer_ids_free(struct producer_ids *ids)
{
	if (ids == NULL)
		return;
	assert(list_empty(&ids->waiters));
	pthread_mutex_destroy(&ids->lock);
	free(ids);
}

bool
producer_ids_next(struct producer_ids *ids,
    struct producer_ids_waiter *waiter)
{
	bool ask, found;

	pthread_mutex_lock(&ids->lock);
	found = list_empty(&ids->waiters) && take(ids, &waiter->id);
	if (!found) {
		memset(&waiter->node, 0, sizeof(waiter->node));
		list_append(&ids->waiters, &waiter->node);
	}
	ask = must_ask(ids);
	pthread_mutex_unlock(&ids->lock);
	if (ask)
		controller_submit(ids->controller, &ids->op);
	return found;
}
