/*
 * Exchange: one request and its reply, as the connection sees them.
 *
 * It is embedded in its owner's request.  Begun when the request has come in,
 * completed exactly once, now or later; replies leave in the order in which
 * exchanges were begun.  Everything runs on the connection's loop.
 *
 * Life: exchange_begin → exchange_complete → release.  When the connection
 * goes away in between, cancel is called first and the owner still completes
 * the exchange, at once or whenever its waiting ends; then it is released.
 */
#ifndef NET_EXCHANGE_H
#define NET_EXCHANGE_H

#include "base/base.h"
#include "base/list.h"
#include "base/task.h"
#include "wire/output.h"

struct connection;

enum exchange_state {
	EXCHANGE_PENDING,
	EXCHANGE_READY,		/* the reply may leave when its turn comes */
	EXCHANGE_NO_REPLY,
};

struct exchange {
	/* Set by exchange_begin. */
	struct list_node node;		/* connection's, order of arrival */
	struct connection *connection;	/* stays valid until release */
	enum exchange_state state;
	int32_t piece;			/* how much of output has left */
	size_t piece_sent;

	/* Set by the owner before exchange_begin. */
	/*
	 * The connection died while this was pending: give up waiting.  It
	 * may call exchange_complete.  NULL: nothing to give up.
	 */
	void (*cancel)(struct exchange *exchange);
	/*
	 * The last byte has left or was copied for a client that takes none at
	 * the moment, or there is no reply, or the connection is gone: free
	 * everything.  The last call for this exchange.
	 */
	void (*release)(struct exchange *exchange);
	/*
	 * No later request of the connection is handled before this one is
	 * completed, as if the client had waited for the answer.
	 */
	bool exclusive;

	/* Set by the owner before exchange_complete. */
	struct output output;		/* the reply with its size in front */
	struct task task;		/* the owner's, for loop_post */
};

/*
 * The request has begun.  Only inside the handler's frame function, and not
 * after it has aborted the connection.
 */
void exchange_begin(struct connection *connection, struct exchange *exchange);

/*
 * Make it exclusive after it has begun, or no longer.  Not after it was
 * completed.
 */
void exchange_set_exclusive(struct exchange *exchange, bool exclusive);

/*
 * The request has been carried out, with reply: output leaves when all earlier
 * replies have.  Without a reply, or when the connection is gone, release is
 * called before this returns.  It may free the connection as well.
 */
void exchange_complete(struct exchange *exchange, bool reply);

#endif
