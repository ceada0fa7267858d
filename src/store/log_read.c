#include "base/log.h"
#include "store/cold_read.h"
#include "store/log_internal.h"

#include <errno.h>
#include <inttypes.h>

/* How far behind an index entry the batch that is looked for may be. */
#define LOOK_LEN 8192

/* --- Under the lock: from memory alone ---------------------------------- */

static void
read_reset(struct log *log, struct log_read *read)
{
	read->segment = NULL;
	read->fd = -1;
	read->position = 0;
	read->len = 0;
	read->left_out = 0;
	read->unresolved = false;
	read->log = log;
	read->from_offset = read->offset;
	read->from_position = -1;
	read->guess_position = -1;
	read->end_position = 0;
	read->end_offset = 0;
	read->gaps = false;
	read->bound_position = -1;
	read->end_exact = false;
}

/* The first damaged range that ends above offset, or NULL. */
static const struct log_damage *
damage_after(const struct log *log, int64_t offset)
{
	for (size_t i = 0; i < log->damage_count; i++)
		if (log->damages[i].end_offset > offset)
			return &log->damages[i];
	return NULL;
}

/* Read to the end of the segment, or to the damage that is before it. */
static void
limit_to_segment(const struct log *log, struct log_read *read, size_t at)
{
	const struct log_damage *damage = damage_after(log, read->from_offset);

	read->end_position = read->segment->size_bytes;
	read->end_offset = log_segment_end(log, at);
	if (damage != NULL &&
	    damage->segment_base == read->segment->base_offset) {
		read->end_position = damage->position;
		read->end_offset = damage->first_offset;
	}
}

/*
 * Where the records below the upper bound end.  A bound inside a batch keeps
 * the batch out: it is not complete yet.
 */
static void
limit_to_bound(const struct log *log, struct log_read *read, size_t at)
{
	int64_t position;
	int64_t end;

	read->end_exact = read->upper_bound >= log_segment_end(log, at);
	if (read->end_exact || !read->segment->active)
		return;
	if (log_tail_find(&log->tail, read->upper_bound, &position, &end)) {
		read->end_position = MIN(read->end_position, position);
		read->end_exact = true;
	} else {
		read->bound_position =
		    segment_lookup(read->segment, read->upper_bound);
	}
}

/* The part of [position, end) that max_bytes allows. */
static size_t
allowed_len(const struct log_read *read, int64_t position, int64_t first_end)
{
	int64_t left = read->end_position - position;
	int64_t first = first_end - position;

	if (left <= 0)
		return 0;
	if (first > (int64_t)MIN(read->max_bytes, (size_t)INT32_MAX))
		return read->min_one_batch ? (size_t)first : 0;
	return (size_t)MIN(
	    left, (int64_t)MIN(read->max_bytes, (size_t)INT32_MAX));
}

/* The place of the range is known: cut it to size. */
static void
settle(struct log_read *read, int64_t position, int64_t first_end)
{
	read->unresolved = false;
	read->position = position;
	read->len = allowed_len(read, position, first_end);
}

/*
 * Batches that are whole suffice: the range may end at a position where one
 * begins, if that leaves the first.
 */
static void
end_before(struct log_read *read, int64_t position, int64_t first_end)
{
	int64_t end = read->position + (int64_t)read->len;

	if (position < first_end || position >= end)
		return;
	read->left_out = (size_t)(end - position);
	read->len -= read->left_out;
}

/* Open what is not empty; give up the segment of what is. */
static enum kp_error
finish(struct log_read *read)
{
	enum kp_error error = KP_NONE;

	if (read->len > 0) {
		read->fd = segment_pin(read->segment);
		if (read->fd >= 0)
			return KP_NONE;
		log_error("store", "cannot open segment %" PRId64 " of %s: %s",
		    read->segment->base_offset, read->log->name,
		    strerror(errno));
		error = KP_KAFKA_STORAGE_ERROR;
	}
	log_read_release(read);
	return error;
}

