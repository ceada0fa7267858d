#include "coord/partition_host.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "coord/shard.h"
#include "net/loop.h"

static struct partition_host *
host_of(struct shard_host *host)
{
	return CONTAINER_OF(host, struct partition_host, host);
}

/* --- The log ------------------------------------------------------------- */

static enum kp_error
host_append(struct shard_host *base, struct shard_append *batch)
{
	struct partition_append append = {
		.node_id = PARTITION_ANY_NODE,
		.origin = LOG_COORDINATOR,
		.data = batch->data,
		.len = batch->len,
		.guarded = batch->guarded,
		.guard = batch->guard,
		.transaction_version = batch->transaction_version,
	};
	enum kp_error error =
	    partition_append(host_of(base)->partition, &append);

	if (error == KP_NONE)
		batch->end_offset = append.last_offset + 1;
	return error;
}

static enum kp_error
range_read(const struct partition_host *host, const struct log_read *range,
    struct buf *buf)
{
	size_t done = 0;
	uint8_t *to;

	if (range->len == 0)
		return KP_NONE;
	to = buf_reserve(buf, range->len);
	if (to == NULL)
		return KP_CORRUPT_MESSAGE;
	while (done < range->len) {
		ssize_t n = pread(range->fd, to + done, range->len - done,
		    (off_t)(range->position + (int64_t)done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			log_error("coord",
			    "Cannot read partition %d of %.*s: "
			    "%s",
			    partition_index(host->partition),
			    SLICE_ARG(partition_topic(host->partition)),
			    n < 0 ? strerror(errno) : "the file is too short");
			return KP_KAFKA_STORAGE_ERROR;
		}
		done += (size_t)n;
	}
	buf->len += done;
	return KP_NONE;
}

static enum kp_error
chunk_read(struct partition_host *host, int64_t offset, size_t max_bytes,
    struct buf *buf)
{
	struct partition_read read = {
		.node_id = PARTITION_ANY_NODE,
		.leader_only = true,
		.offset = offset,
		.current_leader_epoch = PARTITION_ANY_EPOCH,
		.last_fetched_epoch = -1,
		.isolation = PARTITION_READ_ALL,
		.max_bytes = max_bytes,
		.min_one_batch = true,
	};
	enum kp_error error = partition_read(host->partition, &read);

	if (error == KP_NONE && read.data.unresolved)
		error = log_read_resolve(&read.data);
	if (error != KP_NONE)
		return error;
	error = range_read(host, &read.data, buf);
	log_read_release(&read.data);
	return error;
}

static enum kp_error
host_delete_records(struct shard_host *base, int64_t offset)
{
	int64_t log_start;

	return partition_delete_records(host_of(base)->partition,
	    PARTITION_ANY_NODE, offset, &log_start);
}

static int64_t
host_high_watermark(struct shard_host *base)
{
	return partition_high_watermark(host_of(base)->partition);
}

/* --- Ends ---------------------------------------------------------------- */

/* Has the host nothing left to wait for?  Locked. */
static bool
idle(const struct partition_host *host)
{
	return host->closing && !host->watching && !host->waking &&
	    host->reads_count == 0;
}

static void
end(struct partition_host *host)
{
	partition_unref(host->partition);
	host->partition = NULL;
	host->closed(host);
}

static void
run_close(struct task *task)
{
	struct partition_host *host =
	    CONTAINER_OF(task, struct partition_host, close_task);
	bool ended;

	timer_stop(&host->timer);
	pthread_mutex_lock(&host->mutex);
	host->closing = true;
	if (host->watching &&
	    partition_unwait_hw(host->partition, &host->waiter))
		host->watching = false;
	ended = idle(host);
	pthread_mutex_unlock(&host->mutex);
	if (ended)
		end(host);
}

/*
 * A task that the host had posted runs: clear its flag.  False where the host
 * is closing; then the last one ends it.
 */
static bool
arrive(struct partition_host *host, bool *flag)
{
	bool closing, ended;

	pthread_mutex_lock(&host->mutex);
	assert(*flag);
	*flag = false;
	closing = host->closing;
	ended = idle(host);
	pthread_mutex_unlock(&host->mutex);
	if (ended)
		end(host);
	return !closing;
}

/* --- Reading ------------------------------------------------------------- */

/* Keep the partition from being given back; false where it may have been. */
static bool
read_begin(struct partition_host *host)
{
	bool open;

	pthread_mutex_lock(&host->mutex);
	open = !host->closing;
	if (open)
		host->reads_count++;
	pthread_mutex_unlock(&host->mutex);
	return open;
}

/* The closing that found a read under way left the end to it. */
static void
read_end(struct partition_host *host)
{
	bool ended;

	pthread_mutex_lock(&host->mutex);
	host->reads_count--;
	ended = idle(host);
	pthread_mutex_unlock(&host->mutex);
	if (ended)
		loop_post(host->loop, &host->close_task);
}

static enum kp_error
host_read(
    struct shard_host *base, int64_t offset, size_t max_bytes, struct buf *buf)
{
	struct partition_host *host = host_of(base);
	enum kp_error error;

