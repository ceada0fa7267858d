/*
 * Record: one metadata record, decoded, and its framing.
 *
 *     uvarint  frame version, 1
 *     uvarint  api key of the record's type
 *     uvarint  version of the type
 *     body in the flexible encoding of that version
 *
 * stands in the value of a log record that has a null key and no headers
 * (org.apache.kafka.server.common.serialization.AbstractApiMessageSerde).
 */
#ifndef META_RECORD_H
#define META_RECORD_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buf.h"
#include "wire/message.h"

/* The largest batch of metadata records that Kafka writes or reads. */
#define RECORD_BATCH_LEN_MAX (8 * 1024 * 1024)

/* MetadataRecordType of Kafka. */
enum record_type {
	RECORD_REGISTER_BROKER = 0,
	RECORD_UNREGISTER_BROKER = 1,
	RECORD_TOPIC = 2,
	RECORD_PARTITION = 3,
	RECORD_CONFIG = 4,
	RECORD_PARTITION_CHANGE = 5,
	RECORD_FENCE_BROKER = 7,
	RECORD_UNFENCE_BROKER = 8,
	RECORD_REMOVE_TOPIC = 9,
	RECORD_DELEGATION_TOKEN = 10,
	RECORD_USER_SCRAM_CREDENTIAL = 11,
	RECORD_FEATURE_LEVEL = 12,
	RECORD_CLIENT_QUOTA = 14,
	RECORD_PRODUCER_IDS = 15,
	RECORD_BROKER_REGISTRATION_CHANGE = 17,
	RECORD_ACCESS_CONTROL_ENTRY = 18,
	RECORD_REMOVE_ACCESS_CONTROL_ENTRY = 19,
	RECORD_NO_OP = 20,
	RECORD_ZK_MIGRATION_STATE = 21,
	RECORD_REMOVE_USER_SCRAM_CREDENTIAL = 22,
	RECORD_BEGIN_TRANSACTION = 23,
	RECORD_END_TRANSACTION = 24,
	RECORD_ABORT_TRANSACTION = 25,
	RECORD_REMOVE_DELEGATION_TOKEN = 26,
	RECORD_REGISTER_CONTROLLER = 27,
	RECORD_CLEAR_ELR = 28,
};

struct record {
	enum record_type type;
	int16_t version;
	const void *body;	/* struct kp_..._record of the type */
	struct slice value;	/* the framed bytes, borrowed */
};

/* The message table of a record type, or NULL where there is none. */
const struct kp_message *record_message(int32_t type);

/*
 * Decode value, which record then borrows from, into arena.  -1 where it is
 * not a record that we know at a version that we know, or does not decode;
 * *reason (static) says which.
 */
int record_decode(struct slice value, struct arena *arena,
    struct record *record, const char **reason) WARN_UNUSED;

/* Append the framed record of a type at a version to buf; -1 where full. */
int record_encode(struct buf *buf, enum record_type type, int16_t version,
    const void *body) WARN_UNUSED;

#endif
