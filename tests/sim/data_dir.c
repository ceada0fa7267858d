#include "sim/data_dir.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "meta/broker_ops.h"
#include "meta/configs.h"
#include "meta/format.h"
#include "meta/image_records.h"
#include "meta/metadata_log.h"
#include "meta/topic_ops.h"
#include "store/closed_logs.h"
#include "store/flusher.h"
#include "store/log.h"
#include "store/log_manager.h"
#include "wire/batch_builder.h"
#include "wire/control_record.h"

#include <pthread.h>
#include <stdio.h>

#define METADATA_DIR "__cluster_metadata-0"
#define FILE_LEN_MAX ((size_t)1 << 20)
#define PRODUCERS 3

static const char *const topics[DATA_DIR_LOGS] = { "plain", "txn", "rotten",
	"swap" };

enum { PLAIN, TXN, ROTTEN, SWAP };

const char *data_dir_repeat = "";

void
data_dir_give_up(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\nrepeat: %s\n", file, line, what,
	    data_dir_repeat);
	abort();
}

/* --- The disk ------------------------------------------------------------ */

/* What the simulated disk does; an orderly stop uses it on many threads. */
static struct disk sim;
static pthread_mutex_t sim_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

#define LOCKED(type, name, parameters, ...)              \
	static type locked_##name parameters             \
	{                                                \
		type result;                             \
								\
		pthread_mutex_lock(&sim_lock);           \
		result = sim.name(disk, __VA_ARGS__);    \
		pthread_mutex_unlock(&sim_lock);         \
		return result;                           \
	}

LOCKED(int, open, (struct disk *disk, const char *path, int flags,
    mode_t mode), path, flags, mode)
LOCKED(int, close, (struct disk *disk, int fd), fd)
LOCKED(ssize_t, pread, (struct disk *disk, int fd, void *data, size_t len,
    int64_t position), fd, data, len, position)
LOCKED(ssize_t, pwritev, (struct disk *disk, int fd, const struct iovec *iov,
    int count, int64_t position), fd, iov, count, position)
LOCKED(int, ftruncate, (struct disk *disk, int fd, int64_t size), fd, size)
LOCKED(int, fallocate, (struct disk *disk, int fd, int64_t position,
    int64_t len), fd, position, len)
LOCKED(int, fdatasync, (struct disk *disk, int fd), fd)
LOCKED(int, fsync, (struct disk *disk, int fd), fd)
LOCKED(int, syncfs, (struct disk *disk, int fd), fd)
LOCKED(int, forget, (struct disk *disk, int fd), fd)
LOCKED(int, fstat, (struct disk *disk, int fd, struct stat *st), fd, st)
LOCKED(int, stat, (struct disk *disk, const char *path, struct stat *st),
    path, st)
LOCKED(int, space, (struct disk *disk, const char *path,
    struct disk_space *space), path, space)
LOCKED(int, lock, (struct disk *disk, int fd), fd)
LOCKED(int, set_mtime, (struct disk *disk, int fd, int64_t mtime_ms), fd,
    mtime_ms)
LOCKED(int, rename, (struct disk *disk, const char *from, const char *to),
    from, to)
LOCKED(int, unlink, (struct disk *disk, const char *path), path)
LOCKED(int, mkdir, (struct disk *disk, const char *path, mode_t mode), path,
    mode)
LOCKED(int, rmdir, (struct disk *disk, const char *path), path)
LOCKED(int, list, (struct disk *disk, const char *path, disk_list_fn fn,
    void *context), path, fn, context)

void
data_dir_disk(struct sim_disk *disk, struct rng *rng,
    const struct data_dir *from)
{
	sim_disk_init(disk, rng);
	if (from != NULL)
		sim_disk_copy(disk, &from->disk);
	sim = disk->disk;
	disk->disk = (struct disk){
		.open = locked_open,
		.close = locked_close,
		.pread = locked_pread,
		.pwritev = locked_pwritev,
		.ftruncate = locked_ftruncate,
		.fallocate = locked_fallocate,
		.fdatasync = locked_fdatasync,
		.fsync = locked_fsync,
		.syncfs = locked_syncfs,
		.forget = locked_forget,
		.fstat = locked_fstat,
		.stat = locked_stat,
		.space = locked_space,
		.lock = locked_lock,
		.set_mtime = locked_set_mtime,
		.rename = locked_rename,
		.unlink = locked_unlink,
		.mkdir = locked_mkdir,
		.rmdir = locked_rmdir,
		.list = locked_list,
	};
}

