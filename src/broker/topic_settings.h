/*
 * What a topic's effective configuration says to its partitions beyond what
 * it says to their logs.
 */
#ifndef BROKER_TOPIC_SETTINGS_H
#define BROKER_TOPIC_SETTINGS_H

#include "base/base.h"
#include "store/log_settings.h"
#include "wire/batch.h"
#include "wire/compression.h"

#define TOPIC_COMPRESSION_PRODUCER (-1)

struct topic_settings {
	int32_t max_message_bytes;	/* max.message.bytes */
	int32_t min_insync_replicas;	/* min.insync.replicas */
	enum batch_timestamp_type timestamp_type; /* message.timestamp.type */
	int64_t timestamp_before_max_ms; /* message.timestamp.before.max.ms */
	int64_t timestamp_after_max_ms;	/* message.timestamp.after.max.ms */
	int compression;	/* a codec, or TOPIC_COMPRESSION_PRODUCER */
	int compression_level;	/* of that codec */
	struct log_settings log;
};

struct configs;

/* Kafka 4.3's defaults. */
void topic_settings_init(struct topic_settings *settings);

/*
 * The effective settings of topic.  Thread and lock: as all of configs.
 */
void topic_settings_resolve(struct topic_settings *settings,
    const struct configs *configs, struct slice topic);

#endif
