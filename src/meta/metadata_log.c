#include "meta/metadata_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "meta/control_batch.h"
#include "meta/metadata_record.h"
#include "meta/quorum_state.h"
#include "store/disk.h"
#include "store/fd_cache.h"
#include "store/log.h"
#include "store/partition_metadata.h"
#include "wire/codec.h"
#include "wire/generated/control_k_raft_version_record.h"
#include "wire/generated/control_leader_change_message.h"
#include "wire/generated/control_voters_record.h"

#define LOGGER "meta"
#define NAME "__cluster_metadata-0"

/* Segments of this log, and the one file that is being read. */
#define OPEN_FILES_MAX 16
#define READ_LEN (1024 * 1024)

struct metadata_log {
	/* immutable */
	struct metadata_log_settings settings;
	struct disk *disk;
	char *directory;

	/* the controller's thread */
	struct fd_cache *files;
	struct log *log;
	int32_t epoch;			/* 0 until one has begun */
	int16_t kraft_version;
	struct slice voters;		/* owned: an encoded VotersRecord */
	bool has_data;
	bool failed;
	int64_t active_base;		/* of the segment that is written */
	int64_t active_size;		/* what its file must have */
	int64_t snapshot_end;		/* of the newest; 0: none */
	int64_t snapshot_ms;		/* when it was made, or we began */
	int64_t bytes_since;		/* appended behind it */
};

void
metadata_log_settings_init(struct metadata_log_settings *settings)
{
	*settings = (struct metadata_log_settings){
		.sync = true,
		.segment_bytes = 1024 * 1024 * 1024,
		.segment_ms = (int64_t)7 * 24 * 3600 * 1000,
		.snapshot_bytes = 20 * 1024 * 1024,
		.snapshot_interval_ms = 3600 * 1000,
		.retention_bytes = 100 * 1024 * 1024,
		.retention_ms = (int64_t)7 * 24 * 3600 * 1000,
	};
}

/* --- Opening --------------------------------------------------------------- */

static struct uuid
topic_id(void)
{
	return (struct uuid){ .bytes = { [15] = 1 } };
}

static void
fill_open(const struct metadata_log *log, struct log_open *open)
{
	memset(open, 0, sizeof(*open));
	open->disk = log->disk;
	open->files = log->files;
	open->path = log->directory;
	open->now_ms = clock_wall_ms();
	log_settings_init(&open->settings);
	open->settings.segment_bytes =
	    (int32_t)MIN(log->settings.segment_bytes, INT32_MAX);
	open->settings.segment_ms = log->settings.segment_ms;
	open->settings.retention_ms = -1;
	open->settings.retention_bytes = -1;
}

/* Kafka loads this log as after an unclean stop, always; so do we. */
static struct log *
open_log(struct metadata_log *log)
{
	struct log_open open;
	struct uuid id;

	fill_open(log, &open);
	if (partition_metadata_read(log->disk, log->directory, &id) == 0)
		return log_open(&open);
	if (errno != ENOENT) {
		log_error(LOGGER, "%s/%s: %s", log->directory,
		    PARTITION_METADATA_FILE, strerror(errno));
		return NULL;
	}
	return log_create(&open, topic_id());
}

static char *
active_path(struct metadata_log *log)
{
	return xasprintf("%s/%020ld.log", log->directory, log->active_base);
}

/* Take what the log's active file has for what it must have. */
static int
note_active(struct metadata_log *log)
{
	struct stat st;
	char *path;
	int result;

	log_lock(log->log);
	log->active_base = log_active_base_offset(log->log);
	log_unlock(log->log);
	path = active_path(log);
	result = disk_stat(log->disk, path, &st);
	if (result != 0)
		log_error(LOGGER, "cannot look at %s: %s", path,
		    strerror(errno));
	else
		log->active_size = st.st_size;
	free(path);
	return result;
}

struct metadata_log *
metadata_log_open(const struct metadata_log_settings *settings)
{
	struct metadata_log *log = xcalloc(1, sizeof(*log));

	log->settings = *settings;
	log->disk = settings->disk;
	log->directory = xasprintf("%s/%s", settings->log_dir, NAME);
	log->settings.log_dir = NULL;
	log->files = fd_cache_new(log->disk, OPEN_FILES_MAX);
	log->snapshot_ms = clock_wall_ms();
	log->log = open_log(log);
	if (log->log != NULL && note_active(log) == 0)
		return log;
	metadata_log_close(log);
	return NULL;
}