uint8_t *
data_dir_read(struct sim_disk *disk, const char *path, size_t *len)
{
	char *whole = xasprintf("%s/%s", DATA_DIR_PATH, path);
	uint8_t *bytes =
	    disk_read_file(&disk->disk, whole, FILE_LEN_MAX, len);

	free(whole);
	return bytes;
}

static void
put_file(struct data_dir *dir, const char *path, const void *data, size_t len)
{
	char *whole = xasprintf("%s/%s", DATA_DIR_PATH, path);

	CHECK(disk_write_file(&dir->disk.disk, whole, data, len, 0644) == 0);
	free(whole);
}

/* --- The metadata -------------------------------------------------------- */

/* A controller on the directory, which has loaded the metadata. */
struct metadata {
	struct metadata_log *log;
	struct image *image;
	struct config_set *file;
	struct configs *configs;
	struct controller *controller;
};

static int
metadata_load(const struct data_dir *dir, struct sim_disk *disk,
    struct metadata *metadata)
{
	struct metadata_log_settings settings;
	struct controller_settings controller = { .node_id = DATA_DIR_NODE };

	memset(metadata, 0, sizeof(*metadata));
	metadata_log_settings_init(&settings);
	settings.disk = &disk->disk;
	settings.log_dir = DATA_DIR_PATH;
	settings.directory_id = dir->directory_id;
	settings.node_id = DATA_DIR_NODE;
	/* Only one of the directories still has all that led to its image. */
	settings.retention_ms =
	    dir->end == DATA_DIR_STOPPED ? INT64_MAX / 2 : 0;
	metadata->log = metadata_log_open(&settings);
	if (metadata->log == NULL)
		return -1;
	metadata->image = image_new();
	metadata->file = config_set_new();
	metadata->configs =
	    configs_new(metadata->image, DATA_DIR_NODE, metadata->file);
	controller.log = metadata->log;
	controller.image = metadata->image;
	controller.configs = metadata->configs;
	metadata->controller = controller_new(&controller);
	return controller_load(metadata->controller);
}

static void
metadata_free(struct metadata *metadata)
{
	controller_free(metadata->controller);
	metadata_log_close(metadata->log);
	configs_free(metadata->configs);
	config_set_unref(metadata->file);
	image_free(metadata->image);
}

/* The records of a snapshot, as lines of hexadecimal digits. */
struct lines {
	char **items;
	size_t count;
};

static int
line_add(void *context, const struct metadata_snapshot_record *record)
{
	struct lines *lines = context;
	char *line;

	if (record->control)
		return 0;
	line = xmalloc(2 * record->value.len + 2);
	for (size_t i = 0; i < record->value.len; i++)
		snprintf(line + 2 * i, 3, "%02x", record->value.data[i]);
	strcpy(line + 2 * record->value.len, "\n");
	lines->items = xrealloc(
	    lines->items, (lines->count + 1) * sizeof(*lines->items));
	lines->items[lines->count++] = line;
	return 0;
}

static int
line_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *
lines_join(struct lines *lines)
{
	struct buf text;

	if (lines->count > 0)
		qsort(lines->items, lines->count, sizeof(*lines->items),
		    line_compare);
	buf_init(&text, FILE_LEN_MAX);
	for (size_t i = 0; i < lines->count; i++) {
		CHECK(buf_append(&text, lines->items[i],
			  strlen(lines->items[i])) == 0);
		free(lines->items[i]);
	}
	CHECK(buf_append(&text, "", 1) == 0);
	free(lines->items);
	return (char *)text.data;
}

