/*
 * The log cleaner: threads that compact the logs of a log manager, the one
 * with the largest part of dirty bytes first (Kafka's LogCleaner,
 * LogCleanerManager).
 *
 * A thread takes a log, does one round of it (log_clean.h), writes the cleaner
 * checkpoint of its directory, and lets retention run on the compacted logs;
 * when nothing is worth a round it sleeps for log.cleaner.backoff.ms.  All
 * threads share log.cleaner.io.max.bytes.per.second and the memory for keys,
 * which is there only during a round.
 *
 * Locks: `upkeep` of the log manager while a checkpoint is written and while
 * retention works on a log, its own mutex (a leaf) else.  None is held during
 * a round.
 */
#ifndef STORE_CLEANER_H
#define STORE_CLEANER_H

#include "base/base.h"

struct cleaner;
struct log_manager;
struct log_manager_view;
struct managed_dir;

struct cleaner_settings {
	bool enabled;		/* log.cleaner.enable */
	int thread_count;	/* log.cleaner.threads */
	int64_t memory_bytes;	/* log.cleaner.dedupe.buffer.size, of all */
	double map_load_factor;	/* log.cleaner.io.buffer.load.factor */
	int32_t buffer_bytes;	/* log.cleaner.io.buffer.size, of all */
	double bytes_per_second_max; /* log.cleaner.io.max.bytes.per.second */
	int64_t backoff_ms;	/* log.cleaner.backoff.ms */
};

/* Kafka 4.3's defaults. */
void cleaner_settings_init(struct cleaner_settings *settings);

/* A cleaner of manager's logs with those, that does nothing yet. */
struct cleaner *cleaner_new(struct log_manager *manager);

/* Stop and free; NULL is legal. */
void cleaner_free(struct cleaner *cleaner);

/* Start the threads, unless log.cleaner.enable is false. */
void cleaner_start(struct cleaner *cleaner);

/* End the rounds that run, and the threads; waits for them. */
void cleaner_stop(struct cleaner *cleaner);

/*
 * Other settings from now on, but for `enabled`, which is read at the start.
 * A round that runs goes on with its buffers.  Any thread; never waits for a
 * round.
 */
void cleaner_configure(
    struct cleaner *cleaner, const struct cleaner_settings *settings);

/*
 * What a thread does between two sleeps: true where a log was cleaned.  For
 * tests.
 */
bool cleaner_run(struct cleaner *cleaner);

/*
 * Write the cleaner checkpoint of a directory.  -1 with errno after a logged
 * line.  upkeep is held.
 */
int cleaner_checkpoint(const struct log_manager *manager,
    struct managed_dir *home, const struct log_manager_view *view)
    WARN_UNUSED;

#endif
