/*
 * Replaying the metadata log: its newest whole snapshot, then what follows.
 */
#include <errno.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "meta/metadata_log_inner.h"
#include "store/disk.h"
#include "store/log.h"
#include "wire/batch.h"
#include "wire/codec.h"
#include "wire/control_record.h"
#include "wire/generated/control_k_raft_version_record.h"
#include "wire/generated/control_leader_change_message.h"
#include "wire/generated/control_voters_record.h"

#define LOGGER "meta"
#define READ_LEN (1024 * 1024)

/* --- Control records ----------------------------------------------------- */

static int
note_kraft_version(struct metadata_log *log, struct slice value)
{
	struct kp_k_raft_version_record record;
	struct arena arena;
	int result;

	arena_init(&arena, READ_LEN);
	result = kp_decode(&kp_k_raft_version_record, 0, value, &arena,
	    &record);
	if (result == 0)
		log->kraft_version = record.k_raft_version;
	arena_reset(&arena);
	return result;
}

/* Who the voters are, by what was read last. */
static void
note_quorum(struct metadata_log *log, int32_t count, int32_t first)
{
	log->voters_count = count;
	log->first_voter = first;
}

/* A log without any record of its voters is as good as ours. */
static int
check_quorum(const struct metadata_log *log)
{
	if (log->voters_count < 0 ||
	    (log->voters_count == 1 &&
		log->first_voter == log->settings.node_id))
		return 0;
	if (log->voters_count == 1)
		log_error(LOGGER, "%s is of a quorum whose voter is node %d, "
		    "not %d: a single node serves only its own metadata",
		    log->directory, log->first_voter, log->settings.node_id);
	else
		log_error(LOGGER, "%s is of a quorum of %d voters: a single "
		    "node serves only its own metadata",
		    log->directory, log->voters_count);
	return -1;
}

static void
check_directory(const struct metadata_log *log,
    const struct kp_voters_record *record)
{
	if (record->voters_count == 1 &&
	    !uuid_equal(record->voters->voter_directory_id,
		log->settings.directory_id))
		log_warn(LOGGER, "%s: the voter's directory.id is not that "
		    "of meta.properties; Kafka would not start on it",
		    log->directory);
}

static int
note_voters(struct metadata_log *log, struct slice value)
{
	struct kp_voters_record record;
	struct arena arena;
	int result;

	arena_init(&arena, READ_LEN);
	result = kp_decode(&kp_voters_record, 0, value, &arena, &record);
	if (result == 0) {
		note_quorum(log, record.voters_count,
		    record.voters_count > 0 ? record.voters->voter_id : -1);
		check_directory(log, &record);
	}
	arena_reset(&arena);
	if (result == 0) {
		free((void *)(uintptr_t)log->voters.data);
		log->voters = slice_of(slice_dup(value), value.len);
	}
	return result;
}

/* With static voters this is the only place that names them. */
static int
note_leader_change(struct metadata_log *log, struct slice value)
{
	struct kp_leader_change_message message;
	struct arena arena;
	int result;

	arena_init(&arena, READ_LEN);
	result = kp_decode(&kp_leader_change_message, 0, value, &arena,
	    &message);
	if (result == 0)
		note_quorum(log, message.voters_count,
		    message.voters_count > 0 ? message.voters->voter_id : -1);
	arena_reset(&arena);
	return result;
}

static int
read_control(struct metadata_log *log,
    const struct metadata_snapshot_record *record)
{
	enum control_record_type type;

	if (control_record_key_read(record->key, &type) != 0)
		return -1;
	switch (type) {
	case CONTROL_RECORD_LEADER_CHANGE:
		return note_leader_change(log, record->value);
	case CONTROL_RECORD_KRAFT_VERSION:
		return note_kraft_version(log, record->value);
	case CONTROL_RECORD_KRAFT_VOTERS:
		return note_voters(log, record->value);
	default:
		return 0;
	}
}

static int
note_control(struct metadata_log *log,
    const struct metadata_snapshot_record *record)
{
	if (read_control(log, record) == 0)
		return 0;
	log_error(LOGGER, "%s: the control record at offset %ld makes no "
	    "sense", log->directory, record->offset);
	return -1;
}

/* --- Replaying ----------------------------------------------------------- */

struct replay {
	struct metadata_log *log;
	metadata_log_record_fn fn;
	void *context;
	int64_t from;			/* records below are not shown */
	int32_t epoch;
	bool snapshot;
};