void
metadata_log_close(struct metadata_log *log)
{
	if (log == NULL)
		return;
	if (log->log != NULL && log_close(log->log) != 0)
		log_warn(LOGGER, "%s could not be closed cleanly",
		    log->directory);
	fd_cache_free(log->files);
	free((void *)(uintptr_t)log->voters.data);
	free(log->directory);
	free(log);
}

/* --- Control records ------------------------------------------------------- */

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

static int
check_voters(const struct metadata_log *log,
    const struct kp_voters_record *record)
{
	if (record->voters_count == 1 &&
	    record->voters[0].voter_id == log->settings.node_id)
		return 0;
	log_error(LOGGER, "%s is of a quorum of %d voters; a single node "
	    "serves only its own metadata", log->directory,
	    record->voters_count);
	return -1;
}

static int
note_voters(struct metadata_log *log, struct slice value)
{
	struct kp_voters_record record;
	struct arena arena;
	int result;

	arena_init(&arena, READ_LEN);
	result = kp_decode(&kp_voters_record, 0, value, &arena, &record);
	if (result == 0)
		result = check_voters(log, &record);
	arena_reset(&arena);
	if (result == 0) {
		free((void *)(uintptr_t)log->voters.data);
		log->voters = slice_of(slice_dup(value), value.len);
	}
	return result;
}

static int
note_control(struct metadata_log *log,
    const struct metadata_snapshot_record *record)
{
	enum control_record_type type;

	if (control_record_key_read(record->key, &type) != 0)
		return -1;
	if (type == CONTROL_RECORD_KRAFT_VERSION)
		return note_kraft_version(log, record->value);
	if (type == CONTROL_RECORD_KRAFT_VOTERS)
		return note_voters(log, record->value);
	return 0;
}

/* --- Replaying ------------------------------------------------------------- */

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

struct newest {
	struct metadata_snapshot_id id;
	bool found;
};

static int
note_newest(void *context, const char *name)
{
	struct newest *newest = context;
	struct metadata_snapshot_id id;

	if (metadata_snapshot_name_parse(name, &id) != 0)
		return 0;
	if (!newest->found || id.end_offset > newest->id.end_offset ||
	    (id.end_offset == newest->id.end_offset &&
		id.epoch > newest->id.epoch))
		newest->id = id;
	newest->found = true;
	return 0;
}

static int
replay_snapshot(struct replay *replay, struct metadata_snapshot_id id)
{
	struct metadata_log *log = replay->log;
	char *path = metadata_snapshot_path(log->directory, id);
	struct slice bytes = metadata_snapshot_read(log->disk, path);
	bool damaged;
	int result = -1;

	if (slice_is_null(bytes)) {
		log_error(LOGGER, "cannot read the snapshot %s: %s", path,
		    errno == EBADMSG ? "it is damaged" : strerror(errno));
	} else {
		replay->snapshot = true;
		replay->epoch = id.epoch;
		result = metadata_snapshot_walk(bytes, replay_record, replay,
		    &damaged);
		replay->snapshot = false;
		replay->from = id.end_offset;
		log->snapshot_end = id.end_offset;
	}
	free((void *)(uintptr_t)bytes.data);
	free(path);
	return result;
}

/* Read from offset on, whole batches; *next is behind them. */
static int
read_piece(struct metadata_log *log, struct log_read *read, struct buf *piece)
{
	enum kp_error error;
	uint8_t *room;
	ssize_t n;

	log_lock(log->log);
	read->upper_bound = log_end_offset(log->log);
	error = log_read(log->log, read);
	log_unlock(log->log);
	if (error == KP_NONE && read->unresolved)
		error = log_read_resolve(read);
	if (error != KP_NONE) {
		log_error(LOGGER, "%s is damaged at offset %ld: %s",
		    log->directory, read->offset, kp_error_name(error));
		return -1;
	}
	buf_clear(piece);
	room = buf_reserve(piece, read->len);
	assert(room != NULL);
	n = disk_pread(log->disk, read->fd, room, read->len, read->position);
	log_read_release(read);
	if (n < 0) {
		log_error(LOGGER, "cannot read %s: %s", log->directory,
		    strerror(errno));
		return -1;
	}
	piece->len = (size_t)n;
	return 0;
}

