/*
 * Sending: random replies of memory and files through a transport that takes
 * what it likes come out as one unbroken stream.
 */
#include "unit/unit.h"

#include "base/arena.h"
#include "base/budget.h"
#include "base/rng.h"
#include "net/transport.h"

#include "net/outbox.c"

#define STREAM_LEN_MAX (32 * 1024 * 1024)
#define FILE_LEN 300000

struct reply {
	struct exchange exchange;
	int number;
};

static uint8_t *expected, *sent;
static size_t expected_len, sent_len;
static uint8_t *file;
static int file_fd;
static struct rng rng;
static int released;
static bool generous;	/* the transport takes everything */
static struct outbox_counters counters;
static struct outbox_tools tools;

/* Take a random part of len, at times nothing. */
static ssize_t
take(const void *data, size_t len)
{
	size_t step = len;

	if (!generous && rng_below(&rng, 3) == 0)
		step = rng_below(&rng, len + 1);
	if (step == 0)
		return TRANSPORT_AGAIN;
	assert_true(sent_len + step <= STREAM_LEN_MAX);
	memcpy(sent + sent_len, data, step);
	sent_len += step;
	return (ssize_t)step;
}

static ssize_t
fake_writev(struct transport *transport, const struct iovec *iov, int count,
    bool more)
{
	ssize_t total = 0;

	assert_true(count > 0 && count <= IOV_COUNT_MAX);
	/* What is held back is followed by something. */
	if (more)
		assert_true(expected_len > sent_len);
	for (int i = 0; i < count; i++) {
		ssize_t n;

		assert_true(iov[i].iov_len > 0);
		n = take(iov[i].iov_base, iov[i].iov_len);
		if (n < 0)
			break;
		total += n;
		if ((size_t)n < iov[i].iov_len)
			break;
	}
	transport->wants = TRANSPORT_WRITABLE;
	return total > 0 ? total : TRANSPORT_AGAIN;
}

static ssize_t
fake_sendfile(struct transport *transport, int fd, int64_t position,
    size_t len, bool more UNUSED)
{
	assert_int_equal(fd, file_fd);
	transport->wants = TRANSPORT_WRITABLE;
	return take(file + position, len);
}

static struct transport_ops ops = { .writev = fake_writev };
static struct transport transport = { .ops = &ops };

static void
release(struct exchange *exchange)
{
	struct reply *reply = CONTAINER_OF(exchange, struct reply, exchange);

	assert_int_equal(reply->number, released);
	released++;
}

static void
expect(const uint8_t *data, size_t len)
{
	assert_true(expected_len + len <= STREAM_LEN_MAX);
	memcpy(expected + expected_len, data, len);
	expected_len += len;
}

/* A few pieces, of the file or of memory (also the file's bytes). */
static void
fill(struct output *output)
{
	int pieces = 1 + (int)rng_below(&rng, 6);

	for (int i = 0; i < pieces; i++) {
		size_t len = 1 + rng_below(&rng, (uint64_t)1
		    << rng_below(&rng, 19));
		size_t at = rng_below(&rng, FILE_LEN - len);
		int result;

		if (rng_below(&rng, 2) == 0)
			result = output_bytes(output, file + at, len);
		else
			result = output_file(output, file_fd, (int64_t)at,
			    len);
		assert_int_equal(result, 0);
		expect(file + at, len);
	}
}

static void
make_file(void)
{
	char name[] = "/tmp/klamm-test-XXXXXX";

	file_fd = mkstemp(name);
	assert_true(file_fd >= 0);
	unlink(name);
	file = xmalloc(FILE_LEN);
	rng_bytes(&rng, file, FILE_LEN);
	assert_int_equal(write(file_fd, file, FILE_LEN), FILE_LEN);
}

static int
setup(void **state UNUSED)
{
	rng_init(&rng, 5);
	make_file();
	expected = xmalloc(STREAM_LEN_MAX);
	sent = xmalloc(STREAM_LEN_MAX);
	tools.bounce_len = 50000;
	tools.bounce = xmalloc(tools.bounce_len);
	tools.counters = &counters;
	return 0;
}

static int
teardown(void **state UNUSED)
{
	close(file_fd);
	free(file);
	free(expected);
	free(sent);
	free(tools.bounce);
	return 0;
}

