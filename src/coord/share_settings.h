/*
 * The settings of the share coordinator: Kafka's keys in the comments, with
 * Kafka's defaults in SHARE_SETTINGS_DEFAULT.  Set before the first request.
 */
#ifndef COORD_SHARE_SETTINGS_H
#define COORD_SHARE_SETTINGS_H

#include "base/base.h"

struct share_settings {
	/* share.coordinator.snapshot.update.records.per.snapshot */
	int32_t updates_per_snapshot;
	/* share.coordinator.cold.partition.snapshot.interval.ms */
	int32_t cold_interval_ms;
	/* share.coordinator.state.topic.prune.interval.ms */
	int32_t prune_interval_ms;
	int32_t load_bytes;		/* share.coordinator.load.buffer.size */
	int32_t commit_timeout_ms;	/* share.coordinator.write.timeout.ms */
	/* share.coordinator.state.topic.num.partitions, … */
	int32_t topic_partitions;
	int16_t topic_replication_factor;
	int32_t topic_segment_bytes;
	int32_t topic_min_isr;
	int32_t topic_compression;	/* enum compression */
	/* At first; see share_coordinator_set_batch_bytes. */
	int32_t batch_bytes_max;	/* message.max.bytes */
};

#define SHARE_SETTINGS_DEFAULT                \
	((struct share_settings){             \
	    .updates_per_snapshot = 500,      \
	    .cold_interval_ms = 300000,       \
	    .prune_interval_ms = 300000,      \
	    .load_bytes = 5242880,            \
	    .commit_timeout_ms = 5000,        \
	    .topic_partitions = 50,           \
	    .topic_replication_factor = 3,    \
	    .topic_segment_bytes = 104857600, \
	    .topic_min_isr = 2,               \
	    .batch_bytes_max = 1048588,       \
	})

#endif
