/*
 * The log manager under power cuts, kills and failing disks.
 *
 * Each seed is one life of a log directory: topics are created, written to,
 * deleted and created again under the same name, checkpoints are written,
 * deleted directories removed, and the node dies and starts again, also while
 * it loads.  The metadata, which is another log's, is always right.  After
 * each start every topic that the metadata has is there under its id with all
 * that was acknowledged and nothing of another topic, and in the end no
 * directory of a deleted one is left.
 *
 * sim_program.h says how to run it.
 */
#include "sim/sim_program.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/disk.h"
#include "store/flusher.h"
#include "store/log.h"
#include "store/log_dir.h"
#include "store/log_manager.h"
#include "store/log_settings.h"
#include "store/meta_properties.h"
#include "wire/batch_builder.h"
#include "wire/batch_reader.h"

#include <inttypes.h>
#include <stdio.h>

#define DIRECTORY "/data"
#define NODE 1
#define TOPICS 3
#define STEPS_MAX 100
#define CUT_STEPS 25

/* A topic as the metadata has it, and what was acknowledged of its log. */
struct topic {
	const char *name;
	uint64_t id;		/* 0: there is none */
	struct log *log;	/* held; NULL: not created */
	int64_t durable;
};

struct sim {
	struct sim_life life;
	struct rng rng;
	struct sim_disk disk;
	struct flusher *flusher;
	struct log_manager_settings settings;
	struct log_manager *manager;	/* NULL while it is not open */
	struct topic topics[TOPICS];
	uint64_t next_id;
	bool start_struck; /* the last start met a fault */
	bool failed;			/* the directory */
	bool calm;			/* the last start: nothing fails */
};

static struct uuid
uuid_of(uint64_t id)
{
	struct uuid uuid = { { 7 } };

	memcpy(uuid.bytes + 8, &id, sizeof(id));
	return uuid;
}

/* --- The log of a topic --------------------------------------------------- */

/* Each record says whose it is, and where. */
static struct slice
text_of(char text[48], uint64_t id, int64_t offset)
{
	snprintf(text, 48, "topic %" PRIu64 " offset %" PRId64, id, offset);
	return slice_str(text);
}

static void
check_batch(const struct topic *topic, struct slice bytes, int64_t *offset)
{
	struct batch_reader reader;
	struct record record;
	struct buf scratch;
	char text[48];

	buf_init(&scratch, 1 << 20);
	CHECK(batch_crc_valid(bytes));
	CHECK(batch_reader_open(&reader, bytes, &scratch) == KP_NONE);
	while (batch_reader_next(&reader, &record)) {
		CHECK(record.offset == *offset);
		CHECK(slice_equal(
		    record.value, text_of(text, topic->id, *offset)));
		(*offset)++;
	}
	buf_fini(&scratch);
}

/* Read one batch at *offset; false at the end. */
static bool
check_next(struct sim *sim, const struct topic *topic, int64_t *offset)
{
	struct log_read read = {
		.offset = *offset,
		.upper_bound = INT64_MAX,
		.max_bytes = 1,
		.min_one_batch = true,
	};
	uint8_t *data;

	log_lock(topic->log);
	CHECK(log_read(topic->log, &read) == KP_NONE);
	log_unlock(topic->log);
	if (read.unresolved)
		CHECK(log_read_resolve(&read) == KP_NONE);
	if (read.len == 0)
		return false;
	data = xmalloc(read.len);
	CHECK(disk_pread(&sim->disk.disk, read.fd, data, read.len,
		  read.position) == (ssize_t)read.len);
	check_batch(topic, slice_of(data, read.len), offset);
	free(data);
	log_read_release(&read);
	return true;
}

