#include "meta/metadata_snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/log.h"
#include "meta/control_batch.h"
#include "store/disk.h"
#include "wire/batch_reader.h"
#include "wire/generated/control_k_raft_version_record.h"
#include "wire/generated/control_snapshot_footer_record.h"
#include "wire/generated/control_snapshot_header_record.h"

/* A batch is closed when it has grown beyond this. */
#define BATCH_LEN (512 * 1024)
/* No snapshot of ours comes near; more is not read. */
#define FILE_LEN_MAX ((size_t)2 << 30)

struct metadata_snapshot {
	struct disk *disk;
	char *path;
	char *part;			/* its name while it is written */
	struct buf out;			/* batches that are not written yet */
	struct batch_builder builder;	/* of the open data batch */
	bool building;
	int64_t next_offset;
	int64_t position;
	int64_t now_ms;
	int32_t epoch;
	int fd;
	bool failed;
};

int
metadata_snapshot_name_parse(const char *name,
    struct metadata_snapshot_id *id)
{
	int used = 0;

	if (sscanf(name, "%20ld-%10d%n", &id->end_offset, &id->epoch, &used) !=
		2 ||
	    used != 31 || strcmp(name + used, METADATA_SNAPSHOT_SUFFIX) != 0)
		return -1;
	return id->end_offset >= 0 && id->epoch >= 0 ? 0 : -1;
}

char *
metadata_snapshot_path(const char *directory, struct metadata_snapshot_id id)
{
	return xasprintf("%s/%020ld-%010d%s", directory, id.end_offset,
	    id.epoch, METADATA_SNAPSHOT_SUFFIX);
}

/* --- Writing ------------------------------------------------------------- */

static void
fail(struct metadata_snapshot *snapshot, const char *what)
{
	if (!snapshot->failed)
		log_error("meta", "cannot %s %s: %s", what, snapshot->part,
		    strerror(errno));
	snapshot->failed = true;
}

/* Write what has been built. */
static void
drain(struct metadata_snapshot *snapshot)
{
	if (snapshot->failed || snapshot->out.len == 0)
		return;
	if (disk_pwrite(snapshot->disk, snapshot->fd, snapshot->out.data,
		snapshot->out.len, snapshot->position) != 0)
		fail(snapshot, "write");
	snapshot->position += (int64_t)snapshot->out.len;
	buf_clear(&snapshot->out);
}

static void
write_header(struct metadata_snapshot *snapshot,
    const struct metadata_snapshot_header *header)
{
	const struct kp_snapshot_header_record record = {
		.last_contained_log_timestamp = header->last_timestamp_ms,
	};
	const struct kp_k_raft_version_record version = {
		.k_raft_version = header->kraft_version,
	};
	struct control_batch batch;

	control_batch_begin(&batch, 0, header->epoch, &snapshot->out);
	control_batch_add(&batch, CONTROL_RECORD_SNAPSHOT_HEADER,
	    header->now_ms, &kp_snapshot_header_record, &record);
	snapshot->next_offset = 1;
	if (header->voters) {
		control_batch_add(&batch, CONTROL_RECORD_KRAFT_VERSION,
		    header->now_ms, &kp_k_raft_version_record, &version);
		control_batch_add_value(&batch, CONTROL_RECORD_KRAFT_VOTERS,
		    header->now_ms, header->voters_record);
		snapshot->next_offset = 3;
	}
	control_batch_end(&batch);
}

struct metadata_snapshot *
metadata_snapshot_create(struct disk *disk, const char *path,
    const struct metadata_snapshot_header *header)
{
	struct metadata_snapshot *snapshot = xcalloc(1, sizeof(*snapshot));

	snapshot->disk = disk;
	snapshot->path = xstrdup(path);
	snapshot->part = xasprintf("%s.part", path);
	snapshot->epoch = header->epoch;
	snapshot->now_ms = header->now_ms;
	buf_init(&snapshot->out, SIZE_MAX);
	if (disk_unlink(disk, snapshot->part) != 0 && errno != ENOENT)
		fail(snapshot, "remove");
	snapshot->fd = disk_open(disk, snapshot->part,
	    O_WRONLY | O_CREAT | O_EXCL, header->mode);
	if (snapshot->fd < 0)
		fail(snapshot, "create");
	write_header(snapshot, header);
	return snapshot;
}

static void
begin_batch(struct metadata_snapshot *snapshot)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;

	options.base_offset = snapshot->next_offset;
	options.leader_epoch = snapshot->epoch;
	batch_builder_init(&snapshot->builder, &options, &snapshot->out);
	snapshot->building = true;
}

static void
end_batch(struct metadata_snapshot *snapshot)
{
	int result;

	if (!snapshot->building)
		return;
	result = batch_builder_finish(&snapshot->builder);
	assert(result == 0);
	snapshot->building = false;
	drain(snapshot);
}

int
metadata_snapshot_write(struct metadata_snapshot *snapshot,
    struct slice value)
{
	int result;

