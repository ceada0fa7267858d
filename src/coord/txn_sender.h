/*
 * Sender: writes the markers of the transactions that end in one tenure, on
 * the loop of the tenure's host.
 *
 * A marker that could not be written is tried again, for as long as its
 * partition is in the metadata; when all of them are committed the ending is
 * completed, and tried again where that could not be written down.
 */
#ifndef COORD_TXN_SENDER_H
#define COORD_TXN_SENDER_H

#include "base/list.h"
#include "base/task.h"
#include "coord/txn_ending.h"

struct group_coordinator;
struct image;
struct loop;
struct partition_manager;
struct txn_sender;

/* What markers need; outlives the senders. */
struct txn_sender_services {
	struct image *image;
	struct partition_manager *partitions;
	struct group_coordinator *groups;
};

struct txn_sender {
	/* immutable */
	const struct txn_sender_services *services;
	struct loop *loop;

	/* loop-local */
	struct list sendings;
	struct task close_task;
	bool closing;
	void (*closed)(struct txn_sender *sender);
};

void txn_sender_init(struct txn_sender *sender,
    const struct txn_sender_services *services, struct loop *loop);

/*
 * Write the ending's markers.  The ending is given over, and freed on the
 * loop.  Any thread, before closed has been called.
 */
void txn_sender_send(struct txn_sender *sender, struct txn_ending *ending);

/*
 * Give up what is under way, and all that comes.  closed is called on the
 * loop; endings may be freed after that, too.  Any thread, once.
 */
void txn_sender_close(struct txn_sender *sender,
    void (*closed)(struct txn_sender *sender));

#endif
