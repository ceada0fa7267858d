/*
 * The frame and the header of a record batch.
 *
 * The same bytes are used in requests, in log files and in replication
 * (org.apache.kafka.common.record.DefaultRecordBatch, magic 2):
 *
 *	 0  8  base offset, of the first record
 *	 8  4  length of what follows this field
 *	12  4  partition leader epoch
 *	16  1  magic, 2; in all magics the same place
 *	17  4  CRC-32C of everything behind it
 *	21  2  attributes
 *	23  4  last offset delta
 *	27  8  base timestamp, or the delete horizon
 *	35  8  max timestamp
 *	43  8  producer id
 *	51  2  producer epoch
 *	53  4  base sequence
 *	57  4  number of records
 *	61  -  the records, one after the other or as one compressed block
 *
 * Base offset, length and leader epoch stand before what the checksum covers,
 * so the leader sets them in place.  Magic 0 and 1 (legacy.h) share the
 * first twelve bytes and the place of the magic; they are found in old log
 * files, are read and never written.
 *
 * All functions here work on the caller's bytes and may be called from any
 * thread.
 */
#ifndef WIRE_BATCH_H
#define WIRE_BATCH_H

#include "base/base.h"
#include "base/bytes.h"

#define BATCH_HEADER_LEN 61
/* Offset and length: what the length does not count. */
#define BATCH_OVERHEAD_LEN 12
/* What batch_scan looks at: up to and with the magic. */
#define BATCH_SCAN_LEN 17
/* The shortest header, magic 0's, without its overhead. */
#define BATCH_LENGTH_MIN 14

#define BATCH_MAGIC 2

#define BATCH_CODEC_MASK 0x07
#define BATCH_LOG_APPEND_TIME 0x08
#define BATCH_TRANSACTIONAL 0x10
#define BATCH_CONTROL 0x20
#define BATCH_DELETE_HORIZON 0x40
#define BATCH_ATTRIBUTES_KNOWN 0x7f

#define BATCH_NO_TIMESTAMP (-1)
#define BATCH_NO_PRODUCER (-1)
#define BATCH_NO_SEQUENCE (-1)
#define BATCH_NO_EPOCH (-1)

/* message.timestamp.type, and bit 3 of the attributes. */
enum batch_timestamp_type {
	BATCH_CREATE_TIME = 0,
	BATCH_APPEND_TIME = 1,
};

/* What is at the start of a run of bytes. */
enum batch_scan {
	BATCH_SCAN_WHOLE,      /* a batch that is there completely */
	BATCH_SCAN_INCOMPLETE, /* too few bytes: nothing, or a cut batch */
	BATCH_SCAN_END,        /* zeros, as in a preallocated file */
	BATCH_SCAN_CORRUPT,    /* a length or magic that cannot be */
};

struct batch_frame {
	int64_t offset;
	size_t size_bytes; /* with the overhead */
	int8_t magic;      /* 0 to 2 */
};

/* A header, decoded.  Legacy messages have -1 where they have no field. */
struct batch {
	int64_t base_offset; /* legacy: same as last_offset */
	int64_t last_offset;
	size_t size_bytes;
	int8_t magic;
	uint32_t crc;
	int32_t leader_epoch;
	int16_t attributes;
	int32_t last_offset_delta;
	int64_t base_timestamp;
	int64_t max_timestamp;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
	int32_t record_count; /* legacy: -1 where compressed, else 1 */
};

/*
 * Look at the start of a run of len bytes of which at least the first
 * BATCH_SCAN_LEN (or all) are at data; len may reach beyond what is in memory,
 * so that a file can be scanned header by header.  *frame is set for
 * BATCH_SCAN_WHOLE, and for BATCH_SCAN_INCOMPLETE where len is at least
 * BATCH_SCAN_LEN.
 */
enum batch_scan batch_scan(
    const uint8_t *data, uint64_t len, struct batch_frame *frame) WARN_UNUSED;

/*
 * Decode the header of the batch that batch_scan found.  Only the header's
 * bytes need be at data: BATCH_HEADER_LEN, or all where it is shorter.  -1
 * where the size is too small for the header of its magic.  Nothing else is
 * judged: counts and deltas can be anything.
 */
int batch_decode(const uint8_t *data, const struct batch_frame *frame,
    struct batch *batch) WARN_UNUSED;

/*
 * Scan and decode the whole batch at the start of bytes; bytes behind it are
 * ignored.  -1 where there is none.
 */
int batch_read(struct slice bytes, struct batch *batch) WARN_UNUSED;

/* Does the checksum of this whole batch, of any magic, match? */
bool batch_crc_valid(struct slice bytes);

/*
 * Set base offset and leader epoch of a batch of magic 2 in place.  The
 * checksum does not cover them.
 */
void batch_patch(uint8_t *data, int64_t base_offset, int32_t leader_epoch);

/*
 * Set timestamp type and max timestamp of a whole batch of magic 2 whose
 * checksum is right, in place.  As in Kafka's leader attribute bits that mean
 * nothing are cleared on the way.  The new checksum is combined from the old
 * one, without a pass over the records.
 */
void batch_patch_timestamp(
    uint8_t *data, enum batch_timestamp_type type, int64_t max_timestamp);

/*
 * Write a header of magic 2 into data[BATCH_HEADER_LEN], all fields but
 * last_offset as they stand in *batch.
 */
void batch_encode(const struct batch *batch, uint8_t *data);

/* Compute the checksum of a whole batch of magic 2 and store it. */
void batch_seal(uint8_t *data, size_t size_bytes);

/* base_sequence + delta, where 0 comes after INT32_MAX. */
int32_t batch_sequence_add(int32_t sequence, int32_t delta);

/* The sequence of the last record, or BATCH_NO_SEQUENCE. */
int32_t batch_last_sequence(const struct batch *batch);

static inline int
batch_codec(const struct batch *batch)
{
	return batch->attributes & BATCH_CODEC_MASK;
}

static inline bool
batch_is_transactional(const struct batch *batch)
{
	return (batch->attributes & BATCH_TRANSACTIONAL) != 0;
}

static inline bool
batch_is_control(const struct batch *batch)
{
	return (batch->attributes & BATCH_CONTROL) != 0;
}

static inline bool
batch_has_append_time(const struct batch *batch)
{
	return (batch->attributes & BATCH_LOG_APPEND_TIME) != 0;
}

/* The delete horizon in milliseconds, or BATCH_NO_TIMESTAMP. */
static inline int64_t
batch_delete_horizon(const struct batch *batch)
{
	return (batch->attributes & BATCH_DELETE_HORIZON) != 0
		   ? batch->base_timestamp
		   : BATCH_NO_TIMESTAMP;
}

#endif
