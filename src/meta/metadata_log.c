#include "meta/metadata_log_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

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
#include "wire/generated/metadata_begin_transaction_record.h"
#include "wire/generated/metadata_end_transaction_record.h"

#define LOGGER "meta"
#define NAME "__cluster_metadata-0"

/* Segments of this log, and the one file that is being read. */
#define OPEN_FILES_MAX 16

/* What a full disk still takes: deletions, above all, that make room. */
#define RESERVE_BYTES (INT64_C(1) << 20)

/* A lack of descriptors is waited for, ten seconds long. */
#define SYNC_ATTEMPTS_MAX 1000
#define SYNC_PAUSE_NS (10 * 1000 * 1000)

/* Half of what Kafka reads; one record more still fits. */
#define BATCH_LEN_MAX (METADATA_RECORD_BATCH_LEN_MAX / 2)
/* What a batch adds to a record's value. */
#define BATCH_RECORD_LEN_MAX 32

void
metadata_log_settings_init(struct metadata_log_settings *settings)
{
	*settings = (struct metadata_log_settings){
		.controller_listener = "CONTROLLER",
		.controller_host = "localhost",
		.controller_port = 9093,
		.sync = true,
		.segment_bytes = 1024 * 1024 * 1024,
		.segment_ms = (int64_t)7 * 24 * 3600 * 1000,
		.snapshot_bytes = 20 * 1024 * 1024,
		.snapshot_interval_ms = 3600 * 1000,
		.retention_bytes = 100 * 1024 * 1024,
		.retention_ms = (int64_t)7 * 24 * 3600 * 1000,
	};
}

/* --- Opening ------------------------------------------------------------- */

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
	open->appends_synced = log->settings.sync;
	log_settings_init(&open->settings);
	open->settings.segment_bytes =
	    (int32_t)MIN(log->settings.segment_bytes, INT32_MAX);
	open->settings.segment_ms = log->settings.segment_ms;
	open->settings.retention_ms = -1;
	open->settings.retention_bytes = -1;
	open->settings.reserve_bytes = RESERVE_BYTES;
}

static bool
has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), suffix_len = strlen(suffix);

	return len > suffix_len &&
	    strcmp(name + len - suffix_len, suffix) == 0;
}

static int
is_segment(void *context UNUSED, const char *name)
{
	return has_suffix(name, ".log");
}

/* 1 where the directory has records, 0 where it does not, or is not there. */
static int
has_segments(struct metadata_log *log)
{
	int found = disk_list(log->disk, log->directory, is_segment, NULL);

	return found < 0 && errno == ENOENT ? 0 : found;
}

/*
 * Kafka loads this log as after an unclean stop, always; so do we.  It does
 * not need partition.metadata either, which always says the same.
 */
static struct log *
open_log(struct metadata_log *log)
{
	struct log_open open;
	struct log *created;
	struct uuid id;
	int found = 1;

	fill_open(log, &open);
	if (partition_metadata_read(log->disk, log->directory, &id) == 0)
		return log_open(&open);
	if (errno == ENOENT || errno == EBADMSG)
		found = has_segments(log);
	else
		found = -1;
	if (found == 0) {
		created = log_create(&open, topic_id());
		if (created == NULL)
			log_error(LOGGER, "cannot create %s: %s",
			    log->directory, strerror(errno));
		return created;
	}
	if (found == 1 &&
	    partition_metadata_restore(log->disk, log->directory,
		topic_id()) == 0)
		return log_open(&open);
	log_error(LOGGER, "%s/%s: %s", log->directory,
	    PARTITION_METADATA_FILE, strerror(errno));
	return NULL;
}

/* A snapshot that was being written when the last run was killed. */
static int
remove_part(void *context, const char *name)
{
	struct metadata_log *log = context;
	char *path;

	if (!has_suffix(name, METADATA_SNAPSHOT_SUFFIX ".part"))
		return 0;
	path = xasprintf("%s/%s", log->directory, name);
	if (disk_unlink(log->disk, path) != 0)
		log_warn(LOGGER, "cannot remove %s: %s", path,
		    strerror(errno));
	free(path);
	return 0;
}

static char *
active_path(struct metadata_log *log)
{
	return xasprintf("%s/%020ld.log", log->directory, log->active_base);
}

