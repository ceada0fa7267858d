/*
 * The metadata log and its snapshots under power cuts, kills and failing
 * disks.
 *
 * Each seed is one life of a log of metadata: operations of one or several
 * records, some so large that they take several batches, snapshots, after
 * which segments and older snapshots go, stops, power cuts and kills, also
 * while it is loaded.  After each start it must show every operation that was
 * acknowledged, in order, then at most the one whose outcome is not known, and
 * no part of any; the epoch must be a new one.  An operation that fails leaves
 * a log that says that it has failed, unless the disk was full: then the
 * operation never comes back.
 *
 * sim_program.h says how to run it.
 */
#include "sim/sim_program.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "meta/metadata_log.h"
#include "meta/metadata_record.h"
#include "store/disk.h"
#include "wire/generated/metadata_abort_transaction_record.h"
#include "wire/generated/metadata_topic_record.h"

#include <inttypes.h>
#include <stdio.h>

#define DIRECTORY "/data"
#define STEPS_MAX 80
#define CUT_STEPS 20
#define RECORDS_MAX 6
#define OPERATIONS_MAX 400
#define NOTHING (-1)

/* Each start leaves a little more, so that this might never end. */

struct sim {
	struct sim_life life;
	struct rng rng;
	struct sim_disk disk;
	struct metadata_log_settings settings;
	struct metadata_log *log;	/* NULL while it is not open */

	/* The model. */
	int64_t operations[OPERATIONS_MAX];	/* acknowledged, in order */
	size_t count;
	int64_t unknown;	/* the one whose outcome is not known */
	int64_t next;		/* none is named twice */
	int32_t epoch;		/* the last that began */
};

/* --- Records -------------------------------------------------------------- */

/* Framed records that stand one after the other. */
struct records {
	struct buf bytes;
	uint32_t lens[RECORDS_MAX];
	size_t count;
};

static void
records_add(struct records *records, enum metadata_record_type type,
    const void *body)
{
	size_t before = records->bytes.len;

	CHECK(metadata_record_encode(&records->bytes, type, 0, body) == 0);
	records->lens[records->count++] =
	    (uint32_t)(records->bytes.len - before);
}

/* Record `at` of `count` of an operation is a topic that says so. */
static void
records_add_part(struct records *records, int64_t operation, int at, int count,
    size_t padding)
{
	char *name = xasprintf("%" PRId64 " %d %d %0*d", operation, at, count,
	    (int)padding + 1, 0);
	const struct kp_topic_record topic = { .name = slice_str(name) };

	records_add(records, METADATA_RECORD_TOPIC, &topic);
	free(name);
}

/* --- Replaying ------------------------------------------------------------ */

struct image {
	int64_t operations[OPERATIONS_MAX];
	size_t count;
	int part;		/* that is expected next */
	size_t before;		/* count at the begin of a transaction */
	bool in_transaction;
};

static void
note_part(struct image *image, struct slice name)
{
	int64_t operation = 0;
	int at = 0, count = 0;
	char text[64];

	snprintf(text, sizeof(text), "%.*s", (int)MIN(name.len, 60),
	    name.data);
	CHECK(sscanf(text, "%" SCNd64 " %d %d", &operation, &at, &count) == 3);
	CHECK(at == image->part);
	image->part++;
	if (image->part < count)
		return;
	image->part = 0;
	CHECK(image->count < OPERATIONS_MAX);
	image->operations[image->count++] = operation;
}

static int
note(void *context, const struct metadata_log_record *in)
{
	struct image *image = context;
	struct metadata_record record;
	struct arena arena;
	const char *reason;

	arena_init(&arena, SIZE_MAX);
	CHECK(metadata_record_decode(in->value, &arena, &record, &reason) == 0);
	switch (record.type) {
	case METADATA_RECORD_TOPIC:
		note_part(image,
		    ((const struct kp_topic_record *)record.body)->name);
		break;
	case METADATA_RECORD_BEGIN_TRANSACTION:
		CHECK(!image->in_transaction && image->part == 0);
		image->in_transaction = true;
		image->before = image->count;
		break;
	case METADATA_RECORD_ABORT_TRANSACTION:
		CHECK(image->in_transaction);
		image->count = image->before;
		image->part = 0;
		image->in_transaction = false;
		break;
	default:
		CHECK(record.type == METADATA_RECORD_END_TRANSACTION);
		CHECK(image->in_transaction);
		image->in_transaction = false;
	}
	/* What is no transaction is one batch, of which no part is alone. */
	if (in->batch_end && !image->in_transaction)
		CHECK(image->part == 0);
	arena_reset(&arena);
	return 0;
}

