/*
 * Making sure of a segment, where an index or a name is not enough.
 */
#include "store/batch_walk.h"
#include "store/segment.h"

#include <errno.h>

/* One index interval and the header behind it, with some to spare. */
#define HEADER_BUFFER_LEN 8192
#define SCAN_BUFFER_LEN ((size_t)64 << 10)

static void
lock(struct segment *segment)
{
	pthread_mutex_lock(&segment->mutex);
}

static void
unlock(struct segment *segment)
{
	pthread_mutex_unlock(&segment->mutex);
}

/* --- Times -------------------------------------------------------------- */

int
segment_has_time(struct segment *segment, const struct segment_time *time,
    int64_t end_position)
{
	uint8_t buffer[HEADER_BUFFER_LEN];
	int fd = segment_pin(segment);
	struct batch_walk walk;
	struct file_scan scan;
	struct batch batch;
	int found;

	if (fd < 0)
		return -1;
	file_scan_init(&scan, segment->disk, fd, time->position,
	    end_position, buffer, sizeof(buffer));
	batch_walk_init(&walk, &scan, segment->base_offset);
	walk.in_middle = time->position > 0;
	do
		found = batch_walk_next(&walk, &batch);
	while (found > 0 && batch.last_offset < time->offset);
	segment_unpin(segment);
	if (found <= 0)
		return found;
	return batch.base_offset <= time->offset &&
	    batch.max_timestamp == time->timestamp_ms;
}

int
segment_times_agree(struct segment *segment)
{
	struct segment_time last;

	if (segment_max_timestamp(segment, &last.timestamp_ms) != 0)
		return -1;
	if (last.timestamp_ms < 0)
		return 1;
	lock(segment);
	last.offset = segment->indexes.max_timestamp_offset;
	unlock(segment);
	last.position = segment_lookup(segment, last.offset);
	if (last.position < 0)
		return -1;
	return segment_has_time(segment, &last, segment->size_bytes);
}

/* Are the batches behind the last index entry no later than the index says? */
static int
tail_agrees(struct segment *segment)
{
	int64_t position = segment_lookup_closed(segment, INT64_MAX);
	int64_t timestamp_ms;
	struct batch_walk walk;
	struct file_scan scan;
	struct batch batch;
	uint8_t *buffer;
	int result;
	int fd;

	if (position < 0 ||
	    segment_max_timestamp_closed(segment, &timestamp_ms) != 0)
		return -1;
	fd = segment_pin(segment);
	if (fd < 0)
		return -1;
	buffer = xmalloc(SCAN_BUFFER_LEN);
	file_scan_init(&scan, segment->disk, fd, position, segment->size_bytes,
	    buffer, SCAN_BUFFER_LEN);
	batch_walk_init(&walk, &scan, segment->base_offset);
	do
		result = batch_walk_next(&walk, &batch);
	while (result > 0 && batch.max_timestamp <= timestamp_ms);
	free(buffer);
	segment_unpin(segment);
	return result < 0 ? -1 : result == 0;
}

int
segment_check_times(struct segment *segment)
{
	int agrees;

	if (segment_times_checked(segment))
		return 0;
	agrees = segment_times_agree(segment);
	if (agrees > 0)
		agrees = tail_agrees(segment);
	/* A new index needs no look: it was made of the batches. */
	if (agrees == 0 && segment_distrust(segment) >= 0)
		agrees = 1;
	if (agrees <= 0)
		return -1;
	lock(segment);
	segment->times_checked = true;
	unlock(segment);
	return 0;
}

bool
segment_times_checked(struct segment *segment)
{
	bool checked;

	lock(segment);
	checked = segment->times_checked;
	unlock(segment);
	return checked;
}

/* --- Gaps --------------------------------------------------------------- */

/* Is something missing in this batch, or in front of it? */
static bool
shows_gap(const struct batch *batch, int64_t expected)
{
	if (batch->base_offset > expected)
		return true;
	return batch->magic == BATCH_MAGIC &&
	    (batch->record_count != INT64_C(1) + batch->last_offset_delta ||
		(batch->attributes & BATCH_DELETE_HORIZON) != 0);
}

static int
look_for_gap(struct segment *segment)
{
	int fd = segment_pin(segment);
	int64_t expected = segment->base_offset;
	struct batch_walk walk;
	struct file_scan scan;
	struct batch batch;
	uint8_t *buffer;
	int result;

	if (fd < 0)
		return -1;
	buffer = xmalloc(SCAN_BUFFER_LEN);
	file_scan_init(&scan, segment->disk, fd, 0, segment->size_bytes, buffer,
	    SCAN_BUFFER_LEN);
	batch_walk_init(&walk, &scan, segment->base_offset);
	while ((result = batch_walk_next(&walk, &batch)) > 0) {
		/* What damage hides is no sign. */
		if (!walk.skipped && shows_gap(&batch, expected))
			break;
		expected = batch.last_offset + 1;
	}
	free(buffer);
	segment_unpin(segment);
	return result;
}

int
segment_may_have_gaps(struct segment *segment)
{
	enum segment_gaps gaps;
	int seen;

	lock(segment);
	gaps = segment->gaps;
	unlock(segment);
	if (gaps != SEGMENT_GAPS_UNKNOWN)
		return gaps == SEGMENT_GAPS_SEEN;
	seen = look_for_gap(segment);
	if (seen < 0)
		return -1;
	lock(segment);
	segment->gaps = seen > 0 ? SEGMENT_GAPS_SEEN : SEGMENT_GAPS_NONE;
	unlock(segment);
	return seen;
}
