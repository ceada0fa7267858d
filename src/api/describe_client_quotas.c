/*
 * DescribeClientQuotas, versions 0-1: what users, clients and addresses may
 * take, of all entities that a filter asks for (ClientQuotasImage of Kafka).
 */
#include "api/api.h"
#include "base/map.h"
#include "meta/client_quota.h"
#include "meta/image.h"
#include "meta/metadata_record.h"
#include "wire/generated/describe_client_quotas.h"

#define IDENTITY_LEN_MAX ((size_t)16 << 20)

enum {
	MATCH_EXACT = 0,
	MATCH_DEFAULT = 1,
	MATCH_SPECIFIED = 2,
};

/* What is asked of each type. */
struct filter {
	struct {
		bool asked;
		bool any;
		struct slice name; /* null: the default */
	} types[CLIENT_QUOTA_TYPES];
	int count; /* of types that are asked for */
	bool strict;
};

/* An entity that matches, with what it has so far. */
struct found {
	struct slice identity;
	struct kp_describe_client_quotas_response_entry entry;
	int32_t room; /* of entry.values */
};

struct search {
	struct request *request;
	struct filter filter;
	struct map by_identity;
	struct found **all;
	size_t count;
	size_t room;
};

/* --- The filter ----------------------------------------------------------- */

static enum kp_error
take_match(struct filter *filter, enum client_quota_type type,
    const struct kp_describe_client_quotas_request_component *component,
    struct arena *arena, struct slice *message)
{
	bool named = !slice_is_null(component->match);

	filter->types[type].asked = true;
	filter->types[type].any = component->match_type == MATCH_SPECIFIED;
	filter->types[type].name = component->match;
	filter->count++;
	switch (component->match_type) {
	case MATCH_EXACT:
		*message = slice_str("Request specified MATCH_TYPE_EXACT, but "
				     "set match string to null.");
		return named ? KP_NONE : KP_INVALID_REQUEST;
	case MATCH_DEFAULT:
		*message = slice_str("Request specified MATCH_TYPE_DEFAULT, "
				     "but also specified a match string.");
		return named ? KP_INVALID_REQUEST : KP_NONE;
	case MATCH_SPECIFIED:
		*message = slice_str("Request specified MATCH_TYPE_SPECIFIED, "
				     "but also specified a match string.");
		return named ? KP_INVALID_REQUEST : KP_NONE;
	default:
		*message = arena_printf(
		    arena, "Unknown match type %d", component->match_type);
		return KP_INVALID_REQUEST;
	}
}

static enum kp_error
take_component(struct filter *filter,
    const struct kp_describe_client_quotas_request_component *component,
    struct arena *arena, struct slice *message)
{
	struct slice name = component->entity_type;
	enum client_quota_type type;
	int result = client_quota_type_find(name, &type);

	if (name.len == 0) {
		*message = slice_str("Invalid empty entity type.");
		return KP_INVALID_REQUEST;
	}
	if (result != 0) {
		*message = arena_printf(
		    arena, "Unsupported entity type %.*s", SLICE_ARG(name));
		return KP_UNSUPPORTED_VERSION;
	}
	if (filter->types[type].asked) {
		*message = arena_printf(arena,
		    "Entity type %.*s cannot appear more than once in the "
		    "filter.",
		    SLICE_ARG(name));
		return KP_INVALID_REQUEST;
	}
	return take_match(filter, type, component, arena, message);
}

static enum kp_error
take_filter(struct request *request, struct filter *filter,
    struct slice *message)
{
	const struct kp_describe_client_quotas_request *body = request->body;
	enum kp_error error = KP_NONE;

	filter->strict = body->strict;
	for (int32_t i = 0; i < body->components_count && error == KP_NONE; i++)
		error = take_component(filter, &body->components[i],
		    &request->arena, message);
	if (error == KP_NONE && filter->types[CLIENT_QUOTA_IP].asked &&
	    filter->count > 1) {
		*message = slice_str(
		    "Invalid entity filter component combination. IP filter "
		    "component should not be used with user or clientId "
		    "filter component.");
		error = KP_INVALID_REQUEST;
	}
	return error;
}

static bool
same_name(struct slice a, struct slice b)
{
	return slice_is_null(a) == slice_is_null(b) && slice_equal(a, b);
}

static bool
matches(const struct filter *filter, const struct client_quota_entity *entity)
{
	int count = 0;

	for (int i = 0; i < CLIENT_QUOTA_TYPES; i++) {
		count += entity->has[i];
		if (!filter->types[i].asked)
			continue;
		if (!entity->has[i] ||
		    (!filter->types[i].any &&
			!same_name(filter->types[i].name, entity->names[i])))
			return false;
	}
	return !filter->strict || count == filter->count;
}

/* --- What matches --------------------------------------------------------- */

static void
fill_entity(struct arena *arena, const struct client_quota_entity *entity,
    struct kp_describe_client_quotas_response_entry *entry)
{
	entry->entity =
	    arena_xcalloc(arena, CLIENT_QUOTA_TYPES, sizeof(*entry->entity));
	for (int i = 0; i < CLIENT_QUOTA_TYPES; i++) {
		if (!entity->has[i])
			continue;
		entry->entity[entry->entity_count].entity_type = slice_str(
		    client_quota_type_name((enum client_quota_type)i));
		entry->entity[entry->entity_count++].entity_name =
		    arena_copy(arena, entity->names[i]);
	}
}

