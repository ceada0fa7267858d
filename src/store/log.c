#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "store/disk.h"
#include "store/log_internal.h"
#include "store/partition_metadata.h"
#include "store/producer_snapshot.h"

#include <errno.h>
#include <inttypes.h>

/* --- Life --------------------------------------------------------------- */

static const char *
last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

struct log *
log_new(const struct log_open *open)
{
	struct log *log = xcalloc(1, sizeof(*log));

	log->disk = open->disk;
	log->files = open->files;
	log->path = xstrdup(open->path);
	log->name = xstrdup(last_name(open->path));
	log->settings = open->settings;
	log->appends_synced = open->appends_synced;
	log->unflushed_since_ms = -1;
	log->snapshot_offset = -1;
	log->snapshot_synced = -1;
	log->stray_offset = -1;
	log->clean_offset = -1;
	log->flushed_max = INT64_MAX;
	log->checkpoint_max = INT64_MAX;
	atomic_init(&log->clean_stop, false);
	pthread_mutex_init(&log->mutex, NULL);
	pthread_cond_init(&log->flush_ended, NULL);
	log_tail_init(&log->tail);
	leader_epochs_init(&log->epochs);
	log->recovered_epoch.epoch = -1;
	log->uncleanable_at = -1;
	producer_state_init(&log->producers);
	open_txns_init(&log->txns);
	verification_all_init(&log->verifications);
	list_init(&log->removals);
	return log;
}

static int
create_in(struct log *log, struct uuid topic_id, int64_t now_ms)
{
	if (disk_mkdir(log->disk, log->path, 0755) != 0 && errno != EEXIST)
		return -1;
	if (partition_metadata_write(log->disk, log->path, topic_id) != 0)
		return -1;
	return log_segment_add(log, 0, now_ms);
}

struct log *
log_create(const struct log_open *open, struct uuid topic_id)
{
	struct log *log = log_new(open);

	log->topic_id = topic_id;
	log->creation_dirty = true;
	if (create_in(log, topic_id, open->now_ms) != 0) {
		int saved = errno;

		log_free(log);
		errno = saved;
		return NULL;
	}
	return log;
}

void
log_drop_segments(struct log *log)
{
	assert(!log->flushing && !log->cleaning);
	for (size_t i = 0; i < log->segment_count; i++)
		segment_unref(log->segments[i]);
	log->segment_count = 0;
}

void
log_free(struct log *log)
{
	struct list_node *node;

	if (log == NULL)
		return;
	log_drop_segments(log);
	segment_unref(log->unsettled);
	while ((node = list_pop(&log->removals)) != NULL)
		free(LIST_ENTRY(node, struct log_removal, node));
	log_tail_fini(&log->tail);
	leader_epochs_fini(&log->epochs);
	producer_state_fini(&log->producers);
	open_txns_fini(&log->txns);
	verification_all_fini(&log->verifications);
	pthread_cond_destroy(&log->flush_ended);
	pthread_mutex_destroy(&log->mutex);
	free(log->segments);
	free(log->damages);
	free(log->path);
	free(log->name);
	free(log);
}

/* Many logs share the flush that makes this durable.  Locked. */
static int
save_epochs(struct log *log)
{
	char *text;
	int result;

	if (!log->epochs.dirty)
		return 0;
	text = leader_epochs_text(&log->epochs);
	result = leader_epochs_text_stage(text, log->disk, log->path);
	free(text);
	log->epochs.dirty = result != 0;
	log->epochs_staged |= result == 0;
	log->epochs_unsynced |= result == 0;
	return result;
}

/*
 * The snapshot at the end takes the place of one that an earlier stop left in
 * the middle of a segment, where no retention finds it.  Locked.
 */
static int
save_snapshot(struct log *log)
{
	int64_t before = log->snapshot_offset;

	if (log_snapshot_write(log) != 0)
		return -1;
	if (before >= 0 && before != log->snapshot_offset &&
	    !log_has_base(log, before))
		log->stray_offset = before;
	return 0;
}

