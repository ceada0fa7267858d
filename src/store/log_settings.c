#include "store/log_settings.h"

#define DAY_MS (24 * 60 * 60 * INT64_C(1000))

void
log_settings_init(struct log_settings *settings)
{
	*settings = (struct log_settings){
		.segment_bytes = 1 << 30,
		.segment_ms = 7 * DAY_MS,
		.segment_jitter_ms = 0,
		.segment_index_bytes = 10 << 20,
		.index_interval_bytes = 4096,
		.retention_ms = 7 * DAY_MS,
		.retention_bytes = -1,
		.file_delete_delay_ms = 60 * 1000,
		.flush_messages = INT64_MAX,
		.flush_ms = INT64_MAX,
		.min_compaction_lag_ms = 0,
		.max_compaction_lag_ms = INT64_MAX,
		.delete_retention_ms = DAY_MS,
		.min_cleanable_dirty_ratio = 0.5,
		.producer_id_expiration_ms = DAY_MS,
		.cleanup_delete = true,
		.cleanup_compact = false,
		.preallocate = false,
	};
}
