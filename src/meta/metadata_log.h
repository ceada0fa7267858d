/*
 * Metadata log: __cluster_metadata-0, the log of a quorum of one, with its
 * snapshots (%020d-%010d.checkpoint) and quorum-state.
 *
 * Opening a log cuts a torn tail.  What other processes wrote behind our
 * back (a Kafka that was started on the same directory appends before it
 * notices the lock) is cut before the next append, with a line in the log.
 *
 * One thread at a time: whoever opens it, then the controller's thread.
 * Failures of the disk are logged here and given back as -1; after one the
 * log takes no more appends, but after one for lack of space.
 */
#ifndef META_METADATA_LOG_H
#define META_METADATA_LOG_H

#include "base/base.h"
#include "base/uuid.h"
#include "meta/metadata_snapshot.h"

struct disk;
struct fd_cache;
struct metadata_log;

struct metadata_log_settings {
	struct disk *disk;
	const char *log_dir;	/* the one that holds __cluster_metadata-0 */
	struct uuid directory_id;	/* of log_dir */
	int32_t node_id;
	/* How a voter is reached; the caller's for as long as the log. */
	const char *controller_listener;
	const char *controller_host;
	uint16_t controller_port;
	bool sync;		/* false: leave it to the page cache */
	int64_t segment_bytes;	/* metadata.log.segment.bytes */
	int64_t segment_ms;	/* metadata.log.segment.ms */
	int64_t snapshot_bytes;	/* metadata.log.max.record.bytes.between.
				   snapshots */
	/* metadata.log.max.snapshot.interval.ms */
	int64_t snapshot_interval_ms;
	int64_t retention_bytes; /* metadata.max.retention.bytes */
	int64_t retention_ms;	/* metadata.max.retention.ms */
};

/* Kafka's defaults, for all but the first four. */
void metadata_log_settings_init(struct metadata_log_settings *settings);

/*
 * Open; NULL with one line in the log.  Nothing is changed where quorum-state
 * is damaged.
 */
struct metadata_log *metadata_log_open(
    const struct metadata_log_settings *settings);
/* Close; the log's files are as clean as what was synced. */
void metadata_log_close(struct metadata_log *log);

/* A record while replaying; value is valid during the call only. */
struct metadata_log_record {
	int64_t offset;
	int32_t epoch;
	int64_t timestamp_ms;
	struct slice value;
	bool batch_end;		/* the last one of its batch */
	bool snapshot;		/* offset counts within the snapshot */
};
typedef int (*metadata_log_record_fn)(void *context,
    const struct metadata_log_record *record);

/*
 * Call fn for each data record of the newest whole snapshot and of the log
 * behind it, in order; stop at the first that gives -1.  Control records are
 * handled here: KRaftVersion and Voters are remembered.  -1 with one line in
 * the log where something is damaged, where voters are others than
 * node_id, or where fn failed.
 */
int metadata_log_replay(struct metadata_log *log, metadata_log_record_fn fn,
    void *context) WARN_UNUSED;

/*
 * Call fn for each data record of the directory's bootstrap.checkpoint, which
 * says what a fresh cluster begins with.  0 also where there is none; -1 with
 * one line in the log where it is damaged, or where fn failed.
 */
int metadata_log_read_bootstrap(struct metadata_log *log,
    metadata_log_record_fn fn, void *context) WARN_UNUSED;

/*
 * Begin the next epoch: quorum-state first, then LeaderChange in the log,
 * synced.  Epochs go on from the higher one of quorum-state and log.
 */
int metadata_log_begin_epoch(struct metadata_log *log) WARN_UNUSED;

/*
 * Append framed records (meta/metadata_record.h) and sync them: all of them
 * or, with -1, none.  They stand in bytes one after the other, lens[i] bytes
 * each, and get the offsets from the log's end on; where they do not fit into
 * one batch BeginTransaction comes before them, and EndTransaction behind.
 */
int metadata_log_append(struct metadata_log *log, struct slice bytes,
    const uint32_t *lens, size_t count) WARN_UNUSED;

int64_t metadata_log_end_offset(const struct metadata_log *log);
int32_t metadata_log_epoch(const struct metadata_log *log);
bool metadata_log_failed(const struct metadata_log *log);
/* Neither a log nor a snapshot holds a data record. */
bool metadata_log_empty(const struct metadata_log *log);
/* 0 or 1: kraft.version.  Any thread. */
int16_t metadata_log_kraft_version(const struct metadata_log *log);

/*
 * Raise kraft.version from 0 to 1 and sync that: from here on the log says
 * who the voters are.  -1: it is as it was, unless the log has failed.
 */
int metadata_log_raise_kraft_version(struct metadata_log *log) WARN_UNUSED;
/* Where it is, for who has to say so; valid as long as it is. */
const char *metadata_log_directory(const struct metadata_log *log);

/* Of the directory that it was opened in. */
struct uuid metadata_log_directory_id(const struct metadata_log *log);

/* Has enough been written since the last snapshot to make another? */
bool metadata_log_snapshot_due(const struct metadata_log *log,
    int64_t now_ms);

/*
 * Write a snapshot: begin, any number of metadata_snapshot_write, then end,
 * which makes it visible and lets old segments and snapshots go.  end_offset
 * is exclusive and at the end of a batch; epoch is that batch's.  A failure
 * is logged and leaves the older snapshot in place.
 */
struct metadata_snapshot *metadata_log_snapshot_begin(
    struct metadata_log *log, int64_t end_offset, int32_t epoch,
    int64_t last_timestamp_ms);
int metadata_log_snapshot_end(struct metadata_log *log,
    struct metadata_snapshot *snapshot) WARN_UNUSED;

#endif
