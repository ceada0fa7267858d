#include "store/log_move.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/disk.h"
#include "store/log_internal.h"
#include "wire/batch.h"

#include <errno.h>
#include <inttypes.h>

/* What is read and appended at a time, but for a batch that is larger. */
#define COPY_LEN (1024 * 1024)

/* What may be appended while the last part before it is copied. */
#define PENDING_BYTES_MAX ((size_t)32 * 1024 * 1024)

/* Some batches that wait to be appended to the copy. */
struct pending_piece {
	int64_t segment_base; /* where they stand in the log */
	size_t len;
};

struct log_mirror {
	struct log *copy;
	/* the log's lock */
	struct buf pending; /* pieces, each with its batches behind it */
	bool direct;	    /* nothing is pending any more */
	bool broken;	    /* the copy lacks something */
};

/* --- Appending to the copy ----------------------------------------------- */

/* Have the copy's active segment begin at base, or behind it.  Locked. */
static int
begin_segment(struct log *copy, int64_t base, int64_t now_ms)
{
	const struct segment *active = log_active(copy);
	int result;

	if (base <= active->base_offset)
		return 0;
	if (base < copy->end_offset) {
		errno = EBADMSG;
		return -1;
	}
	if (active->size_bytes == 0)
		result = log_segment_replace(copy, base, now_ms);
	else
		result = log_roll_at(copy, base, now_ms);
	if (result == 0)
		copy->end_offset = base;
	return result;
}

static int
errno_of(enum kp_error error)
{
	switch (error) {
	case KP_NONE:
		return 0;
	case KP_CORRUPT_MESSAGE:
	case KP_OFFSET_OUT_OF_RANGE:
	case KP_RECORD_LIST_TOO_LARGE:
		errno = EBADMSG;
		break;
	default:
		errno = EIO;
	}
	return -1;
}

/* Whole batches, which stand in a segment of that base. */
static int
append(struct log *copy, int64_t base, uint8_t *data, size_t len)
{
	struct log_append append = {
		.data = data,
		.len = len,
		.origin = LOG_REPLICATION,
		.now_ms = clock_wall_ms(),
	};
	int result;

	log_lock(copy);
	result = begin_segment(copy, base, append.now_ms);
	if (result == 0)
		result = errno_of(log_append(copy, &append));
	log_unlock(copy);
	return result;
}

static int
keep(struct buf *pending, int64_t base, const uint8_t *data, size_t len)
{
	const struct pending_piece piece = { base, len };

	return buf_append(pending, &piece, sizeof(piece)) == 0 &&
		buf_append(pending, data, len) == 0 ?
	    0 :
	    -1;
}

void
log_mirror_append(struct log *log, const struct log_append *appended)
{
	struct log_mirror *mirror = log->mirror;
	int64_t base = log_active(log)->base_offset;
	int result;

	if (mirror->broken)
		return;
	if (mirror->direct)
		result = append(
		    mirror->copy, base, appended->data, appended->len);
	else
		result = keep(
		    &mirror->pending, base, appended->data, appended->len);
	mirror->broken = result != 0;
}

/* --- Copying ------------------------------------------------------------- */

static void
buffer_grow(struct log_move *move, size_t len)
{
	if (len <= move->buffer_len)
		return;
	move->buffer = xrealloc(move->buffer, len);
	move->buffer_len = len;
}

/*
 * How many of the len bytes are whole batches; -1 with errno where one of them
 * is damaged.  *first is the offset of the first.
 */
static ssize_t
whole_batches(const uint8_t *data, size_t len, int64_t *first)
{
	struct slice left = slice_of(data, len);
	struct batch batch;
	ssize_t whole = 0;

	*first = -1;
	while (batch_read(left, &batch) == 0) {
		if (batch.magic != BATCH_MAGIC ||
		    !batch_crc_valid(
			slice_of(left.data, batch.size_bytes))) {
			errno = EBADMSG;
			return -1;
		}
		if (*first < 0)
			*first = batch.base_offset;
		whole += (ssize_t)batch.size_bytes;
		left = slice_of(left.data + batch.size_bytes,
		    left.len - batch.size_bytes);
	}
	if (whole == 0)
		errno = EBADMSG;
	return whole == 0 ? -1 : whole;
}

/* What the copy has, if anything, is deleted in the log: it begins anew. */
static int
begin_at(struct log *copy, int64_t offset)
{
	return log_truncate_fully(copy, offset, clock_wall_ms());
}

