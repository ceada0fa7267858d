/*
 * The aborted transactions that a reader of committed records has to be told
 * of, from the indexes of the segments that have any.
 */
#include "store/log_internal.h"

#include <errno.h>

bool
log_read_may_look_up_aborted(const struct log_read *read)
{
	struct log *log = read->log;
	bool found = false;

	if (read->segment == NULL)
		return false;
	log_lock(log);
	for (size_t at = log_segment_find(log, read->segment->base_offset);
	    at < log->segment_count && !found; at++) {
		const struct segment *segment = log->segments[at];

		found = !segment->aborts_checked ||
		    (segment->has_aborts && !segment->active);
		/* The look-up goes no further. */
		if (segment->open_first == OPEN_TXNS_NONE)
			break;
	}
	log_unlock(log);
	return found;
}

/* Where the segments behind the one that was read begin.  Locked. */
static int64_t
next_base(const struct log *log, const struct segment *segment)
{
	size_t at = log_segment_find(log, segment->base_offset);

	while (at < log->segment_count &&
	    log->segments[at]->base_offset <= segment->base_offset)
		at++;
	return at < log->segment_count ? log->segments[at]->base_offset :
					 log->end_offset;
}

/*
 * An offset behind all that was read: the index's next, or where the segment
 * ends; more than is needed does no harm.
 */
static int
find_upper(const struct log_read *read, int64_t *upper)
{
	int64_t position = read->position + (int64_t)read->len;
	struct log *log = read->log;
	int64_t end;
	bool active;
	int result = 0;

	log_lock(log);
	end = next_base(log, read->segment);
	active = read->segment->active;
	if (active)
		result = segment_offset_behind(read->segment, position, upper);
	log_unlock(log);
	if (!active)
		result = segment_offset_behind_closed(
		    read->segment, position, upper);
	*upper = MIN(*upper, MIN(end, read->upper_bound));
	return result;
}

/* Do all transactions behind this segment begin at upper or above? */
static bool
is_last(const struct log *log, size_t at, int64_t upper)
{
	return log->segments[at]->open_first >= upper &&
	    log_segment_end(log, at) >= upper;
}

/*
 * The first segment at base_offset or behind it that has aborted transactions,
 * or may have.  NULL where there is none, or where all transactions behind are
 * known to begin at upper or above.  Locked.
 */
static struct segment *
next_with_aborts(const struct log *log, int64_t base_offset, int64_t upper)
{
	for (size_t at = log_segment_find(log, base_offset);
	    at < log->segment_count; at++) {
		struct segment *segment = log->segments[at];

		if (segment->base_offset < base_offset)
			continue;
		if (segment->has_aborts || !segment->aborts_checked)
			return segment;
		if (is_last(log, at, upper))
			return NULL;
	}
	return NULL;
}

/* What is to be done with a segment. */
enum look {
	LOOK_NONE,  /* there is none */
	LOOK_DONE,  /* it was active, and is looked into */
	LOOK_CHECK, /* it was never compared */
	LOOK_CLOSED,
};

/* *segment is referenced, if it is to be checked or looked into. */
static enum look
next_look(struct log *log, int64_t base_offset,
    const struct log_aborted_range *range, struct txn_index *found,
    struct segment **segment)
{
	enum look look = LOOK_CLOSED;

	log_lock(log);
	*segment = next_with_aborts(log, base_offset, range->upper);
	if (*segment == NULL) {
		look = LOOK_NONE;
	} else if (!(*segment)->aborts_checked) {
		look = LOOK_CHECK;
	} else if ((*segment)->active &&
	    segment_find_aborts(
		*segment, range->from_offset, range->upper, found) >= 0) {
		look = LOOK_DONE;
	}
	if (look == LOOK_CHECK || look == LOOK_CLOSED)
		segment_ref(*segment);
	log_unlock(log);
	return look;
}

/* 1 where no transaction behind this segment can matter; -1 with errno. */
static int
look_into(struct log *log, struct segment *segment,
    const struct log_aborted_range *range, struct txn_index *found)
{
	int result = segment_find_aborts_closed(
	    segment, range->from_offset, range->upper, found);

	if (result != 0)
		return result;
	log_lock(log);
	result = is_last(
	    log, log_segment_find(log, segment->base_offset), range->upper);
	log_unlock(log);
	return result;
}

int
log_find_aborted(struct log *log, const struct log_aborted_range *range,
    struct txn_index *found)
{
	int64_t base_offset = range->base_offset;
	struct segment *segment;
	enum look look;
	int result = 0;

	while (result == 0) {
		look = next_look(log, base_offset, range, found, &segment);
		if (look == LOOK_NONE || look == LOOK_DONE)
			break;
		if (look == LOOK_CHECK) {
			result = log_check_aborts(log, segment);
		} else {
			base_offset = segment->base_offset + 1;
			result = look_into(log, segment, range, found);
		}
		segment_unref(segment);
	}
	return result < 0 ? -1 : 0;
}

/*
 * Compaction drops entries together with the data.  They have to be those of
 * the data that was found, so where the segment was replaced meanwhile nothing
 * was read, and the reader comes again.
 */
static void
check_segment(struct log_read *read, struct txn_index *found)
{
	struct log *log = read->log;
	bool replaced;

	log_lock(log);
	replaced =
	    log->segments[log_segment_find(log, read->segment->base_offset)] !=
	    read->segment;
	log_unlock(log);
	if (!replaced)
		return;
	txn_index_fini(found);
	log_read_release(read);
}

enum kp_error
log_read_aborted(struct log_read *read, struct txn_index *found)
{
	struct log_aborted_range range = { .from_offset = read->offset };

	assert(!read->unresolved);
	if (read->segment == NULL)
		return KP_NONE;
	range.base_offset = read->segment->base_offset;
	if (find_upper(read, &range.upper) == 0 &&
	    log_find_aborted(read->log, &range, found) == 0) {
		check_segment(read, found);
		return KP_NONE;
	}
	txn_index_fini(found);
	return errno == EBADMSG ? KP_CORRUPT_MESSAGE : KP_KAFKA_STORAGE_ERROR;
}
