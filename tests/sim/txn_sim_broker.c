/*
 * The broker of test_txn_sim: logs on a simulated disk, whose high watermark
 * is what was flushed, and the two coordinators' shards on two of them.
 */
#include "sim/txn_sim.h"

#include "store/disk.h"
#include "store/fd_cache.h"
#include "wire/batch.h"
#include "wire/batch_reader.h"

#include <stdio.h>

/* --- The clock ---------------------------------------------------------- */

static int64_t
wall_ms(void *context)
{
	return 1700000000000 + ((struct sim *)context)->now_ms;
}

static int64_t
monotonic_us(void *context)
{
	return ((struct sim *)context)->now_ms * 1000;
}

static void
tick(struct sim *sim, int64_t *next_ms)
{
	int64_t groups_ms = shard_tick(&sim->groups.shard);
	int64_t txns_ms = shard_tick(&sim->txns.shard);

	sim_models_follow(sim);
	*next_ms = MIN(groups_ms, txns_ms);
}

void
sim_pass(struct sim *sim, int64_t ms)
{
	int64_t end_ms = sim->now_ms + ms, next_ms;

	for (;;) {
		tick(sim, &next_ms);
		if (next_ms > end_ms)
			break;
		sim->now_ms = MAX(next_ms, sim->now_ms);
	}
	sim->now_ms = end_ms;
}

/* --- A log as a shard's host -------------------------------------------- */

static struct sim_log *
log_of(struct shard_host *host)
{
	return CONTAINER_OF(host, struct sim_log, host);
}

/* Whose record is where. */
static void
note_record(struct sim *sim, const struct record *record)
{
	for (int i = 0; i < SIM_TXNS; i++) {
		struct sim_txn *txn = &sim->models[i];

		/* Behind the type and the length. */
		if (record->key.len != 4 + strlen(txn->id) ||
		    memcmp(record->key.data + 4, txn->id, strlen(txn->id)) != 0)
			continue;
		CHECK(txn->noted < 0);
		txn->noted = record->offset;
		txn->noted_end = slice_is_null(record->value);
	}
}

static void
note_records(struct sim *sim, struct slice bytes)
{
	struct batch_reader reader;
	struct record record;
	struct buf scratch;

	buf_init(&scratch, 1 << 20);
	CHECK(batch_reader_open(&reader, bytes, &scratch) == KP_NONE);
	while (batch_reader_next(&reader, &record))
		note_record(sim, &record);
	buf_fini(&scratch);
}

static enum kp_error
inject(struct sim *sim, const struct sim_log *log)
{
	static const enum kp_error errors[] = { KP_NOT_ENOUGH_REPLICAS,
		KP_KAFKA_STORAGE_ERROR, KP_NOT_LEADER_OR_FOLLOWER };
	enum kp_error error = KP_NONE;

	if (!sim->settling && sim_chance(&sim->rng, sim->fail_percent))
		error = errors[rng_below(&sim->rng, COUNT_OF(errors))];
	if (log == &sim->logs[SIM_LOG_TXNS])
		sim->injected = error;
	return error;
}

static enum kp_error
host_append(struct shard_host *host, struct shard_append *batch)
{
	struct sim_log *log = log_of(host);
	struct sim *sim = log->sim;
	struct log_append append = {
		.data = batch->data,
		.len = batch->len,
		.leader_epoch = sim->epoch,
		.origin = LOG_COORDINATOR,
		.now_ms = clock_wall_ms(),
		.guarded = batch->guarded,
		.guard = batch->guard,
		.transaction_version = batch->transaction_version,
	};
	enum kp_error error = inject(sim, log);

	if (error != KP_NONE)
		return error;
	log_lock(log->log);
	error = log_append(log->log, &append);
	log_unlock(log->log);
	if (error != KP_NONE)
		return error;
	batch->end_offset = append.last_offset + 1;
	if (log == &sim->logs[SIM_LOG_TXNS])
		note_records(sim, slice_of(batch->data, batch->len));
	return KP_NONE;
}

