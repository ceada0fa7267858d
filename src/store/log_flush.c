#include "base/clock.h"
#include "base/log.h"
#include "store/disk.h"
#include "store/log_internal.h"
#include "store/partition_metadata.h"

#include <errno.h>
#include <inttypes.h>

/* A segment that is dirty, as it was at the beginning. */
struct log_flush_file {
	struct segment *segment;
	int64_t size_bytes;
	bool batches; /* sync the .log file */
	bool indexes; /* sync the index files */
	bool pinned;  /* log_flush_fd did it */
};

void
log_flush_hold(struct log *log)
{
	while (log->flushing)
		pthread_cond_wait(&log->flush_ended, &log->mutex);
	log->flushing = true;
}

void
log_flush_release(struct log *log)
{
	assert(log->flushing);
	log->flushing = false;
	pthread_cond_broadcast(&log->flush_ended);
}

/* The index files of the active segment are written when the log closes. */
static bool
wants_index_sync(const struct log *log, const struct segment *segment)
{
	return segment->indexes_dirty && (!segment->active || log->closing);
}

static bool
wants_sync(const struct log *log, const struct segment *segment)
{
	return segment->dirty || wants_index_sync(log, segment);
}

/*
 * The first dirty segment: what is behind it is dirty or active, because a
 * flush takes all of them.
 */
static size_t
first_dirty(const struct log *log)
{
	size_t at = log->segment_count;

	while (at > 0 &&
	    (log->segments[at - 1]->active ||
		wants_sync(log, log->segments[at - 1])))
		at--;
	return at;
}

static void
take_file(struct log *log, struct log_flush *flush, struct segment *segment)
{
	struct log_flush_file *file = &flush->files[flush->file_count];

	if (!wants_sync(log, segment))
		return;
	*file = (struct log_flush_file){
		.segment = segment_ref(segment),
		.size_bytes = segment->size_bytes,
		.batches = segment->dirty,
		.indexes = wants_index_sync(log, segment),
	};
	flush->file_count++;
	flush->sync_count += (size_t)file->batches + 2 * file->indexes;
}

/*
 * The newest snapshot and those at the bases of segments that are not durable:
 * once the segments before are gone nothing else tells of their producers.
 */
static void
take_snapshots(struct log *log, struct log_flush *flush)
{
	int64_t newest = log->snapshot_offset;
	int64_t synced = MAX(log->snapshot_synced, 0);

	flush->snapshot_offset = newest;
	if (newest <= synced)
		return;
	flush->snapshots =
	    xcalloc(log->segment_count + 1, sizeof(*flush->snapshots));
	flush->snapshots[flush->snapshot_count++] = newest;
	for (size_t i = log->segment_count; i-- > 0;) {
		int64_t base = log->segments[i]->base_offset;

		if (base <= synced)
			break;
		if (base < newest)
			flush->snapshots[flush->snapshot_count++] = base;
	}
	flush->sync_count += flush->snapshot_count;
}

/* Which file system the names are on can be asked of a file only. */
static void
take_witness(struct log *log, struct log_flush *flush)
{
	flush->files[flush->file_count++] = (struct log_flush_file){
		.segment = segment_ref(log_active(log)),
		.size_bytes = log_active(log)->size_bytes,
	};
}

static void
take_epochs(struct log *log, struct log_flush *flush)
{
	if (!log->epochs_unsynced)
		return;
	flush->epochs = xasprintf("%s/%s", log->path, LEADER_EPOCHS_STAGED);
	flush->sync_count++;
}

static void
take_names(struct log *log, struct log_flush *flush)
{
	flush->names = log->names_dirty;
	flush->names_version = log->names_version;
	flush->creation = log->creation_dirty;
	flush->sync_count += (size_t)flush->names + 2 * flush->creation;
	if (flush->names || flush->creation || flush->snapshot_count > 0)
		flush->path = xstrdup(log->path);
}

