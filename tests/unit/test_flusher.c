/* The flusher: what was submitted is durable, together, and told. */
#include "unit/unit.h"

#include "base/thread.h"
#include "store/flusher.c"
#include "store/log_internal.h"
#include "unit/store_fixture.h"

#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#define LOGS_MAX 20

/* What a log told; counted under its lock. */
struct heard {
	int flushed;
	int failed;
};

static void
on_flushed(struct log *log UNUSED, void *context)
{
	((struct heard *)context)->flushed++;
}

static void
on_failed(struct log *log UNUSED, void *context)
{
	((struct heard *)context)->failed++;
}

struct rig {
	struct flusher *flusher;
	struct fixture fixtures[LOGS_MAX];
	struct heard heard[LOGS_MAX];
	size_t count;
};

/* A flusher and count new logs, each durable, with one batch behind that. */
static struct rig *
rig_new(size_t count)
{
	struct rig *rig = xcalloc(1, sizeof(*rig));

	rig->count = count;
	rig->flusher = flusher_new();
	assert_non_null(rig->flusher);
	for (size_t i = 0; i < count; i++) {
		struct fixture *f = &rig->fixtures[i];

		fixture_init(f);
		fixture_must_append(f, &(struct fixture_batch){ 0 });
		assert_int_equal(log_flush_all(f->log), 0);
		log_events_set(f->log,
		    (struct log_events){ on_flushed, on_failed,
			&rig->heard[i] });
		fixture_must_append(f, &(struct fixture_batch){ .count = 4 });
	}
	return rig;
}

static void
rig_free(struct rig *rig)
{
	flusher_free(rig->flusher);
	for (size_t i = 0; i < rig->count; i++)
		fixture_fini(&rig->fixtures[i]);
	free(rig);
}

static struct log *
rig_log(struct rig *rig, size_t i)
{
	return rig->fixtures[i].log;
}

static int64_t
flushed_of(struct rig *rig, size_t i)
{
	struct log *log = rig_log(rig, i);
	int64_t offset;

	log_lock(log);
	offset = log_flushed_offset(log);
	log_unlock(log);
	return offset;
}

static void
submit_all(struct rig *rig)
{
	for (size_t i = 0; i < rig->count; i++)
		flusher_submit(rig->flusher, rig_log(rig, i));
}

static void
drain_all(struct rig *rig)
{
	for (size_t i = 0; i < rig->count; i++)
		flusher_drain(rig->flusher, rig_log(rig, i));
}

/* The sync of a file on a disk that stalls. */
struct stall {
	sem_t reached;
	sem_t over;
};

static void
hold_sync(void *context, enum disk_operation operation, const char *path UNUSED)
{
	struct stall *stall = context;

	if (operation != DISK_FDATASYNC)
		return;
	sem_post(&stall->reached);
	sem_wait(&stall->over);
}

/* Who waits for another disk does not wait for the one that stalls. */
static void
a_stalled_directory_holds_no_other(void **state UNUSED)
{
	struct rig *rig = rig_new(2);
	struct stall stall;

	sem_init(&stall.reached, 0, 0);
	sem_init(&stall.over, 0, 0);
	log_flush_link(rig_log(rig, 1))->lane = 1;
	rig->fixtures[0].fault.hook_context = &stall;
	rig->fixtures[0].fault.hook = hold_sync;
	flusher_submit(rig->flusher, rig_log(rig, 0));
	sem_wait(&stall.reached);
	flusher_submit(rig->flusher, rig_log(rig, 1));
	flusher_drain(rig->flusher, rig_log(rig, 1));
	assert_int_equal(flushed_of(rig, 1), 5);
	assert_int_equal(flushed_of(rig, 0), 1);
	sem_post(&stall.over);
	flusher_drain(rig->flusher, rig_log(rig, 0));
	assert_int_equal(flushed_of(rig, 0), 5);
	rig->fixtures[0].fault.hook = NULL;
	rig_free(rig);
	sem_destroy(&stall.reached);
	sem_destroy(&stall.over);
}

