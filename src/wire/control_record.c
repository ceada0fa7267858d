#include "wire/control_record.h"

#include "base/bytes.h"
#include "wire/batch_builder.h"

#define MARKER_VALUE_LEN 6

int
control_record_key_read(struct slice key, enum control_record_type *type)
{
	int16_t number;

	if (key.len < CONTROL_RECORD_KEY_LEN || (int16_t)be16_get(key.data) < 0)
		return -1;
	number = (int16_t)be16_get(key.data + 2);
	if (number < 0 || number > CONTROL_RECORD_KRAFT_VOTERS)
		number = CONTROL_RECORD_UNKNOWN;
	*type = (enum control_record_type)number;
	return 0;
}

void
control_record_key_put(
    uint8_t key[CONTROL_RECORD_KEY_LEN], enum control_record_type type)
{
	be16_put(key, 0);
	be16_put(key + 2, (uint16_t)type);
}

int
control_record_marker_read(struct slice value, int32_t *coordinator_epoch)
{
	if (value.len < MARKER_VALUE_LEN || (int16_t)be16_get(value.data) < 0)
		return -1;
	*coordinator_epoch = (int32_t)be32_get(value.data + 2);
	return 0;
}

int
control_record_marker_append(const struct control_record_marker *marker,
    int64_t base_offset, int32_t leader_epoch, int64_t now_ms, struct buf *out)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct batch_builder builder;
	uint8_t key[CONTROL_RECORD_KEY_LEN], value[MARKER_VALUE_LEN];

	options.base_offset = base_offset;
	options.leader_epoch = leader_epoch;
	options.producer_id = marker->producer_id;
	options.producer_epoch = marker->producer_epoch;
	options.transactional = true;
	options.control = true;
	control_record_key_put(
	    key, marker->commit ? CONTROL_RECORD_COMMIT : CONTROL_RECORD_ABORT);
	be16_put(value, 0);
	be32_put(value + 2, (uint32_t)marker->coordinator_epoch);
	batch_builder_init(&builder, &options, out);
	if (batch_builder_add(&builder, now_ms, slice_of(key, sizeof(key)),
		slice_of(value, sizeof(value))) != 0) {
		batch_builder_cancel(&builder);
		return -1;
	}
	return batch_builder_finish(&builder);
}
