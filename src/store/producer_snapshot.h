/*
 * Producer snapshots: the files %020d.snapshot that keep a restart from
 * reading the whole log to learn its producers.
 *
 * The number in the name is an offset: the state after all batches below it.
 *
 *     0   i16  version, 1
 *     2   u32  CRC-32C of all bytes from 6 on
 *     6   i32  number of entries
 *     10       entries of 46 bytes: producer id i64, epoch i16, last sequence
 *              i32, last offset i64, offset delta i32, timestamp i64,
 *              coordinator epoch i32, first offset of the open transaction
 *              i64 (-1: none)
 *
 * Only the newest batch of a producer is stored.  An entry without a batch
 * has -1, -1, 0 for last sequence, last offset and offset delta.
 */
#ifndef STORE_PRODUCER_SNAPSHOT_H
#define STORE_PRODUCER_SNAPSHOT_H

#include "base/base.h"
#include "store/producer_state.h"

struct disk;

/* "00000000000000000042.snapshot" and a NUL. */
#define PRODUCER_SNAPSHOT_NAME_SIZE 30

void producer_snapshot_name(
    int64_t offset, char name[PRODUCER_SNAPSHOT_NAME_SIZE]);

/* The len bytes of state's snapshot, on the heap: the caller frees them. */
uint8_t *producer_snapshot_encode(
    const struct producer_state *state, size_t *len);

/*
 * Put what a snapshot's bytes say into state, which is empty before.  0, or -1
 * where the bytes are no whole snapshot (state is empty then).
 *
 * Nobody is left out, however old the last timestamp: it is that of a record,
 * which a client may have filled in long after the fact, and it would find its
 * retries appended twice.  Who has expired is forgotten later, by the check
 * that goes round; Kafka does it here, too (ProducerStateManager).
 */
int producer_snapshot_decode(struct producer_state *state, struct slice bytes)
    WARN_UNUSED;

/*
 * Write state's snapshot at offset into directory, in place.  With sync it is
 * durable on return; without, a power cut may tear it, which reading notices,
 * and this is cheap enough for under the log's lock.  0, or -1 with errno.
 */
int producer_snapshot_write(const struct producer_state *state,
    struct disk *disk, const char *directory, int64_t offset,
    bool sync) WARN_UNUSED;

/*
 * Replace state by the snapshot at offset in directory.  0, or -1 with errno:
 * EBADMSG where it is empty, cut or damaged, which means that the caller
 * deletes it and takes an older one.
 */
int producer_snapshot_read(struct producer_state *state, struct disk *disk,
    const char *directory, int64_t offset) WARN_UNUSED;

#endif
