/* The log manager: finding, creating, deleting, upkeep, starts and stops. */
#include "unit/unit.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/fd_cache.h"
#include "store/flusher.h"
#include "store/log_manager.h"
#include "store/log_manager_internal.h"
#include "store/meta_properties.h"
#include "unit/store_fixture.h"
#include "unit/temp_dir.h"

#include <dirent.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define HOUR_MS (60 * 60 * 1000)

static const struct uuid topic_a = { { 0xaa, 1 } };
static const struct uuid topic_b = { { 0xbb, 1 } };

struct rig {
	char *root;
	char *paths[2];
	size_t path_count;
	struct disk_fault fault;
	struct flusher *flusher;
	struct log_manager *manager;
	struct log_manager_settings settings;
	struct log_settings log_settings;

	/* The clocks, stepped together. */
	struct clock_source clock;
	int64_t wall_ms;
	int64_t monotonic_ms;

	/* What the hooks say and heard. */
	const char *unwanted;		/* a topic */
	atomic_size_t failed_count;	/* told on any thread */
	atomic_size_t failed_remaining;
	struct uuid assigned; /* where the metadata has a-0 */
	int retried_count;
};

/* --- the rig ------------------------------------------------------------- */

static int64_t
rig_wall_ms(void *context)
{
	return ((struct rig *)context)->wall_ms;
}

static int64_t
rig_monotonic_us(void *context)
{
	return ((struct rig *)context)->monotonic_ms * 1000;
}

static void
rig_pass(struct rig *rig, int64_t ms)
{
	rig->wall_ms += ms;
	rig->monotonic_ms += ms;
	log_manager_tick(rig->manager);
}

/* As long as it takes until the background thread tries again. */
static void
rig_retry(struct rig *rig)
{
	rig_pass(rig, 0);
	rig_pass(rig, 2000);
}

static void
rig_retried(void *context)
{
	((struct rig *)context)->retried_count++;
}

static bool
rig_wanted(void *context, struct slice topic, int32_t partition UNUSED,
    struct uuid *topic_id, struct log_settings *settings)
{
	const struct uuid *own = topic.data[0] == 'a' ? &topic_a : &topic_b;
	struct rig *rig = context;

	*settings = rig->log_settings;
	if (rig->unwanted != NULL && slice_equal_str(topic, rig->unwanted))
		return false;
	if (uuid_is_zero(*topic_id))
		*topic_id = *own;
	return uuid_equal(*topic_id, *own);
}

static void
rig_directory_failed(void *context, const char *path UNUSED,
    struct uuid id UNUSED, size_t remaining)
{
	struct rig *rig = context;

	rig->failed_count++;
	rig->failed_remaining = remaining;
}

static struct uuid
rig_assigned(void *context, struct slice topic UNUSED, int32_t partition UNUSED)
{
	return ((struct rig *)context)->assigned;
}

/* The metadata follows at once. */
static void
rig_moved(void *context, struct uuid topic_id, int32_t partition,
    struct uuid directory_id)
{
	assert_true(uuid_equal(topic_id, topic_a));
	assert_int_equal(partition, 0);
	((struct rig *)context)->assigned = directory_id;
}

static void
meta_put(const char *path, int32_t node_id, uint8_t directory)
{
	struct meta_properties meta;

	meta_properties_init(&meta);
	meta.node_id = node_id;
	meta.cluster_id = xstrdup("cluster");
	meta.directory_id = (struct uuid){ { 0xdd, directory } };
	assert_int_equal(meta_properties_write(&meta, disk_posix(), path), 0);
	meta_properties_fini(&meta);
}

/* Open and load; whether that worked. */
static bool
rig_start(struct rig *rig)
{
	const struct log_manager_hooks hooks = {
		.context = rig,
		.wanted = rig_wanted,
		.assigned = rig_assigned,
		.moved = rig_moved,
		.directory_failed = rig_directory_failed,
		.retry = rig_retried,
	};

	rig->manager = log_manager_new(&rig->settings);
	if (rig->manager == NULL)
		return false;
	if (log_manager_load(rig->manager, &hooks) == 0)
		return true;
	log_manager_free(rig->manager);
	rig->manager = NULL;
	return false;
}

static void
rig_must_start(struct rig *rig)
{
	assert_true(rig_start(rig));
}

/* Drop everything, as kill -9 does. */
static void
rig_kill(struct rig *rig)
{
	log_manager_free(rig->manager);
	rig->manager = NULL;
}

static int
rig_stop(struct rig *rig, int64_t broker_epoch)
{
	int result = log_manager_stop(rig->manager, broker_epoch);

	rig_kill(rig);
	return result;
}

/* path_count log directories, formatted, nothing started. */
static struct rig *
rig_prepare(size_t path_count)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	rig->wall_ms = FIXTURE_NOW_MS;
	rig->monotonic_ms = 1000;
	rig->clock = (struct clock_source){ rig_wall_ms, rig_monotonic_us,
		rig };
	clock_install(&rig->clock);
	rig->root = temp_dir_make();
	rig->path_count = path_count;
	for (size_t i = 0; i < path_count; i++) {
		rig->paths[i] = xasprintf("%s/d%zu", rig->root, i);
		assert_int_equal(mkdir(rig->paths[i], 0755), 0);
		meta_put(rig->paths[i], 1, (uint8_t)(i + 1));
	}
	disk_fault_init(&rig->fault, disk_posix());
	rig->flusher = flusher_new();
	log_manager_settings_init(&rig->settings);
	log_settings_init(&rig->log_settings);
	rig->settings.disk = &rig->fault.disk;
	rig->settings.flusher = rig->flusher;
	rig->settings.directories = (const char *const *)rig->paths;
	rig->settings.directory_count = path_count;
	rig->settings.node_id = 1;
	return rig;
}

static struct rig *
rig_new(size_t path_count)
{
	struct rig *rig = rig_prepare(path_count);

	rig_must_start(rig);
	return rig;
}

static void
rig_free(struct rig *rig)
{
	log_manager_free(rig->manager);
	flusher_free(rig->flusher);
	disk_fault_fini(&rig->fault);
	for (size_t i = 0; i < rig->path_count; i++)
		free(rig->paths[i]);
	temp_dir_remove(rig->root);
	clock_install(NULL);
	free(rig);
}

/* --- logs ---------------------------------------------------------------- */

static const struct log_manager_place anywhere = { .is_new = true };

static struct log *
create(struct rig *rig, const char *topic, int32_t partition)
{
	struct log *log;

	assert_int_equal(log_manager_create(rig->manager, slice_str(topic),
			     partition, topic[0] == 'a' ? topic_a : topic_b,
			     &anywhere, &rig->log_settings, &log),
	    KP_NONE);
	return log;
}

/* The log, held. */
static struct log *
find(struct rig *rig, const char *topic, int32_t partition)
{
	char name[64];
	struct managed_log *entry;

	snprintf(name, sizeof(name), "%s-%d", topic, partition);
	pthread_mutex_lock(&rig->manager->lock);
	entry = map_get(&rig->manager->by_name, slice_str(name));
	if (entry != NULL)
		entry->holds++;
	pthread_mutex_unlock(&rig->manager->lock);
	return entry == NULL ? NULL : entry->log;
}

static enum kp_error
append_one(struct rig *rig, struct log *log, int64_t timestamp_ms)
{
	struct buf out;
	struct log_append append = { .leader_epoch = 3,
		.origin = LOG_CLIENT,
		.now_ms = rig->wall_ms };
	enum kp_error error;

	buf_init(&out, 1 << 20);
	fixture_batch(&out,
	    &(struct fixture_batch){ .timestamp_ms = timestamp_ms,
		.value_len = 200 });
	append.data = out.data;
	append.len = out.len;
	log_lock(log);
	error = log_append(log, &append);
	log_unlock(log);
	buf_fini(&out);
	return error;
}

/* Append count records and let the high watermark follow. */
static void
fill(struct rig *rig, struct log *log, int count)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(append_one(rig, log, rig->wall_ms), KP_NONE);
	log_lock(log);
	log_high_watermark_set(log, log_end_offset(log));
	log_unlock(log);
}

static int64_t
end_of(struct log *log)
{
	int64_t end;

	log_lock(log);
	end = log_end_offset(log);
	log_unlock(log);
	return end;
}

static void
expect_end(struct rig *rig, const char *topic, int32_t partition, int64_t end)
{
	struct log *log = find(rig, topic, partition);

	assert_non_null(log);
	assert_int_equal(end_of(log), end);
	log_manager_release(rig->manager, log);
}

/* The number of names in path that contain part. */
static size_t
names_with(const char *path, const char *part)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	size_t count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		count += strstr(entry->d_name, part) != NULL;
	closedir(dir);
	return count;
}

/* --- finding and creating ------------------------------------------------ */

static void
a_created_log_is_found(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0), *again;

	assert_ptr_equal(find(rig, "a", 0), log);
	log_manager_release(rig->manager, log);
	assert_null(find(rig, "a", 1));
	assert_null(find(rig, "b", 0));
	assert_true(temp_dir_has(rig->paths[0], "a-0/partition.metadata"));
	again = create(rig, "a", 0);
	assert_ptr_equal(again, log);
	log_manager_release(rig->manager, again);
	assert_int_equal(log_manager_create(rig->manager, slice_str("a"), 0,
			     topic_b, &anywhere, &rig->log_settings, &again),
	    KP_KAFKA_STORAGE_ERROR);
	assert_int_equal(log_manager_count(rig->manager, NULL), 1);
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

