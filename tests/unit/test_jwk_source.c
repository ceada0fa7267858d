/*
 * Keys that are fetched over HTTP: what servers may say, when they are asked,
 * and what is there meanwhile.
 */
#include "unit/unit.h"

#include "auth/jwk_source.h"
#include "net/http_get.h"
#include "net/http_response.h"
#include "store/disk_posix.h"
#include "unit/http_server.h"
#include "unit/token_issuer.h"

#include <sys/eventfd.h>
#include <unistd.h>

#define CLAIMS "{\"sub\":\"alice\"}"

/* --- Responses ------------------------------------------------------------ */

struct parsed {
	enum http_progress progress;
	int status;
	char text[64];
};

static struct parsed
parse(const char *bytes, bool ended)
{
	struct parsed parsed = { .status = 0 };
	struct buf body;

	buf_init(&body, 16);
	parsed.progress = http_response_parse(
	    slice_str(bytes), ended, &parsed.status, &body);
	if (body.len > 0)
		memcpy(parsed.text, body.data, body.len);
	buf_fini(&body);
	return parsed;
}

#define OK "HTTP/1.1 200 OK\r\n"

static void
bodies_end_in_three_ways(void **state UNUSED)
{
	static const char *const good[] = {
		OK "Content-Length: 3\r\n\r\nabc",
		OK "content-length:3\r\nX: y\r\n\r\nabcd",
		"HTTP/1.0 200\r\n\r\nabc",
		OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
		OK "Transfer-Encoding: Chunked\r\n\r\n"
		   "1;x=y\r\na\r\n002\r\nbc\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
	};

	for (size_t i = 0; i < COUNT_OF(good); i++) {
		struct parsed parsed = parse(good[i], true);

		if (parsed.progress != HTTP_DONE)
			fail_msg("not taken: %s", good[i]);
		assert_int_equal(parsed.status, 200);
		assert_string_equal(parsed.text, "abc");
	}
}

static void
responses_that_are_none(void **state UNUSED)
{
	static const char *const bad[] = {
		"",
		"HTTP/1.1 200 OK\r\n",
		"HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.1 2x0 OK\r\n\r\n",
		"SSH-2.0\r\n\r\n",
		OK "x\r\n\r\nabc",
		OK "Content-Length: 4\r\n\r\nabc",
		OK "Content-Length: x\r\n\r\nabc",
		OK "Content-Length: -1\r\n\r\nabc",
		OK "Content-Length: 17\r\n\r\nabcdefghijklmnopq",
		OK "Content-Length: 99999999999999999999\r\n\r\nabc",
		OK "Content-Length: 3\r\nContent-Length: 2\r\n\r\nabc",
		OK "Content-Encoding: gzip\r\n\r\nabc",
		OK "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n",
		OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n",
		OK "Transfer-Encoding: chunked\r\n\r\nx\r\nabc\r\n0\r\n",
		OK "Transfer-Encoding: chunked\r\n\r\n"
		   "11\r\nabcdefghijklmnopq\r\n0\r\n",
		OK "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\na",
		OK "\r\nabcdefghijklmnopq",
	};

	for (size_t i = 0; i < COUNT_OF(bad); i++)
		if (parse(bad[i], true).progress != HTTP_BAD)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(parse("HTTP/1.1 302 Found\r\n\r\n", false).status,
	    302);
	assert_int_equal(parse(OK "\r\nabc", false).progress, HTTP_MORE);
}

static void
a_head_has_a_largest_length(void **state UNUSED)
{
	char *line = xmalloc(HTTP_HEAD_LEN_MAX + 1), *text;

	memset(line, 'a', HTTP_HEAD_LEN_MAX);
	line[HTTP_HEAD_LEN_MAX] = '\0';
	assert_int_equal(parse(line, false).progress, HTTP_MORE);
	text = xasprintf(OK "%s", line);
	assert_int_equal(parse(text, false).progress, HTTP_BAD);
	free(text);
	free(line);
}

/* --- Fetching ------------------------------------------------------------- */

static int
get(struct http_server *server, int64_t timeout_ms, int stop_fd,
    char reason[128])
{
	char *text =
	    xasprintf("http://127.0.0.1:%d/keys", http_server_port(server));
	struct http_get request = {
		.timeout_ms = timeout_ms,
		.stop_fd = stop_fd,
	};
	const char *wrong;
	struct buf body;
	int result;

	assert_int_equal(
	    http_url_parse(slice_str(text), &request.url, &wrong), 0);
	buf_init(&body, 1000);
	result = http_get(&request, &body, reason, 128);
	if (result == 0)
		assert_true(slice_equal_str(buf_slice(&body), "abc"));
	buf_fini(&body);
	free(text);
	return result;
}

static void
documents_come_or_do_not(void **state UNUSED)
{
	struct http_server *server = http_server_new();
	char reason[128];

	http_server_serve(server, "abc");
	assert_int_equal(get(server, 20000, -1, reason), 0);
	http_server_respond(server, OK "\r\nabc");
	assert_int_equal(get(server, 20000, -1, reason), 0);
	http_server_respond(server,
	    "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n");
	assert_int_equal(get(server, 20000, -1, reason), -1);
	assert_string_equal(reason, "it has answered with status: 302");
	http_server_respond(server, "");
	assert_int_equal(get(server, 20000, -1, reason), -1);
	http_server_respond(server, OK "Content-Length: 4\r\n\r\nabc");
	assert_int_equal(get(server, 20000, -1, reason), -1);
	http_server_respond(server, OK "Content-Length: 1001\r\n\r\nabc");
	assert_int_equal(get(server, 20000, -1, reason), -1);
	http_server_free(server);
}

