/*
 * The settings of the group coordinator: Kafka's keys in the comments, with
 * Kafka's defaults in GROUP_SETTINGS_DEFAULT.  Set before the first request.
 */
#ifndef COORD_GROUP_SETTINGS_H
#define COORD_GROUP_SETTINGS_H

#include "base/base.h"

struct group_settings {
	int32_t session_timeout_min_ms;	  /* group.min.session.timeout.ms */
	int32_t session_timeout_max_ms;	  /* group.max.session.timeout.ms */
	int32_t rebalance_delay_ms;	  /* group.initial.rebalance.delay.ms */
	int32_t members_max;		  /* group.max.size */
	int32_t metadata_max;		  /* offset.metadata.max.bytes */
	int32_t load_bytes;		  /* offsets.load.buffer.size */
	int64_t retention_ms;		  /* offsets.retention.minutes */
	/* offsets.retention.check.interval.ms */
	int64_t retention_check_ms;
	int32_t commit_timeout_ms;	  /* offsets.commit.timeout.ms */
	int32_t topic_partitions;	  /* offsets.topic.num.partitions */
	int16_t topic_replication_factor; /* offsets.topic.replication.factor */
	int32_t topic_segment_bytes;	  /* offsets.topic.segment.bytes */
	int32_t topic_compression;	  /* offsets.topic.compression.codec */
	int32_t batch_bytes_max;	  /* message.max.bytes, at first */
};

#define GROUP_SETTINGS_DEFAULT                             \
	((struct group_settings){                          \
	    .session_timeout_min_ms = 6000,                \
	    .session_timeout_max_ms = 1800000,             \
	    .rebalance_delay_ms = 3000,                    \
	    .members_max = INT32_MAX,                      \
	    .metadata_max = 4096,                          \
	    .load_bytes = 5242880,                         \
	    .retention_ms = (int64_t)10080 * 60 * 1000,    \
	    .retention_check_ms = 600000,                  \
	    .commit_timeout_ms = 5000,                     \
	    .topic_partitions = 50,                        \
	    .topic_replication_factor = 3,                 \
	    .topic_segment_bytes = 104857600,              \
	    .topic_compression = 0,                        \
	    .batch_bytes_max = 1048588,                    \
	})

#endif
