/*
 * What of a log is known to be damaged.
 *
 * A range is found once, by a recovery, and must be known for as long as its
 * segment is there: the next start may not look at that segment at all.  So
 * the ranges stand in a file of the partition's directory, which Kafka does
 * not look at:
 *
 *     off  size  field
 *     0    2     version i16 = 1
 *     2    4     CRC-32C of what follows
 *     6    4     number of ranges i32
 *     10   40    each: first offset, end offset, base offset of the segment,
 *                position, end position, i64 all
 *
 * A file that cannot be believed, or that says of a good batch that it is
 * damaged, makes the start check the whole log.  Deleting it is legal.
 */
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "store/batch_walk.h"
#include "store/disk.h"
#include "store/log_internal.h"
#include "store/state_file.h"

#include <errno.h>
#include <inttypes.h>

#define VERSION 1
#define CRC_AT 2
#define COUNT_AT 6
#define HEADER_LEN 10
#define ENTRY_LEN 40

/* --- The ranges --------------------------------------------------------- */

static void
insert(struct log *log, const struct log_damage *damage)
{
	size_t at = log->damage_count;

	log->damages = xrealloc(
	    log->damages, (log->damage_count + 1) * sizeof(*log->damages));
	while (at > 0 &&
	    log->damages[at - 1].first_offset > damage->first_offset) {
		log->damages[at] = log->damages[at - 1];
		at--;
	}
	log->damages[at] = *damage;
	log->damage_count++;
}

void
log_damage_note(struct log *log, const struct log_damage *damage)
{
	insert(log, damage);
	log->damages_dirty = true;
	log_error("store",
	    "%s: offsets %" PRId64 " to %" PRId64 " are damaged (segment "
						  "%" PRId64 ", bytes %" PRId64
	    " to %" PRId64 "); they are kept and not served",
	    log->path, damage->first_offset, damage->end_offset - 1,
	    damage->segment_base, damage->position, damage->end_position);
}

/* Bytes of a file, or offsets that no file has? */
static bool
has_bytes(const struct log_damage *damage)
{
	return damage->position < damage->end_position;
}

static void
forget(struct log *log, size_t at)
{
	log->damage_count--;
	memmove(&log->damages[at], &log->damages[at + 1],
	    (log->damage_count - at) * sizeof(*log->damages));
	log->damages_dirty = true;
}

static void
forget_segment(struct log *log, int64_t base_offset, bool bytes_only)
{
	for (size_t i = log->damage_count; i > 0; i--) {
		const struct log_damage *damage = &log->damages[i - 1];

		if (damage->segment_base == base_offset &&
		    (!bytes_only || has_bytes(damage)))
			forget(log, i - 1);
	}
}

void
log_damages_forget_segment(struct log *log, int64_t base_offset)
{
	forget_segment(log, base_offset, false);
}

void
log_damages_forget_bytes(struct log *log, int64_t base_offset)
{
	forget_segment(log, base_offset, true);
}

void
log_damages_truncate(struct log *log, int64_t offset)
{
	while (log->damage_count > 0 &&
	    log->damages[log->damage_count - 1].first_offset >= offset)
		forget(log, log->damage_count - 1);
}

/* --- The file ----------------------------------------------------------- */

static char *
file_path(const char *directory)
{
	return xasprintf("%s/%s", directory, LOG_DAMAGES_FILE);
}

uint8_t *
log_damages_encode(struct log *log, size_t *len)
{
	uint8_t *bytes;
	uint8_t *p;

	*len = HEADER_LEN + log->damage_count * ENTRY_LEN;
	bytes = xmalloc(*len);
	p = bytes + HEADER_LEN;
	be16_put(bytes, VERSION);
	be32_put(bytes + COUNT_AT, (uint32_t)log->damage_count);
	for (size_t i = 0; i < log->damage_count; i++, p += ENTRY_LEN) {
		const struct log_damage *damage = &log->damages[i];

		be64_put(p, (uint64_t)damage->first_offset);
		be64_put(p + 8, (uint64_t)damage->end_offset);
		be64_put(p + 16, (uint64_t)damage->segment_base);
		be64_put(p + 24, (uint64_t)damage->position);
		be64_put(p + 32, (uint64_t)damage->end_position);
	}
	be32_put(bytes + CRC_AT, crc32c(0, bytes + COUNT_AT, *len - COUNT_AT));
	log->damages_dirty = false;
	return bytes;
}

int
log_damages_write(
    struct disk *disk, const char *directory, const uint8_t *bytes, size_t len)
{
	char *path = file_path(directory);
	int result = len > HEADER_LEN ?
	    state_file_write(disk, path, slice_of(bytes, len)) :
	    state_file_remove(disk, path);