static struct found *
found_new(struct search *search, struct slice identity,
    const struct client_quota_entity *entity)
{
	struct arena *arena = &search->request->arena;
	struct found *found = arena_xcalloc(arena, 1, sizeof(*found));

	found->identity = arena_copy(arena, identity);
	fill_entity(arena, entity, &found->entry);
	if (search->count == search->room) {
		search->room = MAX(2 * search->room, (size_t)16);
		search->all = xrealloc(
		    search->all, search->room * sizeof(struct found *));
	}
	search->all[search->count++] = found;
	map_set(&search->by_identity, found->identity, found);
	return found;
}

static void
add_value(struct arena *arena, const struct kp_client_quota_record *record,
    struct found *found)
{
	struct kp_describe_client_quotas_response_entry *entry = &found->entry;
	struct kp_describe_client_quotas_response_value *values;

	if (entry->values_count == found->room) {
		found->room += CLIENT_QUOTA_KEYS;
		values = arena_xcalloc(
		    arena, (size_t)found->room, sizeof(*values));
		if (entry->values_count > 0)
			memcpy(values, entry->values,
			    (size_t)entry->values_count * sizeof(*values));
		entry->values = values;
	}
	entry->values[entry->values_count].key =
	    arena_copy(arena, record->key);
	entry->values[entry->values_count++].value = record->value;
}

static void
look_at(struct search *search, const struct kp_client_quota_record *record)
{
	struct client_quota_entity entity;
	struct found *found;
	struct buf identity;

	if (client_quota_entity_of(
		record->entity, record->entity_count, &entity) != 0 ||
	    !matches(&search->filter, &entity))
		return;
	buf_init(&identity, IDENTITY_LEN_MAX);
	if (client_quota_identity(record->entity, record->entity_count,
		slice_str(""), &identity) == 0) {
		found = map_get(&search->by_identity, buf_slice(&identity));
		if (found == NULL)
			found =
			    found_new(search, buf_slice(&identity), &entity);
		add_value(&search->request->arena, record, found);
	}
	buf_fini(&identity);
}

static void
look_at_all(struct search *search)
{
	struct image *image = search->request->server->image;
	const struct image_kept *kept;
	struct metadata_record record;
	struct arena scratch;
	const char *reason;

	arena_init(&scratch, SIZE_MAX);
	image_read_lock(image);
	for (size_t at = 0; (kept = image_kept_next(image, &at)) != NULL;) {
		if (kept->api_key != METADATA_RECORD_CLIENT_QUOTA)
			continue;
		if (metadata_record_decode(
			kept->value, &scratch, &record, &reason) == 0)
			look_at(search, record.body);
		arena_reset(&scratch);
	}
	image_read_unlock(image);
}

/* --- The answer ----------------------------------------------------------- */

static int
compare_found(const void *a, const void *b)
{
	const struct found *const *left = a, *const *right = b;

	return slice_compare((*left)->identity, (*right)->identity);
}

/* Where Kafka's hash map has the key, which its tools show it by. */
static int
place(struct slice name)
{
	static const int places[CLIENT_QUOTA_KEYS] = {
		[CLIENT_QUOTA_CONNECTION_CREATION_RATE] = 0,
		[CLIENT_QUOTA_REQUEST_PERCENTAGE] = 1,
		[CLIENT_QUOTA_PRODUCER_BYTE_RATE] = 2,
		[CLIENT_QUOTA_CONSUMER_BYTE_RATE] = 3,
		[CLIENT_QUOTA_CONTROLLER_MUTATION_RATE] = 4,
	};
	enum client_quota_key key;

	return client_quota_key_find(name, &key) == 0 ? places[key] :
							CLIENT_QUOTA_KEYS;
}

static int
compare_values(const void *a, const void *b)
{
	const struct kp_describe_client_quotas_response_value *left = a,
							       *right = b;
	int order = place(left->key) - place(right->key);

	return order != 0 ? order : slice_compare(left->key, right->key);
}

/* In an order of ours, so that the same is always told alike. */
static void
answer_found(
    struct search *search, struct kp_describe_client_quotas_response *response)
{
	if (search->count > 0)
		qsort(search->all, search->count, sizeof(struct found *),
		    compare_found);
	response->error_message = slice_str("");
	response->entries = arena_xcalloc(&search->request->arena,
	    search->count, sizeof(*response->entries));
	response->entries_count = (int32_t)search->count;
	for (size_t i = 0; i < search->count; i++) {
		struct kp_describe_client_quotas_response_entry *entry =
		    &search->all[i]->entry;

		qsort(entry->values, (size_t)entry->values_count,
		    sizeof(*entry->values), compare_values);
		response->entries[i] = *entry;
	}
}

static void
refuse(struct request *request, enum kp_error error, struct slice message)
{
	struct kp_describe_client_quotas_response *response =
	    request_response_new(request);

	response->error_code = (int16_t)error;
	response->error_message = message;
	response->entries_count = -1;
	request_reply(request, response);
}

static void
fail_describe_client_quotas(struct request *request, enum kp_error error)
{
	refuse(request, error, slice_str(kp_error_message(error)));
}

static void
handle_describe_client_quotas(struct request *request)
{
	struct search search = { .request = request };
	struct kp_describe_client_quotas_response *response;
	struct slice message;
	enum kp_error error = take_filter(request, &search.filter, &message);

	if (error != KP_NONE) {
		refuse(request, error, message);
		return;
	}
	map_init(&search.by_identity);
	look_at_all(&search);
	response = request_response_new(request);
	answer_found(&search, response);
	map_fini(&search.by_identity);
	free(search.all);
	request_reply(request, response);
}

const struct api api_describe_client_quotas =
    API_ROW(describe_client_quotas, API_CLUSTER(ACL_DESCRIBE_CONFIGS),
	.fail = fail_describe_client_quotas);
