/*
 * The second pass of compaction: writing segments anew, and putting them in
 * the old ones' place (Kafka's Cleaner.cleanSegments, groupSegmentsBySize,
 * UnifiedLog.replaceSegments).
 */
#include "base/log.h"
#include "store/batch_filter.h"
#include "store/cleaned_segment.h"
#include "store/disk.h"
#include "store/log_clean_internal.h"
#include "store/log_internal.h"
#include "store/producer_snapshot.h"

#include <errno.h>

/* Neighbours in the plan that become one segment. */
struct group {
	size_t first;
	size_t count;
};

/* What one group is written with. */
struct writing {
	struct log_cleaning *cleaning;
	struct group group;
	struct batch_filter *filter;
	struct cleaned_segment cleaned;
};

/* --- Which segments ------------------------------------------------------- */

/* What counts against the limits of one segment. */
struct extent {
	int64_t log_bytes;
	int64_t offset_index_bytes;
	int64_t time_index_bytes;
};

static int64_t
file_size(struct segment *segment, const char *extension)
{
	char *path = segment_path(segment, extension);
	struct stat st;
	int result = disk_stat(segment->disk, path, &st);

	free(path);
	return result == 0 ? (int64_t)st.st_size : 0;
}

static void
extend(struct extent *extent, struct segment *segment)
{
	extent->log_bytes += segment->size_bytes;
	extent->offset_index_bytes += file_size(segment, ".index");
	extent->time_index_bytes += file_size(segment, ".timeindex");
}

static bool
fits(const struct log_clean_plan *plan, const struct extent *extent)
{
	int32_t index_max = plan->settings.segment_index_bytes;

	return extent->log_bytes <= plan->settings.segment_bytes &&
	    extent->offset_index_bytes <= index_max &&
	    extent->time_index_bytes <= index_max;
}

/* The group that begins at this index, of segments below limit. */
static struct group
group_from(const struct log_clean_plan *plan, size_t first, size_t limit)
{
	struct group group = { .first = first, .count = 1 };
	int64_t base_offset = plan->segments[first]->base_offset;
	struct extent extent = { .log_bytes = 0 };

	extend(&extent, plan->segments[first]);
	for (size_t i = first + 1; i < limit; i++, group.count++) {
		int64_t last = log_clean_plan_segment_end(plan, i) - 1;

		extend(&extent, plan->segments[i]);
		if (!fits(plan, &extent) || last - base_offset > INT32_MAX)
			break;
	}
	return group;
}

/* --- Writing -------------------------------------------------------------- */

/* What the filter says, as far as the first pass has not answered that. */
static enum batch_filter_verdict
judge(struct writing *writing, const struct log_clean_batch *batch)
{
	const struct clean_stretch *stretch =
	    clean_stretches_find(&writing->cleaning->stretches,
		batch->header->base_offset);

	if (stretch != NULL && clean_stretch_is_whole(stretch))
		return BATCH_FILTER_KEEP;
	writing->filter->latest =
	    stretch == NULL ? NULL : &writing->cleaning->stretches;
	return batch_filter_run(writing->filter, batch->bytes, batch->header,
	    &writing->cleaned.buffer);
}

static int
filter_batch(void *context, const struct log_clean_batch *batch)
{
	struct writing *writing = context;
	struct log_cleaning *cleaning = writing->cleaning;
	struct cleaned_segment *cleaned = &writing->cleaned;
	int64_t size_before = cleaned->size_bytes;
	size_t from = cleaned->buffer.len;
	int result = 0;

	cleaning->stats->bytes_read += (int64_t)batch->bytes.len;
	switch (judge(writing, batch)) {
	case BATCH_FILTER_DROP:
		return 0;
	case BATCH_FILTER_BROKEN:
		return log_clean_bad(cleaning, batch->header->base_offset,
		    writing->filter->problem);
	case BATCH_FILTER_KEEP:
		result = cleaned_segment_append(cleaned, batch->bytes);
		break;
	case BATCH_FILTER_REWRITE:
		result = cleaned_segment_added(cleaned, from);
		break;
	}
	if (result != 0) {
		cleaning->writing = true;
		return -1;
	}
	return log_clean_step(
	    cleaning, (size_t)(cleaned->size_bytes - size_before));
}

