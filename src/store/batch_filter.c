#include "store/batch_filter.h"

#include "store/clean_stretches.h"
#include "store/offset_map.h"
#include "wire/batch_builder.h"
#include "wire/batch_reader.h"

/* Bounds what one batch may decompress to. */
#define SCRATCH_LEN_MAX ((size_t)256 << 20)

/* What is decided about a batch as a whole. */
struct judgement {
	bool discard_records;	/* none stays */
	bool empty_stays;	/* the header does, without records */
	bool horizon_marker;	/* a marker of which no data is left */
};

/* What a walk over the records found. */
struct walk {
	size_t count;
	size_t kept;
	bool tombstones;	/* among the kept ones */
};

void
batch_filter_init(struct batch_filter *filter, const struct txn_index *aborted)
{
	*filter = (struct batch_filter){ .problem = NULL };
	clean_transactions_init(&filter->transactions, aborted);
	compression_contexts_init(&filter->contexts);
	buf_init(&filter->scratch, SCRATCH_LEN_MAX);
	buf_init(&filter->kept, SIZE_MAX);
}

void
batch_filter_fini(struct batch_filter *filter)
{
	clean_transactions_fini(&filter->transactions);
	compression_contexts_fini(&filter->contexts);
	buf_fini(&filter->scratch);
	buf_fini(&filter->kept);
}

static enum batch_filter_verdict
broken(struct batch_filter *filter, const char *problem)
{
	filter->problem = problem;
	return BATCH_FILTER_BROKEN;
}

/* --- The batch as a whole ------------------------------------------------- */

enum control_record_type
batch_filter_control_type(struct slice bytes)
{
	enum control_record_type type = CONTROL_RECORD_UNKNOWN;
	struct batch_reader reader;
	struct record record;
	struct buf scratch;

	/* Control records are never compressed: there is nothing to unpack. */
	buf_init(&scratch, 0);
	if (batch_reader_open(&reader, bytes, &scratch) != KP_NONE ||
	    !batch_reader_next(&reader, &record) ||
	    control_record_key_read(record.key, &type) != 0)
		type = CONTROL_RECORD_UNKNOWN;
	buf_fini(&scratch);
	return type;
}

/* Has the batch a delete horizon that has passed? */
static bool
horizon_passed(const struct batch_filter *filter, const struct batch *batch)
{
	return (batch->attributes & BATCH_DELETE_HORIZON) != 0 &&
	    batch->base_timestamp <= filter->now_ms;
}

