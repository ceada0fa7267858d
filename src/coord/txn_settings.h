/*
 * The settings of the transaction coordinator: Kafka's keys in the comments,
 * with Kafka's defaults in TXN_SETTINGS_DEFAULT.  Set before the first request.
 */
#ifndef COORD_TXN_SETTINGS_H
#define COORD_TXN_SETTINGS_H

#include "base/base.h"

struct txn_settings {
	int32_t timeout_max_ms;		/* transaction.max.timeout.ms */
	/* transaction.abort.timed.out.transaction.cleanup.interval.ms */
	int32_t timeout_check_ms;
	int32_t expiration_ms;		/* transactional.id.expiration.ms */
	/* transaction.remove.expired.transaction.cleanup.interval.ms */
	int32_t expiration_check_ms;
	int32_t load_bytes;	/* transaction.state.log.load.buffer.size */
	int32_t commit_timeout_ms;	/* request.timeout.ms */
	/* transaction.state.log.num.partitions, .replication.factor, … */
	int32_t topic_partitions;
	int16_t topic_replication_factor;
	int32_t topic_segment_bytes;
	int32_t topic_min_isr;
	/* At first; see txn_coordinator_configure. */
	int32_t batch_bytes_max;	/* message.max.bytes */
	bool verifies;	/* transaction.partition.verification.enable */
};

#define TXN_SETTINGS_DEFAULT                   \
	((struct txn_settings){                \
	    .timeout_max_ms = 900000,          \
	    .timeout_check_ms = 10000,         \
	    .expiration_ms = 604800000,        \
	    .expiration_check_ms = 3600000,    \
	    .load_bytes = 5242880,             \
	    .commit_timeout_ms = 30000,        \
	    .topic_partitions = 50,            \
	    .topic_replication_factor = 3,     \
	    .topic_segment_bytes = 104857600,  \
	    .topic_min_isr = 2,                \
	    .batch_bytes_max = 1048588,        \
	    .verifies = true,                  \
	})

#endif
