/*
 * Groups as administrators see them: list, describe, delete.
 */
#include "base/slice.h"
#include "coord/group.h"
#include "coord/group_share_offsets.h"
#include "wire/generated/describe_groups.h"
#include "wire/generated/list_groups.h"

/* From this version on a group that is not there is an error. */
#define VERSION_NOT_FOUND 6

/* --- Listing ------------------------------------------------------------- */

static bool
is_named(struct slice wanted, const char *name)
{
	return slice_equal_nocase(slice_trim(wanted), name);
}

#define FILTER_ALL UINT32_MAX

/* Of groups of all kinds. */
static const char *const states[] = { "Empty", "PreparingRebalance",
	"CompletingRebalance", "Stable", "Assigning", "Reconciling",
	"not_ready" };
static const char *const types[] = { "classic", "consumer", "streams",
	"share" };

/* The bit of the name, or none. */
static uint32_t
bit_of(const char *const *names, size_t count, struct slice wanted)
{
	for (size_t i = 0; i < count; i++)
		if (is_named(wanted, names[i]))
			return (uint32_t)1 << i;
	return 0;
}

static uint32_t
states_named(struct slice wanted)
{
	return bit_of(states, COUNT_OF(states), wanted);
}

static uint32_t
types_named(struct slice wanted)
{
	return bit_of(types, COUNT_OF(types), wanted);
}

static const char *
type_of(const struct group *group)
{
	return group->kind != NULL ? group->kind->name : "classic";
}

/* As a filter has it: Kafka's knows one state by another name. */
static const char *
filtered_state(const struct group *group)
{
	const char *shown = group_shown_state(group);

	return strcmp(shown, "NotReady") == 0 ? "not_ready" : shown;
}

/* No filter lets everything pass. */
struct group_filter
group_filter_of(const struct kp_list_groups_request *request)
{
	struct group_filter filter = {
		.types = request->types_filter_count <= 0 ? FILTER_ALL : 0,
		.states = request->states_filter_count <= 0 ? FILTER_ALL : 0,
	};

	for (int32_t i = 0; i < request->types_filter_count; i++)
		filter.types |= types_named(request->types_filter[i]);
	for (int32_t i = 0; i < request->states_filter_count; i++)
		filter.states |= states_named(request->states_filter[i]);
	return filter;
}

static struct kp_list_groups_response_group *
add_entry(struct group_list *list, struct arena *arena)
{
	if (list->count == list->capacity) {
		int32_t capacity = MAX(list->capacity * 2, 16);
		struct kp_list_groups_response_group *groups =
		    arena_xcalloc(arena, (size_t)capacity, sizeof(*groups));

		if (list->count > 0)
			memcpy(groups, list->groups,
			    (size_t)list->count * sizeof(*groups));
		list->groups = groups;
		list->capacity = capacity;
	}
	return &list->groups[list->count++];
}

/* Can what one group adds to a list be had, with the list grown for it? */
static bool
list_fits(const struct group *group, const struct arena *arena,
    const struct group_list *list)
{
	size_t grown = 2 * ((size_t)list->capacity + 16);

	return arena_left(arena) > GROUP_ANSWER_SPARE_BYTES +
	    grown * sizeof(*list->groups) + group->id.len +
	    group->protocol_type.len;
}

static void
list_group(const struct group *group, struct arena *arena,
    struct group_list *list)
{
	struct kp_list_groups_response_group *entry = add_entry(list, arena);

	entry->group_id = arena_copy(arena, group->id);
	entry->group_state = slice_str(group_shown_state(group));
	if (group->kind != NULL) {
		entry->protocol_type = slice_str(group->kind->name);
		entry->group_type = slice_str(group->kind->name);
		return;
	}
	entry->protocol_type = slice_is_null(group->protocol_type) ?
	    slice_str("") :
	    arena_copy(arena, group->protocol_type);
	entry->group_type = slice_str("classic");
}

static bool
passes(const struct group *group, struct group_filter filter)
{
	return (filter.types & types_named(slice_str(type_of(group)))) != 0 &&
	    (filter.states == FILTER_ALL ||
		(filter.states &
		    states_named(slice_str(filtered_state(group)))) != 0);
}

static enum kp_error
list_groups(const struct group_shard *shard, struct arena *arena,
    struct group_filter filter, struct group_list *list)
{
	const struct group *group;

	for (size_t at = 0; (group = map_next(&shard->groups, &at)) != NULL;) {
		if (!passes(group, filter))
			continue;
		if (!list_fits(group, arena, list))
			return KP_UNKNOWN_SERVER_ERROR;
		list_group(group, arena, list);
	}
	return KP_NONE;
}

void
group_shard_list(struct group_shard *shard, struct shard_call *call,
    struct arena *arena, struct group_filter filter, struct group_list *list)
{
	enum kp_error error;

	if (!shard_begin(&shard->shard, call))
		return;
	error = list_groups(shard, arena, filter, list);
	shard_reply_at_once(&shard->shard, call, error);
	shard_leave(&shard->shard);
}

