#include "api/brokers.h"

const struct kp_register_broker_record_end_point *
brokers_endpoint(const struct request *request,
    const struct broker_image *broker)
{
	const char *listener =
	    connection_listener_name(request->exchange.connection);

	return broker_image_endpoint(broker, slice_str(listener));
}

static bool
alive(const struct request *request, const struct broker_image *broker)
{
	return !broker->fenced && brokers_endpoint(request, broker) != NULL;
}

bool
brokers_alive(const struct request *request, int32_t id)
{
	const struct broker_image *broker =
	    image_broker(request->server->image, id);

	return broker != NULL && alive(request, broker);
}

int32_t
brokers_any_alive(const struct request *request)
{
	const struct broker_image *broker;

	for (size_t at = 0;
	     (broker = image_broker_next(request->server->image, &at)) != NULL;)
		if (alive(request, broker))
			return broker->id;
	return -1;
}

int32_t *
brokers_offline(struct request *request,
    const struct partition_image *partition, int32_t *count)
{
	struct partition_image_ids replicas = partition->replicas;
	int32_t *offline = arena_xcalloc(&request->arena,
	    (size_t)replicas.count, sizeof(*offline));

	*count = 0;
	for (int32_t i = 0; i < replicas.count; i++)
		if (!brokers_alive(request, replicas.ids[i]) ||
		    !broker_image_has_directory(
			image_broker(request->server->image, replicas.ids[i]),
			partition->directories[i]))
			offline[(*count)++] = replicas.ids[i];
	return offline;
}
