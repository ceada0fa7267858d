/*
 * Quotas: the arithmetic against one that remembers everything, who is charged
 * by what, and what Kafka was measured to answer.
 */
#include "unit/unit.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/rng.h"
#include "broker/client_quotas.h"
#include "broker/connection_rates.h"
#include "broker/token_bucket.h"

#define SEEDS 200
#define STEPS 400

/* Kafka's defaults. */
static const struct rate_window_size window = { 11, 1000 };

/* --- The rate ------------------------------------------------------------- */

/*
 * One who forgets nothing: all records, and all the times at which one of the
 * count + 1 samples began anew.
 */
struct event {
	int64_t at_ms;
	double value;
	size_t begin;
};

struct begin {
	int32_t sample;
	int64_t at_ms;
};

struct naive {
	struct event events[STEPS];
	size_t events_count;
	struct begin begins[STEPS * 16];
	size_t begins_count;
	int32_t current;
};

static size_t
naive_begin(struct naive *naive, int32_t sample, int64_t now_ms)
{
	assert(naive->begins_count < COUNT_OF(naive->begins));
	naive->begins[naive->begins_count] = (struct begin){ sample, now_ms };
	return naive->begins_count++;
}

/* The last time that a sample began; false where it never did. */
static bool
naive_last(const struct naive *naive, int32_t sample, size_t *begin)
{
	for (*begin = naive->begins_count; (*begin)-- > 0;)
		if (naive->begins[*begin].sample == sample)
			return true;
	return false;
}

static void
naive_record(struct naive *naive, const struct rate_window_size *size,
    double value, int64_t now_ms)
{
	size_t begin;

	if (!naive_last(naive, naive->current, &begin))
		begin = naive_begin(naive, naive->current, now_ms);
	else if (now_ms - naive->begins[begin].at_ms >= size->length_ms) {
		naive->current = (naive->current + 1) % (size->count + 1);
		begin = naive_begin(naive, naive->current, now_ms);
	}
	naive->events[naive->events_count++] =
	    (struct event){ now_ms, value, begin };
}

/* The sum of what is in a sample, and when something came in last. */
static double
naive_sum(const struct naive *naive, size_t begin, int64_t *recorded_ms)
{
	double sum = 0;

	*recorded_ms = naive->begins[begin].at_ms;
	for (size_t i = 0; i < naive->events_count; i++)
		if (naive->events[i].begin == begin) {
			sum += naive->events[i].value;
			*recorded_ms = naive->events[i].at_ms;
		}
	return sum;
}

static double
naive_rate(struct naive *naive, const struct rate_window_size *size,
    int64_t now_ms)
{
	int64_t oldest_ms = now_ms, recorded_ms, elapsed_ms, missing;
	double sum = 0, value;
	size_t begin;

	for (int32_t sample = 0; sample <= size->count; sample++) {
		if (!naive_last(naive, sample, &begin))
			continue;
		value = naive_sum(naive, begin, &recorded_ms);
		if (now_ms - recorded_ms >= size->count * size->length_ms) {
			(void)naive_begin(naive, sample, now_ms);
			continue;
		}
		sum += value;
		oldest_ms = MIN(oldest_ms, naive->begins[begin].at_ms);
	}
	elapsed_ms = now_ms - oldest_ms;
	missing = size->count - 1 - elapsed_ms / size->length_ms;
	elapsed_ms += MAX(missing, 0) * size->length_ms;
	return sum * 1000 / (double)MAX(elapsed_ms, 1);
}

/* Short steps, and now and then a rest that some samples do not outlive. */
static int64_t
step_ms(struct rng *rng, const struct rate_window_size *size)
{
	switch (rng_below(rng, 20)) {
	case 0:
		return (int64_t)rng_below(
		    rng, (uint64_t)(2 * size->count * size->length_ms));
	case 1:
		return size->length_ms;
	case 2:
		return 0;
	default:
		return (int64_t)rng_below(rng, (uint64_t)size->length_ms);
	}
}

