#include "meta/controller.h"

#include <pthread.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/worker.h"
#include "meta/broker_ops.h"
#include "meta/configs.h"
#include "meta/controller_inner.h"
#include "meta/directory_ops.h"
#include "meta/image_records.h"
#include "meta/metadata_log.h"
#include "wire/generated/metadata_broker_registration_change_record.h"

#define LOGGER "meta"

/*
 * A batch is committed when it has grown beyond this; one operation more
 * still fits into a batch of the log, so none is ever torn.
 */
#define BATCH_LEN (1024 * 1024)
#define SUBSCRIBERS_MAX 16

struct subscriber {
	controller_subscriber_fn fn;
	void *context;
};

struct controller {
	/* immutable */
	struct controller_settings settings;
	struct subscriber subscribers[SUBSCRIBERS_MAX];
	size_t subscribers_count;
	struct worker *worker;

	/* guarded by lock */
	pthread_mutex_t lock;
	struct list queue;		/* of struct controller_op */
	bool draining;			/* the drain task is posted */
	bool stopped;

	/* the controller's thread */
	struct task drain;
	struct delta *view;		/* the image with the batch; or NULL */
	struct buf values;		/* framed records of the batch */
	uint32_t *lens;
	size_t records_count;
	size_t records_capacity;
	int64_t base_offset;		/* of the batch */
	struct controller_op *running;	/* the last of the batch */
	struct controller_op *raises_kraft_version;	/* of the batch */
	bool abort_open_transaction;	/* found while loading */
	bool failed;			/* and told */
	struct rng rng;
	size_t placed;			/* turns of controller_place */
};

static void drain(struct task *task);

struct controller *
controller_new(const struct controller_settings *settings)
{
	struct controller *controller = xcalloc(1, sizeof(*controller));

	controller->settings = *settings;
	pthread_mutex_init(&controller->lock, NULL);
	list_init(&controller->queue);
	buf_init(&controller->values, SIZE_MAX);
	rng_init(&controller->rng, settings->seed);
	controller->drain.run = drain;
	return controller;
}

void
controller_subscribe(struct controller *controller,
    controller_subscriber_fn fn, void *context)
{
	assert(controller->subscribers_count < SUBSCRIBERS_MAX);
	assert(controller->worker == NULL);
	controller->subscribers[controller->subscribers_count++] =
	    (struct subscriber){ fn, context };
}

static void
publish(struct controller *controller, const struct delta *delta)
{
	for (size_t i = 0; i < controller->subscribers_count; i++)
		controller->subscribers[i].fn(
		    controller->subscribers[i].context, delta);
}

/* --- Loading ------------------------------------------------------------- */

struct loading {
	const struct metadata_log *log;
	struct delta *delta;
};

static int
load_record(void *context, const struct metadata_log_record *in)
{
	const struct loading *loading = context;
	struct delta *delta = loading->delta;
	struct metadata_record record;
	struct arena arena;
	const char *reason;
	int result;

	arena_init(&arena, SIZE_MAX);
	result = metadata_record_decode(in->value, &arena, &record, &reason);
	if (result != 0)
		log_error(LOGGER, "%s: the record at offset %ld: %s",
		    metadata_log_directory(loading->log), in->offset, reason);
	else
		result = delta_replay(delta, &record);
	arena_reset(&arena);
	if (result == 0 && !in->snapshot) {
		delta->offset = in->offset;
		delta->epoch = in->epoch;
		delta->timestamp_ms = in->timestamp_ms;
	}
	return result;
}

/* Alone we can lead only what we have a replica of. */
static int
check_replicas(const struct controller *controller,
    const struct topic_image *topic)
{
	int32_t id = controller->settings.node_id;

	for (int32_t i = 0; i < topic->partitions_count; i++) {
		if (partition_image_ids_contain(
			topic->partitions[i]->replicas, id))
			continue;
		log_error(LOGGER, "metadata: partition %.*s-%d has no replica "
		    "on node %d, which is alone",
		    SLICE_ARG(topic->name), i, id);
		return -1;
	}
	return 0;
}

static int
check_topics(const struct controller *controller)
{
	const struct image *image = controller->settings.image;
	const struct topic_image *topic;

	for (size_t at = 0; (topic = image_topic_next(image, &at)) != NULL;)
		if (check_replicas(controller, topic) != 0)
			return -1;
	return 0;
}

int
controller_load(struct controller *controller)
{
	struct delta *delta = delta_new(controller->settings.image);
	struct loading loading = { controller->settings.log, delta };
	int result;

	result = metadata_log_replay(
	    controller->settings.log, load_record, &loading);
	if (result == 0)
		result = delta_check(delta);
	if (result == 0) {
		controller->abort_open_transaction =
		    delta_in_transaction(delta);
		image_apply(controller->settings.image, delta);
	}
	delta_free(delta);
	return result == 0 ? check_topics(controller) : -1;
}

