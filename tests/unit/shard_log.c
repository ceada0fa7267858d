#include "unit/shard_log.h"

#include "unit/unit.h"
#include "wire/batch.h"

static int64_t
wall_ms(void *context)
{
	return 1700000000000 + ((struct shard_log *)context)->now_ms;
}

static int64_t
monotonic_us(void *context)
{
	return ((struct shard_log *)context)->now_ms * 1000;
}

static struct shard_log *
of(struct shard_host *host)
{
	return CONTAINER_OF(host, struct shard_log, host);
}

static enum kp_error
host_append(struct shard_host *host, struct shard_append *append)
{
	struct shard_log *log = of(host);
	struct batch batch;

	if (log->append_error != KP_NONE)
		return log->append_error;
	batch_patch(append->data, log->end_offset, log->epoch);
	assert_int_equal(
	    batch_read(slice_of(append->data, append->len), &batch), 0);
	assert_int_equal(batch.size_bytes, append->len);
	assert_int_equal(buf_append(&log->bytes, append->data, append->len), 0);
	append->end_offset = log->end_offset = batch.last_offset + 1;
	log->appends_count++;
	if (!log->holds_back)
		log->high_watermark = log->end_offset;
	return KP_NONE;
}

static enum kp_error
host_read(struct shard_host *host, int64_t offset, size_t max_bytes UNUSED,
    struct buf *out)
{
	struct shard_log *log = of(host);
	struct batch batch;
	size_t at = 0;

	while (batch_read(slice_of(log->bytes.data + at, log->bytes.len - at),
		   &batch) == 0 &&
	    batch.last_offset < offset)
		at += batch.size_bytes;
	assert_int_equal(
	    buf_append(out, log->bytes.data + at, log->bytes.len - at), 0);
	return KP_NONE;
}

static int64_t
host_log_start(struct shard_host *host)
{
	return of(host)->start_offset;
}

static enum kp_error
host_delete_records(struct shard_host *host, int64_t offset)
{
	struct shard_log *log = of(host);

	assert_in_range(offset, log->start_offset, log->high_watermark);
	log->start_offset = offset;
	return KP_NONE;
}

static int64_t
host_high_watermark(struct shard_host *host)
{
	return of(host)->high_watermark;
}

static void
host_watch(struct shard_host *host UNUSED, int64_t offset UNUSED)
{
}

static void
host_wake(struct shard_host *host UNUSED)
{
}

void
shard_log_init(struct shard_log *log)
{
	memset(log, 0, sizeof(*log));
	log->clock = (struct clock_source){ wall_ms, monotonic_us, log };
	clock_install(&log->clock);
	log->host = (struct shard_host){
		.append = host_append,
		.read = host_read,
		.log_start_offset = host_log_start,
		.delete_records = host_delete_records,
		.high_watermark = host_high_watermark,
		.watch = host_watch,
		.wake = host_wake,
	};
	buf_init(&log->bytes, SIZE_MAX);
}

void
shard_log_fini(struct shard_log *log)
{
	buf_fini(&log->bytes);
	clock_install(NULL);
}

void
shard_log_load(struct shard_log *log, struct shard *shard)
{
	assert_true(shard_elect(shard, ++log->epoch));
	shard_load(shard, log->epoch);
}

void
shard_log_pass(struct shard_log *log, struct shard *shard, int64_t ms)
{
	int64_t end_ms = log->now_ms + ms, next_ms;

	for (;;) {
		next_ms = shard_tick(shard);
		if (next_ms > end_ms)
			break;
		log->now_ms = MAX(next_ms, log->now_ms);
	}
	log->now_ms = end_ms;
}

void
shard_log_commit(struct shard_log *log, struct shard *shard)
{
	log->holds_back = false;
	log->high_watermark = log->end_offset;
	shard_advance(shard, KP_NONE);
}
