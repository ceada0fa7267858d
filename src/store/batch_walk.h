/*
 * Walks the batches of one segment's file in the order of their offsets, over
 * bad bytes if need be.
 *
 *	batch_walk_init(&walk, &scan, base_offset);
 *	while ((result = batch_walk_next(&walk, &batch)) > 0)
 *		... walk.scan.position is the batch's
 *
 * Good is a batch whose offsets are the segment's and follow those of the
 * batch in front of it; where `verify` is set, its checksum must be right too.
 * Behind bad bytes a batch is only believed with its checksum.
 *
 * Not thread-safe.
 */
#ifndef STORE_BATCH_WALK_H
#define STORE_BATCH_WALK_H

#include "base/base.h"
#include "store/file_scan.h"

struct batch_walk {
	struct file_scan scan;
	int64_t next_offset;	/* the least that the next batch may have */
	int64_t offset_end;	/* no batch has this or more */
	bool verify;		/* checksums; false at first */
	bool in_middle;		/* nobody knows what is in front; the same */
	bool skipped;		/* bad bytes stand before the current batch */
	int64_t last_at;	/* private: the one before, or -1 */
};

/*
 * Walk what scan (initialised, copied) has, in a segment of this base offset:
 * its offsets are within 31 bits.  next_offset is the base at first; a caller
 * who knows better sets it, and offset_end.  One who begins where an index
 * leads sets in_middle, so that the first batch is not taken for a jump.
 */
void batch_walk_init(struct batch_walk *walk, const struct file_scan *scan,
    int64_t base_offset);

/*
 * The batch behind the current one: 1 if it is good, 0 where the file ends or
 * bad bytes stand at scan.position, -1 with errno.  next_offset is the
 * caller's to raise.
 */
int batch_walk_step(struct batch_walk *walk, struct batch *batch) WARN_UNUSED;

/*
 * The next good batch behind the bad bytes at scan.position: 1; 0 where there
 * is none, and scan.position stays; -1 with errno.
 */
int batch_walk_resync(struct batch_walk *walk, struct batch *batch)
    WARN_UNUSED;

/*
 * The next good batch, over bad bytes, and next_offset goes behind it: 1; 0 at
 * the end of the file or where only bad bytes are left; -1 with errno.
 */
int batch_walk_next(struct batch_walk *walk, struct batch *batch) WARN_UNUSED;

#endif
