/*
 * IncrementalAlterConfigs: keys are set, deleted, appended to and subtracted
 * from; the others stay (KIP-339).
 */
#include "base/base.h"
#include "meta/config_ops.h"
#include "meta/config_request.h"

static void
take_resource(const struct config_request *request,
    const struct kp_incremental_alter_configs_request_resource *in,
    struct config_request_resource *resource)
{
	resource->type = in->resource_type;
	resource->name = in->resource_name;
	config_request_items(request, resource, in->configs_count);
	for (int32_t i = 0; i < resource->items_count; i++)
		resource->items[i] = (struct config_change_item){
			.name = in->configs[i].name,
			.value = in->configs[i].value,
			.operation = in->configs[i].config_operation,
		};
}

static void
answer(struct incremental_alter_configs_op *op,
    const struct config_request *request)
{
	struct kp_incremental_alter_configs_response_resource *out;

	kp_defaults(&kp_incremental_alter_configs_response, &op->response);
	out = kp_array(op->arena,
	    &kp_incremental_alter_configs_response_resource_struct,
	    request->count);
	assert(out != NULL);
	op->response.responses = out;
	op->response.responses_count = request->count;
	for (int32_t i = 0; i < request->count; i++) {
		out[i].error_code = (int16_t)request->resources[i].error;
		out[i].error_message = request->resources[i].message;
		out[i].resource_type = request->resources[i].type;
		out[i].resource_name = request->resources[i].name;
	}
}

static void
run(struct controller_op *base, struct controller *controller)
{
	struct incremental_alter_configs_op *op =
	    CONTAINER_OF(base, struct incremental_alter_configs_op, op);
	struct config_request request = {
		.controller = controller,
		.arena = op->arena,
		.access = op->access,
		.node_id = op->node_id,
		.validate_only = op->request->validate_only,
	};

	config_request_resources(&request, op->request->resources_count);
	for (int32_t i = 0; i < request.count; i++)
		take_resource(&request, &op->request->resources[i],
		    &request.resources[i]);
	config_request_run(&request);
	answer(op, &request);
}

void
incremental_alter_configs_op_init(struct incremental_alter_configs_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run;
}