/*
 * Its newest batch below `safe` says where a producer stands, if a crash or a
 * truncation takes all later ones; it is not known where they are many.
 */
static struct batch_filter_producer
describe_producer(const struct producer *producer, int64_t safe)
{
	struct batch_filter_producer copy = {
		.id = producer->id,
		.last_offset = producer->batch_count > 0 ? 0 : -1,
		.epoch = producer->epoch,
	};

	for (size_t i = 0; i < producer->batch_count; i++)
		if (producer->batches[i].last_offset < safe)
			copy.last_offset = producer->batches[i].last_offset;
	return copy;
}

/* What the producers need to stay; the caller frees it. */
static struct batch_filter_producer *
copy_producers(struct log *log, size_t *count)
{
	struct batch_filter_producer *copies;
	int64_t safe;

	log_lock(log);
	safe = MIN(log->recovery_point, log->high_watermark);
	*count = log->producers.count;
	copies = xcalloc(*count, sizeof(*copies));
	for (size_t i = 0; i < *count; i++)
		copies[i] =
		    describe_producer(log->producers.producers[i], safe);
	log_unlock(log);
	return copies;
}

/*
 * Until when tombstones of magic 0 and 1 stay: by the age of the segments
 * that were clean before.
 */
static int64_t
legacy_horizon(const struct log_clean_plan *plan)
{
	size_t dirty = log_clean_plan_from(plan, plan->first_dirty_offset);

	if (dirty == 0)
		return 0;
	return plan->segments[dirty - 1]->modified_ms -
	    MIN(plan->settings.delete_retention_ms, INT64_MAX / 2);
}

static int
filter_segments(struct writing *writing)
{
	const struct log_clean_plan *plan = &writing->cleaning->plan;
	const struct log_clean_visitor visitor = {
		.skip_dead = true,
		.visit = filter_batch,
		.context = writing,
	};
	int64_t horizon_ms = legacy_horizon(plan);

	for (size_t i = 0; i < writing->group.count; i++) {
		size_t at = writing->group.first + i;

		writing->filter->keep_legacy_tombstones =
		    plan->segments[at]->modified_ms > horizon_ms;
		if (log_clean_walk(writing->cleaning, at, &visitor) != 0)
			return -1;
	}
	return 0;
}

/* --- Putting it in the place ---------------------------------------------- */

static struct segment **
sources(const struct writing *writing)
{
	return &writing->cleaning->plan.segments[writing->group.first];
}

/* Whoever reads an old segment must not need its names. */
static int
hold_sources(const struct writing *writing)
{
	struct segment **segments = sources(writing);

	for (size_t i = 0; i < writing->group.count; i++) {
		int saved;

		if (segment_hold(segments[i]) == 0)
			continue;
		saved = errno;
		while (i > 0)
			segment_unhold(segments[--i]);
		errno = saved;
		return -1;
	}
	return 0;
}

static void
unhold_sources(const struct writing *writing)
{
	for (size_t i = 0; i < writing->group.count; i++)
		segment_unhold(sources(writing)[i]);
}

/* Take the old names away.  Locked. */
static int
remove_sources(const struct writing *writing)
{
	struct segment **segments = sources(writing);

	if (segment_remove_replaced(segments[0]) != 0)
		return -1;
	for (size_t i = 1; i < writing->group.count; i++)
		if (segment_remove(segments[i]) != 0)
			return -1;
	return 0;
}

/* Put it, which is taken, into the array.  Locked. */
static void
replace(const struct writing *writing, struct segment *segment)
{
	struct log *log = writing->cleaning->log;
	size_t count = writing->group.count;
	size_t at = log_segment_find(log, segment->base_offset);

	for (size_t i = 0; i < count; i++) {
		struct segment *old = log->segments[at + i];

		assert(old == sources(writing)[i]);
		log_removal_schedule(log, old->base_offset);
		segment_unref(old);
	}
	log->segments[at] = segment;
	memmove(&log->segments[at + 1], &log->segments[at + count],
	    (log->segment_count - at - count) * sizeof(*log->segments));
	log->segment_count -= count - 1;
}

/*
 * The step that readers see.  -1 with errno; ECANCELED where it was not done
 * because the log went offline.
 */
