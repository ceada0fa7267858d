#include <errno.h>
#include <unistd.h>

#include "api/share_fetch.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/worker.h"
#include "store/log.h"
#include "wire/batch.h"

static void share_fetch_read_resume(struct share_fetch *fetch);

/* --- The batches of a partition ---------------------------------------- */

/* The header at a place of what was read; -1 where the read ends before it. */
static int
header_read(const struct log_read *data, int64_t position, struct batch *batch)
{
	uint8_t header[BATCH_HEADER_LEN];
	size_t left = data->len - (size_t)position;
	size_t len = MIN(left, sizeof(header));
	struct batch_frame frame;
	ssize_t n;

	do
		n = pread(data->fd, header, len,
		    (off_t)(data->position + position));
	while (n < 0 && errno == EINTR);
	if (n < 0 || (size_t)n < len ||
	    batch_scan(header, left, &frame) != BATCH_SCAN_WHOLE ||
	    batch_decode(header, &frame, batch) != 0)
		return -1;
	return 0;
}

/* Is it of a transaction whose ABORT marker comes behind it? */
static bool
batch_aborted(const struct txn_index *aborted, const struct batch *batch)
{
	if ((batch->attributes & BATCH_TRANSACTIONAL) == 0 ||
	    (batch->attributes & BATCH_CONTROL) != 0)
		return false;
	for (size_t i = 0; i < aborted->count; i++)
		if (aborted->entries[i].producer_id == batch->producer_id &&
		    aborted->entries[i].first_offset <= batch->last_offset &&
		    aborted->entries[i].last_offset >= batch->base_offset)
			return true;
	return false;
}

static void
batch_add(struct share_fetch_part *part, const struct batch *batch,
    int64_t position)
{
	size_t at = part->batches_count++;

	if (at == part->batches_capacity) {
		part->batches_capacity = MAX(2 * at, 64);
		part->batches = xrealloc(part->batches,
		    part->batches_capacity * sizeof(*part->batches));
		part->places = xrealloc(part->places,
		    part->batches_capacity * sizeof(*part->places));
	}
	part->batches[at] = (struct share_partition_batch){
		.base_offset = batch->base_offset,
		.last_offset = batch->last_offset,
		.aborted = batch_aborted(&part->aborted, batch),
	};
	part->places[at] =
	    (struct share_fetch_place){ position, batch->size_bytes };
}

/*
 * List the batches that were read, as far as records of them can be acquired:
 * those in flight, and as many new ones as are wanted.
 */
static void
part_scan(const struct share_fetch *fetch, struct share_fetch_part *part)
{
	int64_t beyond =
	    MAX(part->begin.end_offset, part->begin.fetch_offset) +
	    fetch->body->max_records;
	int64_t previous = -1;
	struct batch batch;

	for (int64_t at = 0; at < (int64_t)part->read.data.len;
	     at += (int64_t)batch.size_bytes) {
		if (header_read(&part->read.data, at, &batch) != 0 ||
		    batch.base_offset > beyond ||
		    batch.base_offset <= previous ||
		    batch.last_offset < batch.base_offset)
			break;
		batch_add(part, &batch, at);
		previous = batch.last_offset;
	}
}

/* --- One partition ----------------------------------------------------- */

static int64_t
part_bytes_max(const struct share_fetch *fetch)
{
	return MAX(fetch->bytes_max / MAX(fetch->ready, 1), 1);
}

static enum kp_error
part_read(const struct share_fetch *fetch, struct share_fetch_part *part)
{
	part->read = (struct partition_read){
		.node_id = fetch->request->node_id,
		.leader_only = true,
		.offset = part->begin.fetch_offset,
		.current_leader_epoch = PARTITION_ANY_EPOCH,
		.last_fetched_epoch = -1,
		.isolation = fetch->config.isolation,
		.max_bytes = (size_t)MIN(part_bytes_max(fetch),
		    MAX(fetch->bytes_max - fetch->bytes, 0)),
		.min_one_batch = fetch->bytes == 0,
		.data.fd = -1,
	};
	return partition_read(part->partition, &part->read);
}

static void
part_resolve(const struct share_fetch *fetch, struct share_fetch_part *part)
{
	struct log_read *data = &part->read.data;

	if (data->unresolved)
		part->error = log_read_resolve(data);
	if (part->error == KP_NONE &&
	    fetch->config.isolation == PARTITION_READ_COMMITTED)
		part->error = log_read_aborted(data, &part->aborted);
	if (part->error == KP_NONE)
		part_scan(fetch, part);
	else
		log_read_release(data);
}

/* Resolve it, unless that, or reading its bytes, would wait for the disk. */
static bool
part_try_resolve(
    const struct share_fetch *fetch, struct share_fetch_part *part)
{
	struct log_read *data = &part->read.data;

	if (part->error != KP_NONE)
		return true;
	if (data->unresolved) {
		if (fetch->config.isolation == PARTITION_READ_COMMITTED &&
		    log_read_may_look_up_aborted(data))
			return false;
		if (!log_read_try_resolve(data,
			fetch->request->server->cold_reads, &part->error))
			return false;
	}
	part_resolve(fetch, part);
	return true;
}

/*
 * The log begins further on than what was to be read: the group does, too, and
 * is told of nothing but the next time.
 */
static void
part_skip(struct share_fetch_part *part)
{
	part->error = KP_NONE;
	share_log_start_moved(
	    part->log, partition_log_start_offset(part->partition));
}

static void
part_end(struct share_fetch *fetch)
{
	struct share_fetch_part *part = &fetch->parts[fetch->next++];

	if (part->error == KP_OFFSET_OUT_OF_RANGE) {
		part_skip(part);
		fetch->urgent = true;
	}
	fetch->urgent |= part->error != KP_NONE;
	fetch->bytes += log_read_bytes(&part->read.data);
}