static void
who_does_not_answer_is_given_up(void **state UNUSED)
{
	struct http_server *server = http_server_new();
	int stop_fd = eventfd(1, EFD_CLOEXEC);
	char reason[128];

	http_server_stall(server);
	assert_int_equal(get(server, 50, -1, reason), -1);
	assert_string_equal(reason, "it took too long");
	assert_int_equal(get(server, 20000, stop_fd, reason), -1);
	assert_string_equal(reason, "it was given up");
	close(stop_fd);
	http_server_free(server);
}

/* --- The source ----------------------------------------------------------- */

struct world {
	struct http_server *server;
	struct token_key *key;
	struct token_key *next;
	char *keys;
	char *next_keys;
	char *url;
	struct jwk_source_settings settings;
};

static int
set_up(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));

	world->server = http_server_new();
	world->key = token_key_new("ES256", "first", 0);
	world->next = token_key_new("ES256", "second", 0);
	world->keys = token_key_set(world->key, NULL);
	world->next_keys = token_key_set(world->next, NULL);
	http_server_serve(world->server, world->keys);
	world->url = xasprintf(
	    "http://127.0.0.1:%d/", http_server_port(world->server));
	world->settings = (struct jwk_source_settings){
		.url = world->url,
		.refresh_ms = 3600000,
		.backoff_ms = 1,
		.backoff_max_ms = 20,
	};
	*state = world;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *world = *state;

	http_server_free(world->server);
	token_key_free(world->key);
	token_key_free(world->next);
	free(world->keys);
	free(world->next_keys);
	free(world->url);
	free(world);
	return 0;
}

static bool
verifies(struct jwk_source *source, const struct token_key *key)
{
	char *token = token_of(key, CLAIMS);
	const char *reason;
	struct arena arena;
	struct jwt jwt;

	arena_init(&arena, SIZE_MAX);
	assert_int_equal(
	    jwt_parse(slice_str(token), &arena, &jwt, &reason), 0);
	reason = jwk_source_verify(source, &jwt);
	jwt_fini(&jwt);
	arena_reset(&arena);
	free(token);
	return reason == NULL;
}

/* Ask until it does; what it waits for comes by a thread. */
static void
await_verified(struct jwk_source *source, const struct token_key *key)
{
	while (!verifies(source, key))
		usleep(1000);
}

static void
an_unknown_key_is_fetched_once(void **state)
{
	struct world *world = *state;
	struct jwk_source *source =
	    jwk_source_open(&world->settings, disk_posix());

	assert_non_null(source);
	assert_true(verifies(source, world->key));
	http_server_serve(world->server, world->next_keys);
	assert_true(verifies(source, world->key));
	assert_int_equal(http_server_count(world->server), 1);
	assert_false(verifies(source, world->next));
	await_verified(source, world->next);
	/* The old one is gone, and not asked for but once, either. */
	assert_false(verifies(source, world->key));
	http_server_await(world->server, 3);
	for (int i = 0; i < 100; i++)
		assert_false(verifies(source, world->key));
	assert_int_equal(http_server_count(world->server), 3);
	jwk_source_close(source);
}

static void
keys_are_fetched_again_in_time(void **state)
{
	struct world *world = *state;
	struct jwk_source *source;

	world->settings.refresh_ms = 5;
	source = jwk_source_open(&world->settings, disk_posix());
	assert_non_null(source);
	http_server_serve(world->server, world->next_keys);
	http_server_await(world->server, 4);
	await_verified(source, world->next);
	jwk_source_close(source);
}

/* What is there stays, however wrong what comes is. */
static void
keys_stay_where_there_are_no_others(void **state)
{
	struct world *world = *state;
	struct jwk_source *source;
	int count;

	world->settings.refresh_ms = 5;
	source = jwk_source_open(&world->settings, disk_posix());
	assert_non_null(source);
	http_server_respond(world->server, "HTTP/1.1 500 Error\r\n\r\n");
	count = http_server_count(world->server);
	http_server_await(world->server, count + 3);
	assert_true(verifies(source, world->key));
	http_server_serve(world->server, "{}");
	count = http_server_count(world->server);
	http_server_await(world->server, count + 3);
	assert_true(verifies(source, world->key));
	http_server_serve(world->server, world->next_keys);
	await_verified(source, world->next);
	jwk_source_close(source);
}

static void
without_keys_there_is_no_start(void **state)
{
	struct world *world = *state;

	http_server_serve(world->server, "[]");
	assert_null(jwk_source_open(&world->settings, disk_posix()));
	assert_true(http_server_count(world->server) > 1);
	http_server_respond(world->server, "");
	assert_null(jwk_source_open(&world->settings, disk_posix()));
}

/* Also while it is fetching from somebody who does not answer. */
static void
a_stop_does_not_wait(void **state)
{
	struct world *world = *state;
	struct jwk_source *source =
	    jwk_source_open(&world->settings, disk_posix());

	assert_non_null(source);
	http_server_stall(world->server);
	assert_false(verifies(source, world->next));
	http_server_await(world->server, 2);
	assert_true(verifies(source, world->key));
	jwk_source_close(source);
}

int
main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_end_in_three_ways),
		cmocka_unit_test(responses_that_are_none),
		cmocka_unit_test(a_head_has_a_largest_length),
		cmocka_unit_test(documents_come_or_do_not),
		cmocka_unit_test(who_does_not_answer_is_given_up),
		EACH(an_unknown_key_is_fetched_once),
		EACH(keys_are_fetched_again_in_time),
		EACH(keys_stay_where_there_are_no_others),
		EACH(without_keys_there_is_no_start),
		EACH(a_stop_does_not_wait),
	};
#undef EACH

	return cmocka_run_group_tests(tests, NULL, NULL);
}
