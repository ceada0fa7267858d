/*
 * AlterClientQuotas, versions 0-1: what users, clients and addresses may take.
 *
 * An address may be the name of a host.  Whether there is one is asked on a
 * thread that may wait for the answer.
 */
#include "api/admin_call.h"
#include "api/api.h"
#include "base/worker.h"
#include "meta/alter_client_quotas_op.h"
#include "meta/client_quota.h"
#include "net/host.h"

struct call {
	struct admin_call admin;
	struct alter_client_quotas_op op;
	struct task resolve;
	bool *resolved; /* for each entry */
};

/* --- Addresses ------------------------------------------------------------ */

/* The entry's address; null where it has none that has to be one. */
static struct slice
address_of(const struct kp_alter_client_quotas_request_entry *entry)
{
	struct slice address = SLICE_NULL;

	for (int32_t i = 0; i < entry->entity_count; i++)
		if (slice_equal_str(entry->entity[i].entity_type,
			client_quota_type_name(CLIENT_QUOTA_IP)))
			address = entry->entity[i].entity_name;
	return address;
}

static bool
has_address(struct slice host, bool numeric)
{
	struct host_address *addresses;
	size_t count = host_addresses(host, numeric, &addresses);

	free(addresses);
	return count > 0;
}

/* True where nothing is left that takes long. */
static bool
resolve(struct call *call, bool numeric)
{
	const struct kp_alter_client_quotas_request *body =
	    call->admin.request->body;
	bool all = true;

	for (int32_t i = 0; i < body->entries_count; i++) {
		struct slice address = address_of(&body->entries[i]);

		if (!call->resolved[i])
			call->resolved[i] = slice_is_null(address) ||
			    address.len == 0 || has_address(address, numeric);
		all &= call->resolved[i];
	}
	return all;
}

/* --- The call ------------------------------------------------------------- */

static void
done(struct controller_op *op)
{
	admin_call_done(&CONTAINER_OF(op, struct call, op.op)->admin);
}

static void
submit(struct request *request)
{
	struct call *call = CONTAINER_OF(
	    (struct admin_call *)request->state, struct call, admin);

	admin_call_submit(&call->admin, &call->op.op, &call->op.response);
}

/* On the pool. */
static void
on_resolve(struct task *task)
{
	struct call *call = CONTAINER_OF(task, struct call, resolve);

	(void)resolve(call, false);
	request_post(call->admin.request, submit);
}

static void
handle_alter_client_quotas(struct request *request)
{
	const struct kp_alter_client_quotas_request *body = request->body;
	struct call *call = arena_xcalloc(&request->arena, 1, sizeof(*call));

	admin_call_init(&call->admin, request);
	alter_client_quotas_op_init(&call->op);
	call->resolved = arena_xcalloc(&request->arena,
	    (size_t)MAX(body->entries_count, 0), sizeof(*call->resolved));
	call->op.request = body;
	call->op.resolved = call->resolved;
	call->op.arena = &request->arena;
	call->op.op.done = done;
	call->resolve.run = on_resolve;
	if (resolve(call, true))
		submit(request);
	else
		worker_pool_post(request->server->cold_reads, &call->resolve);
}

static void
fail_alter_client_quotas(struct request *request, enum kp_error error)
{
	const struct kp_alter_client_quotas_request *body = request->body;
	struct kp_alter_client_quotas_response *response =
	    request_response_new(request);
	int32_t count = MAX(body->entries_count, 0);

	response->entries = arena_xcalloc(
	    &request->arena, (size_t)count, sizeof(*response->entries));
	response->entries_count = count;
	for (int32_t i = 0; i < count; i++) {
		const struct kp_alter_client_quotas_request_entry *entry =
		    &body->entries[i];
		struct kp_alter_client_quotas_response_entry *out =
		    &response->entries[i];

		out->error_code = (int16_t)error;
		out->error_message = slice_str(kp_error_message(error));
		out->entity_count = MAX(entry->entity_count, 0);
		out->entity = arena_xcalloc(&request->arena,
		    (size_t)out->entity_count, sizeof(*out->entity));
		for (int32_t j = 0; j < out->entity_count; j++) {
			out->entity[j].entity_type =
			    entry->entity[j].entity_type;
			out->entity[j].entity_name =
			    entry->entity[j].entity_name;
		}
	}
	request_reply(request, response);
}

const struct api api_alter_client_quotas = API_ROW(alter_client_quotas,
    API_CLUSTER(ACL_ALTER_CONFIGS), .flags = API_CHANGES,
    .fail = fail_alter_client_quotas);