/* Locked. */
static int
save(struct log *log)
{
	struct segment *active = log_active(log);

	log->closing = true;
	if (log->offline)
		return 0;
	if ((active->indexes_dirty || active->allocated_bytes > 0) &&
	    segment_save(active) != 0)
		return -1;
	return save_snapshot(log) == 0 ? save_epochs(log) : -1;
}

int
log_close_prepare(struct log *log)
{
	int result = log_unsaved_write(log);

	if (result == 0) {
		log_lock(log);
		result = save(log);
		log_unlock(log);
	}
	if (result != 0)
		log_error("store", "cannot close %s in order: %s", log->path,
		    strerror(errno));
	return result;
}

/* What was written for the stop is durable, and takes its place. */
static int
put_in_place(struct log *log)
{
	int result = 0;

	if (log->stray_offset >= 0)
		log_snapshot_unlink(log, log->stray_offset);
	log->stray_offset = -1;
	if (log->epochs_staged) {
		result = leader_epochs_publish(log->disk, log->path);
		log_names_changed(log);
	}
	log->epochs_staged = false;
	if (result != 0)
		log_error("store", "cannot write %s/%s: %s", log->path,
		    LEADER_EPOCHS_FILE, strerror(errno));
	return result;
}

int
log_close_publish(struct log *log)
{
	int result = 0;

	log_lock(log);
	/* What could not be made durable log_close tries again. */
	if (!log->offline && !log->epochs_unsynced &&
	    log->snapshot_synced >= log->snapshot_offset)
		result = put_in_place(log);
	log->epochs.dirty |= result != 0;
	log_unlock(log);
	return result;
}

static int
close_files(struct log *log)
{
	int64_t ignored;
	int result = log_close_prepare(log);

	if (result == 0)
		result = log_flush_all(log);
	if (result == 0)
		result = log_close_publish(log);
	if (result == 0)
		result = log_flush_all(log);
	if (result == 0)
		result = log_checkpoint(log, &ignored);
	return result;
}

int
log_close(struct log *log)
{
	int result = close_files(log);

	log_free(log);
	return result;
}

int
log_close_described(struct log *log, struct buf *description)
{
	int result = close_files(log);

	if (result == 0)
		log_closed_describe(log, description);
	log_free(log);
	return result;
}

void
log_events_set(struct log *log, struct log_events events)
{
	log->events = events;
}

void
log_lock(struct log *log)
{
	pthread_mutex_lock(&log->mutex);
}

void
log_unlock(struct log *log)
{
	pthread_mutex_unlock(&log->mutex);
}

/* --- Segments ----------------------------------------------------------- */

void
log_names_changed(struct log *log)
{
	log->names_dirty = true;
	log->names_version++;
}

void
log_segment_push(struct log *log, struct segment *segment)
{
	assert(log->segment_count == 0 ||
	    log_active(log)->base_offset < segment->base_offset);
	if (log->segment_count == log->segment_capacity) {
		log->segment_capacity = MAX(1, 2 * log->segment_capacity);
		log->segments = xrealloc(log->segments,
		    log->segment_capacity * sizeof(*log->segments));
	}
	segment->reserve_bytes = log->settings.reserve_bytes;
	log->segments[log->segment_count++] = segment;
}

/* Segments made together should not all roll together. */
static int64_t
pick_jitter(const struct log_settings *settings)
{
	int64_t max = MIN(settings->segment_jitter_ms, settings->segment_ms);
	struct rng rng;

	if (max <= 0)
		return 0;
	rng_init_random(&rng);
	return (int64_t)rng_below(&rng, (uint64_t)max);
}

int
log_segment_add(struct log *log, int64_t base_offset, int64_t now_ms)
{
	struct segment *segment =
	    segment_create(log->files, log->path, base_offset, now_ms);

	if (segment == NULL)
		return -1;
	if (log->settings.preallocate)
		segment_reserve(segment, log->settings.segment_bytes);
	segment->jitter_ms = pick_jitter(&log->settings);
	log_segment_push(log, segment);
	log_names_changed(log);
	log_tail_clear(&log->tail);
	return 0;
}