/* The whole batches at the start of piece; *next is behind the last. */
static struct slice
whole_batches(const struct buf *piece, int64_t *next, int32_t *epoch)
{
	size_t at = 0;
	struct batch batch;

	while (batch_read(slice_of(piece->data + at, piece->len - at),
		   &batch) == 0) {
		at += batch.size_bytes;
		*next = batch.last_offset + 1;
		*epoch = batch.leader_epoch;
	}
	return slice_of(piece->data, at);
}

/* One batch at a time would do; epochs are told batch by batch. */
static int
walk_pieces(struct replay *replay, struct slice bytes)
{
	struct batch batch;
	bool damaged;

	while (bytes.len > 0 && batch_read(bytes, &batch) == 0) {
		struct slice one = slice_of(bytes.data, batch.size_bytes);

		replay->epoch = batch.leader_epoch;
		if (metadata_snapshot_walk(one, replay_record, replay,
			&damaged) != 0) {
			if (damaged)
				log_error(LOGGER, "%s is damaged at offset "
				    "%ld", replay->log->directory,
				    batch.base_offset);
			return -1;
		}
		bytes.data += batch.size_bytes;
		bytes.len -= batch.size_bytes;
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
		struct log_read read = {
			.offset = offset,
			.max_bytes = READ_LEN,
			.min_one_batch = true,
		};
		int64_t next = offset;
		int32_t epoch = 0;
		struct slice whole;

		result = read_piece(log, &read, &piece);
		if (result != 0)
			break;
		whole = whole_batches(&piece, &next, &epoch);
		if (next == offset) {
			log_error(LOGGER, "%s ends in the middle of a batch "
			    "at offset %ld", log->directory, offset);
			result = -1;
			break;
		}
		log->bytes_since += (int64_t)whole.len;
		result = walk_pieces(replay, whole);
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
		if (note_active(log) != 0)
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
	struct newest newest = { .found = false };
	int64_t from;

	if (disk_list(log->disk, log->directory, note_newest, &newest) != 0) {
		log_error(LOGGER, "cannot list %s: %s", log->directory,
		    strerror(errno));
		return -1;
	}
	if (newest.found && replay_snapshot(&replay, newest.id) != 0)
		return -1;
	if (join_log(log, replay.from, &from) != 0)
		return -1;
	return replay_log(&replay, from);
}

/* --- Appending ------------------------------------------------------------- */

static int
give_up(struct metadata_log *log, const char *what)
{
	log_error(LOGGER, "%s: %s; the metadata takes no more changes",
	    log->directory, what);
	log->failed = true;
	return -1;
}

/*
 * A Kafka that is started on the same directory appends to this log before it
 * notices that it is locked: what it wrote is cut off again.
 */
static int
cut_foreign_tail(struct metadata_log *log)
{
	char *path = active_path(log);
	struct stat st;
	int fd, result = 0;

	if (disk_stat(log->disk, path, &st) != 0) {
		result = give_up(log, strerror(errno));
	} else if (st.st_size < log->active_size) {
		result = give_up(log, "another process has cut it");
	} else if (st.st_size > log->active_size) {
		log_warn(LOGGER, "%s: another process has appended %ld "
		    "bytes; they are cut off", path,
		    (int64_t)st.st_size - log->active_size);
		fd = disk_open(log->disk, path, O_RDWR, 0);
		if (fd < 0 ||
		    disk_ftruncate(log->disk, fd, log->active_size) != 0 ||
		    quorum_state_write(log->disk, log->directory,
			log->settings.node_id, log->epoch,
			log->kraft_version) != 0)
			result = give_up(log, strerror(errno));
		if (fd >= 0)
			disk_close(log->disk, fd);
	}
	free(path);
	return result;
}

static enum kp_error
append_locked(struct metadata_log *log, struct log_append *append)
{
	enum kp_error error;
	int64_t base;

	log_lock(log->log);
	error = log_append(log->log, append);
	if (error == KP_NONE) {
		base = log_active_base_offset(log->log);
		if (base != log->active_base)
			log->active_size = 0;
		log->active_base = base;
		log->active_size += (int64_t)append->len;
		log->bytes_since += (int64_t)append->len;
		log_high_watermark_set(log->log, append->last_offset + 1);
	}
	log_unlock(log->log);
	return error;
}

/* Append one batch, which has its offsets and its epoch. */
static int
append_batch(struct metadata_log *log, struct buf *batch)
{
	struct log_append append = {
		.data = batch->data,
		.len = batch->len,
		.leader_epoch = log->epoch,
		.origin = LOG_RAFT,
		.now_ms = clock_wall_ms(),
	};
	enum kp_error error;

	if (log->failed || cut_foreign_tail(log) != 0)
		return -1;
	error = append_locked(log, &append);
	if (error != KP_NONE)
		return give_up(log, kp_error_name(error));
	return 0;
}

static int
sync_log(struct metadata_log *log)
{
	if (!log->settings.sync || log_flush_all(log->log) == 0)
		return 0;
	return give_up(log, "it cannot be synced");
}

/* Fill batch with records from *at on, as many as one batch may hold. */
static void
build_batch(struct metadata_log *log, const uint8_t **value,
    const uint32_t *lens, size_t count, size_t *at, struct buf *batch)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct batch_builder builder;
	int64_t now = clock_wall_ms();
	int result = 0;

	options.base_offset = metadata_log_end_offset(log);
	options.leader_epoch = log->epoch;
	batch_builder_init(&builder, &options, batch);
	while (*at < count) {
		size_t size = batch_builder_size_bytes(&builder) + lens[*at];

		if (size > METADATA_RECORD_BATCH_LEN_MAX / 2 &&
		    builder.record_count > 0)
			break;
		result = batch_builder_add(&builder, now, SLICE_NULL,
		    slice_of(*value, lens[*at]));
		assert(result == 0);
		*value += lens[(*at)++];
	}
	result = batch_builder_finish(&builder);
	assert(result == 0);
}

