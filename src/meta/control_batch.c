#include "meta/control_batch.h"

#include "base/arena.h"
#include "wire/codec.h"
#include "wire/generated/control_voters_record.h"
#include "wire/output.h"

void
control_batch_begin(struct control_batch *batch, int64_t base_offset,
    int32_t epoch, struct buf *out)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;

	options.base_offset = base_offset;
	options.leader_epoch = epoch;
	options.control = true;
	batch_builder_init(&batch->builder, &options, out);
}

void
control_batch_add_value(struct control_batch *batch,
    enum control_record_type type, int64_t timestamp_ms, struct slice value)
{
	uint8_t key[CONTROL_RECORD_KEY_LEN];
	int result;

	control_record_key_put(key, type);
	result = batch_builder_add(&batch->builder, timestamp_ms,
	    slice_of(key, sizeof(key)), value);
	assert(result == 0);
}

void
control_batch_add(struct control_batch *batch, enum control_record_type type,
    int64_t timestamp_ms, const struct kp_message *message, const void *body)
{
	struct output output;
	struct arena arena;
	int result;

	arena_init(&arena, SIZE_MAX);
	output_init(&output, &arena);
	result = kp_encode(message, 0, body, &output);
	assert(result == 0 && output.count == 1);
	control_batch_add_value(batch, type, timestamp_ms,
	    slice_of(output.pieces[0].data, output.pieces[0].len));
	arena_reset(&arena);
}

void
control_batch_end(struct control_batch *batch)
{
	int result = batch_builder_finish(&batch->builder);

	assert(result == 0);
}

struct slice
control_batch_voters(const struct control_voter *voter, struct arena *arena)
{
	struct kp_voters_record_endpoint endpoint = {
		.name = slice_str(voter->listener),
		.host = slice_str(voter->host),
		.port = voter->port,
	};
	struct kp_voters_record_voter one = {
		.voter_id = voter->id,
		.voter_directory_id = voter->directory_id,
		.endpoints = &endpoint,
		.endpoints_count = 1,
		.k_raft_version_feature = { 0, 1 },
	};
	const struct kp_voters_record record = {
		.voters = &one,
		.voters_count = 1,
	};
	struct output output;
	int result;

	output_init(&output, arena);
	result = kp_encode(&kp_voters_record, 0, &record, &output);
	assert(result == 0 && output.count == 1);
	return slice_of(output.pieces[0].data, output.pieces[0].len);
}