static void
creating_syncs_nothing(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	uint64_t syncs = disk_fault_count(&rig->fault, DISK_FSYNC) +
	    disk_fault_count(&rig->fault, DISK_FDATASYNC);

	for (int32_t i = 0; i < 50; i++)
		log_manager_release(rig->manager, create(rig, "a", i));
	assert_int_equal(disk_fault_count(&rig->fault, DISK_FSYNC) +
		disk_fault_count(&rig->fault, DISK_FDATASYNC) +
		disk_fault_count(&rig->fault, DISK_SYNCFS),
	    syncs);
	rig_free(rig);
}

static void
logs_spread_over_directories(void **state UNUSED)
{
	struct rig *rig = rig_new(2);
	const struct log_manager_place second = {
		.directory = { { 0xdd, 2 } },
	};
	struct log *log;

	for (int32_t i = 0; i < 6; i++)
		log_manager_release(rig->manager, create(rig, "a", i));
	assert_int_equal(names_with(rig->paths[0], "a-"), 3);
	assert_int_equal(names_with(rig->paths[1], "a-"), 3);
	for (int32_t i = 0; i < 3; i++) {
		assert_int_equal(log_manager_create(rig->manager,
				     slice_str("b"), i, topic_b, &second,
				     &rig->log_settings, &log),
		    KP_NONE);
		log_manager_release(rig->manager, log);
	}
	assert_int_equal(names_with(rig->paths[1], "b-"), 3);
	/* Where the id says nothing, that with the fewest. */
	log_manager_release(rig->manager, create(rig, "a", 6));
	assert_int_equal(names_with(rig->paths[0], "a-"), 4);
	rig_free(rig);
}

/* --- stopping and starting ----------------------------------------------- */

/* Syncs in a partition's directory that the flusher cannot share. */
static void
count_own_syncs(void *context, enum disk_operation operation, const char *path)
{
	char thread[16] = "";

	assert_int_equal(pthread_getname_np(
			     pthread_self(), thread, sizeof(thread)),
	    0);
	if ((operation == DISK_FSYNC || operation == DISK_FDATASYNC) &&
	    strstr(path, "/a-") != NULL && strcmp(thread, "flusher") != 0)
		(*(atomic_int *)context)++;
}

/* Or a stop would take as many of them as there are partitions. */
static void
a_stop_syncs_no_log_by_itself(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	atomic_int syncs = 0;

	for (int32_t i = 0; i < 20; i++) {
		struct log *log = create(rig, "a", i);

		fill(rig, log, 2);
		log_manager_release(rig->manager, log);
	}
	rig->fault.hook_context = &syncs;
	rig->fault.hook = count_own_syncs;
	assert_int_equal(rig_stop(rig, 1), 0);
	rig->fault.hook = NULL;
	assert_int_equal(syncs, 0);
	rig_must_start(rig);
	assert_true(log_manager_was_clean(rig->manager));
	for (int32_t i = 0; i < 20; i++) {
		struct log *log = find(rig, "a", i);

		assert_int_equal(
		    leader_epochs_latest(log_leader_epochs(log)), 3);
		log_manager_release(rig->manager, log);
	}
	assert_int_equal(rig_stop(rig, 2), 0);
	rig_free(rig);
}

static void
an_orderly_stop_keeps_everything(void **state UNUSED)
{
	struct rig *rig = rig_new(2);
	struct log *log;
	char *text;

	for (int32_t i = 0; i < 4; i++) {
		log = create(rig, "a", i);
		fill(rig, log, (int)i + 1);
		log_manager_release(rig->manager, log);
	}
	assert_int_equal(rig_stop(rig, 17), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_false(temp_dir_has(rig->paths[i], ".lock"));
		text = temp_dir_get(rig->paths[i], ".kafka_cleanshutdown");
		assert_string_equal(text,
		    "{\"version\":0,\"brokerEpoch\":17}");
		free(text);
	}
	text = temp_dir_get(rig->paths[0], CHECKPOINT_RECOVERY_POINTS);
	assert_memory_equal(text, "0\n2\n", 4);
	free(text);
	text = temp_dir_get(rig->paths[0], CHECKPOINT_LOG_STARTS);
	assert_string_equal(text, "0\n0\n");
	free(text);
	rig_must_start(rig);
	assert_true(log_manager_was_clean(rig->manager));
	assert_int_equal(log_manager_previous_broker_epoch(rig->manager), 17);
	for (int32_t i = 0; i < 4; i++) {
		expect_end(rig, "a", i, i + 1);
		log = find(rig, "a", i);
		assert_int_equal(log_high_watermark(log), i + 1);
		log_manager_release(rig->manager, log);
	}
	rig_free(rig);
}

/* What the stop left is enough, unless it cannot be believed. */
static void
a_clean_start_opens_no_segment(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);

	fill(rig, log, 5);
	log_manager_release(rig->manager, log);
	assert_int_equal(rig_stop(rig, 1), 0);

	disk_fault_fail_all(&rig->fault, DISK_OPEN, ".log", 0, EIO);
	rig_must_start(rig);
	expect_end(rig, "a", 0, 5);
	assert_int_equal(disk_fault_clear(&rig->fault), 0);
	assert_int_equal(rig_stop(rig, 2), 0);

	temp_dir_put(rig->paths[0], CLOSED_LOGS_FILE, "rubbish");
	rig_must_start(rig);
	expect_end(rig, "a", 0, 5);
	rig_kill(rig);

	/* It is as it was, but there was a crash since. */
	disk_fault_fail_all(&rig->fault, DISK_OPEN, ".log", 0, EMFILE);
	rig_must_start(rig);
	assert_true(disk_fault_clear(&rig->fault) > 0);
	rig_free(rig);
}

static void
a_kill_is_not_clean_and_loses_nothing(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);

	fill(rig, log, 10);
	log_manager_release(rig->manager, log);
	rig_kill(rig);
	rig_must_start(rig);
	assert_false(log_manager_was_clean(rig->manager));
	assert_int_equal(log_manager_previous_broker_epoch(rig->manager), -1);
	expect_end(rig, "a", 0, 10);
	rig_free(rig);
}

static void
epochs_that_differ_are_unknown(void **state UNUSED)
{
	struct rig *rig = rig_new(2);

	assert_int_equal(rig_stop(rig, 17), 0);
	temp_dir_put(rig->paths[1], ".kafka_cleanshutdown",
	    "{\"version\":0,\"brokerEpoch\":16}");
	rig_must_start(rig);
	assert_true(log_manager_was_clean(rig->manager));
	assert_int_equal(log_manager_previous_broker_epoch(rig->manager), -1);
	rig_free(rig);
}

/* A turn of the flusher, which takes all that is queued there. */
static void
flusher_turn(struct rig *rig)
{
	struct log *log = find(rig, "a", 0);

	flusher_submit(rig->flusher, log);
	flusher_drain(rig->flusher, log);
	log_manager_release(rig->manager, log);
}

/* Was there something to fail behind so many operations of a stop? */
static bool
stop_fails(uint64_t skip, int error, bool from_here_on)
{
	struct rig *rig = rig_new(1);
	uint64_t failed;

	for (int32_t i = 0; i < 2; i++) {
		struct log *log = create(rig, "a", i);

		fill(rig, log, 3);
		assert_int_equal(log_flush_all(log), 0);
		fill(rig, log, 1);
		log_manager_release(rig->manager, log);
	}
	if (from_here_on)
		disk_fault_fail_all(&rig->fault, DISK_ANY, NULL, skip, error);
	else
		disk_fault_fail(&rig->fault, DISK_ANY, NULL, skip, error);
	(void)!rig_stop(rig, 5);
	failed = disk_fault_clear(&rig->fault);
	rig_must_start(rig);
	/* What it would try again of the logs that were freed. */
	flusher_turn(rig);
	expect_end(rig, "a", 0, 4);
	expect_end(rig, "a", 1, 4);
	rig_free(rig);
	return failed > 0;
}

/* Every operation of the stop fails once, and from there on; no record that
 * was flushed is lost. */
static void
no_failure_of_a_stop_loses_a_record(void **state UNUSED)
{
	const int errors[] = { EIO, EMFILE };

	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		for (int from_here_on = 0; from_here_on < 2; from_here_on++) {
			uint64_t skip = 0;

			while (stop_fails(skip, errors[i], from_here_on))
				skip++;
		}
	}
}

static void
a_log_that_does_not_close_leaves_no_mark(void **state UNUSED)
{
	struct rig *rig = rig_new(2);
	struct log *log = create(rig, "a", 0);

	fill(rig, log, 3);
	log_manager_release(rig->manager, log);
	disk_fault_fail(&rig->fault, DISK_FDATASYNC, "a-0", 0, EIO);
	assert_int_equal(rig_stop(rig, 5), -1);
	assert_int_equal(disk_fault_clear(&rig->fault), 1);
	assert_false(temp_dir_has(rig->paths[0], ".kafka_cleanshutdown"));
	assert_true(temp_dir_has(rig->paths[1], ".kafka_cleanshutdown"));
	rig_free(rig);
}

