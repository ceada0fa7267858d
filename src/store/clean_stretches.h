/*
 * What the first pass of compaction learns about the file that the second one
 * need not read, or need not look into: stretches of batches of one producer,
 * or of none, that are neighbours in one segment's file, and a bit for each
 * offset: is its record the latest of its key so far?
 *
 * When the map is complete so are the bits, and clean_stretches_complete counts
 * them.  A stretch of which nothing is left is passed over unread; one that
 * loses nothing is copied as it is; a segment that consists of such stays the
 * file that it is.  Every other one is read again, and its bits say what stays.
 * What is not in a stretch is read again, too, and asks the map.
 *
 * Only batches come in whose records alone decide what stays of them, and
 * whose checksums the first pass has compared.
 *
 * A stretch is about as large as is worth a jump in a file, however small
 * its batches, and there are at most as many as was said, and bits for as many
 * offsets, so that the memory is bounded; what comes after those is in none.
 *
 * Not thread-safe.
 */
#ifndef STORE_CLEAN_STRETCHES_H
#define STORE_CLEAN_STRETCHES_H

#include "base/base.h"

struct batch;

struct clean_stretch {
	int64_t base_offset;
	int64_t last_offset;
	int64_t producer_id;	/* of all its batches; -1: they have none */
	int32_t position;	/* in its segment's file */
	int32_t size_bytes;
	int32_t records;
	int32_t left;		/* of these, latest of their key; at last */
	bool tombstones;	/* among the records */
	bool needed;		/* a header of it, though no record were left */
};

#define CLEAN_STRETCH_LEN sizeof(struct clean_stretch)

struct clean_stretches {
	struct clean_stretch *stretches; /* owned, ascending */
	size_t count;
	size_t cap;
	size_t count_max;
	bool closed;		/* nothing may join the last one */

	/* Private. */
	uint64_t *latest;	/* owned: bits */
	int64_t first_offset;	/* that of the first bit */
	int64_t bit_count;
};

/*
 * At most count_max stretches, of batches from first_offset on and below
 * end_offset.  What is far behind the first may find no bits.
 */
void clean_stretches_init(struct clean_stretches *stretches, size_t count_max,
    int64_t first_offset, int64_t end_offset);
void clean_stretches_fini(struct clean_stretches *stretches);

/* What they will take in memory, at the most. */
size_t clean_stretches_bytes_max(const struct clean_stretches *stretches);

/*
 * What comes next is not beside what came last: before each segment, and where
 * a batch stays out.  Positions alone do not tell, because those of another
 * segment may go on where this one's end.
 */
void clean_stretches_break(struct clean_stretches *stretches);

/*
 * A batch at this position comes next.  The stretch that it is in, valid until
 * the next one comes, in which the caller counts the batch's records; or NULL
 * where there are too many, or no bits.
 */
struct clean_stretch *clean_stretches_add(struct clean_stretches *stretches,
    const struct batch *batch, int64_t position);

/*
 * The record at this offset is the latest of its key, and not the one at
 * `before` any more, if that is not -1.
 */
void clean_stretches_put(
    struct clean_stretches *stretches, int64_t offset, int64_t before);

/* Nothing more comes: count what is left of each. */
void clean_stretches_complete(struct clean_stretches *stretches);

/* Is the record at this offset, of a stretch, the latest of its key? */
bool clean_stretches_is_latest(
    const struct clean_stretches *stretches, int64_t offset);

/* The header of the batch with this offset may have to stay by itself. */
void clean_stretches_need(struct clean_stretches *stretches, int64_t offset);

/* The first stretch that begins at this offset or above, or NULL. */
struct clean_stretch *clean_stretches_from(
    const struct clean_stretches *stretches, int64_t offset);

/* The stretch that has the offset, or NULL. */
const struct clean_stretch *clean_stretches_find(
    const struct clean_stretches *stretches, int64_t offset);

/*
 * The stretch that begins at this position, behind batches whose offsets are
 * below next_offset, in a segment of those below end_offset; or NULL.
 */
const struct clean_stretch *clean_stretches_at(
    const struct clean_stretches *stretches, int64_t next_offset,
    int64_t end_offset, int64_t position);

/* Is nothing left of it?  Does it lose nothing?  When they are complete. */
bool clean_stretch_is_dead(const struct clean_stretch *stretch);
bool clean_stretch_is_whole(const struct clean_stretch *stretch);

/* The bytes of whole stretches between the offsets of a segment. */
int64_t clean_stretches_whole_bytes(const struct clean_stretches *stretches,
    int64_t base_offset, int64_t end_offset);

#endif