/* Replies get ready in any order; pending ones hold up those behind. */
static void
run(bool with_sendfile)
{
	enum { COUNT = 150 };
	static struct reply replies[COUNT];
	static bool ready[COUNT];
	size_t unsent = 0;
	struct arena arena;
	struct outbox outbox;
	bool progress;
	int left = COUNT;

	ops.sendfile = with_sendfile ? fake_sendfile : NULL;
	expected_len = sent_len = 0;
	released = 0;
	arena_init(&arena, STREAM_LEN_MAX);
	outbox_init(&outbox);
	for (int i = 0; i < COUNT; i++) {
		replies[i] = (struct reply){ .number = i };
		ready[i] = false;
		replies[i].exchange.release = release;
		output_init(&replies[i].exchange.output, &arena);
		outbox_push(&outbox, &replies[i].exchange);
		fill(&replies[i].exchange.output);
	}
	while (left > 0) {
		int i = (int)rng_below(&rng, COUNT);

		if (ready[i])
			continue;
		ready[i] = true;
		left--;
		outbox_ready(&outbox, &replies[i].exchange);
		(void)!outbox_send(&outbox, &transport, &tools, &progress);
		for (i = 0; i < COUNT && ready[i]; i++)
			;
		assert_true(released <= i);
		unsent = 0;
		for (i = released; i < COUNT; i++)
			if (ready[i])
				unsent += unsent_len(&replies[i].exchange);
		assert_int_equal(outbox.len, unsent);
	}
	while (outbox.count > 0) {
		enum outbox_result result = outbox_send(&outbox, &transport,
		    &tools, &progress);

		assert_true(result != OUTBOX_CLOSED &&
		    result != OUTBOX_BAD_FILE);
	}
	assert_int_equal(released, COUNT);
	assert_int_equal(sent_len, expected_len);
	assert_memory_equal(sent, expected, sent_len);
	arena_reset(&arena);
}

static void
stream_is_unbroken(void **state UNUSED)
{
	for (int i = 0; i < 20; i++)
		run(true);
	assert_true(counter_get(&counters.sendfiles) > 0);
	assert_true(counter_get(&counters.preads) > 0);
}

static void
stream_is_unbroken_without_sendfile(void **state UNUSED)
{
	for (int i = 0; i < 20; i++)
		run(false);
}

static void
turns_are_limited(void **state UNUSED)
{
	struct reply reply = { .number = 0 };
	struct outbox outbox;
	struct arena arena;
	enum outbox_result result;
	bool progress;
	int turns = 0;

	ops.sendfile = NULL;
	generous = true;
	expected_len = sent_len = 0;
	released = 0;
	arena_init(&arena, STREAM_LEN_MAX);
	outbox_init(&outbox);
	reply.exchange.release = release;
	output_init(&reply.exchange.output, &arena);
	for (size_t len = 0; len < 8 * TURN_LEN_MAX; len += FILE_LEN) {
		assert_int_equal(output_file(&reply.exchange.output, file_fd,
		    0, FILE_LEN), 0);
		expect(file, FILE_LEN);
	}
	outbox_push(&outbox, &reply.exchange);
	outbox_ready(&outbox, &reply.exchange);
	do {
		size_t before = sent_len;

		result = outbox_send(&outbox, &transport, &tools, &progress);
		assert_true(sent_len - before <= TURN_LEN_MAX +
		    tools.bounce_len);
		turns += result == OUTBOX_MORE;
	} while (outbox.count > 0);
	assert_true(turns >= 7);
	assert_int_equal(released, 1);
	assert_memory_equal(sent, expected, sent_len);
	arena_reset(&arena);
}

/* --- Replies that wait are condensed -------------------------------------- */

/* A reply whose bytes are gone with it. */
struct owning {
	struct exchange exchange;
	struct arena arena;
	uint8_t *bytes;
	bool gone;
};

static void
release_owning(struct exchange *exchange)
{
	struct owning *owning = CONTAINER_OF(exchange, struct owning, exchange);

	assert_false(owning->gone);
	owning->gone = true;
	free(owning->bytes);
	arena_reset(&owning->arena);
	released++;
}

