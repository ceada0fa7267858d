#include "wire/batch_builder.h"

/* Where records go: at their place, or aside until they are compressed. */
static struct buf *
records_buf(struct batch_builder *builder)
{
	return builder->options.codec == COMPRESSION_NONE ? builder->out :
							    &builder->plain;
}

void
batch_builder_init(struct batch_builder *builder,
    const struct batch_options *options, struct buf *out)
{
	*builder = (struct batch_builder){ .options = *options,
		.base_timestamp = options->delete_horizon_ms,
		.max_timestamp = BATCH_NO_TIMESTAMP,
		.last_offset_delta = -1,
		.out = out,
		.start = out->len };
	buf_init(&builder->plain, out->len_max);
	builder->full = buf_reserve(out, BATCH_HEADER_LEN) == NULL;
	if (!builder->full)
		out->len += BATCH_HEADER_LEN;
}

static int
parts_append(struct batch_builder *builder, int64_t timestamp,
    struct record_parts *parts)
{
	if (builder->full)
		return -1;
	if (builder->record_count == 0 &&
	    builder->options.delete_horizon_ms == BATCH_NO_TIMESTAMP)
		builder->base_timestamp = timestamp;
	/* Without sign, as the reader adds them. */
	parts->timestamp_delta =
	    (int64_t)((uint64_t)timestamp - (uint64_t)builder->base_timestamp);
	if (record_append(records_buf(builder), parts) != 0)
		return -1;
	builder->record_count++;
	builder->last_offset_delta = parts->offset_delta;
	builder->max_timestamp = MAX(builder->max_timestamp, timestamp);
	return 0;
}

int
batch_builder_add(struct batch_builder *builder, int64_t timestamp,
    struct slice key, struct slice value)
{
	struct record_parts parts = { .key = key, .value = value };

	if (builder->last_offset_delta == INT32_MAX)
		return -1;
	parts.offset_delta = builder->last_offset_delta + 1;
	return parts_append(builder, timestamp, &parts);
}

int
batch_builder_append(struct batch_builder *builder, const struct record *record)
{
	struct record_parts parts = { .key = record->key,
		.value = record->value,
		.headers = record->headers,
		.header_count = record->header_count };
	int64_t base_offset = builder->options.base_offset;

	if (record->offset < base_offset ||
	    record->offset - base_offset > INT32_MAX)
		return -1;
	parts.offset_delta = (int32_t)(record->offset - base_offset);
	if (parts.offset_delta <= builder->last_offset_delta)
		return -1;
	return parts_append(builder, record->timestamp, &parts);
}

void
batch_builder_end_at(struct batch_builder *builder, int64_t last_offset)
{
	int64_t delta = last_offset - builder->options.base_offset;

	assert(delta >= builder->last_offset_delta && delta <= INT32_MAX);
	builder->last_offset_delta = (int32_t)delta;
}

size_t
batch_builder_size_bytes(const struct batch_builder *builder)
{
	if (builder->options.codec == COMPRESSION_NONE)
		return builder->out->len - builder->start;
	return BATCH_HEADER_LEN + builder->plain.len;
}

static int16_t
attributes_make(const struct batch_options *options)
{
	int attributes = (int)options->codec;

	if (options->append_time_ms != BATCH_NO_TIMESTAMP)
		attributes |= BATCH_LOG_APPEND_TIME;
	if (options->transactional)
		attributes |= BATCH_TRANSACTIONAL;
	if (options->control)
		attributes |= BATCH_CONTROL;
	if (options->delete_horizon_ms != BATCH_NO_TIMESTAMP)
		attributes |= BATCH_DELETE_HORIZON;
	return (int16_t)attributes;
}

static void
header_write(
    const struct batch_builder *builder, uint8_t *data, size_t size_bytes)
{
	const struct batch_options *options = &builder->options;
	struct batch batch = { .base_offset = options->base_offset,
		.size_bytes = size_bytes,
		.magic = BATCH_MAGIC,
		.leader_epoch = options->leader_epoch,
		.attributes = attributes_make(options),
		.last_offset_delta = builder->last_offset_delta,
		.base_timestamp = builder->base_timestamp,
		.max_timestamp = builder->max_timestamp,
		.producer_id = options->producer_id,
		.producer_epoch = options->producer_epoch,
		.base_sequence = options->base_sequence,
		.record_count = builder->record_count };

	if (options->append_time_ms != BATCH_NO_TIMESTAMP)
		batch.max_timestamp = options->append_time_ms;
	batch_encode(&batch, data);
	batch_seal(data, size_bytes);
}

static int
compress(struct batch_builder *builder)
{
	const struct batch_options *options = &builder->options;
	struct slice plain = buf_slice(&builder->plain);

	if (options->contexts == NULL)
		return compression_compress(
		    options->codec, options->level, plain, builder->out);
	return compression_compress_with(options->contexts, options->codec,
	    options->level, plain, builder->out);
}

int
batch_builder_finish(struct batch_builder *builder)
{
	struct buf *out = builder->out;
	size_t size_bytes;

	assert(builder->record_count > 0);
	if (builder->options.codec != COMPRESSION_NONE &&
	    compress(builder) != 0) {
		batch_builder_cancel(builder);
		return -1;
	}
	size_bytes = out->len - builder->start;
	if (size_bytes - BATCH_OVERHEAD_LEN > INT32_MAX) {
		batch_builder_cancel(builder);
		return -1;
	}
	header_write(builder, out->data + builder->start, size_bytes);
	buf_fini(&builder->plain);
	return 0;
}

void
batch_builder_cancel(struct batch_builder *builder)
{
	builder->out->len = builder->start;
	buf_fini(&builder->plain);
}