static void
compare_rates(uint64_t seed)
{
	struct rng rng;
	struct rate_window_size size;
	struct rate_window real;
	struct naive *naive = xcalloc(1, sizeof(*naive));
	int64_t now_ms = 1000000;

	rng_init(&rng, seed);
	size.count = 1 + (int32_t)rng_below(&rng, 12);
	size.length_ms = 1 + (int64_t)rng_below(&rng, 2000);
	rate_window_init(&real);
	for (int i = 0; i < STEPS; i++) {
		double value = (double)rng_below(&rng, 100000), rate, wanted;

		if (rng_below(&rng, 10) == 0)
			value = -value;
		now_ms += step_ms(&rng, &size);
		rate_window_record(&real, &size, value, now_ms);
		naive_record(naive, &size, value, now_ms);
		now_ms += step_ms(&rng, &size) / 4;
		rate = rate_window_rate(&real, &size, now_ms);
		wanted = naive_rate(naive, &size, now_ms);
		if (fabs(rate - wanted) > 1e-6 * (1 + fabs(wanted)))
			fail_msg("seed %lu, step %d: %f, and not %f", seed, i,
			    rate, wanted);
	}
	rate_window_fini(&real);
	free(naive);
}

static void
rates_are_those_of_one_who_remembers_all(void **state UNUSED)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		compare_rates(seed);
}

/* Kafka with 1000 bytes a second, and an answer of 50 131. */
static void
a_large_answer_is_paid_for(void **state UNUSED)
{
	struct rate_window rate;

	rate_window_init(&rate);
	rate_window_record(&rate, &window, 50131, 5000);
	assert_int_equal(
	    rate_window_throttle_ms(&rate, &window, 1000, 5000), 40131);
	/* Its sample is gone when all windows have passed. */
	assert_true(rate_window_throttle_ms(&rate, &window, 1000, 15999) > 0);
	assert_int_equal(
	    rate_window_throttle_ms(&rate, &window, 1000, 16000), 0);
	rate_window_fini(&rate);
}

/* What is no quota, or not passed: "rate > quota", strictly. */
static void
what_is_just_reached_is_not_passed(void **state UNUSED)
{
	struct rate_window rate;

	rate_window_init(&rate);
	rate_window_record(&rate, &window, 10000, 5000);
	assert_int_equal(
	    rate_window_throttle_ms(&rate, &window, 1000, 5000), 0);
	rate_window_record(&rate, &window, 1, 5000);
	assert_int_equal(
	    rate_window_throttle_ms(&rate, &window, 1000, 5000), 1);
	assert_int_equal(rate_window_throttle_ms(
			     &rate, &window, (double)NAN, 5000), 0);
	assert_int_equal(rate_window_throttle_ms(
			     &rate, &window, (double)INFINITY, 5000), 0);
	/* However small it is the time has an end. */
	assert_int_equal(
	    rate_window_throttle_ms(&rate, &window, 1e-300, 5000), INT32_MAX);
	rate_window_fini(&rate);
}

/* --- The bucket ----------------------------------------------------------- */

static void
compare_buckets(uint64_t seed)
{
	struct token_bucket real = { .begun = false };
	struct rng rng;
	double quota, tokens;
	int64_t now_ms = 1000000;

	rng_init(&rng, seed);
	quota = (double)(1 + rng_below(&rng, 1000)) / 10;
	tokens = 11 * quota;
	for (int i = 0; i < STEPS; i++) {
		int64_t passed_ms = (int64_t)rng_below(&rng, 2000), throttle_ms;
		double spent = (double)rng_below(&rng, 40);

		now_ms += passed_ms;
		tokens += quota * (double)passed_ms / 1000;
		tokens = fmin(tokens, 11 * quota) - spent;
		token_bucket_spend(&real, &window, quota, spent, now_ms);
		throttle_ms =
		    token_bucket_throttle_ms(&real, &window, quota, now_ms);
		if (fabs((double)throttle_ms -
			fmax(-tokens / quota * 1000, 0)) > 1)
			fail_msg("seed %lu, step %d: %ld ms for %f tokens",
			    seed, i, throttle_ms, tokens);
	}
}

static void
tokens_come_in_steadily(void **state UNUSED)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		compare_buckets(seed);
}

