#include "base/base.h"

#include "meta/broker_image.h"

#include "meta/partition_image.h"
#include "wire/codec.h"
#include "wire/generated/metadata_broker_registration_change_record.h"
#include "wire/output.h"

/* More than any registration that could have been read. */
#define REGISTRATION_LEN_MAX (64 * 1024 * 1024)

/* A deep copy: encode into the arena, decode in place. */
static void
copy_record(struct broker_image *broker,
    const struct kp_register_broker_record *record)
{
	int version = kp_register_broker_record.version_max;
	struct output out;
	int result;

	output_init(&out, &broker->arena);
	result = kp_encode(&kp_register_broker_record, version, record, &out);
	assert(result == 0 && out.count == 1);
	result = kp_decode(&kp_register_broker_record, version,
	    slice_of(out.pieces[0].data, out.pieces[0].len), &broker->arena,
	    &broker->record);
	assert(result == 0);
}

const struct broker_image *
broker_image_new(const struct kp_register_broker_record *record)
{
	struct broker_image *broker = xcalloc(1, sizeof(*broker));

	broker->refs = 1;
	arena_init(&broker->arena, REGISTRATION_LEN_MAX);
	copy_record(broker, record);
	broker->id = record->broker_id;
	broker->fenced = record->fenced;
	return broker;
}

const struct broker_image *
broker_image_change(const struct broker_image *old,
    const struct kp_broker_registration_change_record *change)
{
	struct kp_register_broker_record record = old->record;

	if (change->fenced != 0)
		record.fenced = change->fenced > 0;
	if (change->in_controlled_shutdown != 0)
		record.in_controlled_shutdown =
		    change->in_controlled_shutdown > 0;
	if (change->log_dirs_count > 0) {
		record.log_dirs = change->log_dirs;
		record.log_dirs_count = change->log_dirs_count;
	}
	if (change->cordoned_log_dirs_count >= 0) {
		record.cordoned_log_dirs = change->cordoned_log_dirs;
		record.cordoned_log_dirs_count =
		    change->cordoned_log_dirs_count;
	}
	return broker_image_new(&record);
}

const struct kp_register_broker_record_end_point *
broker_image_endpoint(const struct broker_image *broker,
    struct slice listener)
{
	for (int32_t i = 0; i < broker->record.end_points_count; i++)
		if (slice_equal(broker->record.end_points[i].name, listener))
			return &broker->record.end_points[i];
	return NULL;
}

bool
broker_image_has_directory(const struct broker_image *broker,
    struct uuid directory)
{
	const struct kp_register_broker_record *record = &broker->record;

	if (record->log_dirs_count <= 0 ||
	    uuid_equal(directory, partition_image_directory_migrating()) ||
	    uuid_equal(directory, partition_image_directory_unassigned()))
		return true;
	for (int32_t i = 0; i < record->log_dirs_count; i++)
		if (uuid_equal(record->log_dirs[i], directory))
			return true;
	return false;
}

static uint32_t *
refs_of(const struct broker_image *broker)
{
	return &((struct broker_image *)(uintptr_t)broker)->refs;
}

const struct broker_image *
broker_image_ref(const struct broker_image *broker)
{
	__atomic_add_fetch(refs_of(broker), 1, __ATOMIC_RELAXED);
	return broker;
}

void
broker_image_unref(const struct broker_image *constant)
{
	struct broker_image *broker = (void *)(uintptr_t)constant;

	if (broker == NULL ||
	    __atomic_sub_fetch(&broker->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	arena_reset(&broker->arena);
	free(broker);
}
