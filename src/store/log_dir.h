/*
 * A log directory: one entry of log.dirs, the place of partition directories.
 *
 *     .lock                             held while we run (fcntl, as Java)
 *     .kafka_cleanshutdown              only after an orderly stop
 *     meta.properties, bootstrap.checkpoint
 *     recovery-point-, log-start-, replication-, cleaner-offset-checkpoint
 *     .klamm_closed_logs                what an orderly stop left; ours alone
 *     __cluster_metadata-0/             not ours: the metadata log's
 *     TOPIC-N/                          a partition
 *     TOPIC-N.<32 hex>-delete/          being removed in the background
 *     TOPIC-N.<32 hex>-stray/           unknown to the metadata; kept
 *     TOPIC-N.<32 hex>-future/          on its way here from another directory
 *     remote-log-index-cache/           ignored
 *     lost+found/                       of the file system; ignored
 *
 * Any other directory is refused, as Kafka does; files are ignored.  Kafka
 * refuses lost+found, too, which only makes trouble where a log directory is a
 * volume of its own.
 */
#ifndef STORE_LOG_DIR_H
#define STORE_LOG_DIR_H

#include "base/base.h"
#include "base/uuid.h"
#include "store/checkpoint.h"
#include "store/closed_logs.h"

struct disk;

/* The names that a partition's directory can have. */
enum log_dir_kind {
	LOG_DIR_PARTITION,
	LOG_DIR_DELETE,
	LOG_DIR_STRAY,
	LOG_DIR_FUTURE,
	LOG_DIR_METADATA,
	LOG_DIR_IGNORED,
};

/* The checkpoints that say something of each partition. */
enum log_dir_checkpoint {
	LOG_DIR_RECOVERY_POINTS,
	LOG_DIR_LOG_STARTS,
	LOG_DIR_HIGH_WATERMARKS,
	LOG_DIR_CLEANER_POINTS,
	LOG_DIR_CHECKPOINTS,
};

struct log_dir_entry {
	enum log_dir_kind kind;
	char *name;         /* owned: the directory's name */
	struct slice topic; /* in name; possibly cut short for -delete */
	int32_t partition;
};

struct log_dir {
	/* immutable after opening */
	struct disk *disk;
	char *path;                 /* owned */
	struct uuid id;             /* directory.id */
	bool clean;                 /* the last stop was an orderly one */
	int64_t clean_broker_epoch; /* from its mark, or -1 */
	int lock_fd;

	/* the owner's */
	struct checkpoint found[LOG_DIR_CHECKPOINTS];
	struct closed_logs closed; /* by directory; none after a crash */
	uint32_t written_crc[LOG_DIR_CHECKPOINTS]; /* of the last texts */
	bool written[LOG_DIR_CHECKPOINTS];
	struct log_dir_entry *entries; /* found by log_dir_list */
	size_t entry_count;
};

/*
 * Lock .lock of the directory at path, making it where it is not.  The
 * descriptor, which keeps the lock until it is closed, or -1 after one logged
 * line: another process holds it, or the error of a file operation.
 */
int log_dir_lock(struct disk *disk, const char *path) WARN_UNUSED;

/*
 * Lock the directory at path, note the mark of a clean shutdown, read the
 * checkpoints.  NULL with errno after one logged line that says what is wrong:
 * EAGAIN where another process holds the lock, EBADMSG where a checkpoint is
 * malformed, or the error of a file operation.  Nothing but .lock has changed
 * then.
 */
struct log_dir *log_dir_open(
    struct disk *disk, const char *path, struct uuid id);

/* One that cannot be used: it has its path, no id, no lock and no entries. */
struct log_dir *log_dir_new_unusable(struct disk *disk, const char *path);

/*
 * Remove the mark of a clean shutdown, durably, before a log is opened: a
 * crash from here on is a crash.  0, or -1 after a logged line.
 */
int log_dir_mark_take(struct log_dir *dir) WARN_UNUSED;

/* Give up the lock, leaving .lock where it is (no clean stop); free. */
void log_dir_free(struct log_dir *dir);

/*
 * Find the directories inside.  0, or -1 with errno after one logged line:
 * EBADMSG where it names a directory whose name does not parse.
 */
int log_dir_list(struct log_dir *dir) WARN_UNUSED;

/*
 * Write the mark of a clean shutdown, durably and as the last thing: all logs
 * were synced and closed.  broker_epoch is that of our registration, or -1.
 * 0, or -1 after a logged line.
 */
int log_dir_mark_clean(struct log_dir *dir, int64_t broker_epoch) WARN_UNUSED;

/*
 * Keep what is known of the closed logs for the next start, before the mark.
 * Doing without costs time only, so what fails is logged and that is all.
 */
void log_dir_closed_write(struct log_dir *dir, struct closed_logs *closed);

/* Unlink .lock, where it is held: the last act of an orderly stop. */
void log_dir_unlock(struct log_dir *dir);

/* The offset that a checkpoint had for a partition, or fallback. */
int64_t log_dir_checkpoint_find(const struct log_dir *dir,
    enum log_dir_checkpoint which, struct slice topic, int32_t partition,
    int64_t fallback);

/*
 * Replace a checkpoint's file; nothing happens where it has the same text
 * since the last call.  0, or -1 with errno; logged unless disk_is_short.
 */
int log_dir_checkpoint_write(struct log_dir *dir, enum log_dir_checkpoint which,
    const struct checkpoint *checkpoint) WARN_UNUSED;

/* Free what was found: entries and checkpoints; or only the entries. */
void log_dir_forget(struct log_dir *dir);
void log_dir_entries_forget(struct log_dir *dir);

/*
 * What a directory name stands for.  0 with entry's kind, topic and partition
 * (borrowed from name; entry->name is not set), or -1 where it does not parse.
 */
int log_dir_name_parse(
    const char *name, struct log_dir_entry *entry) WARN_UNUSED;

/*
 * Has the partition's directory at path a segment with something in it?  1, 0
 * (also where there is no such directory), or -1 with errno.
 */
int log_dir_has_records(struct disk *disk, const char *path) WARN_UNUSED;

/* "TOPIC-N", on the heap. */
char *log_dir_partition_name(struct slice topic, int32_t partition);

/*
 * "TOPIC-N.<32 hex>-delete" with a random middle, or the same for a stray or a
 * future log, at most 255 characters: the topic is cut short where needed.  On
 * the heap.
 */
char *log_dir_renamed_name(
    struct slice topic, int32_t partition, enum log_dir_kind kind);

/*
 * Is the name short enough to get the future log's suffix uncut?  Else nobody
 * could tell whose it is (KAFKA-4893).
 */
bool log_dir_may_move(struct slice topic, int32_t partition);

/* "DIRECTORY/NAME", on the heap. */
char *log_dir_path(const struct log_dir *dir, const char *name);

#endif