/* --- A batch ------------------------------------------------------------- */

static void
begin_batch(struct controller *controller)
{
	controller->view = delta_new(controller->settings.image);
	controller->base_offset =
	    metadata_log_end_offset(controller->settings.log);
	controller->records_count = 0;
	controller->raises_kraft_version = NULL;
	buf_clear(&controller->values);
}

static void
end_batch(struct controller *controller)
{
	delta_free(controller->view);
	controller->view = NULL;
}

static int
append(struct controller *controller)
{
	return metadata_log_append(controller->settings.log,
	    buf_slice(&controller->values), controller->lens,
	    controller->records_count);
}

static void
raise_kraft_version(struct controller *controller)
{
	if (controller->raises_kraft_version != NULL &&
	    metadata_log_raise_kraft_version(controller->settings.log) != 0)
		controller->raises_kraft_version->error =
		    KP_KAFKA_STORAGE_ERROR;
}

/* Append, make durable, apply, publish. */
static enum kp_error
commit(struct controller *controller)
{
	struct delta *view = controller->view;

	if (controller->records_count == 0)
		return KP_NONE;
	if (append(controller) != 0)
		return KP_KAFKA_STORAGE_ERROR;
	view->offset = metadata_log_end_offset(controller->settings.log) - 1;
	view->epoch = metadata_log_epoch(controller->settings.log);
	view->timestamp_ms = clock_wall_ms();
	image_apply(controller->settings.image, view);
	raise_kraft_version(controller);
	publish(controller, view);
	return KP_NONE;
}

static void
finish(struct list *ops, enum kp_error error)
{
	struct list_node *node;

	while ((node = list_pop(ops)) != NULL) {
		struct controller_op *op =
		    LIST_ENTRY(node, struct controller_op, node);

		if (error != KP_NONE)
			op->error = error;
		op->done(op);
	}
}

/* Run operations into one batch until there are enough; what ran is in ran. */
static void
run_batch(struct controller *controller, struct list *ops, struct list *ran)
{
	struct list_node *node;

	while (controller->values.len < BATCH_LEN &&
	    (node = list_pop(ops)) != NULL) {
		struct controller_op *op =
		    LIST_ENTRY(node, struct controller_op, node);

		op->error = KP_NONE;
		controller->running = op;
		op->run(op, controller);
		list_append(ran, &op->node);
	}
}

/* A change of the snapshot's size is no reason to hold up operations. */
static void
snapshot_if_due(struct controller *controller)
{
	struct metadata_log *log = controller->settings.log;

	if (metadata_log_snapshot_due(log, clock_wall_ms()) &&
	    image_records_snapshot(controller->settings.image, log) != 0)
		log_warn(LOGGER, "no metadata snapshot could be written; the "
		    "log goes on without");
}

static void
tell_failure(struct controller *controller)
{
	const struct controller_settings *settings = &controller->settings;

	if (controller->failed || !metadata_log_failed(settings->log))
		return;
	controller->failed = true;
	if (settings->failed != NULL)
		settings->failed(settings->failed_context);
}

static void
process(struct controller *controller, struct list *ops)
{
	struct list ran;
	enum kp_error error;

	list_init(&ran);
	while (!list_empty(ops)) {
		begin_batch(controller);
		run_batch(controller, ops, &ran);
		error = commit(controller);
		end_batch(controller);
		tell_failure(controller);
		finish(&ran, error);
	}
	snapshot_if_due(controller);
	tell_failure(controller);
}

static void
drain(struct task *task)
{
	struct controller *controller =
	    CONTAINER_OF(task, struct controller, drain);
	struct list ops;

	list_init(&ops);
	pthread_mutex_lock(&controller->lock);
	list_splice(&ops, &controller->queue);
	controller->draining = false;
	pthread_mutex_unlock(&controller->lock);
	process(controller, &ops);
}

/* --- Starting ------------------------------------------------------------ */

static void
emit_fence(struct controller *controller, const struct broker_image *broker)
{
	struct kp_broker_registration_change_record change;

	kp_defaults(&kp_broker_registration_change_record, &change);
	change.broker_id = broker->id;
	change.broker_epoch = broker->record.broker_epoch;
	change.fenced = 1;
	controller_emit(controller,
	    METADATA_RECORD_BROKER_REGISTRATION_CHANGE, &change);
}

