/* The inbox: its bytes against a plain buffer, its memory against rules. */
#include "unit/unit.h"

#include "base/budget.h"
#include "base/rng.h"

#include "net/inbox.c"

#define LEN_MAX 300000

/* Append, read into, consume and shrink at random. */
static void
keeps_its_bytes_and_its_budget(void **state UNUSED)
{
	static uint8_t model[LEN_MAX], piece[5000];
	struct budget budget;
	struct inbox inbox;
	struct rng rng;
	size_t len = 0;

	rng_init(&rng, 3);
	budget_init(&budget, 1000000);
	inbox_init(&inbox, &budget);
	for (int step = 0; step < 20000; step++) {
		size_t n = 1 + rng_below(&rng, sizeof(piece)), room;
		uint8_t *spare;

		switch (rng_below(&rng, 4)) {
		case 0:
			if (len + n > LEN_MAX)
				break;
			rng_bytes(&rng, piece, n);
			memcpy(model + len, piece, n);
			assert_true(inbox_append(&inbox, piece, n,
			    len + n + rng_below(&rng, 1000)));
			len += n;
			break;
		case 1:
			spare = inbox_spare(&inbox, len + n, &room);
			assert_true(room <= n);
			if (room == 0 || len + room > LEN_MAX)
				break;
			rng_bytes(&rng, spare, room);
			memcpy(model + len, spare, room);
			inbox_added(&inbox, room);
			len += room;
			break;
		case 2:
			n = MIN(n * 2, len);
			inbox_consume(&inbox, n);
			memmove(model, model + n, len - n);
			len -= n;
			break;
		case 3:
			inbox_shrink(&inbox, len + n);
			break;
		}
		assert_int_equal(inbox_len(&inbox), len);
		if (len > 0)
			assert_memory_equal(inbox_data(&inbox), model, len);
		else
			assert_null(inbox.data);
		assert_int_equal(budget_left(&budget), 1000000 - inbox.cap);
	}
	inbox_clear(&inbox);
	assert_int_equal(budget_left(&budget), 1000000);
}

static void
grows_to_twice_what_came_and_not_past_what_is_wanted(void **state UNUSED)
{
	struct budget budget;
	struct inbox inbox;
	uint8_t byte = 1;

	budget_init(&budget, 1000000);
	inbox_init(&inbox, &budget);
	for (size_t len = 1; len <= 3000; len++) {
		assert_true(inbox_append(&inbox, &byte, 1, 3000));
		assert_true(inbox.cap <= MAX(2 * len, CAP_MIN));
		assert_true(inbox.cap <= 3000);
	}
	assert_int_equal(inbox.cap, 3000);
	inbox_clear(&inbox);
}

static void
says_when_the_budget_is_used_up(void **state UNUSED)
{
	uint8_t data[2000] = { 0 };
	struct budget budget;
	struct inbox inbox;

	budget_init(&budget, 3000);
	inbox_init(&inbox, &budget);
	assert_true(inbox_append(&inbox, data, 1000, 100000));
	assert_false(inbox_append(&inbox, data, 2000, 100000));
	assert_int_equal(inbox_len(&inbox), 3000);
	/* No more than it has to. */
	assert_int_equal(inbox.cap, 3000);
	inbox_consume(&inbox, 3000);
	assert_int_equal(budget_left(&budget), 3000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_its_bytes_and_its_budget),
		cmocka_unit_test(
		    grows_to_twice_what_came_and_not_past_what_is_wanted),
		cmocka_unit_test(says_when_the_budget_is_used_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
