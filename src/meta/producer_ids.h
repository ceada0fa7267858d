/*
 * Producer ids: hands out ids that were never given before, from blocks of
 * 1000 that the controller allocates for this broker (KIP-730).  The next
 * block is asked for when nine tenths of one are used.
 *
 * Any thread.
 */
#ifndef META_PRODUCER_IDS_H
#define META_PRODUCER_IDS_H

#include "base/base.h"
#include "base/list.h"
#include "wire/error.h"

struct controller;
struct producer_ids;

#define PRODUCER_IDS_BLOCK 1000

/* Somebody who waits for a block; embedded, and owned by the waiter. */
struct producer_ids_waiter {
	struct list_node node;
	/* Called once on the controller's thread; id is valid if no error. */
	void (*ready)(struct producer_ids_waiter *waiter);
	int64_t id;
	enum kp_error error;
};

struct producer_ids *producer_ids_new(struct controller *controller,
    int32_t node_id);
/* After the controller has stopped; nobody waits any more then. */
void producer_ids_free(struct producer_ids *ids);

/*
 * True with the next id in waiter->id, or false: a block is under way, and
 * waiter->ready will be called.
 */
bool producer_ids_next(struct producer_ids *ids,
    struct producer_ids_waiter *waiter) WARN_UNUSED;

#endif