int
metadata_log_append(struct metadata_log *log, struct slice values,
    const uint32_t *lens, size_t count, int64_t *base_offset)
{
	const uint8_t *value = values.data;
	struct buf batch;
	size_t at = 0;
	int result = 0;

	*base_offset = metadata_log_end_offset(log);
	buf_init(&batch, SIZE_MAX);
	while (result == 0 && at < count) {
		buf_clear(&batch);
		build_batch(log, &value, lens, count, &at, &batch);
		result = append_batch(log, &batch);
	}
	buf_fini(&batch);
	if (result == 0 && count > 0)
		result = sync_log(log);
	log->has_data |= result == 0 && count > 0;
	return result;
}

static int
append_leader_change(struct metadata_log *log)
{
	struct kp_leader_change_message_voter voter = {
		.voter_id = log->settings.node_id,
	};
	const struct kp_leader_change_message message = {
		.leader_id = log->settings.node_id,
		.voters = &voter,
		.voters_count = 1,
		.granting_voters = &voter,
		.granting_voters_count = 1,
	};
	struct control_batch batch;
	struct buf bytes;
	int result;

	buf_init(&bytes, SIZE_MAX);
	control_batch_begin(&batch, metadata_log_end_offset(log), log->epoch,
	    &bytes);
	control_batch_add(&batch, CONTROL_RECORD_LEADER_CHANGE,
	    clock_wall_ms(), &kp_leader_change_message, &message);
	control_batch_end(&batch);
	result = append_batch(log, &bytes);
	buf_fini(&bytes);
	return result == 0 ? sync_log(log) : -1;
}

int
metadata_log_begin_epoch(struct metadata_log *log)
{
	int32_t saved, latest;

	if (quorum_state_read(log->disk, log->directory, &saved) != 0)
		return -1;
	log_lock(log->log);
	latest = leader_epochs_latest(log_leader_epochs(log->log));
	log_unlock(log->log);
	log->epoch = MAX(MAX(saved, latest), 0) + 1;
	if (quorum_state_write(log->disk, log->directory,
		log->settings.node_id, log->epoch, log->kraft_version) != 0)
		return -1;
	return append_leader_change(log);
}

/* --- Asking ---------------------------------------------------------------- */

int64_t
metadata_log_end_offset(const struct metadata_log *log)
{
	int64_t end;

	log_lock(log->log);
	end = log_end_offset(log->log);
	log_unlock(log->log);
	return end;
}

int32_t
metadata_log_epoch(const struct metadata_log *log)
{
	return log->epoch;
}