/* Locked, and held. */
static void
take(struct log *log, struct log_flush *flush)
{
	size_t at = first_dirty(log);

	*flush = (struct log_flush){
		.log = log,
		.end_offset = log->end_offset,
	};
	flush->files = xcalloc(log->segment_count - at, sizeof(*flush->files));
	for (; at < log->segment_count; at++)
		take_file(log, flush, log->segments[at]);
	take_snapshots(log, flush);
	take_epochs(log, flush);
	take_names(log, flush);
	if (flush->sync_count > 0 && flush->file_count == 0)
		take_witness(log, flush);
}

static void
drop(struct log_flush *flush)
{
	for (size_t i = 0; i < flush->file_count; i++) {
		struct log_flush_file *file = &flush->files[i];

		if (file->pinned)
			segment_unpin(file->segment);
		segment_unref(file->segment);
	}
	free(flush->files);
	free(flush->snapshots);
	free(flush->epochs);
	free(flush->path);
	flush->files = NULL;
	flush->file_count = 0;
	flush->snapshots = NULL;
	flush->snapshot_count = 0;
	flush->epochs = NULL;
	flush->path = NULL;
}

bool
log_flush_begin(struct log *log, struct log_flush *flush)
{
	bool dirty = false;

	log_lock(log);
	log_flush_hold(log);
	if (!log->offline) {
		take(log, flush);
		dirty = flush->sync_count > 0;
		if (!dirty)
			drop(flush);
	}
	if (!dirty)
		log_flush_release(log);
	log_unlock(log);
	return dirty;
}

static int
sync_file(struct log_flush *flush, const struct log_flush_file *file)
{
	struct disk *disk = flush->log->disk;
	int result = 0;

	if (file->batches) {
		int fd = segment_pin(file->segment);

		if (fd < 0)
			return -1;
		result = disk_fdatasync(disk, fd);
		segment_unpin(file->segment);
	}
	if (result == 0 && file->indexes)
		result = segment_sync_indexes(file->segment);
	return result;
}

/* partition.metadata, and the name of the partition's directory. */
static int
sync_creation(struct log_flush *flush)
{
	struct disk *disk = flush->log->disk;
	char *metadata =
	    xasprintf("%s/%s", flush->path, PARTITION_METADATA_FILE);
	char *parent = xasprintf("%s/..", flush->path);
	int result = disk_sync_file(disk, metadata);

	if (result == 0)
		result = disk_sync_dir(disk, parent);
	free(metadata);
	free(parent);
	return result;
}

static int
sync_all(struct log_flush *flush)
{
	for (size_t i = 0; i < flush->file_count; i++) {
		if (sync_file(flush, &flush->files[i]) != 0)
			return -1;
	}
	for (size_t i = 0; i < flush->snapshot_count; i++) {
		if (log_snapshot_sync(
			flush->log, flush->path, flush->snapshots[i]) != 0)
			return -1;
	}
	if (flush->epochs != NULL &&
	    disk_sync_file(flush->log->disk, flush->epochs) != 0)
		return -1;
	if (flush->creation && sync_creation(flush) != 0)
		return -1;
	if (flush->names && disk_sync_dir(flush->log->disk, flush->path) != 0)
		return -1;
	return 0;
}

int
log_flush_sync(struct log_flush *flush)
{
	int result = sync_all(flush);

	if (result != 0)
		log_error("store", "cannot sync %s: %s", flush->log->name,
		    strerror(errno));
	return result;
}

int
log_flush_fd(struct log_flush *flush)
{
	struct log_flush_file *file = flush->files;
	int fd;

	if (flush->file_count == 0)
		return -1;
	fd = segment_pin(file->segment);
	if (fd < 0)
		return -1;
	if (file->pinned)
		segment_unpin(file->segment);
	file->pinned = true;
	return fd;
}

void
log_flush_fd_release(struct log_flush *flush)
{
	struct log_flush_file *file = flush->files;

	assert(file->pinned);
	file->pinned = false;
	segment_unpin(file->segment);
}

/* Locked. */
static void
mark_clean(struct log *log, const struct log_flush *flush)
{
	for (size_t i = 0; i < flush->file_count; i++) {
		const struct log_flush_file *file = &flush->files[i];
		struct segment *segment = file->segment;

		if (file->batches && segment->size_bytes == file->size_bytes)
			segment->dirty = false;
		if (file->indexes)
			segment->indexes_dirty = false;
	}
	log->snapshot_synced =
	    MAX(log->snapshot_synced, flush->snapshot_offset);
	if (flush->names && log->names_version == flush->names_version)
		log->names_dirty = false;
	if (flush->creation)
		log->creation_dirty = false;
	if (flush->epochs != NULL)
		log->epochs_unsynced = false;
}