/* A snapshot has all that the image has; the disk is changed by that. */
static char *
image_text(const struct metadata *metadata, struct sim_disk *disk)
{
	const struct metadata_snapshot_id id = {
		image_offset(metadata->image) + 1,
		image_epoch(metadata->image),
	};
	char *path = metadata_snapshot_path(
	    DATA_DIR_PATH "/" METADATA_DIR, id);
	struct lines lines = { 0 };
	struct slice bytes;
	bool damaged;

	CHECK(image_records_snapshot(metadata->image, metadata->log) == 0);
	bytes = metadata_snapshot_read(&disk->disk, path);
	CHECK(!slice_is_null(bytes));
	CHECK(metadata_snapshot_walk(bytes, line_add, &lines, &damaged) == 0);
	free((void *)(uintptr_t)bytes.data);
	free(path);
	return lines_join(&lines);
}

char *
data_dir_metadata(const struct data_dir *dir, struct sim_disk *disk)
{
	struct metadata metadata;
	char *text = NULL;

	if (metadata_load(dir, disk, &metadata) == 0)
		text = image_text(&metadata, disk);
	metadata_free(&metadata);
	return text;
}

/* --- Making the metadata ------------------------------------------------- */

static int
format(struct sim_disk *disk, struct rng *rng, struct format_result *result)
{
	static const char *const dirs[] = { DATA_DIR_PATH };
	const struct format_settings settings = {
		.disk = &disk->disk,
		.dirs = dirs,
		.dirs_count = 1,
		.node_id = DATA_DIR_NODE,
		.controller_listener = "CONTROLLER",
		.controller_host = "localhost",
		.controller_port = 9093,
		.rng = rng,
	};

	return format_ensure(&settings, result);
}

static void
make_format(struct data_dir *dir)
{
	struct format_result result;

	CHECK(format(&dir->disk, &dir->rng, &result) == 0);
	dir->directory_id = result.directory_ids[0];
	format_result_fini(&result);
}

bool
data_dir_formatted(const struct data_dir *dir, struct sim_disk *disk)
{
	struct rng rng = dir->rng;
	struct format_result result;
	bool ours = format(disk, &rng, &result) == 0;

	CHECK(!ours || !result.formatted);
	format_result_fini(&result);
	return ours;
}

static void
broker_join(const struct data_dir *dir, struct metadata *metadata)
{
	struct register_broker_op registration;
	struct unfence_broker_op unfence;
	struct uuid id = dir->directory_id;

	register_broker_op_init(&registration);
	kp_defaults(&kp_register_broker_record, &registration.record);
	registration.record.broker_id = DATA_DIR_NODE;
	registration.record.log_dirs = &id;
	registration.record.log_dirs_count = 1;
	controller_call(metadata->controller, &registration.op);
	CHECK(registration.op.error == KP_NONE);
	unfence_broker_op_init(&unfence);
	unfence.broker_id = DATA_DIR_NODE;
	unfence.unclean = false;
	controller_call(metadata->controller, &unfence.op);
	CHECK(unfence.op.error == KP_NONE);
}

static struct uuid
topic_create(struct metadata *metadata, const char *name)
{
	struct kp_create_topics_request_topic topic = {
		.name = slice_str(name),
		.num_partitions = 1,
		.replication_factor = -1,
	};
	struct kp_create_topics_request request;
	struct create_topics_op op;
	struct arena arena;

	kp_defaults(&kp_create_topics_request, &request);
	request.topics = &topic;
	request.topics_count = 1;
	arena_init(&arena, SIZE_MAX);
	create_topics_op_init(&op);
	op.request = &request;
	op.arena = &arena;
	controller_call(metadata->controller, &op.op);
	CHECK(op.op.error == KP_NONE);
	CHECK(op.response.topics[0].error_code == KP_NONE);
	arena_reset(&arena);
	return image_topic(metadata->image, topic.name)->id;
}

/* A snapshot, which is the controller's thread's. */
struct snapshot_op {
	struct controller_op op;
	const struct metadata *metadata;
};

static void
snapshot_run(struct controller_op *op, struct controller *controller UNUSED)
{
	const struct metadata *metadata =
	    CONTAINER_OF(op, struct snapshot_op, op)->metadata;

	CHECK(image_records_snapshot(metadata->image, metadata->log) == 0);
}

static void
snapshot_make(const struct metadata *metadata)
{
	struct snapshot_op op = { .op.run = snapshot_run,
		.metadata = metadata };

	controller_call(metadata->controller, &op.op);
	CHECK(op.op.error == KP_NONE);
}