/* The log's first record may be in the middle of a batch, which is copied. */
static int
begin_before(struct log *copy, int64_t offset)
{
	bool empty;

	log_lock(copy);
	empty = copy->segment_count == 1 && log_active(copy)->size_bytes == 0;
	log_unlock(copy);
	if (empty)
		return begin_at(copy, offset);
	errno = EBADMSG;
	return -1;
}

static int64_t
locked(struct log *log, int64_t (*value)(const struct log *log))
{
	int64_t result;

	log_lock(log);
	result = value(log);
	log_unlock(log);
	return result;
}

/* Append what was read. */
static int
take(struct log_move *move, struct log_read *read, int64_t offset)
{
	int64_t first;
	ssize_t len;

	buffer_grow(move, read->len);
	len = disk_pread(move->log->disk, read->fd, move->buffer, read->len,
	    read->position);
	if (len < 0)
		return -1;
	len = whole_batches(move->buffer, (size_t)len, &first);
	if (len < 0)
		return -1;
	if (first < offset && begin_before(move->copy, first) != 0)
		return -1;
	if (append(move->copy, read->segment->base_offset, move->buffer,
		(size_t)len) != 0)
		return -1;
	if (move->pace(move->context, (size_t)len))
		return 0;
	errno = ECANCELED;
	return -1;
}

/*
 * Nothing is left to read, but the log's end is further: its active segment is
 * empty and begins there, or something is missing.
 */
static int
catch_up_end(struct log_move *move, int64_t upto)
{
	int64_t base = locked(move->log, log_active_base_offset);
	int result;

	if (base != upto) {
		errno = EBADMSG;
		return -1;
	}
	log_lock(move->copy);
	result = begin_segment(move->copy, base, clock_wall_ms());
	log_unlock(move->copy);
	return result;
}

/* Read the next piece below upto, and append it. */
static int
copy_piece(struct log_move *move, int64_t offset, int64_t upto)
{
	struct log_read read = {
		.offset = offset,
		.upper_bound = upto,
		.max_bytes = COPY_LEN,
		.min_one_batch = true,
	};
	enum kp_error error;
	int result;

	log_lock(move->log);
	error = log_read(move->log, &read);
	log_unlock(move->log);
	if (error == KP_NONE && read.unresolved)
		error = log_read_resolve(&read);
	if (error == KP_OFFSET_OUT_OF_RANGE)
		return begin_at(
		    move->copy, locked(move->log, log_start_offset));
	if (error != KP_NONE)
		return errno_of(error);
	if (read.len == 0)
		return catch_up_end(move, upto);
	result = take(move, &read, offset);
	log_read_release(&read);
	return result;
}

static int
copy_upto(struct log_move *move, int64_t upto)
{
	int64_t offset;

	while ((offset = locked(move->copy, log_end_offset)) < upto)
		if (copy_piece(move, offset, upto) != 0)
			return -1;
	return 0;
}

void
log_move_begin(struct log_move *move)
{
	move->mirror = NULL;
	move->buffer = NULL;
	move->buffer_len = 0;
	log_lock(move->log);
	log_clean_pause(move->log);
	log_unlock(move->log);
}

int
log_move_copy(struct log_move *move)
{
	int64_t start, upto;
	bool damaged;

	log_lock(move->log);
	damaged = move->log->damage_count > 0;
	start = move->log->start_offset;
	upto = move->log->end_offset;
	log_unlock(move->log);
	if (damaged) {
		errno = EBADMSG;
		return -1;
	}
	/* What was before the start was deleted long ago. */
	if (locked(move->copy, log_end_offset) < start &&
	    begin_at(move->copy, start) != 0)
		return -1;
	return copy_upto(move, upto);
}

/* --- Following ----------------------------------------------------------- */

/* Append what is pending, and have the next append go to both.  Locked. */
static int
join(struct log_mirror *mirror)
{
	uint8_t *data = mirror->pending.data;
	struct pending_piece piece;

	for (size_t at = 0; at < mirror->pending.len; at += piece.len) {
		memcpy(&piece, data + at, sizeof(piece));
		at += sizeof(piece);
		if (append(mirror->copy, piece.segment_base, data + at,
			piece.len) != 0)
			return -1;
	}
	buf_fini(&mirror->pending);
	mirror->direct = true;
	return 0;
}

