/*
 * Compaction under power cuts and failing disks.
 *
 * Each seed is a log of a few keys that was synced, and a round of compaction
 * that is cut at every one of its operations in turn.  After each the log must
 * have the latest record of every key, and nothing that was not appended; and
 * after one more round, and one more power cut, nothing of what is superseded.
 *
 * sim_program.h says how to run it.
 */
#include "sim/sim_program.h"

#include "store/fd_cache.h"
#include "store/log.h"
#include "store/log_clean.h"
#include "wire/batch_builder.h"
#include "wire/batch_reader.h"

#include <inttypes.h>
#include <stdio.h>

#define PATH "/topic-0"
#define KEYS 8
#define RECORDS_MAX 600
#define NOW_MS INT64_C(1800000000000)

struct sim {
	struct rng rng;
	struct sim_disk disk;
	struct fd_cache *files;
	struct log *log;
	struct log_settings settings;
	int64_t clean_offset;	/* as the checkpoint has it */
	int keys[RECORDS_MAX];	/* by offset */
	int64_t end;
};

/* --- The log -------------------------------------------------------------- */

static struct log_open
open_of(struct sim *sim)
{
	return (struct log_open){
		.disk = &sim->disk.disk,
		.files = sim->files,
		.path = PATH,
		.settings = sim->settings,
		.recovery_point = sim->end,
		.now_ms = NOW_MS,
	};
}

static void
sim_init(struct sim *sim, uint64_t seed)
{
	struct log_open open;

	*sim = (struct sim){ .clean_offset = -1 };
	rng_init(&sim->rng, seed);
	sim_disk_init(&sim->disk, &sim->rng);
	log_settings_init(&sim->settings);
	sim->settings.cleanup_compact = true;
	sim->settings.cleanup_delete = false;
	sim->settings.segment_bytes = 700;
	sim->settings.index_interval_bytes = 50;
	sim->files = fd_cache_new(&sim->disk.disk, 8);
	open = open_of(sim);
	sim->log = log_create(
	    &open, (struct uuid){ { 1, 2, 3, 4, 5, 6, 7, 8, 9 } });
	CHECK(sim->log != NULL);
}

static void
sim_fini(struct sim *sim)
{
	log_free(sim->log);
	fd_cache_free(sim->files);
	sim_disk_fini(&sim->disk);
}

static void
append_bytes(struct sim *sim, struct buf *bytes)
{
	struct log_append append = {
		.data = bytes->data,
		.len = bytes->len,
		.leader_epoch = 3,
		.origin = LOG_CLIENT,
		.now_ms = NOW_MS,
	};

	log_lock(sim->log);
	CHECK(log_append(sim->log, &append) == KP_NONE);
	sim->end = log_end_offset(sim->log);
	log_high_watermark_set(sim->log, sim->end);
	log_unlock(sim->log);
}

/* What stands at an offset says so. */
static struct slice
value_of(char text[48], int64_t offset)
{
	snprintf(text, 48, "the value of %" PRId64, offset);
	return slice_str(text);
}

static void
append_random(struct sim *sim)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	int count = 1 + (int)rng_below(&sim->rng, 3);
	struct batch_builder builder;
	struct buf bytes;

	buf_init(&bytes, 1 << 20);
	batch_builder_init(&builder, &options, &bytes);
	for (int i = 0; i < count; i++) {
		uint8_t key = (uint8_t)rng_below(&sim->rng, KEYS);
		char text[48];

		CHECK(sim->end + i < RECORDS_MAX);
		sim->keys[sim->end + i] = key;
		CHECK(
		    batch_builder_add(&builder, NOW_MS, slice_of(&key, 1),
			value_of(text, sim->end + i)) == 0);
	}
	CHECK(batch_builder_finish(&builder) == 0);
	append_bytes(sim, &bytes);
	buf_fini(&bytes);
}

/* Records, all of them on the medium, and an active segment behind them. */
static void
fill(struct sim *sim)
{
	int count = 10 + (int)rng_below(&sim->rng, 20);

	for (int i = 0; i < count; i++)
		append_random(sim);
	log_lock(sim->log);
	CHECK(log_roll(sim->log, NOW_MS) == 0);
	log_unlock(sim->log);
	append_random(sim);
	CHECK(log_flush_all(sim->log) == 0);
}

static enum log_clean_result
clean(struct sim *sim)
{
	const struct log_clean_round round = {
		.memory_max = 1 << 16,
		.map_load_factor = 0.9,
		.buffer_len = 200,
		.now_ms = NOW_MS,
	};
	struct log_clean_stats stats;
	enum log_clean_result result = log_clean(sim->log, &round, &stats);

	/* The checkpoint's file is as durable as it says. */
	if (result == LOG_CLEAN_DONE) {
		log_lock(sim->log);
		sim->clean_offset = log_clean_offset(sim->log);
		log_unlock(sim->log);
	}
	return result;
}

