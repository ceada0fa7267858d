/*
 * The log manager: all logs of all log directories of one node, and what runs
 * around them: loading at start, retention, compaction, checkpoints,
 * background removal, the orderly stop.
 *
 * A start has three steps, because the logs' settings come from the metadata:
 * log_manager_new locks the directories and reads their checkpoints; then the
 * metadata log is replayed; log_manager_load opens the logs and
 * log_manager_start starts the background thread.
 *
 * A loaded log has its checkpointed high watermark, limited to its range.
 *
 * A log belongs to the manager.  Who uses one (a partition) holds it from
 * log_manager_create on, and gives it back with log_manager_release; a deleted
 * log is freed when its last holder did that.
 *
 * Thread-safe, except new, load, start, stop and free; create and delete are
 * one thread's at a time.  Takes its own lock before a log's, and a log's lock
 * never together with another's.
 */
#ifndef STORE_LOG_MANAGER_H
#define STORE_LOG_MANAGER_H

#include "base/base.h"
#include "base/uuid.h"
#include "store/cleaner.h"
#include "wire/error.h"

struct disk;
struct disk_space;
struct flusher;
struct log;
struct log_manager;
struct log_settings;

/* Intervals and delays in milliseconds. */
struct log_manager_settings {
	struct disk *disk;
	struct flusher *flusher;
	const char *const *directories; /* log.dirs; copied */
	size_t directory_count;
	const bool *unusable; /* those that cannot be; NULL: none */
	size_t open_files_max; /* segment files that are kept open */
	int32_t node_id;       /* must be that of meta.properties */

	/* num.recovery.threads.per.data.dir */
	int recovery_thread_count;
	/* log.initial.task.delay.ms, log.retention.check.interval.ms */
	int64_t retention_initial_ms;
	int64_t retention_interval_ms;
	/* log.flush.offset.checkpoint.interval.ms */
	int64_t recovery_point_interval_ms;
	/* log.flush.start.offset.checkpoint.interval.ms */
	int64_t log_start_interval_ms;
	/* replica.high.watermark.checkpoint.interval.ms */
	int64_t high_watermark_interval_ms;
	/* log.segment.delete.delay.ms */
	int64_t delete_delay_ms;
	/* producer.id.expiration.check.interval.ms */
	int64_t producer_check_interval_ms;
	/* log.flush.scheduler.interval.ms, for flush.ms of the logs */
	int64_t flush_check_interval_ms;
	struct cleaner_settings cleaner;
};

/* What the layers above tell; context is handed through. */
struct log_manager_hooks {
	void *context;

	/*
	 * While loading, on several threads, and later on the background
	 * thread: is this partition ours, and with which settings?  false
	 * makes the directory a stray.  Where *topic_id is zero the directory
	 * does not say whose it is: any topic of that name will do, and its id
	 * goes there.
	 */
	bool (*wanted)(void *context, struct slice topic, int32_t partition,
	    struct uuid *topic_id, struct log_settings *settings);

	/*
	 * While loading: the directory that the metadata has for the partition,
	 * which decides where it is in two.  NULL: nobody knows.
	 */
	struct uuid (*assigned)(
	    void *context, struct slice topic, int32_t partition);

	/* A log is in another directory now; on any thread.  May be NULL. */
	void (*moved)(void *context, struct uuid topic_id, int32_t partition,
	    struct uuid directory_id);

	/*
	 * A log directory failed and its logs are offline; once a directory,
	 * on any thread, no lock held.  remaining is the number that work.
	 */
	void (*directory_failed)(void *context, const char *path,
	    struct uuid directory_id, size_t remaining);

	/*
	 * Call log_manager_create again for what it could not make: there may
	 * be room now, or what could not be loaded may be loaded.  On the
	 * background thread.  May be NULL.
	 */
	void (*retry)(void *context);
};

/* Kafka's defaults; disk, flusher and directories are the caller's to set. */
void log_manager_settings_init(struct log_manager_settings *settings);

/*
 * Lock the directories, note how they were left, read their meta.properties
 * and checkpoints.  One that is unusable, or has an error of I/O, is offline;
 * NULL after one logged line that names what is wrong where all are, or one is
 * not ours, in use, or malformed.  A clean directory stays clean until
 * log_manager_load opens a log.
 */
struct log_manager *log_manager_new(
    const struct log_manager_settings *settings);

/*
 * Take over from settings what may change at any time: delete_delay_ms, the
 * cleaner's (see cleaner_configure), and recovery_thread_count, which the next
 * log_manager_load uses.  Any thread.
 */
void log_manager_configure(struct log_manager *manager,
    const struct log_manager_settings *settings);

/* Give up the locks and free everything, without the orderly stop. */
void log_manager_free(struct log_manager *manager);

/*
 * The broker epoch in the marks of a clean shutdown when all directories that
 * work agree, else -1 (BrokerRegistration's PreviousBrokerEpoch, KIP-966).
 */
int64_t log_manager_previous_broker_epoch(const struct log_manager *manager);

/* Did all directories that work end with an orderly stop? */
bool log_manager_was_clean(const struct log_manager *manager);

/*
 * 0 where no log directory has a partition with records; else, or where that
 * cannot be told, -1 after a logged line.  For who finds the metadata empty:
 * loading would set all partitions aside.  Before log_manager_load.
 */
int log_manager_check_empty(struct log_manager *manager) WARN_UNUSED;

