#include "store/log_clean.h"

#include "base/log.h"
#include "store/disk.h"
#include "store/file_scan.h"
#include "store/log_clean_internal.h"
#include "store/log_internal.h"

#include <errno.h>
#include <inttypes.h>

/*
 * Of the round's memory the stretches take an eighth at the most, and the bits
 * a sixteenth: 128 MB are enough for 2.8 GB at least, and 64 million records.
 * However little there is: so many.
 */
#define STRETCHES_SHARE 8
#define STRETCHES_MIN ((size_t)16)
#define BITS_SHARE 16
#define BITS_MIN ((size_t)1024)

/* --- Exclusion ------------------------------------------------------------ */

void
log_clean_pause(struct log *log)
{
	log->clean_pauses++;
	atomic_store(&log->clean_stop, true);
	while (log->cleaning)
		pthread_cond_wait(&log->flush_ended, &log->mutex);
}

void
log_clean_resume(struct log *log)
{
	assert(log->clean_pauses > 0);
	if (--log->clean_pauses == 0)
		atomic_store(&log->clean_stop, false);
}

int
log_clean_settle_names(struct log *log, const char *path)
{
	struct segment *segment = log->unsettled;
	bool passes;
	int saved;

	if (segment == NULL)
		return 0;
	if (disk_sync_dir(log->disk, path) != 0) {
		passes = disk_is_busy(errno);
	} else if (segment_settle(segment) != 0) {
		passes = disk_is_short(errno);
	} else if (disk_sync_dir(log->disk, path) != 0) {
		passes = disk_is_busy(errno);
	} else {
		log_lock(log);
		log->unsettled = NULL;
		log_unlock(log);
		segment_unref(segment);
		return 0;
	}
	saved = errno;
	log_lock(log);
	log_write_failed(log, "name a compacted segment", !passes);
	log_unlock(log);
	errno = saved;
	return -1;
}

int
log_clean_settle(struct log *log)
{
	char *path = NULL;
	int result, saved;

	log_lock(log);
	if (log->unsettled != NULL && !log->cleaning &&
	    log->clean_pauses == 0 && !log->offline) {
		log->cleaning = true;
		path = xstrdup(log->path);
	}
	log_unlock(log);
	if (path == NULL)
		return 0;
	result = log_clean_settle_names(log, path);
	saved = errno;
	log_lock(log);
	log->cleaning = false;
	pthread_cond_broadcast(&log->flush_ended);
	log_unlock(log);
	free(path);
	errno = saved;
	return result;
}

int
log_clean_settle_paused(struct log *log)
{
	char *path = xstrdup(log->path);
	int result, saved;

	assert(log->clean_pauses > 0 && !log->cleaning);
	log_unlock(log);
	result = log_clean_settle_names(log, path);
	saved = errno;
	free(path);
	log_lock(log);
	errno = saved;
	return result;
}

/* Take up the round; false where the log cannot be cleaned now. */
static bool
begin(struct log_cleaning *cleaning)
{
	struct log *log = cleaning->log;
	bool may;

	log_lock(log);
	may = !log->cleaning && log->clean_pauses == 0 && !log->offline &&
	    !log_is_uncleanable(log) && !log_is_unsaved(log) &&
	    log->segment_count > 1;
	if (may) {
		log->cleaning = true;
		cleaning->path = xstrdup(log->path);
		log_clean_plan_take(&cleaning->plan, log);
	}
	log_unlock(log);
	return may;
}

static void
end(struct log_cleaning *cleaning, enum log_clean_result result)
{
	struct log *log = cleaning->log;

	log_lock(log);
	log->cleaning = false;
	if (result == LOG_CLEAN_DONE)
		log->clean_offset = cleaning->map.latest_offset + 1;
	else if (result == LOG_CLEAN_FAILED)
		log->uncleanable_at = cleaning->problem == NULL ?
		    INT64_MAX :
		    cleaning->problem_offset;
	pthread_cond_broadcast(&log->flush_ended);
	log_unlock(log);
	offset_map_fini(&cleaning->map);
	clean_stretches_fini(&cleaning->stretches);
	txn_index_fini(&cleaning->aborted);
	log_clean_plan_fini(&cleaning->plan);
	free(cleaning->buffer);
	free(cleaning->path);
}

/* --- Walking -------------------------------------------------------------- */

int
log_clean_bad(
    struct log_cleaning *cleaning, int64_t offset, const char *problem)
{
	cleaning->problem = problem;
	cleaning->problem_offset = offset;
	errno = EBADMSG;
	return -1;
}

