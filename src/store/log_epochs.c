/*
 * The leader epochs of a log at a start: what their file says, as far as the
 * batches agree, or what the batches do.
 *
 * The file has no checksum.  Epochs go up along a log, in the file and in the
 * batches; so where both agree on either side of each start of an epoch, and
 * at both ends, they do everywhere.
 */
#include "base/log.h"
#include "store/batch_walk.h"
#include "store/log_internal.h"

#include <errno.h>
#include <inttypes.h>

/* One index interval and the headers behind it, with some to spare. */
#define LOOK_BUFFER_LEN 8192

/* --- From the batches ---------------------------------------------------- */

/*
 * The leader epoch in a batch has no checksum, and one that is too high would
 * hide all that follow.  Epochs never go back: where two batches agree on a
 * lower one, it was not so.
 */
void
log_epoch_note(struct log *log, const struct batch *batch)
{
	struct leader_epochs *epochs = &log->epochs;
	struct leader_epoch last = log->recovered_epoch;
	int64_t base_offset = batch->base_offset;

	log->recovered_epoch =
	    (struct leader_epoch){ batch->leader_epoch, base_offset };
	if (batch->leader_epoch < 0)
		return;
	if (last.epoch == batch->leader_epoch &&
	    last.epoch < leader_epochs_latest(epochs)) {
		log_warn("store",
		    "%s: the leader epoch %d in front of offset %" PRId64
		    " is damaged; it is not higher than %d",
		    log->path, leader_epochs_latest(epochs), last.start_offset,
		    last.epoch);
		while (leader_epochs_latest(epochs) > last.epoch)
			epochs->count--;
		epochs->dirty = true;
		base_offset = last.start_offset;
	}
	if (batch->leader_epoch > leader_epochs_latest(epochs))
		leader_epochs_assign(epochs, batch->leader_epoch, base_offset);
}

static int
read_epochs(struct log *log, struct segment *segment)
{
	int fd = segment_pin(segment);
	struct batch_walk walk;
	struct file_scan scan;
	struct batch batch;
	uint8_t *buffer;
	int result;
	size_t len;

	if (fd < 0)
		return -1;
	buffer = log_scan_buffer(segment->size_bytes, &len);
	file_scan_init(
	    &scan, log->disk, fd, 0, segment->size_bytes, buffer, len);
	batch_walk_init(&walk, &scan, segment->base_offset);
	while ((result = batch_walk_next(&walk, &batch)) > 0)
		log_epoch_note(log, &batch);
	free(buffer);
	segment_unpin(segment);
	return result;
}

/* Of the first count segments. */
static int
derive(struct log *log, size_t count)
{
	int result = 0;

	leader_epochs_clear(&log->epochs);
	log->recovered_epoch.epoch = -1;
	for (size_t i = 0; i < count && result == 0; i++)
		result = read_epochs(log, log->segments[i]);
	return result;
}

/* --- From the file ------------------------------------------------------- */

/* Batches that stand next to each other, compared with what the file says. */
struct comparison {
	const struct log *log;
	int32_t before;   /* the epoch of the last one; -1: none */
	int32_t doubtful; /* the same, where the file says another */
	bool differs;
};

/*
 * An epoch that is not between those of its neighbours is damaged itself, and
 * says nothing of the file.
 */
static void
compare(struct comparison *comparison, const struct batch *batch)
{
	const struct log *log = comparison->log;
	const struct leader_epochs *epochs = &log->epochs;
	int64_t first = MAX(batch->base_offset, log->start_offset);
	int32_t epoch = batch->leader_epoch;

	comparison->differs |=
	    comparison->doubtful >= 0 && comparison->doubtful <= epoch;
	comparison->doubtful = -1;
	if (epoch < comparison->before ||
	    batch->last_offset < log->start_offset)
		return;
	if (epoch != leader_epochs_at(epochs, first) ||
	    epoch != leader_epochs_at(epochs, batch->last_offset))
		comparison->doubtful = epoch;
	comparison->before = epoch;
}

/* Compare up to one batch behind that of the offset. */
static int
compare_walk(
    struct comparison *comparison, struct batch_walk *walk, int64_t offset)
{
	struct batch batch;
	int result;

	while ((result = batch_walk_next(walk, &batch)) > 0) {
		/* Entries of old formats have none. */
		if (batch.leader_epoch >= 0)
			compare(comparison, &batch);
		if (batch.base_offset > offset)
			break;
	}
	comparison->differs |= comparison->doubtful >= 0;
	return result < 0 ? -1 : 0;
}

/* The segment that has offset, or the last one before it that has batches. */
static struct segment *
segment_at(const struct log *log, int64_t offset)
{
	size_t at = log_segment_find(log, offset);

	while (at > 0 && log->segments[at]->size_bytes == 0)
		at--;
	return log->segments[at];
}

/* Does the file agree with the batches around offset?  1, 0, -1 with errno. */
static int
agrees_at(const struct log *log, int64_t offset)
{
	struct segment *segment = segment_at(log, offset);
	struct comparison comparison = {
		.log = log,
		.before = -1,
		.doubtful = -1,
	};
	int64_t position = segment_lookup(segment, offset);
	int fd = position < 0 ? -1 : segment_pin(segment);
	uint8_t buffer[LOOK_BUFFER_LEN];
	struct batch_walk walk;
	struct file_scan scan;
	int result;

	if (fd < 0)
		return -1;
	file_scan_init(&scan, log->disk, fd, position, segment->size_bytes,
	    buffer, sizeof(buffer));
	batch_walk_init(&walk, &scan, segment->base_offset);
	walk.in_middle = position > 0;
	result = compare_walk(&comparison, &walk, offset);
	segment_unpin(segment);
	return result < 0 ? -1 : !comparison.differs;
}

/* The same of all offsets below end. */
static int
agrees(const struct log *log, int64_t end)
{
	const struct leader_epochs *epochs = &log->epochs;
	int64_t first = log->segments[0]->base_offset;
	int result = agrees_at(log, first);

	for (size_t i = 0; i < epochs->count && result > 0; i++) {
		int64_t start = epochs->entries[i].start_offset;

		if (start <= first || start >= end)
			continue;
		result = agrees_at(log, start - 1);
		if (result > 0)
			result = agrees_at(log, start);
	}
	return result > 0 ? agrees_at(log, end - 1) : result;
}

/* 1 where the file can be believed, 0 where not, -1 with errno. */
static int
read_file(struct log *log, size_t count)
{
	int result = leader_epochs_read(&log->epochs, log->disk, log->path);

	if (result != 0)
		return errno == EBADMSG ? 0 : -1;
	if (log->epochs.count == 0 || count == 0)
		return 1;
	return agrees(log,
	    count < log->segment_count ? log->segments[count]->base_offset :
					 INT64_MAX);
}

int
log_epochs_load(struct log *log, size_t count)
{
	int believed = read_file(log, count);

	if (believed < 0)
		return -1;
	if (believed > 0 && log->epochs.count > 0)
		return 0;
	if (believed == 0)
		log_warn("store",
		    "%s/%s is damaged; deriving it from the batches", log->path,
		    LEADER_EPOCHS_FILE);
	return derive(log, count);
}