/* The power goes, and comes back. */
static void
restart(struct sim *sim)
{
	struct log_open open;

	log_free(sim->log);
	fd_cache_free(sim->files);
	sim_disk_crash(&sim->disk);
	sim->files = fd_cache_new(&sim->disk.disk, 8);
	open = open_of(sim);
	sim->log = log_open(&open);
	CHECK(sim->log != NULL);
	log_lock(sim->log);
	CHECK(log_end_offset(sim->log) == sim->end);
	CHECK(log_damage_count(sim->log) == 0);
	log_high_watermark_set(sim->log, sim->end);
	log_clean_offset_set(sim->log, sim->clean_offset);
	log_unlock(sim->log);
}

/* --- What is in it -------------------------------------------------------- */

static void
find_records(
    struct sim *sim, struct slice bytes, bool *found, int64_t *next_offset)
{
	struct batch_reader reader;
	struct record record;
	struct buf scratch;
	char text[48];

	buf_init(&scratch, 1 << 20);
	CHECK(batch_crc_valid(bytes));
	CHECK(batch_reader_open(&reader, bytes, &scratch) == KP_NONE);
	while (batch_reader_next(&reader, &record)) {
		CHECK(
		    record.offset >= *next_offset && record.offset < sim->end);
		*next_offset = record.offset + 1;
		CHECK(record.key.data[0] == sim->keys[record.offset]);
		CHECK(
		    slice_equal(record.value, value_of(text, record.offset)));
		found[record.offset] = true;
	}
	CHECK(reader.batch.last_offset >= *next_offset - 1);
	*next_offset = reader.batch.last_offset + 1;
	buf_fini(&scratch);
}

/* Read a batch at or behind *offset; false at the end. */
static bool
read_batch(struct sim *sim, bool *found, int64_t *offset)
{
	struct log_read read = {
		.offset = *offset,
		.upper_bound = INT64_MAX,
		.max_bytes = 1,
		.min_one_batch = true,
	};
	struct batch batch;
	uint8_t *data;
	size_t len;

	log_lock(sim->log);
	CHECK(log_read(sim->log, &read) == KP_NONE);
	log_unlock(sim->log);
	if (read.unresolved)
		CHECK(log_read_resolve(&read) == KP_NONE);
	if (read.len == 0)
		return false;
	len = read.len;
	data = xmalloc(len);
	CHECK(
	    disk_pread(&sim->disk.disk, read.fd, data, len, read.position) ==
		(ssize_t)len);
	log_read_release(&read);
	CHECK(batch_read(slice_of(data, len), &batch) == 0);
	find_records(sim, slice_of(data, batch.size_bytes), found, offset);
	free(data);
	return true;
}

static bool
is_superseded(const struct sim *sim, int64_t offset, int64_t end)
{
	for (int64_t later = offset + 1; later < end; later++)
		if (sim->keys[later] == sim->keys[offset])
			return true;
	return false;
}

/* Is all there that is needed, and, where tidy, nothing else? */
static void
check(struct sim *sim, bool tidy)
{
	bool found[RECORDS_MAX] = { false };
	int64_t offset = 0;

	while (read_batch(sim, found, &offset))
		;
	for (int64_t i = 0; i < sim->end; i++) {
		if (!is_superseded(sim, i, sim->end))
			CHECK(found[i]);
		if (tidy && is_superseded(sim, i, sim->clean_offset))
			CHECK(!found[i]);
	}
}

/* --- A life --------------------------------------------------------------- */

static bool
is_offline(struct sim *sim)
{
	bool offline;

	log_lock(sim->log);
	offline = log_is_offline(sim->log);
	log_unlock(sim->log);
	return offline;
}

/*
 * A lack of space, or of descriptors, passes: the log goes on, and the next
 * round does all that this one could not.
 */
static void
go_on(struct sim *sim)
{
	CHECK(!is_offline(sim));
	check(sim, false);
	fill(sim);
	CHECK(clean(sim) == LOG_CLEAN_DONE);
	check(sim, true);
}

static bool
passes(enum sim_fault fault)
{
	return fault == SIM_FAULT_ENOSPC || fault == SIM_FAULT_FULL ||
	    fault == SIM_FAULT_EMFILE;
}

/* One round that is cut; false where it has fewer operations. */
static bool
live(const struct sim_life *life)
{
	struct sim sim;
	bool struck;

	sim_init(&sim, life->seed);
	fill(&sim);
	CHECK(clean(&sim) == LOG_CLEAN_DONE);
	check(&sim, true);
	fill(&sim);
	sim_disk_fail(&sim.disk, life->fault, life->at);
	CHECK(clean(&sim) == LOG_CLEAN_DONE || sim.disk.struck);
	struck = sim_disk_heal(&sim.disk);
	if (passes(life->fault))
		go_on(&sim);
	restart(&sim);
	check(&sim, false);
	fill(&sim);
	CHECK(clean(&sim) == LOG_CLEAN_DONE);
	restart(&sim);
	check(&sim, true);
	sim_fini(&sim);
	return struck;
}

int
main(int argc, char **argv)
{
	static const struct sim_program program = {
		.name = "tests/sim/test_clean_sim",
		.live = live,
		.cuts = 1,
	};

	return sim_program_main(&program, argc, argv);
}