static void
a_submitted_log_becomes_durable(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	uint64_t syncs = disk_fault_count(&rig->fixtures[0].fault,
	    DISK_FDATASYNC);

	assert_int_equal(flushed_of(rig, 0), 1);
	submit_all(rig);
	drain_all(rig);
	assert_int_equal(flushed_of(rig, 0), 5);
	assert_int_equal(rig->heard[0].flushed, 1);
	assert_int_equal(disk_fault_count(&rig->fixtures[0].fault,
			     DISK_FDATASYNC),
	    syncs + 1);
	/* With nothing dirty nothing is synced. */
	submit_all(rig);
	drain_all(rig);
	assert_int_equal(disk_fault_count(&rig->fixtures[0].fault,
			     DISK_FDATASYNC),
	    syncs + 1);
	assert_int_equal(rig->heard[0].flushed, 1);
	rig_free(rig);
}

static void
what_is_submitted_is_synced_before_the_end(void **state UNUSED)
{
	struct rig *rig = rig_new(3);

	submit_all(rig);
	flusher_free(rig->flusher);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(flushed_of(rig, i), 5);
	rig->flusher = NULL;
	rig_free(rig);
}

/* --- rounds -------------------------------------------------------------- */

/* Stops the flusher in a sync until it is let go. */
struct gate {
	sem_t entered;
	sem_t leave;
	atomic_int left;	/* syncs that still stop */
};

static void
gate_hook(void *context, enum disk_operation operation,
    const char *path UNUSED)
{
	struct gate *gate = context;

	if (operation != DISK_FDATASYNC ||
	    atomic_fetch_sub(&gate->left, 1) <= 0)
		return;
	sem_post(&gate->entered);
	sem_wait(&gate->leave);
}

static void
gate_init(struct gate *gate, struct fixture *fixture)
{
	sem_init(&gate->entered, 0, 0);
	sem_init(&gate->leave, 0, 0);
	gate->left = 1;
	fixture->fault.hook_context = gate;
	fixture->fault.hook = gate_hook;
}

static void
one_round_covers_what_came_during_a_sync(void **state UNUSED)
{
	struct rig *rig = rig_new(4);
	struct gate gate;
	uint64_t rounds;

	gate_init(&gate, &rig->fixtures[0]);
	flusher_submit(rig->flusher, rig_log(rig, 0));
	sem_wait(&gate.entered);
	/* The round that runs does not cover this. */
	for (int n = 0; n < 3; n++) {
		for (size_t i = 0; i < 4; i++) {
			fixture_must_append(&rig->fixtures[i],
			    &(struct fixture_batch){ 0 });
			flusher_submit(rig->flusher, rig_log(rig, i));
		}
	}
	assert_int_equal(flushed_of(rig, 0), 1);
	sem_post(&gate.leave);
	drain_all(rig);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(flushed_of(rig, i), 8);
	assert_int_equal(rig->heard[0].flushed, 2);
	assert_int_equal(rig->heard[1].flushed, 1);
	rounds = flusher_counters(rig->flusher).rounds;
	assert_int_equal(rounds, 2);
	rig_free(rig);
}

/* What a syncfs sees: the logs whose descriptor cannot be closed. */
struct pins {
	struct rig *rig;
	size_t syncfs;
	size_t most;
};

static void
pins_count(void *context, enum disk_operation operation,
    const char *path UNUSED)
{
	struct pins *pins = context;
	size_t pinned = 0;

	if (operation != DISK_SYNCFS)
		return;
	for (size_t i = 0; i < pins->rig->count; i++)
		pinned += log_active(rig_log(pins->rig, i))->file.pins > 0;
	pins->syncfs++;
	pins->most = MAX(pins->most, pinned);
}

/* There may be fewer descriptors than logs. */
static void
one_descriptor_is_kept_for_a_file_system(void **state UNUSED)
{
	struct rig *rig = rig_new(LOGS_MAX);
	struct pins pins = { .rig = rig };
	struct gate gate;

	gate_init(&gate, &rig->fixtures[0]);
	flusher_submit(rig->flusher, rig_log(rig, 0));
	sem_wait(&gate.entered);
	for (size_t i = 1; i < LOGS_MAX; i++) {
		rig->fixtures[i].fault.hook_context = &pins;
		rig->fixtures[i].fault.hook = pins_count;
		flusher_submit(rig->flusher, rig_log(rig, i));
	}
	sem_post(&gate.leave);
	drain_all(rig);
	if (syncfs_reports_errors()) {
		assert_int_equal(pins.syncfs, 1);
		assert_int_equal(pins.most, 1);
	}
	for (size_t i = 1; i < LOGS_MAX; i++)
		assert_int_equal(log_active(rig_log(rig, i))->file.pins, 0);
	rig_free(rig);
}

