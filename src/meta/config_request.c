#include "meta/config_request.h"

#include "base/tally.h"

void
config_request_resources(struct config_request *request, int32_t count)
{
	request->count = MAX(count, 0);
	request->resources = arena_xcalloc(request->arena,
	    (size_t)request->count, sizeof(*request->resources));
}

void
config_request_items(const struct config_request *request,
    struct config_request_resource *resource, int32_t count)
{
	resource->items_count = MAX(count, 0);
	resource->items = arena_xcalloc(request->arena,
	    (size_t)resource->items_count, sizeof(*resource->items));
}

static bool
is_excessive(const struct config_request *request)
{
	int64_t total = request->count;

	for (int32_t i = 0; i < request->count; i++)
		total += request->resources[i].items_count;
	return total > CONTROLLER_RECORDS_MAX;
}

static void
refuse_all(struct config_request *request)
{
	for (int32_t i = 0; i < request->count; i++) {
		request->resources[i].error = KP_POLICY_VIOLATION;
		request->resources[i].message =
		    slice_str(CONFIG_CHANGE_EXCESSIVE);
	}
}

static void
run_resource(const struct config_request *request,
    struct config_request_resource *resource, size_t *joined_bytes)
{
	struct config_change change = {
		.controller = request->controller,
		.arena = request->arena,
		.access = request->access,
		.node_id = request->node_id,
		.type = resource->type,
		.name = resource->name,
		.replace = request->replace,
		.items = resource->items,
		.items_count = resource->items_count,
		.validate_only = request->validate_only,
		.joined_bytes = joined_bytes,
	};

	resource->error = config_change_run(&change);
	resource->message = change.message;
}

/* What tells resources apart. */
static struct slice
key_of(const struct config_request *request,
    const struct config_request_resource *resource)
{
	return arena_printf(request->arena, "%d/%.*s", resource->type,
	    SLICE_ARG(resource->name));
}

static void
run_all(struct config_request *request)
{
	struct slice *keys = arena_xcalloc(
	    request->arena, (size_t)request->count, sizeof(*keys));
	size_t joined_bytes = 0;
	struct tally resources;

	tally_init(&resources);
	for (int32_t i = 0; i < request->count; i++) {
		keys[i] = key_of(request, &request->resources[i]);
		(void)tally_add(&resources, keys[i]);
	}
	for (int32_t i = 0; i < request->count; i++) {
		struct config_request_resource *resource =
		    &request->resources[i];

		if (tally_count(&resources, keys[i]) == 1) {
			run_resource(request, resource, &joined_bytes);
			continue;
		}
		resource->error = KP_INVALID_REQUEST;
		resource->message = slice_str("Each resource must appear at "
					      "most once.");
	}
	tally_fini(&resources);
}

void
config_request_run(struct config_request *request)
{
	if (is_excessive(request))
		refuse_all(request);
	else
		run_all(request);
}
