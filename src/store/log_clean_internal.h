/*
 * The inside of a round of compaction, for the log_clean*.c files alone.
 * log_clean.h says what they do together.
 */
#ifndef STORE_LOG_CLEAN_INTERNAL_H
#define STORE_LOG_CLEAN_INTERNAL_H

#include "store/clean_stretches.h"
#include "store/log_clean.h"
#include "store/log_settings.h"
#include "store/offset_map.h"
#include "store/txn_index.h"

struct batch;
struct log;
struct segment;

/* A log's segments and bounds as they were when a round began. */
struct log_clean_plan {
	struct log_settings settings;
	struct segment **segments;	/* owned, referenced; the last is
					 * active and only bounds the others */
	size_t closed_count;
	int64_t log_start_offset;
	int64_t log_end_offset;
	int64_t last_stable_offset;
	int64_t clean_offset;

	/* By log_clean_plan_bound. */
	int64_t first_dirty_offset;
	int64_t end_offset;		/* cleanable below */
};

/* A round that runs. */
struct log_cleaning {
	struct log *log;
	const struct log_clean_round *round;
	struct log_clean_stats *stats;
	struct log_clean_plan plan;
	struct txn_index aborted;	/* of the walked range */
	struct offset_map map;
	struct clean_stretches stretches; /* of the dirty part */
	char *path;			/* owned: the log's */
	uint8_t *buffer;		/* owned: what is read */
	size_t unpaced_bytes;
	bool writing;			/* errno is of a write */
	const char *problem;		/* static; with EBADMSG */
	int64_t problem_offset;
};

/* --- log_clean_plan.c --------------------------------------------------- */

/*
 * Take the segments and bounds of a log.  Locked; log_clean_plan_fini is
 * called, without the lock.
 */
void log_clean_plan_take(struct log_clean_plan *plan, const struct log *log);
void log_clean_plan_fini(struct log_clean_plan *plan);

/* Find what may be cleaned.  -1 with errno.  Unlocked; may read indexes. */
int log_clean_plan_bound(struct log_clean_plan *plan, int64_t now_ms)
    WARN_UNUSED;

/* The offset behind all that the segment at this index can have. */
int64_t log_clean_plan_segment_end(const struct log_clean_plan *plan,
    size_t at);

/* The index of the first closed segment that begins at or above offset. */
size_t log_clean_plan_from(const struct log_clean_plan *plan, int64_t offset);

/* The index of the last closed one that begins at or below it, or 0. */
size_t log_clean_plan_of(const struct log_clean_plan *plan, int64_t offset);

/* --- log_clean.c -------------------------------------------------------- */

/* A batch that is walked over, whose checksum is right. */
struct log_clean_batch {
	const struct batch *header;
	struct slice bytes;
	int64_t position;		/* in the segment's file */
};

struct log_clean_visitor {
	int64_t from_offset;	/* batches that end below do not count */
	bool skip_dead;		/* nor do dead stretches, which are not read */
	/* 1: enough; 0: go on; -1 with errno. */
	int (*visit)(void *context, const struct log_clean_batch *batch);
	void *context;
};

/*
 * Visit the batches of the closed segment at this index in order.  0, 1 where
 * the visitor had enough, or -1 with errno: ECANCELED where the round has to
 * end.
 */
int log_clean_walk(struct log_cleaning *cleaning, size_t at,
    const struct log_clean_visitor *visitor) WARN_UNUSED;

/* Count bytes read or written; -1 with ECANCELED where the round must end. */
int log_clean_step(struct log_cleaning *cleaning, size_t bytes) WARN_UNUSED;

/*
 * Give log->unsettled its plain names, with nobody else at it.  -1 with errno,
 * logged.  Unlocked; path is the log's.
 */
int log_clean_settle_names(struct log *log, const char *path) WARN_UNUSED;

/* Say that the batch at offset is bad: -1 with EBADMSG. */
int log_clean_bad(struct log_cleaning *cleaning, int64_t offset,
    const char *problem);

/* --- log_clean_map.c ---------------------------------------------------- */

/* The aborted transactions that the round may meet.  -1 with errno. */
int log_clean_collect_aborted(struct log_cleaning *cleaning) WARN_UNUSED;

/* The first pass: fill cleaning->map.  -1 with errno. */
int log_clean_fill_map(struct log_cleaning *cleaning) WARN_UNUSED;

/* --- log_clean_group.c -------------------------------------------------- */

/*
 * The second pass: write all segments below the map's end anew.  -1 with
 * errno; groups that were done are part of the log.
 */
int log_clean_write_groups(struct log_cleaning *cleaning) WARN_UNUSED;

#endif