static const struct batch_filter_producer *
find_producer(const struct batch_filter *filter, int64_t id)
{
	size_t low = 0, high = filter->producer_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (filter->producers[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == filter->producer_count || filter->producers[low].id != id)
		return NULL;
	return &filter->producers[low];
}

bool
batch_filter_tells_of_producer(
    const struct batch_filter *filter, int64_t id, int64_t last_offset)
{
	const struct batch_filter_producer *producer =
	    id < 0 ? NULL : find_producer(filter, id);

	return producer != NULL && producer->last_offset >= 0 &&
	    last_offset >= producer->last_offset;
}

/* Does a restart learn from this batch where its producer stands? */
static bool
is_last_of_producer(
    const struct batch_filter *filter, const struct batch *batch)
{
	const struct batch_filter_producer *producer;

	if (!batch_is_control(batch))
		return batch_filter_tells_of_producer(
		    filter, batch->producer_id, batch->last_offset);
	if (batch->producer_id < 0)
		return false;
	producer = find_producer(filter, batch->producer_id);
	return producer != NULL && producer->last_offset < 0 &&
	    batch->producer_epoch == producer->epoch;
}

/* 0, or -1 where the transaction index is wrong. */
static int
judge(struct batch_filter *filter, struct slice bytes,
    const struct batch *batch, struct judgement *judgement)
{
	const struct txn_index_entry *kept;
	int discardable;

	judgement->empty_stays = is_last_of_producer(filter, batch) ||
	    batch->last_offset + 1 == filter->end_offset;
	judgement->horizon_marker = false;
	if (!batch_is_control(batch)) {
		judgement->discard_records =
		    clean_transactions_data(&filter->transactions, batch);
		return 0;
	}
	discardable = clean_transactions_marker(&filter->transactions, batch,
	    batch_filter_control_type(bytes), &kept);
	if (discardable < 0)
		return -1;
	if (kept != NULL)
		txn_index_append(filter->kept_aborted, kept);
	judgement->horizon_marker = discardable > 0;
	judgement->discard_records =
	    discardable > 0 && horizon_passed(filter, batch);
	return 0;
}

/* --- Its records ---------------------------------------------------------- */

static bool
tombstone_stays(const struct batch_filter *filter, const struct batch *batch)
{
	if (batch->magic < BATCH_MAGIC)
		return filter->keep_legacy_tombstones;
	return !horizon_passed(filter, batch);
}

static bool
is_latest(const struct batch_filter *filter, const struct record *record)
{
	if (filter->latest != NULL)
		return clean_stretches_is_latest(
		    filter->latest, record->offset);
	return record->offset >= offset_map_get(filter->map, record->key);
}

static bool
record_stays(const struct batch_filter *filter, const struct batch *batch,
    const struct record *record)
{
	if (batch_is_control(batch) ||
	    record->offset > filter->map->latest_offset)
		return true;
	return !slice_is_null(record->key) &&
	    is_latest(filter, record) &&
	    (!slice_is_null(record->value) || tombstone_stays(filter, batch));
}

/* Decide on each record; 0, or -1 where one is broken. */
static int
walk_records(
    struct batch_filter *filter, struct batch_reader *reader, struct walk *walk)
{
	struct record record;

	*walk = (struct walk){ .count = 0 };
	buf_clear(&filter->kept);
	while (batch_reader_next(reader, &record)) {
		uint8_t stays = record_stays(filter, &reader->batch, &record);

		if (buf_append(&filter->kept, &stays, 1) != 0)
			return -1;
		walk->count++;
		walk->kept += stays;
		walk->tombstones |= stays && slice_is_null(record.value);
	}
	return reader->error == KP_NONE ? 0 : -1;
}

/* --- What is written ------------------------------------------------------ */

/* A header without records; there is room for it, or -1. */
static int
write_empty(const struct batch *batch, struct buf *out)
{
	struct batch empty = *batch;
	uint8_t *data = buf_reserve(out, BATCH_HEADER_LEN);

	if (data == NULL)
		return -1;
	empty.size_bytes = BATCH_HEADER_LEN;
	empty.magic = BATCH_MAGIC;
	empty.attributes &= BATCH_LOG_APPEND_TIME | BATCH_TRANSACTIONAL |
	    BATCH_CONTROL;
	empty.base_timestamp = BATCH_NO_TIMESTAMP;
	empty.record_count = 0;
	batch_encode(&empty, data);
	batch_seal(data, BATCH_HEADER_LEN);
	out->len += BATCH_HEADER_LEN;
	return 0;
}

static struct batch_options
options_of(struct batch_filter *filter, const struct batch *batch,
    int64_t horizon_ms)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;

	options.codec = (enum compression)batch_codec(batch);
	options.contexts = &filter->contexts;
	options.base_offset = batch->base_offset;
	options.leader_epoch = batch->leader_epoch;
	options.producer_id = batch->producer_id;
	options.producer_epoch = batch->producer_epoch;
	options.base_sequence = batch->base_sequence;
	options.transactional = batch_is_transactional(batch);
	options.control = batch_is_control(batch);
	if (batch_has_append_time(batch))
		options.append_time_ms = batch->max_timestamp;
	options.delete_horizon_ms = horizon_ms;
	return options;
}

/* Add the records that stay; -1 where one does not fit in. */
static int
add_kept(struct batch_filter *filter, struct batch_reader *reader,
    struct batch_builder *builder)
{
	struct record record;

