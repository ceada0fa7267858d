#include "wire/batch_recode.h"

#include "wire/batch_builder.h"
#include "wire/batch_reader.h"

/* All records, numbered anew. */
static enum kp_error
records_copy(struct batch_reader *reader, struct batch_builder *builder)
{
	struct record record;

	while (batch_reader_next(reader, &record)) {
		record.offset = builder->options.base_offset +
				builder->last_offset_delta + 1;
		if (batch_builder_append(builder, &record) != 0)
			return KP_MESSAGE_TOO_LARGE;
	}
	if (reader->error == KP_NONE && builder->record_count == 0)
		return KP_INVALID_RECORD;
	return reader->error;
}

enum kp_error
batch_recode(struct slice bytes, enum compression codec, int level,
    struct buf *scratch, struct buf *out)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct batch_reader reader;
	struct batch_builder builder;
	enum kp_error error;

	error = batch_reader_open(&reader, bytes, scratch);
	if (error != KP_NONE)
		return error;
	options.codec = codec;
	options.level = level;
	options.base_offset = reader.batch.base_offset;
	options.leader_epoch = reader.batch.leader_epoch;
	options.producer_id = reader.batch.producer_id;
	options.producer_epoch = reader.batch.producer_epoch;
	options.base_sequence = reader.batch.base_sequence;
	options.transactional = batch_is_transactional(&reader.batch);
	batch_builder_init(&builder, &options, out);
	error = records_copy(&reader, &builder);
	if (error != KP_NONE) {
		batch_builder_cancel(&builder);
		return error;
	}
	return batch_builder_finish(&builder) == 0 ? KP_NONE
						   : KP_MESSAGE_TOO_LARGE;
}
