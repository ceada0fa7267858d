#include "unit/meta_rig.h"

#include "base/log.h"
#include "meta/broker_ops.h"
#include "meta/config_ops.h"
#include "meta/configs.h"
#include "meta/format.h"
#include "meta/topic_ops.h"
#include "store/disk_posix.h"
#include "unit/temp_dir.h"
#include "wire/generated/metadata_register_broker_record.h"

static void
format(struct meta_rig *rig)
{
	const char *const dirs[] = { rig->directory };
	struct format_settings settings = {
		.disk = disk_posix(),
		.dirs = dirs,
		.dirs_count = 1,
		.node_id = META_RIG_NODE,
		.cluster_id = "rigrigrigrigrigrigrigA",
		.controller_listener = "CONTROLLER",
		.controller_host = "localhost",
		.controller_port = 9093,
	};
	struct format_result result;
	struct rng rng;

	rng_init(&rng, 7);
	settings.rng = &rng;
	assert_int_equal(format_ensure(&settings, &result), 0);
	rig->directory_id = result.directory_ids[0];
	format_result_fini(&result);
}

void
meta_rig_init(struct meta_rig *rig)
{
	log_set_level(LOG_FATAL);
	memset(rig, 0, sizeof(*rig));
	rig->directory = temp_dir_make();
	format(rig);
	disk_fault_init(&rig->fault, disk_posix());
	rig->file = config_set_new();
	arena_init(&rig->arena, SIZE_MAX);
	metadata_log_settings_init(&rig->log_settings);
	rig->log_settings.disk = &rig->fault.disk;
	rig->log_settings.log_dir = rig->directory;
	rig->log_settings.directory_id = rig->directory_id;
	rig->log_settings.node_id = META_RIG_NODE;
}

void
meta_rig_fini(struct meta_rig *rig)
{
	meta_rig_stop(rig);
	arena_reset(&rig->arena);
	config_set_unref(rig->file);
	disk_fault_fini(&rig->fault);
	temp_dir_remove(rig->directory);
}

void
meta_rig_config(struct meta_rig *rig, const char *key, const char *value)
{
	config_set_put(rig->file, slice_str(key), slice_str(value));
}

/* Before the operation that failed is done, so its caller sees it. */
static void
count_failure(void *context)
{
	struct meta_rig *rig = context;

	rig->failures++;
}

int
meta_rig_load(struct meta_rig *rig)
{
	struct controller_settings settings = {
		.node_id = META_RIG_NODE,
		.seed = ++rig->seed,
		.failed = count_failure,
		.failed_context = rig,
	};

	assert_null(rig->log);
	rig->log = metadata_log_open(&rig->log_settings);
	if (rig->log == NULL)
		return -1;
	rig->image = image_new();
	rig->configs = configs_new(rig->image, META_RIG_NODE, rig->file);
	settings.log = rig->log;
	settings.image = rig->image;
	settings.configs = rig->configs;
	settings.stores = rig->stores;
	rig->controller = controller_new(&settings);
	if (rig->subscriber != NULL)
		controller_subscribe(rig->controller, rig->subscriber,
		    rig->subscriber_context);
	return controller_load(rig->controller);
}

void
meta_rig_join(struct meta_rig *rig, bool unclean)
{
	const struct broker_image *last =
	    image_broker(rig->image, META_RIG_NODE);
	struct register_broker_op registration;
	struct unfence_broker_op unfence;

	register_broker_op_init(&registration);
	kp_defaults(&kp_register_broker_record, &registration.record);
	registration.record.broker_id = META_RIG_NODE;
	registration.record.log_dirs = &rig->directory_id;
	registration.record.log_dirs_count = 1;
	if (last != NULL && last->record.log_dirs_count > 0) {
		registration.record.log_dirs = last->record.log_dirs;
		registration.record.log_dirs_count =
		    last->record.log_dirs_count;
	}
	assert_int_equal(meta_rig_call(rig, &registration.op), KP_NONE);
	unfence_broker_op_init(&unfence);
	unfence.broker_id = META_RIG_NODE;
	unfence.unclean = unclean;
	assert_int_equal(meta_rig_call(rig, &unfence.op), KP_NONE);
}

void
meta_rig_start(struct meta_rig *rig)
{
	assert_int_equal(meta_rig_load(rig), 0);
	assert_int_equal(controller_start(rig->controller), 0);
	meta_rig_join(rig, false);
}