/* --- Who is charged ------------------------------------------------------- */

static struct slice
text(const char *s)
{
	return s == NULL ? SLICE_NULL : slice_str(s);
}

/* "" is not there, NULL any. */
static struct client_quota_entity
entity(const char *user, const char *client)
{
	struct client_quota_entity made = { .has = { false } };

	made.has[CLIENT_QUOTA_USER] = user == NULL || *user != '\0';
	made.names[CLIENT_QUOTA_USER] = text(user);
	made.has[CLIENT_QUOTA_CLIENT_ID] = client == NULL || *client != '\0';
	made.names[CLIENT_QUOTA_CLIENT_ID] = text(client);
	return made;
}

static void
set(struct client_quotas *quotas, const char *user, const char *client,
    double limit)
{
	struct client_quota_entity about = entity(user, client);

	client_quotas_set(quotas, &about, limit);
}

static void
unset(struct client_quotas *quotas, const char *user, const char *client)
{
	struct client_quota_entity about = entity(user, client);

	client_quotas_remove(quotas, &about);
}

static struct client_quotas_client
who(const char *user, const char *client)
{
	return (struct client_quotas_client){ slice_str(user),
		slice_str(client) };
}

static int64_t
take(struct client_quotas *quotas, const char *user, const char *client,
    double amount, int64_t now_ms)
{
	struct client_quotas_client from = who(user, client);

	return client_quotas_take(quotas, &from, amount, now_ms);
}

/* The limit that counts, which the window tells. */
static double
limit(struct client_quotas *quotas, const char *user, const char *client)
{
	struct client_quotas_client from = who(user, client);

	return client_quotas_window_max(quotas, &from, 1000) / 10;
}

/* The same, looked for in the order of Kafka's documentation. */
static const struct {
	const char *user, *client;
} order[] = {
	{ "u", "c" }, { "u", NULL }, { "u", "" }, { NULL, "c" },
	{ NULL, NULL }, { NULL, "" }, { "", "c" }, { "", NULL },
};

static void
the_first_that_there_is_counts(void **state UNUSED)
{
	for (unsigned there = 0; there < 1U << COUNT_OF(order); there++) {
		struct client_quotas *quotas = client_quotas_new(&window);
		double wanted = (double)INFINITY;

		for (size_t i = COUNT_OF(order); i-- > 0;)
			if ((there & 1U << i) != 0) {
				wanted = (double)(i + 1);
				set(quotas, order[i].user, order[i].client,
				    wanted);
			}
		assert_int_equal(client_quotas_enabled(quotas), there != 0);
		assert_true(limit(quotas, "u", "c") == wanted);
		for (size_t i = 0; i < COUNT_OF(order); i++)
			unset(quotas, order[i].user, order[i].client);
		assert_false(client_quotas_enabled(quotas));
		client_quotas_free(quotas);
	}
}

/* Who shares a bucket: it is of the names that the quota is about. */
static void
a_bucket_is_of_the_names_of_its_quota(void **state UNUSED)
{
	struct client_quotas *quotas = client_quotas_new(&window);

	set(quotas, NULL, "", 1000);
	assert_int_equal(take(quotas, "a", "x", 10000, 1000), 0);
	assert_true(take(quotas, "a", "y", 1, 1000) > 0);
	assert_int_equal(take(quotas, "b", "x", 10000, 1000), 0);
	/* A client of any user is a pair of names. */
	set(quotas, NULL, "x", 500);
	assert_int_equal(take(quotas, "a", "x", 5000, 1000), 0);
	assert_true(take(quotas, "a", "x", 1, 1000) > 0);
	assert_true(take(quotas, "a", "y", 1, 1000) > 0);
	unset(quotas, NULL, "");
	unset(quotas, NULL, "x");
	set(quotas, "", "x", 1000);
	assert_int_equal(take(quotas, "a", "x", 6000, 2000), 0);
	assert_true(take(quotas, "b", "x", 6000, 2000) > 0);
	assert_int_equal(take(quotas, "b", "z", 1e9, 2000), 0);
	client_quotas_free(quotas);
}

