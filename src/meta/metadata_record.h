/*
 * Metadata record: one record of the metadata log, decoded, and its framing.
 *
 *     uvarint  frame version, 1
 *     uvarint  api key of the record's type
 *     uvarint  version of the type
 *     body in the flexible encoding of that version
 *
 * stands in the value of a log record that has a null key and no headers
 * (org.apache.kafka.server.common.serialization.AbstractApiMessageSerde).
 */
#ifndef META_METADATA_RECORD_H
#define META_METADATA_RECORD_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buf.h"
#include "wire/message.h"

/* The largest batch of metadata records that Kafka writes or reads. */
#define METADATA_RECORD_BATCH_LEN_MAX (8 * 1024 * 1024)

/* MetadataRecordType of Kafka. */
enum metadata_record_type {
	METADATA_RECORD_REGISTER_BROKER = 0,
	METADATA_RECORD_UNREGISTER_BROKER = 1,
	METADATA_RECORD_TOPIC = 2,
	METADATA_RECORD_PARTITION = 3,
	METADATA_RECORD_CONFIG = 4,
	METADATA_RECORD_PARTITION_CHANGE = 5,
	METADATA_RECORD_FENCE_BROKER = 7,
	METADATA_RECORD_UNFENCE_BROKER = 8,
	METADATA_RECORD_REMOVE_TOPIC = 9,
	METADATA_RECORD_DELEGATION_TOKEN = 10,
	METADATA_RECORD_USER_SCRAM_CREDENTIAL = 11,
	METADATA_RECORD_FEATURE_LEVEL = 12,
	METADATA_RECORD_CLIENT_QUOTA = 14,
	METADATA_RECORD_PRODUCER_IDS = 15,
	METADATA_RECORD_BROKER_REGISTRATION_CHANGE = 17,
	METADATA_RECORD_ACCESS_CONTROL_ENTRY = 18,
	METADATA_RECORD_REMOVE_ACCESS_CONTROL_ENTRY = 19,
	METADATA_RECORD_NO_OP = 20,
	METADATA_RECORD_ZK_MIGRATION_STATE = 21,
	METADATA_RECORD_REMOVE_USER_SCRAM_CREDENTIAL = 22,
	METADATA_RECORD_BEGIN_TRANSACTION = 23,
	METADATA_RECORD_END_TRANSACTION = 24,
	METADATA_RECORD_ABORT_TRANSACTION = 25,
	METADATA_RECORD_REMOVE_DELEGATION_TOKEN = 26,
	METADATA_RECORD_REGISTER_CONTROLLER = 27,
	METADATA_RECORD_CLEAR_ELR = 28,
};

struct metadata_record {
	enum metadata_record_type type;
	int16_t version;
	const void *body;	/* struct kp_..._record of the type */
	struct slice value;	/* the framed bytes, borrowed */
};

/* The message table of a record type, or NULL where there is none. */
const struct kp_message *metadata_record_message(int32_t type);

/*
 * Decode value, which record then borrows from, into arena.  -1 where it is
 * not a record that we know at a version that we know, or does not decode;
 * *reason (static) says which.
 */
int metadata_record_decode(struct slice value, struct arena *arena,
    struct metadata_record *record, const char **reason) WARN_UNUSED;

/* Append the framed record of a type at a version to buf; -1 where full. */
int metadata_record_encode(struct buf *buf, enum metadata_record_type type,
    int16_t version, const void *body) WARN_UNUSED;

/*
 * The version at which a record of the type is written when the cluster's
 * metadata.version has this level (MetadataVersion of Kafka).
 */
int16_t metadata_record_version(enum metadata_record_type type, int16_t level);

#endif