/* --- All partitions ---------------------------------------------------- */

/* On the pool: the bytes of the current part have been brought in. */
static void
on_cold_read(struct cold_read *read)
{
	struct share_fetch *fetch =
	    CONTAINER_OF(read, struct share_fetch, cold);

	part_end(fetch);
	share_fetch_read_resume(fetch);
}

/* On the pool: find the current part's bytes if need be, bring them in. */
static void
on_resolve(struct task *task)
{
	struct share_fetch *fetch =
	    CONTAINER_OF(task, struct share_fetch, resolve_task);
	struct share_fetch_part *part = &fetch->parts[fetch->next];

	log_read_warm(&part->read.data);
	part_resolve(fetch, part);
	fetch->cold.fd = part->read.data.fd;
	fetch->cold.position = part->read.data.position;
	fetch->cold.len = part->read.data.len;
	fetch->cold.done = on_cold_read;
	cold_read_start(&fetch->cold, fetch->request->server->cold_reads);
}

/* Read from the current part on; false where the pool goes on. */
static bool
parts_read(struct share_fetch *fetch)
{
	while (fetch->next < fetch->parts_count) {
		struct share_fetch_part *part = &fetch->parts[fetch->next];

		if (part->turn != SHARE_LOG_READY) {
			fetch->next++;
			continue;
		}
		part->error = part_read(fetch, part);
		if (!part_try_resolve(fetch, part)) {
			fetch->resolve_task.run = on_resolve;
			worker_pool_post(fetch->request->server->cold_reads,
			    &fetch->resolve_task);
			return false;
		}
		part_end(fetch);
	}
	return true;
}

static void
share_fetch_read_resume(struct share_fetch *fetch)
{
	if (parts_read(fetch))
		request_post(fetch->request, fetch->read_done);
}

/* Ask for a part's turn. */
static void
part_begin(struct share_fetch *fetch, struct share_fetch_part *part)
{
	part->turn = share_log_begin(part->log, &part->begin);
	part->tried = part->turn == SHARE_LOG_READY;
	fetch->ready += part->tried;
	fetch->waiting += part->turn != SHARE_LOG_FAILED;
	if (part->turn != SHARE_LOG_FAILED)
		return;
	part->error = part->begin.error;
	part->leader = partition_leader(part->partition);
	fetch->urgent = true;
}

bool
share_fetch_read_start(struct share_fetch *fetch)
{
	fetch->next = 0;
	fetch->bytes = 0;
	fetch->ready = 0;
	fetch->waiting = 0;
	fetch->urgent = false;
	for (int32_t i = 0; i < fetch->parts_count; i++)
		if (!fetch->parts[i].refused)
			part_begin(fetch, &fetch->parts[i]);
	return parts_read(fetch);
}

/* --- Acquiring --------------------------------------------------------- */

/* Of what was read only the batches that have acquired records are sent. */
static void
part_slice(struct share_fetch_part *part)
{
	const struct share_partition_acquire *acquired = &part->acquired;
	const struct log_read *data = &part->read.data;
	int64_t first = acquired->ranges[0].first_offset;
	int64_t last = acquired->ranges[acquired->ranges_count - 1].last_offset;
	size_t from = 0, to;

	while (from + 1 < part->batches_count &&
	    part->batches[from + 1].base_offset <= first)
		from++;
	for (to = from + 1; to < part->batches_count &&
	     part->batches[to].base_offset <= last;)
		to++;
	part->extent = (struct kp_extent){ data->fd,
		data->position + part->places[from].position,
		(size_t)(part->places[to - 1].position -
		    part->places[from].position) +
		    part->places[to - 1].len };
}

static void
part_acquire(struct share_fetch *fetch, struct share_fetch_part *part,
    int64_t *records_left)
{
	struct share_partition_acquire *acquire = &part->acquired;

	*acquire = (struct share_partition_acquire){
		.member = fetch->body->member_id,
		.exact = fetch->body->share_acquire_mode == 1,
		.batch_size = fetch->body->batch_size,
		.records_max = (int32_t)MAX(*records_left, 0),
		.fetch_offset = part->begin.fetch_offset,
		.batches = part->batches,
		.batches_count = part->batches_count,
		.now_ms = clock_monotonic_ms(),
	};
	share_log_end(part->log, part->error == KP_NONE ? acquire : NULL,
	    &part->begin.events);
	part->turn = SHARE_LOG_WAIT;
	*records_left -= acquire->records;
	if (acquire->ranges_count > 0)
		part_slice(part);
}

void
share_fetch_acquire(struct share_fetch *fetch)
{
	int64_t records_left = fetch->body->max_records;

	for (int32_t i = 0; i < fetch->parts_count; i++)
		if (fetch->parts[i].turn == SHARE_LOG_READY)
			part_acquire(
			    fetch, &fetch->parts[i], &records_left);
}

static void
part_release(struct share_fetch_part *part)
{
	if (part->turn == SHARE_LOG_READY)
		share_log_end(part->log, NULL, &part->begin.events);
	part->turn = SHARE_LOG_WAIT;
	log_read_release(&part->read.data);
	txn_index_fini(&part->aborted);
	free(part->batches);
	free(part->places);
	part->batches = NULL;
	part->places = NULL;
	part->batches_count = part->batches_capacity = 0;
}

void
share_fetch_read_release(struct share_fetch *fetch)
{
	for (int32_t i = 0; i < fetch->parts_count; i++)
		if (!fetch->parts[i].refused)
			part_release(&fetch->parts[i]);
}
