#include "cli/node_inner.h"

#include "base/bytes.h"
#include "base/log.h"
#include "meta/broker_ops.h"
#include "meta/controller.h"
#include "net/listener.h"
#include "store/log.h"
#include "wire/generated/metadata_register_broker_record.h"

#define LOGGER "klamm"

static void
fill_end_points(struct node *node, struct kp_register_broker_record *record,
    struct arena *arena)
{
	record->end_points_count = (int32_t)node->listeners_count;
	record->end_points = arena_xcalloc(arena, node->listeners_count,
	    sizeof(*record->end_points));
	for (size_t i = 0; i < node->listeners_count; i++) {
		const struct listener_settings *settings =
		    listener_settings(node->listeners[i]);

		record->end_points[i].name = slice_str(settings->name);
		record->end_points[i].host =
		    slice_str(settings->advertised_host);
		record->end_points[i].port = settings->advertised_port;
		record->end_points[i].security_protocol =
		    (int16_t)node->addresses->items[i].protocol;
	}
}

static void
fill_features(struct kp_register_broker_record *record, struct arena *arena)
{
	size_t count;
	const struct broker_ops_feature *features =
	    broker_ops_features(&count);

	record->features_count = (int32_t)count;
	record->features =
	    arena_xcalloc(arena, count, sizeof(*record->features));
	for (size_t i = 0; i < count; i++) {
		record->features[i].name = slice_str(features[i].name);
		record->features[i].min_supported_version = features[i].min;
		record->features[i].max_supported_version = features[i].max;
	}
}

static int
compare_ids(const void *a, const void *b)
{
	/* As Kafka's Uuid: two signed numbers. */
	for (const uint8_t *left = a, *right = b, *end = left + 16;
	     left < end; left += 8, right += 8) {
		int64_t l = (int64_t)be64_get(left);
		int64_t r = (int64_t)be64_get(right);

		if (l != r)
			return l < r ? -1 : 1;
	}
	return 0;
}

/* Those that work, in the order of their ids. */
static void
fill_log_dirs(const struct node *node,
    struct kp_register_broker_record *record, struct arena *arena)
{
	size_t count = log_manager_directory_count(node->logs);

	record->log_dirs =
	    arena_xcalloc(arena, count, sizeof(*record->log_dirs));
	record->log_dirs_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct log_manager_directory directory =
		    log_manager_directory(node->logs, i);

		if (!directory.offline)
			record->log_dirs[record->log_dirs_count++] =
			    directory.id;
	}
	qsort(record->log_dirs, (size_t)record->log_dirs_count,
	    sizeof(*record->log_dirs), compare_ids);
}

static enum kp_error
register_broker(struct node *node)
{
	struct register_broker_op op;
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	register_broker_op_init(&op);
	kp_defaults(&kp_register_broker_record, &op.record);
	op.record.broker_id = node->configs->node_id;
	rng_bytes(&node->rng, &op.record.incarnation_id,
	    sizeof(op.record.incarnation_id));
	op.record.rack = configs_broker(node->configs, "broker.rack");
	fill_log_dirs(node, &op.record, &arena);
	fill_end_points(node, &op.record, &arena);
	fill_features(&op.record, &arena);
	controller_call(node->controller, &op.op);
	arena_reset(&arena);
	return op.op.error;
}

static void
note_loss(void *context, struct log *log)
{
	bool *lost = context;

	*lost |= log_lost_data(log);
}

int64_t
node_last_epoch(const struct node *node)
{
	const struct broker_image *broker =
	    image_broker(node->image, node->configs->node_id);

	return broker == NULL ? -1 : broker->record.broker_epoch;
}

/*
 * Was the last stop orderly, and that of the broker whom the metadata knows?
 * Directories that are older, from a backup, may lack records (KIP-966).
 */
static bool
was_clean(const struct node *node)
{
	return log_manager_was_clean(node->logs) &&
	    log_manager_previous_broker_epoch(node->logs) ==
	    node_last_epoch(node);
}

static enum kp_error
unfence_broker(struct node *node, bool clean)
{
	struct unfence_broker_op op;

	unfence_broker_op_init(&op);
	op.broker_id = node->configs->node_id;
	/* Recovery may cut off a tail whatever the last stop said. */
	op.unclean = !clean;
	log_manager_each(node->logs, note_loss, &op.unclean);
	controller_call(node->controller, &op.op);
	return op.op.error;
}

int
node_join(struct node *node)
{
	bool clean = was_clean(node);
	enum kp_error error = register_broker(node);

	if (error == KP_NONE)
		error = unfence_broker(node, clean);
	if (error == KP_NONE)
		return 0;
	log_error(LOGGER, "the broker cannot register: %s",
	    kp_error_name(error));
	return -1;
}