static int
replay_record(void *context, const struct metadata_snapshot_record *record)
{
	struct replay *replay = context;
	struct metadata_log_record out = {
		.offset = record->offset,
		.epoch = replay->epoch,
		.timestamp_ms = record->timestamp_ms,
		.value = record->value,
		.batch_end = record->batch_end,
		.snapshot = replay->snapshot,
	};

	if (record->control)
		return note_control(replay->log, record);
	if (!replay->snapshot && record->offset < replay->from)
		return 0;
	replay->log->has_data = true;
	return replay->fn(replay->context, &out);
}

/* Looks for the newest snapshot below another, which may be none. */
struct newest {
	struct metadata_snapshot_id below;
	struct metadata_snapshot_id id;
	bool found;
};

static bool
is_older(struct metadata_snapshot_id a, struct metadata_snapshot_id b)
{
	return a.end_offset != b.end_offset ? a.end_offset < b.end_offset :
					      a.epoch < b.epoch;
}

static int
note_newest(void *context, const char *name)
{
	struct newest *newest = context;
	struct metadata_snapshot_id id;

	if (metadata_snapshot_name_parse(name, &id) == 0 &&
	    is_older(id, newest->below) &&
	    (!newest->found || is_older(newest->id, id))) {
		newest->id = id;
		newest->found = true;
	}
	return 0;
}

static int
replay_bytes(struct replay *replay, struct metadata_snapshot_id id,
    struct slice bytes)
{
	struct metadata_log *log = replay->log;
	bool damaged;
	int result;

	replay->snapshot = true;
	replay->epoch = id.epoch;
	result =
	    metadata_snapshot_walk(bytes, replay_record, replay, &damaged);
	replay->snapshot = false;
	replay->from = id.end_offset;
	log->snapshot_end = id.end_offset;
	log->seen_epoch = id.epoch;
	return result;
}

/* 1 where the snapshot is damaged, so that an older one may do. */
static int
replay_snapshot(struct replay *replay, struct metadata_snapshot_id id)
{
	char *path = metadata_snapshot_path(replay->log->directory, id);
	struct slice bytes = metadata_snapshot_read(replay->log->disk, path);
	int result = -1;

	if (!slice_is_null(bytes)) {
		result = replay_bytes(replay, id, bytes);
	} else if (errno == EBADMSG) {
		log_warn(LOGGER, "the snapshot %s is damaged", path);
		result = 1;
	} else {
		log_error(LOGGER, "cannot read the snapshot %s: %s", path,
		    strerror(errno));
	}
	free((void *)(uintptr_t)bytes.data);
	free(path);
	return result;
}

static int
replay_snapshots(struct replay *replay)
{
	struct metadata_log *log = replay->log;
	struct newest newest = { .below = { INT64_MAX, INT32_MAX } };
	int result;

	do {
		newest.found = false;
		if (disk_list(log->disk, log->directory, note_newest,
			&newest) != 0) {
			log_error(LOGGER, "cannot list %s: %s",
			    log->directory, strerror(errno));
			return -1;
		}
		if (!newest.found)
			return 0;
		result = replay_snapshot(replay, newest.id);
		newest.below = newest.id;
	} while (result == 1);
	return result;
}

/* Fill piece with what stands in the log from offset on. */
static int
read_piece(struct metadata_log *log, int64_t offset, struct buf *piece)
{
	struct log_read read = {
		.offset = offset,
		.max_bytes = READ_LEN,
		.min_one_batch = true,
	};
	enum kp_error error;
	uint8_t *room;
	ssize_t n;

	log_lock(log->log);
	read.upper_bound = log_end_offset(log->log);
	error = log_read(log->log, &read);
	log_unlock(log->log);
	if (error == KP_NONE && read.unresolved)
		error = log_read_resolve(&read);
	if (error != KP_NONE) {
		log_error(LOGGER, "%s is damaged at offset %ld: %s",
		    log->directory, offset, kp_error_name(error));
		return -1;
	}
	buf_clear(piece);
	room = buf_reserve(piece, read.len);
	assert(room != NULL);
	n = disk_pread(log->disk, read.fd, room, read.len, read.position);
	log_read_release(&read);
	if (n < 0) {
		log_error(LOGGER, "cannot read %s: %s", log->directory,
		    strerror(errno));
		return -1;
	}
	piece->len = (size_t)n;
	return 0;
}