static void
check_topic(struct sim *sim, struct topic *topic)
{
	int64_t offset = 0, high_watermark;

	sim->disk.quiet = true;
	CHECK(uuid_equal(log_topic_id(topic->log), uuid_of(topic->id)));
	while (check_next(sim, topic, &offset))
		;
	CHECK(offset == log_end_offset(topic->log));
	CHECK(offset >= topic->durable);
	log_lock(topic->log);
	CHECK(log_damage_count(topic->log) == 0);
	high_watermark = log_high_watermark(topic->log);
	/* The checkpoint's, which is this log's and not an older one's. */
	CHECK(high_watermark <= MAX(topic->durable, offset));
	log_high_watermark_set(topic->log, topic->durable);
	log_unlock(topic->log);
	sim->disk.quiet = false;
}

/* --- Starting ------------------------------------------------------------- */

static bool
wanted(void *context, struct slice name, int32_t partition,
    struct uuid *topic_id, struct log_settings *settings)
{
	struct sim *sim = context;

	log_settings_init(settings);
	for (int i = 0; i < TOPICS; i++) {
		const struct topic *topic = &sim->topics[i];

		if (topic->id == 0 || partition != 0 ||
		    !slice_equal(name, slice_str(topic->name)))
			continue;
		if (uuid_is_zero(*topic_id))
			*topic_id = uuid_of(topic->id);
		return uuid_equal(*topic_id, uuid_of(topic->id));
	}
	return false;
}

static void
directory_failed(void *context, const char *path UNUSED,
    struct uuid id UNUSED, size_t remaining)
{
	struct sim *sim = context;

	CHECK(remaining == 0);
	sim->failed = true;
}

/* False where the disk got in the way. */
static bool
create(struct sim *sim, struct topic *topic)
{
	/* Without directories that are offline that is the same. */
	const struct log_manager_place place = { .is_new = true };
	struct log_settings settings;
	enum kp_error error;

	log_settings_init(&settings);
	error = log_manager_create(sim->manager, slice_str(topic->name), 0,
	    uuid_of(topic->id), &place, &settings, &topic->log);
	/* What a start could not read stays offline, deleted or not. */
	CHECK(error == KP_NONE || sim->disk.struck || sim->start_struck);
	if (error != KP_NONE)
		topic->log = NULL;
	return error == KP_NONE;
}

static void
leave(struct sim *sim)
{
	bool off = sim->disk.off;

	/* What the process would still write is not written. */
	sim->disk.off = true;
	for (int i = 0; i < TOPICS; i++)
		sim->topics[i].log = NULL;
	log_manager_free(sim->manager);
	sim->manager = NULL;
	sim_life_mend(&sim->life, &sim->disk);
	sim_disk_kill(&sim->disk);
	sim->disk.off = false;
	if (off || sim_life_is_cut(&sim->life) || sim_chance(&sim->rng, 60))
		sim_disk_crash(&sim->disk);
}

/* Load it once; false where the disk got in the way. */
static bool
try_start(struct sim *sim)
{
	const struct log_manager_hooks hooks = {
		.context = sim,
		.wanted = wanted,
		.directory_failed = directory_failed,
	};
	bool done = false;

	sim->start_struck = false;
	sim->failed = false;
	sim->manager = log_manager_new(&sim->settings);
	if (sim->manager != NULL)
		done = log_manager_load(sim->manager, &hooks) == 0;
	for (int i = 0; i < TOPICS && done; i++)
		if (sim->topics[i].id != 0)
			done = create(sim, &sim->topics[i]);
	CHECK(done || sim->disk.struck);
	sim->start_struck = sim->disk.struck;
	return done && !sim->disk.off && !sim->failed;
}

static void
start_from(struct sim *sim, uint64_t attempt)
{
	for (;; attempt++) {
		if (sim->calm)
			(void)sim_disk_heal(&sim->disk);
		else
			sim_life_plan_start(
			    &sim->life, &sim->disk, &sim->rng, attempt);
		if (try_start(sim))
			break;
		leave(sim);
	}
	sim_life_mend(&sim->life, &sim->disk);
	for (int i = 0; i < TOPICS; i++)
		if (sim->topics[i].id != 0)
			check_topic(sim, &sim->topics[i]);
}

