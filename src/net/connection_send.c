#include "base/base.h"
#include "base/log.h"
#include "net/connection.h"
#include "net/connection_inner.h"
#include "net/connection_set.h"
#include "net/loop.h"

#include <errno.h>

static void
send_blocked(struct connection *c)
{
	c->blocked = true;
	connection_stop_frame_deadline(c);
	outbox_condense(&c->outbox, c->set->budget);
	if (c->transport.wants == TRANSPORT_READABLE) {
		c->write_wants_read = true;
		connection_start_reading(c);
	}
}

void
connection_send(struct connection *c)
{
	enum outbox_result result;
	bool progress;

	if (c->gone || c->blocked || c->handshaking)
		return;
	result = outbox_send(&c->outbox, &c->transport, &c->set->tools,
	    &progress);
	if (progress)
		connection_touch(c);
	switch (result) {
	case OUTBOX_DONE:
		break;
	case OUTBOX_MORE:
		loop_defer_last(c->set->loop, &c->flush);
		break;
	case OUTBOX_BLOCKED:
		send_blocked(c);
		break;
	case OUTBOX_CLOSED:
		connection_abort(c, "the client does not take replies");
		return;
	case OUTBOX_BAD_FILE:
		log_error("net", "[%s] cannot read what is to be sent: %s",
		    c->id, errno == 0 ? "file too short" : strerror(errno));
		connection_abort(c, "a file cannot be read");
		return;
	}
	connection_update_writing(c);
}

/* The end of a pass. */
static void
run_flush(struct task *task)
{
	struct connection *c = CONTAINER_OF(task, struct connection, flush);

	connection_send(c);
	if (c->gone)
		return;
	if (c->closing && c->outbox.count == 0) {
		connection_abort(c, c->close_reason);
		return;
	}
	connection_resume(c);
	connection_relieve(c);
}

void
connection_flush(struct connection *c)
{
	if (!list_node_linked(&c->flush.node))
		return;
	loop_undefer(&c->flush);
	run_flush(&c->flush);
}

void
connection_send_init(struct connection *c)
{
	c->flush.run = run_flush;
}