/* A batch at the tail, whose place is known; false where it is not. */
static bool
find_in_tail(const struct log *log, struct log_read *read)
{
	int64_t size_bytes = read->segment->size_bytes;
	int64_t position;
	int64_t end;

	if (!read->segment->active || !read->end_exact ||
	    !log_tail_find(&log->tail, read->from_offset, &position, &end))
		return false;
	if (end < 0)
		end = size_bytes;
	settle(read, position, end);
	end_before(read,
	    log_tail_floor(
		&log->tail, position + (int64_t)read->len, size_bytes),
	    end);
	return true;
}

static enum kp_error
read_at(struct log *log, struct log_read *read)
{
	size_t at = log_segment_find(log, read->from_offset);
	struct segment *segment = log->segments[at];

	read->segment = segment_ref(segment);
	read->gaps = log->settings.cleanup_compact;
	limit_to_segment(log, read, at);
	limit_to_bound(log, read, at);
	if (find_in_tail(log, read))
		return finish(read);
	if (segment->active) {
		struct segment_guess guess;

		segment_guess(segment, read->from_offset, &guess);
		read->guess_position = guess.position;
		read->guess_last_offset = guess.last_offset;
		read->from_position =
		    segment_lookup(segment, read->from_offset);
	}
	read->unresolved = true;
	return KP_NONE;
}

static enum kp_error
find(struct log *log, struct log_read *read)
{
	const struct log_damage *damage;

	if (log->offline)
		return KP_KAFKA_STORAGE_ERROR;
	if (read->from_offset < log->start_offset ||
	    read->from_offset > log->end_offset)
		return KP_OFFSET_OUT_OF_RANGE;
	if (read->from_offset == log->end_offset ||
	    read->from_offset >= read->upper_bound)
		return KP_NONE;
	damage = damage_after(log, read->from_offset);
	if (damage != NULL && damage->first_offset <= read->from_offset)
		return KP_CORRUPT_MESSAGE;
	return read_at(log, read);
}

enum kp_error
log_read(struct log *log, struct log_read *read)
{
	read_reset(log, read);
	return find(log, read);
}

/* --- Without the lock: by index and headers ----------------------------- */

static struct segment_bound
bound_of(const struct log_read *read)
{
	return (struct segment_bound){
		.position = read->end_position,
		.offset = read->end_offset,
		.gaps = read->gaps,
	};
}

/*
 * The batch that has offset, or the next one: 1; 0 where there is none before
 * the end; -1 with errno.
 */
static int
locate(const struct log_read *read, int64_t offset, int64_t hint,
    int64_t *position, size_t *size_bytes)
{
	const struct segment_bound bound = bound_of(read);

	*position = hint;
	if (hint < 0)
		*position = segment_lookup_closed(read->segment, offset);
	if (*position < 0)
		return -1;
	return segment_locate(
	    read->segment, offset, position, &bound, size_bytes);
}

/*
 * The first batch of the read: by a guess, which is one look at the file, else
 * by a walk from what the index has in front of it.
 */
static int
locate_first(
    const struct log_read *read, int64_t *position, size_t *size_bytes)
{
	const struct segment_bound bound = bound_of(read);
	struct segment_guess guess = {
		.position = read->guess_position,
		.last_offset = read->guess_last_offset,
	};
	int found;

	if (read->from_position < 0)
		segment_guess_closed(read->segment, read->from_offset, &guess);
	found = segment_try(
	    read->segment, read->from_offset, &guess, &bound, size_bytes);
	*position = guess.position;
	if (found != 0)
		return found;
	return locate(read, read->from_offset, read->from_position, position,
	    size_bytes);
}