/* Locked. */
static void
advance(struct log *log, int64_t end_offset)
{
	if (end_offset <= log->recovery_point)
		return;
	log->recovery_point = end_offset;
	log->unflushed_since_ms =
	    end_offset == log->end_offset ? -1 : clock_monotonic_ms();
	if (log->events.flushed != NULL)
		log->events.flushed(log, log->events.context);
}

/* Not what was appended since: that is still to be written. */
static void
forget_files(struct log_flush *flush)
{
	for (size_t i = 0; i < flush->file_count; i++) {
		struct segment *segment = flush->files[i].segment;
		int fd = segment_pin(segment);

		if (fd < 0)
			continue;
		disk_forget(flush->log->disk, fd);
		segment_unpin(segment);
	}
}

void
log_flush_end(struct log_flush *flush, int error)
{
	struct log *log = flush->log;

	if (error != 0 && !disk_is_busy(error))
		forget_files(flush);
	log_lock(log);
	if (disk_is_busy(error)) {
		/* Not even tried; all is as dirty as before. */
	} else if (error != 0) {
		log_fence(log, "a sync failed");
	} else if (!log->offline) {
		mark_clean(log, flush);
		advance(log, flush->end_offset);
	}
	log_flush_release(log);
	log_unlock(log);
	drop(flush);
}

int
log_flush_all(struct log *log)
{
	struct log_flush flush;
	bool offline;
	int error = 0;

	if (log_flush_begin(log, &flush)) {
		if (log_flush_sync(&flush) != 0)
			error = errno;
		log_flush_end(&flush, error);
	}
	log_lock(log);
	offline = log->offline;
	log_unlock(log);
	errno = error;
	return offline || error != 0 ? -1 : 0;
}

static int
write_epochs(struct log *log, const char *text, const char *path)
{
	int error;

	if (leader_epochs_text_write(text, log->disk, path) == 0)
		return 0;
	error = errno;
	if (!disk_is_short(error))
		log_error("store", "cannot write %s/%s: %s", path,
		    LEADER_EPOCHS_FILE, strerror(error));
	log_lock(log);
	log->epochs.dirty = true;
	log_unlock(log);
	errno = error;
	return -1;
}

static int
write_damages(
    struct log *log, const uint8_t *bytes, size_t len, const char *path)
{
	if (log_damages_write(log->disk, path, bytes, len) == 0)
		return 0;
	log_lock(log);
	log->damages_dirty = true;
	log_unlock(log);
	return -1;
}

/* The active segment, if a start will begin behind its base.  Locked. */
static struct segment *
take_index_owner(struct log *log)
{
	struct segment *active = log_active(log);

	if (log->offline || log->recovery_point <= active->base_offset)
		return NULL;
	return segment_ref(active);
}

int
log_checkpoint(struct log *log, int64_t *recovery_point)
{
	struct segment *index_owner;
	uint8_t *damages = NULL;
	size_t damages_len = 0;
	char *text = NULL;
	char *path = NULL;
	int result = 0;

	log_lock(log);
	*recovery_point = MIN(log->recovery_point,
	    MAX(log->checkpoint_max, log->start_offset));
	index_owner = take_index_owner(log);
	if (log->epochs.dirty || log->damages_dirty)
		path = xstrdup(log->path);
	if (log->epochs.dirty)
		text = leader_epochs_text(&log->epochs);
	if (log->damages_dirty)
		damages = log_damages_encode(log, &damages_len);
	log_unlock(log);
	if (index_owner != NULL)
		segment_touch_index(index_owner);
	segment_unref(index_owner);
	if (text != NULL)
		result = write_epochs(log, text, path);
	if (damages != NULL &&
	    write_damages(log, damages, damages_len, path) != 0)
		result = -1;
	free(damages);
	free(text);
	free(path);
	return result;
}