/* A snapshot in the middle, and records behind it. */
static void
make_metadata(struct data_dir *dir)
{
	struct metadata metadata;

	CHECK(metadata_load(dir, &dir->disk, &metadata) == 0);
	CHECK(controller_start(metadata.controller) == 0);
	broker_join(dir, &metadata);
	for (int i = 0; i < DATA_DIR_LOGS; i++) {
		if (i == DATA_DIR_LOGS / 2)
			snapshot_make(&metadata);
		dir->logs[i].topic = topics[i];
		dir->logs[i].id = topic_create(&metadata, topics[i]);
	}
	metadata_free(&metadata);
}

/* The segment of the metadata log that was written last. */
static const char *
last_segment(const struct data_dir *dir)
{
	const char *last = NULL;

	for (size_t i = 0; i < dir->file_count; i++) {
		const char *path = dir->files[i];
		size_t len = strlen(path);

		if (strncmp(path, METADATA_DIR, strlen(METADATA_DIR)) == 0 &&
		    strcmp(path + len - 4, ".log") == 0)
			last = path;
	}
	CHECK(last != NULL);
	return last;
}

static void
last_batch_cut(const struct data_dir *dir, struct sim_disk *disk)
{
	char *path = xasprintf("%s/%s", DATA_DIR_PATH, last_segment(dir));
	struct slice left;
	struct batch batch;
	size_t len;
	uint8_t *bytes =
	    disk_read_file(&disk->disk, path, FILE_LEN_MAX, &len);
	size_t last = 0;

	CHECK(bytes != NULL);
	left = slice_of(bytes, len);
	while (batch_read(left, &batch) == 0) {
		last = (size_t)(left.data - bytes);
		left.data += batch.size_bytes;
		left.len -= batch.size_bytes;
	}
	CHECK(disk_write_file(&disk->disk, path, bytes, last, 0644) == 0);
	free(bytes);
	free(path);
}

/* What a start finds, also where the last batch was torn. */
static void
note_metadata(struct data_dir *dir)
{
	struct sim_disk copy;

	data_dir_disk(&copy, &dir->rng, dir);
	dir->metadata = data_dir_metadata(dir, &copy);
	CHECK(dir->metadata != NULL);
	sim_disk_fini(&copy);
	data_dir_disk(&copy, &dir->rng, dir);
	last_batch_cut(dir, &copy);
	dir->metadata_before = data_dir_metadata(dir, &copy);
	CHECK(dir->metadata_before != NULL);
	sim_disk_fini(&copy);
}

/* --- Making the logs ----------------------------------------------------- */

void
data_dir_manager(struct sim_disk *disk, struct log_manager_settings *settings)
{
	static const char *const dirs[] = { DATA_DIR_PATH };

	log_manager_settings_init(settings);
	settings->disk = &disk->disk;
	settings->directories = dirs;
	settings->directory_count = 1;
	settings->open_files_max = 8;
	settings->node_id = DATA_DIR_NODE;
	settings->recovery_thread_count = 1;
	settings->delete_delay_ms = INT64_MAX;
}

static void
settings_fill(struct log_settings *settings)
{
	log_settings_init(settings);
	settings->segment_bytes = 2500;
	settings->index_interval_bytes = 300;
	settings->retention_ms = -1;
	settings->producer_id_expiration_ms = INT64_MAX / 4;
}

bool
data_dir_wanted(void *context, struct slice topic, int32_t partition,
    struct uuid *topic_id, struct log_settings *settings)
{
	const struct data_dir *dir = context;

	for (int i = 0; i < DATA_DIR_LOGS; i++) {
		const struct data_log *log = &dir->logs[i];

		if (!slice_equal_str(topic, log->topic) || partition != 0)
			continue;
		settings_fill(settings);
		if (uuid_is_zero(*topic_id))
			*topic_id = log->id;
		return uuid_equal(*topic_id, log->id);
	}
	return false;
}

/* The manager while the logs are made. */
struct maker {
	struct data_dir *dir;
	struct flusher *flusher;
	struct log_manager *manager;
	struct log *logs[DATA_DIR_LOGS];
	int64_t now_ms;
	int32_t epoch;
	int32_t sequences[PRODUCERS];
};