static enum kp_error
host_read(struct shard_host *host, int64_t offset, size_t max_bytes,
    struct buf *buf)
{
	struct sim_log *log = log_of(host);
	struct log_read read = {
		.offset = offset,
		.upper_bound = INT64_MAX,
		.max_bytes = max_bytes,
		.min_one_batch = true,
	};

	log_lock(log->log);
	CHECK(log_read(log->log, &read) == KP_NONE);
	log_unlock(log->log);
	if (read.unresolved)
		CHECK(log_read_resolve(&read) == KP_NONE);
	if (read.len > 0) {
		uint8_t *to = buf_reserve(buf, read.len);

		CHECK(to != NULL &&
		    disk_pread(&log->sim->disk.disk, read.fd, to, read.len,
			read.position) == (ssize_t)read.len);
		buf->len += read.len;
	}
	log_read_release(&read);
	return KP_NONE;
}

static int64_t
host_log_start(struct shard_host *host)
{
	return log_start_offset(log_of(host)->log);
}

static int64_t
host_high_watermark(struct shard_host *host)
{
	return log_high_watermark(log_of(host)->log);
}

/* Whoever flushes tells the shards; whoever lets time pass ticks them. */
static void
host_watch(struct shard_host *host UNUSED, int64_t offset UNUSED)
{
}

static void
host_wake(struct shard_host *host UNUSED)
{
}

int64_t
sim_log_end(const struct sim *sim, int log)
{
	return log_end_offset(sim->logs[log].log);
}

int64_t
sim_log_flushed(const struct sim *sim, int log)
{
	return log_flushed_offset(sim->logs[log].log);
}

struct sim_log *
sim_log_find(struct sim *sim, struct slice topic, int32_t index)
{
	for (int i = 0; i < SIM_LOGS; i++)
		if (slice_equal_str(topic, sim->logs[i].topic) &&
		    sim->logs[i].index == index)
			return &sim->logs[i];
	CHECK(!"there is such a partition");
	return NULL;
}

/* --- Opening, closing --------------------------------------------------- */

static struct log_open
describe_open(struct sim *sim, const struct sim_log *log)
{
	struct log_open open = {
		.disk = &sim->disk.disk,
		.files = sim->files,
		.path = log->path,
		.now_ms = clock_wall_ms(),
	};

	log_settings_init(&open.settings);
	open.settings.segment_bytes = sim->life.seed % 3 == 0 ? 4000 : 1 << 20;
	open.settings.producer_id_expiration_ms = 86400000;
	return open;
}

static void
log_make(struct sim *sim, int i, const char *topic, int32_t index)
{
	struct sim_log *log = &sim->logs[i];
	struct log_open open;

	log->host = (struct shard_host){
		.append = host_append,
		.read = host_read,
		.log_start_offset = host_log_start,
		.high_watermark = host_high_watermark,
		.watch = host_watch,
		.wake = host_wake,
	};
	log->sim = sim;
	log->topic = topic;
	log->index = index;
	snprintf(log->path, sizeof(log->path), "/%s-%d", topic, (int)index);
	open = describe_open(sim, log);
	log->log = log_create(&open, (struct uuid){ { 1, (uint8_t)i } });
	CHECK(log->log != NULL && log_flush_all(log->log) == 0);
}

static void
log_lead(struct sim *sim, struct sim_log *log)
{
	log_lock(log->log);
	log_leader_epoch_begin(log->log, sim->epoch);
	log_unlock(log->log);
}

void
sim_flush(struct sim *sim, int i)
{
	struct sim_log *log = &sim->logs[i];

	CHECK(log_flush_all(log->log) == 0);
	log->flushed_max = log_flushed_offset(log->log);
	log_lock(log->log);
	log_high_watermark_set(log->log, log->flushed_max);
	CHECK(log_last_stable_offset(log->log) >= log->stable_max);
	log->stable_max = log_last_stable_offset(log->log);
	log_unlock(log->log);
	if (i == SIM_LOG_OFFSETS)
		shard_advance(&sim->groups.shard, KP_NONE);
	else if (i == SIM_LOG_TXNS)
		shard_advance(&sim->txns.shard, KP_NONE);
}

