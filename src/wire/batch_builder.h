/*
 * Builds a record batch of magic 2 behind what a buffer already holds.
 *
 *	struct batch_builder builder;
 *	struct batch_options options = BATCH_OPTIONS_DEFAULT;
 *
 *	batch_builder_init(&builder, &options, &out);
 *	if (batch_builder_add(&builder, now, key, value) != 0)
 *		...
 *	if (batch_builder_finish(&builder) != 0)
 *		...
 *
 * Offsets count up from the base offset; batch_builder_append takes them from
 * the records instead, which keeps what compaction must keep.  The buffer is
 * the builder's until batch_builder_finish or batch_builder_cancel.
 */
#ifndef WIRE_BATCH_BUILDER_H
#define WIRE_BATCH_BUILDER_H

#include "base/base.h"
#include "base/buf.h"
#include "wire/batch.h"
#include "wire/compression.h"
#include "wire/record.h"

struct batch_options {
	enum compression codec;
	int level; /* or COMPRESSION_LEVEL_DEFAULT */
	struct compression_contexts *contexts; /* borrowed; NULL: its own */
	int64_t base_offset;
	int32_t leader_epoch; /* or BATCH_NO_EPOCH */
	int64_t producer_id;  /* or BATCH_NO_PRODUCER */
	int16_t producer_epoch;
	int32_t base_sequence;
	bool transactional;
	bool control;
	/*
	 * Where not BATCH_NO_TIMESTAMP the batch has append time, and this is
	 * it; the records' own times then only stay as deltas.
	 */
	int64_t append_time_ms;
	/* Where not BATCH_NO_TIMESTAMP, it stands as the base timestamp. */
	int64_t delete_horizon_ms;
};

#define BATCH_OPTIONS_DEFAULT                                        \
	((struct batch_options){ .level = COMPRESSION_LEVEL_DEFAULT, \
	    .leader_epoch = BATCH_NO_EPOCH,                          \
	    .producer_id = BATCH_NO_PRODUCER,                        \
	    .producer_epoch = BATCH_NO_EPOCH,                        \
	    .base_sequence = BATCH_NO_SEQUENCE,                      \
	    .append_time_ms = BATCH_NO_TIMESTAMP,                    \
	    .delete_horizon_ms = BATCH_NO_TIMESTAMP })

struct batch_builder {
	struct batch_options options;
	int64_t base_timestamp;
	int64_t max_timestamp;
	int32_t record_count;
	int32_t last_offset_delta; /* -1 while there is no record */

	/* Private. */
	struct buf *out;
	size_t start;     /* of the batch in out */
	bool full;        /* not even the header fits */
	struct buf plain; /* records to be compressed */
};

/*
 * Begin a batch that will be appended to out, whose maximum bounds it.  The
 * options are copied.
 */
void batch_builder_init(struct batch_builder *builder,
    const struct batch_options *options, struct buf *out);

/*
 * Add a record without headers at the next offset.  -1 where out's maximum,
 * or the 2^31 offsets of a batch, would be passed; the builder then is as
 * before.  timestamp is in milliseconds.
 */
int batch_builder_add(struct batch_builder *builder, int64_t timestamp,
    struct slice key, struct slice value) WARN_UNUSED;

/*
 * Add a record at its own offset, with its raw headers.  -1 as above, and
 * where the offset is below the base or not above the one before.
 */
int batch_builder_append(
    struct batch_builder *builder, const struct record *record) WARN_UNUSED;

/*
 * Let the batch end at this offset, at or above its last record's, as
 * compaction must when the tail is gone.
 */
void batch_builder_end_at(struct batch_builder *builder, int64_t last_offset);

/* What the batch would take without compression, with its header. */
size_t batch_builder_size_bytes(const struct batch_builder *builder);

/*
 * Compress, write the header and the checksum; out->len then is behind the
 * batch.  There is at least one record.  -1 where out's maximum is passed;
 * the batch is cancelled then.
 */
int batch_builder_finish(struct batch_builder *builder) WARN_UNUSED;

/* Give up; out is as before. */
void batch_builder_cancel(struct batch_builder *builder);

#endif
