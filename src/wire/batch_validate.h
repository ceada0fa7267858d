/*
 * What a leader checks before it appends what a client produced, and what it
 * has to put right (org.apache.kafka.storage.internals.log.LogValidator).
 *
 * Needs no lock and changes nothing: the caller patches the batch afterwards.
 * The verdicts are Kafka's, but for garbage that Kafka answers with
 * UNKNOWN_SERVER_ERROR: that is KP_CORRUPT_MESSAGE where a payload does not
 * decompress and KP_INVALID_RECORD for an unknown codec, for numbers that are
 * too long, and for offset deltas out of order in a compressed batch.
 */
#ifndef WIRE_BATCH_VALIDATE_H
#define WIRE_BATCH_VALIDATE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buf.h"
#include "wire/batch.h"
#include "wire/error.h"

struct batch_rules {
	size_t size_bytes_max;  /* max.message.bytes */
	bool zstd_allowed;      /* Produce version 7 or newer */
	bool transaction_named; /* the request has a transactional id */
	bool compacted;         /* cleanup.policy contains compact */
	/*
	 * Decompress and walk compressed batches.  Compacted topics always
	 * do.  Else their records stay unseen: the header's max timestamp is
	 * believed, and nothing is known of keys and structure.
	 */
	bool walk_compressed;
	enum batch_timestamp_type timestamp_type;
	int64_t now_ms;
	int64_t before_max_ms; /* message.timestamp.before.max.ms */
	int64_t after_max_ms;  /* message.timestamp.after.max.ms */
};

enum batch_record_fault {
	BATCH_RECORD_FINE,
	BATCH_RECORD_KEY_NULL,  /* on a compacted topic */
	BATCH_RECORD_TIMESTAMP, /* too far from the clock */
};

/* A batch of records that are all bad is understood from the first ones. */
#define BATCH_RECORD_ERRORS_MAX 100

struct batch_record_error {
	int32_t index; /* of the record in the batch, from 0 */
	enum batch_record_fault fault;
	int64_t timestamp;
};

struct batch_verdict {
	struct batch batch; /* the header as it was sent */
	/* The max timestamp that the stored header must have. */
	int64_t max_timestamp;
	/*
	 * The number in the batch of the first record that has it; -1 where
	 * the records were not walked or have none.
	 */
	int32_t max_timestamp_index;
	/* Call batch_patch_timestamp: the header does not say so yet. */
	bool timestamp_differs;
	/*
	 * The first BATCH_RECORD_ERRORS_MAX bad records, in the arena; empty
	 * where the batch is at fault.  (Kafka lists all of them.)
	 */
	struct batch_record_error *record_errors;
	int32_t record_errors_count;
};

/*
 * Judge the bytes of one partition of a Produce request.  Exactly one whole
 * batch must be there; what is cut off behind it is not stored, so the caller
 * appends verdict->batch.size_bytes.  scratch's maximum bounds decompression.
 * With an error only the record errors of *verdict count; they are left out
 * where the arena is full.
 */
enum kp_error batch_validate(struct slice bytes,
    const struct batch_rules *rules, struct buf *scratch, struct arena *arena,
    struct batch_verdict *verdict) WARN_UNUSED;

#endif
