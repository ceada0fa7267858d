#include "broker/topic_settings.h"

void
topic_settings_init(struct topic_settings *settings)
{
	*settings = (struct topic_settings){
		.max_message_bytes = 1048588,
		.min_insync_replicas = 1,
		.timestamp_type = BATCH_CREATE_TIME,
		.timestamp_before_max_ms = INT64_MAX,
		.timestamp_after_max_ms = 3600000,
		.compression = TOPIC_COMPRESSION_PRODUCER,
		.compression_level = COMPRESSION_LEVEL_DEFAULT,
	};
	log_settings_init(&settings->log);
}
