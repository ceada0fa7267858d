/*
 * DescribeConfigs, versions 1-4: topics, brokers, loggers, groups and client
 * metrics.
 *
 * Documentation is always null: Kafka's texts are Kafka's.
 */
#include "api/api.h"
#include "api/broker_logger.h"
#include "meta/configs.h"
#include "meta/image.h"
#include "wire/generated/describe_configs.h"

/*
 * More than the answer for one resource takes, and than each key takes that
 * is none of Kafka's: those that somebody has set have no bound, where it
 * was not us who let them in.
 */
#define RESOURCE_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define STORED_KEY_BYTES_MAX 2048

static const struct kp_describe_configs_request *
body_of(const struct request *request)
{
	return request->body;
}

static bool
type_known(int8_t type)
{
	switch (type) {
	case IMAGE_CONFIG_TOPIC:
	case IMAGE_CONFIG_BROKER:
	case IMAGE_CONFIG_BROKER_LOGGER:
	case IMAGE_CONFIG_CLIENT_METRICS:
	case IMAGE_CONFIG_GROUP:
		return true;
	default:
		return false;
	}
}

/* KP_NONE where the principal may describe the resource. */
static enum kp_error
permission(const struct request *request, int8_t type, struct slice name)
{
	if (type == IMAGE_CONFIG_TOPIC)
		return request_allows(request, ACL_DESCRIBE_CONFIGS,
			   ACL_RESOURCE_TOPIC, name) ?
		    KP_NONE :
		    KP_TOPIC_AUTHORIZATION_FAILED;
	if (type == IMAGE_CONFIG_GROUP)
		return request_allows(request, ACL_DESCRIBE_CONFIGS,
			   ACL_RESOURCE_GROUP, name) ?
		    KP_NONE :
		    KP_GROUP_AUTHORIZATION_FAILED;
	return request_allows(request, ACL_DESCRIBE_CONFIGS,
		   ACL_RESOURCE_CLUSTER, ACL_CLUSTER_NAME) ?
	    KP_NONE :
	    KP_CLUSTER_AUTHORIZATION_FAILED;
}

static enum kp_error
check_topic(struct request *request, struct slice name, struct slice *message)
{
	const char *reason;

	if (!topic_image_name_valid(name, &reason)) {
		*message = slice_str(reason);
		return KP_INVALID_TOPIC_EXCEPTION;
	}
	return image_topic(request->server->image, name) == NULL ?
	    KP_UNKNOWN_TOPIC_OR_PARTITION :
	    KP_NONE;
}

/* "" is the cluster's default; a number must be ours. */
static enum kp_error
check_broker(struct request *request, struct slice name,
    struct slice *message)
{
	const struct configs *configs = request->server->configs;

	if (name.len == 0 || slice_equal_str(name, configs->node_name))
		return KP_NONE;
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] >= '0' && name.data[i] <= '9')
			continue;
		*message = arena_printf(&request->arena,
		    "Broker id must be an integer, but it is: %.*s",
		    SLICE_ARG(name));
		return KP_INVALID_REQUEST;
	}
	*message = arena_printf(&request->arena,
	    "Unexpected broker id, expected %s or empty string, but received "
	    "%.*s",
	    configs->node_name, SLICE_ARG(name));
	return KP_INVALID_REQUEST;
}

static enum kp_error
check(struct request *request, int8_t type, struct slice name,
    struct slice *message)
{
	if (type == IMAGE_CONFIG_TOPIC)
		return check_topic(request, name, message);
	if (type == IMAGE_CONFIG_BROKER)
		return check_broker(request, name, message);
	if (name.len > 0)
		return KP_NONE;
	*message = slice_str("The resource's name must not be empty.");
	return KP_INVALID_REQUEST;
}

static void
fill_synonyms(struct request *request, const struct config_entry *from,
    struct kp_describe_configs_response_config *to)
{
	to->synonyms_count = from->synonyms_count;
	to->synonyms = arena_xcalloc(&request->arena,
	    (size_t)from->synonyms_count, sizeof(*to->synonyms));
	for (int32_t i = 0; i < from->synonyms_count; i++) {
		to->synonyms[i].name = from->synonyms[i].name;
		to->synonyms[i].value = from->synonyms[i].value;
		to->synonyms[i].source = (int8_t)from->synonyms[i].source;
	}
}

