/*
 * Builds a record batch of magic 2 behind what a buffer already holds.
 *
 *	struct batch_builder builder;
 *	struct batch_options options = BATCH_OPTIONS_DEFAULT;
 *
 *	batch_builder_init(&builder, &options, &out);
 *	error = batch_builder_add(&builder, now, key, value);
 *	...
 *	error = batch_builder_finish(&builder);
 *
 * Offsets count up from the base offset; batch_builder_append takes them from
 * the records instead, which keeps what compaction or recoding must keep.
 * Nothing in out changes before batch_builder_finish but its memory; the
 * buffer must not be used in between.
 */
#ifndef WIRE_BATCH_BUILDER_H
#define WIRE_BATCH_BUILDER_H

#include "base/base.h"
#include "base/buf.h"
#include "wire/batch.h"
#include "wire/compression.h"
#include "wire/error.h"
#include "wire/record.h"

struct batch_options {
	enum compression codec;
	int level;		/* or COMPRESSION_LEVEL_DEFAULT */
	int64_t base_offset;
	int32_t leader_epoch;	/* or BATCH_NO_EPOCH */
	int64_t producer_id;	/* or BATCH_NO_PRODUCER */
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

#define BATCH_OPTIONS_DEFAULT \
	((struct batch_options){ .level = COMPRESSION_LEVEL_DEFAULT, \
	    .leader_epoch = BATCH_NO_EPOCH, \
	    .producer_id = BATCH_NO_PRODUCER, \
	    .producer_epoch = BATCH_NO_EPOCH, \
	    .base_sequence = BATCH_NO_SEQUENCE, \
	    .append_time_ms = BATCH_NO_TIMESTAMP, \
	    .delete_horizon_ms = BATCH_NO_TIMESTAMP })

struct batch_builder {
	struct batch_options options;
	int64_t base_timestamp;
	int64_t max_timestamp;
	int32_t record_count;
	int32_t last_offset_delta;	/* -1 while there is no record */

	/* Private. */
	struct buf *out;
	size_t start;			/* of the batch in out */
	struct buf plain;		/* records to be compressed */
	size_t size_bytes;		/* header and plain records */
};

/*
 * Begin a batch that will be appended to out, whose maximum bounds it.  The
 * options are copied.  Each begun builder is ended by batch_builder_finish or
 * batch_builder_cancel.
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
int batch_builder_append(struct batch_builder *builder,
    const struct record *record) WARN_UNUSED;

/*
 * Let the batch end at this offset, at or above its last record's, as
 * compaction must when the tail is gone.
 */
void batch_builder_end_at(struct batch_builder *builder, int64_t last_offset);

/* What the batch would take without compression, with its header. */
static inline size_t
batch_builder_size_bytes(const struct batch_builder *builder)
{
	return builder->size_bytes;
}

/*
 * Compress, write the header and the checksum; out->len then is behind the
 * batch.  A batch without records is legal: a header that keeps offsets and
 * sequence numbers.  -1 where out's maximum is passed; the batch is cancelled
 * then.
 */
int batch_builder_finish(struct batch_builder *builder) WARN_UNUSED;

/* Give up; out is as before. */
void batch_builder_cancel(struct batch_builder *builder);

/*
 * Append to out the batch at the start of bytes rebuilt with another codec, as
 * a leader does whose topic has a compression.type: producer, sequence and
 * transactional bit stay, offsets are counted anew, and the base timestamp is
 * the first record's.  scratch bounds decompression.  Errors are
 * batch_reader's, and KP_MESSAGE_TOO_LARGE where out's maximum is passed.
 */
enum kp_error batch_recode(struct slice bytes, enum compression codec,
    int level, struct buf *scratch, struct buf *out) WARN_UNUSED;

#endif