/* A piece of len bytes of memory, one of half of that, perhaps a file's. */
static void
owning_init(struct owning *owning, size_t len, bool with_file)
{
	struct output *output = &owning->exchange.output;
	int result;

	*owning = (struct owning){ .exchange.release = release_owning };
	arena_init(&owning->arena, STREAM_LEN_MAX);
	output_init(output, &owning->arena);
	owning->bytes = xmalloc(2 * len);
	memcpy(owning->bytes, file + len, 2 * len);
	result = output_bytes(output, owning->bytes, len);
	assert_int_equal(result, 0);
	expect(owning->bytes, len);
	if (with_file) {
		result = output_file(output, file_fd, 0, len);
		assert_int_equal(result, 0);
		expect(file, len);
	}
	result = output_bytes(output, owning->bytes + len + 1, len / 2);
	assert_int_equal(result, 0);
	expect(owning->bytes + len + 1, len / 2);
}

static size_t
unsent_in_all(const struct outbox *outbox)
{
	size_t len = 0;

	for (struct list_node *node = outbox->exchanges.head.next;
	     node != &outbox->exchanges.head; node = node->next) {
		const struct exchange *exchange =
		    LIST_ENTRY(node, const struct exchange, node);

		if (exchange->state == EXCHANGE_READY)
			len += unsent_len(exchange);
	}
	return len;
}

/* Wherever the transport has stopped, the stream goes on there. */
static void
condensed_replies_are_unbroken(void **state UNUSED)
{
	enum { COUNT = 300 };
	static struct owning replies[COUNT];
	struct outbox outbox;
	struct budget budget;
	bool progress;

	ops.sendfile = fake_sendfile;
	generous = false;
	expected_len = sent_len = 0;
	released = 0;
	budget_init(&budget, 0);
	outbox_init(&outbox);
	for (int i = 0; i < COUNT; i++) {
		owning_init(&replies[i], 2 + rng_below(&rng, 9000),
		    rng_below(&rng, 8) == 0);
		outbox_push(&outbox, &replies[i].exchange);
		/* Each seventh one keeps those behind it waiting. */
		if (i % 7 != 6)
			outbox_ready(&outbox, &replies[i].exchange);
	}
	for (int i = 6; outbox.count > 0;) {
		enum outbox_result result =
		    outbox_send(&outbox, &transport, &tools, &progress);

		if (result == OUTBOX_BLOCKED)
			outbox_condense(&outbox, &budget);
		assert_int_equal(unsent_in_all(&outbox), outbox.len);
		if (result != OUTBOX_DONE || i >= COUNT)
			continue;
		outbox_ready(&outbox, &replies[i].exchange);
		i += 7;
	}
	assert_int_equal(released, COUNT);
	assert_int_equal(sent_len, expected_len);
	assert_memory_equal(sent, expected, sent_len);
	assert_int_equal(atomic_load(&budget.used), 0);
}

/* Sixty-four small replies are little more than their bytes. */
static void
condensed_replies_are_small(void **state UNUSED)
{
	enum { COUNT = 64, LEN = 100 };
	static struct owning replies[COUNT];
	struct outbox outbox;
	struct budget budget;
	bool progress;

	expected_len = sent_len = 0;
	released = 0;
	budget_init(&budget, 0);
	outbox_init(&outbox);
	for (int i = 0; i < COUNT; i++) {
		owning_init(&replies[i], LEN, false);
		outbox_push(&outbox, &replies[i].exchange);
		if (i != COUNT - 1)
			outbox_ready(&outbox, &replies[i].exchange);
	}
	outbox_condense(&outbox, &budget);
	assert_int_equal(released, COUNT - 1);
	assert_int_equal(outbox.count, 2);
	assert_int_equal(outbox.len, (COUNT - 1) * LEN * 3 / 2);
	assert_in_range(
	    atomic_load(&budget.used), outbox.len, outbox.len + 256);
	/* One alone stays as it is. */
	outbox_condense(&outbox, &budget);
	assert_int_equal(outbox.count, 2);
	outbox_ready(&outbox, &replies[COUNT - 1].exchange);
	generous = true;
	assert_int_equal(
	    outbox_send(&outbox, &transport, &tools, &progress), OUTBOX_DONE);
	assert_int_equal(sent_len, expected_len);
	assert_memory_equal(sent, expected, sent_len);
	assert_int_equal(atomic_load(&budget.used), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stream_is_unbroken),
		cmocka_unit_test(stream_is_unbroken_without_sendfile),
		cmocka_unit_test(turns_are_limited),
		cmocka_unit_test(condensed_replies_are_unbroken),
		cmocka_unit_test(condensed_replies_are_small),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
