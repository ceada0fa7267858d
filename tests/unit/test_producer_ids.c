/* Producer ids: never one twice, whatever happens in between. */
#include "unit/meta_rig.h"

#include <errno.h>
#include <pthread.h>

#include "meta/producer_ids.h"
#include "wire/generated/metadata_producer_ids_record.h"

struct waiting {
	struct producer_ids_waiter waiter;
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool ready;
};

static int
setup(void **state)
{
	struct meta_rig *rig = xcalloc(1, sizeof(*rig));

	meta_rig_init(rig);
	meta_rig_start(rig);
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	meta_rig_fini(*state);
	free(*state);
	return 0;
}

static void
wake(struct producer_ids_waiter *waiter)
{
	struct waiting *waiting = CONTAINER_OF(waiter, struct waiting, waiter);

	pthread_mutex_lock(&waiting->lock);
	waiting->ready = true;
	pthread_cond_signal(&waiting->cond);
	pthread_mutex_unlock(&waiting->lock);
}

/* The next id, or -1 with the error. */
static int64_t
next(struct producer_ids *ids, enum kp_error *error)
{
	struct waiting waiting = {
		.waiter.ready = wake,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.cond = PTHREAD_COND_INITIALIZER,
	};

	*error = KP_NONE;
	if (producer_ids_next(ids, &waiting.waiter))
		return waiting.waiter.id;
	pthread_mutex_lock(&waiting.lock);
	while (!waiting.ready)
		pthread_cond_wait(&waiting.cond, &waiting.lock);
	pthread_mutex_unlock(&waiting.lock);
	*error = waiting.waiter.error;
	return *error == KP_NONE ? waiting.waiter.id : -1;
}

static void
ids_rise_over_blocks_and_restarts(void **state)
{
	struct meta_rig *rig = *state;
	struct producer_ids *ids =
	    producer_ids_new(rig->controller, META_RIG_NODE);
	enum kp_error error;
	int64_t id = -1;

	for (int i = 0; i < 2500; i++) {
		int64_t before = id;

		id = next(ids, &error);
		assert_int_equal(error, KP_NONE);
		assert_int_equal(id, before + 1);
	}
	controller_stop(rig->controller);
	producer_ids_free(ids);
	assert_true(image_producer_id_next(rig->image) > id);
	meta_rig_stop(rig);
	meta_rig_start(rig);
	ids = producer_ids_new(rig->controller, META_RIG_NODE);
	assert_true(next(ids, &error) > id);
	controller_stop(rig->controller);
	producer_ids_free(ids);
}

#define THREADS 4
#define EACH 2000

struct taker {
	struct producer_ids *ids;
	int64_t taken[EACH];
	pthread_t thread;
};

static void *
take_many(void *context)
{
	struct taker *taker = context;
	enum kp_error error;

	for (int i = 0; i < EACH; i++) {
		taker->taken[i] = next(taker->ids, &error);
		assert_int_equal(error, KP_NONE);
	}
	return NULL;
}

static void
threads_never_share_an_id(void **state)
{
	struct meta_rig *rig = *state;
	struct producer_ids *ids =
	    producer_ids_new(rig->controller, META_RIG_NODE);
	struct taker *takers = xcalloc(THREADS, sizeof(*takers));
	bool *seen = xcalloc(THREADS * EACH + 2000, sizeof(*seen));

	for (int i = 0; i < THREADS; i++) {
		takers[i].ids = ids;
		assert_int_equal(pthread_create(&takers[i].thread, NULL,
				     take_many, &takers[i]),
		    0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(takers[i].thread, NULL);
	for (int i = 0; i < THREADS; i++) {
		for (int j = 0; j < EACH; j++) {
			int64_t id = takers[i].taken[j];

			assert_in_range(id, 0, THREADS * EACH + 1999);
			assert_false(seen[id]);
			seen[id] = true;
		}
	}
	controller_stop(rig->controller);
	producer_ids_free(ids);
	free(takers);
	free(seen);
}

static void
a_failed_block_fails_who_waits_and_heals(void **state)
{
	struct meta_rig *rig = *state;
	struct producer_ids *ids =
	    producer_ids_new(rig->controller, META_RIG_NODE);
	enum kp_error error;

	disk_fault_fail(&rig->fault, DISK_PWRITE, ".log", 0, ENOSPC);
	assert_int_equal(next(ids, &error), -1);
	assert_int_equal(error, KP_KAFKA_STORAGE_ERROR);
	disk_fault_clear(&rig->fault);
	assert_int_equal(next(ids, &error), 0);
	controller_stop(rig->controller);
	producer_ids_free(ids);
}

static void
there_is_an_end(void **state)
{
	struct meta_rig *rig = *state;
	const struct kp_producer_ids_record last = {
		.next_producer_id = INT64_MAX - 10,
	};
	struct producer_ids *ids;
	enum kp_error error;

	assert_int_equal(
	    meta_rig_emit(rig, METADATA_RECORD_PRODUCER_IDS, &last), KP_NONE);
	ids = producer_ids_new(rig->controller, META_RIG_NODE);
	assert_int_equal(next(ids, &error), -1);
	assert_int_equal(error, KP_UNKNOWN_SERVER_ERROR);
	controller_stop(rig->controller);
	/* And after the stop nobody waits for ever. */
	assert_int_equal(next(ids, &error), -1);
	assert_int_equal(error, KP_NOT_CONTROLLER);
	producer_ids_free(ids);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(ids_rise_over_blocks_and_restarts),
		TEST(threads_never_share_an_id),
		TEST(a_failed_block_fails_who_waits_and_heals),
		TEST(there_is_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