/*
 * Open all logs, in parallel.  hooks is copied.  A directory with an error of
 * I/O goes offline.  0, or -1 after a logged line where what is in one makes
 * no sense.  A partition whose log cannot be opened is offline: after a logged
 * line log_manager_create refuses it.  Where it only found no room, the
 * background thread loads it once there is some.
 *
 * Where partition.metadata is lost or damaged, but there are records, some of
 * them below a recovery point, and the metadata has a topic of that name, the
 * file is written anew.
 */
int log_manager_load(struct log_manager *manager,
    const struct log_manager_hooks *hooks) WARN_UNUSED;

/* Start the background thread and the cleaner. */
void log_manager_start(struct log_manager *manager);

/*
 * Stop the background thread, where it runs: `wanted` and `retry` are not
 * called any more.  log_manager_stop does it, too.
 */
void log_manager_background_stop(struct log_manager *manager);

/*
 * The orderly stop: nobody holds a log any more.  Stops the background thread,
 * syncs and closes all logs, writes the checkpoints, then the marks of a
 * clean shutdown with broker_epoch, then unlinks the locks.  0, or -1 where a
 * directory could not be left clean, which was logged.
 */
int log_manager_stop(
    struct log_manager *manager, int64_t broker_epoch) WARN_UNUSED;

/* Where a partition's log belongs. */
struct log_manager_place {
	/* Zero: nobody has said, it is where the fewest logs are. */
	struct uuid directory;
	/*
	 * It was never anywhere.  One that was is not made anew while its
	 * directory is missing: not there or offline, or, where nobody has
	 * said, any that is offline.
	 */
	bool is_new;
	/* It is tried again: not where there still was no room just now. */
	bool again;
};

/*
 * Make the directory, partition.metadata and an empty log, without a sync;
 * where the log is there with the same topic id it is found instead.  A
 * partition that could not be loaded is not made anew.
 *
 * place says where it belongs.  settings is copied.  *log is held for the
 * caller.  KP_NONE, or KP_KAFKA_STORAGE_ERROR where the directory of the place
 * does not work, or after a line that is logged once until the hook `retry` was
 * of use.
 */
enum kp_error log_manager_create(struct log_manager *manager,
    struct slice topic, int32_t partition, struct uuid topic_id,
    const struct log_manager_place *place, const struct log_settings *settings,
    struct log **log) WARN_UNUSED;

/* Give back a log that log_manager_create held. */
void log_manager_release(struct log_manager *manager, struct log *log);

/*
 * Delete a log, which the caller holds and goes on holding: its name is free
 * at once, its directory is renamed and removed after the delay.  Appends to
 * it fail from here on.  KP_KAFKA_STORAGE_ERROR after a logged line where the
 * directory could not be renamed: it stays until the next start, or the next
 * log of its name, which sets it aside.  Blocks: not for a loop.
 */
enum kp_error log_manager_delete(
    struct log_manager *manager, struct log *log) WARN_UNUSED;

/* The number of logs, and of their bytes where size_bytes is not NULL. */
size_t log_manager_count(struct log_manager *manager, uint64_t *size_bytes);

/* Call fn for each log, held meanwhile, no lock of the manager's held. */
void log_manager_each(struct log_manager *manager,
    void (*fn)(void *context, struct log *log), void *context);

/* --- Log directories (log_manager_dirs.c) -------------------------------- */

/* One of log.dirs; path lives as long as the manager. */
struct log_manager_directory {
	const char *path;
	struct uuid id;
	bool offline;
};

/* They are numbered as in log.dirs; any thread. */
size_t log_manager_directory_count(const struct log_manager *manager);
struct log_manager_directory log_manager_directory(
    const struct log_manager *manager, size_t number);

/*
 * The file system of a directory; -1 with errno, and the directory goes
 * offline where that is an error of I/O.  Blocks: not for a loop.
 */
int log_manager_directory_space(struct log_manager *manager, size_t number,
    struct disk_space *space) WARN_UNUSED;

/*
 * The id of the directory that has the partition's log; false where there is
 * no log of that topic id.  Any thread.
 */
bool log_manager_find(struct log_manager *manager, struct slice topic,
    int32_t partition, struct uuid topic_id, struct uuid *directory);

/*
 * Move the partition's log to a directory.  KP_NONE where it is there, or on
 * its way there: DescribeLogDirs shows it as a future log until it has
 * arrived, and then the hook `moved` is called.  A move to another directory
 * ends.  What the last run did not finish log_manager_start begins anew.
 *
 * KP_NOT_LEADER_OR_FOLLOWER where there is no such log: a new one of that name
 * will be made in this directory.  KP_INVALID_TOPIC_EXCEPTION where the name
 * is too long, KP_KAFKA_STORAGE_ERROR where any directory is offline or the
 * copy cannot be made.  Any thread; makes files, so it is not for a loop.
 */
enum kp_error log_manager_move(struct log_manager *manager,
    struct slice topic, int32_t partition, size_t number) WARN_UNUSED;

/* A log in a directory that works, as log_manager_describe shows it. */
struct log_manager_replica {
	const char *topic;
	int32_t partition;
	size_t directory; /* its number */
	int64_t size_bytes;
	int64_t offset_lag; /* of what is behind another log; else 0 */
	bool future;        /* on its way here from another directory */
};

/* Call fn for each log in a directory that works; replica lives that long. */
void log_manager_describe(struct log_manager *manager,
    void (*fn)(void *context, const struct log_manager_replica *replica),
    void *context);

/*
 * For log_events' `failed`: log went offline by an error of I/O.  The
 * background thread takes its directory offline with all logs in it.  Any
 * thread, log's lock may be held.
 */
void log_manager_log_failed(struct log_manager *manager, struct log *log);

/* Run what is due now, as the background thread would; for tests. */
void log_manager_tick(struct log_manager *manager);

#endif