/* What was durable is there, and nothing that was never appended. */
static void
log_reopen_after_crash(struct sim *sim, int i)
{
	struct sim_log *log = &sim->logs[i];
	struct log_open open = describe_open(sim, log);
	int64_t end;

	log->log = log_open(&open);
	CHECK(log->log != NULL);
	end = log_end_offset(log->log);
	CHECK(end >= log->flushed_max);
	sim_log_cut(log, end);
	log_lead(sim, log);
	if (i != SIM_LOG_TXNS || sim_chance(&sim->rng, 50))
		CHECK(log_flush_all(log->log) == 0);
	log->flushed_max =
	    MAX(log->flushed_max, log_flushed_offset(log->log));
	log_lock(log->log);
	log_high_watermark_set(log->log, log_flushed_offset(log->log));
	log_unlock(log->log);
}

/* --- The shards --------------------------------------------------------- */

static void
mark(struct txn_environment *environment, struct txn_ending *ending)
{
	struct sim *sim = CONTAINER_OF(environment, struct sim, environment);

	txn_sender_send(&sim->sender, ending);
}

static void
idle(struct txn_environment *environment, struct txn_shard *shard UNUSED)
{
	CONTAINER_OF(environment, struct sim, environment)->idle = true;
}

static void
sender_closed(struct txn_sender *sender)
{
	CONTAINER_OF(sender, struct sim, sender)->sender_closed = true;
}

static void
resolve(struct group_resolver *resolver UNUSED,
    struct group_shard *shard UNUSED, struct slice group_id UNUSED,
    const struct principal *principal UNUSED)
{
	CHECK(!"no consumer group is here");
}

static void
lead(struct sim *sim)
{
	static const struct txn_sender_services services;

	txn_shard_init(&sim->txns, &sim->environment, &sim->shard_settings,
	    &sim->logs[SIM_LOG_TXNS].host, 0);
	txn_sender_init(&sim->sender, &services, &sim->loop);
	group_shard_init(&sim->groups, &sim->group_common,
	    &sim->logs[SIM_LOG_OFFSETS].host, 0);
	sim->idle = sim->sender_closed = false;
	CHECK(shard_elect(&sim->groups.shard, sim->epoch));
	shard_load(&sim->groups.shard, sim->epoch);
	CHECK(shard_elect(&sim->txns.shard, sim->epoch));
	shard_load(&sim->txns.shard, sim->epoch);
	CHECK(sim->txns.shard.state == SHARD_ACTIVE);
}

/* As a tenure ends: everybody is answered, and nothing is left of it. */
static void
resign(struct sim *sim)
{
	shard_resign(&sim->txns.shard);
	sim_ids_drain(sim);
	txn_sender_close(&sim->sender, sender_closed);
	shard_resign(&sim->groups.shard);
	sim_loop_drain(sim);
	CHECK(sim->sender_closed && list_empty(&sim->loop.marks));
	txn_shard_release(&sim->txns);
	CHECK(sim->idle);
	txn_shard_fini(&sim->txns);
	group_shard_fini(&sim->groups);
	CHECK(sim->environment.memory.used == 0 && sim->group_memory.used == 0);
	CHECK(sim->calls_open == 0);
}

void
sim_broker_crash(struct sim *sim)
{
	bool power = sim_chance(&sim->rng, 50);

	resign(sim);
	for (int i = 0; i < SIM_LOGS; i++)
		log_free(sim->logs[i].log);
	fd_cache_free(sim->files);
	if (power)
		sim_disk_crash(&sim->disk);
	else
		sim_disk_kill(&sim->disk);
	sim->files = fd_cache_new(&sim->disk.disk, 16);
	sim->epoch++;
	for (int i = 0; i < SIM_LOGS; i++)
		log_reopen_after_crash(sim, i);
	sim_models_reload(sim, sim_log_end(sim, SIM_LOG_TXNS));
	sim_clients_interrupt(sim);
	lead(sim);
	sim_models_follow(sim);
}