	if (result != 0)
		log_error(
		    "store", "cannot write %s: %s", path, strerror(errno));
	free(path);
	return result;
}

static struct log_damage
entry_decode(const uint8_t *p)
{
	return (struct log_damage){
		.first_offset = (int64_t)be64_get(p),
		.end_offset = (int64_t)be64_get(p + 8),
		.segment_base = (int64_t)be64_get(p + 16),
		.position = (int64_t)be64_get(p + 24),
		.end_position = (int64_t)be64_get(p + 32),
	};
}

static bool
entry_valid(const struct log *log, const struct log_damage *damage)
{
	int64_t least = log->damage_count == 0 ? damage->segment_base :
	    log->damages[log->damage_count - 1].end_offset;

	return damage->segment_base >= 0 && damage->first_offset >= least &&
	    damage->first_offset >= damage->segment_base &&
	    damage->end_offset > damage->first_offset &&
	    damage->position >= 0 && damage->end_position >= damage->position;
}

static bool
decode(struct log *log, const uint8_t *bytes, size_t len)
{
	if (len < HEADER_LEN || be16_get(bytes) != VERSION ||
	    be32_get(bytes + CRC_AT) !=
		crc32c(0, bytes + COUNT_AT, len - COUNT_AT) ||
	    (len - HEADER_LEN) % ENTRY_LEN != 0 ||
	    be32_get(bytes + COUNT_AT) != (len - HEADER_LEN) / ENTRY_LEN)
		return false;
	for (size_t at = HEADER_LEN; at < len; at += ENTRY_LEN) {
		struct log_damage damage = entry_decode(bytes + at);

		if (!entry_valid(log, &damage))
			return false;
		insert(log, &damage);
	}
	return true;
}

/* --- What is read must still be so -------------------------------------- */

/* Is there a good batch where the damage begins?  1, 0, or -1 with errno. */
static int
is_good(struct segment *segment, const struct log_damage *damage)
{
	uint8_t buffer[FILE_SCAN_BUFFER_MIN];
	int fd = segment_pin(segment);
	struct file_scan scan;
	struct batch_walk walk;
	struct batch batch;
	int good;

	if (fd < 0)
		return -1;
	file_scan_init(&scan, segment->disk, fd, damage->position,
	    damage->end_position, buffer, sizeof(buffer));
	batch_walk_init(&walk, &scan, segment->base_offset);
	walk.next_offset = damage->first_offset;
	walk.verify = true;
	good = batch_walk_step(&walk, &batch);
	segment_unpin(segment);
	return good;
}

/* 1: the files are as the range says, 0: they are not, -1 with errno. */
static int
is_so(struct log *log, size_t segment_at, const struct log_damage *damage)
{
	struct segment *segment = log->segments[segment_at];
	int good;

	if (!has_bytes(damage))
		return damage->position == segment->size_bytes &&
		    segment_at + 1 < log->segment_count &&
		    log->segments[segment_at + 1]->base_offset ==
		    damage->end_offset;
	if (damage->end_position > segment->size_bytes)
		return 0;
	good = is_good(segment, damage);
	return good < 0 ? -1 : !good;
}

/* Drop the ranges whose segment went, or that are wrong (*doubtful then). */
static int
check(struct log *log, bool *doubtful)
{
	for (size_t i = log->damage_count; i > 0; i--) {
		const struct log_damage *damage = &log->damages[i - 1];
		size_t at = log->segment_count == 0 ? 0 :
		    log_segment_find(log, damage->segment_base);
		int so = 0;

		if (at < log->segment_count &&
		    log->segments[at]->base_offset == damage->segment_base) {
			so = is_so(log, at, damage);
			*doubtful |= so == 0;
		}
		if (so < 0)
			return -1;
		if (so == 0)
			forget(log, i - 1);
	}
	return 0;
}

int
log_damages_read(struct log *log, bool *doubtful)
{
	char *path = file_path(log->path);
	size_t len;
	uint8_t *bytes =
	    disk_read_file(log->disk, path, STATE_FILE_SIZE_MAX, &len);
	int result = 0;

	*doubtful = false;
	if (bytes == NULL) {
		result = errno == ENOENT ? 0 : -1;
	} else if (decode(log, bytes, len)) {
		result = check(log, doubtful);
	} else {
		log_warn("store", "%s is damaged; checking the whole log",
		    path);
		log->damage_count = 0;
		log->damages_dirty = true;
		*doubtful = true;
	}
	free(bytes);
	free(path);
	return result;
}