/* Fence all brokers that are not, but the one with the id except. */
static void
emit_fences(struct controller *controller, int32_t except)
{
	const struct broker_image *broker;

	for (size_t at = 0; (broker = image_broker_next(
				 controller->settings.image, &at)) != NULL;)
		if (!broker->fenced && broker->id != except)
			emit_fence(controller, broker);
}

/*
 * What the last run left undone.  Brokers that it knew of and that are not
 * this node are gone: whoever is alone has nobody else.
 */
static int
bootstrap(struct controller *controller)
{
	struct metadata_log *log = controller->settings.log;
	enum kp_error error = KP_NONE;
	int result = 0;

	begin_batch(controller);
	if (controller->abort_open_transaction)
		controller_emit_abort(controller);
	emit_fences(controller, controller->settings.node_id);
	if (metadata_log_empty(log))
		result = controller_emit_bootstrap(controller, log);
	if (result == 0)
		error = commit(controller);
	end_batch(controller);
	return result == 0 && error == KP_NONE ? 0 : -1;
}

int
controller_start(struct controller *controller)
{
	struct delta *all;

	if (metadata_log_begin_epoch(controller->settings.log) != 0)
		return -1;
	/* What is in the image is shown first, then what the start adds. */
	all = delta_of_image(controller->settings.image);
	publish(controller, all);
	delta_free(all);
	if (bootstrap(controller) != 0)
		return -1;
	controller->worker = worker_new("controller");
	if (controller->worker == NULL) {
		log_error(LOGGER, "no thread for the controller");
		return -1;
	}
	return 0;
}

/* --- Submitting ---------------------------------------------------------- */

void
controller_submit(struct controller *controller, struct controller_op *op)
{
	bool stopped;

	pthread_mutex_lock(&controller->lock);
	stopped = controller->stopped;
	if (!stopped) {
		list_append(&controller->queue, &op->node);
		if (!controller->draining)
			worker_post(controller->worker, &controller->drain);
		controller->draining = true;
	}
	pthread_mutex_unlock(&controller->lock);
	if (stopped) {
		op->error = KP_NOT_CONTROLLER;
		op->done(op);
	}
}

/* Somebody who waits for an operation; its own done is not called. */
struct waiter {
	struct controller_op op;
	struct controller_op *inner;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
};

static void
run_inner(struct controller_op *op, struct controller *controller)
{
	struct waiter *waiter = CONTAINER_OF(op, struct waiter, op);

	waiter->inner->error = KP_NONE;
	waiter->inner->run(waiter->inner, controller);
	op->error = waiter->inner->error;
}

static void
wake_waiter(struct controller_op *op)
{
	struct waiter *waiter = CONTAINER_OF(op, struct waiter, op);

	pthread_mutex_lock(&waiter->lock);
	waiter->done = true;
	pthread_cond_signal(&waiter->cond);
	pthread_mutex_unlock(&waiter->lock);
}

void
controller_call(struct controller *controller, struct controller_op *op)
{
	struct waiter waiter = {
		.op = { .run = run_inner, .done = wake_waiter },
		.inner = op,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.cond = PTHREAD_COND_INITIALIZER,
	};

	controller_submit(controller, &waiter.op);
	pthread_mutex_lock(&waiter.lock);
	while (!waiter.done)
		pthread_cond_wait(&waiter.cond, &waiter.lock);
	pthread_mutex_unlock(&waiter.lock);
	op->error = waiter.op.error;
	pthread_mutex_destroy(&waiter.lock);
	pthread_cond_destroy(&waiter.cond);
}

/* --- Stopping ------------------------------------------------------------ */

/* A Kafka that starts on the directory need not wait for our session's end. */
static void
fence_brokers(struct controller *controller)
{
	begin_batch(controller);
	emit_fences(controller, -1);
	/* Nobody is left to be told, so this is not published. */
	if (controller->records_count > 0 && append(controller) != 0)
		log_warn(LOGGER, "the broker could not be fenced");
	end_batch(controller);
}

void
controller_stop(struct controller *controller)
{
	bool stopped;

	pthread_mutex_lock(&controller->lock);
	stopped = controller->stopped;
	controller->stopped = true;
	pthread_mutex_unlock(&controller->lock);
	if (stopped || controller->worker == NULL)
		return;
	worker_stop_free(controller->worker);
	controller->worker = NULL;
	fence_brokers(controller);
}

void
controller_free(struct controller *controller)
{
	if (controller == NULL)
		return;
	controller_stop(controller);
	buf_fini(&controller->values);
	free(controller->lens);
	pthread_mutex_destroy(&controller->lock);
	free(controller);
}

int16_t
controller_kraft_version(const struct controller *controller)
{
	return metadata_log_kraft_version(controller->settings.log);
}

