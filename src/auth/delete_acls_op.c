#include "auth/delete_acls_op.h"

#include "auth/acl_view.h"
#include "auth/authorizer.h"
#include "wire/generated/metadata_remove_access_control_entry_record.h"

struct deletion {
	struct acl_view view;
	struct delete_acls_op *op;
	struct tally doomed; /* by id, in the arena */
	struct uuid **ids;   /* the same, in order */
	size_t ids_count;
};

static struct acl
acl_of_filter(const struct kp_delete_acls_request_filter *filter)
{
	return (struct acl){
		.resource_type = filter->resource_type_filter,
		.pattern_type = filter->pattern_type_filter,
		.operation = filter->operation,
		.permission = filter->permission_type,
		.resource_name = filter->resource_name_filter,
		.principal = filter->principal_filter,
		.host = filter->host_filter,
	};
}

/* One that several filters find is in the answer of each. */
static void
doom(struct deletion *deletion, const struct uuid *id)
{
	struct uuid *copy;

	if (tally_count(&deletion->doomed, MAP_KEY(*id)) > 0)
		return;
	copy = arena_xalloc(deletion->op->arena, sizeof(*copy));
	*copy = *id;
	(void)tally_add(&deletion->doomed, MAP_KEY(*copy));
	deletion->ids[deletion->ids_count++] = copy;
}

static void
fill_match(struct arena *arena, const struct acl *acl,
    struct kp_delete_acls_response_matching_acl *match)
{
	match->error_message = SLICE_NULL;
	match->resource_type = acl->resource_type;
	match->resource_name = arena_copy(arena, acl->resource_name);
	match->pattern_type = acl->pattern_type;
	match->principal = arena_copy(arena, acl->principal);
	match->host = arena_copy(arena, acl->host);
	match->operation = acl->operation;
	match->permission_type = acl->permission;
}

static int32_t
count_matches(const struct acl_view *view, const struct acl *filter)
{
	struct acl_view_cursor cursor = { 0, 0 };
	const struct acl *acl;
	int32_t count = 0;
	struct uuid id;

	while ((acl = acl_view_next(view, &cursor, &id)) != NULL)
		count += acl_matches(filter, acl);
	return count;
}

static void
delete_filter(struct deletion *deletion,
    const struct kp_delete_acls_request_filter *in,
    struct kp_delete_acls_response_filter_result *out)
{
	struct arena *arena = deletion->op->arena;
	const struct acl filter = acl_of_filter(in);
	struct acl_view_cursor cursor = { 0, 0 };
	const struct acl *acl;
	struct uuid id;

	out->error_message = SLICE_NULL;
	out->matching_acls =
	    kp_array(arena, &kp_delete_acls_response_matching_acl_struct,
		count_matches(&deletion->view, &filter));
	assert(out->matching_acls != NULL);
	while ((acl = acl_view_next(&deletion->view, &cursor, &id)) != NULL) {
		if (!acl_matches(&filter, acl))
			continue;
		fill_match(arena, acl,
		    &out->matching_acls[out->matching_acls_count++]);
		doom(deletion, &id);
	}
}

static void
delete_doomed(struct deletion *deletion, struct controller *controller)
{
	for (size_t i = 0; i < deletion->ids_count; i++) {
		const struct kp_remove_access_control_entry_record record = {
			.id = *deletion->ids[i],
		};

		controller_emit(controller,
		    METADATA_RECORD_REMOVE_ACCESS_CONTROL_ENTRY, &record);
	}
}

/* All filters are about the entries as they were before. */
static void
delete_all(struct deletion *deletion, struct controller *controller)
{
	struct delete_acls_op *op = deletion->op;

	deletion->ids = arena_xcalloc(op->arena,
	    acl_view_count_max(&deletion->view), sizeof(*deletion->ids));
	for (int32_t i = 0; i < op->response.filter_results_count; i++)
		delete_filter(deletion, &op->request->filters[i],
		    &op->response.filter_results[i]);
	if (deletion->ids_count > CONTROLLER_RECORDS_MAX)
		op->op.error = KP_INVALID_REQUEST;
	else
		delete_doomed(deletion, controller);
}

static void
run(struct controller_op *base, struct controller *controller)
{
	struct delete_acls_op *op =
	    CONTAINER_OF(base, struct delete_acls_op, op);
	struct deletion deletion = { .op = op };

	kp_defaults(&kp_delete_acls_response, &op->response);
	op->response.filter_results_count = MAX(op->request->filters_count, 0);
	op->response.filter_results =
	    kp_array(op->arena, &kp_delete_acls_response_filter_result_struct,
		op->response.filter_results_count);
	assert(op->response.filter_results != NULL);
	acl_view_init(&deletion.view, op->authorizer,
	    controller_view(controller), op->arena);
	tally_init(&deletion.doomed);
	delete_all(&deletion, controller);
	tally_fini(&deletion.doomed);
	acl_view_fini(&deletion.view);
}

void
delete_acls_op_init(struct delete_acls_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run;
}
