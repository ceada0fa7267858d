/*
 * What the metadata log's own files share.
 */
#ifndef META_METADATA_LOG_INNER_H
#define META_METADATA_LOG_INNER_H

#include "meta/metadata_log.h"

struct metadata_log {
	/* immutable */
	struct metadata_log_settings settings;
	struct disk *disk;
	char *directory;

	/* the controller's thread */
	struct fd_cache *files;
	struct log *log;
	int32_t epoch;			/* 0 until one has begun */
	int32_t voted_epoch;		/* what quorum-state had */
	int32_t seen_epoch;		/* the highest that was replayed */
	int16_t kraft_version;
	struct slice voters;		/* owned: an encoded VotersRecord */
	int32_t voters_count;		/* -1: nothing was read of voters */
	int32_t first_voter;
	bool has_data;
	bool failed;
	int64_t active_base;		/* of the segment that is written */
	int64_t active_size;		/* what its file must have */
	int64_t snapshot_end;		/* of the newest; 0: none */
	int64_t snapshot_ms;		/* when it was made, or we began */
	int64_t bytes_since;		/* appended behind it */
};

/* Take what the log's active file has for what it must have; -1 and a line. */
int metadata_log_note_active(struct metadata_log *log) WARN_UNUSED;

#endif
