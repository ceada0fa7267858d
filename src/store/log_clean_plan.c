/*
 * Which part of a log can be cleaned, and how urgent that is (Kafka's
 * LogCleanerManager.cleanableOffsets, LogToClean).
 */
#include "base/log.h"
#include "store/file_scan.h"
#include "store/log_clean_internal.h"
#include "store/log_internal.h"

#include <errno.h>

void
log_clean_plan_take(struct log_clean_plan *plan, const struct log *log)
{
	*plan = (struct log_clean_plan){
		.settings = log->settings,
		.segments =
		    xcalloc(log->segment_count, sizeof(*plan->segments)),
		.closed_count = log->segment_count - 1,
		.log_start_offset = log->start_offset,
		.log_end_offset = log->end_offset,
		.last_stable_offset = log_last_stable_offset(log),
		.clean_offset = log->clean_offset,
	};
	for (size_t i = 0; i < log->segment_count; i++)
		plan->segments[i] = segment_ref(log->segments[i]);
}

void
log_clean_plan_fini(struct log_clean_plan *plan)
{
	for (size_t i = 0; plan->segments != NULL && i <= plan->closed_count;
	     i++)
		segment_unref(plan->segments[i]);
	free(plan->segments);
	plan->segments = NULL;
}

int64_t
log_clean_plan_segment_end(const struct log_clean_plan *plan, size_t at)
{
	assert(at < plan->closed_count);
	return plan->segments[at + 1]->base_offset;
}

size_t
log_clean_plan_from(const struct log_clean_plan *plan, int64_t offset)
{
	size_t at = 0;

	while (at < plan->closed_count &&
	    plan->segments[at]->base_offset < offset)
		at++;
	return at;
}

size_t
log_clean_plan_of(const struct log_clean_plan *plan, int64_t offset)
{
	size_t behind = log_clean_plan_from(plan, offset + 1);

	return behind == 0 ? 0 : behind - 1;
}

/*
 * The largest time of a closed segment, as retention takes it: no record goes
 * because of a time in an index that was not compared with the batches.
 */
static int
largest_timestamp(struct segment *segment, int64_t *timestamp_ms)
{
	if (segment_check_times(segment) != 0 ||
	    segment_max_timestamp_closed(segment, timestamp_ms) != 0)
		return -1;
	if (*timestamp_ms < 0)
		*timestamp_ms = segment->modified_ms;
	return 0;
}

/*
 * Keep the end below the first dirty segment with records that are young; the
 * one that the first dirty offset is in is dirty, too.
 */
static int
bound_by_lag(struct log_clean_plan *plan, int64_t now_ms)
{
	int64_t lag_ms = plan->settings.min_compaction_lag_ms;
	int64_t timestamp_ms;

	if (lag_ms <= 0)
		return 0;
	for (size_t i = log_clean_plan_of(plan, plan->first_dirty_offset);
	     i < plan->closed_count; i++) {
		if (largest_timestamp(plan->segments[i], &timestamp_ms) != 0)
			return -1;
		if (timestamp_ms > now_ms - lag_ms) {
			plan->end_offset = MIN(plan->end_offset,
			    plan->segments[i]->base_offset);
			break;
		}
	}
	return 0;
}

int
log_clean_plan_bound(struct log_clean_plan *plan, int64_t now_ms)
{
	plan->first_dirty_offset = plan->clean_offset;
	if (plan->clean_offset < plan->log_start_offset ||
	    plan->clean_offset > plan->log_end_offset)
		plan->first_dirty_offset = plan->log_start_offset;
	plan->end_offset = MIN(plan->last_stable_offset,
	    plan->segments[plan->closed_count]->base_offset);
	if (bound_by_lag(plan, now_ms) != 0)
		return -1;
	plan->end_offset = MAX(plan->end_offset, plan->first_dirty_offset);
	return 0;
}

/* --- How urgent ----------------------------------------------------------- */

static int64_t
sum_bytes(const struct log_clean_plan *plan, size_t from, size_t to)
{
	int64_t bytes = 0;

	for (size_t i = from; i < to; i++)
		bytes += plan->segments[i]->size_bytes;
	return bytes;
}

static void
measure(const struct log_clean_plan *plan, struct log_clean_state *state)
{
	size_t first = log_clean_plan_of(plan, plan->first_dirty_offset);
	size_t end = log_clean_plan_from(plan, plan->end_offset);
	int64_t total;

	state->clean_bytes = sum_bytes(
	    plan, 0, log_clean_plan_from(plan, plan->first_dirty_offset));
	if (plan->end_offset > plan->first_dirty_offset)
		state->cleanable_bytes = sum_bytes(plan, first, end);
	total = state->clean_bytes + state->cleanable_bytes;
	if (total > 0)
		state->dirty_ratio =
		    (double)state->cleanable_bytes / (double)total;
}

