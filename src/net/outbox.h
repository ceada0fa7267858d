/*
 * Outbox: the exchanges of a connection in the order of their requests, and
 * the sending of their replies in that order.
 *
 * Replies are gathered, over as many exchanges as are ready, into one writev.
 * Parts of files are read into a bounce buffer to go with the rest, but large
 * ones go by sendfile, with what precedes them held back in the socket so that
 * both share packets.
 */
#ifndef NET_OUTBOX_H
#define NET_OUTBOX_H

#include "base/base.h"
#include "base/counter.h"
#include "base/list.h"

struct budget;
struct exchange;
struct transport;

/*
 * Parts of files from this length on are sent by sendfile.  It moves sixteen
 * pages at a time, each of which may wake the reader, so that at 64 KiB it
 * costs 1.6 times what two copies in one go cost; they are even at 180 KiB.
 */
#define OUTBOX_SENDFILE_LEN_MIN ((size_t)160 * 1024)

struct outbox {
	struct list exchanges;
	size_t count;
	size_t len;		/* bytes of ready replies that have not left */
};

struct outbox_counters {
	struct counter writes;		/* system calls */
	struct counter sendfiles;	/* system calls */
	struct counter preads;
	struct counter written_bytes;	/* by both */
	struct counter sendfile_bytes;
	struct counter pread_bytes;
};

/* Memory of the loop's that outbox_send may use, and what it counts. */
struct outbox_tools {
	uint8_t *bounce;
	size_t bounce_len;
	struct outbox_counters *counters;
};

enum outbox_result {
	OUTBOX_DONE,		/* all that may leave has left */
	OUTBOX_MORE,		/* enough for one turn, there is more */
	OUTBOX_BLOCKED,		/* wait as the transport says */
	OUTBOX_CLOSED,		/* the connection is gone */
	OUTBOX_BAD_FILE,	/* a part of a file cannot be read */
};

void outbox_init(struct outbox *outbox);

/* An exchange begins, at the end of the queue. */
void outbox_push(struct outbox *outbox, struct exchange *exchange);

/* The reply of a pending exchange is ready. */
void outbox_ready(struct outbox *outbox, struct exchange *exchange);

/* Take an exchange out of the queue, whatever its state. */
void outbox_remove(struct outbox *outbox, struct exchange *exchange);

/* The first exchange, or NULL. */
struct exchange *outbox_first(const struct outbox *outbox);

/* Is the first one ready? */
bool outbox_can_send(const struct outbox *outbox);

/*
 * Send ready replies up to the first exchange that is pending, and release
 * those that have left completely.  *progress tells whether bytes have left.
 */
enum outbox_result outbox_send(struct outbox *outbox,
    struct transport *transport, const struct outbox_tools *tools,
    bool *progress) WARN_UNUSED;

/*
 * The client takes no more for the time being: replies that lie in memory are
 * copied together, out of budget, and their exchanges released, so that many
 * small ones that wait take little more than their bytes.
 */
void outbox_condense(struct outbox *outbox, struct budget *budget);

#endif