static void
many_logs_are_synced_with_their_file_system(void **state UNUSED)
{
	struct rig *rig = rig_new(LOGS_MAX);
	struct gate gate;
	uint64_t before[LOGS_MAX], calls = 0;

	gate_init(&gate, &rig->fixtures[0]);
	flusher_submit(rig->flusher, rig_log(rig, 0));
	sem_wait(&gate.entered);
	for (size_t i = 1; i < LOGS_MAX; i++) {
		before[i] = disk_fault_count(&rig->fixtures[i].fault,
		    DISK_FDATASYNC);
		flusher_submit(rig->flusher, rig_log(rig, i));
	}
	sem_post(&gate.leave);
	drain_all(rig);
	for (size_t i = 1; i < LOGS_MAX; i++) {
		assert_int_equal(flushed_of(rig, i), 5);
		assert_int_equal(rig->heard[i].flushed, 1);
		calls += disk_fault_count(&rig->fixtures[i].fault,
		    DISK_SYNCFS);
		if (syncfs_reports_errors())
			assert_int_equal(
			    disk_fault_count(&rig->fixtures[i].fault,
				DISK_FDATASYNC),
			    before[i]);
	}
	assert_int_equal(calls, syncfs_reports_errors() ? 1 : 0);
	rig_free(rig);
}

/* --- failures ------------------------------------------------------------ */

static void
a_failed_sync_takes_the_log_offline_for_ever(void **state UNUSED)
{
	struct rig *rig = rig_new(2);
	struct fixture *f = &rig->fixtures[0];
	struct log_append append;
	uint64_t syncs;

	disk_fault_fail(&f->fault, DISK_FDATASYNC, ".log", 0, EIO);
	submit_all(rig);
	drain_all(rig);
	assert_int_equal(disk_fault_clear(&f->fault), 1);
	syncs = disk_fault_count(&f->fault, DISK_FDATASYNC);
	assert_int_equal(flushed_of(rig, 0), 1);
	assert_int_equal(rig->heard[0].failed, 1);
	assert_int_equal(rig->heard[0].flushed, 0);
	assert_int_equal(flusher_counters(rig->flusher).failures, 1);
	/* The other log does not suffer. */
	assert_int_equal(flushed_of(rig, 1), 5);
	submit_all(rig);
	drain_all(rig);
	assert_int_equal(disk_fault_count(&f->fault, DISK_FDATASYNC), syncs);
	assert_int_equal(flushed_of(rig, 0), 1);
	assert_int_equal(fixture_append(f, &(struct fixture_batch){ 0 },
			     &append),
	    KP_KAFKA_STORAGE_ERROR);
	rig_free(rig);
}

static void
a_failed_syncfs_takes_all_its_logs_offline(void **state UNUSED)
{
	struct rig *rig = rig_new(LOGS_MAX);
	struct gate gate;

	gate_init(&gate, &rig->fixtures[0]);
	flusher_submit(rig->flusher, rig_log(rig, 0));
	sem_wait(&gate.entered);
	for (size_t i = 1; i < LOGS_MAX; i++) {
		disk_fault_fail(&rig->fixtures[i].fault, DISK_SYNCFS, NULL, 0,
		    EIO);
		flusher_submit(rig->flusher, rig_log(rig, i));
	}
	sem_post(&gate.leave);
	drain_all(rig);
	assert_int_equal(flushed_of(rig, 0), 5);
	for (size_t i = 1; i < LOGS_MAX && syncfs_reports_errors(); i++) {
		assert_int_equal(rig->heard[i].failed, 1);
		assert_int_equal(flushed_of(rig, i), 1);
	}
	rig_free(rig);
}

/* --- forgetting ---------------------------------------------------------- */

static void *
forget_main(void *argument)
{
	struct rig *rig = argument;

	flusher_forget(rig->flusher, rig_log(rig, 0));
	return NULL;
}

