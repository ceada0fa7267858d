#include "cli/node_inner.h"

#include <unistd.h>

#include "base/log.h"
#include "broker/directory_assigner.h"
#include "broker/partition_manager.h"
#include "meta/controller.h"
#include "meta/directory_ops.h"

#define LOGGER "klamm"

static void
failure_told(struct controller_op *op)
{
	if (op->error != KP_NONE)
		log_error(LOGGER, "the metadata cannot say which log "
		    "directory has failed: %s", kp_error_name(op->error));
	free(CONTAINER_OF(op, struct directory_fail_op, op));
}

static void
tell_failure(struct node *node, struct uuid directory_id)
{
	struct directory_fail_op *op = xmalloc(sizeof(*op));

	directory_fail_op_init(op);
	op->broker_id = node->configs->node_id;
	op->directory = directory_id;
	op->op.done = failure_told;
	controller_submit(node->controller, &op->op);
}

void
node_tell_early_failures(struct node *node)
{
	atomic_store(&node->joined, true);
	for (size_t i = 0; i < log_manager_directory_count(node->logs); i++) {
		struct log_manager_directory directory =
		    log_manager_directory(node->logs, i);

		if (directory.offline)
			tell_failure(node, directory.id);
	}
}

/*
 * Without a log directory there is nothing left to serve from, and without
 * the metadata's nothing that changes.
 */
static void
directory_failed(void *context, const char *path, struct uuid directory_id,
    size_t remaining)
{
	struct node *node = context;
	const struct data_directories *all = node->directories;

	if (remaining == 0) {
		log_write(LOG_FATAL, LOGGER,
		    "the last log directory, %s, has failed: the broker ends",
		    path);
		_exit(EXIT_FAILURE);
	}
	if (strcmp(path, all->paths[all->metadata]) == 0) {
		log_write(LOG_FATAL, LOGGER, "the log directory %s, which has "
		    "the metadata, has failed: the broker ends", path);
		_exit(EXIT_FAILURE);
	}
	if (atomic_load(&node->joined))
		tell_failure(node, directory_id);
}

static bool
partition_wanted(void *context, struct slice topic, int32_t partition,
    struct uuid *topic_id, struct log_settings *settings)
{
	struct node *node = context;

	return partition_manager_wants(node->partitions, topic, partition,
	    topic_id, settings);
}

static struct uuid
partition_assigned(void *context, struct slice topic, int32_t partition)
{
	struct node *node = context;

	return partition_manager_assigned(node->partitions, topic, partition);
}

static void
partition_moved(void *context, struct uuid topic_id, int32_t partition,
    struct uuid directory_id)
{
	struct node *node = context;

	directory_assigner_moved(
	    node->assigner, topic_id, partition, directory_id);
}

/* To make the partitions that could not be made. */
struct retry {
	struct controller_op op;
	struct node *node;
};

/* Who follows their topics follows them, too, now that they are there. */
static void
retry_run(struct controller_op *op, struct controller *controller)
{
	struct retry *retry = CONTAINER_OF(op, struct retry, op);
	size_t count;
	struct uuid *topics =
	    partition_manager_lacking(retry->node->partitions, &count);

	if (count > 0)
		controller_show(controller, topics, count);
	free(topics);
}

static void
retry_done(struct controller_op *op)
{
	free(CONTAINER_OF(op, struct retry, op));
}

static void
retry_partitions(void *context)
{
	struct retry *retry = xmalloc(sizeof(*retry));

	*retry = (struct retry){ { .run = retry_run, .done = retry_done },
		context };
	controller_submit(retry->node->controller, &retry->op);
}

void
node_log_hooks(struct node *node, struct log_manager_hooks *hooks)
{
	*hooks = (struct log_manager_hooks){
		.context = node,
		.wanted = partition_wanted,
		.assigned = partition_assigned,
		.moved = partition_moved,
		.directory_failed = directory_failed,
		.retry = retry_partitions,
	};
}
