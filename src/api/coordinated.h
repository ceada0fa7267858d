/*
 * Coordinated: what a request has asked of a coordinator, whose calls end on
 * any thread and perhaps much later.
 *
 *	struct coordinated *all = coordinated_new(request, answer);
 *
 *	group_coordinator_x(groups, coordinated_call(all), ...);
 *	coordinated_wait(all);
 *
 * When all calls are done answer is called on the request's loop, and replies;
 * it finds the calls' errors in them, and its own things in request->state.
 * All of it lives in the request's arena.
 */
#ifndef API_COORDINATED_H
#define API_COORDINATED_H

#include "api/request.h"
#include "coord/group_coordinator.h"
#include "coord/txn_coordinator.h"

#include <stdatomic.h>

struct coordinated {
	struct request *request;
	void (*answer)(struct request *request);
	atomic_int pending;		/* calls, and the handler until wait */
};

struct coordinated *coordinated_new(struct request *request,
    void (*answer)(struct request *request));

/* One more call, filled in but for its error, which is KP_NONE so far. */
struct group_call *coordinated_call(struct coordinated *coordinated);

/*
 * One more call of any kind; its done and context are set.  join_txn fills in
 * what every call about a transactional id has.
 */
void coordinated_join(struct coordinated *coordinated,
    struct shard_call *call);
void coordinated_join_txn(struct coordinated *coordinated,
    struct txn_call *call, struct slice transactional_id);

/*
 * All calls have been made.  The last thing that the handler does: the request
 * may be gone on return.
 */
void coordinated_wait(struct coordinated *coordinated);

/* May the request's principal do operation on the group? */
bool coordinated_allowed(const struct request *request,
    enum acl_operation operation, struct slice group_id);

/* The same on the transactional id. */
bool coordinated_txn_allowed(const struct request *request,
    enum acl_operation operation, struct slice transactional_id);

#endif