/* --- one of two directories fails ---------------------------------------- */

/* Two directories with a log each, of three records that are durable. */
static struct rig *
two_with_records(bool clean)
{
	struct rig *rig = rig_new(2);

	for (int32_t i = 0; i < 2; i++) {
		struct log *log = create(rig, "a", i);

		assert_int_equal(names_with(rig->paths[i], "a-"), 1);
		fill(rig, log, 3);
		assert_int_equal(log_flush_all(log), 0);
		log_manager_release(rig->manager, log);
	}
	if (clean)
		assert_int_equal(rig_stop(rig, 5), 0);
	else
		rig_kill(rig);
	return rig;
}

/* Does the log take a record and make it durable? */
static bool
serves(struct rig *rig, int32_t partition)
{
	struct log *log = find(rig, "a", partition);
	bool serves;

	if (log == NULL)
		return false;
	serves = append_one(rig, log, rig->wall_ms) == KP_NONE &&
	    log_flush_all(log) == 0;
	if (!serves)
		log_manager_log_failed(rig->manager, log);
	log_manager_release(rig->manager, log);
	log_manager_tick(rig->manager);
	return serves;
}

/* It is not made anew elsewhere while its directory is missing. */
static void
expect_missing(struct rig *rig, int32_t partition)
{
	const struct log_manager_place places[] = {
		{ .directory = { { 0xdd, (uint8_t)(partition + 1) } } },
		{ .directory = UUID_ZERO },
	};
	struct log *log;

	for (size_t i = 0; i < COUNT_OF(places); i++)
		assert_int_equal(log_manager_create(rig->manager,
				     slice_str("a"), partition, topic_a,
				     &places[i], &rig->log_settings, &log),
		    KP_KAFKA_STORAGE_ERROR);
}

/* Whatever fails of a directory at the start, the other one serves. */
static void
a_start_with_a_bad_directory_serves_the_other(void **state UNUSED)
{
	for (int operation = 0; operation <= DISK_ANY; operation++) {
		for (int32_t bad = 0; bad < 2; bad++) {
			struct rig *rig = two_with_records(operation % 2 == 0);
			struct log *log;

			disk_fault_fail_all(&rig->fault, operation,
			    rig->paths[bad], 0, EIO);
			rig_must_start(rig);
			expect_end(rig, "a", !bad, 3);
			assert_true(serves(rig, !bad));
			if (!serves(rig, bad) && find(rig, "a", bad) == NULL)
				expect_missing(rig, bad);
			if (rig->manager->dirs[bad].offline) {
				/* What is new goes to the other. */
				log = create(rig, "b", 0);
				assert_int_equal(
				    names_with(rig->paths[!bad], "b-0"), 1);
				log_manager_release(rig->manager, log);
			}
			rig_kill(rig);
			disk_fault_clear(&rig->fault);
			rig_must_start(rig);
			assert_true(serves(rig, bad));
			assert_true(serves(rig, !bad));
			rig_free(rig);
		}
	}
}

/* The same while it runs, with all that the background does. */
static void
a_directory_that_fails_leaves_the_other_alone(void **state UNUSED)
{
	for (int operation = 0; operation <= DISK_ANY; operation++) {
		for (int32_t bad = 0; bad < 2; bad++) {
			struct rig *rig = two_with_records(true);
			struct log *log;
			bool served;

			rig_must_start(rig);
			disk_fault_fail_all(&rig->fault, operation,
			    rig->paths[bad], 0, EIO);
			served = serves(rig, bad);
			assert_true(serves(rig, !bad));
			rig_pass(rig, 1000000);
			assert_true(rig->failed_count <= 1);
			assert_true(rig->failed_count == 0 ||
			    rig->failed_remaining == 1);
			assert_false(rig->manager->dirs[!bad].offline);
			assert_true(serves(rig, !bad));
			log = find(rig, "a", bad);
			log_lock(log);
			assert_true(served || log_is_offline(log));
			assert_true(!rig->manager->dirs[bad].offline ||
			    log_is_offline(log));
			log_unlock(log);
			log_manager_release(rig->manager, log);
			(void)!rig_stop(rig, 6);
			disk_fault_clear(&rig->fault);
			rig_must_start(rig);
			expect_end(rig, "a", !bad, 5);
			assert_true(serves(rig, bad));
			rig_free(rig);
		}
	}
}

/* A disk that is not mounted: its partitions wait for it. */
static void
a_partition_waits_for_its_directory(void **state UNUSED)
{
	const struct log_manager_place elsewhere = {
		.directory = { { 0xdd, 9 } },
	};
	struct rig *rig = rig_new(2);
	struct log *log;

	assert_int_equal(log_manager_create(rig->manager, slice_str("a"), 0,
			     topic_a, &elsewhere, &rig->log_settings, &log),
	    KP_KAFKA_STORAGE_ERROR);
	rig_free(rig);
}

/* --- moving -------------------------------------------------------------- */

static void
await_moves(struct rig *rig)
{
	struct timespec pause = { .tv_nsec = 100000 };
	bool moving = true;

	while (moving) {
		nanosleep(&pause, NULL);
		pthread_mutex_lock(&rig->manager->lock);
		moving = !list_empty(&rig->manager->moves);
		pthread_mutex_unlock(&rig->manager->lock);
	}
}

/* a-0 in the first directory, of several segments, all durable. */
static struct rig *
movable(void)
{
	struct rig *rig = rig_prepare(2);
	struct log *log;

	rig->assigned = (struct uuid){ { 0xdd, 1 } };
	rig->log_settings.segment_bytes = 800;
	rig_must_start(rig);
	log = create(rig, "a", 0);
	fill(rig, log, 4);
	assert_int_equal(log_flush_all(log), 0);
	log_manager_release(rig->manager, log);
	assert_true(temp_dir_has(rig->paths[0], "a-0"));
	return rig;
}

static void
seen_replica(void *context, const struct log_manager_replica *replica)
{
	struct log_manager_replica *seen = context;

	seen[replica->future] = *replica;
}

static void
a_log_moves(void **state UNUSED)
{
	struct rig *rig = movable();
	struct log_manager_replica seen[2] = { { .directory = 9 },
		{ .directory = 9 } };
	struct log *log = find(rig, "a", 0);

	assert_int_equal(
	    log_manager_move(rig->manager, slice_str("a"), 0, 1), KP_NONE);
	await_moves(rig);
	assert_true(uuid_equal(rig->assigned, (struct uuid){ { 0xdd, 2 } }));
	log_manager_describe(rig->manager, seen_replica, seen);
	assert_int_equal(seen[0].directory, 1);
	assert_int_equal(seen[1].directory, 9);
	assert_false(temp_dir_has(rig->paths[0], "a-0"));
	assert_int_equal(names_with(rig->paths[0], "-delete"), 1);
	assert_true(temp_dir_has(rig->paths[1], "a-0"));
	assert_int_equal(log_flush_link(log)->lane, 1);
	fill(rig, log, 4);
	assert_int_equal(end_of(log), 8);
	assert_int_equal(log_flush_all(log), 0);
	log_manager_release(rig->manager, log);
	/* What it was goes after the delay, and the directory may fail. */
	rig_pass(rig, 60000);
	assert_int_equal(names_with(rig->paths[0], "a-0"), 0);
	disk_fault_fail_all(
	    &rig->fault, DISK_ANY, rig->paths[0], 0, EIO);
	assert_true(serves(rig, 0));
	rig_kill(rig);
	disk_fault_clear(&rig->fault);
	rig_must_start(rig);
	expect_end(rig, "a", 0, 9);
	rig_free(rig);
}

/* Both directories have it: the metadata says which. */
static void
the_metadata_decides_between_two(void **state UNUSED)
{
	for (uint8_t winner = 0; winner < 2; winner++) {
		struct rig *rig = movable();
		struct log_manager_replica seen[2] = { 0 };
		char *command;

		rig_kill(rig);
		command = xasprintf(
		    "cp -r %s/a-0 %s", rig->paths[0], rig->paths[1]);
		assert_int_equal(system(command), 0);
		free(command);
		rig->assigned = (struct uuid){ { 0xdd, 3 } };
		assert_false(rig_start(rig));
		rig->assigned.bytes[1] = (uint8_t)(winner + 1);
		rig_must_start(rig);
		expect_end(rig, "a", 0, 4);
		log_manager_describe(rig->manager, seen_replica, seen);
		assert_int_equal(seen[0].directory, winner);
		assert_int_equal(
		    names_with(rig->paths[!winner], "-stray"), 1);
		rig_free(rig);
	}
}

/*
 * The log is in one place after all, with what was made durable, and a move
 * that was cut short is begun again.
 */
static void
expect_recovered(struct rig *rig, int64_t durable, int64_t end_max)
{
	struct log *log;
	size_t count = 0;
	int64_t end;

	rig_must_start(rig);
	log_manager_moves_resume(rig->manager);
	await_moves(rig);
	log = find(rig, "a", 0);
	assert_non_null(log);
	end = end_of(log);
	assert_true(end >= durable && end <= end_max);
	assert_int_equal(log_damage_count(log), 0);
	log_manager_release(rig->manager, log);
	for (int i = 0; i < 2; i++)
		count += temp_dir_has(rig->paths[i], "a-0");
	assert_int_equal(count, 1);
	assert_int_equal(names_with(rig->paths[0], "-future"), 0);
	assert_int_equal(names_with(rig->paths[1], "-future"), 0);
	assert_true(serves(rig, 0));
}

