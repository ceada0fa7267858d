/*
 * The first pass of compaction: where does the latest record of each key
 * stand (Kafka's Cleaner.buildOffsetMap)?
 */
#include "store/batch_filter.h"
#include "store/log_clean_internal.h"
#include "store/log_internal.h"
#include "wire/batch_reader.h"

#include <errno.h>

/* Bounds what one batch may decompress to. */
#define SCRATCH_LEN_MAX ((size_t)256 << 20)

/* --- Aborted transactions ------------------------------------------------- */

/* The offset up to which records are looked at. */
static int64_t
walk_end(const struct log_clean_plan *plan)
{
	size_t at = log_clean_plan_from(plan, plan->end_offset);

	return plan->segments[at]->base_offset;
}

int
log_clean_collect_aborted(struct log_cleaning *cleaning)
{
	const struct log_clean_plan *plan = &cleaning->plan;
	struct log_aborted_range range = { .upper = walk_end(plan) };

	if (log_find_aborted(cleaning->log, &range, &cleaning->aborted) != 0)
		return errno == EBADMSG ? log_clean_bad(cleaning,
					      plan->log_start_offset,
					      "a .txnindex is damaged") :
					  -1;
	clean_transactions_sort(&cleaning->aborted);
	return 0;
}

/* --- The map -------------------------------------------------------------- */

/* So many records are looked at before the first of them is put. */
#define AHEAD_MAX 16

/* A record that is to be put. */
struct ahead {
	struct offset_map_key key;
	int64_t offset;
};

struct mapping {
	struct log_cleaning *cleaning;
	struct ahead ahead[AHEAD_MAX];
	size_t ahead_count;
	struct clean_transactions transactions;
	struct compression_contexts contexts;
	struct buf scratch;
	struct clean_stretch *stretch;	/* that the batch is in, or NULL */
	int64_t next_offset;		/* the least that a record may have */
};

/* --- Records -------------------------------------------------------------- */

/*
 * Does it only depend on which of its records are the latest of their keys
 * what stays of the batch?
 */
static bool
is_plain(const struct log_clean_plan *plan, const struct batch *batch)
{
	return batch->magic == BATCH_MAGIC && batch->record_count > 0 &&
	    !batch_is_control(batch) && !batch_is_transactional(batch) &&
	    batch->base_offset >= plan->first_dirty_offset &&
	    batch->last_offset < plan->end_offset;
}

/* Put those that were looked at; false where the map is full. */
static bool
put_ahead(struct mapping *mapping)
{
	struct log_cleaning *cleaning = mapping->cleaning;
	size_t count = mapping->ahead_count;
	int64_t before;

	mapping->ahead_count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct ahead *ahead = &mapping->ahead[i];

		if (!offset_map_put(&cleaning->map, &ahead->key, ahead->offset,
			&before))
			return false;
		clean_stretches_put(
		    &cleaning->stretches, ahead->offset, before);
	}
	return true;
}

/* Put a record, now or soon; false where the map is full. */
static bool
map_record(struct mapping *mapping, const struct record *record)
{
	if (mapping->stretch != NULL)
		mapping->stretch->tombstones |= slice_is_null(record->value);
	mapping->ahead[mapping->ahead_count++] = (struct ahead){
		.key = offset_map_find(&mapping->cleaning->map, record->key),
		.offset = record->offset,
	};
	return mapping->ahead_count < AHEAD_MAX || put_ahead(mapping);
}

static int
map_marker(struct mapping *mapping, const struct batch *batch,
    struct slice bytes)
{
	const struct txn_index_entry *ignored;

	if (clean_transactions_marker(&mapping->transactions, batch,
		batch_filter_control_type(bytes), &ignored) < 0)
		return log_clean_bad(mapping->cleaning, batch->base_offset,
		    "it aborts data that no .txnindex calls aborted");
	return 0;
}

/* 1 where the map is full. */
static int
map_records(struct mapping *mapping, const struct batch *batch,
    struct slice bytes)
{
	struct log_cleaning *cleaning = mapping->cleaning;
	const struct log_clean_plan *plan = &cleaning->plan;
	struct batch_reader reader;
	struct record record;
	enum kp_error error = batch_reader_open_with(
	    &reader, bytes, &mapping->scratch, &mapping->contexts);

