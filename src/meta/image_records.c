#include "meta/image_records.h"

#include "base/buf.h"
#include "meta/broker_ops.h"
#include "meta/image.h"
#include "meta/metadata_log.h"
#include "meta/metadata_record.h"
#include "wire/generated/metadata_config_record.h"
#include "wire/generated/metadata_feature_level_record.h"
#include "wire/generated/metadata_partition_record.h"
#include "wire/generated/metadata_producer_ids_record.h"
#include "wire/generated/metadata_register_broker_record.h"
#include "wire/generated/metadata_topic_record.h"

struct writer {
	const struct image *image;
	struct metadata_snapshot *snapshot;
	struct buf record;		/* the one being written */
	int16_t level;
	bool failed;
};

static void
write_record(struct writer *writer, enum metadata_record_type type,
    const void *body)
{
	int result;

	buf_clear(&writer->record);
	result = metadata_record_encode(&writer->record, type,
	    metadata_record_version(type, writer->level), body);
	assert(result == 0);
	if (metadata_snapshot_write(writer->snapshot,
		buf_slice(&writer->record)) != 0)
		writer->failed = true;
}

static void
write_feature(struct writer *writer, struct slice name, int16_t level)
{
	const struct kp_feature_level_record record = {
		.name = name,
		.feature_level = level,
	};

	write_record(writer, METADATA_RECORD_FEATURE_LEVEL, &record);
}

/* metadata.version comes first; it says how to read the rest. */
static void
write_features(struct writer *writer)
{
	size_t count;
	const struct image_feature *features =
	    image_features(writer->image, &count);

	write_feature(writer, slice_str("metadata.version"), writer->level);
	for (size_t i = 0; i < count; i++)
		if (!slice_equal_str(features[i].name, "metadata.version"))
			write_feature(writer, features[i].name,
			    features[i].level);
}

/* The stored record says whether the broker is fenced; the image is newer. */
static void
write_brokers(struct writer *writer)
{
	const struct broker_image *broker;

	for (size_t at = 0; (broker = image_broker_next(writer->image, &at)) !=
	     NULL;) {
		struct kp_register_broker_record record = broker->record;

		record.fenced = broker->fenced;
		write_record(writer, METADATA_RECORD_REGISTER_BROKER, &record);
	}
}

static void
write_topic(struct writer *writer, const struct topic_image *topic)
{
	const struct kp_topic_record record = {
		.name = topic->name,
		.topic_id = topic->id,
	};

	write_record(writer, METADATA_RECORD_TOPIC, &record);
	for (int32_t i = 0; i < topic->partitions_count; i++) {
		struct kp_partition_record partition;

		kp_defaults(&kp_partition_record, &partition);
		partition_image_record(topic->partitions[i], &partition);
		partition.topic_id = topic->id;
		partition.partition_id = i;
		write_record(writer, METADATA_RECORD_PARTITION, &partition);
	}
}

static void
write_topics(struct writer *writer)
{
	const struct topic_image *topic;

	for (size_t at = 0; (topic = image_topic_next(writer->image, &at)) !=
	     NULL;)
		write_topic(writer, topic);
}

static void
write_configs(struct writer *writer)
{
	const struct image_configs *configs;

	for (size_t at = 0; (configs = image_configs_next(writer->image,
				 &at)) != NULL;) {
		for (uint32_t i = 0; i < configs->set->count; i++) {
			const struct kp_config_record record = {
				.resource_type = configs->type,
				.resource_name = configs->name,
				.name = configs->set->entries[i].name,
				.value = configs->set->entries[i].value,
			};

			write_record(writer, METADATA_RECORD_CONFIG, &record);
		}
	}
}

static void
write_rest(struct writer *writer)
{
	const struct kp_producer_ids_record ids = {
		.broker_id = -1,
		.broker_epoch = -1,
		.next_producer_id = image_producer_id_next(writer->image),
	};
	const struct image_kept *kept;

	if (ids.next_producer_id > 0)
		write_record(writer, METADATA_RECORD_PRODUCER_IDS, &ids);
	for (size_t at = 0; (kept = image_kept_next(writer->image, &at)) !=
	     NULL;)
		if (metadata_snapshot_write(writer->snapshot, kept->value) !=
		    0)
			writer->failed = true;
}

int
image_records_snapshot(const struct image *image, struct metadata_log *log)
{
	struct writer writer = {
		.image = image,
		.level = image_feature(image, "metadata.version"),
	};

	if (writer.level == 0)
		writer.level = BROKER_OPS_METADATA_VERSION;
	buf_init(&writer.record, METADATA_RECORD_BATCH_LEN_MAX);
	writer.snapshot = metadata_log_snapshot_begin(log,
	    image_offset(image) + 1, image_epoch(image),
	    image_timestamp_ms(image));
	write_features(&writer);
	write_brokers(&writer);
	write_topics(&writer);
	write_configs(&writer);
	write_rest(&writer);
	buf_fini(&writer.record);
	if (writer.failed) {
		metadata_snapshot_abort(writer.snapshot);
		return -1;
	}
	return metadata_log_snapshot_end(log, writer.snapshot);
}