/*
 * Each operation of a move fails: one in either directory, or it and all behind
 * it in both, which is what a kill looks like.
 */
static void
no_failure_of_a_move_loses_a_record(void **state UNUSED)
{
	for (int kind = 0; kind < 3; kind++) {
		uint64_t failed = 1;

		for (uint64_t skip = 0; failed > 0; skip++) {
			struct rig *rig = movable();
			int64_t durable = 4;

			if (kind < 2)
				disk_fault_fail(&rig->fault, DISK_ANY,
				    rig->paths[kind], skip, EIO);
			else
				disk_fault_fail_all(&rig->fault, DISK_ANY,
				    NULL, skip, EIO);
			if (log_manager_move(rig->manager, slice_str("a"), 0,
				1) == KP_NONE)
				await_moves(rig);
			durable += serves(rig, 0);
			rig_kill(rig);
			failed = disk_fault_clear(&rig->fault);
			expect_recovered(rig, durable, 5);
			rig_free(rig);
		}
	}
}

/* A full disk takes nothing offline: the log stays where it is. */
static void
a_move_to_a_full_disk_ends(void **state UNUSED)
{
	for (uint64_t skip = 0; skip < 8; skip++) {
		struct rig *rig = movable();

		disk_fault_fail_all(&rig->fault, DISK_PWRITE, rig->paths[1],
		    skip, ENOSPC);
		if (log_manager_move(rig->manager, slice_str("a"), 0, 1) ==
		    KP_NONE)
			await_moves(rig);
		assert_true(serves(rig, 0));
		assert_int_equal(rig->failed_count, 0);
		disk_fault_clear(&rig->fault);
		assert_int_equal(log_manager_move(rig->manager,
				     slice_str("a"), 0, 1),
		    KP_NONE);
		await_moves(rig);
		assert_true(temp_dir_has(rig->paths[1], "a-0"));
		assert_true(serves(rig, 0));
		rig_free(rig);
	}
}

/* The topic is deleted while it moves; its name is free at once. */
static void
a_log_that_moves_is_deleted(void **state UNUSED)
{
	struct rig *rig = movable();
	struct log *log = find(rig, "a", 0);

	assert_int_equal(
	    log_manager_move(rig->manager, slice_str("a"), 0, 1), KP_NONE);
	assert_int_equal(log_manager_delete(rig->manager, log), KP_NONE);
	log_manager_release(rig->manager, log);
	await_moves(rig);
	log = create(rig, "a", 0);
	assert_int_equal(end_of(log), 0);
	log_manager_release(rig->manager, log);
	rig_pass(rig, 60000);
	for (int i = 0; i < 2; i++)
		assert_int_equal(names_with(rig->paths[i], "a-0."), 0);
	rig_free(rig);
}

/* What is asked for last counts; back to where it is ends the move. */
static void
a_move_is_called_back(void **state UNUSED)
{
	struct rig *rig = movable();

	assert_int_equal(
	    log_manager_move(rig->manager, slice_str("a"), 0, 1), KP_NONE);
	assert_int_equal(
	    log_manager_move(rig->manager, slice_str("a"), 0, 1), KP_NONE);
	assert_int_equal(
	    log_manager_move(rig->manager, slice_str("a"), 0, 0), KP_NONE);
	await_moves(rig);
	assert_true(serves(rig, 0));
	assert_int_equal(names_with(rig->paths[1], "-future"), 0);
	rig_free(rig);
}

/* Where a log that is not there yet is asked to be it is made, in the end. */
static void
a_place_is_kept_until_there_is_room(void **state UNUSED)
{
	struct rig *rig = movable();
	struct log *log;

	assert_int_equal(
	    log_manager_move(rig->manager, slice_str("b"), 0, 0),
	    KP_NOT_LEADER_OR_FOLLOWER);
	disk_fault_fail_all(&rig->fault, DISK_MKDIR, NULL, 0, ENOSPC);
	assert_int_equal(log_manager_create(rig->manager, slice_str("b"), 0,
			     topic_a, &anywhere, &rig->log_settings, &log),
	    KP_KAFKA_STORAGE_ERROR);
	assert_int_equal(disk_fault_clear(&rig->fault), 1);
	log_manager_release(rig->manager, create(rig, "b", 0));
	assert_true(temp_dir_has(rig->paths[0], "b-0"));
	/* The other one has fewer, and nobody asks any more. */
	log_manager_release(rig->manager, create(rig, "c", 0));
	assert_true(temp_dir_has(rig->paths[1], "c-0"));
	rig_free(rig);
}

/* --- directories that are refused ---------------------------------------- */

static void
wrong_directories_are_refused(void **state UNUSED)
{
	struct rig *rig = rig_prepare(2);

	meta_put(rig->paths[1], 2, 2);
	assert_false(rig_start(rig));
	meta_put(rig->paths[1], 1, 1);
	assert_false(rig_start(rig));
	temp_dir_put(rig->paths[1], META_PROPERTIES_FILE, "");
	assert_false(rig_start(rig));
	meta_put(rig->paths[1], 1, 2);
	temp_dir_put(rig->paths[1], "holiday pictures", NULL);
	assert_false(rig_start(rig));
	rig_free(rig);
}

/* A volume has one, and nothing in it is ours. */
static void
lost_and_found_is_left_alone(void **state UNUSED)
{
	struct rig *rig = rig_prepare(1);

	temp_dir_put(rig->paths[0], "lost+found", NULL);
	rig_must_start(rig);
	assert_true(temp_dir_has(rig->paths[0], "lost+found"));
	assert_int_equal(log_manager_count(rig->manager, NULL), 0);
	rig_free(rig);
}

/* Who could not start has changed nothing: what was clean is. */
static void
a_refused_start_leaves_the_marks(void **state UNUSED)
{
	struct rig *rig = rig_new(2);
	char *metadata;

	log_manager_release(rig->manager, create(rig, "a", 0));
	assert_int_equal(rig_stop(rig, 17), 0);
	metadata = temp_dir_get(rig->paths[0], "a-0/partition.metadata");
	/* Refused before it is loaded: by whoever reads the metadata. */
	rig->manager = log_manager_new(&rig->settings);
	assert_non_null(rig->manager);
	rig_kill(rig);
	/* Refused by a checkpoint, by a name, by a partition twice. */
	temp_dir_put(rig->paths[1], CHECKPOINT_LOG_STARTS, "0\n1\na 0");
	assert_false(rig_start(rig));
	temp_dir_put(rig->paths[1], CHECKPOINT_LOG_STARTS, "");
	temp_dir_put(rig->paths[1], "a-0", NULL);
	temp_dir_put(rig->paths[1], "a-0/partition.metadata", metadata);
	free(metadata);
	assert_false(rig_start(rig));
	for (size_t i = 0; i < 2; i++)
		assert_true(
		    temp_dir_has(rig->paths[i], ".kafka_cleanshutdown"));
	rig_free(rig);
}

/* But while logs are opened it is a crash that leaves it. */
static void
the_marks_go_before_a_log_is_opened(void **state UNUSED)
{
	struct rig *rig = rig_new(1);

	log_manager_release(rig->manager, create(rig, "a", 0));
	assert_int_equal(rig_stop(rig, 17), 0);
	disk_fault_fail_all(&rig->fault, DISK_ANY, "a-0/", 0, EIO);
	rig_must_start(rig);
	disk_fault_clear(&rig->fault);
	assert_false(temp_dir_has(rig->paths[0], ".kafka_cleanshutdown"));
	rig_free(rig);
}

static void
a_partition_twice_is_refused(void **state UNUSED)
{
	struct rig *rig = rig_new(2);
	char *copy;

	log_manager_release(rig->manager, create(rig, "a", 0));
	rig_kill(rig);
	temp_dir_put(rig->paths[1], "a-0", NULL);
	copy = temp_dir_get(rig->paths[0], "a-0/partition.metadata");
	temp_dir_put(rig->paths[1], "a-0/partition.metadata", copy);
	assert_false(rig_start(rig));
	free(copy);
	rig_free(rig);
}

/* --- strays -------------------------------------------------------------- */

