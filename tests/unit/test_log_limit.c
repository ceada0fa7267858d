/*
 * Lines that others can cause at will: one of a kind and a peer in an
 * interval, and how many were left out when it is over.
 */
#include "unit/unit.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_limit.c"

#define INTERVAL_MS 1000

static int64_t now_us;

static int64_t
wall_ms(void *context UNUSED)
{
	return now_us / 1000;
}

static int64_t
monotonic_us(void *context UNUSED)
{
	return now_us;
}

static const struct clock_source source = {
	.wall_ms = wall_ms,
	.monotonic_us = monotonic_us,
};

struct state {
	struct log_limit *limit;
	int output;
	char text[1 << 16];
};

static int
setup(void **state)
{
	struct state *s = xcalloc(1, sizeof(*s));

	now_us = 1000000000;
	clock_install(&source);
	s->output = memfd_create("log", MFD_CLOEXEC);
	assert_true(s->output >= 0);
	log_set_output(s->output);
	s->limit = log_limit_new(INTERVAL_MS, LOG_INFO, "x");
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct state *s = *state;

	log_limit_free(s->limit);
	log_set_output(STDOUT_FILENO);
	close(s->output);
	clock_install(NULL);
	free(s);
	return 0;
}

static const char *
written(struct state *s)
{
	ssize_t n = pread(s->output, s->text, sizeof(s->text) - 1, 0);

	assert_true(n >= 0);
	s->text[n] = '\0';
	assert_int_equal(ftruncate(s->output, 0), 0);
	assert_int_equal(lseek(s->output, 0, SEEK_SET), 0);
	return s->text;
}

static bool
admits(struct state *s, const char *kind, const char *peer)
{
	return log_limit_admits(s->limit, kind, slice_str(peer));
}

static void
one_line_an_interval(void **state)
{
	struct state *s = *state;

	assert_true(admits(s, "denied", "bob"));
	for (int i = 0; i < 100; i++)
		assert_false(admits(s, "denied", "bob"));
	assert_true(admits(s, "denied", "alice"));
	assert_true(admits(s, "failed", "bob"));
	assert_string_equal(written(s), "");
	now_us += (INTERVAL_MS - 1) * 1000;
	assert_false(admits(s, "denied", "bob"));
	log_limit_sweep(s->limit);
	assert_string_equal(written(s), "");
	now_us += 1000;
	assert_true(admits(s, "denied", "bob"));
	assert_non_null(strstr(written(s),
	    "101 more lines (denied, bob) were left out within 1000 ms (x)"));
}

static void
a_storm_that_ends_is_counted(void **state)
{
	struct state *s = *state;

	assert_true(admits(s, "denied", "bob"));
	assert_false(admits(s, "denied", "bob"));
	now_us += INTERVAL_MS * 1000;
	log_limit_sweep(s->limit);
	assert_non_null(strstr(written(s), "1 more lines (denied, bob)"));
	log_limit_sweep(s->limit);
	assert_string_equal(written(s), "");
}

/* However many peers there are, so many lines are written, and one. */
static void
peers_are_bounded(void **state)
{
	struct state *s = *state;
	int lines = 0;

	for (int i = 0; i < 10 * LOG_LIMIT_PAIRS; i++) {
		char peer[16];

		snprintf(peer, sizeof(peer), "peer-%d", i);
		lines += admits(s, "denied", peer);
	}
	assert_int_equal(lines, LOG_LIMIT_PAIRS + 1);
	now_us += INTERVAL_MS * 1000;
	log_limit_sweep(s->limit);
	assert_non_null(strstr(written(s), "(of all kinds, others)"));
	assert_true(admits(s, "denied", "peer-0"));
}

static void
the_end_tells_what_was_left_out(void **state)
{
	struct state *s = *state;

	assert_true(admits(s, "denied", "bob"));
	assert_false(admits(s, "denied", "bob"));
	log_limit_free(s->limit);
	s->limit = NULL;
	assert_non_null(strstr(written(s), "1 more lines (denied, bob)"));
}

static void
long_peers_are_cut(void **state)
{
	struct state *s = *state;
	char peer[4 * PEER_LEN];

	memset(peer, 'x', sizeof(peer) - 1);
	peer[sizeof(peer) - 1] = '\0';
	assert_true(admits(s, peer, peer));
	assert_false(admits(s, peer, peer));
}

static void
without_an_interval_all_are_written(void **state UNUSED)
{
	struct log_limit *limit = log_limit_new(0, LOG_INFO, "x");

	for (int i = 0; i < 10; i++)
		assert_true(log_limit_admits(limit, "k", slice_str("p")));
	assert_true(log_limit_admits(NULL, "k", slice_str("p")));
	log_limit_free(limit);
}

int
main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		EACH(one_line_an_interval),
		EACH(a_storm_that_ends_is_counted),
		EACH(peers_are_bounded),
		EACH(the_end_tells_what_was_left_out),
		EACH(long_peers_are_cut),
		EACH(without_an_interval_all_are_written),
	};
#undef EACH

	return cmocka_run_group_tests(tests, NULL, NULL);
}