/* The time of the first batch; -1 where there is none, or it is not known. */
static int64_t
first_timestamp(struct segment *segment)
{
	uint8_t buffer[FILE_SCAN_BUFFER_MIN];
	int64_t timestamp_ms = -1;
	struct file_scan scan;
	struct batch batch;
	int fd = segment_pin(segment);

	if (fd < 0)
		return -1;
	file_scan_init(&scan, segment->disk, fd, 0, segment->size_bytes,
	    buffer, sizeof(buffer));
	if (file_scan_next(&scan, &batch) == FILE_SCAN_BATCH)
		timestamp_ms = batch.max_timestamp;
	segment_unpin(segment);
	return timestamp_ms;
}

/* Is a dirty segment older than max.compaction.lag.ms? */
static bool
is_overdue(const struct log_clean_plan *plan, int64_t now_ms)
{
	int64_t lag_ms = MAX(plan->settings.max_compaction_lag_ms, 0);
	int64_t timestamp_ms;

	if (lag_ms >= now_ms)
		return false;
	for (size_t i = log_clean_plan_of(plan, plan->first_dirty_offset);
	     i < plan->closed_count; i++) {
		timestamp_ms = first_timestamp(plan->segments[i]);
		if (timestamp_ms > 0 && timestamp_ms < now_ms - lag_ms)
			return true;
	}
	return false;
}

static bool
look(const struct log_clean_plan *plan, int64_t now_ms,
    struct log_clean_state *state)
{
	*state = (struct log_clean_state){
		.first_dirty_offset = plan->first_dirty_offset,
		.end_offset = plan->end_offset,
	};
	measure(plan, state);
	if (state->cleanable_bytes == 0)
		return false;
	if (state->dirty_ratio > plan->settings.min_cleanable_dirty_ratio)
		return true;
	state->overdue = is_overdue(plan, now_ms);
	return state->overdue;
}

/* --- Having more to clean ------------------------------------------------- */

/* Are so many dirty bytes beside clean ones worth a round? */
static bool
is_worth(const struct log *log, int64_t dirty_bytes, int64_t clean_bytes)
{
	return (double)dirty_bytes > log->settings.min_cleanable_dirty_ratio *
		(double)(dirty_bytes + clean_bytes);
}

/* Locked. */
static bool
wants_roll(const struct log *log)
{
	int64_t active_bytes = log_active(log)->size_bytes;
	int64_t clean_bytes = 0, dirty_bytes = 0;

	if (!log->settings.cleanup_compact ||
	    log->settings.dirty_roll_bytes == 0 ||
	    active_bytes < log->settings.dirty_roll_bytes)
		return false;
	for (size_t i = 0; i + 1 < log->segment_count; i++) {
		const struct segment *segment = log->segments[i];

		if (segment->base_offset < log->clean_offset)
			clean_bytes += segment->size_bytes;
		else
			dirty_bytes += segment->size_bytes;
	}
	return !is_worth(log, dirty_bytes, clean_bytes) &&
	    is_worth(log, dirty_bytes + active_bytes, clean_bytes);
}

void
log_clean_roll(struct log *log, int64_t now_ms)
{
	int result = 0;

	log_lock(log);
	if (!log->offline && !log_is_uncleanable(log) && wants_roll(log))
		result = log_roll(log, now_ms);
	log_unlock(log);
	if (result != 0)
		log_debug("store", "%s is not rolled to be compacted",
		    log->name);
}

/* --- Looking -------------------------------------------------------------- */

/* Has the log what a round needs at least?  Locked. */
static bool
may_be_cleaned(const struct log *log)
{
	return log->settings.cleanup_compact && log->segment_count > 1 &&
	    !log->offline && !log->cleaning && !log_is_uncleanable(log) &&
	    !log_is_unsaved(log) && log->clean_pauses == 0;
}

bool
log_clean_look(struct log *log, int64_t now_ms, struct log_clean_state *state)
{
	struct log_clean_plan plan = { .segments = NULL };
	bool worth = false;

	log_lock(log);
	if (may_be_cleaned(log))
		log_clean_plan_take(&plan, log);
	log_unlock(log);
	if (plan.segments == NULL)
		return false;
	if (log_clean_plan_bound(&plan, now_ms) == 0)
		worth = look(&plan, now_ms, state);
	else
		log_error("store", "cannot see what of %s is to be cleaned: %s",
		    log->name, strerror(errno));
	log_clean_plan_fini(&plan);
	return worth;
}
