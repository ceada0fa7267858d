#include "store/file_scan.h"

#include "base/crc32c.h"
#include "store/disk.h"

#include <errno.h>

/* Where the checksum of magic 2 begins. */
#define CRC_FROM 21

void
file_scan_init(struct file_scan *scan, struct disk *disk, int fd,
    int64_t position, int64_t end, uint8_t *buffer, size_t cap)
{
	assert(cap >= FILE_SCAN_BUFFER_MIN && position >= 0);
	*scan = (struct file_scan){
		.disk = disk,
		.fd = fd,
		.position = position,
		.end = end,
		.buffer = buffer,
		.buffer_cap = cap,
	};
}

void
file_scan_seek(struct file_scan *scan, int64_t position)
{
	scan->position = position;
	scan->size_bytes = 0;
}

/* The bytes at position that are in the buffer. */
static size_t
buffered(const struct file_scan *scan, int64_t position)
{
	int64_t end = scan->buffer_position + (int64_t)scan->buffer_len;

	if (position < scan->buffer_position || position >= end)
		return 0;
	return (size_t)(end - position);
}

/*
 * Read on behind the have bytes at position that are in the buffer, until it
 * has len from there: nothing is read twice.  The bytes read, or -1.
 */
static ssize_t
refill(struct file_scan *scan, int64_t position, size_t have, size_t len)
{
	ssize_t n;

	if (have > 0)
		memmove(scan->buffer,
		    scan->buffer + (position - scan->buffer_position), have);
	scan->buffer_position = position;
	scan->buffer_len = have;
	n = disk_pread(scan->disk, scan->fd, scan->buffer + have, len - have,
	    position + (int64_t)have);
	if (n > 0)
		scan->buffer_len += (size_t)n;
	return n;
}

/*
 * Have the next len bytes, or all up to the end, in the buffer.  Their
 * address; NULL with errno.
 */
static uint8_t *
fill(struct file_scan *scan, int64_t position, size_t len)
{
	size_t left = (size_t)(scan->end - position);
	size_t have = buffered(scan, position);
	ssize_t n;

	assert(len <= scan->buffer_cap);
	if (have < MIN(len, left)) {
		n = refill(scan, position, have, MIN(left, scan->buffer_cap));
		if (n < 0)
			return NULL;
		if (have + (size_t)n < MIN(len, left)) {
			/* The file is shorter than it was said to be. */
			errno = EIO;
			return NULL;
		}
	}
	return scan->buffer + (position - scan->buffer_position);
}

static enum file_scan_step
decode(struct file_scan *scan, const uint8_t *data, struct batch *batch)
{
	struct batch_frame frame;

	switch (
	    batch_scan(data, (uint64_t)(scan->end - scan->position), &frame)) {
	case BATCH_SCAN_WHOLE:
		break;
	case BATCH_SCAN_INCOMPLETE:
	case BATCH_SCAN_END:
		return FILE_SCAN_CUT;
	case BATCH_SCAN_CORRUPT:
		return FILE_SCAN_CORRUPT;
	}
	if (batch_decode(data, &frame, batch) != 0)
		return FILE_SCAN_CORRUPT;
	if (batch->base_offset < 0 || batch->last_offset_delta < 0 ||
	    batch->last_offset < batch->base_offset)
		return FILE_SCAN_CORRUPT;
	scan->size_bytes = frame.size_bytes;
	return FILE_SCAN_BATCH;
}

enum file_scan_step
file_scan_next(struct file_scan *scan, struct batch *batch)
{
	const uint8_t *data;

	scan->position += (int64_t)scan->size_bytes;
	scan->size_bytes = 0;
	if (scan->position >= scan->end)
		return FILE_SCAN_END;
	data = fill(scan, scan->position, BATCH_HEADER_LEN);
	return data == NULL ? FILE_SCAN_ERROR : decode(scan, data, batch);
}

static int
crc_by_pieces(struct file_scan *scan, uint32_t expected)
{
	int64_t at = scan->position + CRC_FROM;
	int64_t end = scan->position + (int64_t)scan->size_bytes;
	uint32_t crc = 0;

	while (at < end) {
		size_t len = (size_t)MIN(end - at, (int64_t)scan->buffer_cap);
		const uint8_t *data = fill(scan, at, len);

		if (data == NULL)
			return -1;
		crc = crc32c(crc, data, len);
		at += (int64_t)len;
	}
	return crc == expected;
}

int
file_scan_crc_valid(struct file_scan *scan, const struct batch *batch)
{
	struct slice bytes;
	uint8_t *heap;
	int valid;

	assert(scan->size_bytes > 0);
	if (batch->magic == BATCH_MAGIC && scan->size_bytes > scan->buffer_cap)
		return crc_by_pieces(scan, batch->crc);
	bytes = file_scan_bytes(scan, &heap);
	if (slice_is_null(bytes))
		return -1;
	valid = batch_crc_valid(bytes);
	free(heap);
	return valid;
}

struct slice
file_scan_bytes(struct file_scan *scan, uint8_t **heap)
{
	size_t len = scan->size_bytes;
	size_t have;
	ssize_t n;

	assert(len > 0);
	*heap = NULL;
	if (len <= scan->buffer_cap)
		return slice_of(fill(scan, scan->position, len), len);
	/* What is in the buffer need not be read again. */
	*heap = xmalloc(len);
	have = MIN(len, buffered(scan, scan->position));
	if (have > 0)
		memcpy(*heap,
		    scan->buffer + (scan->position - scan->buffer_position),
		    have);
	n = disk_pread(scan->disk, scan->fd, *heap + have, len - have,
	    scan->position + (int64_t)have);
	if (n == (ssize_t)(len - have))
		return slice_of(*heap, len);
	if (n >= 0)
		errno = EIO;
	free(*heap);
	*heap = NULL;
	return SLICE_NULL;
}