/* Names are no patterns, and no name is any. */
static void
names_are_not_confused(void **state UNUSED)
{
	struct client_quotas *quotas = client_quotas_new(&window);

	set(quotas, "u", "cx", 1);
	set(quotas, "uc", "x", 2);
	set(quotas, "<default>", "", 3);
	assert_true(limit(quotas, "u", "cx") == 1);
	assert_true(limit(quotas, "uc", "x") == 2);
	assert_true(isinf(limit(quotas, "ucx", "")));
	assert_true(isinf(limit(quotas, "someone", "x")));
	client_quotas_free(quotas);
}

/*
 * Kafka with 10 000 bytes a second and four requests of 50 kB, one right behind
 * the other.  Its clock went on by a few milliseconds meanwhile.
 */
static void
a_producer_is_throttled_as_measured(void **state UNUSED)
{
	static const int64_t measured_ms[] = { 0, 5, 5005, 10009 };
	struct client_quotas *quotas = client_quotas_new(&window);

	set(quotas, "", "p", 10000);
	for (size_t i = 0; i < COUNT_OF(measured_ms); i++)
		assert_in_range(
		    take(quotas, "u", "p", 50025, 100000 + (int64_t)i) + 3,
		    measured_ms[i], measured_ms[i] + 6);
	client_quotas_free(quotas);
}

static void
a_change_finds_what_was_before(void **state UNUSED)
{
	struct client_quotas *quotas = client_quotas_new(&window);
	struct client_quotas_client client = who("u", "c");

	set(quotas, "other", "", 1);
	assert_int_equal(take(quotas, "u", "c", 100000, 1000), 0);
	set(quotas, "u", "", 1000);
	assert_true(take(quotas, "u", "c", 0, 1000) > 0);
	set(quotas, "u", "", 1e9);
	assert_int_equal(take(quotas, "u", "c", 0, 1000), 0);
	/* What was not given after all is not paid for. */
	client_quotas_note(quotas, &client, -100000, 1000);
	set(quotas, "u", "", 1);
	assert_int_equal(client_quotas_look(quotas, &client, 1000), 0);
	client_quotas_free(quotas);
}

/* Kafka with one a second: 5, then 20, and the third is refused. */
static void
changes_are_refused_in_debt(void **state UNUSED)
{
	struct client_quotas *quotas = client_quotas_new(&window);
	struct client_quotas_client client = who("u", "c");
	int64_t throttle_ms;

	set(quotas, "u", "", 1);
	assert_true(
	    client_quotas_spend(quotas, &client, 5, true, 0, &throttle_ms));
	assert_true(
	    client_quotas_spend(quotas, &client, 20, true, 0, &throttle_ms));
	assert_int_equal(throttle_ms, 0);
	assert_false(
	    client_quotas_spend(quotas, &client, 1, true, 100, &throttle_ms));
	assert_int_equal(throttle_ms, 13900);
	/* Old clients may, and are silent afterwards. */
	assert_true(
	    client_quotas_spend(quotas, &client, 1, false, 100, &throttle_ms));
	assert_int_equal(throttle_ms, 14900);
	client_quotas_unspend(quotas, &client, 15, 100);
	assert_true(
	    client_quotas_spend(quotas, &client, 1, true, 100, &throttle_ms));
	client_quotas_free(quotas);
}

/* --- Identities ----------------------------------------------------------- */

static struct kp_client_quota_record_entity
part(const char *type, const char *name)
{
	return (struct kp_client_quota_record_entity){ slice_str(type),
		text(name) };
}

static void
identity_of(struct buf *identity, struct kp_client_quota_record_entity first,
    struct kp_client_quota_record_entity second, int32_t count)
{
	const struct kp_client_quota_record_entity parts[] = { first, second };

	buf_init(identity, 1 << 16);
	assert_int_equal(client_quota_identity(
			     parts, count, slice_str("key"), identity), 0);
}

