/*
 * Loading: a shard's log is read from its start to its end, and every record
 * goes through the kind's replay, as those that the shard appends later do.
 * Records of a transaction are replayed with their producer's id; a control
 * batch ends that producer's transaction.
 */
#include "coord/shard.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "wire/batch_reader.h"

/* A decompressed batch: at least this much is allowed, or 16 times its size. */
#define PLAIN_BYTES_MIN ((size_t)64 << 20)

/* Types of control records, behind the version in the key. */
#define CONTROL_ABORT 0
#define CONTROL_COMMIT 1

struct load {
	struct shard *shard;
	int64_t offset;			/* to be read next */
	struct buf bytes;
	struct buf plain;
};

/* A marker.  Control records of other types are none of ours. */
static int
control_replay(struct shard *shard, const struct batch *batch,
    const struct record *record)
{
	uint16_t type;

	if (record->key.len < 4)
		return -1;
	type = be16_get(record->key.data + 2);
	if (type == CONTROL_ABORT || type == CONTROL_COMMIT)
		shard->kind->replay_end(
		    shard, batch->producer_id, type == CONTROL_COMMIT);
	return 0;
}

static int
record_replay(struct shard *shard, const struct batch *batch,
    const struct record *record)
{
	struct shard_record replayed = {
		.offset = record->offset,
		.producer_id = BATCH_NO_PRODUCER,
		.producer_epoch = BATCH_NO_EPOCH,
		.value = record->value,
	};

	if (batch_is_control(batch))
		return control_replay(shard, batch, record);
	if (record->key.len < 2)
		return -1;
	if (batch_is_transactional(batch)) {
		replayed.producer_id = batch->producer_id;
		replayed.producer_epoch = batch->producer_epoch;
	}
	replayed.type = (int16_t)be16_get(record->key.data);
	replayed.key = slice_of(record->key.data + 2, record->key.len - 2);
	return shard->kind->replay(shard, &replayed);
}

static int
batch_replay(struct load *load, struct slice bytes)
{
	struct batch_reader reader;
	struct record record;

	load->plain.len_max = MAX(PLAIN_BYTES_MIN, bytes.len * 16);
	buf_clear(&load->plain);
	if (batch_reader_open(&reader, bytes, &load->plain) != KP_NONE)
		return -1;
	while (batch_reader_next(&reader, &record)) {
		if (record_replay(load->shard, &reader.batch, &record) != 0)
			return -1;
	}
	return reader.error == KP_NONE ? 0 : -1;
}

/* Replay the whole batches that were read; at least one is there. */
static int
chunk_replay(struct load *load)
{
	struct slice left = buf_slice(&load->bytes);
	struct batch_frame frame;
	struct batch batch;
	int64_t start = load->offset;

	while (batch_scan(left.data, left.len, &frame) == BATCH_SCAN_WHOLE) {
		struct slice bytes = slice_of(left.data, frame.size_bytes);

		if (batch_decode(bytes.data, &frame, &batch) != 0 ||
		    batch.last_offset < load->offset ||
		    batch_replay(load, bytes) != 0) {
			log_error("coord", "The record batch at offset %lld of "
			    "%s-%d cannot be loaded",
			    (long long)frame.offset, load->shard->kind->topic,
			    load->shard->partition);
			return -1;
		}
		load->offset = batch.last_offset + 1;
		left = slice_of(left.data + frame.size_bytes,
		    left.len - frame.size_bytes);
	}
	return load->offset > start ? 0 : -1;
}

static void
log_read_failure(const struct load *load, enum kp_error error)
{
	log_error("coord", "Cannot read %s-%d at offset %lld: %s",
	    load->shard->kind->topic, load->shard->partition,
	    (long long)load->offset, kp_error_name(error));
}

enum load_step { LOAD_GOES_ON, LOAD_ENDED, LOAD_FAILED };

/* What to do with what was read. */
static enum load_step
chunk_take(struct load *load, enum kp_error error)
{
	if (error != KP_NONE) {
		log_read_failure(load, error);
		return LOAD_FAILED;
	}
	if (load->bytes.len == 0)
		return LOAD_ENDED;
	return chunk_replay(load) == 0 ? LOAD_GOES_ON : LOAD_FAILED;
}

static void
load_finish(struct load *load, bool ok)
{
	struct shard *shard = load->shard;

	if (!ok) {
		shard->kind->unloaded(shard, KP_NOT_COORDINATOR);
		shard->state = SHARD_FAILED;
		return;
	}
	shard->state = SHARD_ACTIVE;
	shard->end_offset = load->offset;
	shard->committed_offset = shard->host->high_watermark(shard->host);
	shard->kind->loaded(shard);
}

/* Is it still this epoch's load that is wanted?  Locked. */
static bool
wanted(const struct shard *shard, int32_t epoch)
{
	return shard->state == SHARD_LOADING && shard->epoch == epoch;
}

static bool
begin(struct load *load, int32_t epoch)
{
	struct shard *shard = load->shard;
	bool ours;

	pthread_mutex_lock(&shard->mutex);
	ours = wanted(shard, epoch);
	pthread_mutex_unlock(&shard->mutex);
	if (ours)
		load->offset = shard->host->log_start_offset(shard->host);
	return ours;
}

/*
 * One chunk; false when there is no more to do.  The disk is read before the
 * lock is taken: whoever asks the shard meanwhile is on a loop.
 */
static bool
load_step(struct load *load, int32_t epoch)
{
	struct shard *shard = load->shard;
	struct shard_host *host = shard->host;
	enum load_step step;
	enum kp_error error;
	bool ours;

	buf_clear(&load->bytes);
	error = host->read(host, load->offset,
	    (size_t)shard->settings->load_bytes, &load->bytes);
	pthread_mutex_lock(&shard->mutex);
	ours = wanted(shard, epoch);
	step = ours ? chunk_take(load, error) : LOAD_ENDED;
	if (ours && step != LOAD_GOES_ON)
		load_finish(load, step == LOAD_ENDED);
	shard_leave(shard);
	return step == LOAD_GOES_ON;
}

void
shard_load(struct shard *shard, int32_t epoch)
{
	struct load load = { .shard = shard, .offset = -1 };

	buf_init(&load.bytes, INT32_MAX);
	buf_init(&load.plain, PLAIN_BYTES_MIN);
	if (begin(&load, epoch))
		while (load_step(&load, epoch))
			;
	buf_fini(&load.bytes);
	buf_fini(&load.plain);
}