static void
what_the_metadata_does_not_have_is_set_aside(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log;

	log_manager_release(rig->manager, create(rig, "a", 0));
	log_manager_release(rig->manager, create(rig, "b", 0));
	assert_int_equal(rig_stop(rig, 1), 0);
	temp_dir_put(rig->paths[0], "a-7", NULL);
	rig->unwanted = "b";
	rig_must_start(rig);
	assert_int_equal(log_manager_count(rig->manager, NULL), 1);
	assert_int_equal(names_with(rig->paths[0], "b-0."), 1);
	assert_int_equal(names_with(rig->paths[0], "a-7."), 1);
	assert_int_equal(names_with(rig->paths[0], "-stray"), 2);
	/* They stay through the next start, and the names are free. */
	assert_int_equal(rig_stop(rig, 1), 0);
	rig->unwanted = NULL;
	rig_must_start(rig);
	assert_int_equal(names_with(rig->paths[0], "-stray"), 2);
	log = create(rig, "b", 0);
	assert_int_equal(end_of(log), 0);
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

static void
fill_and_stop(struct rig *rig)
{
	struct log *log = create(rig, "a", 0);

	fill(rig, log, 3);
	log_manager_release(rig->manager, log);
	assert_int_equal(rig_stop(rig, 1), 0);
}

/* Have the next start look into the files, however orderly the stop was. */
static void
forget_closed_logs(const struct rig *rig)
{
	char *path = xasprintf("%s/%s", rig->paths[0], CLOSED_LOGS_FILE);

	assert_int_equal(unlink(path), 0);
	free(path);
}

/* Records are worth more than the file that says whose they are. */
static void
a_lost_partition_metadata_is_made_anew(void **state UNUSED)
{
	static const char *const damages[] = { "", "version: 0\ntopic_id: ",
		NULL };

	for (size_t i = 0; i < COUNT_OF(damages); i++) {
		struct rig *rig = rig_new(1);
		char *path = xasprintf(
		    "%s/a-0/partition.metadata", rig->paths[0]);
		char *before, *after;

		fill_and_stop(rig);
		before =
		    temp_dir_get(rig->paths[0], "a-0/partition.metadata");
		if (damages[i] == NULL)
			assert_int_equal(unlink(path), 0);
		else
			temp_dir_put(rig->paths[0], "a-0/partition.metadata",
			    damages[i]);
		forget_closed_logs(rig);
		rig_must_start(rig);
		expect_end(rig, "a", 0, 3);
		assert_int_equal(names_with(rig->paths[0], "-stray"), 0);
		after = temp_dir_get(rig->paths[0], "a-0/partition.metadata");
		assert_string_equal(after, before);
		free(before);
		free(after);
		free(path);
		rig_free(rig);
	}
}

/* A partition that cannot be read is not replaced by an empty one. */
static void
a_partition_that_cannot_be_read_is_offline(void **state UNUSED)
{
	static const int errors[] = { EIO, EACCES };
	static const char *const parts[] = { "a-0/partition.metadata",
		"a-0/0000" };
	struct rig *rig = rig_new(1);
	struct log *log;
	char *text;

	log = create(rig, "b", 0);
	fill(rig, log, 2);
	log_manager_release(rig->manager, log);
	fill_and_stop(rig);
	forget_closed_logs(rig);
	for (size_t i = 0; i < COUNT_OF(errors) * COUNT_OF(parts); i++) {
		disk_fault_fail_all(
		    &rig->fault, DISK_ANY, parts[i % 2], 0, errors[i / 2]);
		rig_must_start(rig);
		assert_true(disk_fault_clear(&rig->fault) > 0);
		assert_null(find(rig, "a", 0));
		expect_end(rig, "b", 0, 2);
		assert_int_equal(names_with(rig->paths[0], "-stray"), 0);
		assert_int_equal(
		    log_manager_create(rig->manager, slice_str("a"), 0,
			topic_a, &anywhere, &rig->log_settings, &log),
		    KP_KAFKA_STORAGE_ERROR);
		/* What is known of it is still in the checkpoints. */
		rig_pass(rig, 60000);
		text = temp_dir_get(rig->paths[0], CHECKPOINT_RECOVERY_POINTS);
		assert_non_null(strstr(text, "a 0 3\n"));
		free(text);
		text = temp_dir_get(rig->paths[0], CHECKPOINT_HIGH_WATERMARKS);
		assert_non_null(strstr(text, "a 0 3\n"));
		free(text);
		assert_int_equal(rig_stop(rig, 1), -1);
		assert_false(
		    temp_dir_has(rig->paths[0], ".kafka_cleanshutdown"));
	}
	rig_must_start(rig);
	expect_end(rig, "a", 0, 3);
	rig_free(rig);
}

/* Unless it was for want of room: it is loaded once there is some. */
static void
found_no_room(const char *part, int error)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);

	fill(rig, log, 3);
	log_manager_release(rig->manager, log);
	rig_pass(rig, 60000);
	rig_kill(rig);
	disk_fault_fail_all(&rig->fault, DISK_ANY, part, 0, error);
	rig_must_start(rig);
	assert_int_equal(log_manager_create(rig->manager, slice_str("a"), 0,
			     topic_a, &anywhere, &rig->log_settings, &log),
	    KP_KAFKA_STORAGE_ERROR);
	rig_retry(rig);
	assert_int_equal(rig->retried_count, 1);
	assert_true(disk_fault_clear(&rig->fault) > 1);
	assert_null(find(rig, "a", 0));
	rig_retry(rig);
	assert_int_equal(rig->retried_count, 2);
	log = create(rig, "a", 0);
	assert_int_equal(end_of(log), 3);
	log_lock(log);
	assert_int_equal(log_high_watermark(log), 3);
	log_unlock(log);
	fill(rig, log, 1);
	log_manager_release(rig->manager, log);
	assert_int_equal(rig_stop(rig, 1), 0);
	rig_must_start(rig);
	expect_end(rig, "a", 0, 4);
	rig_free(rig);
}

static void
a_partition_that_found_no_room_is_loaded_later(void **state UNUSED)
{
	found_no_room("a-0/0000", ENOSPC);
	found_no_room("a-0/0000", EMFILE);
	found_no_room("a-0/partition.metadata", EMFILE);
}

/* Without metadata nothing is set aside. */
static void
records_without_metadata_are_told(void **state UNUSED)
{
	struct rig *rig = rig_new(1);

	log_manager_release(rig->manager, create(rig, "a", 1));
	assert_int_equal(rig_stop(rig, 1), 0);
	rig->manager = log_manager_new(&rig->settings);
	assert_int_equal(log_manager_check_empty(rig->manager), 0);
	rig_kill(rig);
	rig_must_start(rig);
	fill_and_stop(rig);
	rig->manager = log_manager_new(&rig->settings);
	assert_int_equal(log_manager_check_empty(rig->manager), -1);
	rig_kill(rig);
	assert_true(temp_dir_has(rig->paths[0], ".kafka_cleanshutdown"));
	rig_free(rig);
}

/* --- deleting ------------------------------------------------------------ */

static void
a_deleted_log_goes_after_the_delay(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);

	fill(rig, log, 2);
	assert_int_equal(log_manager_delete(rig->manager, log), KP_NONE);
	assert_null(find(rig, "a", 0));
	assert_int_equal(names_with(rig->paths[0], "-delete"), 1);
	assert_false(temp_dir_has(rig->paths[0], "a-0"));
	assert_int_equal(append_one(rig, log, 0), KP_KAFKA_STORAGE_ERROR);
	rig_pass(rig, 59999);
	assert_int_equal(names_with(rig->paths[0], "-delete"), 1);
	rig_pass(rig, 1);
	assert_int_equal(names_with(rig->paths[0], "-delete"), 0);
	/* It is ours still, and goes with the release. */
	assert_int_equal(append_one(rig, log, 0), KP_KAFKA_STORAGE_ERROR);
	log_manager_release(rig->manager, log);
	rig_pass(rig, 60000);
	assert_true(list_empty(&rig->manager->doomed));
	assert_int_equal(rig->manager->by_log.count, 0);
	rig_free(rig);
}

static void
the_delay_may_change(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log_manager_settings settings = rig->settings;
	struct log *log = create(rig, "a", 0);

	settings.delete_delay_ms = 1000;
	log_manager_configure(rig->manager, &settings);
	assert_int_equal(log_manager_delete(rig->manager, log), KP_NONE);
	rig_pass(rig, 999);
	assert_int_equal(names_with(rig->paths[0], "-delete"), 1);
	rig_pass(rig, 1);
	assert_int_equal(names_with(rig->paths[0], "-delete"), 0);
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

static void
a_deletion_goes_on_after_a_restart(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);

	assert_int_equal(log_manager_delete(rig->manager, log), KP_NONE);
	log_manager_release(rig->manager, log);
	rig_kill(rig);
	rig_must_start(rig);
	rig_pass(rig, 59999);
	assert_int_equal(names_with(rig->paths[0], "-delete"), 1);
	rig_pass(rig, 1);
	assert_int_equal(names_with(rig->paths[0], "-delete"), 0);
	rig_free(rig);
}

static void
a_removal_that_fails_is_tried_again(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);

	assert_int_equal(log_manager_delete(rig->manager, log), KP_NONE);
	log_manager_release(rig->manager, log);
	disk_fault_fail(&rig->fault, DISK_UNLINK, NULL, 0, EBUSY);
	rig_pass(rig, 60000);
	assert_int_equal(disk_fault_clear(&rig->fault), 1);
	assert_int_equal(names_with(rig->paths[0], "-delete"), 1);
	rig_pass(rig, 60000);
	assert_int_equal(names_with(rig->paths[0], "-delete"), 0);
	rig_free(rig);
}

/* The topic is gone all the same, and its directory has failed. */
static void
a_rename_that_fails_takes_the_directory_offline(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);

	disk_fault_fail(&rig->fault, DISK_RENAME, NULL, 0, EIO);
	assert_int_equal(log_manager_delete(rig->manager, log),
	    KP_KAFKA_STORAGE_ERROR);
	disk_fault_clear(&rig->fault);
	assert_null(find(rig, "a", 0));
	assert_int_equal(append_one(rig, log, 0), KP_KAFKA_STORAGE_ERROR);
	assert_int_equal(rig->failed_count, 1);
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

