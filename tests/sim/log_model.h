/*
 * The naive reference of a log: the batches that were appended, in lists, and
 * the rounds of compaction that were tried, with what those may and must have
 * taken away.
 */
#ifndef SIM_LOG_MODEL_H
#define SIM_LOG_MODEL_H

#include "base/base.h"

/* Records of a batch at the most. */
#define MODEL_RECORDS 4

struct model_record {
	int64_t timestamp;
	int key;		/* -1: none */
	bool tombstone;
	uint32_t crc;		/* of key and value */
};

struct model_batch {
	int64_t base_offset;
	int64_t last_offset;
	int32_t epoch;		/* the leader's */
	uint32_t crc;		/* of all bytes as they are in the log */
	int64_t producer_id;	/* -1: none */
	int32_t base_sequence;
	int32_t last_sequence;
	int64_t max_timestamp;
	bool transactional;
	bool control;
	bool commit;
	struct model_record records[MODEL_RECORDS];
	unsigned kept;		/* bits: which of them are there */
};

struct model_list {
	struct model_batch *batches;
	size_t count;
	size_t capacity;
};

/*
 * A round of compaction.  Segments are written anew as a whole: what is above
 * the bound stays in them, but for what was aborted and what ended it, and may
 * get its delete horizon.
 */
struct model_round {
	int64_t bound;		/* what is below was its to take */
	int64_t closed;		/* what is below it may have read */
	int64_t now_ms;
};

struct model_rounds {
	struct model_round *rounds;
	size_t count;
};

struct model {
	/*
	 * What the log has, and what retention and compaction took of it:
	 * offsets without a gap.
	 */
	struct model_list log;
	/*
	 * What was refused, cut off, or lost in a crash: as long as nothing
	 * was synced in its place it may come back.
	 */
	struct model_list lost;
	int64_t start;		/* the log's, as last seen */
	int64_t start_max;	/* the highest that it ever had */
	/*
	 * The highest that a round of compaction saw.  What was deleted may be
	 * back behind a crash, and such a round has taken out of it what made
	 * sense without what was below.
	 */
	int64_t start_cleaned;
	int64_t end;
	int64_t durable;	/* everything below survives */

	struct model_rounds tried;	/* the bound is the most it may be */
	struct model_rounds done;	/* the bound is what was reported */
	int64_t min_lag_ms;		/* min.compaction.lag.ms */
	int64_t delete_retention_ms;	/* delete.retention.ms */

	/* The checkpoint files, which are durable. */
	int64_t saved_recovery_point;
	int64_t saved_start;
	int64_t saved_clean_offset;
	bool created;		/* the log's files are durable */
	bool clean;		/* the mark of an orderly stop is there */
};

void model_init(struct model *model);
void model_fini(struct model *model);

/* The batch that stands in bytes; false where it is not whole or not ours. */
bool model_batch_read(
    struct model_batch *batch, struct slice bytes) WARN_UNUSED;

void model_list_push(
    struct model_list *list, const struct model_batch *batch);

/*
 * The newest batch of the list that found is, or what compaction may have left
 * of it: NULL where there is none.
 */
const struct model_batch *model_list_find(
    const struct model_list *list, const struct model_batch *found);

/* Move what begins at offset or behind it to model->lost. */
void model_lose(struct model *model, int64_t offset);

/* What was lost at offset or behind it cannot come back any more. */
void model_forget(struct model *model, int64_t offset);

void model_start_set(struct model *model, int64_t start);

void model_round_add(
    struct model_rounds *rounds, const struct model_round *round);

/* The marker that ends the transaction of the batch at this index, or NULL. */
const struct model_batch *model_marker_of(
    const struct model *model, size_t at);

/*
 * Did the marker of its transaction say that the batch at this index of the
 * log was aborted?
 */
bool model_was_aborted(const struct model *model, size_t at);

/* Say all of it, for who looks for what went wrong. */
void model_dump(const struct model *model);

/* May compaction have taken this record of the batch at this index? */
bool model_may_be_gone(const struct model *model, size_t at, int record);

/* Must the last round that was done have taken it, at the latest? */
bool model_must_be_gone(const struct model *model, size_t at, int record);

#endif
