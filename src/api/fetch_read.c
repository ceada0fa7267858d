#include "api/fetch.h"
#include "base/worker.h"
#include "store/log.h"

static void fetch_read_resume(struct fetch *fetch);

/* --- One partition ----------------------------------------------------- */

static void
part_account(struct fetch *fetch, struct fetch_part *part)
{
	fetch->bytes += log_read_bytes(&part->read.data);
	if (part->error != KP_NONE || part->read.diverging_epoch >= 0 ||
	    part->read.behind)
		fetch->urgent = true;
}

/* Errors tell nothing of the offsets. */
static void
part_forget(struct fetch_part *part)
{
	part->read.high_watermark = -1;
	part->read.last_stable_offset = -1;
	part->read.log_start_offset = -1;
}

/*
 * What this part may have.  The first batch that is found is given whole,
 * however large it is, so that a reader always gets on.
 */
static void
part_prepare(const struct fetch *fetch, struct fetch_part *part)
{
	const struct fetch_session_partition *wanted = part->wanted;
	int64_t left = MAX(fetch->bytes_max - fetch->bytes, 0);

	part->read = (struct partition_read){
		.node_id = fetch->request->node_id,
		.leader_only = fetch->replica_id >= 0 ||
		    fetch->request->version < FETCH_VERSION_FOLLOWERS,
		.offset = wanted->fetch_offset,
		.current_leader_epoch = wanted->current_leader_epoch,
		.last_fetched_epoch = wanted->last_fetched_epoch,
		.isolation = fetch->isolation,
		.max_bytes = (size_t)MIN(wanted->max_bytes, left),
		.min_one_batch = fetch->bytes == 0,
		.data.fd = -1,
	};
}

/* A replica, and not this node itself: only it reads what it leads. */
static bool
is_follower(const struct fetch *fetch, struct partition *partition)
{
	return fetch->replica_id != fetch->request->node_id &&
	    partition_has_replica(partition, fetch->replica_id);
}

static enum kp_error
part_read(const struct fetch *fetch, struct fetch_part *part)
{
	struct partition_read *read = &part->read;
	enum kp_error error;

	part_prepare(fetch, part);
	if (part->wanted->max_bytes < 0)
		return KP_UNKNOWN_SERVER_ERROR;
	if (fetch->replica_id >= 0 && !is_follower(fetch, part->partition))
		return KP_NOT_LEADER_OR_FOLLOWER;
	error = partition_read(part->partition, read);
	part->leader = read->leader;
	if (error == KP_NONE && read->zstd &&
	    fetch->request->version < FETCH_VERSION_ZSTD) {
		log_read_release(&read->data);
		return KP_UNSUPPORTED_COMPRESSION_TYPE;
	}
	return error;
}

/* Readers of committed records are told which of them are not. */
static enum kp_error
part_find_aborted(const struct fetch *fetch, struct fetch_part *part)
{
	enum kp_error error;

	if (fetch->isolation != PARTITION_READ_COMMITTED)
		return KP_NONE;
	error = log_read_aborted(&part->read.data, &part->aborted);
	if (error != KP_NONE)
		log_read_release(&part->read.data);
	return error;
}

static void
part_resolve(const struct fetch *fetch, struct fetch_part *part)
{
	if (part->read.data.unresolved)
		part->error = log_read_resolve(&part->read.data);
	if (part->error == KP_NONE)
		part->error = part_find_aborted(fetch, part);
	if (part->error != KP_NONE)
		part_forget(part);
}

/* Resolve it, unless that, or giving its bytes, would wait for the disk. */
static bool
part_try_resolve(const struct fetch *fetch, struct fetch_part *part)
{
	struct log_read *read = &part->read.data;

	if (read->unresolved) {
		if (fetch->isolation == PARTITION_READ_COMMITTED &&
		    log_read_may_look_up_aborted(read))
			return false;
		if (!log_read_try_resolve(read,
			fetch->request->server->cold_reads, &part->error))
			return false;
	}
	part_resolve(fetch, part);
	return true;
}

/* --- All partitions ---------------------------------------------------- */

static void
part_end(struct fetch *fetch)
{
	part_account(fetch, &fetch->parts[fetch->next]);
	fetch->next++;
}

/* On the pool: the bytes of the current part have been brought in. */
static void
on_cold_read(struct cold_read *read)
{
	struct fetch *fetch = CONTAINER_OF(read, struct fetch, cold);

	part_end(fetch);
	fetch_read_resume(fetch);
}

/* On the pool: find the current part's bytes if need be, bring them in. */
static void
on_resolve(struct task *task)
{
	struct fetch *fetch = CONTAINER_OF(task, struct fetch, resolve_task);
	struct fetch_part *part = &fetch->parts[fetch->next];

	log_read_warm(&part->read.data);
	part_resolve(fetch, part);
	fetch->cold.fd = part->read.data.fd;
	fetch->cold.position = part->read.data.position;
	fetch->cold.len = part->read.data.len;
	fetch->cold.done = on_cold_read;
	cold_read_start(&fetch->cold, fetch->request->server->cold_reads);
}

static void
part_offload(struct fetch *fetch)
{
	fetch->resolve_task.run = on_resolve;
	worker_pool_post(
	    fetch->request->server->cold_reads, &fetch->resolve_task);
}

/* Read from the current part on; false where the pool goes on. */
static bool
parts_read(struct fetch *fetch)
{
	while (fetch->next < fetch->parts_count) {
		struct fetch_part *part = &fetch->parts[fetch->next];

		if (part->refused) {
			fetch->next++;
			continue;
		}
		fetch->readable++;
		part->error = part_read(fetch, part);
		if (!part_try_resolve(fetch, part)) {
			part_offload(fetch);
			return false;
		}
		part_end(fetch);
	}
	return true;
}

static void
fetch_read_resume(struct fetch *fetch)
{
	if (parts_read(fetch))
		request_post(fetch->request, fetch->read_done);
}

bool
fetch_read_start(struct fetch *fetch)
{
	fetch->next = 0;
	fetch->bytes = 0;
	fetch->readable = 0;
	fetch->urgent = false;
	return parts_read(fetch);
}

void
fetch_read_release(struct fetch *fetch)
{
	for (int32_t i = 0; i < fetch->parts_count; i++) {
		struct fetch_part *part = &fetch->parts[i];

		if (!part->refused)
			log_read_release(&part->read.data);
		txn_index_fini(&part->aborted);
	}
}
