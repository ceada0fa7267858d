#include "sim/log_model.h"

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "wire/batch_reader.h"
#include "wire/control_record.h"

#include <inttypes.h>

void
model_init(struct model *model)
{
	*model = (struct model){ .saved_clean_offset = -1 };
}

void
model_fini(struct model *model)
{
	free(model->log.batches);
	free(model->lost.batches);
	free(model->tried.rounds);
	free(model->done.rounds);
}

/* --- Batches -------------------------------------------------------------- */

static void
read_record(struct model_batch *batch, const struct record *record)
{
	int at = (int)(record->offset - batch->base_offset);
	struct model_record *model = &batch->records[at];
	enum control_record_type type;

	model->timestamp = record->timestamp;
	model->key = record->key.len == 1 ? record->key.data[0] : -1;
	model->tombstone = slice_is_null(record->value);
	model->crc = crc32c(crc32c(0, record->key.data, record->key.len),
	    record->value.data, record->value.len);
	batch->kept |= 1U << at;
	if (batch->control && control_record_key_read(record->key, &type) == 0)
		batch->commit = type == CONTROL_RECORD_COMMIT;
}

static void
describe(struct model_batch *batch, const struct batch *header)
{
	*batch = (struct model_batch){
		.base_offset = header->base_offset,
		.last_offset = header->last_offset,
		.epoch = header->leader_epoch,
		.producer_id = header->producer_id,
		.base_sequence = header->base_sequence,
		.last_sequence =
		    header->base_sequence + header->last_offset_delta,
		.max_timestamp = header->max_timestamp,
		.transactional = batch_is_transactional(header),
		.control = batch_is_control(header),
	};
}

bool
model_batch_read(struct model_batch *batch, struct slice bytes)
{
	struct batch_reader reader;
	struct record record;
	struct buf scratch;
	bool whole;

	if (!batch_crc_valid(bytes))
		return false;
	buf_init(&scratch, 1 << 20);
	whole = batch_reader_open(&reader, bytes, &scratch) == KP_NONE &&
	    reader.batch.last_offset - reader.batch.base_offset <
		MODEL_RECORDS;
	if (whole) {
		describe(batch, &reader.batch);
		batch->crc = crc32c(0, bytes.data, bytes.len);
	}
	while (whole && batch_reader_next(&reader, &record)) {
		whole = record.offset >= batch->base_offset &&
		    record.offset <= batch->last_offset;
		if (whole)
			read_record(batch, &record);
	}
	whole = whole && reader.error == KP_NONE;
	buf_fini(&scratch);
	return whole;
}

void
model_list_push(struct model_list *list, const struct model_batch *batch)
{
	if (list->count == list->capacity) {
		list->capacity = MAX(64, 2 * list->capacity);
		list->batches = xrealloc(
		    list->batches, list->capacity * sizeof(*list->batches));
	}
	list->batches[list->count++] = *batch;
}

static bool
same_records(const struct model_batch *batch, const struct model_batch *found)
{
	for (int i = 0; i < MODEL_RECORDS; i++) {
		const struct model_record *record = &batch->records[i];
		const struct model_record *other = &found->records[i];

		if ((found->kept & 1U << i) == 0)
			continue;
		if ((batch->kept & 1U << i) == 0 ||
		    record->timestamp != other->timestamp ||
		    record->crc != other->crc)
			return false;
	}
	return true;
}

/* Can it be what compaction left of the batch?  Only records may go. */
static bool
is_left_of(const struct model_batch *batch, const struct model_batch *found)
{
	return batch->base_offset == found->base_offset &&
	    batch->last_offset == found->last_offset &&
	    batch->epoch == found->epoch &&
	    batch->producer_id == found->producer_id &&
	    batch->base_sequence == found->base_sequence &&
	    batch->transactional == found->transactional &&
	    batch->control == found->control && same_records(batch, found);
}

const struct model_batch *
model_list_find(
    const struct model_list *list, const struct model_batch *found)
{
	const struct model_batch *left = NULL;

	for (size_t i = list->count; i-- > 0;) {
		const struct model_batch *batch = &list->batches[i];

		if (batch->base_offset == found->base_offset &&
		    batch->crc == found->crc)
			return batch;
		if (left == NULL && is_left_of(batch, found))
			left = batch;
	}
	return left;
}

void
model_lose(struct model *model, int64_t offset)
{
	struct model_list *log = &model->log;
	size_t keep = log->count;

	while (keep > 0 && log->batches[keep - 1].base_offset >= offset)
		keep--;
	for (size_t i = keep; i < log->count; i++)
		model_list_push(&model->lost, &log->batches[i]);
	log->count = keep;
}

void
model_forget(struct model *model, int64_t offset)
{
	struct model_list *lost = &model->lost;
	size_t kept = 0;

	for (size_t i = 0; i < lost->count; i++)
		if (lost->batches[i].base_offset < offset)
			lost->batches[kept++] = lost->batches[i];
	lost->count = kept;
}

void
model_start_set(struct model *model, int64_t start)
{
	model->start = start;
	model->start_max = MAX(model->start_max, start);
}

/* --- Compaction ----------------------------------------------------------- */

void
model_round_add(struct model_rounds *rounds, const struct model_round *round)
{
	rounds->rounds = xrealloc(
	    rounds->rounds, (rounds->count + 1) * sizeof(*rounds->rounds));
	rounds->rounds[rounds->count++] = *round;
}