static size_t
image_count(const struct image *image)
{
	return image->in_transaction ? image->before : image->count;
}

static void
check_image(const struct sim *sim, const struct image *image)
{
	size_t count = image_count(image);

	log_debug("sim", "%zu operations, of %zu; unknown %" PRId64, count,
	    sim->count, sim->unknown);
	CHECK(count >= sim->count && count <= sim->count + 1);
	for (size_t i = 0; i < sim->count; i++)
		CHECK(image->operations[i] == sim->operations[i]);
	CHECK(count == sim->count ||
	    image->operations[sim->count] == sim->unknown);
}

/* Now that it has begun, what it has shown is what there is. */
static void
adopt(struct sim *sim, const struct image *image)
{
	if (image_count(image) > sim->count)
		sim->operations[sim->count++] = sim->unknown;
	sim->unknown = NOTHING;
	CHECK(metadata_log_epoch(sim->log) > sim->epoch);
	sim->epoch = metadata_log_epoch(sim->log);
}

/* --- Starting ------------------------------------------------------------- */

/* The process is gone: what it would still write is not written. */
static void
leave(struct sim *sim)
{
	bool off = sim->disk.off;

	sim->disk.off = true;
	metadata_log_close(sim->log);
	sim->log = NULL;
	sim_life_mend(&sim->life, &sim->disk);
	sim_disk_kill(&sim->disk);
	sim->disk.off = false;
	if (off || sim_life_is_cut(&sim->life) || sim_chance(&sim->rng, 60))
		sim_disk_crash(&sim->disk);
}

/* As a controller does with what a crash has cut short (KIP-868). */
static int
abort_transaction(struct sim *sim)
{
	const struct kp_abort_transaction_record body = { 0 };
	struct records records = { .count = 0 };
	int result;

	buf_init(&records.bytes, SIZE_MAX);
	records_add(&records, METADATA_RECORD_ABORT_TRANSACTION, &body);
	result = metadata_log_append(sim->log, buf_slice(&records.bytes),
	    records.lens, records.count);
	buf_fini(&records.bytes);
	return result;
}

/* Load it once; false where the disk got in the way. */
static bool
try_start(struct sim *sim)
{
	struct image *image = xcalloc(1, sizeof(*image));
	int result = -1;

	sim->log = metadata_log_open(&sim->settings);
	if (sim->log != NULL)
		result = metadata_log_replay(sim->log, note, image);
	if (result == 0) {
		check_image(sim, image);
		result = metadata_log_begin_epoch(sim->log);
	}
	if (result == 0)
		adopt(sim, image);
	if (result == 0 && image->in_transaction)
		result = abort_transaction(sim);
	free(image);
	CHECK(result == 0 || sim->disk.struck);
	return result == 0 && !sim->disk.off;
}

static void
start_from(struct sim *sim, uint64_t attempt)
{
	for (;; attempt++) {
		sim_life_plan_start(
		    &sim->life, &sim->disk, &sim->rng, attempt);
		if (try_start(sim))
			break;
		leave(sim);
	}
	sim_life_mend(&sim->life, &sim->disk);
}

static void
restart(struct sim *sim)
{
	bool cut = sim->disk.struck && sim_life_is_cut(&sim->life);

	leave(sim);
	start_from(sim, cut ? 1 : 0);
}

/* --- Steps ---------------------------------------------------------------- */

static void
step_append(struct sim *sim)
{
	struct records records = { .count = 0 };
	int count = 1 + (int)rng_below(&sim->rng, RECORDS_MAX);
	size_t padding = rng_below(&sim->rng, 40);
	int64_t operation = sim->next++;
	int result;

	/* Now and then more than one batch takes. */
	if (sim->settings.segment_bytes == INT32_MAX &&
	    !sim_life_is_cut(&sim->life) &&
	    sim_chance(&sim->rng, 1))
		padding = METADATA_RECORD_BATCH_LEN_MAX / 4;
	buf_init(&records.bytes, SIZE_MAX);
	for (int i = 0; i < count; i++)
		records_add_part(&records, operation, i, count, padding);
	result = metadata_log_append(sim->log, buf_slice(&records.bytes),
	    records.lens, records.count);
	buf_fini(&records.bytes);
	if (result == 0) {
		CHECK(sim->count < OPERATIONS_MAX);
		sim->operations[sim->count++] = operation;
		return;
	}
	CHECK(sim->disk.struck);
	if (metadata_log_failed(sim->log))
		sim->unknown = operation;
	else
		CHECK(sim->disk.fault == SIM_FAULT_ENOSPC ||
		    sim->disk.fault == SIM_FAULT_FULL);
}