static int
swap_locked(const struct writing *writing)
{
	struct log_cleaning *cleaning = writing->cleaning;
	struct log *log = cleaning->log;
	struct segment *last = sources(writing)[writing->group.count - 1];
	struct segment *segment;

	if (log->offline) {
		errno = ECANCELED;
		return -1;
	}
	if (remove_sources(writing) != 0) {
		log_write_failed(log, "put compacted segments", true);
		return -1;
	}
	segment = segment_open_swap(log->files, cleaning->path,
	    writing->cleaned.base_offset, writing->cleaned.size_bytes,
	    last->modified_ms);
	segment->has_aborts = writing->cleaned.aborted.count > 0;
	segment->aborts_loaded = !segment->has_aborts;
	assert(log->unsettled == NULL);
	log->unsettled = segment_ref(segment);
	replace(writing, segment);
	return 0;
}

static int
swap(const struct writing *writing)
{
	struct log *log = writing->cleaning->log;
	int result;

	log_lock(log);
	log_flush_hold(log);
	result = swap_locked(writing);
	log_flush_release(log);
	log_unlock(log);
	return result;
}

/* Files of an earlier round, whose names are needed again. */
static void
unlink_earlier(const struct writing *writing)
{
	for (size_t i = 0; i < writing->group.count; i++)
		if (segment_unlink_deleted(writing->cleaning->log->disk,
			writing->cleaning->path,
			sources(writing)[i]->base_offset) != 0)
			log_warn("store", "cannot unlink in %s: %s",
			    writing->cleaning->path, strerror(errno));
}

static void
fence(const struct writing *writing, const char *what)
{
	struct log *log = writing->cleaning->log;

	log_lock(log);
	log_write_failed(log, what, true);
	log_unlock(log);
}

/* Give up what readers have not seen; errno stays. */
static int
discard(const struct writing *writing)
{
	int saved = errno;

	if (cleaned_segment_discard(&writing->cleaned) != 0)
		fence(writing, "remove a compacted segment");
	errno = saved;
	return -1;
}

/* What is published is the log's from the swap on; only names change then. */
static int
put_in_place(const struct writing *writing)
{
	struct log_cleaning *cleaning = writing->cleaning;

	unlink_earlier(writing);
	if (hold_sources(writing) != 0)
		return discard(writing);
	cleaning->writing = true;
	if (cleaned_segment_publish(&writing->cleaned) != 0) {
		unhold_sources(writing);
		return discard(writing);
	}
	if (swap(writing) != 0)
		return errno == ECANCELED ? discard(writing) : -1;
	if (log_clean_settle_names(cleaning->log, cleaning->path) != 0)
		return -1;
	cleaning->writing = false;
	return 0;
}

/* --- A group -------------------------------------------------------------- */

static int
write_cleaned(struct writing *writing)
{
	struct segment *last = sources(writing)[writing->group.count - 1];

	if (filter_segments(writing) != 0)
		return -1;
	writing->cleaning->writing = true;
	if (cleaned_segment_finish(&writing->cleaned, last->modified_ms) != 0)
		return -1;
	writing->cleaning->writing = false;
	return 0;
}

static int
open_cleaned(struct writing *writing)
{
	struct log_cleaning *cleaning = writing->cleaning;

	cleaning->writing = true;
	if (cleaned_segment_open(&writing->cleaned, cleaning->log->disk,
		cleaning->path, sources(writing)[0]->base_offset,
		cleaning->plan.settings.index_interval_bytes,
		cleaning->round->buffer_len) != 0)
		return -1;
	cleaning->writing = false;
	writing->filter->kept_aborted = &writing->cleaned.aborted;
	return 0;
}

/* Of what a restart learns about producers the headers stay. */
static void
need_last_batches(const struct writing *writing)
{
	const struct clean_stretches *stretches =
	    &writing->cleaning->stretches;
	const struct log_clean_plan *plan = &writing->cleaning->plan;
	const struct group *group = &writing->group;
	int64_t end_offset = log_clean_plan_segment_end(
	    plan, group->first + group->count - 1);
	struct clean_stretch *stretch = clean_stretches_from(
	    stretches, plan->segments[group->first]->base_offset);

	while (stretch != NULL && stretch->base_offset < end_offset) {
		stretch->needed |= batch_filter_tells_of_producer(
		    writing->filter, stretch->producer_id,
		    stretch->last_offset);
		stretch = clean_stretches_from(
		    stretches, stretch->last_offset + 1);
	}
}