/* Where the disk was only full the name can be had again, without the old
 * records. */
static void
a_rename_that_found_no_room_frees_the_name(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0), *again;

	fill(rig, log, 5);
	disk_fault_fail_all(&rig->fault, DISK_RENAME, "a-0", 0, ENOSPC);
	assert_int_equal(log_manager_delete(rig->manager, log),
	    KP_KAFKA_STORAGE_ERROR);
	assert_null(find(rig, "a", 0));
	assert_int_equal(rig->failed_count, 0);
	assert_int_equal(
	    log_manager_create(rig->manager, slice_str("a"), 0, topic_a,
		&anywhere, &rig->log_settings, &again),
	    KP_KAFKA_STORAGE_ERROR);
	disk_fault_clear(&rig->fault);
	again = create(rig, "a", 0);
	assert_int_equal(end_of(again), 0);
	assert_int_equal(names_with(rig->paths[0], "-stray"), 1);
	log_manager_release(rig->manager, log);
	log_manager_release(rig->manager, again);
	rig_free(rig);
}

/* The same at a start, where it is what the metadata does not have. */
static void
a_stray_that_finds_no_room_frees_the_name(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);

	fill(rig, log, 5);
	log_manager_release(rig->manager, log);
	assert_int_equal(rig_stop(rig, 1), 0);
	rig->unwanted = "a";
	disk_fault_fail_all(&rig->fault, DISK_RENAME, "a-0", 0, ENOSPC);
	rig_must_start(rig);
	assert_int_equal(disk_fault_clear(&rig->fault), 1);
	assert_int_equal(names_with(rig->paths[0], "-stray"), 0);
	log = create(rig, "a", 0);
	assert_int_equal(end_of(log), 0);
	assert_int_equal(names_with(rig->paths[0], "-stray"), 1);
	log_manager_release(rig->manager, log);
	assert_int_equal(rig_stop(rig, 2), 0);
	rig_free(rig);
}

/* Its name may be in checkpoints that a full disk cannot replace. */
static void
a_deleted_log_gives_its_room_back_on_a_full_disk(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);

	fill(rig, log, 2);
	rig_pass(rig, 60000);
	assert_int_equal(log_manager_delete(rig->manager, log), KP_NONE);
	log_manager_release(rig->manager, log);
	assert_true(fd_cache_count(rig->manager->files) > 0);
	disk_fault_fail_all(
	    &rig->fault, DISK_PWRITE, "checkpoint", 0, ENOSPC);
	rig_pass(rig, 60000);
	assert_int_equal(names_with(rig->paths[0], "-delete"), 0);
	assert_int_equal(fd_cache_count(rig->manager->files), 0);
	assert_false(list_empty(&rig->manager->doomed));
	disk_fault_clear(&rig->fault);
	rig_pass(rig, 60000);
	rig_pass(rig, 60000);
	assert_true(list_empty(&rig->manager->doomed));
	rig_free(rig);
}

/* The old log's start and recovery point must not become the new one's. */
static void
a_name_used_again_begins_at_zero_after_a_kill(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);
	char *text;

	fill(rig, log, 10);
	assert_int_equal(log_flush_all(log), 0);
	log_lock(log);
	assert_int_equal(log_delete_records(log, 5), KP_NONE);
	log_unlock(log);
	rig_pass(rig, 60000);
	text = temp_dir_get(rig->paths[0], CHECKPOINT_LOG_STARTS);
	assert_string_equal(text, "0\n1\na 0 5\n");
	free(text);
	assert_int_equal(log_manager_delete(rig->manager, log), KP_NONE);
	log_manager_release(rig->manager, log);
	log = create(rig, "a", 0);
	text = temp_dir_get(rig->paths[0], CHECKPOINT_LOG_STARTS);
	assert_string_equal(text, "0\n0\n");
	free(text);
	fill(rig, log, 2);
	log_manager_release(rig->manager, log);
	rig_kill(rig);
	rig_must_start(rig);
	log = find(rig, "a", 0);
	assert_int_equal(log_start_offset(log), 0);
	assert_int_equal(log_end_offset(log), 2);
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

/* The same where the directory is gone and only the checkpoint names it. */
static void
a_checkpoint_without_its_log_is_forgotten(void **state UNUSED)
{
	struct rig *rig = rig_prepare(1);
	struct log *log;

	temp_dir_put(rig->paths[0], CHECKPOINT_LOG_STARTS, "0\n1\na 0 5\n");
	rig_must_start(rig);
	log = create(rig, "a", 0);
	fill(rig, log, 2);
	log_manager_release(rig->manager, log);
	rig_kill(rig);
	rig_must_start(rig);
	expect_end(rig, "a", 0, 2);
	rig_free(rig);
}

/* --- upkeep -------------------------------------------------------------- */