bool
metadata_log_failed(const struct metadata_log *log)
{
	return log->failed;
}

bool
metadata_log_empty(const struct metadata_log *log)
{
	return !log->has_data;
}

int16_t
metadata_log_kraft_version(const struct metadata_log *log)
{
	return log->kraft_version;
}

/* --- Snapshots ------------------------------------------------------------- */

bool
metadata_log_snapshot_due(const struct metadata_log *log, int64_t now_ms)
{
	if (log->failed || log->bytes_since == 0)
		return false;
	return log->bytes_since >= log->settings.snapshot_bytes ||
	    now_ms - log->snapshot_ms >= log->settings.snapshot_interval_ms;
}

struct metadata_snapshot *
metadata_log_snapshot_begin(struct metadata_log *log, int64_t end_offset,
    int32_t epoch, int64_t last_timestamp_ms)
{
	const struct metadata_snapshot_header header = {
		.epoch = epoch,
		.last_timestamp_ms = last_timestamp_ms,
		.now_ms = clock_wall_ms(),
		.voters = log->kraft_version >= 1,
		.kraft_version = log->kraft_version,
		.voters_record = log->voters,
		.mode = 0400,
	};
	const struct metadata_snapshot_id id = { end_offset, epoch };
	char *path = metadata_snapshot_path(log->directory, id);
	struct metadata_snapshot *snapshot =
	    metadata_snapshot_create(log->disk, path, &header);

	/* Not tried again before the next interval, even if it fails. */
	log->snapshot_ms = header.now_ms;
	log->bytes_since = 0;
	log->snapshot_end = end_offset;
	free(path);
	return snapshot;
}

struct pruning {
	struct metadata_log *log;
	int64_t now_ms;
	int64_t log_bytes;
};

/* Remove a snapshot that is not the newest and has had its time. */
static int
prune(void *context, const char *name)
{
	struct pruning *pruning = context;
	struct metadata_log *log = pruning->log;
	struct metadata_snapshot_id id;
	struct stat st;
	char *path;

	if (metadata_snapshot_name_parse(name, &id) != 0 ||
	    id.end_offset >= log->snapshot_end)
		return 0;
	path = metadata_snapshot_path(log->directory, id);
	if (disk_stat(log->disk, path, &st) == 0 &&
	    (pruning->log_bytes > log->settings.retention_bytes ||
		pruning->now_ms - (int64_t)st.st_mtim.tv_sec * 1000 >
		    log->settings.retention_ms) &&
	    disk_unlink(log->disk, path) != 0)
		log_warn(LOGGER, "cannot remove %s: %s", path,
		    strerror(errno));
	free(path);
	return 0;
}

struct oldest {
	int64_t end_offset;
};

static int
note_oldest(void *context, const char *name)
{
	struct oldest *oldest = context;
	struct metadata_snapshot_id id;

	if (metadata_snapshot_name_parse(name, &id) == 0)
		oldest->end_offset = MIN(oldest->end_offset, id.end_offset);
	return 0;
}

/* What stands before the oldest snapshot is needed by nobody. */
static void
let_go(struct metadata_log *log)
{
	struct pruning pruning = { .log = log, .now_ms = clock_wall_ms() };
	struct oldest oldest = { .end_offset = log->snapshot_end };
	enum kp_error error;

	log_lock(log->log);
	pruning.log_bytes = log_size_bytes(log->log);
	log_unlock(log->log);
	if (disk_list(log->disk, log->directory, prune, &pruning) != 0 ||
	    disk_list(log->disk, log->directory, note_oldest, &oldest) != 0) {
		log_warn(LOGGER, "cannot list %s: %s", log->directory,
		    strerror(errno));
		return;
	}
	log_lock(log->log);
	error = log_delete_records(log->log, oldest.end_offset);
	log_unlock(log->log);
	if (error != KP_NONE || log_retain(log->log, pruning.now_ms) < 0)
		log_warn(LOGGER, "old segments of %s could not be removed",
		    log->directory);
	(void)log_tidy(log->log, pruning.now_ms);
}

int
metadata_log_snapshot_end(struct metadata_log *log,
    struct metadata_snapshot *snapshot)
{
	if (metadata_snapshot_end(snapshot) != 0)
		return -1;
	let_go(log);
	return 0;
}