/* Would the group become the segment that it is? */
static bool
loses_nothing(const struct log_cleaning *cleaning, const struct group *group)
{
	const struct segment *segment = cleaning->plan.segments[group->first];

	return group->count == 1 &&
	    clean_stretches_whole_bytes(&cleaning->stretches,
		segment->base_offset,
		log_clean_plan_segment_end(&cleaning->plan, group->first)) ==
	    segment->size_bytes;
}

/* Which transactions does a start find open that begins with this group? */
static int
note_begun(const struct writing *writing)
{
	const struct log_cleaning *cleaning = writing->cleaning;
	struct producer_state state;
	int result;

	producer_state_init(&state);
	result = producer_snapshot_read(&state, cleaning->log->disk,
	    cleaning->path, sources(writing)[0]->base_offset);
	/* A start cannot go on from it then. */
	if (result != 0 && (errno == ENOENT || errno == EBADMSG))
		result = 0;
	for (size_t i = 0; i < state.count; i++)
		if (state.producers[i]->txn_first_offset >= 0)
			clean_transactions_begun(
			    &writing->filter->transactions,
			    state.producers[i]->id);
	producer_state_fini(&state);
	return result;
}

static int
write_group(struct writing *writing)
{
	struct batch_filter_producer *producers;
	int result;

	if (note_begun(writing) != 0)
		return -1;
	producers = copy_producers(
	    writing->cleaning->log, &writing->filter->producer_count);
	writing->filter->producers = producers;
	need_last_batches(writing);
	result = open_cleaned(writing);
	if (result == 0)
		result = write_cleaned(writing);
	if (result == 0)
		result = put_in_place(writing);
	else
		result = discard(writing);
	cleaned_segment_fini(&writing->cleaned);
	free(producers);
	return result;
}

static void
count_segments(const struct writing *writing, bool written)
{
	struct log_clean_stats *stats = writing->cleaning->stats;
	int64_t bytes = 0;

	for (size_t i = 0; i < writing->group.count; i++)
		bytes += sources(writing)[i]->size_bytes;
	stats->segments_before += writing->group.count;
	stats->bytes_before += bytes;
	stats->segments_after++;
	stats->bytes_after += written ? writing->cleaned.size_bytes : bytes;
}

/*
 * Without its marker a transaction looks as if it were open.  A start that
 * reads the batches again must find a snapshot behind the ones that go.
 */
static int
keep_producers(struct log_cleaning *cleaning, size_t limit)
{
	if (limit == 0)
		return 0;
	cleaning->writing = true;
	if (log_snapshot_sync(cleaning->log, cleaning->path,
		log_clean_plan_segment_end(&cleaning->plan, limit - 1)) != 0)
		return -1;
	cleaning->writing = false;
	return 0;
}

static int
write_groups(struct log_cleaning *cleaning, struct batch_filter *filter)
{
	const struct log_clean_plan *plan = &cleaning->plan;
	size_t limit =
	    log_clean_plan_from(plan, cleaning->map.latest_offset + 1);
	struct writing writing = { .cleaning = cleaning, .filter = filter };

	if (keep_producers(cleaning, limit) != 0)
		return -1;
	for (size_t at = 0; at < limit; at += writing.group.count) {
		bool written;

		writing.group = group_from(plan, at, limit);
		written = !loses_nothing(cleaning, &writing.group);
		if (written && write_group(&writing) != 0)
			return -1;
		count_segments(&writing, written);
	}
	return 0;
}

int
log_clean_write_groups(struct log_cleaning *cleaning)
{
	struct batch_filter filter;
	int result;

	batch_filter_init(&filter, &cleaning->aborted);
	filter.transactions.start_offset = cleaning->plan.log_start_offset;
	filter.map = &cleaning->map;
	filter.now_ms = cleaning->round->now_ms;
	filter.delete_retention_ms =
	    cleaning->plan.settings.delete_retention_ms;
	filter.end_offset = cleaning->plan.end_offset;
	result = write_groups(cleaning, &filter);
	batch_filter_fini(&filter);
	return result;
}
