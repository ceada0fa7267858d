#include "base/base.h"
#include "net/exchange.h"
#include "net/outbox.h"
#include "net/transport.h"

#include <errno.h>
#include <unistd.h>

#define IOV_COUNT_MAX 64

/* After this much another connection has its turn. */
#define TURN_LEN_MAX ((size_t)1024 * 1024)

/* Where sending stands: a byte of a piece of an exchange. */
struct cursor {
	struct list_node *node;
	int32_t piece;
	size_t sent;
};

/* What goes out with the next writev. */
struct batch {
	struct iovec iov[IOV_COUNT_MAX];
	int count;
	size_t len;
	size_t bounce_used;
	bool more;		/* the next bytes follow at once */
	bool bad_file;
};

void
outbox_init(struct outbox *outbox)
{
	list_init(&outbox->exchanges);
	outbox->count = 0;
	outbox->len = 0;
}

void
outbox_push(struct outbox *outbox, struct exchange *exchange)
{
	list_append(&outbox->exchanges, &exchange->node);
	outbox->count++;
	exchange->piece = 0;
	exchange->piece_sent = 0;
}

void
outbox_ready(struct outbox *outbox, struct exchange *exchange)
{
	assert(exchange->output.len > 0);
	exchange->state = EXCHANGE_READY;
	outbox->len += exchange->output.len;
}

/* The bytes of a ready reply that have not left. */
static size_t
unsent_len(const struct exchange *exchange)
{
	const struct output *output = &exchange->output;
	size_t len = 0;

	for (int32_t i = exchange->piece; i < output->count; i++)
		len += output->pieces[i].len;
	return len - exchange->piece_sent;
}

void
outbox_remove(struct outbox *outbox, struct exchange *exchange)
{
	list_remove(&exchange->node);
	outbox->count--;
	if (exchange->state == EXCHANGE_READY)
		outbox->len -= unsent_len(exchange);
}

struct exchange *
outbox_first(const struct outbox *outbox)
{
	if (list_empty(&outbox->exchanges))
		return NULL;
	return LIST_ENTRY(outbox->exchanges.head.next, struct exchange, node);
}

bool
outbox_can_send(const struct outbox *outbox)
{
	const struct exchange *first = outbox_first(outbox);

	return first != NULL && first->state == EXCHANGE_READY;
}

/* --- Gathering ----------------------------------------------------------- */

static struct cursor
cursor_at(struct exchange *exchange)
{
	return (struct cursor){ &exchange->node, exchange->piece,
		exchange->piece_sent };
}

/* The piece at the cursor, or NULL where the next exchange is not ready. */
static const struct output_piece *
piece_at(const struct outbox *outbox, const struct cursor *cursor)
{
	const struct exchange *exchange;

	if (cursor->node == &outbox->exchanges.head)
		return NULL;
	exchange = LIST_ENTRY(cursor->node, const struct exchange, node);
	if (exchange->state != EXCHANGE_READY)
		return NULL;
	return &exchange->output.pieces[cursor->piece];
}

/* Move the cursor over len bytes of its piece. */
static void
cursor_move(struct cursor *cursor, size_t len)
{
	const struct exchange *exchange =
	    LIST_ENTRY(cursor->node, const struct exchange, node);

	cursor->sent += len;
	if (cursor->sent < exchange->output.pieces[cursor->piece].len)
		return;
	cursor->sent = 0;
	cursor->piece++;
	if (cursor->piece < exchange->output.count)
		return;
	cursor->piece = 0;
	cursor->node = cursor->node->next;
}

static bool
goes_by_sendfile(const struct output_piece *piece,
    const struct transport *transport)
{
	return piece->data == NULL && transport->ops->sendfile != NULL &&
	    piece->len >= OUTBOX_SENDFILE_LEN_MIN;
}

/* Read len bytes of a file, all of them. */
static int
read_file(const struct output_piece *piece, size_t skip, uint8_t *data,
    size_t len, struct outbox_counters *counters)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(piece->fd, data + done, len - done,
		    (off_t)(piece->position + (int64_t)(skip + done)));

		counter_add(&counters->preads, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = 0;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	counter_add(&counters->pread_bytes, len);
	return 0;
}

/*
 * Add what is left of the piece at the cursor; the bytes that were added.  A
 * file's that do not fit go with the next batch, rather than in halves.
 */
static size_t
batch_add(struct batch *batch, const struct output_piece *piece,
    const struct cursor *cursor, const struct outbox_tools *tools)
{
	size_t len = piece->len - cursor->sent;
	uint8_t *bounce = tools->bounce + batch->bounce_used;
	const uint8_t *data = bounce;

	if (piece->data != NULL) {
		data = piece->data + cursor->sent;
	} else {
		if (batch->bounce_used > 0 &&
		    len > tools->bounce_len - batch->bounce_used)
			return 0;
		len = MIN(len, tools->bounce_len);
		if (read_file(piece, cursor->sent, bounce, len,
			tools->counters) != 0) {
			batch->bad_file = true;
			return 0;
		}
		batch->bounce_used += len;
	}
	/* writev does not write to what it sends. */
	batch->iov[batch->count].iov_base = (void *)(uintptr_t)data;
	batch->iov[batch->count].iov_len = len;
	batch->count++;
	batch->len += len;
	return len;
}