static void
fill_configs(struct request *request, const struct config_entry *entries,
    int32_t count, struct kp_describe_configs_response_result *result)
{
	result->configs_count = count;
	result->configs = arena_xcalloc(&request->arena, (size_t)count,
	    sizeof(*result->configs));
	for (int32_t i = 0; i < count; i++) {
		struct kp_describe_configs_response_config *config =
		    &result->configs[i];

		config->name = entries[i].name;
		config->value = entries[i].value;
		config->read_only = entries[i].read_only;
		config->config_source = (int8_t)entries[i].source;
		config->is_sensitive = entries[i].sensitive;
		config->config_type = (int8_t)entries[i].type;
		if (body_of(request)->include_synonyms)
			fill_synonyms(request, &entries[i], config);
	}
}

static void
describe(struct request *request,
    const struct kp_describe_configs_request_resource *resource,
    struct kp_describe_configs_response_result *result)
{
	int8_t type = resource->resource_type;
	struct slice name = resource->resource_name;
	const struct config_entry *entries;
	int32_t keys, count;
	enum kp_error error = permission(request, type, name);

	result->resource_type = type;
	result->resource_name = name;
	result->error_message = slice_str("");
	if (error != KP_NONE) {
		result->error_code = (int16_t)error;
		result->error_message = slice_str(kp_error_message(error));
		return;
	}
	if (type == IMAGE_CONFIG_BROKER_LOGGER) {
		broker_logger_describe(request, resource, result);
		return;
	}
	result->error_code =
	    (int16_t)check(request, type, name, &result->error_message);
	if (result->error_code != KP_NONE)
		return;
	/* An empty list of keys asks for all, as a null one does. */
	keys = resource->configuration_keys_count;
	entries = configs_describe(request->server->configs,
	    (enum image_config_type)type, name, resource->configuration_keys,
	    keys > 0 ? keys : -1, &request->arena, &count);
	fill_configs(request, entries, count, result);
}

static struct kp_describe_configs_response *
response_new(struct request *request)
{
	struct kp_describe_configs_response *response =
	    request_response_new(request);
	int32_t count = body_of(request)->resources_count;

	response->results_count = MAX(count, 0);
	response->results = kp_array(&request->arena,
	    &kp_describe_configs_response_result_struct,
	    response->results_count);
	assert(response->results != NULL);
	return response;
}

static void
fail_describe_configs(struct request *request, enum kp_error error)
{
	const struct kp_describe_configs_request *body = body_of(request);
	struct kp_describe_configs_response *response = response_new(request);

	for (int32_t i = 0; i < response->results_count; i++) {
		struct kp_describe_configs_response_result *result =
		    &response->results[i];

		result->error_code = (int16_t)error;
		result->error_message = slice_str(kp_error_message(error));
		result->resource_type = body->resources[i].resource_type;
		result->resource_name = body->resources[i].resource_name;
	}
	request_reply(request, response);
}

/* A short request can ask for the same again and again. */
static bool
has_room(const struct request *request)
{
	return arena_left(&request->arena) >= RESOURCE_BYTES_MAX +
	    configs_broker_stored(request->server->configs) *
		STORED_KEY_BYTES_MAX;
}

static void
answer(struct request *request)
{
	const struct kp_describe_configs_request *body = body_of(request);
	struct kp_describe_configs_response *response = response_new(request);

	for (int32_t i = 0; i < body->resources_count; i++) {
		if (!has_room(request)) {
			request_close(request, "a reply that is too large");
			return;
		}
		describe(request, &body->resources[i], &response->results[i]);
	}
	request_reply(request, response);
}

static void
handle_describe_configs(struct request *request)
{
	const struct kp_describe_configs_request *body = body_of(request);
	struct image *image = request->server->image;

	for (int32_t i = 0; i < body->resources_count; i++) {
		if (!type_known(body->resources[i].resource_type)) {
			request_fail(request, KP_INVALID_REQUEST);
			return;
		}
	}
	image_read_lock(image);
	answer(request);
	image_read_unlock(image);
}

const struct api api_describe_configs = API_ROW(describe_configs, API_ENTRIES,
    .fail = fail_describe_configs);