static void
unfollow(struct log_move *move)
{
	if (move->mirror == NULL)
		return;
	log_lock(move->log);
	move->log->mirror = NULL;
	move->log->flushed_max = INT64_MAX;
	log_unlock(move->log);
	buf_fini(&move->mirror->pending);
	free(move->mirror);
	move->mirror = NULL;
}

int
log_move_follow(struct log_move *move)
{
	struct log_mirror *mirror = xcalloc(1, sizeof(*mirror));
	int64_t upto;
	int result = -1;

	mirror->copy = move->copy;
	buf_init(&mirror->pending, PENDING_BYTES_MAX);
	move->mirror = mirror;
	log_lock(move->log);
	upto = move->log->end_offset;
	move->log->mirror = mirror;
	log_unlock(move->log);
	if (copy_upto(move, upto) == 0) {
		log_lock(move->log);
		if (mirror->broken)
			errno = EAGAIN;
		else
			result = join(mirror);
		log_unlock(move->log);
	}
	if (result != 0) {
		int error = errno;

		unfollow(move);
		errno = error;
	}
	return result;
}

/* --- Changing places ----------------------------------------------------- */

int
log_move_freeze(struct log_move *move)
{
	int64_t flushed, ignored;

	log_lock(move->log);
	flushed = move->log->recovery_point;
	move->log->flushed_max = flushed;
	log_unlock(move->log);
	if (log_flush_all(move->copy) != 0 ||
	    log_checkpoint(move->copy, &ignored) != 0 ||
	    locked(move->copy, log_flushed_offset) < flushed) {
		errno = EIO;
		return -1;
	}
	return 0;
}

#define SWAP(type, field)                                                     \
	do {                                                                  \
		type kept = log->field;                                       \
		log->field = copy->field;                                     \
		copy->field = kept;                                           \
	} while (0)

static void
swap_removals(struct log *log, struct log *copy)
{
	struct list kept;

	list_init(&kept);
	list_splice(&kept, &log->removals);
	list_splice(&log->removals, &copy->removals);
	list_splice(&copy->removals, &kept);
}

/*
 * What belongs to the files; offsets, epochs, producers and transactions are
 * the log's own.  Both locked, no flush.
 */
static void
swap_files(struct log *log, struct log *copy)
{
	SWAP(char *, path);
	SWAP(struct segment **, segments);
	SWAP(size_t, segment_count);
	SWAP(size_t, segment_capacity);
	SWAP(int64_t, recovery_point);
	SWAP(int64_t, unflushed_since_ms);
	SWAP(int64_t, snapshot_offset);
	SWAP(int64_t, snapshot_synced);
	SWAP(struct log_tail, tail);
	SWAP(bool, names_dirty);
	SWAP(bool, creation_dirty);
	SWAP(int64_t, checkpoint_max);
	SWAP(bool, full);
	swap_removals(log, copy);
	/* The copy knows only those that have batches. */
	log->epochs.dirty = true;
}

static bool
may_change(const struct log_move *move)
{
	const struct log *log = move->log;

	return move->mirror != NULL && move->mirror->direct &&
	    !move->mirror->broken && !log->offline && !move->copy->offline &&
	    log->end_offset == move->copy->end_offset;
}

/* Both locked, and no flush of either runs. */
static void
change(struct log *log, struct log *copy)
{
	int64_t before = log->flushed_max;

	swap_files(log, copy);
	log->flushed_max = INT64_MAX;
	log->mirror = NULL;
	log_retire(copy);
	if (log->recovery_point > before && log->events.flushed != NULL)
		log->events.flushed(log, log->events.context);
}

int
log_move_exchange(struct log_move *move)
{
	struct log *log = move->log, *copy = move->copy;
	bool may;

	log_lock(log);
	/* Before the copy's lock, which would keep appends from letting go. */
	log_flush_hold(log);
	log_lock(copy);
	log_flush_hold(copy);
	may = may_change(move);
	if (may)
		change(log, copy);
	log_flush_release(copy);
	log_unlock(copy);
	log_flush_release(log);
	log_unlock(log);
	errno = EIO;
	return may ? 0 : -1;
}

void
log_move_end(struct log_move *move)
{
	unfollow(move);
	log_lock(move->log);
	log_clean_resume(move->log);
	log_unlock(move->log);
	free(move->buffer);
	move->buffer = NULL;
}