	while (error == KP_NONE && batch_reader_next(&reader, &record)) {
		if (record.offset < mapping->next_offset ||
		    record.offset > batch->last_offset)
			return log_clean_bad(cleaning, batch->base_offset,
			    "the offsets of its records are not its own");
		mapping->next_offset = record.offset + 1;
		if (mapping->stretch != NULL)
			mapping->stretch->records++;
		if (slice_is_null(record.key) ||
		    record.offset < plan->first_dirty_offset ||
		    record.offset >= plan->end_offset)
			continue;
		if (!map_record(mapping, &record))
			return 1;
	}
	if (error != KP_NONE || reader.error != KP_NONE)
		return log_clean_bad(cleaning, batch->base_offset,
		    "its records are broken");
	return put_ahead(mapping) ? 0 : 1;
}

static int
map_data(struct mapping *mapping, const struct log_clean_batch *batch)
{
	struct log_cleaning *cleaning = mapping->cleaning;
	int64_t last_offset = batch->header->last_offset;
	int result;

	result = map_records(mapping, batch->header, batch->bytes);
	/* What did not fit into the map stays, and so does the end's header. */
	if (result > 0 || last_offset + 1 == cleaning->plan.end_offset)
		clean_stretches_need(&cleaning->stretches, last_offset);
	return result;
}

/* The stretch that the batch is in now, or NULL. */
static struct clean_stretch *
stretch_of(struct log_cleaning *cleaning, const struct log_clean_batch *batch)
{
	if (is_plain(&cleaning->plan, batch->header))
		return clean_stretches_add(&cleaning->stretches, batch->header,
		    batch->position);
	clean_stretches_break(&cleaning->stretches);
	return NULL;
}

static int
map_batch(void *context, const struct log_clean_batch *visited)
{
	const struct batch *batch = visited->header;
	struct mapping *mapping = context;
	struct log_cleaning *cleaning = mapping->cleaning;
	int result = 0;

	if (batch->base_offset >= cleaning->plan.end_offset)
		return 1;
	cleaning->stats->map_bytes_read += (int64_t)visited->bytes.len;
	mapping->stretch = stretch_of(cleaning, visited);
	if (batch_is_control(batch))
		result = map_marker(mapping, batch, visited->bytes);
	else if (!clean_transactions_data(&mapping->transactions, batch))
		result = map_data(mapping, visited);
	if (result == 0)
		offset_map_reach(&cleaning->map,
		    MIN(batch->last_offset, cleaning->plan.end_offset - 1));
	return result;
}

static int
map_segments(struct mapping *mapping)
{
	struct log_cleaning *cleaning = mapping->cleaning;
	const struct log_clean_plan *plan = &cleaning->plan;
	const struct log_clean_visitor visitor = {
		.from_offset = plan->first_dirty_offset,
		.visit = map_batch,
		.context = mapping,
	};

	for (size_t i = log_clean_plan_of(plan, plan->first_dirty_offset);
	     i < plan->closed_count &&
	     plan->segments[i]->base_offset < plan->end_offset;
	     i++) {
		int result;

		clean_stretches_break(&cleaning->stretches);
		result = log_clean_walk(cleaning, i, &visitor);
		if (result < 0)
			return -1;
		if (result > 0 && cleaning->map.count ==
			cleaning->map.count_max)
			return 0;
		offset_map_reach(&cleaning->map,
		    MIN(log_clean_plan_segment_end(plan, i),
			plan->end_offset) -
			1);
	}
	return 0;
}

int
log_clean_fill_map(struct log_cleaning *cleaning)
{
	struct mapping mapping = { .cleaning = cleaning };
	int result;

	clean_transactions_init(&mapping.transactions, &cleaning->aborted);
	mapping.transactions.start_offset = cleaning->plan.log_start_offset;
	compression_contexts_init(&mapping.contexts);
	buf_init(&mapping.scratch, SCRATCH_LEN_MAX);
	result = map_segments(&mapping);
	clean_transactions_fini(&mapping.transactions);
	compression_contexts_fini(&mapping.contexts);
	buf_fini(&mapping.scratch);
	clean_stretches_complete(&cleaning->stretches);
	cleaning->stats->keys = cleaning->map.count;
	return result;
}