static void
free_all(struct meta_rig *rig)
{
	controller_free(rig->controller);
	metadata_log_close(rig->log);
	configs_free(rig->configs);
	image_free(rig->image);
	rig->controller = NULL;
	rig->log = NULL;
	rig->configs = NULL;
	rig->image = NULL;
}

void
meta_rig_stop(struct meta_rig *rig)
{
	disk_fault_clear(&rig->fault);
	free_all(rig);
}

/* No operation of the disk succeeds any more, as after a kill. */
void
meta_rig_kill(struct meta_rig *rig)
{
	disk_fault_fail_all(&rig->fault, DISK_ANY, NULL, 0, EIO);
	free_all(rig);
	disk_fault_clear(&rig->fault);
}

enum kp_error
meta_rig_call(struct meta_rig *rig, struct controller_op *op)
{
	controller_call(rig->controller, op);
	return op->error;
}

void
meta_rig_topic(struct meta_rig *rig, const char *name, int32_t partitions)
{
	struct kp_create_topics_request_topic topic;
	struct kp_create_topics_request request;
	struct create_topics_op op;

	kp_defaults(&kp_create_topics_request, &request);
	memset(&topic, 0, sizeof(topic));
	topic.name = slice_str(name);
	topic.num_partitions = partitions;
	topic.replication_factor = -1;
	request.topics = &topic;
	request.topics_count = 1;
	create_topics_op_init(&op);
	op.request = &request;
	op.arena = &rig->arena;
	assert_int_equal(meta_rig_call(rig, &op.op), KP_NONE);
	assert_int_equal(op.response.topics[0].error_code, KP_NONE);
}

void
meta_rig_topic_config(struct meta_rig *rig, const char *name, const char *key,
    const char *value)
{
	struct kp_incremental_alter_configs_request_config config = {
		.name = slice_str(key),
		.config_operation = value == NULL ? 1 : 0,
		.value = slice_str(value),
	};
	struct kp_incremental_alter_configs_request_resource resource = {
		.resource_type = IMAGE_CONFIG_TOPIC,
		.resource_name = slice_str(name),
		.configs = &config,
		.configs_count = 1,
	};
	struct kp_incremental_alter_configs_request request = {
		.resources = &resource,
		.resources_count = 1,
	};
	struct incremental_alter_configs_op op;

	incremental_alter_configs_op_init(&op);
	op.request = &request;
	op.node_id = META_RIG_NODE;
	op.arena = &rig->arena;
	assert_int_equal(meta_rig_call(rig, &op.op), KP_NONE);
	assert_int_equal(op.response.responses[0].error_code, KP_NONE);
}

void
meta_rig_delete(struct meta_rig *rig, const char *name)
{
	struct kp_delete_topics_request_topic topic = {
		.name = slice_str(name),
	};
	struct kp_delete_topics_request request = {
		.topics = &topic,
		.topics_count = 1,
		.timeout_ms = 1000,
	};
	struct delete_topics_op op;

	delete_topics_op_init(&op);
	op.request = &request;
	op.version = 6;
	op.arena = &rig->arena;
	assert_int_equal(meta_rig_call(rig, &op.op), KP_NONE);
	assert_int_equal(op.response.responses[0].error_code, KP_NONE);
}

const struct topic_image *
meta_rig_find(struct meta_rig *rig, const char *name)
{
	return image_topic(rig->image, slice_str(name));
}

char *
meta_rig_path(const struct meta_rig *rig, const char *name)
{
	return xasprintf("%s/__cluster_metadata-0/%s", rig->directory, name);
}

static void
run_emit(struct controller_op *op, struct controller *controller)
{
	const struct meta_rig_emit *emit =
	    CONTAINER_OF(op, struct meta_rig_emit, op);

	controller_emit(controller, emit->type, emit->body);
}

enum kp_error
meta_rig_emit(struct meta_rig *rig, enum metadata_record_type type,
    const void *body)
{
	struct meta_rig_emit emit = {
		.op = { .run = run_emit },
		.type = type,
		.body = body,
	};

	return meta_rig_call(rig, &emit.op);
}

int
meta_rig_setup(void **state)
{
	*state = xcalloc(1, sizeof(struct meta_rig));
	meta_rig_init(*state);
	return 0;
}

int
meta_rig_teardown(void **state)
{
	meta_rig_fini(*state);
	free(*state);
	return 0;
}
