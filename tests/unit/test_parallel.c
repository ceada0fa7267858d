/* Running over many indexes on several threads. */
#include "unit/unit.h"

#include "base/parallel.c"

static void
count(void *context, size_t index)
{
	atomic_fetch_add(&((atomic_int *)context)[index], 1);
}

static void
each_index_is_run_once(void **state UNUSED)
{
	static const int threads[] = { -1, 0, 1, 2, 7, 1000 };
	static atomic_int seen[500];

	for (size_t t = 0; t < COUNT_OF(threads); t++) {
		for (size_t n = 0; n <= COUNT_OF(seen); n += 125) {
			for (size_t i = 0; i < COUNT_OF(seen); i++)
				seen[i] = 0;
			parallel_run(threads[t], n, count, seen);
			for (size_t i = 0; i < COUNT_OF(seen); i++)
				assert_int_equal(seen[i], i < n);
		}
	}
}

/* Waits until all of the others are there too: they run at once. */
static void
meet(void *context, size_t index UNUSED)
{
	pthread_barrier_wait(context);
}

static void
threads_run_at_once(void **state UNUSED)
{
	pthread_barrier_t barrier;

	pthread_barrier_init(&barrier, NULL, 4);
	parallel_run(4, 4, meet, &barrier);
	pthread_barrier_destroy(&barrier);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_index_is_run_once),
		cmocka_unit_test(threads_run_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