/*
 * By a commit that fails, in the same shard, or in a new one.  Requests are
 * answered in between, too.
 */
void
sim_broker_reelect(struct sim *sim)
{
	struct shard *shard = &sim->txns.shard;

	sim->epoch++;
	log_lead(sim, &sim->logs[SIM_LOG_TXNS]);
	log_lead(sim, &sim->logs[SIM_LOG_OFFSETS]);
	if (sim_chance(&sim->rng, 50)) {
		resign(sim);
		sim_models_reload(sim, INT64_MAX);
		lead(sim);
	} else {
		shard_advance(shard, KP_KAFKA_STORAGE_ERROR);
		CHECK(shard->state == SHARD_FAILED);
		sim_client_step(sim);
		CHECK(shard_elect(shard, sim->epoch));
		sim_client_step(sim);
		sim_models_reload(sim, INT64_MAX);
		shard_load(shard, sim->epoch);
	}
	sim_models_follow(sim);
}

/* --- Beginning and end -------------------------------------------------- */

static void
settings_init(struct sim *sim)
{
	static const int levels[] = { 2, 2, 2, 2, 1, 0 };

	sim->settings = TXN_SETTINGS_DEFAULT;
	sim->shard_settings = (struct shard_settings){
		.batch_bytes_max = 1048588,
		.load_bytes = sim_chance(&sim->rng, 50) ? 500 : 5242880,
		.commit_timeout_ms = 5000,
	};
	sim->environment.settings = &sim->settings;
	sim->environment.run = sim_run_call;
	sim->environment.mark = mark;
	sim->environment.idle = idle;
	atomic_init(&sim->environment.version,
	    levels[rng_below(&sim->rng, COUNT_OF(levels))]);
	budget_init(&sim->environment.memory, (size_t)64 << 20);

	sim->group_settings = GROUP_SETTINGS_DEFAULT;
	sim->group_settings.retention_ms = INT64_MAX / 4;
	budget_init(&sim->group_memory, (size_t)64 << 20);
	sim->resolver.resolve = resolve;
	sim->group_common = (struct group_common){
		.settings = &sim->group_settings,
		.shard_settings = &sim->shard_settings,
		.memory = &sim->group_memory,
		.image = group_image_new(&sim->group_settings),
		.resolver = &sim->resolver,
	};
	sim->fail_percent =
	    sim_chance(&sim->rng, 50) ? 0 : (unsigned)rng_below(&sim->rng, 15);
}

void
sim_broker_init(struct sim *sim)
{
	sim->clock = (struct clock_source){ wall_ms, monotonic_us, sim };
	clock_install(&sim->clock);
	sim_disk_init(&sim->disk, &sim->rng);
	sim->files = fd_cache_new(&sim->disk.disk, 16);
	list_init(&sim->loop.tasks);
	list_init(&sim->loop.timers);
	list_init(&sim->loop.marks);
	for (int i = 0; i < SIM_PARTITIONS; i++)
		log_make(sim, i, "t", i);
	log_make(sim, SIM_LOG_OFFSETS, GROUP_COORDINATOR_TOPIC, 0);
	log_make(sim, SIM_LOG_TXNS, "__transaction_state", 0);
	settings_init(sim);
	lead(sim);
}

void
sim_broker_fini(struct sim *sim)
{
	resign(sim);
	for (int i = 0; i < SIM_LOGS; i++) {
		log_free(sim->logs[i].log);
		free(sim->logs[i].entries);
	}
	fd_cache_free(sim->files);
	sim_disk_fini(&sim->disk);
	group_image_free(
	    (struct group_image *)(uintptr_t)sim->group_common.image);
	clock_install(NULL);
}
