#include "auth/create_acls_op.h"

#include "auth/acl_view.h"
#include "auth/authorizer.h"
#include "wire/generated/metadata_access_control_entry_record.h"

static struct acl
acl_of_creation(const struct kp_create_acls_request_creation *creation)
{
	return (struct acl){
		.resource_type = creation->resource_type,
		.pattern_type = creation->resource_pattern_type,
		.operation = creation->operation,
		.permission = creation->permission_type,
		.resource_name = creation->resource_name,
		.principal = creation->principal,
		.host = creation->host,
	};
}

static void
create(
    struct acl_view *view, struct controller *controller, const struct acl *acl)
{
	const struct kp_access_control_entry_record record = {
		.id = controller_random_id(controller),
		.resource_type = acl->resource_type,
		.resource_name = acl->resource_name,
		.pattern_type = acl->pattern_type,
		.principal = acl->principal,
		.host = acl->host,
		.operation = acl->operation,
		.permission_type = acl->permission,
	};

	controller_emit(
	    controller, METADATA_RECORD_ACCESS_CONTROL_ENTRY, &record);
	acl_view_add(view, &record.id, acl);
}

static void
create_entry(struct create_acls_op *op, struct acl_view *view,
    struct controller *controller,
    const struct kp_create_acls_request_creation *creation,
    struct kp_create_acls_response_result *result)
{
	struct acl acl = acl_of_creation(creation);
	struct slice fault = acl_fault(&acl, op->arena);

	if (!slice_is_null(fault)) {
		result->error_code = KP_INVALID_REQUEST;
		result->error_message = fault;
	} else if (!acl_view_has(view, &acl)) {
		create(view, controller, &acl);
	}
}

static void
run(struct controller_op *base, struct controller *controller)
{
	struct create_acls_op *op =
	    CONTAINER_OF(base, struct create_acls_op, op);
	int32_t count = MAX(op->request->creations_count, 0);
	struct acl_view view;

	kp_defaults(&kp_create_acls_response, &op->response);
	op->response.results =
	    kp_array(op->arena, &kp_create_acls_response_result_struct, count);
	assert(op->response.results != NULL);
	op->response.results_count = count;
	if (count > CONTROLLER_RECORDS_MAX) {
		op->op.error = KP_INVALID_REQUEST;
		return;
	}
	acl_view_init(
	    &view, op->authorizer, controller_view(controller), op->arena);
	for (int32_t i = 0; i < count; i++)
		create_entry(op, &view, controller, &op->request->creations[i],
		    &op->response.results[i]);
	acl_view_fini(&view);
}

void
create_acls_op_init(struct create_acls_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run;
}
