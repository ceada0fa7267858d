/*
 * Compaction of one log: for each key only its latest record stays
 * (cleanup.policy=compact; Kafka's LogCleaner, Cleaner).
 *
 * How.  A round has two passes over closed segments.  The first reads the
 * dirty part, from the clean offset up to what may be cleaned (below the last
 * stable offset, the active segment and min.compaction.lag.ms), into a map
 * from keys to their latest offsets, until that is full.  The second reads
 * all segments below the map's end from the oldest on and writes what stays:
 * a group of neighbours that fit into one segment becomes one (batch_filter.h
 * says what stays, cleaned_segment.h how it is written).  Then the clean offset
 * moves up.  Reads and writes are sequential and large; batches that lose
 * nothing are copied as they are.
 *
 * What is read twice.  The first pass counts what is left of the batches that
 * it reads (clean_stretches.h), so the second one reads of the dirty part only
 * what loses some records and keeps others, and a segment that loses nothing
 * stays the file that it is.  Between the two the page cache has what was read,
 * as far as it goes.
 *
 * Locking.  Both passes run unlocked on segments that nobody changes: a log
 * that is being cleaned is not retained, and truncation, renaming and closing
 * ask the cleaning to stop and wait for that (log_clean_pause).  Under the lock
 * only the segment array is changed and the old files are renamed, with
 * flushes held.  Who reads an old segment keeps it, with its descriptor open
 * and its indexes in memory, because its names are the new one's.
 *
 * Crashes.  New files are whole and durable, as are their names, before the
 * first old one is renamed; the renames of the old ones are durable before
 * the new ones get their plain names, and these before the clean offset may
 * be checkpointed.  Whatever comes between, a start finds either the old
 * contents or the new (log_sweep.c).
 *
 * Damage.  The checksum of every batch is compared before its records are
 * believed.  A log with a bad batch is not cleaned any more until the next
 * start, and nothing of it is dropped; the same where its records, or what
 * its .txnindex says, make no sense.  A full disk ends the round, and the
 * next one tries again.  Other errors of writing take the log offline.
 *
 * Memory.  The map and the counts together take what the round may, at the
 * most; for the time of the round there are besides two buffers, one batch and
 * its decompressed records.
 */
#ifndef STORE_LOG_CLEAN_H
#define STORE_LOG_CLEAN_H

#include "base/base.h"

struct log;

/* How a round is done. */
struct log_clean_round {
	size_t memory_max;	/* for the map, and what is counted beside it */
	double map_load_factor;
	size_t buffer_len;	/* of each of the two */
	int64_t now_ms;		/* wall clock */

	/*
	 * Called for each piece of bytes read and written, without a lock; may
	 * sleep.  false ends the round.  NULL: no limit.
	 */
	bool (*pace)(void *context, size_t bytes);
	void *context;
};

enum log_clean_result {
	LOG_CLEAN_DONE,		/* the clean offset has moved */
	LOG_CLEAN_STOPPED,	/* it was asked to, or is being cleaned */
	LOG_CLEAN_POSTPONED,	/* the disk is full; logged */
	LOG_CLEAN_FAILED,	/* uncleanable or offline now; logged */
};

/* What a round did. */
struct log_clean_stats {
	int64_t map_bytes_read;
	int64_t bytes_read;	/* by the second pass */
	int64_t bytes_before;	/* of the segments */
	int64_t bytes_after;
	size_t keys;
	size_t memory_bytes;	/* of the map and what is counted beside it */
	size_t segments_before;
	size_t segments_after;
};

/* What there is to clean. */
struct log_clean_state {
	int64_t first_dirty_offset;
	int64_t end_offset;	/* what is above cannot be cleaned now */
	int64_t clean_bytes;
	int64_t cleanable_bytes;
	double dirty_ratio;	/* cleanable by clean + cleanable */
	bool overdue;		/* max.compaction.lag.ms has passed */
};

/*
 * Look what there is to clean: true, and *state, where the log is compacted
 * and worth a round.  May read time indexes.  Unlocked.
 */
bool log_clean_look(struct log *log, int64_t now_ms,
    struct log_clean_state *state) WARN_UNUSED;

/*
 * Close the active segment where the log would then be worth a round, and is
 * not without, if settings.dirty_roll_bytes says so.  What an internal topic
 * keeps is little, and all of it is read at a start, so nothing is gained by
 * waiting until the active segment has its segment.bytes, as a topic may that
 * is read for its latest records; its min.cleanable.dirty.ratio is kept to.
 * Where it fails, which is logged, another look tries again.  Unlocked.
 */
void log_clean_roll(struct log *log, int64_t now_ms);

/* Do a round, whatever log_clean_look says.  Unlocked; takes its time. */
enum log_clean_result log_clean(struct log *log,
    const struct log_clean_round *round, struct log_clean_stats *stats)
    WARN_UNUSED;

/*
 * Everything below was cleaned: for the checkpoint; -1 where nothing was.
 * Setting it is for a log that was just opened.  Locked.
 */
int64_t log_clean_offset(const struct log *log);
void log_clean_offset_set(struct log *log, int64_t offset);

/*
 * Is the log not cleaned any more because of what was found?  Until a start,
 * or until the segment that had it is gone.  Locked.
 */
bool log_is_uncleanable(const struct log *log);

#endif
