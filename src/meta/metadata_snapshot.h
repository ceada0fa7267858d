/*
 * Metadata snapshots: %020d-%010d.checkpoint files in __cluster_metadata-0,
 * named by their end offset (exclusive) and its epoch, and
 * bootstrap.checkpoint, which has the same form.
 *
 *     control batch   SnapshotHeader [KRaftVersion, Voters]
 *     data batches    framed metadata records
 *     control batch   SnapshotFooter
 *
 * Offsets inside begin at 0.  A snapshot is written under a name that ends in
 * ".part", synced and renamed; one without its footer is not read.
 */
#ifndef META_METADATA_SNAPSHOT_H
#define META_METADATA_SNAPSHOT_H

#include "base/base.h"

struct disk;
struct metadata_snapshot;

#define METADATA_SNAPSHOT_SUFFIX ".checkpoint"
/* In each log directory, not in the metadata log's. */
#define METADATA_SNAPSHOT_BOOTSTRAP "bootstrap.checkpoint"

struct metadata_snapshot_id {
	int64_t end_offset;
	int32_t epoch;
};

/* The id that a file's name says; -1 where it is not a snapshot's name. */
int metadata_snapshot_name_parse(const char *name,
    struct metadata_snapshot_id *id) WARN_UNUSED;

/* "DIRECTORY/%020d-%010d.checkpoint", on the heap. */
char *metadata_snapshot_path(const char *directory,
    struct metadata_snapshot_id id);

/* What a new snapshot begins with. */
struct metadata_snapshot_header {
	int32_t epoch;			/* stands in all batches */
	int64_t last_timestamp_ms;	/* of the last record it contains */
	int64_t now_ms;
	bool voters;			/* has the next two */
	int16_t kraft_version;
	struct slice voters_record;	/* an encoded VotersRecord */
	mode_t mode;			/* of the file */
};

/* Begin to write path; header is borrowed for the call. */
struct metadata_snapshot *metadata_snapshot_create(struct disk *disk,
    const char *path, const struct metadata_snapshot_header *header);

/* Add a framed record; -1 where a write failed, also an earlier one. */
int metadata_snapshot_write(struct metadata_snapshot *snapshot,
    struct slice value) WARN_UNUSED;

/*
 * Write the footer, sync, rename, and free.  -1 with a line in the log where
 * anything failed; no file is left then, unless it was the rename that could
 * not be made durable.
 */
int metadata_snapshot_end(struct metadata_snapshot *snapshot) WARN_UNUSED;

/* Give up: no file is left. */
void metadata_snapshot_abort(struct metadata_snapshot *snapshot);

/* One record while reading; value is valid during the call only. */
struct metadata_snapshot_record {
	int64_t offset;
	int64_t timestamp_ms;
	struct slice key;		/* control records only */
	struct slice value;
	bool control;
	bool batch_end;
};

typedef int (*metadata_snapshot_fn)(void *context,
    const struct metadata_snapshot_record *record);

/*
 * Call fn for each record of the batches in bytes, a whole snapshot or a piece
 * of a log.  -1 where a batch is cut or damaged, with *damaged true, or where
 * fn gave -1.
 */
int metadata_snapshot_walk(struct slice bytes, metadata_snapshot_fn fn,
    void *context, bool *damaged) WARN_UNUSED;

/*
 * The whole file at path, on the heap; the null slice where it cannot be read
 * (errno), or is not whole (EBADMSG): no footer at the end, a checksum that
 * does not match.
 */
struct slice metadata_snapshot_read(struct disk *disk, const char *path);

#endif