const struct model_batch *
model_marker_of(const struct model *model, size_t at)
{
	const struct model_list *log = &model->log;

	for (size_t i = at; i < log->count; i++)
		if (log->batches[i].control &&
		    log->batches[i].producer_id == log->batches[at].producer_id)
			return &log->batches[i];
	return NULL;
}

bool
model_was_aborted(const struct model *model, size_t at)
{
	const struct model_batch *batch = &model->log.batches[at];
	const struct model_batch *marker = model_marker_of(model, at);

	return batch->transactional && !batch->control && marker != NULL &&
	    !marker->commit;
}

/* Is there a later record of its key below bound that readers see? */
static bool
is_superseded(
    const struct model *model, size_t at, int record, int64_t bound)
{
	const struct model_list *log = &model->log;
	int key = log->batches[at].records[record].key;

	for (size_t i = at; i < log->count; i++) {
		const struct model_batch *batch = &log->batches[i];

		if (batch->control || model_was_aborted(model, i))
			continue;
		for (int j = i == at ? record + 1 : 0; j < MODEL_RECORDS; j++)
			if ((batch->kept & 1U << j) != 0 &&
			    batch->records[j].key == key &&
			    batch->base_offset + j < bound)
				return true;
	}
	return false;
}

/* Did a round that may have given it a horizon come so long before? */
static bool
horizon_passed(const struct model *model, const struct model_rounds *earlier,
    int64_t offset, int64_t now_ms)
{
	for (size_t i = 0; i < earlier->count; i++)
		if (offset < earlier->rounds[i].closed &&
		    now_ms - earlier->rounds[i].now_ms >=
			model->delete_retention_ms)
			return true;
	return false;
}

/* Earlier rounds than this one, of those. */
static struct model_rounds
before(const struct model_rounds *rounds, size_t round)
{
	return (struct model_rounds){ rounds->rounds, round };
}

static bool
round_may_take(
    const struct model *model, size_t at, int record, size_t round)
{
	const struct model_batch *batch = &model->log.batches[at];
	const struct model_record *taken = &batch->records[record];
	const struct model_round *by = &model->tried.rounds[round];
	struct model_rounds earlier = before(&model->tried, round);
	int64_t offset = batch->base_offset + record;

	if (offset < by->closed && model_was_aborted(model, at))
		return true;
	if (offset < by->closed && batch->control)
		return horizon_passed(model, &earlier, offset, by->now_ms);
	if (offset >= by->bound || batch->control ||
	    (model->min_lag_ms > 0 &&
		batch->max_timestamp > by->now_ms - model->min_lag_ms))
		return false;
	if (taken->key < 0 || is_superseded(model, at, record, by->bound))
		return true;
	return taken->tombstone &&
	    horizon_passed(model, &earlier, offset, by->now_ms);
}

bool
model_may_be_gone(const struct model *model, size_t at, int record)
{
	for (size_t i = 0; i < model->tried.count; i++)
		if (round_may_take(model, at, record, i))
			return true;
	return false;
}

bool
model_must_be_gone(const struct model *model, size_t at, int record)
{
	const struct model_batch *batch = &model->log.batches[at];
	size_t round = model->done.count - 1;
	const struct model_round *by = &model->done.rounds[round];
	struct model_rounds earlier = before(&model->done, round);
	int64_t offset = batch->base_offset + record;

	if (batch->control || offset >= by->bound)
		return false;
	/* A marker above is not known yet. */
	if (model_was_aborted(model, at))
		return model_marker_of(model, at)->base_offset < by->bound;
	if (batch->records[record].key < 0 ||
	    is_superseded(model, at, record, by->bound))
		return true;
	return batch->records[record].tombstone &&
	    horizon_passed(model, &earlier, offset, by->now_ms);
}

/* --- For people ----------------------------------------------------------- */

static void
dump_batch(const struct model *model, size_t at)
{
	const struct model_batch *batch = &model->log.batches[at];
	const struct model_record *records = batch->records;

	log_debug("sim",
	    "batch %" PRId64 " to %" PRId64 ", keys %d %d %d %d of %x, "
	    "tombstones %d%d%d%d, producer %" PRId64 ", sequence %d%s%s%s%s, "
	    "time %" PRId64,
	    batch->base_offset, batch->last_offset, records[0].key,
	    records[1].key, records[2].key, records[3].key, batch->kept,
	    records[0].tombstone, records[1].tombstone, records[2].tombstone,
	    records[3].tombstone, batch->producer_id, batch->base_sequence,
	    batch->transactional ? ", transactional" : "",
	    model_was_aborted(model, at) ? ", aborted" : "",
	    batch->control ? ", marker" : "", batch->commit ? ", commit" : "",
	    batch->max_timestamp);
}

void
model_dump(const struct model *model)
{
	for (size_t i = 0; i < model->log.count; i++)
		dump_batch(model, i);
	for (size_t i = 0; i < model->tried.count; i++)
		log_debug("sim",
		    "round up to %" PRId64 ", read to %" PRId64
		    ", at time %" PRId64,
		    model->tried.rounds[i].bound,
		    model->tried.rounds[i].closed,
		    model->tried.rounds[i].now_ms);
	log_debug("sim",
	    "start %" PRId64 ", end %" PRId64 ", durable %" PRId64
	    ", min lag %" PRId64 ", delete retention %" PRId64,
	    model->start, model->end, model->durable, model->min_lag_ms,
	    model->delete_retention_ms);
}
