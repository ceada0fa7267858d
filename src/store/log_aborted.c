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
	     at + 1 < log->segment_count && !found; at++)
		found = log->segments[at]->has_aborts;
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

/*
 * The first segment with aborted transactions at base_offset or behind it: a
 * closed one is referenced, the active one is looked into at once (*result).
 * NULL: there is no more to look into.
 */
static struct segment *
next_closed(struct log *log, int64_t base_offset,
    const struct log_aborted_range *range, struct txn_index *found,
    int *result)
{
	struct segment *next = NULL;
	size_t at;

	log_lock(log);
	at = log_segment_find(log, base_offset);
	while (at < log->segment_count &&
	    (log->segments[at]->base_offset < base_offset ||
		!log->segments[at]->has_aborts))
		at++;
	if (at < log->segment_count && !log->segments[at]->active)
		next = segment_ref(log->segments[at]);
	else if (at < log->segment_count)
		*result = segment_find_aborts(
		    log->segments[at], range->from_offset, range->upper, found);
	log_unlock(log);
	return next;
}

int
log_find_aborted(struct log *log, const struct log_aborted_range *range,
    struct txn_index *found)
{
	int64_t base_offset = range->base_offset;
	struct segment *segment;
	int result = 0;

	while (result == 0 &&
	    (segment = next_closed(
		 log, base_offset, range, found, &result)) != NULL) {
		base_offset = segment->base_offset + 1;
		result = segment_find_aborts_closed(
		    segment, range->from_offset, range->upper, found);
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
	replaced = log->segments[log_segment_find(
		       log, read->segment->base_offset)] != read->segment;
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