static void
maker_start(struct maker *maker)
{
	const struct log_manager_hooks hooks = {
		.context = maker->dir,
		.wanted = data_dir_wanted,
	};
	const struct log_manager_place place = { .is_new = true };
	struct log_manager_settings settings;
	struct log_settings log_settings;

	data_dir_manager(&maker->dir->disk, &settings);
	settings.flusher = maker->flusher;
	maker->manager = log_manager_new(&settings);
	CHECK(maker->manager != NULL);
	CHECK(log_manager_load(maker->manager, &hooks) == 0);
	settings_fill(&log_settings);
	for (int i = 0; i < DATA_DIR_LOGS; i++) {
		const struct data_log *log = &maker->dir->logs[i];

		CHECK(log_manager_create(maker->manager,
			  slice_str(log->topic), 0, log->id, &place,
			  &log_settings, &maker->logs[i]) == KP_NONE);
	}
}

static void
maker_append(struct maker *maker, int which, enum log_origin origin,
    struct buf *bytes)
{
	struct log *log = maker->logs[which];
	struct log_append append = {
		.data = bytes->data,
		.len = bytes->len,
		.leader_epoch = maker->epoch,
		.origin = origin,
		.now_ms = maker->now_ms,
	};

	log_lock(log);
	CHECK(log_append(log, &append) == KP_NONE);
	log_high_watermark_set(log, log_end_offset(log));
	log_unlock(log);
	buf_fini(bytes);
}

static void
append_records(struct maker *maker, int which, int64_t producer_id,
    bool transactional)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	int count = 1 + (int)rng_below(&maker->dir->rng, 4);
	uint8_t value[60];
	struct batch_builder builder;
	struct buf bytes;

	rng_bytes(&maker->dir->rng, value, sizeof(value));
	if (producer_id >= 0) {
		options.producer_id = producer_id;
		options.producer_epoch = 0;
		options.base_sequence = maker->sequences[producer_id];
		options.transactional = transactional;
		maker->sequences[producer_id] += count;
	}
	maker->now_ms += 100;
	buf_init(&bytes, FILE_LEN_MAX);
	batch_builder_init(&builder, &options, &bytes);
	for (int i = 0; i < count; i++)
		CHECK(batch_builder_add(&builder, maker->now_ms + i,
			  SLICE_NULL, slice_of(value, sizeof(value))) == 0);
	CHECK(batch_builder_finish(&builder) == 0);
	maker_append(maker, which, LOG_CLIENT, &bytes);
}

static void
append_marker(struct maker *maker, int64_t producer_id, bool commit)
{
	const struct control_record_marker marker = {
		.producer_id = producer_id,
		.commit = commit,
		.coordinator_epoch = 1,
	};
	struct buf bytes;

	maker->now_ms += 100;
	buf_init(&bytes, FILE_LEN_MAX);
	CHECK(control_record_marker_append(
		  &marker, 0, 0, maker->now_ms, &bytes) == 0);
	maker_append(maker, TXN, LOG_COORDINATOR, &bytes);
}

/* Producer 0 is idempotent only, 1 commits, 2 aborts. */
static void
fill(struct maker *maker, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		append_records(maker, PLAIN, -1, false);
		append_records(maker, ROTTEN, -1, false);
		append_records(maker, SWAP, -1, false);
		append_records(maker, TXN, 0, false);
		append_records(maker, TXN, 1, true);
		append_records(maker, TXN, 2, true);
		if (i % 3 == 1) {
			append_marker(maker, 1, true);
			append_marker(maker, 2, false);
		}
	}
}

static void
epoch_begin(struct maker *maker)
{
	maker->epoch += 3;
	for (int i = 0; i < DATA_DIR_LOGS; i++) {
		log_lock(maker->logs[i]);
		log_leader_epoch_begin(maker->logs[i], maker->epoch);
		log_unlock(maker->logs[i]);
	}
}

/* The end of a run: in order, or not. */
static void
maker_end(struct maker *maker, bool in_order)
{
	for (int i = 0; i < DATA_DIR_LOGS; i++)
		log_manager_release(maker->manager, maker->logs[i]);
	if (in_order)
		CHECK(log_manager_stop(maker->manager, 1) == 0);
	log_manager_free(maker->manager);
	sim_disk_kill(&maker->dir->disk);
}