/* Replay the whole batches in bytes; *next is behind the last. */
static int
replay_piece(struct replay *replay, struct slice bytes, int64_t *next)
{
	struct metadata_log *log = replay->log;
	struct batch batch;
	bool damaged;

	while (batch_read(bytes, &batch) == 0) {
		struct slice one = slice_of(bytes.data, batch.size_bytes);

		replay->epoch = batch.leader_epoch;
		log->seen_epoch = MAX(log->seen_epoch, batch.leader_epoch);
		log->bytes_since += (int64_t)one.len;
		if (metadata_snapshot_walk(one, replay_record, replay,
			&damaged) != 0) {
			if (damaged)
				log_error(LOGGER, "%s is damaged at offset "
				    "%ld", log->directory, batch.base_offset);
			return -1;
		}
		*next = batch.last_offset + 1;
		bytes.data += one.len;
		bytes.len -= one.len;
	}
	return 0;
}

static int
replay_log(struct replay *replay, int64_t offset)
{
	struct metadata_log *log = replay->log;
	int64_t end = metadata_log_end_offset(log);
	struct buf piece;
	int result = 0;

	buf_init(&piece, SIZE_MAX);
	while (result == 0 && offset < end) {
		int64_t next = offset;

		result = read_piece(log, offset, &piece);
		if (result == 0)
			result =
			    replay_piece(replay, buf_slice(&piece), &next);
		if (result == 0 && next == offset) {
			log_error(LOGGER, "%s ends in the middle of a batch "
			    "at offset %ld", log->directory, offset);
			result = -1;
		}
		offset = next;
	}
	buf_fini(&piece);
	return result;
}

/* The log must go on where the snapshot ends. */
static int
join_log(struct metadata_log *log, int64_t snapshot_end, int64_t *from)
{
	int64_t start;

	log_lock(log->log);
	start = log_start_offset(log->log);
	log_unlock(log->log);
	if (start > snapshot_end) {
		log_error(LOGGER, "%s begins at offset %ld, but its newest "
		    "snapshot ends at %ld: records are missing",
		    log->directory, start, snapshot_end);
		return -1;
	}
	if (metadata_log_end_offset(log) < snapshot_end) {
		log_warn(LOGGER, "%s ends before its newest snapshot does; it "
		    "goes on at offset %ld", log->directory, snapshot_end);
		if (log_truncate_fully(log->log, snapshot_end,
			clock_wall_ms()) != 0)
			return -1;
		if (metadata_log_note_active(log) != 0)
			return -1;
	}
	*from = MAX(start, snapshot_end);
	return 0;
}

int
metadata_log_replay(struct metadata_log *log, metadata_log_record_fn fn,
    void *context)
{
	struct replay replay = { .log = log, .fn = fn, .context = context };
	int64_t from;

	if (replay_snapshots(&replay) != 0 ||
	    join_log(log, replay.from, &from) != 0)
		return -1;
	if (replay_log(&replay, from) != 0)
		return -1;
	return check_quorum(log);
}

/* --- Bootstrap records --------------------------------------------------- */

struct bootstrap {
	metadata_log_record_fn fn;
	void *context;
};

static int
bootstrap_record(void *context, const struct metadata_snapshot_record *record)
{
	const struct bootstrap *bootstrap = context;
	const struct metadata_log_record out = {
		.offset = record->offset,
		.timestamp_ms = record->timestamp_ms,
		.value = record->value,
		.batch_end = record->batch_end,
		.snapshot = true,
	};

	return record->control ? 0 : bootstrap->fn(bootstrap->context, &out);
}

int
metadata_log_read_bootstrap(struct metadata_log *log,
    metadata_log_record_fn fn, void *context)
{
	struct bootstrap bootstrap = { fn, context };
	char *path = xasprintf("%s/../%s", log->directory,
	    METADATA_SNAPSHOT_BOOTSTRAP);
	struct slice bytes = metadata_snapshot_read(log->disk, path);
	bool damaged;
	int result = 0;

	if (!slice_is_null(bytes)) {
		result = metadata_snapshot_walk(bytes, bootstrap_record,
		    &bootstrap, &damaged);
	} else if (errno != ENOENT) {
		log_error(LOGGER, "%s: %s", path,
		    errno == EBADMSG ? "it is damaged" : strerror(errno));
		result = -1;
	}
	free((void *)(uintptr_t)bytes.data);
	free(path);
	return result;
}
