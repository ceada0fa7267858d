/*
 * Sending: random replies of memory and files through a transport that takes
 * what it likes come out as one unbroken stream.
 */
#include "unit/unit.h"

#include "base/arena.h"
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stream_is_unbroken),
		cmocka_unit_test(stream_is_unbroken_without_sendfile),
		cmocka_unit_test(turns_are_limited),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