size_t
log_segment_find(const struct log *log, int64_t offset)
{
	size_t low = 0;
	size_t high = log->segment_count;

	assert(high > 0);
	/* Segments below low begin at or before offset. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (log->segments[middle]->base_offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? 0 : low - 1;
}

bool
log_has_base(const struct log *log, int64_t offset)
{
	return log->segment_count > 0 &&
	    log->segments[log_segment_find(log, offset)]->base_offset == offset;
}

struct segment *
log_segment_from(const struct log *log, int64_t offset)
{
	size_t at = log_segment_find(log, offset);

	if (log->segments[at]->base_offset < offset)
		at++;
	return at < log->segment_count ? segment_ref(log->segments[at]) : NULL;
}

int64_t
log_segment_end(const struct log *log, size_t at)
{
	assert(at < log->segment_count);
	return at + 1 < log->segment_count ?
	    log->segments[at + 1]->base_offset :
	    log->end_offset;
}

int
log_snapshot_write(struct log *log)
{
	if (log->end_offset <= MAX(log->snapshot_offset, 0))
		return 0;
	if (producer_snapshot_write(&log->producers, log->disk, log->path,
		log->end_offset, false) != 0)
		return -1;
	log->snapshot_offset = log->end_offset;
	log_names_changed(log);
	return 0;
}

/* The old segment is closed last, so that a failure leaves it as it was. */
static int
roll(struct log *log, int64_t base_offset, int64_t now_ms)
{
	struct segment *old = log_active(log);

	if (segment_save(old) != 0 || log_snapshot_write(log) != 0 ||
	    log_segment_add(log, base_offset, now_ms) != 0)
		return -1;
	old->open_first = open_txns_first_ongoing(&log->txns);
	segment_close(old);
	return 0;
}

static int
roll_failed(struct log *log)
{
	log_write_failed(log, "begin a new segment", errno == EIO);
	return -1;
}

int
log_roll_at(struct log *log, int64_t base_offset, int64_t now_ms)
{
	assert(base_offset >= log->end_offset);
	return roll(log, base_offset, now_ms) == 0 ? 0 : roll_failed(log);
}

int
log_roll(struct log *log, int64_t now_ms)
{
	if (log->offline)
		return -1;
	if (log_active(log)->size_bytes == 0)
		return 0;
	return log_roll_at(log, log->end_offset, now_ms);
}

int
log_segment_replace(struct log *log, int64_t base_offset, int64_t now_ms)
{
	struct segment *old = log_active(log);

	assert(old->size_bytes == 0 && base_offset > old->base_offset);
	if (log_segment_add(log, base_offset, now_ms) != 0)
		return roll_failed(log);
	log->segment_count--;
	log->segments[log->segment_count - 1] =
	    log->segments[log->segment_count];
	if (segment_remove(old) != 0)
		log_warn("store", "%s keeps an empty segment at %" PRId64,
		    log->path, old->base_offset);
	segment_unref(old);
	return 0;
}

void
log_write_failed(struct log *log, const char *what, bool final)
{
	/* What stays short would be said with each append. */
	if (!log->full || final)
		log_error("store", "cannot %s in %s: %s", what, log->path,
		    strerror(errno));
	log->full = disk_is_short(errno);
	if (final)
		log_fence(log, "a write failed");
}

int
log_rename(struct log *log, const char *path)
{
	int result, error;

	log_lock(log);
	log_clean_pause(log);
	log_flush_hold(log);
	result = disk_rename(log->disk, log->path, path);
	error = errno;
	if (result == 0) {
		free(log->path);
		log->path = xstrdup(path);
		for (size_t i = 0; i < log->segment_count; i++)
			segment_moved(log->segments[i], path);
		log->creation_dirty = true;
	}
	log_flush_release(log);
	log_clean_resume(log);
	log_unlock(log);
	errno = error;
	return result;
}

void
log_fence(struct log *log, const char *reason)
{
	if (log->offline)
		return;
	log->offline = true;
	log_error("store", "%s is offline: %s", log->path, reason);
	if (log->events.failed != NULL)
		log->events.failed(log, log->events.context);
}

void
log_retire(struct log *log)
{
	log->offline = true;
}

/* --- What it is --------------------------------------------------------- */

const char *
log_name(const struct log *log)
{
	return log->name;
}

struct uuid
log_topic_id(const struct log *log)
{
	return log->topic_id;
}

struct disk *
log_disk(const struct log *log)
{
	return log->disk;
}

struct flush_link *
log_flush_link(struct log *log)
{
	return &log->flush_link;
}

struct log *
log_of_flush_link(struct flush_link *link)
{
	return CONTAINER_OF(link, struct log, flush_link);
}

int64_t
log_start_offset(const struct log *log)
{
	return log->start_offset;
}

int64_t
log_end_offset(const struct log *log)
{
	return log->end_offset;
}

int64_t
log_flushed_offset(const struct log *log)
{
	return MIN(log->recovery_point, log->flushed_max);
}

int64_t
log_recovery_point(const struct log *log)
{
	return log->recovery_point;
}

int64_t
log_high_watermark(const struct log *log)
{
	return log->high_watermark;
}

bool
log_is_offline(const struct log *log)
{
	return log->offline;
}

int64_t
log_first_base_offset(const struct log *log)
{
	return log->segments[0]->base_offset;
}

int64_t
log_active_base_offset(const struct log *log)
{
	return log_active(log)->base_offset;
}

size_t
log_segment_count(const struct log *log)
{
	return log->segment_count;
}

int64_t
log_size_bytes(const struct log *log)
{
	int64_t size_bytes = 0;

	for (size_t i = 0; i < log->segment_count; i++)
		size_bytes += log->segments[i]->size_bytes;
	return size_bytes;
}

int64_t
log_unflushed_messages(const struct log *log)
{
	return log->end_offset - log->recovery_point;
}

int64_t
log_unflushed_since_ms(const struct log *log)
{
	return log->unflushed_since_ms;
}

const struct leader_epochs *
log_leader_epochs(const struct log *log)
{
	return &log->epochs;
}

const struct producer_state *
log_producers(const struct log *log)
{
	return &log->producers;
}

const struct log_settings *
log_settings(const struct log *log)
{
	return &log->settings;
}

void
log_settings_change(struct log *log, const struct log_settings *settings)
{
	log->settings = *settings;
}

void
log_high_watermark_set(struct log *log, int64_t high_watermark)
{
	assert(high_watermark <= log->end_offset);
	log->high_watermark = high_watermark;
	open_txns_settle(&log->txns, high_watermark);
}

int64_t
log_last_stable_offset(const struct log *log)
{
	int64_t first = open_txns_first_unstable(&log->txns);

	return MIN(log->high_watermark, MAX(first, log->start_offset));
}

void
log_leader_epoch_begin(struct log *log, int32_t leader_epoch)
{
	leader_epochs_assign(&log->epochs, leader_epoch, log->end_offset);
}

void
log_producers_expire(struct log *log, int64_t now_ms)
{
	int64_t expiration_ms = log->settings.producer_id_expiration_ms;

	producer_state_expire(&log->producers, now_ms, expiration_ms);
	verification_all_expire(&log->verifications, now_ms, expiration_ms);
}

enum kp_error
log_verify(struct log *log, const struct verification_start *start,
    uint64_t *guard)
{
	const struct producer *producer =
	    producer_state_find(&log->producers, start->producer_id);

	*guard = VERIFICATION_NONE;
	if (producer != NULL && start->producer_epoch < producer->epoch)
		return KP_INVALID_PRODUCER_EPOCH;
	if (producer == NULL || producer->txn_first_offset < 0 ||
	    producer->epoch != start->producer_epoch)
		*guard = verification_begin(&log->verifications, start);
	return KP_NONE;
}

bool
log_lost_data(const struct log *log)
{
	return log->lost_data;
}

size_t
log_damage_count(const struct log *log)
{
	return log->damage_count;
}