/* A name may have any bytes in it, also those that stand between parts. */
static void
entities_are_not_confused(void **state UNUSED)
{
	struct buf one, two, turned;

	identity_of(&one, part("client-id", "x"), part("user", "y"), 2);
	identity_of(&turned, part("user", "y"), part("client-id", "x"), 2);
	assert_true(slice_equal(buf_slice(&one), buf_slice(&turned)));
	identity_of(
	    &two, part("client-id", "xuser\1y"), part("user", "y"), 1);
	assert_false(slice_equal(buf_slice(&one), buf_slice(&two)));
	buf_fini(&one);
	buf_fini(&two);
	buf_fini(&turned);
	identity_of(&one, part("user", NULL), part("user", NULL), 1);
	identity_of(&two, part("user", ""), part("user", ""), 1);
	assert_false(slice_equal(buf_slice(&one), buf_slice(&two)));
	buf_fini(&one);
	buf_fini(&two);
}

static void
identities_can_be_read(void **state UNUSED)
{
	struct client_quota_entity entity;
	struct slice key, whole;
	struct arena arena;
	struct buf buf;

	arena_init(&arena, 1 << 20);
	identity_of(&buf, part("user", NULL), part("client-id", "x"), 2);
	whole = buf_slice(&buf);
	assert_int_equal(
	    client_quota_of_identity(whole, &arena, &entity, &key), 0);
	assert_true(slice_equal_str(key, "key"));
	assert_true(entity.has[CLIENT_QUOTA_USER]);
	assert_true(slice_is_null(entity.names[CLIENT_QUOTA_USER]));
	assert_true(
	    slice_equal_str(entity.names[CLIENT_QUOTA_CLIENT_ID], "x"));
	assert_false(entity.has[CLIENT_QUOTA_IP]);
	/* Cut anywhere it is none, or one of fewer parts. */
	for (size_t len = 0; len < whole.len; len++)
		if (client_quota_of_identity(slice_of(whole.data, len), &arena,
			&entity, &key) == 0)
			assert_false(entity.has[CLIENT_QUOTA_USER]);
	buf_fini(&buf);
	arena_reset(&arena);
}

/* --- Forgetting ----------------------------------------------------------- */

static void
buckets_are_forgotten(void **state UNUSED)
{
	struct client_quotas *quotas = client_quotas_new(&window);
	char name[16];

	set(quotas, "", NULL, 1);
	for (int i = 0; i < 2 * CLIENT_QUOTAS_BUCKETS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "client-%d", i);
		(void)take(quotas, "u", name, 1000, 1000);
		/* This one is always here, and stays throttled. */
		assert_true(take(quotas, "u", "busy", 1000, 1000) > 0);
		assert_true(client_quotas_buckets(quotas) <=
		    CLIENT_QUOTAS_BUCKETS_MAX);
	}
	(void)take(quotas, "u", "late", 1, 1000 + CLIENT_QUOTAS_IDLE_MS);
	assert_int_equal(client_quotas_buckets(quotas), 1);
	client_quotas_free(quotas);
}

/* --- Connections ---------------------------------------------------------- */

static int64_t clock_us;

static int64_t
read_clock(void *context UNUSED)
{
	return clock_us;
}

static int
stop_clock(void **state UNUSED)
{
	static const struct clock_source source = { .wall_ms = read_clock,
		.monotonic_us = read_clock };

	clock_us = 1000000000;
	clock_install(&source);
	return 0;
}

static int
start_clock(void **state UNUSED)
{
	clock_install(NULL);
	return 0;
}

static void
listeners_wait_for_the_broker(void **state UNUSED)
{
	struct connection_rates *rates = connection_rates_new(&window);
	struct accept_gate *gate = connection_rates_gate(rates);

	connection_rates_set_listener(rates, "INNER", INT32_MAX, true);
	connection_rates_set_listener(rates, "OUTER", INT32_MAX, false);
	connection_rates_set_broker(rates, 1);
	for (int i = 0; i < 10; i++)
		assert_int_equal(gate->pace(gate, "OUTER"), 0);
	/* (11/10 - 1) / 1 of ten seconds, and never more than a window. */
	assert_int_equal(gate->pace(gate, "OUTER"), 1000);
	assert_int_equal(gate->pace(gate, "OUTER"), 1000);
	for (int i = 0; i < 100; i++)
		assert_int_equal(gate->pace(gate, "INNER"), 0);
	/* Its own rate holds for the one between brokers, too. */
	connection_rates_set_listener(rates, "INNER", 10, true);
	assert_int_equal(gate->pace(gate, "INNER"), 100);
	/* What has changed counts at once. */
	connection_rates_set_broker(rates, INT32_MAX);
	assert_int_equal(gate->pace(gate, "OUTER"), 0);
	connection_rates_free(rates);
}

