/*
 * Messages of magic 0 and 1, the record format of before Kafka 0.11
 * (org.apache.kafka.common.record.LegacyRecord).  They are found in log files
 * that were upgraded in place; klamm reads them and never writes them.
 *
 *	offset 8, size 4, CRC-32 4, magic 1, attributes 1,
 *	[timestamp 8 with magic 1], key length 4, key, value length 4, value
 *
 * A compressed message is a wrapper: its value is a message set, of which the
 * wrapper carries the last offset.  With magic 1 the offsets inside are
 * relative, so the first one is only known after a look at the last.
 */
#ifndef WIRE_LEGACY_H
#define WIRE_LEGACY_H

#include "base/base.h"
#include "base/buf.h"
#include "wire/compression.h"

struct legacy_message {
	int64_t offset;
	size_t size_bytes; /* with offset and size */
	int8_t magic;      /* 0 or 1 */
	int8_t attributes;
	int64_t timestamp; /* -1 with magic 0 */
	struct slice key;
	struct slice value;
};

/*
 * Read the message at the start of bytes, whose checksum is not looked at.
 * Slices point into bytes.  -1 where it is cut off, broken, or of another
 * magic.
 */
int legacy_read(struct slice bytes, struct legacy_message *message) WARN_UNUSED;

/* Append the set inside of a wrapper to out, as compression_decompress. */
enum compression_result legacy_unwrap(
    const struct legacy_message *wrapper, struct buf *out) WARN_UNUSED;

/*
 * Walk the set inside of a wrapper to its end.  The offset of its last
 * message, or -1 where the set is empty, broken, or has a wrapper in it.
 */
int64_t legacy_last_offset(struct slice set);

#endif
