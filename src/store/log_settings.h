/*
 * What a topic's configuration says to one log: the effective values, already
 * resolved from topic, broker and default (meta/configs.h does that).
 *
 * A log keeps a copy; log_settings_change puts a new one in its place.
 */
#ifndef STORE_LOG_SETTINGS_H
#define STORE_LOG_SETTINGS_H

#include "base/base.h"

struct log_settings {
	int32_t segment_bytes;			/* segment.bytes */
	int64_t segment_ms;			/* segment.ms */
	int64_t segment_jitter_ms;		/* segment.jitter.ms */
	int32_t segment_index_bytes;		/* segment.index.bytes */
	int32_t index_interval_bytes;		/* index.interval.bytes */
	int64_t retention_ms;			/* -1: without end */
	int64_t retention_bytes;		/* -1: without end */
	int64_t file_delete_delay_ms;		/* file.delete.delay.ms */
	int64_t flush_messages;			/* flush.messages */
	int64_t flush_ms;			/* flush.ms */
	int64_t min_compaction_lag_ms;		/* min.compaction.lag.ms */
	int64_t max_compaction_lag_ms;		/* max.compaction.lag.ms */
	int64_t delete_retention_ms;		/* delete.retention.ms */
	double min_cleanable_dirty_ratio; /* min.cleanable.dirty.ratio */
	int64_t producer_id_expiration_ms;	/* a broker's setting */
	bool cleanup_delete;			/* cleanup.policy */
	bool cleanup_compact;
	bool preallocate;			/* preallocate */
	/*
	 * Ours: blocks kept behind the end, from its first append on, so that
	 * a disk that is full still takes that much; 0: none.
	 */
	int64_t reserve_bytes;
	/*
	 * Ours: an active segment of so many bytes is closed to be compacted
	 * as soon as it makes the log worth that (log_clean_roll); 0: never.
	 */
	int64_t dirty_roll_bytes;
};

/* Kafka 4.3's defaults. */
void log_settings_init(struct log_settings *settings);

#endif
