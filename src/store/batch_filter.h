/*
 * What compaction keeps of one batch.
 *
 *	verdict = batch_filter_run(&filter, bytes, &batch, &out);
 *
 * decides for a batch of any magic whose checksum was checked, and writes the
 * new batch behind what out holds where it is another one: with its offsets,
 * producer, epoch and codec, and with what is left of its records.  Batches
 * of magic 0 and 1 become magic 2.  The rules are those of Kafka's Cleaner and
 * MemoryRecords.filterTo:
 *
 * - Records of aborted transactions go, all others above the map's end stay.
 * - Below it a record stays if it has a key, is the latest of its key, and is
 *   no tombstone whose delete horizon has passed.
 * - Where a tombstone or a marker without data is written for the first time
 *   its batch gets the delete horizon, now + delete.retention.ms.
 * - A batch that loses all records stays as a header where it has its
 *   producer's last sequence or ends what this round may clean.
 *
 * Not thread-safe.
 */
#ifndef STORE_BATCH_FILTER_H
#define STORE_BATCH_FILTER_H

#include "base/base.h"
#include "base/buf.h"
#include "store/clean_transactions.h"
#include "wire/batch.h"
#include "wire/compression.h"

struct clean_stretches;
struct offset_map;

enum batch_filter_verdict {
	BATCH_FILTER_KEEP,	/* as it is */
	BATCH_FILTER_DROP,
	BATCH_FILTER_REWRITE,	/* what is left was appended to out */
	BATCH_FILTER_BROKEN,	/* filter->problem says why */
};

/*
 * What must stay of a producer that is not forgotten: the batches that say
 * where it stands, of which a crash may still take the later ones.
 */
struct batch_filter_producer {
	int64_t id;
	int64_t last_offset;	/* of the first of them; -1: it has none */
	int16_t epoch;
};

struct batch_filter {
	/* The round's; the caller sets them. */
	const struct offset_map *map;
	int64_t now_ms;			/* wall clock */
	int64_t delete_retention_ms;
	int64_t end_offset;		/* the first that cannot be cleaned */

	/* The caller sets them anew for each segment. */
	const struct batch_filter_producer *producers; /* ascending by id */
	size_t producer_count;
	bool keep_legacy_tombstones;
	struct txn_index *kept_aborted;	/* gets those whose marker stays */

	/* And for each batch: what knows its records, so that no key has to be
	 * looked up; or NULL. */
	const struct clean_stretches *latest;

	struct clean_transactions transactions;
	const char *problem;		/* static, of the last BROKEN */

	/* Private. */
	struct compression_contexts contexts;
	struct buf scratch;		/* a batch, decompressed */
	struct buf kept;		/* a byte a record: does it stay? */
};

/* aborted as for clean_transactions_init. */
void batch_filter_init(
    struct batch_filter *filter, const struct txn_index *aborted);
void batch_filter_fini(struct batch_filter *filter);

enum batch_filter_verdict batch_filter_run(struct batch_filter *filter,
    struct slice bytes, const struct batch *batch, struct buf *out)
    WARN_UNUSED;

/*
 * Does a restart learn where the producer stands from its batches of data that
 * end at last_offset?  Then their headers stay at least.
 */
bool batch_filter_tells_of_producer(
    const struct batch_filter *filter, int64_t id, int64_t last_offset);

/*
 * The type of the control record in a control batch; CONTROL_RECORD_UNKNOWN
 * where the batch is empty or has none that we know.
 */
enum control_record_type batch_filter_control_type(struct slice bytes);

#endif
