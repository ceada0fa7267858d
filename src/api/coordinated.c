#include "api/coordinated.h"

struct call {
	struct group_call group;
	struct coordinated *coordinated;
};

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
done(struct shard_call *shard_call)
{
	struct call *call = CONTAINER_OF(shard_call, struct call, group.call);

	coordinated_wait(call->coordinated);
}

struct group_call *
coordinated_call(struct coordinated *coordinated)
{
	struct request *request = coordinated->request;
	struct call *call = arena_xcalloc(&request->arena, 1, sizeof(*call));

	call->coordinated = coordinated;
	call->group.call.done = done;
	call->group.arena = &request->arena;
	call->group.node_id = request->node_id;
	call->group.version = request->version;
	call->group.client_id = request->client_id;
	call->group.client_host = arena_printf(&request->arena, "/%s",
	    connection_peer_host(request->exchange.connection));
	atomic_fetch_add(&coordinated->pending, 1);
	return &call->group;
}

bool
coordinated_allowed(const struct request *request, enum acl_operation operation,
    struct slice group_id)
{
	return request_allows(request, operation, ACL_RESOURCE_GROUP, group_id);
}