int
log_clean_step(struct log_cleaning *cleaning, size_t bytes)
{
	const struct log_clean_round *round = cleaning->round;
	bool go_on = !atomic_load(&cleaning->log->clean_stop);

	cleaning->unpaced_bytes += bytes;
	if (go_on && round->pace != NULL &&
	    cleaning->unpaced_bytes >= round->buffer_len) {
		go_on = round->pace(round->context, cleaning->unpaced_bytes);
		cleaning->unpaced_bytes = 0;
	}
	if (go_on)
		return 0;
	errno = ECANCELED;
	return -1;
}

/* What a walk is at. */
struct walk {
	struct log_cleaning *cleaning;
	struct file_scan scan;
	int64_t next_offset;	/* the least that the next batch may have */
	int64_t end_offset;	/* of the segment */
	const struct log_clean_visitor *visitor;
};

/* Compare the checksum, and have the batch looked at. */
static int
visit(struct walk *walk, const struct batch *header)
{
	const struct log_clean_visitor *visitor = walk->visitor;
	uint8_t *heap;
	struct log_clean_batch batch = {
		.header = header,
		.bytes = file_scan_bytes(&walk->scan, &heap),
		.position = walk->scan.position,
	};
	int result;

	if (slice_is_null(batch.bytes))
		return -1;
	if (batch_crc_valid(batch.bytes))
		result = visitor->visit(visitor->context, &batch);
	else
		result = log_clean_bad(walk->cleaning, header->base_offset,
		    "its checksum is wrong");
	free(heap);
	return result;
}

/* The step that is no batch: 0 at the end, else -1 with errno. */
static int
stop(const struct walk *walk, enum file_scan_step step)
{
	if (step == FILE_SCAN_END)
		return 0;
	if (step == FILE_SCAN_ERROR)
		return -1;
	return log_clean_bad(
	    walk->cleaning, walk->next_offset, "there is none");
}

/* Go over the dead stretches that begin behind the current batch. */
static void
skip_dead(struct walk *walk)
{
	struct file_scan *scan = &walk->scan;
	const struct clean_stretch *stretch;

	for (;;) {
		int64_t position = scan->position + (int64_t)scan->size_bytes;

		stretch = clean_stretches_at(&walk->cleaning->stretches,
		    walk->next_offset, walk->end_offset, position);
		if (stretch == NULL || !clean_stretch_is_dead(stretch))
			return;
		file_scan_seek(scan, position + stretch->size_bytes);
		walk->next_offset = stretch->last_offset + 1;
	}
}

static enum file_scan_step
next(struct walk *walk, struct batch *batch)
{
	if (walk->visitor->skip_dead)
		skip_dead(walk);
	return file_scan_next(&walk->scan, batch);
}

static int
walk_batches(struct walk *walk)
{
	enum file_scan_step step;
	struct batch batch;
	int result = 0;

	while ((step = next(walk, &batch)) == FILE_SCAN_BATCH) {
		if (batch.base_offset < walk->next_offset ||
		    batch.last_offset >= walk->end_offset)
			return log_clean_bad(walk->cleaning, batch.base_offset,
			    "its offsets are not its segment's");
		walk->next_offset = batch.last_offset + 1;
		if (batch.last_offset >= walk->visitor->from_offset)
			result = visit(walk, &batch);
		if (result == 0)
			result = log_clean_step(
			    walk->cleaning, batch.size_bytes);
		if (result != 0)
			return result;
	}
	return stop(walk, step);
}

int
log_clean_walk(struct log_cleaning *cleaning, size_t at,
    const struct log_clean_visitor *visitor)
{
	struct segment *segment = cleaning->plan.segments[at];
	struct walk walk = {
		.cleaning = cleaning,
		.next_offset = segment->base_offset,
		.end_offset = log_clean_plan_segment_end(&cleaning->plan, at),
		.visitor = visitor,
	};
	int fd = segment_pin(segment);
	int result;

	if (fd < 0)
		return -1;
	file_scan_init(&walk.scan, cleaning->log->disk, fd, 0,
	    segment->size_bytes, cleaning->buffer,
	    cleaning->round->buffer_len);
	result = walk_batches(&walk);
	segment_unpin(segment);
	return result;
}

/* --- A round -------------------------------------------------------------- */

/* Damage that is known has not to be found again. */
static int
check_damage(struct log_cleaning *cleaning)
{
	struct log *log = cleaning->log;
	int64_t offset = -1;

	log_lock(log);
	if (log->damage_count > 0)
		offset = log->damages[0].first_offset;
	log_unlock(log);
	return offset < 0 ? 0 :
			    log_clean_bad(cleaning, offset, "it is damaged");
}