static char *
segment_path(const char *topic, int64_t base_offset, const char *suffix)
{
	return xasprintf("%s-0/%020lld%s", topic, (long long)base_offset,
	    suffix);
}

/* A bit of the batch that begins in the middle of the first segment. */
static void
rot_one(struct data_dir *dir)
{
	char *path = segment_path(topics[ROTTEN], 0, ".log");
	size_t len, at = 0;
	uint8_t *bytes = data_dir_read(&dir->disk, path, &len);
	struct batch batch;

	CHECK(bytes != NULL);
	while (at < len / 2) {
		CHECK(batch_read(slice_of(bytes + at, len - at), &batch) == 0);
		at += batch.size_bytes;
	}
	bytes[at + 70] ^= 4;
	put_file(dir, path, bytes, len);
	free(path);
	free(bytes);
}

static void
make_logs(struct data_dir *dir)
{
	struct maker maker = { .dir = dir, .now_ms = 1800000000000 };

	maker.flusher = flusher_new();
	CHECK(maker.flusher != NULL);
	maker_start(&maker);
	epoch_begin(&maker);
	fill(&maker, 12);
	maker_end(&maker, true);

	/* What is found here is kept in damaged-ranges. */
	rot_one(dir);
	CHECK(disk_unlink(&dir->disk.disk,
		  DATA_DIR_PATH "/.kafka_cleanshutdown") == 0);
	put_file(dir, "rotten-0/damaged-ranges", "", 0);
	maker_start(&maker);
	epoch_begin(&maker);
	fill(&maker, 12);
	maker_end(&maker, true);
	if (dir->end == DATA_DIR_KILLED) {
		maker_start(&maker);
		epoch_begin(&maker);
		fill(&maker, 6);
		maker_end(&maker, false);
	}
	flusher_free(maker.flusher);
}

/* --- What interrupted work leaves ---------------------------------------- */

static void
copy_segment(struct data_dir *dir, int64_t base_offset, const char *suffix)
{
	static const char *const kinds[] = { ".log", ".index", ".timeindex" };

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		char *from = segment_path(topics[SWAP], base_offset, kinds[i]);
		char *to = xasprintf("%s%s", from, suffix);
		size_t len;
		uint8_t *bytes = data_dir_read(&dir->disk, from, &len);

		CHECK(bytes != NULL);
		put_file(dir, to, bytes, len);
		free(bytes);
		free(from);
		free(to);
	}
}

/* Before a crash only: after an orderly stop there is nothing of the kind. */
static void
leave_work(struct data_dir *dir)
{
	const struct data_log *log = &dir->logs[SWAP];
	int64_t second = -1;

	for (size_t i = 0; i < log->count && second < 0; i++)
		if (log->batches[i].segment_base > 0)
			second = log->batches[i].segment_base;
	CHECK(second > 0);
	copy_segment(dir, second, ".swap");
	copy_segment(dir, 0, ".cleaned");
	put_file(dir, "swap-0/00000000000000000000.snapshot.deleted", "x", 1);
}

/* --- What there is ------------------------------------------------------- */

static void
note_batch(struct data_log *log, const struct batch *header,
    struct data_batch batch)
{
	batch.base_offset = header->base_offset;
	batch.last_offset = header->last_offset;
	batch.epoch = header->leader_epoch;
	batch.base_timestamp_ms = header->base_timestamp;
	batch.producer_id = header->producer_id;
	batch.last_sequence = header->base_sequence + header->record_count - 1;
	batch.transactional = batch_is_transactional(header);
	batch.control = batch_is_control(header);
	batch.commit =
	    batch.control && batch.bytes[BATCH_HEADER_LEN + 8] != 0;
	batch.lost = !batch_crc_valid(slice_of(batch.bytes, batch.len));
	log->batches = xrealloc(
	    log->batches, (log->count + 1) * sizeof(*log->batches));
	log->batches[log->count++] = batch;
	log->end_offset = batch.last_offset + 1;
}