static void
addresses_are_refused(void **state UNUSED)
{
	struct connection_rates *rates = connection_rates_new(&window);
	struct accept_gate *gate = connection_rates_gate(rates);

	connection_rates_set_listener(rates, "L", INT32_MAX, false);
	assert_int_equal(gate->refuse(gate, "L", "::1"), 0);
	connection_rates_set_address(rates, SLICE_NULL, 1);
	connection_rates_set_address(rates, slice_str("10.0.0.1"), 2);
	for (int i = 0; i < 10; i++)
		assert_int_equal(gate->refuse(gate, "L", "::1"), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(gate->refuse(gate, "L", "10.0.0.1"), 0);
	assert_int_equal(gate->refuse(gate, "L", "::1"), 1000);
	assert_int_equal(gate->refuse(gate, "L", "10.0.0.1"), 500);
	/* Who was refused has not come: it is no worse the second time. */
	assert_int_equal(gate->refuse(gate, "L", "10.0.0.1"), 500);
	assert_int_equal(gate->refuse(gate, "L", "10.0.0.2"), 0);
	assert_int_equal(connection_rates_addresses(rates), 3);
	clock_us += CONNECTION_RATES_IDLE_MS * 1000;
	assert_int_equal(gate->refuse(gate, "L", "10.0.0.3"), 0);
	assert_int_equal(connection_rates_addresses(rates), 1);
	connection_rates_set_address(
	    rates, slice_str("10.0.0.1"), (double)INFINITY);
	connection_rates_set_address(rates, SLICE_NULL, (double)INFINITY);
	for (int i = 0; i < 100; i++)
		assert_int_equal(gate->refuse(gate, "L", "10.0.0.1"), 0);
	connection_rates_free(rates);
}

/* The refused do not make the listener wait for those who behave. */
static void
the_refused_do_not_count_for_the_broker(void **state UNUSED)
{
	struct connection_rates *rates = connection_rates_new(&window);
	struct accept_gate *gate = connection_rates_gate(rates);

	connection_rates_set_listener(rates, "L", INT32_MAX, false);
	connection_rates_set_broker(rates, 2);
	connection_rates_set_address(rates, slice_str("10.0.0.1"), 1);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(gate->pace(gate, "L"), 0);
		assert_int_equal(
		    gate->refuse(gate, "L", "10.0.0.1") > 0, i >= 10);
	}
	connection_rates_free(rates);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_those_of_one_who_remembers_all),
		cmocka_unit_test(a_large_answer_is_paid_for),
		cmocka_unit_test(what_is_just_reached_is_not_passed),
		cmocka_unit_test(tokens_come_in_steadily),
		cmocka_unit_test(the_first_that_there_is_counts),
		cmocka_unit_test(a_bucket_is_of_the_names_of_its_quota),
		cmocka_unit_test(names_are_not_confused),
		cmocka_unit_test(a_producer_is_throttled_as_measured),
		cmocka_unit_test(a_change_finds_what_was_before),
		cmocka_unit_test(changes_are_refused_in_debt),
		cmocka_unit_test(entities_are_not_confused),
		cmocka_unit_test(identities_can_be_read),
		cmocka_unit_test(buckets_are_forgotten),
		cmocka_unit_test_setup_teardown(
		    listeners_wait_for_the_broker, stop_clock, start_clock),
		cmocka_unit_test_setup_teardown(
		    addresses_are_refused, stop_clock, start_clock),
		cmocka_unit_test_setup_teardown(
		    the_refused_do_not_count_for_the_broker, stop_clock,
		    start_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
