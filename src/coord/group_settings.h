/*
 * The settings of the group coordinator: Kafka's keys in the comments, with
 * Kafka's defaults in GROUP_SETTINGS_DEFAULT.  Set before the first request.
 */
#ifndef COORD_GROUP_SETTINGS_H
#define COORD_GROUP_SETTINGS_H

#include "base/base.h"

/* The assignors that Kafka brings along. */
enum consumer_assignor {
	CONSUMER_ASSIGNOR_UNIFORM,
	CONSUMER_ASSIGNOR_RANGE,
};

#define CONSUMER_ASSIGNORS_COUNT 2

/*
 * Of consumer groups (KIP-848).  Groups have configurations of their own for
 * the first three, which are kept between the broker's bounds.
 */
struct consumer_settings {
	int32_t session_timeout_ms;	/* group.consumer.session.timeout.ms */
	int32_t session_timeout_min_ms;	/* ... .min.session.timeout.ms */
	int32_t session_timeout_max_ms;	/* ... .max.session.timeout.ms */
	/* group.consumer.heartbeat.interval.ms and its bounds */
	int32_t heartbeat_interval_ms;
	int32_t heartbeat_interval_min_ms;
	int32_t heartbeat_interval_max_ms;
	/* group.consumer.assignment.interval.ms, which may change */
	_Atomic int32_t assignment_interval_ms;
	int32_t assignment_interval_min_ms;
	int32_t assignment_interval_max_ms;
	int32_t regex_refresh_ms; /* group.consumer.regex.refresh.interval.ms */
	int32_t members_max;		/* group.consumer.max.size */
	/* group.consumer.assignors; the first is the default */
	enum consumer_assignor assignors[CONSUMER_ASSIGNORS_COUNT];
	int32_t assignors_count;
	/* "consumer" is in group.coordinator.rebalance.protocols */
	bool enabled;
	/*
	 * group.consumer.migration.policy: classic groups with members become
	 * consumer groups, and the other way round.
	 */
	bool upgrades;
	bool downgrades;
};

/*
 * Of streams groups (KIP-1071).  Groups have configurations of their own for
 * the first five, of which all but the delay are kept between the broker's
 * bounds.
 */
struct streams_settings {
	int32_t session_timeout_ms;	/* group.streams.session.timeout.ms */
	int32_t session_timeout_min_ms;
	int32_t session_timeout_max_ms;
	int32_t heartbeat_interval_ms; /* group.streams.heartbeat.interval.ms */
	int32_t heartbeat_interval_min_ms;
	int32_t heartbeat_interval_max_ms;
	/* group.streams.assignment.interval.ms, which may change */
	_Atomic int32_t assignment_interval_ms;
	int32_t assignment_interval_min_ms;
	int32_t assignment_interval_max_ms;
	int32_t rebalance_delay_ms; /* ... .initial.rebalance.delay.ms */
	int32_t standby_replicas;   /* group.streams.num.standby.replicas */
	int32_t standby_replicas_max;
	int32_t members_max; /* group.streams.max.size */
	/* "streams" is in group.coordinator.rebalance.protocols */
	bool enabled;
};

/*
 * Of share groups (KIP-932).  Groups have configurations of their own for the
 * first three, which are kept between the broker's bounds.
 */
struct share_group_settings {
	int32_t session_timeout_ms;	/* group.share.session.timeout.ms */
	int32_t session_timeout_min_ms;
	int32_t session_timeout_max_ms;
	int32_t heartbeat_interval_ms;	/* group.share.heartbeat.interval.ms */
	int32_t heartbeat_interval_min_ms;
	int32_t heartbeat_interval_max_ms;
	/* group.share.assignment.interval.ms, which may change */
	_Atomic int32_t assignment_interval_ms;
	int32_t assignment_interval_min_ms;
	int32_t assignment_interval_max_ms;
	/* group.share.initialize.retry.interval.ms */
	int32_t initialize_retry_ms;
	int32_t members_max;		/* group.share.max.size */
};

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
	struct consumer_settings consumer;
	struct streams_settings streams;
	struct share_group_settings share;
};

#define CONSUMER_SETTINGS_DEFAULT                                        \
	{                                                                \
		.session_timeout_ms = 45000,                             \
		.session_timeout_min_ms = 45000,                         \
		.session_timeout_max_ms = 60000,                         \
		.heartbeat_interval_ms = 5000,                           \
		.heartbeat_interval_min_ms = 5000,                       \
		.heartbeat_interval_max_ms = 15000,                      \
		.assignment_interval_ms = 1000,                          \
		.assignment_interval_min_ms = 0,                         \
		.assignment_interval_max_ms = 15000,                     \
		.regex_refresh_ms = 600000,                              \
		.members_max = INT32_MAX,                                \
		.assignors = { CONSUMER_ASSIGNOR_UNIFORM,                \
			CONSUMER_ASSIGNOR_RANGE },                       \
		.assignors_count = CONSUMER_ASSIGNORS_COUNT,             \
		.enabled = true,                                         \
		.upgrades = true,                                        \
		.downgrades = true,                                      \
	}

#define STREAMS_SETTINGS_DEFAULT                      \
	{                                             \
		.session_timeout_ms = 45000,          \
		.session_timeout_min_ms = 45000,      \
		.session_timeout_max_ms = 60000,      \
		.heartbeat_interval_ms = 5000,        \
		.heartbeat_interval_min_ms = 5000,    \
		.heartbeat_interval_max_ms = 15000,   \
		.assignment_interval_ms = 1000,       \
		.assignment_interval_min_ms = 0,      \
		.assignment_interval_max_ms = 15000,  \
		.rebalance_delay_ms = 3000,           \
		.standby_replicas = 0,                \
		.standby_replicas_max = 2,            \
		.members_max = INT32_MAX,             \
		.enabled = true,                      \
	}

#define SHARE_GROUP_SETTINGS_DEFAULT                  \
	{                                             \
		.session_timeout_ms = 45000,          \
		.session_timeout_min_ms = 45000,      \
		.session_timeout_max_ms = 60000,      \
		.heartbeat_interval_ms = 5000,        \
		.heartbeat_interval_min_ms = 5000,    \
		.heartbeat_interval_max_ms = 15000,   \
		.assignment_interval_ms = 1000,       \
		.assignment_interval_min_ms = 0,      \
		.assignment_interval_max_ms = 15000,  \
		.initialize_retry_ms = 30000,         \
		.members_max = 200,                   \
	}

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
	    .consumer = CONSUMER_SETTINGS_DEFAULT,         \
	    .streams = STREAMS_SETTINGS_DEFAULT,           \
	    .share = SHARE_GROUP_SETTINGS_DEFAULT,         \
	})

#endif
