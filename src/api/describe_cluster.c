/*
 * DescribeCluster, versions 0-2: the cluster's id and its brokers.
 *
 * Endpoint type 2 (controllers) is for controller listeners, which we have
 * none of.
 */
#include "api/api.h"
#include "api/brokers.h"
#include "wire/generated/describe_cluster.h"

#define ENDPOINT_BROKERS 1
#define ENDPOINT_CONTROLLERS 2

static void
fill_broker(const struct request *request, const struct broker_image *broker,
    struct kp_describe_cluster_response_broker *entry)
{
	const struct kp_register_broker_record_end_point *endpoint =
	    brokers_endpoint(request, broker);

	entry->broker_id = broker->id;
	entry->host = endpoint->host;
	entry->port = endpoint->port;
	entry->rack = broker->record.rack;
	entry->is_fenced = broker->fenced;
}

static void
fill_brokers(struct request *request,
    struct kp_describe_cluster_response *response)
{
	const struct kp_describe_cluster_request *body = request->body;
	struct image *image = request->server->image;
	struct kp_describe_cluster_response_broker *entry;
	const struct broker_image *broker;

	entry = response->brokers = arena_xcalloc(&request->arena,
	    image_brokers_count(image), sizeof(*entry));
	for (size_t at = 0; (broker = image_broker_next(image, &at)) != NULL;)
		if (brokers_endpoint(request, broker) != NULL &&
		    (!broker->fenced || body->include_fenced_brokers))
			fill_broker(request, broker, entry++);
	response->brokers_count = (int32_t)(entry - response->brokers);
}

static void
refuse_endpoint_type(struct request *request,
    struct kp_describe_cluster_response *response, int8_t type)
{
	response->endpoint_type = type;
	if (request->version == 0) {
		response->error_code = KP_INVALID_REQUEST;
	} else {
		response->error_code = type == ENDPOINT_CONTROLLERS ?
		    KP_MISMATCHED_ENDPOINT_TYPE :
		    KP_UNSUPPORTED_ENDPOINT_TYPE;
	}
	response->error_message = slice_str(
	    type == ENDPOINT_CONTROLLERS ?
		"This listener serves brokers, not controllers." :
		"There is no such endpoint type.");
	request_reply(request, response);
}

static void
handle_describe_cluster(struct request *request)
{
	const struct kp_describe_cluster_request *body = request->body;
	struct kp_describe_cluster_response *response =
	    request_response_new(request);
	struct image *image = request->server->image;

	if (body->endpoint_type != ENDPOINT_BROKERS) {
		refuse_endpoint_type(request, response, body->endpoint_type);
		return;
	}
	if (body->include_cluster_authorized_operations)
		response->cluster_authorized_operations =
		    request_operations(request, ACL_RESOURCE_CLUSTER,
			ACL_CLUSTER_NAME);
	image_read_lock(image);
	fill_brokers(request, response);
	response->cluster_id = image_cluster_id(image);
	response->controller_id = brokers_any_alive(request);
	request_reply(request, response);
	image_read_unlock(image);
}

const struct api api_describe_cluster = API_ROW(describe_cluster, API_OPEN);