static void
forgetting_waits_for_the_round(void **state UNUSED)
{
	struct rig *rig = rig_new(2);
	struct gate gate;
	pthread_t thread;

	gate_init(&gate, &rig->fixtures[0]);
	flusher_submit(rig->flusher, rig_log(rig, 0));
	sem_wait(&gate.entered);
	/* Queued for the next round, in which it must not be. */
	flusher_submit(rig->flusher, rig_log(rig, 1));
	flusher_forget(rig->flusher, rig_log(rig, 1));
	assert_int_equal(thread_start(&thread, "forget", forget_main, rig), 0);
	assert_int_equal(flushed_of(rig, 0), 1);
	sem_post(&gate.leave);
	pthread_join(thread, NULL);
	assert_int_equal(flushed_of(rig, 0), 5);
	assert_int_equal(flushed_of(rig, 1), 1);
	rig_free(rig);
}

/* --- threads ------------------------------------------------------------- */

struct writer {
	struct rig *rig;
	size_t first;
};

static void *
writer_main(void *argument)
{
	struct writer *writer = argument;

	for (int n = 0; n < 100; n++) {
		size_t i = (writer->first + (size_t)n) % writer->rig->count;
		struct fixture *f = &writer->rig->fixtures[i];

		fixture_must_append(f, &(struct fixture_batch){ 0 });
		flusher_submit(writer->rig->flusher, f->log);
	}
	return NULL;
}

static void
many_threads_submit(void **state UNUSED)
{
	struct rig *rig = rig_new(5);
	struct writer writers[4];
	pthread_t threads[4];
	int64_t total = 0;

	for (size_t i = 0; i < 4; i++) {
		writers[i] = (struct writer){ rig, i };
		assert_int_equal(thread_start(&threads[i], "writer",
				     writer_main, &writers[i]),
		    0);
	}
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	drain_all(rig);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(flushed_of(rig, i),
		    log_end_offset(rig_log(rig, i)));
		total += flushed_of(rig, i);
	}
	assert_int_equal(total, 5 * 5 + 400);
	rig_free(rig);
}

/* Without a descriptor nothing was tried: it is, until it works. */
static void
a_lack_of_descriptors_is_waited_for(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct fixture *f = &rig->fixtures[0];

	log_lock(f->log);
	assert_int_equal(log_roll(f->log, FIXTURE_NOW_MS), 0);
	log_unlock(f->log);
	fixture_must_append(f, &(struct fixture_batch){ 0 });
	disk_fault_fail_all(&f->fault, DISK_OPEN, NULL, 0, EMFILE);
	submit_all(rig);
	drain_all(rig);
	assert_int_equal(flushed_of(rig, 0), 1);
	assert_int_equal(rig->heard[0].failed, 0);
	assert_int_equal(flusher_counters(rig->flusher).failures, 0);
	assert_true(disk_fault_clear(&f->fault) > 0);
	while (flushed_of(rig, 0) < 6)
		sched_yield();
	assert_int_equal(rig->heard[0].failed, 0);
	rig_free(rig);
}

/* Nor does a log that nobody wants any more hold up its end. */
static void
a_log_that_waits_for_a_descriptor_is_forgotten(void **state UNUSED)
{
	struct rig *rig = rig_new(1);
	struct fixture *f = &rig->fixtures[0];

	log_lock(f->log);
	assert_int_equal(log_roll(f->log, FIXTURE_NOW_MS), 0);
	log_unlock(f->log);
	disk_fault_fail_all(&f->fault, DISK_OPEN, NULL, 0, ENOMEM);
	submit_all(rig);
	drain_all(rig);
	flusher_forget(rig->flusher, f->log);
	disk_fault_clear(&f->fault);
	assert_int_equal(flushed_of(rig, 0), 1);
	assert_int_equal(rig->heard[0].failed, 0);
	rig_free(rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_submitted_log_becomes_durable),
		cmocka_unit_test(what_is_submitted_is_synced_before_the_end),
		cmocka_unit_test(one_round_covers_what_came_during_a_sync),
		cmocka_unit_test(many_logs_are_synced_with_their_file_system),
		cmocka_unit_test(one_descriptor_is_kept_for_a_file_system),
		cmocka_unit_test(a_failed_sync_takes_the_log_offline_for_ever),
		cmocka_unit_test(a_failed_syncfs_takes_all_its_logs_offline),
		cmocka_unit_test(a_lack_of_descriptors_is_waited_for),
		cmocka_unit_test(
		    a_log_that_waits_for_a_descriptor_is_forgotten),
		cmocka_unit_test(forgetting_waits_for_the_round),
		cmocka_unit_test(many_threads_submit),
		cmocka_unit_test(a_stalled_directory_holds_no_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