/* Fill the batch with what can leave by one writev. */
static void
gather(const struct outbox *outbox, const struct transport *transport,
    const struct outbox_tools *tools, struct batch *batch)
{
	struct exchange *first = outbox_first(outbox);
	const struct output_piece *piece;
	struct cursor cursor;
	size_t len;

	assert(first != NULL);
	cursor = cursor_at(first);
	batch->count = 0;
	batch->len = batch->bounce_used = 0;
	batch->more = batch->bad_file = false;
	while ((piece = piece_at(outbox, &cursor)) != NULL) {
		batch->more = true;
		if (goes_by_sendfile(piece, transport) ||
		    batch->count == IOV_COUNT_MAX ||
		    batch->len >= TURN_LEN_MAX)
			return;
		len = batch_add(batch, piece, &cursor, tools);
		if (len == 0)
			return;
		cursor_move(&cursor, len);
	}
	batch->more = false;
}

/* --- Sending ------------------------------------------------------------- */

/* The bytes of the exchange's current piece that have not left. */
static size_t
piece_left(const struct exchange *exchange)
{
	return exchange->output.pieces[exchange->piece].len -
	    exchange->piece_sent;
}

/* At most len bytes of the first exchange have left; how many of them. */
static size_t
advance_first(struct outbox *outbox, size_t len)
{
	struct exchange *exchange = outbox_first(outbox);
	struct cursor cursor;

	assert(exchange != NULL);
	len = MIN(len, piece_left(exchange));
	cursor = cursor_at(exchange);
	cursor_move(&cursor, len);
	outbox->len -= len;
	if (cursor.node == &exchange->node) {
		exchange->piece = cursor.piece;
		exchange->piece_sent = cursor.sent;
		return len;
	}
	list_remove(&exchange->node);
	outbox->count--;
	exchange->release(exchange);
	return len;
}

/* len bytes have left: release the exchanges that are done. */
static void
advance(struct outbox *outbox, size_t len)
{
	assert(len <= outbox->len);
	while (len > 0)
		len -= advance_first(outbox, len);
}

static ssize_t
send_file(const struct exchange *exchange, struct transport *transport,
    struct outbox_counters *counters)
{
	const struct output_piece *piece =
	    &exchange->output.pieces[exchange->piece];
	size_t skip = exchange->piece_sent;
	bool more = exchange->piece + 1 < exchange->output.count;
	ssize_t n = transport_sendfile(transport, piece->fd,
	    piece->position + (int64_t)skip, piece->len - skip, more);

	counter_add(&counters->sendfiles, 1);
	if (n > 0)
		counter_add(&counters->sendfile_bytes, (uint64_t)n);
	return n;
}

/* One system call; *want is how many bytes it was asked to send. */
static ssize_t
send_some(struct outbox *outbox, struct transport *transport,
    const struct outbox_tools *tools, size_t *want)
{
	struct exchange *first = outbox_first(outbox);
	struct batch batch;

	gather(outbox, transport, tools, &batch);
	*want = batch.len;
	if (batch.count > 0) {
		counter_add(&tools->counters->writes, 1);
		return transport_writev(
		    transport, batch.iov, batch.count, batch.more);
	}
	if (batch.bad_file)
		return TRANSPORT_BAD_FILE;
	assert(first != NULL);
	*want = piece_left(first);
	return send_file(first, transport, tools->counters);
}

static enum outbox_result
result_of(ssize_t n)
{
	switch (n) {
	case TRANSPORT_AGAIN:
		return OUTBOX_BLOCKED;
	case TRANSPORT_BAD_FILE:
		return OUTBOX_BAD_FILE;
	default:
		return OUTBOX_CLOSED;
	}
}

enum outbox_result
outbox_send(struct outbox *outbox, struct transport *transport,
    const struct outbox_tools *tools, bool *progress)
{
	size_t turn = 0, want;

	*progress = false;
	while (outbox_can_send(outbox)) {
		ssize_t n;

		if (turn >= TURN_LEN_MAX)
			return OUTBOX_MORE;
		n = send_some(outbox, transport, tools, &want);
		if (n <= 0)
			return result_of(n);
		*progress = true;
		turn += (size_t)n;
		counter_add(&tools->counters->written_bytes, (uint64_t)n);
		advance(outbox, (size_t)n);
		if ((size_t)n < want) {
			transport->wants = TRANSPORT_WRITABLE;
			return OUTBOX_BLOCKED;
		}
	}
	return OUTBOX_DONE;
}
