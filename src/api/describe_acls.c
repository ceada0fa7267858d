/*
 * DescribeAcls, versions 1-3: the entries of the access control lists that a
 * filter finds, grouped by their resource patterns.
 */
#include "api/api.h"
#include "wire/generated/describe_acls.h"

static struct acl
filter_of(const struct kp_describe_acls_request *body)
{
	return (struct acl){
		.resource_type = body->resource_type_filter,
		.pattern_type = body->pattern_type_filter,
		.operation = body->operation,
		.permission = body->permission_type,
		.resource_name = body->resource_name_filter,
		.principal = body->principal_filter,
		.host = body->host_filter,
	};
}

/* Entries of one pattern come together. */
static int
compare(const void *a, const void *b)
{
	const struct acl *left = a, *right = b;
	int order = left->resource_type - right->resource_type;

	if (order == 0)
		order =
		    slice_compare(left->resource_name, right->resource_name);
	return order != 0 ? order : left->pattern_type - right->pattern_type;
}

static void
fill_entry(const struct acl *acl, struct kp_describe_acls_response_acl *entry)
{
	entry->principal = acl->principal;
	entry->host = acl->host;
	entry->operation = acl->operation;
	entry->permission_type = acl->permission;
}

/* The pattern that begins at acls, of left; how many entries it has. */
static size_t
fill_resource(struct request *request, const struct acl *acls, size_t left,
    struct kp_describe_acls_response_resource *resource)
{
	size_t count = 1;

	while (count < left && compare(&acls[0], &acls[count]) == 0)
		count++;
	resource->resource_type = acls->resource_type;
	resource->resource_name = acls->resource_name;
	resource->pattern_type = acls->pattern_type;
	resource->acls =
	    arena_xcalloc(&request->arena, count, sizeof(*resource->acls));
	resource->acls_count = (int32_t)count;
	for (size_t i = 0; i < count; i++)
		fill_entry(&acls[i], &resource->acls[i]);
	return count;
}

static void
handle_describe_acls(struct request *request)
{
	struct kp_describe_acls_response *response =
	    request_response_new(request);
	const struct acl filter = filter_of(request->body);
	struct acl *acls;
	size_t count;

	if (!acl_filter_valid(&filter)) {
		request_close(request, "a filter with an unknown code");
		return;
	}
	if (request->server->authorizer == NULL) {
		response->error_code = KP_SECURITY_DISABLED;
		response->error_message = slice_str(AUTHORIZER_NONE);
		request_reply(request, response);
		return;
	}
	acls = authorizer_find(
	    request->server->authorizer, &filter, &request->arena, &count);
	qsort(acls, count, sizeof(*acls), compare);
	response->resources =
	    arena_xcalloc(&request->arena, count, sizeof(*response->resources));
	for (size_t at = 0; at < count;)
		at += fill_resource(request, &acls[at], count - at,
		    &response->resources[response->resources_count++]);
	request_reply(request, response);
}

const struct api api_describe_acls =
    API_ROW(describe_acls, API_CLUSTER(ACL_DESCRIBE));
