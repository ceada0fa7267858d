#include "api/coordinated.h"

struct coordinated *
coordinated_new(
    struct request *request, void (*answer)(struct request *request))
{
	struct coordinated *coordinated =
	    arena_xcalloc(&request->arena, 1, sizeof(*coordinated));

	coordinated->request = request;
	coordinated->answer = answer;
	atomic_init(&coordinated->pending, 1);
	return coordinated;
}

void
coordinated_wait(struct coordinated *coordinated)
{
	if (atomic_fetch_sub(&coordinated->pending, 1) == 1)
		request_post(coordinated->request, coordinated->answer);
}

static void
done(struct shard_call *call)
{
	coordinated_wait(call->context);
}

void
coordinated_join(struct coordinated *coordinated, struct shard_call *call)
{
	call->error = KP_NONE;
	call->done = done;
	call->context = coordinated;
	atomic_fetch_add(&coordinated->pending, 1);
}

struct group_call *
coordinated_call(struct coordinated *coordinated)
{
	struct request *request = coordinated->request;
	struct group_call *call =
	    arena_xcalloc(&request->arena, 1, sizeof(*call));

	coordinated_join(coordinated, &call->call);
	call->arena = &request->arena;
	call->node_id = request->node_id;
	call->version = request->version;
	call->principal = request->principal;
	call->client_id = request->client_id;
	call->client_host = arena_printf(&request->arena, "/%s",
	    connection_peer_host(request->exchange.connection));
	return call;
}

void
coordinated_join_txn(struct coordinated *coordinated, struct txn_call *call,
    struct slice transactional_id)
{
	const struct request *request = coordinated->request;

	coordinated_join(coordinated, &call->call);
	call->transactional_id = transactional_id;
	call->node_id = request->node_id;
	call->version = request->version;
}

bool
coordinated_allowed(const struct request *request, enum acl_operation operation,
    struct slice group_id)
{
	return request_allows(request, operation, ACL_RESOURCE_GROUP, group_id);
}

bool
coordinated_txn_allowed(const struct request *request,
    enum acl_operation operation, struct slice transactional_id)
{
	return request_allows(request, operation, ACL_RESOURCE_TRANSACTIONAL_ID,
	    transactional_id);
}
