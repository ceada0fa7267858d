/*
 * ListConfigResources, versions 0-1: groups and client metrics that have a
 * configuration, brokers with their loggers, and topics, in this order.
 */
#include "api/api.h"
#include "meta/broker_image.h"
#include "meta/image.h"
#include "wire/generated/list_config_resources.h"

#define TYPES_ALL                                                  \
	(IMAGE_CONFIG_TOPIC | IMAGE_CONFIG_BROKER |                \
	    IMAGE_CONFIG_BROKER_LOGGER | IMAGE_CONFIG_CLIENT_METRICS | \
	    IMAGE_CONFIG_GROUP)

/* The types asked for, whose numbers are bits; 0 where one is unknown. */
static int
types_asked(const struct request *request)
{
	const struct kp_list_config_resources_request *body = request->body;
	int types = 0;

	if (request->version == 0)
		return IMAGE_CONFIG_CLIENT_METRICS;
	if (body->resource_types_count <= 0)
		return TYPES_ALL;
	for (int32_t i = 0; i < body->resource_types_count; i++) {
		int type = body->resource_types[i];

		if (type <= 0 || (type & TYPES_ALL) != type ||
		    (type & (type - 1)) != 0)
			return 0;
		types |= type;
	}
	return types;
}

static void
add(struct kp_list_config_resources_response *response,
    enum image_config_type type, struct slice name)
{
	response->config_resources[response->config_resources_count++] =
	    (struct kp_list_config_resources_response_resource){
		    .resource_name = name,
		    .resource_type = (int8_t)type,
	    };
}

static void
add_configured(const struct image *image, enum image_config_type type,
    struct kp_list_config_resources_response *response)
{
	const struct image_configs *configs;

	for (size_t at = 0; (configs = image_configs_next(image, &at)) != NULL;)
		if (configs->type == (int8_t)type)
			add(response, type, configs->name);
}

static void
add_brokers(struct request *request, enum image_config_type type,
    struct kp_list_config_resources_response *response)
{
	const struct image *image = request->server->image;
	const struct broker_image *broker;

	for (size_t at = 0; (broker = image_broker_next(image, &at)) != NULL;)
		add(response, type,
		    arena_printf(&request->arena, "%d", broker->id));
}

static void
add_topics(const struct image *image,
    struct kp_list_config_resources_response *response)
{
	const struct topic_image *topic;

	for (size_t at = 0; (topic = image_topic_next(image, &at)) != NULL;)
		add(response, IMAGE_CONFIG_TOPIC, topic->name);
}

/* All that there could be to show. */
static size_t
resources_max(const struct image *image)
{
	size_t count = 0;

	for (size_t at = 0; image_configs_next(image, &at) != NULL;)
		count++;
	return count + 2 * image_brokers_count(image) +
	    image_topics_count(image);
}

static void
fill(struct request *request, int types,
    struct kp_list_config_resources_response *response)
{
	const struct image *image = request->server->image;

	response->config_resources = arena_xcalloc(&request->arena,
	    resources_max(image), sizeof(*response->config_resources));
	if (types & IMAGE_CONFIG_GROUP)
		add_configured(image, IMAGE_CONFIG_GROUP, response);
	if (types & IMAGE_CONFIG_CLIENT_METRICS)
		add_configured(image, IMAGE_CONFIG_CLIENT_METRICS, response);
	if (types & IMAGE_CONFIG_BROKER_LOGGER)
		add_brokers(request, IMAGE_CONFIG_BROKER_LOGGER, response);
	if (types & IMAGE_CONFIG_BROKER)
		add_brokers(request, IMAGE_CONFIG_BROKER, response);
	if (types & IMAGE_CONFIG_TOPIC)
		add_topics(image, response);
}

static void
handle_list_config_resources(struct request *request)
{
	struct kp_list_config_resources_response *response =
	    request_response_new(request);
	struct image *image = request->server->image;
	int types = types_asked(request);

	if (types == 0) {
		response->error_code = KP_UNSUPPORTED_VERSION;
		request_reply(request, response);
		return;
	}
	image_read_lock(image);
	fill(request, types, response);
	request_reply(request, response);
	image_read_unlock(image);
}

const struct api api_list_config_resources = API_ROW(
    list_config_resources, API_CLUSTER(ACL_DESCRIBE_CONFIGS));