static void
retention_runs_after_the_delay(void **state UNUSED)
{
	struct rig *rig = rig_prepare(1);
	struct log *log;

	rig->log_settings.retention_ms = HOUR_MS;
	rig->log_settings.file_delete_delay_ms = 5000;
	rig_must_start(rig);
	log = create(rig, "a", 0);
	fill(rig, log, 3);
	rig->wall_ms += 2 * HOUR_MS;
	rig_pass(rig, 29999);
	assert_int_equal(log_start_offset(log), 0);
	rig_pass(rig, 1);
	assert_int_equal(log_start_offset(log), 3);
	assert_int_equal(log_end_offset(log), 3);
	assert_true(temp_dir_has(rig->paths[0],
	    "a-0/00000000000000000000.log.deleted"));
	rig_pass(rig, 5000);
	assert_false(temp_dir_has(rig->paths[0],
	    "a-0/00000000000000000000.log.deleted"));
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

/* A disk that is full cannot wait for the room that it has there. */
static void
what_the_last_run_removed_goes_at_once(void **state UNUSED)
{
	static const char name[] = "a-0/00000000000000000900.log.deleted";
	struct rig *rig = rig_new(1);

	log_manager_release(rig->manager, create(rig, "a", 0));
	rig_kill(rig);
	temp_dir_put(rig->paths[0], name, "a record");
	rig_must_start(rig);
	assert_true(temp_dir_has(rig->paths[0], name));
	rig_pass(rig, 0);
	assert_false(temp_dir_has(rig->paths[0], name));
	rig_free(rig);
}

/* What DeleteRecords has cut off stays away once a checkpoint names it. */
static void
a_log_start_survives_a_kill(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);

	fill(rig, log, 3);
	log_lock(log);
	assert_int_equal(log_delete_records(log, 2), KP_NONE);
	log_unlock(log);
	rig_pass(rig, 60000);
	log_manager_release(rig->manager, log);
	rig_kill(rig);
	rig_must_start(rig);
	log = find(rig, "a", 0);
	assert_int_equal(log_start_offset(log), 2);
	assert_int_equal(end_of(log), 3);
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

static void
append_of_producer(struct rig *rig, struct log *log, int64_t id)
{
	struct log_append append = { .leader_epoch = 3,
		.origin = LOG_CLIENT,
		.now_ms = rig->wall_ms };
	struct buf out;

	buf_init(&out, 1 << 20);
	fixture_batch(&out,
	    &(struct fixture_batch){ .timestamp_ms = rig->wall_ms,
		.has_producer = true,
		.producer_id = id });
	append.data = out.data;
	append.len = out.len;
	log_lock(log);
	assert_int_equal(log_append(log, &append), KP_NONE);
	log_unlock(log);
	buf_fini(&out);
}

/* By the setting that is valid then: it may be another than at the append. */
static void
producers_expire(void **state UNUSED)
{
	struct rig *rig = rig_prepare(1);
	struct log *log;

	rig->settings.producer_check_interval_ms = 1000;
	rig->log_settings.producer_id_expiration_ms = HOUR_MS;
	rig_must_start(rig);
	log = create(rig, "a", 0);
	append_of_producer(rig, log, 7);
	rig_pass(rig, 3000);
	append_of_producer(rig, log, 8);
	assert_non_null(producer_state_find(log_producers(log), 7));
	rig->log_settings.producer_id_expiration_ms = 4000;
	log_lock(log);
	log_settings_change(log, &rig->log_settings);
	log_unlock(log);
	rig_pass(rig, 999);
	assert_non_null(producer_state_find(log_producers(log), 7));
	rig_pass(rig, 1);
	assert_null(producer_state_find(log_producers(log), 7));
	assert_non_null(producer_state_find(log_producers(log), 8));
	/* It may go on with any sequence. */
	append_of_producer(rig, log, 7);
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

static void
high_watermarks_are_checkpointed_when_they_change(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);
	uint64_t renames;
	char *text;

	fill(rig, log, 7);
	rig_pass(rig, 5000);
	text = temp_dir_get(rig->paths[0], CHECKPOINT_HIGH_WATERMARKS);
	assert_string_equal(text, "0\n1\na 0 7\n");
	free(text);
	renames = disk_fault_count(&rig->fault, DISK_RENAME);
	rig_pass(rig, 5000);
	rig_pass(rig, 5000);
	assert_int_equal(disk_fault_count(&rig->fault, DISK_RENAME), renames);
	fill(rig, log, 1);
	rig_pass(rig, 5000);
	text = temp_dir_get(rig->paths[0], CHECKPOINT_HIGH_WATERMARKS);
	assert_string_equal(text, "0\n1\na 0 8\n");
	free(text);
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

static void
recovery_points_are_what_was_flushed(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);
	char *text;

	log_lock(log);
	log_leader_epoch_begin(log, 3);
	log_unlock(log);
	fill(rig, log, 4);
	assert_int_equal(log_flush_all(log), 0);
	fill(rig, log, 3);
	assert_false(temp_dir_has(rig->paths[0],
	    "a-0/leader-epoch-checkpoint"));
	rig_pass(rig, 60000);
	text = temp_dir_get(rig->paths[0], CHECKPOINT_RECOVERY_POINTS);
	assert_string_equal(text, "0\n1\na 0 4\n");
	free(text);
	/* What lies below the recovery point must not be needed any more. */
	text = temp_dir_get(rig->paths[0], "a-0/leader-epoch-checkpoint");
	assert_string_equal(text, "0\n1\n3 0\n");
	free(text);
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

static void
a_full_disk_delays_checkpoints_only(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);
	char *text;

	fill(rig, log, 4);
	disk_fault_fail_all(&rig->fault, DISK_PWRITE, "checkpoint", 0,
	    ENOSPC);
	rig_pass(rig, 60000);
	assert_true(disk_fault_clear(&rig->fault) > 0);
	assert_int_equal(rig->failed_count, 0);
	assert_int_equal(append_one(rig, log, 0), KP_NONE);
	rig_pass(rig, 60000);
	text = temp_dir_get(rig->paths[0], CHECKPOINT_HIGH_WATERMARKS);
	assert_string_equal(text, "0\n1\na 0 4\n");
	free(text);
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

/*
 * A start does without writing the checkpoints that it found, but no new log
 * gets the offsets of one that is gone.
 */
static void
a_full_disk_delays_the_checkpoints_of_a_start(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);
	char *path, *text;

	fill(rig, log, 4);
	log_manager_release(rig->manager, log);
	rig_pass(rig, 60000);
	rig_kill(rig);
	path = xasprintf("%s/a-0", rig->paths[0]);
	temp_dir_remove(path);
	disk_fault_fail_all(&rig->fault, DISK_PWRITE, "checkpoint", 0,
	    ENOSPC);
	rig_must_start(rig);
	assert_int_equal(rig->failed_count, 0);
	assert_int_equal(log_manager_create(rig->manager, slice_str("a"), 0,
			     topic_a, &anywhere, &rig->log_settings, &log),
	    KP_KAFKA_STORAGE_ERROR);
	assert_true(disk_fault_clear(&rig->fault) > 1);
	log = create(rig, "a", 0);
	text = temp_dir_get(rig->paths[0], CHECKPOINT_RECOVERY_POINTS);
	assert_string_equal(text, "0\n0\n");
	free(text);
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

/* How often text is in the file of a descriptor. */
static int
lines_with(int fd, const char *text)
{
	char *lines = xcalloc(1, 65536);
	int count = 0;

	assert_true(pread(fd, lines, 65535, 0) >= 0);
	for (const char *at = lines; (at = strstr(at, text)) != NULL; at++)
		count++;
	free(lines);
	return count;
}

static void
create_many(struct rig *rig, enum kp_error expected)
{
	for (int32_t i = 0; i < 100; i++) {
		struct log *log;

		assert_int_equal(log_manager_create(rig->manager,
				     slice_str("a"), i, topic_a, &anywhere,
				     &rig->log_settings, &log),
		    expected);
		if (expected == KP_NONE)
			log_manager_release(rig->manager, log);
	}
}

/* Whatever clients do, and however long it lasts. */
static void
a_full_disk_is_said_once(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	int lines = memfd_create("lines", MFD_CLOEXEC);

	assert_true(lines >= 0);
	log_set_output(lines);
	for (int episode = 1; episode <= 2; episode++) {
		disk_fault_fail_all(&rig->fault, DISK_MKDIR, NULL, 0, ENOSPC);
		create_many(rig, KP_KAFKA_STORAGE_ERROR);
		rig_retry(rig);
		create_many(rig, KP_KAFKA_STORAGE_ERROR);
		disk_fault_clear(&rig->fault);
		disk_fault_fail_all(
		    &rig->fault, DISK_PWRITE, "checkpoint", 0, ENOSPC);
		log_manager_release(rig->manager, create(rig, "b", episode));
		for (int i = 0; i < 10; i++)
			rig_pass(rig, 60000);
		assert_int_equal(
		    lines_with(lines, "No space left on device"), episode);
		assert_true(disk_fault_clear(&rig->fault) > 9);
		assert_int_equal(
		    lines_with(lines, "has room again"), episode - 1);
		for (int i = 0; i < 3; i++)
			rig_pass(rig, 60000);
		assert_int_equal(lines_with(lines, "has room again"), episode);
	}
	log_set_output(STDOUT_FILENO);
	close(lines);
	rig_free(rig);
}

/* What is tried again does not try where another has just failed. */
static void
one_try_at_a_time_is_enough(void **state UNUSED)
{
	static const struct log_manager_place again = { .again = true };
	struct rig *rig = rig_new(1);
	struct log *log;

	disk_fault_fail_all(&rig->fault, DISK_MKDIR, NULL, 0, ENOSPC);
	create_many(rig, KP_KAFKA_STORAGE_ERROR);
	rig_retry(rig);
	assert_int_equal(rig->retried_count, 1);
	assert_int_equal(disk_fault_clear(&rig->fault), 100);
	disk_fault_fail_all(&rig->fault, DISK_MKDIR, NULL, 0, ENOSPC);
	for (int i = 0; i < 10; i++)
		assert_int_equal(log_manager_create(rig->manager,
				     slice_str("a"), i, topic_a, &again,
				     &rig->log_settings, &log),
		    KP_KAFKA_STORAGE_ERROR);
	assert_int_equal(disk_fault_clear(&rig->fault), 1);
	/* What is new tries, and there is room. */
	create_many(rig, KP_NONE);
	rig_free(rig);
}

/* Too many clients are no damage: nothing goes offline for them. */
static void
a_lack_of_descriptors_delays_only(void **state UNUSED)
{
	static const int errors[] = { EMFILE, ENFILE, ENOMEM };
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);
	char *text;

	log_manager_release(rig->manager, create(rig, "b", 0));
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		fill(rig, log, 1);
		rig->manager->dirs[0].names_dirty = true;
		disk_fault_fail_all(
		    &rig->fault, DISK_OPEN, NULL, 0, errors[i]);
		rig_pass(rig, 60000);
		assert_true(disk_fault_clear(&rig->fault) > 0);
	}
	assert_int_equal(rig->failed_count, 0);
	assert_int_equal(append_one(rig, log, 0), KP_NONE);
	assert_true(rig->manager->dirs[0].names_dirty);
	rig_pass(rig, 60000);
	assert_false(rig->manager->dirs[0].names_dirty);
	text = temp_dir_get(rig->paths[0], CHECKPOINT_HIGH_WATERMARKS);
	assert_non_null(strstr(text, "a 0 3\n"));
	free(text);
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

static void
flush_ms_is_kept(void **state UNUSED)
{
	struct rig *rig = rig_prepare(1);
	struct log *log;

	rig->log_settings.flush_ms = 1000;
	rig->settings.flush_check_interval_ms = 100;
	rig_must_start(rig);
	log = create(rig, "a", 0);
	fill(rig, log, 2);
	rig_pass(rig, 999);
	flusher_drain(rig->flusher, log);
	assert_int_equal(log_flushed_offset(log), 0);
	rig_pass(rig, 100);
	flusher_drain(rig->flusher, log);
	assert_int_equal(log_flushed_offset(log), 2);
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

/* What klamm.flush=os leaves in the page cache is synced when it is full. */
static void
full_segments_are_flushed(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);

	fill(rig, log, 3);
	rig_pass(rig, 10000);
	flusher_drain(rig->flusher, log);
	assert_int_equal(log_flushed_offset(log), 0);
	log_lock(log);
	assert_int_equal(log_roll(log, rig->wall_ms), 0);
	log_unlock(log);
	rig_pass(rig, 10000);
	flusher_drain(rig->flusher, log);
	assert_int_equal(log_flushed_offset(log), 3);
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

/* --- failing directories ------------------------------------------------- */

static void
on_failed(struct log *log, void *context)
{
	log_manager_log_failed(context, log);
}

static void
one_bad_log_takes_its_directory_offline(void **state UNUSED)
{
	struct rig *rig = rig_new(2);
	struct log *logs[4];

	for (int32_t i = 0; i < 4; i++) {
		logs[i] = create(rig, "a", i);
		log_events_set(logs[i],
		    (struct log_events){ .failed = on_failed,
			.context = rig->manager });
		fill(rig, logs[i], 1);
	}
	disk_fault_fail(&rig->fault, DISK_PWRITE, "a-0", 0, EIO);
	assert_int_equal(append_one(rig, logs[0], 0),
	    KP_KAFKA_STORAGE_ERROR);
	disk_fault_clear(&rig->fault);
	/* a-2 is in the same directory, a-1 and a-3 in the other one. */
	assert_int_equal(append_one(rig, logs[2], 0), KP_NONE);
	rig_pass(rig, 0);
	assert_int_equal(rig->failed_count, 1);
	assert_int_equal(rig->failed_remaining, 1);
	assert_int_equal(append_one(rig, logs[2], 0),
	    KP_KAFKA_STORAGE_ERROR);
	assert_int_equal(append_one(rig, logs[1], 0), KP_NONE);
	assert_int_equal(append_one(rig, logs[3], 0), KP_NONE);
	rig_pass(rig, 0);
	assert_int_equal(rig->failed_count, 1);
	for (int32_t i = 4; i < 6; i++)
		log_manager_release(rig->manager, create(rig, "a", i));
	assert_true(temp_dir_has(rig->paths[1], "a-4"));
	assert_true(temp_dir_has(rig->paths[1], "a-5"));
	for (int32_t i = 0; i < 4; i++)
		log_manager_release(rig->manager, logs[i]);
	assert_int_equal(rig_stop(rig, 1), -1);
	assert_false(temp_dir_has(rig->paths[0], ".kafka_cleanshutdown"));
	assert_true(temp_dir_has(rig->paths[1], ".kafka_cleanshutdown"));
	rig_free(rig);
}

static void
a_checkpoint_that_fails_takes_the_directory_offline(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct log *log = create(rig, "a", 0);

	fill(rig, log, 1);
	disk_fault_fail(&rig->fault, DISK_FSYNC, "replication", 0, EIO);
	rig_pass(rig, 5000);
	assert_int_equal(disk_fault_clear(&rig->fault), 1);
	assert_int_equal(rig->failed_count, 1);
	assert_int_equal(rig->failed_remaining, 0);
	assert_int_equal(append_one(rig, log, 0), KP_KAFKA_STORAGE_ERROR);
	log_manager_release(rig->manager, log);
	rig_free(rig);
}

/* --- who waits ----------------------------------------------------------- */

/* Somebody who deletes a log while files of another one are unlinked. */
struct impatient {
	struct rig *rig;
	struct log *log;
	pthread_t thread;
	atomic_int unlinked;	/* of segments */
	atomic_int unlinked_before;	/* its turn came; -1: it did not yet */
};

static void *
delete_log(void *context)
{
	struct impatient *impatient = context;

	assert_int_equal(log_manager_delete(
			     impatient->rig->manager, impatient->log),
	    KP_NONE);
	return NULL;
}

/* Have it begin with the first file, and wait until it is the next in turn. */
static void
begin_deletion(struct impatient *impatient)
{
	pthread_mutex_t *turn = &impatient->rig->manager->upkeep_turn;

	assert_int_equal(pthread_create(&impatient->thread, NULL, delete_log,
			     impatient),
	    0);
	while (pthread_mutex_trylock(turn) == 0) {
		pthread_mutex_unlock(turn);
		sched_yield();
	}
}

static void
impatient_hook(void *context, enum disk_operation operation, const char *path)
{
	struct impatient *impatient = context;

	if (operation == DISK_UNLINK && strstr(path, ".log.deleted") != NULL &&
	    impatient->unlinked++ == 0)
		begin_deletion(impatient);
	if (operation == DISK_RENAME && strstr(path, "b-0") != NULL)
		impatient->unlinked_before = impatient->unlinked;
}

static void
a_deletion_waits_for_few_files(void **state UNUSED)
{
	struct rig *rig = rig_prepare(1);
	struct impatient impatient = { .rig = rig, .unlinked_before = -1 };
	struct log *log;
	int removed;

	rig->log_settings.segment_bytes = 400;
	rig->log_settings.retention_bytes = 0;
	rig_must_start(rig);
	log = create(rig, "a", 0);
	impatient.log = create(rig, "b", 0);
	fill(rig, log, 40);
	assert_int_equal(log_flush_all(log), 0);
	removed = log_retain(log, rig->wall_ms);
	assert_true(removed >= 39);
	rig->fault.hook_context = &impatient;
	rig->fault.hook = impatient_hook;
	rig_pass(rig, 2 * 60000);
	assert_int_equal(pthread_join(impatient.thread, NULL), 0);
	rig->fault.hook = NULL;
	assert_int_equal(impatient.unlinked, removed);
	assert_in_range(impatient.unlinked_before, 1, 8);
	log_manager_release(rig->manager, log);
	log_manager_release(rig->manager, impatient.log);
	assert_int_equal(rig_stop(rig, 1), 0);
	rig_free(rig);
}

/* --- the thread ---------------------------------------------------------- */

/* Runs with the real clock: the thread deletes, and ends when asked to. */
static void
the_thread_does_what_is_due(void **state UNUSED)
{
	struct rig *rig = rig_prepare(1);
	struct log *log;

	clock_install(NULL);
	rig->settings.delete_delay_ms = 0;
	rig->settings.high_watermark_interval_ms = 1;
	rig_must_start(rig);
	log_manager_start(rig->manager);
	log_manager_release(rig->manager, create(rig, "b", 0));
	log = create(rig, "a", 0);
	fill(rig, log, 2);
	while (!temp_dir_has(rig->paths[0], CHECKPOINT_HIGH_WATERMARKS))
		sched_yield();
	assert_int_equal(log_manager_delete(rig->manager, log), KP_NONE);
	while (names_with(rig->paths[0], "-delete") > 0)
		sched_yield();
	log_manager_release(rig->manager, log);
	assert_int_equal(rig_stop(rig, 1), 0);
	rig_free(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_created_log_is_found),
		cmocka_unit_test(creating_syncs_nothing),
		cmocka_unit_test(logs_spread_over_directories),
		cmocka_unit_test(a_stop_syncs_no_log_by_itself),
		cmocka_unit_test(an_orderly_stop_keeps_everything),
		cmocka_unit_test(a_clean_start_opens_no_segment),
		cmocka_unit_test(a_kill_is_not_clean_and_loses_nothing),
		cmocka_unit_test(epochs_that_differ_are_unknown),
		cmocka_unit_test(no_failure_of_a_stop_loses_a_record),
		cmocka_unit_test(a_log_that_does_not_close_leaves_no_mark),
		cmocka_unit_test(
		    a_start_with_a_bad_directory_serves_the_other),
		cmocka_unit_test(
		    a_directory_that_fails_leaves_the_other_alone),
		cmocka_unit_test(a_partition_waits_for_its_directory),
		cmocka_unit_test(a_log_moves),
		cmocka_unit_test(the_metadata_decides_between_two),
		cmocka_unit_test(no_failure_of_a_move_loses_a_record),
		cmocka_unit_test(a_move_to_a_full_disk_ends),
		cmocka_unit_test(a_log_that_moves_is_deleted),
		cmocka_unit_test(a_move_is_called_back),
		cmocka_unit_test(a_place_is_kept_until_there_is_room),
		cmocka_unit_test(wrong_directories_are_refused),
		cmocka_unit_test(lost_and_found_is_left_alone),
		cmocka_unit_test(a_refused_start_leaves_the_marks),
		cmocka_unit_test(the_marks_go_before_a_log_is_opened),
		cmocka_unit_test(a_partition_twice_is_refused),
		cmocka_unit_test(what_the_metadata_does_not_have_is_set_aside),
		cmocka_unit_test(a_lost_partition_metadata_is_made_anew),
		cmocka_unit_test(a_partition_that_cannot_be_read_is_offline),
		cmocka_unit_test(
		    a_partition_that_found_no_room_is_loaded_later),
		cmocka_unit_test(records_without_metadata_are_told),
		cmocka_unit_test(a_deleted_log_goes_after_the_delay),
		cmocka_unit_test(the_delay_may_change),
		cmocka_unit_test(a_deletion_goes_on_after_a_restart),
		cmocka_unit_test(a_removal_that_fails_is_tried_again),
		cmocka_unit_test(
		    a_rename_that_fails_takes_the_directory_offline),
		cmocka_unit_test(a_rename_that_found_no_room_frees_the_name),
		cmocka_unit_test(
		    a_deleted_log_gives_its_room_back_on_a_full_disk),
		cmocka_unit_test(a_stray_that_finds_no_room_frees_the_name),
		cmocka_unit_test(
		    a_name_used_again_begins_at_zero_after_a_kill),
		cmocka_unit_test(a_checkpoint_without_its_log_is_forgotten),
		cmocka_unit_test(retention_runs_after_the_delay),
		cmocka_unit_test(what_the_last_run_removed_goes_at_once),
		cmocka_unit_test(a_log_start_survives_a_kill),
		cmocka_unit_test(producers_expire),
		cmocka_unit_test(
		    high_watermarks_are_checkpointed_when_they_change),
		cmocka_unit_test(recovery_points_are_what_was_flushed),
		cmocka_unit_test(a_full_disk_delays_checkpoints_only),
		cmocka_unit_test(a_full_disk_is_said_once),
		cmocka_unit_test(one_try_at_a_time_is_enough),
		cmocka_unit_test(a_full_disk_delays_the_checkpoints_of_a_start),
		cmocka_unit_test(a_lack_of_descriptors_delays_only),
		cmocka_unit_test(flush_ms_is_kept),
		cmocka_unit_test(full_segments_are_flushed),
		cmocka_unit_test(one_bad_log_takes_its_directory_offline),
		cmocka_unit_test(
		    a_checkpoint_that_fails_takes_the_directory_offline),
		cmocka_unit_test(a_deletion_waits_for_few_files),
		cmocka_unit_test(the_thread_does_what_is_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