	if (snapshot->failed)
		return -1;
	if (!snapshot->building)
		begin_batch(snapshot);
	result = batch_builder_add(&snapshot->builder, snapshot->now_ms,
	    SLICE_NULL, value);
	assert(result == 0);
	snapshot->next_offset++;
	if (batch_builder_size_bytes(&snapshot->builder) > BATCH_LEN)
		end_batch(snapshot);
	return snapshot->failed ? -1 : 0;
}

static void
write_footer(struct metadata_snapshot *snapshot)
{
	const struct kp_snapshot_footer_record record = { .version = 0 };
	struct control_batch batch;

	end_batch(snapshot);
	control_batch_begin(&batch, snapshot->next_offset, snapshot->epoch,
	    &snapshot->out);
	control_batch_add(&batch, CONTROL_RECORD_SNAPSHOT_FOOTER,
	    snapshot->now_ms, &kp_snapshot_footer_record, &record);
	control_batch_end(&batch);
	drain(snapshot);
}

static void
snapshot_free(struct metadata_snapshot *snapshot)
{
	if (snapshot->building)
		batch_builder_cancel(&snapshot->builder);
	if (snapshot->fd >= 0)
		disk_close(snapshot->disk, snapshot->fd);
	buf_fini(&snapshot->out);
	free(snapshot->path);
	free(snapshot->part);
	free(snapshot);
}

/* The directory that path is in; its names are made durable. */
static int
sync_directory(struct disk *disk, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash == NULL ?
	    xstrdup(".") :
	    slice_dup(slice_of(path, (size_t)(slash - path)));
	int result = disk_sync_dir(disk, directory);

	free(directory);
	return result;
}

int
metadata_snapshot_end(struct metadata_snapshot *snapshot)
{
	write_footer(snapshot);
	if (!snapshot->failed &&
	    disk_fsync(snapshot->disk, snapshot->fd) != 0)
		fail(snapshot, "sync");
	if (!snapshot->failed &&
	    (disk_rename(snapshot->disk, snapshot->part, snapshot->path) !=
		    0 ||
		sync_directory(snapshot->disk, snapshot->path) != 0))
		fail(snapshot, "rename");
	if (snapshot->failed) {
		metadata_snapshot_abort(snapshot);
		return -1;
	}
	snapshot_free(snapshot);
	return 0;
}

void
metadata_snapshot_abort(struct metadata_snapshot *snapshot)
{
	if (snapshot->fd >= 0 &&
	    disk_unlink(snapshot->disk, snapshot->part) != 0 &&
	    errno != ENOENT)
		log_warn("meta", "cannot remove %s: %s", snapshot->part,
		    strerror(errno));
	snapshot_free(snapshot);
}

/* --- Reading ------------------------------------------------------------- */

static int
walk_batch(struct batch_reader *reader, metadata_snapshot_fn fn,
    void *context)
{
	struct metadata_snapshot_record out = {
		.control = batch_is_control(&reader->batch),
	};
	struct record record;

	while (batch_reader_next(reader, &record)) {
		out.offset = record.offset;
		out.timestamp_ms = record.timestamp;
		out.key = record.key;
		out.value = record.value;
		out.batch_end = record.offset == reader->batch.last_offset;
		if (fn(context, &out) != 0)
			return -1;
	}
	return 0;
}

int
metadata_snapshot_walk(struct slice bytes, metadata_snapshot_fn fn,
    void *context, bool *damaged)
{
	struct batch_reader reader;
	struct buf scratch;
	int result = 0;

	*damaged = false;
	buf_init(&scratch, FILE_LEN_MAX);
	while (bytes.len > 0 && result == 0) {
		if (batch_reader_open(&reader, bytes, &scratch) != KP_NONE ||
		    !batch_crc_valid(slice_of(bytes.data,
			reader.batch.size_bytes))) {
			*damaged = true;
			result = -1;
			break;
		}
		result = walk_batch(&reader, fn, context);
		if (result == 0 && reader.error != KP_NONE) {
			*damaged = true;
			result = -1;
		}
		bytes.data += reader.batch.size_bytes;
		bytes.len -= reader.batch.size_bytes;
	}
	buf_fini(&scratch);
	return result;
}

/* Is the last record of the snapshot its footer? */
static int
note_footer(void *context, const struct metadata_snapshot_record *record)
{
	bool *footer = context;
	enum control_record_type type;

	*footer = record->control &&
	    control_record_key_read(record->key, &type) == 0 &&
	    type == CONTROL_RECORD_SNAPSHOT_FOOTER;
	return 0;
}

struct slice
metadata_snapshot_read(struct disk *disk, const char *path)
{
	bool footer = false, damaged;
	uint8_t *bytes;
	size_t len;

	bytes = disk_read_file(disk, path, FILE_LEN_MAX, &len);
	if (bytes == NULL)
		return SLICE_NULL;
	if (metadata_snapshot_walk(slice_of(bytes, len), note_footer, &footer,
		&damaged) == 0 &&
	    footer)
		return slice_of(bytes, len);
	free(bytes);
	errno = EBADMSG;
	return SLICE_NULL;
}
