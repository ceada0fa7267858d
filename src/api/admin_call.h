/*
 * Admin call: a request that an operation of the controller carries out.
 *
 * The API's file embeds it beside its operation, so that the operation's done
 * finds the way back:
 *
 *     struct call {
 *             struct admin_call admin;
 *             struct create_topics_op op;
 *     };
 *
 * Permissions are asked for by the operation, through meta/access.h, at the
 * place that they have in Kafka's order of checks.
 */
#ifndef API_ADMIN_CALL_H
#define API_ADMIN_CALL_H

#include "api/mutation_call.h"
#include "api/request.h"
#include "meta/access.h"
#include "meta/controller.h"

struct admin_call {
	struct access access;		/* for the operation */
	struct request *request;
	struct controller_op *op;
	void *response;			/* what the operation fills in */
	struct mutation_call *mutation;	/* NULL: it creates no partitions */
};

/* First: make call that of request.  call->access can be given to op then. */
void admin_call_init(struct admin_call *call, struct request *request);

/*
 * Submit op, whose done function calls admin_call_done.  response is answered
 * then, or op->error for the whole request.
 */
void admin_call_submit(struct admin_call *call, struct controller_op *op,
    void *response);

/* The operation is done: answer.  On the controller's thread. */
void admin_call_done(struct admin_call *call);

#endif