/* End with a whole batch, if the index has one in the range. */
static void
end_with_batch(struct log_read *read, int64_t first_end)
{
	int64_t end = read->position + (int64_t)read->len;
	struct log *log = read->log;
	int64_t position = 0;
	bool active;

	if (end <= first_end || end == read->end_position)
		return;
	log_lock(log);
	active = read->segment->active;
	if (active)
		position = segment_floor(read->segment, end);
	log_unlock(log);
	if (!active)
		position = segment_floor_closed(read->segment, end);
	end_before(read, position, first_end);
}

/* 1: found; 0: the segment has nothing at or above the offset; -1: errno. */
static int
resolve_once(struct log_read *read)
{
	int64_t position;
	int64_t bound;
	size_t size_bytes;
	size_t ignored;
	int found = locate_first(read, &position, &size_bytes);

	if (found <= 0)
		return found;
	if (!read->end_exact) {
		if (locate(read, read->upper_bound, read->bound_position,
			&bound, &ignored) < 0)
			return -1;
		read->end_position = bound;
	}
	settle(read, position, position + (int64_t)size_bytes);
	end_with_batch(read, position + (int64_t)size_bytes);
	return 1;
}

/* The same; what looks bad may be a gap that is as it should be. */
static int
resolve_gaps(struct log_read *read)
{
	int found = resolve_once(read);
	int may;

	if (found >= 0 || errno != EBADMSG || read->gaps ||
	    read->from_position >= 0)
		return found;
	may = segment_may_have_gaps(read->segment);
	read->gaps = may > 0;
	if (may > 0)
		return resolve_once(read);
	if (may == 0)
		errno = EBADMSG;
	return -1;
}

/*
 * The same, and once more without what the index said if that led nowhere:
 * the batches may be good all the same.
 */
static int
resolve(struct log_read *read)
{
	int found = resolve_gaps(read);
	int again;

	if (found >= 0 || errno != EBADMSG)
		return found;
	if (read->from_position >= 0) {
		again = read->from_position > 0 || read->bound_position > 0;
		read->from_position = 0;
		read->bound_position = 0;
	} else {
		again = segment_distrust(read->segment);
	}
	if (again > 0)
		return resolve_once(read);
	if (again == 0)
		errno = EBADMSG;
	return -1;
}

static enum kp_error
resolve_failed(struct log_read *read)
{
	enum kp_error error = KP_CORRUPT_MESSAGE;

	if (errno != EBADMSG) {
		log_error("store", "cannot read segment %" PRId64 " of %s: %s",
		    read->segment->base_offset, read->log->name,
		    strerror(errno));
		error = KP_KAFKA_STORAGE_ERROR;
	}
	log_read_release(read);
	return error;
}

/* Where records behind this segment begin; -1 where there are none. */
static int64_t
next_offset(const struct log *log, const struct segment *segment,
    int64_t from_offset)
{
	size_t at = log_segment_find(log, segment->base_offset);

	/* Compaction took it away: what stood behind may be in the new one. */
	if (log->segments[at] != segment &&
	    log->segments[at]->base_offset <= segment->base_offset)
		return from_offset;
	if (log->segments[at] == segment)
		at++;
	return at < log->segment_count ? log->segments[at]->base_offset : -1;
}

/*
 * May the log lack the offsets between the end of this segment and the next?
 * Where it is compacted; or was once, which the clean offset or its batches
 * show.  In any other
 * log the file was longer: what is missing must not be passed over in silence.
 * A segment that the log does not have any more says nothing.  0, or -1 with
 * errno, EBADMSG where offsets are missing.
 */
static int
check_skip(const struct log_read *read)
{
	struct log *log = read->log;
	struct segment *segment = read->segment;
	int may;

	log_lock(log);
	may = log->settings.cleanup_compact || segment->active ||
	    log->clean_offset > segment->base_offset ||
	    log->segments[log_segment_find(log, segment->base_offset)] !=
		segment;
	log_unlock(log);
	if (!may)
		may = segment_may_have_gaps(segment);
	if (may == 0)
		errno = EBADMSG;
	return may > 0 ? 0 : -1;
}

/*
 * A compacted segment may end before the offset, and the records go on in the
 * next one.
 */