/* Take what the log's active file has for what it must have. */
int
metadata_log_note_active(struct metadata_log *log)
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
	log->voters_count = -1;
	log->files = fd_cache_new(log->disk, OPEN_FILES_MAX);
	log->snapshot_ms = clock_wall_ms();
	/* First of all: without it nothing must change. */
	if (quorum_state_read(
		log->disk, log->directory, &log->voted_epoch) == 0)
		log->log = open_log(log);
	if (log->log == NULL || metadata_log_note_active(log) != 0) {
		metadata_log_close(log);
		return NULL;
	}
	if (disk_list(log->disk, log->directory, remove_part, log) < 0)
		log_warn(LOGGER, "cannot list %s: %s", log->directory,
		    strerror(errno));
	return log;
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

/* --- Appending ----------------------------------------------------------- */

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

static bool
is_offline(struct metadata_log *log)
{
	bool offline;

	log_lock(log->log);
	offline = log_is_offline(log->log);
	log_unlock(log->log);
	return offline;
}

/*
 * Append one batch, which has its offsets and its epoch.  A full disk refuses
 * it and heals; everything else ends the log.
 */
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
	if (error == KP_NONE)
		return 0;
	return is_offline(log) ? give_up(log, kp_error_name(error)) : -1;
}

/* Where no descriptor is left the sync was not tried: wait for one. */
static int
sync_log(struct metadata_log *log)
{
	const struct timespec pause = { .tv_nsec = SYNC_PAUSE_NS };

	if (!log->settings.sync)
		return 0;
	for (int i = 0; i < SYNC_ATTEMPTS_MAX; i++) {
		if (log_flush_all(log->log) == 0)
			return 0;
		if (!disk_is_busy(errno))
			return give_up(log, "it cannot be synced");
		nanosleep(&pause, NULL);
	}
	return give_up(log, "there is no descriptor to sync it with");
}

/* Framed records, one after the other, that are still to be appended. */
struct values {
	const uint8_t *next;
	const uint32_t *lens;
	size_t count;
};

/* Fill batch with values, as many as one batch may hold. */
static void
build_batch(struct metadata_log *log, struct values *values,
    struct buf *batch)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct batch_builder builder;
	int64_t now = clock_wall_ms();
	int result = 0;

	options.base_offset = metadata_log_end_offset(log);
	options.leader_epoch = log->epoch;
	batch_builder_init(&builder, &options, batch);
	while (values->count > 0) {
		size_t len = *values->lens;

		if (builder.record_count > 0 &&
		    batch_builder_size_bytes(&builder) + len > BATCH_LEN_MAX)
			break;
		result = batch_builder_add(&builder, now, SLICE_NULL,
		    slice_of(values->next, len));
		assert(result == 0);
		values->next += len;
		values->lens++;
		values->count--;
	}
	result = batch_builder_finish(&builder);
	assert(result == 0);
}

/*
 * Append all values; *appended counts the batches.  Only the last is left to
 * be synced: a start takes whole batches behind a bad one for damage.
 */
static int
append_values(struct metadata_log *log, struct values values,
    size_t *appended)
{
	struct buf batch;
	int result = 0;

	buf_init(&batch, SIZE_MAX);
	while (result == 0 && values.count > 0) {
		buf_clear(&batch);
		build_batch(log, &values, &batch);
		if (*appended > 0)
			result = sync_log(log);
		if (result == 0)
			result = append_batch(log, &batch);
		*appended += result == 0;
	}
	buf_fini(&batch);
	return result;
}

/* One record of our own. */
static int
append_record(struct metadata_log *log, enum metadata_record_type type,
    const void *body, size_t *appended)
{
	struct values values = { .count = 1 };
	struct buf value;
	uint32_t len;
	int result;

	buf_init(&value, SIZE_MAX);
	result = metadata_record_encode(&value, type, 0, body);
	assert(result == 0);
	len = (uint32_t)value.len;
	values.next = value.data;
	values.lens = &len;
	result = append_values(log, values, appended);
	buf_fini(&value);
	return result;
}

/* What does not fit into one batch is a transaction (KIP-866). */
static int
append_transaction(struct metadata_log *log, struct values values,
    size_t *appended)
{
	const struct kp_begin_transaction_record begin = {
		.name = SLICE_LITERAL("Several batches"),
	};
	const struct kp_end_transaction_record end = { 0 };

	if (append_record(log, METADATA_RECORD_BEGIN_TRANSACTION, &begin,
		appended) != 0 ||
	    append_values(log, values, appended) != 0)
		return -1;
	return append_record(log, METADATA_RECORD_END_TRANSACTION, &end,
	    appended);
}

