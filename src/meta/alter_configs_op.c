#include "base/base.h"
#include "meta/config_change.h"
#include "meta/config_ops.h"

/* What is not named is deleted. */
static enum kp_error
replace_all(struct config_change *change,
    const struct kp_alter_configs_request_resource *in)
{
	for (int32_t i = 0; i < in->configs_count; i++) {
		enum kp_error error;

		if (!slice_is_null(config_set_get(change->set,
			in->configs[i].name))) {
			change->message =
			    slice_str("Error due to duplicate config keys");
			return KP_INVALID_REQUEST;
		}
		error = config_change_apply(change, in->configs[i].name,
		    CONFIG_CHANGE_SET, in->configs[i].value);
		if (error != KP_NONE)
			return error;
	}
	return KP_NONE;
}

static bool
repeated(const struct kp_alter_configs_request *request, int32_t index)
{
	const struct kp_alter_configs_request_resource *r =
	    request->resources;

	for (int32_t i = 0; i < request->resources_count; i++)
		if (i != index &&
		    r[i].resource_type == r[index].resource_type &&
		    slice_equal(r[i].resource_name, r[index].resource_name))
			return true;
	return false;
}

static enum kp_error
alter(struct config_change *change,
    const struct kp_alter_configs_request *request, int32_t index)
{
	enum kp_error error;

	if (repeated(request, index)) {
		change->message =
		    slice_str("Each resource must appear at most once.");
		return KP_INVALID_REQUEST;
	}
	error = replace_all(change, &request->resources[index]);
	if (error == KP_NONE)
		error = config_change_permitted(change);
	if (error == KP_NONE)
		error = config_change_check(change);
	if (error == KP_NONE && !request->validate_only)
		config_change_emit(change);
	return error;
}

static void
run(struct controller_op *base, struct controller *controller)
{
	struct alter_configs_op *op =
	    CONTAINER_OF(base, struct alter_configs_op, op);
	const struct kp_alter_configs_request *request = op->request;
	int32_t count = MAX(request->resources_count, 0);

	kp_defaults(&kp_alter_configs_response, &op->response);
	op->response.responses = kp_array(op->arena,
	    &kp_alter_configs_response_resource_struct, count);
	assert(op->response.responses != NULL);
	op->response.responses_count = count;
	for (int32_t i = 0; i < count; i++) {
		struct kp_alter_configs_response_resource *out =
		    &op->response.responses[i];
		struct config_change change = {
			.controller = controller,
			.arena = op->arena,
			.access = op->access,
			.node_id = op->node_id,
			.type = request->resources[i].resource_type,
			.name = request->resources[i].resource_name,
		};

		out->resource_type = change.type;
		out->resource_name = change.name;
		config_change_begin(&change, false);
		out->error_code = (int16_t)alter(&change, request, i);
		out->error_message = change.message;
		config_change_end(&change);
	}
}

void
alter_configs_op_init(struct alter_configs_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run;
}