struct controller_quorum
controller_quorum(const struct controller *controller)
{
	const struct metadata_log *log = controller->settings.log;
	struct controller_quorum quorum = {
		.leader_id = controller->settings.node_id,
		.leader_epoch = metadata_log_epoch(log),
	};

	if (metadata_log_kraft_version(log) > 0)
		quorum.directory_id = metadata_log_directory_id(log);
	return quorum;
}

/* --- For operations ------------------------------------------------------ */

const struct delta *
controller_view(const struct controller *controller)
{
	return controller->view;
}

static void
note_record(struct controller *controller, size_t len)
{
	if (controller->records_count == controller->records_capacity) {
		controller->records_capacity =
		    MAX(controller->records_capacity * 2, 64);
		controller->lens = xrealloc(controller->lens,
		    controller->records_capacity * sizeof(*controller->lens));
	}
	controller->lens[controller->records_count++] = (uint32_t)len;
}

void
controller_emit(struct controller *controller, enum metadata_record_type type,
    const void *body)
{
	size_t start = controller->values.len;
	struct metadata_record record = {
		.type = type,
		.version = controller_version_of(controller, type, body),
		.body = body,
	};
	int result;

	result = metadata_record_encode(&controller->values, type,
	    record.version, body);
	assert(result == 0);
	record.value = slice_of(controller->values.data + start,
	    controller->values.len - start);
	note_record(controller, record.value.len);
	result = delta_replay(controller->view, &record);
	assert(result == 0);
}

void
controller_raise_kraft_version(struct controller *controller)
{
	controller->raises_kraft_version = controller->running;
}

int64_t
controller_next_offset(const struct controller *controller)
{
	return controller->base_offset + (int64_t)controller->records_count;
}

void
controller_show(struct controller *controller, const struct uuid *topics,
    size_t count)
{
	struct delta *delta = delta_of_topics(
	    controller->settings.image, topics, count);

	publish(controller, delta);
	delta_free(delta);
}

const struct configs *
controller_configs(const struct controller *controller)
{
	return controller->settings.configs;
}

struct listener_stores *
controller_stores(const struct controller *controller)
{
	return controller->settings.stores;
}

struct uuid
controller_random_id(struct controller *controller)
{
	return uuid_random(&controller->rng);
}

static int16_t
level_of(const struct controller *controller)
{
	int16_t level =
	    delta_feature_level(controller->view, "metadata.version");

	return level == 0 ? BROKER_OPS_METADATA_VERSION : level;
}

int16_t
controller_record_version(const struct controller *controller,
    enum metadata_record_type type)
{
	return metadata_record_version(type, level_of(controller));
}

/* A change of a registration has the lowest version that can hold it. */
static int16_t
change_version(const struct kp_broker_registration_change_record *change)
{
	if (change->cordoned_log_dirs_count > 0)
		return 3;
	if (change->log_dirs_count > 0)
		return 2;
	return change->in_controlled_shutdown != 0 ? 1 : 0;
}

int16_t
controller_version_of(const struct controller *controller,
    enum metadata_record_type type, const void *body)
{
	if (type == METADATA_RECORD_BROKER_REGISTRATION_CHANGE)
		return change_version(body);
	return controller_record_version(controller, type);
}

/* --- Placement ----------------------------------------------------------- */

static size_t
list_brokers(const struct controller *controller, bool fenced, int32_t *ids,
    size_t count, size_t max)
{
	const struct broker_image *broker;

	for (size_t at = 0; (broker = delta_broker_next(controller->view,
				 &at)) != NULL;)
		if (broker->fenced == fenced && count < max)
			ids[count++] = broker->id;
	return count;
}

int
controller_place(struct controller *controller, int32_t count,
    int32_t *replicas, struct uuid *directories)
{
	int32_t ids[64];
	size_t live = list_brokers(controller, false, ids, 0, COUNT_OF(ids));
	size_t all =
	    list_brokers(controller, true, ids, live, COUNT_OF(ids));

	if (live == 0 || (size_t)count > all)
		return -1;
	for (int32_t i = 0; i < count; i++) {
		size_t at = (size_t)i < live ?
		    (controller->placed + (size_t)i) % live :
		    (size_t)i;

		replicas[i] = ids[at];
		directories[i] =
		    controller_pick_directory(controller, ids[at]);
	}
	controller->placed++;
	return 0;
}

struct uuid
controller_pick_directory(struct controller *controller, int32_t broker_id)
{
	const struct broker_image *broker =
	    delta_broker(controller->view, broker_id);

	/* As the partition is read back from a record without directories. */
	if (!directory_ops_are_kept(controller))
		return partition_image_directory_migrating();
	if (broker == NULL || broker->record.log_dirs_count != 1)
		return partition_image_directory_unassigned();
	return broker->record.log_dirs[0];
}
