#include "api/described_groups.h"

#include "api/coordinated.h"
#include "api/partitions.h"
#include "wire/codec.h"

static void *
entry_at(const struct described_groups *groups, int32_t index)
{
	return (uint8_t *)groups->entries +
	    (size_t)index * groups->kind->entry->size;
}

struct described_groups *
described_groups_new(struct request *request,
    const struct described_groups_kind *kind, const struct slice *ids,
    int32_t count, void *response)
{
	struct described_groups *groups =
	    arena_xcalloc(&request->arena, 1, sizeof(*groups));

	groups->kind = kind;
	groups->ids = ids;
	groups->response = response;
	groups->count = MAX(count, 0);
	groups->entries =
	    kp_array(&request->arena, kind->entry, groups->count);
	assert(groups->entries != NULL);
	for (int32_t i = 0; i < groups->count; i++)
		*kind->view(entry_at(groups, i)).group_id = ids[i];
	return groups;
}

void
described_groups_fail(struct request *request,
    const struct described_groups *groups, enum kp_error error)
{
	for (int32_t i = 0; i < groups->count; i++)
		*groups->kind->view(entry_at(groups, i)).error_code =
		    (int16_t)error;
	request_reply(request, groups->response);
}

bool
described_groups_admit(struct request *request,
    const struct described_groups_kind *kind, int32_t count)
{
	if (count > PARTITIONS_MAX)
		request_close(request, "a description of too many groups");
	else if (!kind->served(request->server->groups))
		request_fail(request, KP_UNSUPPORTED_VERSION);
	else
		return true;
	return false;
}

/* The entry says nothing but error. */
static void
entry_fail(const struct described_groups_kind *kind, void *entry,
    enum kp_error error, struct slice message)
{
	struct described_group view = kind->view(entry);
	struct slice group_id = *view.group_id;

	kp_defaults_struct(kind->entry, entry);
	*view.group_id = group_id;
	*view.error_code = (int16_t)error;
	*view.error_message = message;
}

static void
finish(const struct request *request, const struct described_groups *groups,
    int32_t index)
{
	const struct described_groups_kind *kind = groups->kind;
	enum kp_error error = groups->calls[index]->call.error;
	void *entry = entry_at(groups, index);
	struct described_group view = kind->view(entry);

	if (error != KP_NONE)
		entry_fail(kind, entry, error, SLICE_NULL);
	else if (!kind->allowed(request, entry))
		entry_fail(kind, entry, KP_TOPIC_AUTHORIZATION_FAILED,
		    slice_str(kind->denied));
	else if (*view.error_code == KP_NONE)
		*view.authorized_operations = coordinated_operations(
		    request, groups->operations, *view.group_id);
}

static void
answer(struct request *request)
{
	const struct described_groups *groups = request->state;

	for (int32_t i = 0; i < groups->count; i++)
		finish(request, groups, i);
	request_reply(request, groups->response);
}

static void
describe(struct request *request, const struct described_groups *groups,
    int32_t index)
{
	struct group_call *call = groups->calls[index];
	void *entry = entry_at(groups, index);

	if (call->call.error != KP_NONE)
		return;
	if (groups->ids[index].len == 0)
		*groups->kind->view(entry).error_code = KP_INVALID_GROUP_ID;
	else
		groups->kind->describe(request->server->groups, call,
		    groups->ids[index], entry);
}

void
described_groups_answer(
    struct request *request, struct described_groups *groups)
{
	struct coordinated *all = coordinated_new(request, answer);

	groups->calls =
	    coordinated_describe(all, groups->ids, groups->count);
	request->state = groups;
	for (int32_t i = 0; i < groups->count; i++)
		describe(request, groups, i);
	coordinated_wait(all);
}
