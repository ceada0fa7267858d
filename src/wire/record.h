/*
 * One record of a batch of magic 2
 * (org.apache.kafka.common.record.DefaultRecord):
 *
 *	length			varint, of what follows
 *	attributes		1 byte, ignored
 *	timestamp delta		varlong, to the batch's base timestamp
 *	offset delta		varint, to the batch's base offset
 *	key length, key		varint, negative for null
 *	value length, value	varint, negative for null
 *	header count		varint
 *	headers			key length, key, value length, value
 *
 * A header's key cannot be null, its value can.  Like Kafka we read any
 * negative length as null.  Slices point into the bytes that were decoded.
 */
#ifndef WIRE_RECORD_H
#define WIRE_RECORD_H

#include "base/base.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "wire/batch.h"

struct record {
	int64_t offset;
	int64_t timestamp; /* milliseconds, or BATCH_NO_TIMESTAMP */
	struct slice key;
	struct slice value;
	struct slice headers; /* raw; record_header_next reads them */
	int32_t header_count;
};

struct record_header {
	struct slice key;
	struct slice value;
};

/* A record as it is written: relative to its batch. */
struct record_parts {
	int64_t timestamp_delta;
	int32_t offset_delta;
	struct slice key;
	struct slice value;
	struct slice headers;
	int32_t header_count;
};

/*
 * Read the record at p, which ends before end.  The address behind the
 * record, or NULL where it is broken.
 */
const uint8_t *record_read(
    const uint8_t *p, const uint8_t *end, struct record_parts *parts);

/*
 * Take the next header off *headers.  False at the end.  The bytes must come
 * from a record that was read without error.
 */
bool record_header_next(struct slice *headers, struct record_header *header);

/* Append one header in its raw form; -1 where buf's maximum is passed. */
int record_header_append(
    struct buf *headers, struct slice key, struct slice value) WARN_UNUSED;

/* Append the record to buf; -1 where buf's maximum is passed. */
int record_append(
    struct buf *buf, const struct record_parts *parts) WARN_UNUSED;

#endif
