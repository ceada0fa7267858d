/*
 * Making the topic at its first use.  Whoever asks while it is being made waits
 * for the same creation.
 */
#include "base/log.h"
#include "base/worker.h"
#include "coord/coordinator.h"
#include "meta/image.h"
#include "meta/topic_ops.h"
#include "wire/generated/create_topics.h"

#define CREATION_BYTES_MAX ((size_t)1 << 20)
#define CONFIGS_MAX 6

/* Someone who waits for the topic to be there. */
struct waiter {
	struct list_node node;
	void (*ready)(void *context, enum kp_error error);
	void *context;
};

struct creation {
	struct coordinator *coordinator;
	struct arena arena;
	struct kp_create_topics_request request;
	struct create_topics_op op;
	/* then */
	struct task task;
	enum kp_error error;
};

/* --- Done ---------------------------------------------------------------- */

static void
answer_all(struct coordinator *coordinator, enum kp_error error)
{
	struct list waiters;
	struct list_node *node;

	list_init(&waiters);
	pthread_mutex_lock(&coordinator->mutex);
	coordinator->preparing = false;
	list_splice(&waiters, &coordinator->waiters);
	pthread_mutex_unlock(&coordinator->mutex);
	while ((node = list_pop(&waiters)) != NULL) {
		struct waiter *waiter = LIST_ENTRY(node, struct waiter, node);

		waiter->ready(waiter->context, error);
		free(waiter);
	}
}

static void
run_answer(struct task *task)
{
	struct creation *creation = CONTAINER_OF(task, struct creation, task);
	struct coordinator *coordinator = creation->coordinator;
	enum kp_error error = creation->error;

	arena_reset(&creation->arena);
	free(creation);
	answer_all(coordinator, error);
}

static enum kp_error
result_of(const struct create_topics_op *op)
{
	enum kp_error error = op->op.error;

	if (error == KP_NONE) {
		assert(op->response.topics_count == 1);
		error = (enum kp_error)op->response.topics[0].error_code;
	}
	return error == KP_TOPIC_ALREADY_EXISTS ? KP_NONE : error;
}

/*
 * On the controller's thread: the topic is there, and the worker has been
 * given its shards, so what it is given now runs when they serve.
 */
static void
created(struct controller_op *op)
{
	struct creation *creation = CONTAINER_OF(op, struct creation, op.op);
	struct coordinator *coordinator = creation->coordinator;

	creation->error = result_of(&creation->op);
	if (creation->error != KP_NONE)
		log_warn("coord", "Cannot create %s: %s",
		    coordinator->topic.name, kp_error_name(creation->error));
	creation->task.run = run_answer;
	if (!coordinator_post(coordinator, &creation->task))
		run_answer(&creation->task);
}

/* --- The request --------------------------------------------------------- */

static int32_t
live_brokers(const struct image *image)
{
	const struct broker_image *broker;
	int32_t count = 0;

	for (size_t at = 0; (broker = image_broker_next(image, &at)) != NULL;)
		if (!broker->fenced)
			count++;
	return count;
}

/* As many replicas as are wanted, where there are brokers for them. */
static int16_t
replication_factor(const struct coordinator *coordinator)
{
	struct image *image = coordinator->services.image;
	int32_t wanted = coordinator->topic.replication_factor;
	int32_t live;

	image_read_lock(image);
	live = MAX(1, live_brokers(image));
	image_read_unlock(image);
	if (wanted <= live)
		return (int16_t)wanted;
	log_info("coord",
	    "%s gets %d replicas, not the %d of %s: so many brokers are live",
	    coordinator->topic.name, live, wanted,
	    coordinator->topic.replication_key);
	return (int16_t)live;
}

static void
add_config(struct kp_create_topics_request_topic *topic, const char *name,
    struct slice value)
{
	struct kp_create_topics_request_config *config =
	    &topic->configs[topic->configs_count++];

	config->name = slice_str(name);
	config->value = value;
}

static struct slice
number(struct arena *arena, int32_t value)
{
	return arena_printf(arena, "%d", value);
}

static void
add_configs(
    struct creation *creation, struct kp_create_topics_request_topic *topic)
{
	const struct coordinator_topic *settings =
	    &creation->coordinator->topic;
	struct arena *arena = &creation->arena;

	topic->configs =
	    arena_xcalloc(arena, CONFIGS_MAX, sizeof(*topic->configs));
	add_config(topic, "compression.type",
	    slice_str(settings->uncompressed ? "uncompressed" : "producer"));
	add_config(topic, "cleanup.policy",
	    slice_str(settings->kept_whole ? "delete" : "compact"));
	add_config(
	    topic, "segment.bytes", number(arena, settings->segment_bytes));
	if (settings->min_insync_replicas > 0)
		add_config(topic, "min.insync.replicas",
		    number(arena, settings->min_insync_replicas));
	if (settings->never_unclean)
		add_config(topic, "unclean.leader.election.enable",
		    slice_str("false"));
	if (settings->kept_whole)
		add_config(topic, "retention.ms", slice_str("-1"));
}

static void
fill_request(struct creation *creation)
{
	const struct coordinator_topic *settings =
	    &creation->coordinator->topic;
	struct kp_create_topics_request_topic *topic;

	topic = arena_xcalloc(&creation->arena, 1, sizeof(*topic));
	topic->name = slice_str(settings->name);
	topic->num_partitions = settings->partitions;
	topic->replication_factor = replication_factor(creation->coordinator);
	add_configs(creation, topic);
	kp_defaults(&kp_create_topics_request, &creation->request);
	creation->request.topics = topic;
	creation->request.topics_count = 1;
}

static void
create(struct coordinator *coordinator)
{
	struct creation *creation = xcalloc(1, sizeof(*creation));

	creation->coordinator = coordinator;
	arena_init(&creation->arena, CREATION_BYTES_MAX);
	fill_request(creation);
	create_topics_op_init(&creation->op);
	creation->op.request = &creation->request;
	creation->op.arena = &creation->arena;
	creation->op.op.done = created;
	controller_submit(coordinator->services.controller, &creation->op.op);
}

void
coordinator_prepare(struct coordinator *coordinator,
    void (*ready)(void *context, enum kp_error error), void *context)
{
	struct waiter *waiter;
	bool serves, first = false;

	pthread_mutex_lock(&coordinator->mutex);
	serves =
	    coordinator->tenures_count != 0 && coordinator->loads_count == 0;
	if (!serves) {
		waiter = xcalloc(1, sizeof(*waiter));
		waiter->ready = ready;
		waiter->context = context;
		list_append(&coordinator->waiters, &waiter->node);
		first = !coordinator->preparing;
		coordinator->preparing = true;
	}
	pthread_mutex_unlock(&coordinator->mutex);
	if (serves)
		ready(context, KP_NONE);
	else if (first)
		create(coordinator);
}