	for (size_t i = 0; batch_reader_next(reader, &record); i++) {
		if (filter->kept.data[i] != 0 &&
		    batch_builder_append(builder, &record) != 0)
			return -1;
	}
	return 0;
}

/* The offset of the first record that stays. */
static int64_t
first_kept(const struct batch_filter *filter, struct batch_reader reader)
{
	struct record record = { .offset = 0 };

	for (size_t i = 0; batch_reader_next(&reader, &record); i++) {
		if (filter->kept.data[i] != 0)
			break;
	}
	return record.offset;
}

/* reader is at the first record. */
static int
rewrite(struct batch_filter *filter, struct batch_reader *reader,
    int64_t horizon_ms, struct buf *out)
{
	const struct batch *batch = &reader->batch;
	struct batch_options options = options_of(filter, batch, horizon_ms);
	struct batch_builder builder;

	/* A wrapper of magic 0 or 1 says only where it ends. */
	if (batch->magic < BATCH_MAGIC)
		options.base_offset = first_kept(filter, *reader);
	batch_builder_init(&builder, &options, out);
	if (add_kept(filter, reader, &builder) != 0 ||
	    batch->last_offset - options.base_offset <
		builder.last_offset_delta) {
		batch_builder_cancel(&builder);
		return -1;
	}
	batch_builder_end_at(&builder, batch->last_offset);
	return batch_builder_finish(&builder);
}

static enum batch_filter_verdict
write_kept(struct batch_filter *filter, struct batch_reader *reader,
    const struct walk *walk, bool horizon_marker, struct buf *out)
{
	const struct batch *batch = &reader->batch;
	bool current = batch->magic == BATCH_MAGIC;
	bool has_horizon = (batch->attributes & BATCH_DELETE_HORIZON) != 0;
	bool wants_horizon =
	    current && !has_horizon && (walk->tombstones || horizon_marker);
	int64_t horizon_ms =
	    has_horizon ? batch->base_timestamp : BATCH_NO_TIMESTAMP;

	if (current && walk->kept == walk->count && !wants_horizon)
		return BATCH_FILTER_KEEP;
	if (wants_horizon &&
	    __builtin_add_overflow(filter->now_ms,
		filter->delete_retention_ms, &horizon_ms))
		horizon_ms = INT64_MAX;
	if (rewrite(filter, reader, horizon_ms, out) != 0)
		return broken(filter, "its records cannot be written anew");
	return BATCH_FILTER_REWRITE;
}

static enum batch_filter_verdict
filter_records(struct batch_filter *filter, struct slice bytes,
    const struct judgement *judgement, struct buf *out)
{
	struct batch_reader reader, again;
	struct walk walk;

	if (batch_reader_open_with(&reader, bytes, &filter->scratch,
		&filter->contexts) != KP_NONE)
		return broken(filter, "it cannot be decompressed");
	again = reader;
	if (walk_records(filter, &reader, &walk) != 0)
		return broken(filter, "a record is broken");
	if (walk.kept > 0)
		return write_kept(
		    filter, &again, &walk, judgement->horizon_marker, out);
	if (!judgement->empty_stays)
		return BATCH_FILTER_DROP;
	if (walk.count == 0 && reader.batch.magic == BATCH_MAGIC)
		return BATCH_FILTER_KEEP;
	return write_empty(&reader.batch, out) == 0 ?
	    BATCH_FILTER_REWRITE :
	    broken(filter, "there is no room for its header");
}

enum batch_filter_verdict
batch_filter_run(struct batch_filter *filter, struct slice bytes,
    const struct batch *batch, struct buf *out)
{
	struct judgement judgement;

	if (judge(filter, bytes, batch, &judgement) != 0)
		return broken(filter,
		    "it aborts data that no .txnindex calls aborted");
	if (!judgement.discard_records)
		return filter_records(filter, bytes, &judgement, out);
	if (!judgement.empty_stays)
		return BATCH_FILTER_DROP;
	return write_empty(batch, out) == 0 ?
	    BATCH_FILTER_REWRITE :
	    broken(filter, "there is no room for its header");
}
