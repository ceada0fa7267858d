/*
 * Control records: what a control batch holds
 * (org.apache.kafka.common.record.ControlRecordType, EndTransactionMarker).
 *
 * The key is version int16 (0) and type int16.  The value of a transaction's
 * marker is version int16 (0) and coordinator epoch int32; readers accept
 * newer versions and what they append.  The values of the other types are
 * messages of their own.
 */
#ifndef WIRE_CONTROL_RECORD_H
#define WIRE_CONTROL_RECORD_H

#include "base/base.h"
#include "base/buf.h"

#define CONTROL_RECORD_KEY_LEN 4

enum control_record_type {
	CONTROL_RECORD_UNKNOWN = -1,
	CONTROL_RECORD_ABORT = 0,
	CONTROL_RECORD_COMMIT = 1,
	CONTROL_RECORD_LEADER_CHANGE = 2,
	CONTROL_RECORD_SNAPSHOT_HEADER = 3,
	CONTROL_RECORD_SNAPSHOT_FOOTER = 4,
	CONTROL_RECORD_KRAFT_VERSION = 5,
	CONTROL_RECORD_KRAFT_VOTERS = 6,
};

/* A marker that ends a transaction on one partition. */
struct control_record_marker {
	int64_t producer_id;
	int16_t producer_epoch;
	bool commit;
	int32_t coordinator_epoch;
};

/*
 * The type that a key names: CONTROL_RECORD_UNKNOWN for one that we do not
 * know, which readers skip.  -1 where the key is too short to be one.
 */
int control_record_key_read(
    struct slice key, enum control_record_type *type) WARN_UNUSED;

void control_record_key_put(
    uint8_t key[CONTROL_RECORD_KEY_LEN], enum control_record_type type);

/* The coordinator epoch in a marker's value; -1 where it is too short. */
int control_record_marker_read(
    struct slice value, int32_t *coordinator_epoch) WARN_UNUSED;

/*
 * Append a whole batch with this marker to out, at base_offset and with the
 * time now_ms; -1 where out's maximum is passed.
 */
int control_record_marker_append(const struct control_record_marker *marker,
    int64_t base_offset, int32_t leader_epoch, int64_t now_ms,
    struct buf *out) WARN_UNUSED;

#endif
