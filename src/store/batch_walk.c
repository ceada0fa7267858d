#include "store/batch_walk.h"

#include "store/disk.h"

/* What resync looks at between two reads. */
#define RESYNC_LEN ((size_t)64 << 10)

void
batch_walk_init(struct batch_walk *walk, const struct file_scan *scan,
    int64_t base_offset)
{
	*walk = (struct batch_walk){
		.scan = *scan,
		.next_offset = base_offset,
		.offset_end = base_offset + INT32_MAX + 1,
		.last_at = -1,
	};
}

/* --- One batch ---------------------------------------------------------- */

static bool
offsets_fit(const struct batch_walk *walk, const struct batch *batch)
{
	return batch->base_offset >= walk->next_offset &&
	    batch->last_offset < walk->offset_end;
}

/* Has it, or the place in front of it, offsets without a record? */
static bool
jumps(const struct batch_walk *walk, const struct batch *batch)
{
	return (batch->base_offset > walk->next_offset && !walk->in_middle) ||
	    (batch->magic == BATCH_MAGIC &&
		batch->record_count != INT64_C(1) + batch->last_offset_delta);
}

/*
 * The base offset is not covered by the checksum, and the last one only where
 * that is looked at.  They may jump where a compaction took records away; but
 * when the batch behind goes back again, the jump is one of bad bits.  One
 * that is bad itself says nothing, but the next one may.  1: it is; 0: not;
 * -1: errno.
 */
static int
jump_is_wrong(struct batch_walk *walk, const struct batch *batch)
{
	struct file_scan *scan = &walk->scan;
	int64_t position = scan->position;
	size_t size_bytes = scan->size_bytes;
	enum file_scan_step step;
	struct batch behind;
	int wrong = 0;

	while ((step = file_scan_next(scan, &behind)) == FILE_SCAN_BATCH &&
	    behind.base_offset >= walk->next_offset &&
	    behind.base_offset <= batch->last_offset && wrong == 0)
		wrong = file_scan_crc_valid(scan, &behind);
	file_scan_seek(scan, position);
	scan->size_bytes = size_bytes;
	return step == FILE_SCAN_ERROR ? -1 : wrong;
}

static int
step(struct batch_walk *walk, struct batch *batch, bool verify)
{
	int good = 1;

	switch (file_scan_next(&walk->scan, batch)) {
	case FILE_SCAN_BATCH:
		break;
	case FILE_SCAN_END:
	case FILE_SCAN_CUT:
	case FILE_SCAN_CORRUPT:
		return 0;
	case FILE_SCAN_ERROR:
		return -1;
	}
	if (!offsets_fit(walk, batch))
		return 0;
	if (verify)
		good = file_scan_crc_valid(&walk->scan, batch);
	if (good > 0 && jumps(walk, batch)) {
		int wrong = jump_is_wrong(walk, batch);

		good = wrong < 0 ? -1 : !wrong;
	}
	walk->in_middle = false;
	return good;
}

int
batch_walk_step(struct batch_walk *walk, struct batch *batch)
{
	walk->skipped = false;
	return step(walk, batch, walk->verify);
}

/* --- Over bad bytes ----------------------------------------------------- */

/* May a good batch begin here?  A cheap look before the checksum. */
static bool
may_begin(const struct batch_walk *walk, const uint8_t *data, int64_t left)
{
	struct batch_frame frame;
	struct batch batch;

	return data[BATCH_SCAN_LEN - 1] == BATCH_MAGIC &&
	    batch_scan(data, (uint64_t)left, &frame) == BATCH_SCAN_WHOLE &&
	    batch_decode(data, &frame, &batch) == 0 &&
	    batch.last_offset_delta >= 0 && offsets_fit(walk, &batch);
}

/*
 * The next position from `from` on where a batch may begin, else the end; -1
 * with errno.
 */
static int64_t
candidate(const struct batch_walk *walk, int64_t from, uint8_t *buffer)
{
	const struct file_scan *scan = &walk->scan;

	while (scan->end - from >= BATCH_HEADER_LEN) {
		size_t len = (size_t)MIN(scan->end - from, (int64_t)RESYNC_LEN);
		ssize_t n = disk_pread(scan->disk, scan->fd, buffer, len, from);
		ssize_t i;

		if (n < BATCH_HEADER_LEN)
			return n < 0 ? -1 : scan->end;
		for (i = 0; i + BATCH_HEADER_LEN <= n; i++)
			if (may_begin(walk, buffer + i, scan->end - from - i))
				return from + i;
		from += i;
	}
	return scan->end;
}

/* The same, looking from `from` on, which may be before the bad bytes. */
static int
resync(struct batch_walk *walk, int64_t from, struct batch *batch)
{
	uint8_t *buffer = xmalloc(RESYNC_LEN);
	int64_t bad = walk->scan.position;
	int64_t at = from;
	int good = 0;

	while (good == 0) {
		at = candidate(walk, at + 1, buffer);
		if (at < 0 || at >= walk->scan.end)
			break;
		file_scan_seek(&walk->scan, at);
		good = step(walk, batch, true);
	}
	free(buffer);
	walk->skipped = good > 0;
	if (good <= 0)
		file_scan_seek(&walk->scan, bad);
	return at < 0 ? -1 : good;
}

int
batch_walk_resync(struct batch_walk *walk, struct batch *batch)
{
	return resync(walk, walk->scan.position, batch);
}

/*
 * Bytes may look bad because the length of the batch in front of them is,
 * whose checksum nobody compared: then the next one may begin inside of it.
 * Where to look from; -1 with errno.
 */
static int64_t
bad_from(struct batch_walk *walk)
{
	struct file_scan *scan = &walk->scan;
	int64_t bad = scan->position;
	int64_t from = bad;
	struct batch last;
	int valid = 1;

	if (walk->verify || walk->last_at < 0)
		return bad;
	file_scan_seek(scan, walk->last_at);
	switch (file_scan_next(scan, &last)) {
	case FILE_SCAN_BATCH:
		valid = file_scan_crc_valid(scan, &last);
		break;
	case FILE_SCAN_ERROR:
		valid = -1;
		break;
	default:
		break;
	}
	if (valid == 0)
		from = walk->last_at;
	file_scan_seek(scan, bad);
	return valid < 0 ? -1 : from;
}

int
batch_walk_next(struct batch_walk *walk, struct batch *batch)
{
	int good = batch_walk_step(walk, batch);

	if (good == 0 && walk->scan.position < walk->scan.end) {
		int64_t from = bad_from(walk);

		good = from < 0 ? -1 : resync(walk, from, batch);
	}
	if (good > 0) {
		walk->next_offset = batch->last_offset + 1;
		walk->last_at = walk->scan.position;
	}
	return good;
}
