/*
 * Shard log: what a shard stands on in unit tests, a log in memory and a clock
 * that is stepped.
 */
#ifndef UNIT_SHARD_LOG_H
#define UNIT_SHARD_LOG_H

#include "base/buf.h"
#include "base/clock.h"
#include "coord/shard.h"

struct shard_log {
	int64_t now_ms;
	struct clock_source clock;
	struct shard_host host;
	struct buf bytes;
	int64_t start_offset;	/* records below are deleted */
	int64_t end_offset;
	int64_t high_watermark;
	bool holds_back;	/* the high watermark stays where it is */
	int appends_count;
	enum kp_error append_error;
	int32_t epoch;
};

/* An empty log; its clock is everybody's until shard_log_fini. */
void shard_log_init(struct shard_log *log);
void shard_log_fini(struct shard_log *log);

/* Have the shard, which is new, lead the log and load it. */
void shard_log_load(struct shard_log *log, struct shard *shard);

/* Let time pass, with every timer on the way. */
void shard_log_pass(struct shard_log *log, struct shard *shard, int64_t ms);

/* What has been appended so far is committed. */
void shard_log_commit(struct shard_log *log, struct shard *shard);

#endif
