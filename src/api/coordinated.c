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
		coordinated->answer(coordinated->request);
}

/* On any thread, and perhaps in the middle of the handler. */
static void
done(struct shard_call *call)
{
	struct coordinated *coordinated = call->context;

	if (atomic_fetch_sub(&coordinated->pending, 1) == 1)
		request_post(coordinated->request, coordinated->answer);
}

void
coordinated_join(struct coordinated *coordinated, struct shard_call *call)
{
	call->error = KP_NONE;
	call->done = done;
	call->context = coordinated;
	atomic_fetch_add(&coordinated->pending, 1);
}

/* As Java prints an address: with a slash in front. */
static struct slice
client_host(struct request *request)
{
	const char *host = connection_peer_host(request->exchange.connection);
	size_t len = strlen(host);
	char *text = arena_xalloc(&request->arena, 1 + len);

	text[0] = '/';
	memcpy(text + 1, host, len);
	return slice_of(text, 1 + len);
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
	call->client_host = client_host(request);
	return call;
}

struct coordinated_one *
coordinated_one_new(
    struct request *request, void (*answer)(struct request *request))
{
	struct coordinated_one *one =
	    arena_xcalloc(&request->arena, 1, sizeof(*one));

	one->all = coordinated_new(request, answer);
	one->call = coordinated_call(one->all);
	one->response = request_response_new(request);
	request->state = one;
	return one;
}

struct group_call **
coordinated_describe(
    struct coordinated *coordinated, const struct slice *ids, int32_t count)
{
	struct request *request = coordinated->request;
	struct group_call **calls = arena_xcalloc(
	    &request->arena, (size_t)count, sizeof(struct group_call *));

	for (int32_t i = 0; i < count; i++) {
		bool allowed =
		    coordinated_allowed(request, ACL_DESCRIBE, ids[i]);

		calls[i] = allowed ?
		    coordinated_call(coordinated) :
		    arena_xcalloc(&request->arena, 1, sizeof(*calls[i]));
		if (!allowed)
			calls[i]->call.error = KP_GROUP_AUTHORIZATION_FAILED;
	}
	return calls;
}

int32_t
coordinated_operations(
    const struct request *request, bool asked, struct slice group_id)
{
	return asked ?
	    request_operations(request, ACL_RESOURCE_GROUP, group_id) :
	    COORDINATED_OPERATIONS_NONE;
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

enum kp_error
coordinated_check(const struct request *request, struct slice group_id)
{
	if (!coordinated_allowed(request, ACL_READ, group_id))
		return KP_GROUP_AUTHORIZATION_FAILED;
	return group_id.len == 0 ? KP_INVALID_GROUP_ID : KP_NONE;
}

bool
coordinated_txn_allowed(const struct request *request,
    enum acl_operation operation, struct slice transactional_id)
{
	return request_allows(request, operation, ACL_RESOURCE_TRANSACTIONAL_ID,
	    transactional_id);
}