static void
note_segment(struct data_log *log, int64_t base_offset, const uint8_t *bytes,
    size_t len)
{
	struct batch header;

	for (size_t at = 0; at < len; at += header.size_bytes) {
		struct data_batch batch = {
			.segment_base = base_offset,
			.position = (int64_t)at,
		};

		CHECK(batch_read(slice_of(bytes + at, len - at), &header) ==
		    0);
		batch.len = header.size_bytes;
		batch.bytes = xmalloc(batch.len);
		memcpy(batch.bytes, bytes + at, batch.len);
		note_batch(log, &header, batch);
	}
}

/* All segments in order: each begins where the one before ends. */
static void
note_log(struct data_dir *dir, struct data_log *log)
{
	size_t len = 1;

	while (len > 0) {
		int64_t base = log->end_offset;
		char *path = segment_path(log->topic, base, ".log");
		uint8_t *bytes = data_dir_read(&dir->disk, path, &len);

		free(path);
		if (bytes == NULL)
			return;
		note_segment(log, base, bytes, len);
		free(bytes);
	}
}

static void
note_recovery_points(struct data_dir *dir)
{
	size_t len;
	uint8_t *text = data_dir_read(
	    &dir->disk, "recovery-point-offset-checkpoint", &len);

	CHECK(text != NULL);
	for (int i = 0; i < DATA_DIR_LOGS; i++) {
		struct data_log *log = &dir->logs[i];
		char *name = xasprintf("\n%s 0 ", log->topic);
		const char *line = strstr((const char *)text, name);

		CHECK(line != NULL);
		log->recovery_point =
		    strtoll(line + strlen(name), NULL, 10);
		free(name);
	}
	free(text);
}

/* --- Files --------------------------------------------------------------- */

struct listing {
	struct data_dir *dir;
	const char *parent;
};

static int
note_file(void *context, const char *name)
{
	const struct listing *listing = context;
	struct data_dir *dir = listing->dir;
	char *path = xasprintf("%s%s", listing->parent, name);
	char *whole = xasprintf("%s/%s", DATA_DIR_PATH, path);
	struct stat st;

	CHECK(disk_stat(&dir->disk.disk, whole, &st) == 0);
	if (S_ISDIR(st.st_mode)) {
		char *below = xasprintf("%s/", path);
		struct listing inner = { dir, below };

		CHECK(disk_list(&dir->disk.disk, whole, note_file, &inner) ==
		    0);
		free(below);
		free(path);
	} else {
		dir->files = xrealloc(dir->files,
		    (dir->file_count + 1) * sizeof(*dir->files));
		dir->files[dir->file_count++] = path;
	}
	free(whole);
	return 0;
}

static void
note_files(struct data_dir *dir)
{
	struct listing listing = { dir, "" };

	CHECK(disk_list(&dir->disk.disk, DATA_DIR_PATH, note_file, &listing) ==
	    0);
	qsort(dir->files, dir->file_count, sizeof(*dir->files), line_compare);
}

/* --- Life ---------------------------------------------------------------- */

void
data_dir_make(struct data_dir *dir, enum data_dir_end end)
{
	memset(dir, 0, sizeof(*dir));
	dir->end = end;
	rng_init(&dir->rng, 1);
	data_dir_disk(&dir->disk, &dir->rng, NULL);
	make_format(dir);
	make_metadata(dir);
	make_logs(dir);
	if (end == DATA_DIR_STOPPED)
		CHECK(disk_unlink(&dir->disk.disk,
			  DATA_DIR_PATH "/" CLOSED_LOGS_FILE) == 0);
	for (int i = 0; i < DATA_DIR_LOGS; i++)
		note_log(dir, &dir->logs[i]);
	note_recovery_points(dir);
	if (end == DATA_DIR_KILLED)
		leave_work(dir);
	note_files(dir);
	note_metadata(dir);
}

void
data_dir_fini(struct data_dir *dir)
{
	for (int i = 0; i < DATA_DIR_LOGS; i++) {
		for (size_t j = 0; j < dir->logs[i].count; j++)
			free(dir->logs[i].batches[j].bytes);
		free(dir->logs[i].batches);
	}
	for (size_t i = 0; i < dir->file_count; i++)
		free(dir->files[i]);
	free(dir->files);
	free(dir->metadata);
	free(dir->metadata_before);
	sim_disk_fini(&dir->disk);
}