	if (!read_begin(host))
		return KP_NOT_LEADER_OR_FOLLOWER;
	error = chunk_read(host, offset, max_bytes, buf);
	read_end(host);
	return error;
}

static int64_t
host_log_start_offset(struct shard_host *base)
{
	struct partition_host *host = host_of(base);
	int64_t offset;

	if (!read_begin(host))
		return 0;
	offset = partition_log_start_offset(host->partition);
	read_end(host);
	return offset;
}

/* --- The high watermark -------------------------------------------------- */

static void
run_advance(struct task *task)
{
	struct wakeup *wakeup = CONTAINER_OF(task, struct wakeup, task);
	struct hw_waiter *waiter =
	    CONTAINER_OF(wakeup, struct hw_waiter, wakeup);
	struct partition_host *host =
	    CONTAINER_OF(waiter, struct partition_host, waiter);
	enum kp_error result = waiter->result;

	if (arrive(host, &host->watching))
		shard_advance(host->shard, result);
}

static void
host_watch(struct shard_host *base, int64_t offset)
{
	struct partition_host *host = host_of(base);

	pthread_mutex_lock(&host->mutex);
	if (!host->closing) {
		assert(!host->watching);
		host->watching = true;
		host->waiter.offset = offset;
		if (!partition_wait_hw(host->partition, &host->waiter))
			loop_post(host->loop, &host->waiter.wakeup.task);
	}
	pthread_mutex_unlock(&host->mutex);
}

/* --- Time ---------------------------------------------------------------- */

static void
tick(struct partition_host *host)
{
	int64_t next_ms = shard_tick(host->shard);

	if (next_ms == INT64_MAX)
		timer_stop(&host->timer);
	else
		timer_start(
		    host->loop, &host->timer, next_ms - clock_monotonic_ms());
}

static void
run_tick(struct timer *timer)
{
	tick(CONTAINER_OF(timer, struct partition_host, timer));
}

static void
run_wake(struct task *task)
{
	struct partition_host *host =
	    CONTAINER_OF(task, struct partition_host, wake_task);

	if (arrive(host, &host->waking))
		tick(host);
}

static void
host_wake(struct shard_host *base)
{
	struct partition_host *host = host_of(base);

	pthread_mutex_lock(&host->mutex);
	if (!host->closing && !host->waking) {
		host->waking = true;
		loop_post(host->loop, &host->wake_task);
	}
	pthread_mutex_unlock(&host->mutex);
}

/* --- Life ---------------------------------------------------------------- */

void
partition_host_init(struct partition_host *host, struct partition *partition,
    struct loop *loop, struct shard *shard)
{
	memset(host, 0, sizeof(*host));
	host->host = (struct shard_host){
		.append = host_append,
		.read = host_read,
		.log_start_offset = host_log_start_offset,
		.delete_records = host_delete_records,
		.high_watermark = host_high_watermark,
		.watch = host_watch,
		.wake = host_wake,
	};
	host->shard = shard;
	host->partition = partition;
	host->loop = loop;
	pthread_mutex_init(&host->mutex, NULL);
	wakeup_init(&host->waiter.wakeup, loop, run_advance);
	host->waiter.node_id = PARTITION_ANY_NODE;
	host->wake_task.run = run_wake;
	host->close_task.run = run_close;
	timer_init(&host->timer, run_tick);
}

void
partition_host_close(
    struct partition_host *host, void (*closed)(struct partition_host *host))
{
	host->closed = closed;
	loop_post(host->loop, &host->close_task);
}

void
partition_host_fini(struct partition_host *host)
{
	assert(!host->watching && !host->waking && host->reads_count == 0);
	partition_unref(host->partition);
	pthread_mutex_destroy(&host->mutex);
}