/* --- Describing ---------------------------------------------------------- */

static void
describe_member(const struct group_member *member, struct arena *arena,
    struct kp_describe_groups_response_member *out)
{
	bool stable = member->group->state == GROUP_STABLE;

	out->member_id = arena_copy(arena, member->id);
	out->group_instance_id = arena_copy(arena, member->instance_id);
	out->client_id = arena_copy(arena, member->client_id);
	out->client_host = arena_copy(arena, member->client_host);
	out->member_metadata = stable ?
	    arena_copy(arena, group_member_metadata(member)) :
	    slice_str("");
	out->member_assignment = arena_copy(arena, member->assignment);
}

static void
describe(const struct group *group, struct arena *arena,
    struct kp_describe_groups_response_group *out)
{
	size_t count = (size_t)group_member_count(group);

	out->group_state = slice_str(group_state_name(group->state));
	out->protocol_type = slice_is_null(group->protocol_type) ?
	    slice_str("") :
	    arena_copy(arena, group->protocol_type);
	out->protocol_data = group->state != GROUP_STABLE ||
		slice_is_null(group->protocol) ?
	    slice_str("") :
	    arena_copy(arena, group->protocol);
	out->members = arena_xcalloc(arena, count, sizeof(*out->members));
	LIST_FOR_EACH (node, &group->members)
		describe_member(LIST_ENTRY(node, struct group_member, node),
		    arena, &out->members[out->members_count++]);
}

enum kp_error
group_missing(const struct group *group, struct slice group_id,
    const char *kind, struct arena *arena, struct slice *message)
{
	if (arena_left(arena) <= GROUP_ANSWER_SPARE_BYTES + group_id.len)
		return KP_GROUP_ID_NOT_FOUND;
	*message = group == NULL ?
	    arena_printf(arena, "Group %.*s not found.", SLICE_ARG(group_id)) :
	    arena_printf(arena, "Group %.*s is not a %s group.",
		SLICE_ARG(group_id), kind);
	return KP_GROUP_ID_NOT_FOUND;
}

static void
describe_missing(const struct group *group, struct slice group_id,
    struct arena *arena, int16_t version,
    struct kp_describe_groups_response_group *out)
{
	out->group_state = slice_str("Dead");
	if (version < VERSION_NOT_FOUND)
		return;
	out->error_code = (int16_t)group_missing(
	    group, group_id, "classic", arena, &out->error_message);
}

void
group_shard_describe(struct group_shard *shard, struct group_call *call,
    struct slice group_id, struct kp_describe_groups_response_group *out)
{
	const struct group *group;

	out->group_id = group_id;
	if (!shard_begin(&shard->shard, &call->call))
		return;
	group = group_find(shard, group_id);
	if (group == NULL || group->kind != NULL)
		describe_missing(
		    group, group_id, call->arena, call->version, out);
	else if (group_fits(group, call->arena))
		describe(group, call->arena, out);
	else
		out->error_code = KP_UNKNOWN_SERVER_ERROR;
	shard_reply_at_once(&shard->shard, &call->call, KP_NONE);
	shard_leave(&shard->shard);
}

/* --- Deleting ------------------------------------------------------------ */

static enum kp_error
delete_group(struct group *group)
{
	struct shard *shard = &group->shard->shard;
	enum kp_error error;
	bool all;

	/* In bulk: each tombstone stands for itself, the group's comes last. */
	do {
		all = group_emit_offset_tombstones(group);
		error = shard_append_bulk(shard);
	} while (error == KP_NONE && !all);
	if (error != KP_NONE)
		return error;
	group_drop_transactions(group);
	group_emit_tombstone(group);
	return shard_append(shard);
}

static enum kp_error
check_delete(const struct group *group)
{
	if (group == NULL)
		return KP_GROUP_ID_NOT_FOUND;
	if (group->kind != NULL ? group->kind->members_count(group) > 0 :
				  group->state != GROUP_EMPTY)
		return KP_NON_EMPTY_GROUP;
	return KP_NONE;
}

void
group_delete_forgotten(struct group_shard *shard, struct group_call *call,
    struct slice group_id)
{
	enum kp_error error;
	struct group *group;

	if (!shard_begin(&shard->shard, &call->call))
		return;
	group = group_find(shard, group_id);
	error = check_delete(group);
	if (error == KP_NONE)
		error = delete_group(group);
	shard_reply(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
}

void
group_shard_delete(struct group_shard *shard, struct group_call *call,
    struct slice group_id)
{
	enum kp_error error;
	struct group *group;
	bool waits;

	if (!shard_begin(&shard->shard, &call->call))
		return;
	group = group_find(shard, group_id);
	error = check_delete(group);
	waits = error == KP_NONE && group->share != NULL &&
	    group_share_forget(group->share, call, &error);
	if (error == KP_NONE && !waits)
		error = delete_group(group);
	if (!waits)
		shard_reply(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
}