static void
restart(struct sim *sim)
{
	bool cut = sim->disk.struck && sim_life_is_cut(&sim->life);

	leave(sim);
	start_from(sim, cut ? 1 : 0);
}

/* --- Steps ---------------------------------------------------------------- */

static struct topic *
pick_topic(struct sim *sim)
{
	return &sim->topics[rng_below(&sim->rng, TOPICS)];
}

static void
step_create(struct sim *sim)
{
	struct topic *topic = pick_topic(sim);

	if (topic->id != 0)
		return;
	topic->id = ++sim->next_id;
	topic->durable = 0;
	if (create(sim, topic))
		check_topic(sim, topic);
}

static void
step_delete(struct sim *sim)
{
	struct topic *topic = pick_topic(sim);
	struct log *log = topic->log;

	if (topic->id == 0)
		return;
	topic->id = 0;
	topic->log = NULL;
	if (log == NULL)
		return;
	CHECK(log_manager_delete(sim->manager, log) == KP_NONE ||
	    sim->disk.struck);
	log_manager_release(sim->manager, log);
}

static void
step_append(struct sim *sim)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct topic *topic = pick_topic(sim);
	struct log_append append = { .origin = LOG_CLIENT };
	int count = 1 + (int)rng_below(&sim->rng, 3);
	struct batch_builder builder;
	struct buf bytes;
	char text[48];
	enum kp_error error;

	if (topic->log == NULL)
		return;
	buf_init(&bytes, 1 << 16);
	batch_builder_init(&builder, &options, &bytes);
	for (int i = 0; i < count; i++)
		CHECK(batch_builder_add(&builder, 1, SLICE_NULL,
			  text_of(text, topic->id,
			      log_end_offset(topic->log) + i)) == 0);
	CHECK(batch_builder_finish(&builder) == 0);
	append.data = bytes.data;
	append.len = bytes.len;
	log_lock(topic->log);
	error = log_append(topic->log, &append);
	log_unlock(topic->log);
	CHECK(error == KP_NONE || sim->disk.struck);
	buf_fini(&bytes);
}

static void
step_flush(struct sim *sim)
{
	struct topic *topic = pick_topic(sim);

	if (topic->log == NULL)
		return;
	if (log_flush_all(topic->log) != 0) {
		CHECK(sim->disk.struck);
		return;
	}
	topic->durable = log_end_offset(topic->log);
	log_lock(topic->log);
	log_high_watermark_set(topic->log, topic->durable);
	log_unlock(topic->log);
}

static void
step_tick(struct sim *sim)
{
	log_manager_tick(sim->manager);
}

static void
step_fault(struct sim *sim)
{
	sim_life_fault(&sim->life, &sim->disk, &sim->rng);
}

static const struct sim_step steps[] = {
	{ "create", 25, step_create },
	{ "delete", 12, step_delete },
	{ "append", 30, step_append },
	{ "flush", 20, step_flush },
	{ "tick", 12, step_tick },
	{ "restart", 4, restart },
	{ "fault", 6, step_fault },
};

/* Is one of the logs, or the directory, offline? */
static bool
is_offline(const struct sim *sim)
{
	bool offline = sim->failed;

	for (int i = 0; i < TOPICS; i++) {
		struct log *log = sim->topics[i].log;

		if (log == NULL)
			continue;
		log_lock(log);
		offline |= log_is_offline(log);
		log_unlock(log);
	}
	return offline;
}

/* What a topic lacks because the disk was full comes with the next start. */
static bool
lacks_log(const struct sim *sim)
{
	for (int i = 0; i < TOPICS; i++)
		if (sim->topics[i].id != 0 && sim->topics[i].log == NULL)
			return true;
	return false;
}

static void
step(struct sim *sim)
{
	const struct sim_step *next =
	    sim_step_pick(steps, COUNT_OF(steps), &sim->rng);

	log_debug("sim", "%s", next->name);
	next->run(sim);
	if (is_offline(sim)) {
		CHECK(sim->disk.off || sim->disk.fault == SIM_FAULT_EIO);
		restart(sim);
	} else if (sim->disk.off || lacks_log(sim)) {
		restart(sim);
	} else if (sim->disk.struck &&
	    (!sim_disk_lasts(&sim->disk) || sim_chance(&sim->rng, 30))) {
		(void)sim_disk_heal(&sim->disk);
	}
}