/* The map has what the others leave, and no more than it may need. */
static void
make_tables(struct log_cleaning *cleaning)
{
	const struct log_clean_plan *plan = &cleaning->plan;
	const struct log_clean_round *round = cleaning->round;
	size_t offsets = (size_t)(plan->end_offset - plan->first_dirty_offset);
	size_t bits = MAX(BITS_MIN, round->memory_max / BITS_SHARE * 8);
	size_t stretches = MAX(STRETCHES_MIN,
	    round->memory_max / STRETCHES_SHARE / CLEAN_STRETCH_LEN);
	size_t taken;

	clean_stretches_init(&cleaning->stretches, MIN(stretches, offsets),
	    plan->first_dirty_offset,
	    plan->first_dirty_offset + (int64_t)MIN(bits, offsets));
	taken = clean_stretches_bytes_max(&cleaning->stretches);
	offset_map_init(&cleaning->map, offsets,
	    round->memory_max - MIN(taken, round->memory_max),
	    round->map_load_factor);
	cleaning->stats->memory_bytes =
	    taken + offset_map_bytes(&cleaning->map);
}

static int
run(struct log_cleaning *cleaning)
{
	const struct log_clean_plan *plan = &cleaning->plan;

	if (log_clean_settle_names(cleaning->log, cleaning->path) != 0 ||
	    log_clean_plan_bound(
		&cleaning->plan, cleaning->round->now_ms) != 0)
		return -1;
	if (plan->end_offset <= plan->first_dirty_offset) {
		errno = ECANCELED;
		return -1;
	}
	if (check_damage(cleaning) != 0 ||
	    log_clean_collect_aborted(cleaning) != 0)
		return -1;
	make_tables(cleaning);
	if (log_clean_fill_map(cleaning) != 0)
		return -1;
	return log_clean_write_groups(cleaning);
}

/* What heals by itself. */
static bool
is_passing(int error)
{
	return disk_is_full(error) || disk_is_busy(error) || error == ENOMEM;
}

static void
fence(struct log *log)
{
	log_lock(log);
	log_fence(log, "a write of its compaction failed");
	log_unlock(log);
}

/* Say why a round has ended before its end. */
static enum log_clean_result
give_up(struct log_cleaning *cleaning)
{
	const char *name = cleaning->log->name;
	int error = errno;

	if (error == ECANCELED)
		return LOG_CLEAN_STOPPED;
	if (is_passing(error)) {
		log_warn("store", "%s cannot be compacted now: %s", name,
		    strerror(error));
		return LOG_CLEAN_POSTPONED;
	}
	if (error == EBADMSG)
		log_error("store",
		    "%s is not compacted any more until the next start, or "
		    "until its segment is gone: the batch at offset %" PRId64
		    " cannot be used: %s",
		    name, cleaning->problem_offset, cleaning->problem);
	else
		log_error("store",
		    "%s is not compacted any more until the next start: %s",
		    name, strerror(error));
	if (cleaning->writing && error != EBADMSG && error != EFBIG)
		fence(cleaning->log);
	return LOG_CLEAN_FAILED;
}

static void
report(const struct log_cleaning *cleaning)
{
	const struct log_clean_stats *stats = cleaning->stats;

	log_info("store",
	    "%s is compacted up to offset %" PRId64 ": %zu keys, %zu segments "
	    "with %" PRId64 " bytes are %zu with %" PRId64 " now",
	    cleaning->log->name, cleaning->map.latest_offset, stats->keys,
	    stats->segments_before, stats->bytes_before,
	    stats->segments_after, stats->bytes_after);
}

enum log_clean_result
log_clean(struct log *log, const struct log_clean_round *round,
    struct log_clean_stats *stats)
{
	struct log_cleaning cleaning = {
		.log = log,
		.round = round,
		.stats = stats,
	};
	enum log_clean_result result = LOG_CLEAN_DONE;

	assert(round->buffer_len >= FILE_SCAN_BUFFER_MIN);
	*stats = (struct log_clean_stats){ .keys = 0 };
	if (!begin(&cleaning))
		return LOG_CLEAN_STOPPED;
	cleaning.buffer = xmalloc(round->buffer_len);
	if (run(&cleaning) != 0)
		result = give_up(&cleaning);
	else
		report(&cleaning);
	end(&cleaning, result);
	return result;
}

/* --- Where it stands ------------------------------------------------------ */

int64_t
log_clean_offset(const struct log *log)
{
	return log->clean_offset;
}

void
log_clean_offset_set(struct log *log, int64_t offset)
{
	log->clean_offset = offset;
}

bool
log_is_uncleanable(const struct log *log)
{
	return log->uncleanable_at >= 0 &&
	    log->uncleanable_at >= log->segments[0]->base_offset;
}
