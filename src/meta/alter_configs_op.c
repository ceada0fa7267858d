/*
 * AlterConfigs: what a resource has is replaced as a whole; what the request
 * does not name is deleted.
 */
#include "base/base.h"
#include "base/tally.h"
#include "meta/config_change.h"
#include "meta/config_ops.h"

static const struct config_change_item *
items_of(const struct kp_alter_configs_request_resource *in,
    struct arena *arena)
{
	size_t count = (size_t)MAX(in->configs_count, 0);
	struct config_change_item *items =
	    arena_xcalloc(arena, count, sizeof(*items));

	for (size_t i = 0; i < count; i++)
		items[i] = (struct config_change_item){
			.name = in->configs[i].name,
			.value = in->configs[i].value,
			.operation = CONFIG_CHANGE_SET,
		};
	return items;
}

/* Take up one resource; whole is the error of all of them. */
static void
run_resource(struct alter_configs_op *op, struct controller *controller,
    int32_t index, bool twice, enum kp_error whole,
    size_t *joined_bytes)
{
	const struct kp_alter_configs_request_resource *in =
	    &op->request->resources[index];
	struct kp_alter_configs_response_resource *out =
	    &op->response.responses[index];
	struct config_change change = {
		.controller = controller,
		.arena = op->arena,
		.access = op->access,
		.node_id = op->node_id,
		.type = in->resource_type,
		.name = in->resource_name,
		.replace = true,
		.items_count = MAX(in->configs_count, 0),
		.validate_only = op->request->validate_only,
		.joined_bytes = joined_bytes,
	};
	enum kp_error error = whole;

	out->resource_type = change.type;
	out->resource_name = change.name;
	if (error == KP_NONE && twice) {
		out->error_message = slice_str("Each resource must appear at "
					       "most once.");
		error = KP_INVALID_REQUEST;
	}
	if (error == KP_NONE) {
		change.items = items_of(in, op->arena);
		error = config_change_run(&change);
		out->error_message = change.message;
	}
	out->error_code = (int16_t)error;
}

static void
run_resources(struct alter_configs_op *op, struct controller *controller,
    enum kp_error whole, struct slice message)
{
	const struct kp_alter_configs_request *request = op->request;
	size_t count = (size_t)op->response.responses_count;
	struct slice *keys = arena_xcalloc(op->arena, count, sizeof(*keys));
	size_t joined_bytes = 0;
	struct tally resources;

	tally_init(&resources);
	for (size_t i = 0; i < count; i++) {
		keys[i] = config_change_resource(op->arena,
		    request->resources[i].resource_type,
		    request->resources[i].resource_name);
		(void)tally_add(&resources, keys[i]);
	}
	for (size_t i = 0; i < count; i++) {
		op->response.responses[i].error_message = message;
		run_resource(op, controller, (int32_t)i,
		    tally_count(&resources, keys[i]) > 1, whole,
		    &joined_bytes);
	}
	tally_fini(&resources);
}

static void
run(struct controller_op *base, struct controller *controller)
{
	struct alter_configs_op *op =
	    CONTAINER_OF(base, struct alter_configs_op, op);
	int32_t count = MAX(op->request->resources_count, 0);
	struct slice message = SLICE_NULL;
	int64_t configs = 0;

	kp_defaults(&kp_alter_configs_response, &op->response);
	op->response.responses = kp_array(
	    op->arena, &kp_alter_configs_response_resource_struct, count);
	assert(op->response.responses != NULL);
	op->response.responses_count = count;
	for (int32_t i = 0; i < count; i++)
		configs += MAX(op->request->resources[i].configs_count, 0);
	run_resources(op, controller,
	    config_change_whole(count, configs, &message), message);
}

void
alter_configs_op_init(struct alter_configs_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run;
}