static enum kp_error
find_in_next(struct log_read *read)
{
	struct log *log = read->log;
	struct segment *segment = segment_ref(read->segment);
	int64_t from_offset = read->from_offset;
	enum kp_error error = KP_NONE;

	log_read_release(read);
	read_reset(log, read);
	log_lock(log);
	from_offset = next_offset(log, segment, from_offset);
	if (from_offset >= 0) {
		read->from_offset = from_offset;
		error = find(log, read);
	}
	log_unlock(log);
	segment_unref(segment);
	return error;
}

enum kp_error
log_read_resolve(struct log_read *read)
{
	enum kp_error error = KP_NONE;
	int found;

	while (error == KP_NONE && read->unresolved) {
		found = resolve(read);
		if (found == 0)
			found = check_skip(read);
		if (found < 0)
			return resolve_failed(read);
		error = found > 0 ? finish(read) : find_in_next(read);
	}
	return error;
}

/* Where resolve begins to look, or -1 where it has to load an index first. */
static int64_t
look_from(const struct log_read *read)
{
	struct segment *segment = read->segment;
	bool loaded;

	if (read->from_position >= 0)
		return read->from_position;
	pthread_mutex_lock(&segment->mutex);
	loaded = segment->indexes_loaded;
	pthread_mutex_unlock(&segment->mutex);
	return loaded ? segment_lookup_closed(segment, read->from_offset) : -1;
}

/*
 * What resolve and then the reader look at.  The segment is pinned then, and
 * the result its descriptor; -1 where that cannot be known, or opened.
 */
static int
look_at(const struct log_read *read, int64_t *position, size_t *len)
{
	int64_t left;

	*position = look_from(read);
	if (*position < 0)
		return -1;
	left = MAX(read->end_position - *position, 0);
	*len = (size_t)MIN(left,
	    LOOK_LEN + (int64_t)MIN(read->max_bytes, (size_t)INT32_MAX));
	return segment_pin(read->segment);
}

/*
 * Can read be resolved without waiting for the disk?  *end is where what was
 * looked at for that ends.
 */
static bool
look_is_warm(
    const struct log_read *read, struct worker_pool *cold_reads, int64_t *end)
{
	int64_t position;
	size_t len;
	bool warm;
	int fd = look_at(read, &position, &len);

	if (fd < 0)
		return false;
	warm = cold_read_is_warm(cold_reads, fd, position, len);
	segment_unpin(read->segment);
	*end = position + (int64_t)len;
	return warm;
}

/*
 * A look begins at the index's entry before the records, which with large
 * batches is megabytes before them, and a first batch may be larger than what
 * was asked for: where the range ends behind the look it is looked at, too.
 */
bool
log_read_try_resolve(struct log_read *read, struct worker_pool *cold_reads,
    enum kp_error *error)
{
	const struct segment *segment = read->segment;
	int64_t end;

	*error = KP_NONE;
	if (!read->unresolved)
		return true;
	if (!look_is_warm(read, cold_reads, &end))
		return false;
	*error = log_read_resolve(read);
	if (*error != KP_NONE ||
	    (read->segment == segment &&
		read->position + (int64_t)read->len <= end))
		return true;
	return cold_read_is_warm(
	    cold_reads, read->fd, read->position, read->len);
}

void
log_read_warm(const struct log_read *read)
{
	int64_t position;
	size_t len;
	int fd;

	if (!read->unresolved)
		return;
	fd = look_at(read, &position, &len);
	if (fd < 0)
		return;
	cold_read_now(fd, position, len);
	segment_unpin(read->segment);
}

void
log_read_release(struct log_read *read)
{
	if (read->segment != NULL && read->fd >= 0)
		segment_unpin(read->segment);
	segment_unref(read->segment);
	read->segment = NULL;
	read->fd = -1;
	read->len = 0;
	read->left_out = 0;
	read->unresolved = false;
}