/* --- A life --------------------------------------------------------------- */

static int
check_name(void *context, const char *name)
{
	struct sim *sim = context;
	struct log_dir_entry entry;
	bool known = false;

	if (name[0] == '.' || strchr(name, '-') == NULL ||
	    strstr(name, "checkpoint") != NULL)
		return 0;
	CHECK(log_dir_name_parse(name, &entry) == 0);
	CHECK(entry.kind != LOG_DIR_DELETE);
	for (int i = 0; i < TOPICS; i++)
		known |= sim->topics[i].id != 0 &&
		    slice_equal(entry.topic, slice_str(sim->topics[i].name));
	CHECK(known || entry.kind == LOG_DIR_STRAY);
	return 0;
}

/* The second time nothing is stale any more, and all can be freed. */
static void
check_removed(struct sim *sim)
{
	for (int i = 0; i < 3; i++)
		log_manager_tick(sim->manager);
	CHECK(disk_list(&sim->disk.disk, DIRECTORY, check_name, sim) == 0);
}

static void
sim_init(struct sim *sim)
{
	static const char *const directories[] = { DIRECTORY };
	static const char *const names[TOPICS] = { "a", "b", "c" };
	struct meta_properties meta;

	rng_init(&sim->rng, sim->life.seed);
	sim_disk_init(&sim->disk, &sim->rng);
	for (int i = 0; i < TOPICS; i++)
		sim->topics[i].name = names[i];
	sim->flusher = flusher_new();
	CHECK(sim->flusher != NULL);
	CHECK(disk_mkdir(&sim->disk.disk, DIRECTORY, 0755) == 0);
	CHECK(disk_sync_dir(&sim->disk.disk, "/") == 0);
	meta_properties_init(&meta);
	meta.node_id = NODE;
	meta.cluster_id = xstrdup("a cluster");
	meta.directory_id = uuid_of(99);
	CHECK(meta_properties_write(&meta, &sim->disk.disk, DIRECTORY) == 0);
	meta_properties_fini(&meta);
	log_manager_settings_init(&sim->settings);
	sim->settings.disk = &sim->disk.disk;
	sim->settings.flusher = sim->flusher;
	sim->settings.directories = directories;
	sim->settings.directory_count = 1;
	sim->settings.open_files_max = 16;
	sim->settings.node_id = NODE;
	sim->settings.recovery_thread_count = 1;
	/* Whatever can be due is, with each tick. */
	sim->settings.retention_interval_ms = 0;
	sim->settings.recovery_point_interval_ms = 0;
	sim->settings.high_watermark_interval_ms = 0;
	sim->settings.delete_delay_ms = 0;
}

static bool
live(const struct sim_life *life)
{
	struct sim sim = { .life = *life };
	uint64_t count = CUT_STEPS;
	bool struck;

	sim_init(&sim);
	if (sim_life_is_cut(&sim.life))
		sim_disk_fail(&sim.disk, life->fault, life->at);
	else
		count = 1 + rng_below(&sim.rng, STEPS_MAX);
	start_from(&sim, 0);
	for (uint64_t i = 0; i < count; i++)
		step(&sim);
	struck = sim.disk.struck_ever;
	sim.calm = true;
	restart(&sim);
	check_removed(&sim);
	sim.disk.off = true;
	log_manager_free(sim.manager);
	flusher_free(sim.flusher);
	sim_disk_fini(&sim.disk);
	return struck;
}

int
main(int argc, char **argv)
{
	static const struct sim_program program = {
		.name = "tests/sim/test_manager_sim",
		.live = live,
		.lives = 200,
		.cuts = 2,
	};

	return sim_program_main(&program, argc, argv);
}
