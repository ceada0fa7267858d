/*
 * Walks the batches of a log file, of any magic, reading the file in large
 * pieces into a buffer of the caller's.
 *
 *	file_scan_init(&scan, disk, fd, position, end, buffer, sizeof(buffer));
 *	while ((step = file_scan_next(&scan, &batch)) == FILE_SCAN_BATCH)
 *		... scan.position is the batch's, file_scan_bytes its bytes
 *
 * Only headers are looked at, so batches that are larger than the buffer cost
 * one read each.  After anything but FILE_SCAN_BATCH the position stays where
 * it is: at what is no batch.
 *
 * Not thread-safe; the file must not be cut below end meanwhile.
 */
#ifndef STORE_FILE_SCAN_H
#define STORE_FILE_SCAN_H

#include "base/base.h"
#include "wire/batch.h"

/* The least that buffers may have. */
#define FILE_SCAN_BUFFER_MIN 128

struct disk;

enum file_scan_step {
	FILE_SCAN_BATCH,	/* a whole batch */
	FILE_SCAN_END,		/* position is end */
	FILE_SCAN_CUT,		/* less than a batch is left, or zeroes */
	FILE_SCAN_CORRUPT,	/* a header that cannot be */
	FILE_SCAN_ERROR,	/* errno */
};

struct file_scan {
	struct disk *disk;
	int fd;
	int64_t position;	/* of the current batch */
	int64_t end;
	size_t size_bytes;	/* of the current batch; 0 before the first */

	/* Private. */
	uint8_t *buffer;
	size_t buffer_cap;
	int64_t buffer_position;
	size_t buffer_len;
};

/* cap is at least FILE_SCAN_BUFFER_MIN; the buffer outlives the scan. */
void file_scan_init(struct file_scan *scan, struct disk *disk, int fd,
    int64_t position, int64_t end, uint8_t *buffer, size_t cap);

/* Step to the next batch and decode its header. */
enum file_scan_step file_scan_next(struct file_scan *scan,
    struct batch *batch) WARN_UNUSED;

/* Go to a position, with no current batch. */
void file_scan_seek(struct file_scan *scan, int64_t position);

/*
 * Does the checksum of the current batch match?  Batches that are larger than
 * the buffer are read piece by piece.  1 or 0; -1 with errno.
 */
int file_scan_crc_valid(struct file_scan *scan, const struct batch *batch)
    WARN_UNUSED;

/*
 * All bytes of the current batch: in the buffer where they fit, else read into
 * a heap block, which *heap is set to (NULL otherwise) and the caller frees.
 * The null slice with errno.
 */
struct slice file_scan_bytes(struct file_scan *scan, uint8_t **heap);

#endif