int
metadata_log_append(struct metadata_log *log, struct slice bytes,
    const uint32_t *lens, size_t count)
{
	const struct values values = { bytes.data, lens, count };
	size_t appended = 0;
	int result;

	if (count == 0)
		return 0;
	if (bytes.len + count * BATCH_RECORD_LEN_MAX <= BATCH_LEN_MAX)
		result = append_values(log, values, &appended);
	else
		result = append_transaction(log, values, &appended);
	if (result != 0 && appended > 0)
		return give_up(log, "an operation was cut short");
	if (result == 0)
		result = sync_log(log);
	log->has_data |= result == 0;
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
metadata_log_raise_kraft_version(struct metadata_log *log)
{
	const struct control_voter voter = {
		.id = log->settings.node_id,
		.directory_id = log->settings.directory_id,
		.listener = log->settings.controller_listener,
		.host = log->settings.controller_host,
		.port = log->settings.controller_port,
	};
	const struct kp_k_raft_version_record version = {
		.k_raft_version = 1,
	};
	int64_t now_ms = clock_wall_ms();
	struct control_batch batch;
	struct slice voters;
	struct arena arena;
	struct buf bytes;
	int result;

	arena_init(&arena, SIZE_MAX);
	buf_init(&bytes, SIZE_MAX);
	voters = control_batch_voters(&voter, &arena);
	control_batch_begin(&batch, metadata_log_end_offset(log), log->epoch,
	    &bytes);
	control_batch_add(&batch, CONTROL_RECORD_KRAFT_VERSION, now_ms,
	    &kp_k_raft_version_record, &version);
	control_batch_add_value(
	    &batch, CONTROL_RECORD_KRAFT_VOTERS, now_ms, voters);
	control_batch_end(&batch);
	result = append_batch(log, &bytes);
	if (result == 0)
		result = sync_log(log);
	if (result == 0) {
		free((void *)(uintptr_t)log->voters.data);
		log->voters = slice_of(slice_dup(voters), voters.len);
		__atomic_store_n(&log->kraft_version, 1, __ATOMIC_RELAXED);
	}
	buf_fini(&bytes);
	arena_reset(&arena);
	return result;
}

/*
 * The vote of this epoch.  Where the disk has no room for it the old file stays
 * and says less than the log will: who reads both takes the higher epoch, as
 * Kafka does.
 */
static int
write_quorum_state(struct metadata_log *log)
{
	if (quorum_state_write(log->disk, log->directory,
		log->settings.node_id, log->epoch, log->kraft_version) == 0)
		return 0;
	return disk_is_full(errno) ? 0 : -1;
}

/*
 * A kill or a failed sync leaves batches that are in memory alone.  They are
 * durable before the next one is written, or a power cut could keep that and
 * tear them, which would look like damage.
 */
static int
sync_tail(struct metadata_log *log)
{
	bool durable;

	log_lock(log->log);
	durable = log_flushed_offset(log->log) == log_end_offset(log->log);
	log_unlock(log->log);
	return durable ? 0 : sync_log(log);
}

int
metadata_log_begin_epoch(struct metadata_log *log)
{
	int32_t latest;

	log_lock(log->log);
	latest = leader_epochs_latest(log_leader_epochs(log->log));
	log_unlock(log->log);
	latest = MAX(latest, MAX(log->voted_epoch, log->seen_epoch));
	if (latest == INT32_MAX) {
		log_error(LOGGER, "%s: epochs are used up", log->directory);
		return -1;
	}
	log->epoch = MAX(latest, 0) + 1;
	if (sync_tail(log) != 0 || write_quorum_state(log) != 0)
		return -1;
	return append_leader_change(log);
}

/* --- Asking -------------------------------------------------------------- */

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
	return __atomic_load_n(&log->kraft_version, __ATOMIC_RELAXED);
}

const char *
metadata_log_directory(const struct metadata_log *log)
{
	return log->directory;
}

struct uuid
metadata_log_directory_id(const struct metadata_log *log)
{
	return log->settings.directory_id;
}

/* --- Snapshots ----------------------------------------------------------- */

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

/* The active segment goes, too, where all of it is let go. */
static void
note_new_active(struct metadata_log *log)
{
	int64_t base;

	log_lock(log->log);
	base = log_active_base_offset(log->log);
	log_unlock(log->log);
	if (base != log->active_base && metadata_log_note_active(log) != 0)
		(void)give_up(log, "its end is lost");
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
	(void)log_tidy(log->log, clock_monotonic_ms());
	/* Said now: the next operation may be long in coming. */
	if (is_offline(log))
		(void)give_up(log, "old segments could not be removed");
	else
		note_new_active(log);
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