static void
step_snapshot(struct sim *sim)
{
	struct metadata_snapshot *snapshot = metadata_log_snapshot_begin(
	    sim->log, metadata_log_end_offset(sim->log),
	    metadata_log_epoch(sim->log), clock_wall_ms());
	struct records records;
	int result;

	for (size_t i = 0; i < sim->count; i++) {
		records.count = 0;
		buf_init(&records.bytes, SIZE_MAX);
		records_add_part(&records, sim->operations[i], 0, 1, 0);
		/* The end tells. */
		result = metadata_snapshot_write(
		    snapshot, buf_slice(&records.bytes));
		CHECK(result == 0 || sim->disk.struck);
		buf_fini(&records.bytes);
	}
	result = metadata_log_snapshot_end(sim->log, snapshot);
	CHECK(result == 0 || sim->disk.struck);
}

static void
step_stop(struct sim *sim)
{
	metadata_log_close(sim->log);
	sim->log = NULL;
	restart(sim);
}

static void
step_fault(struct sim *sim)
{
	enum sim_fault fault =
	    (enum sim_fault)(1 + rng_below(&sim->rng, SIM_FAULTS - 1));

	/* A lack of descriptors is waited for, ten seconds long. */
	if (sim_life_is_cut(&sim->life) || fault == SIM_FAULT_EMFILE)
		return;
	(void)sim_disk_heal(&sim->disk);
	sim_disk_fail(&sim->disk, fault, rng_below(&sim->rng, 60));
}

static const struct sim_step steps[] = {
	{ "append", 60, step_append },
	{ "snapshot", 10, step_snapshot },
	{ "stop", 3, step_stop },
	{ "restart", 5, restart },
	{ "fault", 8, step_fault },
};

static void
step(struct sim *sim)
{
	const struct sim_step *next =
	    sim_step_pick(steps, COUNT_OF(steps), &sim->rng);

	log_debug("sim", "%s at %" PRId64, next->name,
	    metadata_log_end_offset(sim->log));
	next->run(sim);
	if (metadata_log_failed(sim->log) || sim->disk.off)
		restart(sim);
	else if (sim->disk.struck &&
	    (!sim_disk_lasts(&sim->disk) || sim_chance(&sim->rng, 30)))
		(void)sim_disk_heal(&sim->disk);
}

/* --- A life --------------------------------------------------------------- */

static void
sim_init(struct sim *sim)
{
	rng_init(&sim->rng, sim->life.seed);
	sim_disk_init(&sim->disk, &sim->rng);
	sim->unknown = NOTHING;
	CHECK(disk_mkdir(&sim->disk.disk, DIRECTORY, 0755) == 0);
	CHECK(disk_sync_dir(&sim->disk.disk, "/") == 0);
	metadata_log_settings_init(&sim->settings);
	sim->settings.disk = &sim->disk.disk;
	sim->settings.log_dir = DIRECTORY;
	sim->settings.node_id = 1;
	/* A batch of metadata may be as large as that. */
	sim->settings.segment_bytes =
	    sim_chance(&sim->rng, 70) ? 700 : INT32_MAX;
	sim->settings.retention_bytes = sim_chance(&sim->rng, 50) ? 0 : 2000;
	if (sim_chance(&sim->rng, 50))
		sim->settings.retention_ms = INT64_MAX;
}

static bool
live(const struct sim_life *life)
{
	struct sim *sim = xcalloc(1, sizeof(*sim));
	uint64_t count = CUT_STEPS;
	bool struck;

	sim->life = *life;
	sim_init(sim);
	if (life->fault == SIM_FAULT_EMFILE)
		count = 0;
	else if (sim_life_is_cut(&sim->life))
		sim_disk_fail(&sim->disk, life->fault, life->at);
	else
		count = 1 + rng_below(&sim->rng, STEPS_MAX);
	start_from(sim, 0);
	for (uint64_t i = 0; i < count; i++)
		step(sim);
	struck = sim->disk.struck_ever;
	restart(sim);
	sim->disk.off = true;
	metadata_log_close(sim->log);
	sim_disk_fini(&sim->disk);
	free(sim);
	return struck;
}

int
main(int argc, char **argv)
{
	static const struct sim_program program = {
		.name = "tests/sim/test_metadata_sim",
		.live = live,
		.lives = 200,
		.cuts = 2,
	};

	return sim_program_main(&program, argc, argv);
}
