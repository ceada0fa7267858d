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
 * A request that is one call: call has been made ready and response is new,
 * answer finds both in request->state.
 *
 *	one = coordinated_one_new(request, answer);
 *	group_coordinator_x(groups, one->call, body, one->response);
 *	coordinated_wait(one->all);
 */
struct coordinated_one {
	struct coordinated *all;
	struct group_call *call;
	void *response;
};

struct coordinated_one *coordinated_one_new(struct request *request,
    void (*answer)(struct request *request));

/*
 * A call for each of count groups that are to be described.  A call that has
 * an error is not to be made: its group may not be described.  All of them are
 * there before the first group's description fills the arena.
 */
struct group_call **coordinated_describe(struct coordinated *coordinated,
    const struct slice *ids, int32_t count);

/* What the principal may do with a group, where that was asked for. */
#define COORDINATED_OPERATIONS_NONE INT32_MIN
int32_t coordinated_operations(const struct request *request, bool asked,
    struct slice group_id);

/*
 * One more call of any kind; its done and context are set.  join_txn fills in
 * what every call about a transactional id has.
 */
void coordinated_join(struct coordinated *coordinated,
    struct shard_call *call);
void coordinated_join_txn(struct coordinated *coordinated,
    struct txn_call *call, struct slice transactional_id);

/*
 * All calls have been made; on the request's loop.  Where all are done by now
 * answer is called before this returns, else later.  The last thing that the
 * handler does: the request may be gone on return.
 */
void coordinated_wait(struct coordinated *coordinated);

/* May the request's principal do operation on the group? */
bool coordinated_allowed(const struct request *request,
    enum acl_operation operation, struct slice group_id);

/* May the principal read the group, and can there be one of this id? */
enum kp_error coordinated_check(
    const struct request *request, struct slice group_id) WARN_UNUSED;

/* May the principal do operation on the transactional id? */
bool coordinated_txn_allowed(const struct request *request,
    enum acl_operation operation, struct slice transactional_id);

#endif
