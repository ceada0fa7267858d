/*
 * AlterConfigs: what a resource has is replaced as a whole; what the request
 * does not name is deleted.
 */
#include "base/base.h"
#include "base/tally.h"
#include "meta/config_change.h"
#include "meta/config_ops.h"

/* What can be said of the request's entries by themselves. */
static enum kp_error
screen(struct config_change *change,
    const struct kp_alter_configs_request_resource *in)
{
	enum kp_error error = KP_NONE;
	struct tally keys;

	tally_init(&keys);
	for (int32_t i = 0; i < in->configs_count && error == KP_NONE; i++) {
		if (tally_add(&keys, in->configs[i].name) > 1) {
			change->message = slice_str("Error due to duplicate "
						    "config keys");
			error = KP_INVALID_REQUEST;
			break;
		}
		error = config_change_screen(change, in->configs[i].name,
		    CONFIG_CHANGE_SET, in->configs[i].value);
	}
	tally_fini(&keys);
	return error;
}

static enum kp_error
apply(struct config_change *change,
    const struct kp_alter_configs_request_resource *in)
{
	enum kp_error error = KP_NONE;

	for (int32_t i = 0; i < in->configs_count && error == KP_NONE; i++)
		error = config_change_apply(change, in->configs[i].name,
		    CONFIG_CHANGE_SET, in->configs[i].value);
	return error;
}

static enum kp_error
alter(struct config_change *change,
    const struct kp_alter_configs_request_resource *in, bool validate_only)
{
	enum kp_error error = screen(change, in);

	if (error == KP_NONE)
		error = config_change_permitted(change);
	if (error == KP_NONE)
		error = apply(change, in);
	if (error == KP_NONE)
		error = config_change_check(change);
	if (error == KP_NONE && !validate_only)
		config_change_emit(change);
	return error;
}

/* Take up one resource; whole is the error of all of them. */
static void
run_resource(struct alter_configs_op *op, struct controller *controller,
    int32_t index, bool twice, enum kp_error whole)
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
		config_change_begin(&change, false);
		error = alter(&change, in, op->request->validate_only);
		out->error_message = change.message;
		config_change_end(&change);
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
		    tally_count(&resources, keys[i]) > 1, whole);
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
