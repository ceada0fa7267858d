/*
 * Storms of logins: many clients that come at the same moment and log in with
 * SCRAM-SHA-256, as after a restart of the broker, again and again.
 *
 *	logins [--clients N] [--every MS] [--seconds N] [--unknown]
 *	       PORT SASL_PORT
 *
 * PORT is a listener where anybody may make the user, SASL_PORT one with the
 * mechanism.  The password is salted once, as clients that keep the result do,
 * so that next to nothing but the broker's work is done.  With --unknown they
 * are clients that nobody knows: they come to the broker's answer to their
 * proof, which is a refusal.  Prints one line of JSON.
 */
#include "auth/scram.h"
#include "base/arena.h"
#include "base/base64.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/slice.h"
#include "bench/frames.h"
#include "bench/histogram.h"
#include "wire/error.h"
#include "wire/generated/alter_user_scram_credentials.h"
#include "wire/generated/sasl_authenticate.h"
#include "wire/generated/sasl_handshake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define USER "storm"
#define FIRST "n=" USER ",r=abc"
#define UNKNOWN_FIRST "n=nobody,r=abc"
#define SALT "0123456789abcdef"
#define ITERATIONS 4096
#define KEY_LEN 32
#define ARENA_MAX (1u << 20)
#define ANSWER_MAX 4096
/* None of them takes so long. */
#define SILENCE_MS 60000

enum step { STEP_HANDSHAKE, STEP_FIRST, STEP_FINAL, STEP_OVER };

struct client {
	int fd;
	enum step step; /* whose answer it waits for */
	uint8_t answer[ANSWER_MAX];
	size_t len;
	int64_t begun_us;
};

struct storm {
	struct broker open, sasl;
	int client_count;
	int64_t every_ms;
	double seconds;
	const char *first; /* client-first-bare */
	bool unknown;
	uint8_t client_key[KEY_LEN], stored_key[KEY_LEN];
	struct buf handshake_frame, first_frame;
	int epoll;
	struct client *clients;
	struct histogram login, whole;
};

/* --- The user ------------------------------------------------------------- */

static void
make_user(struct storm *storm)
{
	uint8_t salted[SCRAM_KEY_LEN_MAX], client_key[SCRAM_KEY_LEN_MAX];
	uint8_t stored_key[SCRAM_KEY_LEN_MAX], server_key[SCRAM_KEY_LEN_MAX];
	struct slice key = slice_of(salted, KEY_LEN);
	struct kp_alter_user_scram_credentials_request_upsertion upsertion = {
		.name = slice_str(USER),
		.mechanism = SCRAM_SHA_256,
		.iterations = ITERATIONS,
		.salt = slice_str(SALT),
		.salted_password = key,
	};
	const struct kp_alter_user_scram_credentials_request request = {
		.upsertions = &upsertion,
		.upsertions_count = 1,
	};
	struct kp_alter_user_scram_credentials_response response;
	struct arena arena;
	int fd = broker_must_connect(&storm->open);

	if (scram_salt(SCRAM_SHA_256, slice_str("secret"), slice_str(SALT),
		ITERATIONS, salted) != 0 ||
	    scram_hmac(SCRAM_SHA_256, key, slice_str("Client Key"),
		client_key) != 0 ||
	    scram_derive(SCRAM_SHA_256, key, stored_key, server_key) != 0)
		die("a digest failed");
	memcpy(storm->client_key, client_key, KEY_LEN);
	memcpy(storm->stored_key, stored_key, KEY_LEN);
	arena_init(&arena, ARENA_MAX);
	if (!broker_call(fd, KP_ALTER_USER_SCRAM_CREDENTIALS_KEY, 0, &request,
		&response, &arena) ||
	    response.results_count != 1 ||
	    response.results[0].error_code != KP_NONE)
		die("the user could not be made");
	arena_reset(&arena);
	close(fd);
}

static void
encode_frames(struct storm *storm)
{
	const struct kp_sasl_handshake_request handshake = {
		.mechanism = slice_str("SCRAM-SHA-256"),
	};
	struct kp_sasl_authenticate_request first;
	struct arena arena;

	arena_init(&arena, ARENA_MAX);
	first.auth_bytes = arena_printf(&arena, "n,,%s", storm->first);
	frame_encode(&storm->handshake_frame, KP_SASL_HANDSHAKE_KEY, 1,
	    &handshake);
	frame_encode(&storm->first_frame, KP_SASL_AUTHENTICATE_KEY, 1, &first);
	arena_reset(&arena);
}

/* --- A login -------------------------------------------------------------- */

static void
send_frame(const struct client *client, const struct buf *frame)
{
	if (send(client->fd, frame->data, frame->len, MSG_NOSIGNAL) !=
	    (ssize_t)frame->len)
		die("send: %s", strerror(errno));
}

/* The part of "r=…,s=…,i=…" that begins with the key. */
static struct slice
part_of(struct slice text, char key)
{
	struct slice part;

	while (slice_next_word(&text, &part))
		if (part.len > 2 && part.data[0] == (uint8_t)key)
			return slice_of(part.data + 2, part.len - 2);
	die("the broker sent no %c=", key);
}

static void
send_final(const struct storm *storm, const struct client *client,
    struct slice server_first)
{
	uint8_t signature[SCRAM_KEY_LEN_MAX];
	char proof[64] = "";
	struct arena arena;
	struct slice final, message;
	struct kp_sasl_authenticate_request request;
	struct buf frame;

	arena_init(&arena, ARENA_MAX);
	final = arena_printf(&arena, "c=biws,r=%.*s",
	    SLICE_ARG(part_of(server_first, 'r')));
	message = arena_printf(&arena, "%s,%.*s,%.*s", storm->first,
	    SLICE_ARG(server_first), SLICE_ARG(final));
	if (scram_hmac(SCRAM_SHA_256, slice_of(storm->stored_key, KEY_LEN),
		message, signature) != 0)
		die("a digest failed");
	for (size_t i = 0; i < KEY_LEN; i++)
		signature[i] ^= storm->client_key[i];
	base64_encode(slice_of(signature, KEY_LEN), proof);
	request.auth_bytes = arena_printf(
	    &arena, "%.*s,p=%s", SLICE_ARG(final), proof);
	frame_encode(&frame, KP_SASL_AUTHENTICATE_KEY, 1, &request);
	send_frame(client, &frame);
	buf_fini(&frame);
	arena_reset(&arena);
}

static void
end_login(struct storm *storm, struct client *client)
{
	histogram_add(&storm->login,
	    (uint64_t)(clock_monotonic_us() - client->begun_us) * 1000);
	client->step = STEP_OVER;
	close(client->fd);
}

static void
take_token(struct storm *storm, struct client *client, struct slice answer)
{
	struct kp_sasl_authenticate_response response;
	bool refused, last = client->step == STEP_FINAL;
	struct arena arena;

	arena_init(&arena, ARENA_MAX);
	frame_decode(
	    KP_SASL_AUTHENTICATE_KEY, 1, answer, &response, &arena);
	refused = response.error_code != KP_NONE;
	if (refused != (last && storm->unknown))
		die("the login came to error %d", response.error_code);
	client->step = STEP_FINAL;
	if (last)
		end_login(storm, client);
	else
		send_final(storm, client, response.auth_bytes);
	arena_reset(&arena);
}

static void
take_answer(struct storm *storm, struct client *client, struct slice answer)
{
	if (client->step != STEP_HANDSHAKE) {
		take_token(storm, client, answer);
		return;
	}
	client->step = STEP_FIRST;
	send_frame(client, &storm->first_frame);
}

static void
on_readable(struct storm *storm, struct client *client)
{
	ssize_t n = recv(client->fd, client->answer + client->len,
	    ANSWER_MAX - client->len, MSG_DONTWAIT);
	size_t whole;

	if (n <= 0)
		die("recv: %s", n == 0 ? "closed" : strerror(errno));
	client->len += (size_t)n;
	if (client->len < 4)
		return;
	whole = 4 + be32_get(client->answer);
	if (whole > ANSWER_MAX)
		die("an answer of %zu bytes", whole);
	if (client->len < whole)
		return;
	client->len = 0;
	take_answer(storm, client, slice_of(client->answer + 4, whole - 4));
}

/* --- A storm -------------------------------------------------------------- */

static void
begin_login(struct storm *storm, struct client *client)
{
	struct epoll_event event = { .data.ptr = client, .events = EPOLLIN };

	client->begun_us = clock_monotonic_us();
	client->step = STEP_HANDSHAKE;
	client->len = 0;
	client->fd = broker_must_connect(&storm->sasl);
	send_frame(client, &storm->handshake_frame);
	if (epoll_ctl(storm->epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
		die("epoll_ctl: %s", strerror(errno));
}

static int
take_events(struct storm *storm, int timeout_ms)
{
	struct epoll_event events[256];
	int over = 0, count = epoll_wait(storm->epoll, events,
			  (int)COUNT_OF(events), timeout_ms);

	if (count < 0 || (count == 0 && timeout_ms > 0))
		die("epoll_wait: %s",
		    count < 0 ? strerror(errno) : "the broker is silent");
	for (int i = 0; i < count; i++) {
		struct client *client = events[i].data.ptr;

		on_readable(storm, client);
		over += client->step == STEP_OVER;
	}
	return over;
}

static void
run_storm(struct storm *storm)
{
	int64_t begun_us = clock_monotonic_us();
	int over = 0;

	for (int i = 0; i < storm->client_count; i++) {
		begin_login(storm, &storm->clients[i]);
		over += take_events(storm, 0);
	}
	while (over < storm->client_count)
		over += take_events(storm, SILENCE_MS);
	histogram_add(&storm->whole,
	    (uint64_t)(clock_monotonic_us() - begun_us) * 1000);
}

static void
run(struct storm *storm)
{
	int64_t now_ms = clock_monotonic_ms(), due_ms = now_ms;
	int64_t end_ms = now_ms + (int64_t)(storm->seconds * 1000);

	for (; due_ms < end_ms; due_ms += storm->every_ms) {
		now_ms = clock_monotonic_ms();
		if (due_ms > now_ms)
			usleep((useconds_t)(due_ms - now_ms) * 1000);
		run_storm(storm);
	}
	printf("{\"clients\":%d,\"storms\":%lu,\"unknown\":%s",
	    storm->client_count, storm->whole.count,
	    storm->unknown ? "true" : "false");
	histogram_print(&storm->whole, "storm");
	histogram_print(&storm->login, "login");
	printf("}\n");
}

static void
take_options(struct storm *storm, int argc, char **argv)
{
	static const struct option options[] = {
		{ "clients", required_argument, NULL, 'c' },
		{ "every", required_argument, NULL, 'e' },
		{ "seconds", required_argument, NULL, 's' },
		{ "unknown", no_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 'c':
			storm->client_count = atoi(optarg);
			break;
		case 'e':
			storm->every_ms = atoi(optarg);
			break;
		case 's':
			storm->seconds = strtod(optarg, NULL);
			break;
		case 'u':
			storm->unknown = true;
			storm->first = UNKNOWN_FIRST;
			break;
		default:
			exit(2);
		}
	if (optind + 2 != argc || storm->client_count <= 0 ||
	    storm->every_ms <= 0)
		die("usage: logins [--clients N] [--every MS] [--seconds N] "
		    "[--unknown] PORT SASL_PORT");
	storm->open.port = (uint16_t)atoi(argv[optind]);
	storm->sasl.port = (uint16_t)atoi(argv[optind + 1]);
}

int
main(int argc, char **argv)
{
	static struct storm storm = {
		.open.host = "127.0.0.1",
		.sasl.host = "127.0.0.1",
		.client_count = 1000,
		.every_ms = 1000,
		.seconds = 5,
		.first = FIRST,
	};

	take_options(&storm, argc, argv);
	storm.epoll = epoll_create1(EPOLL_CLOEXEC);
	storm.clients =
	    xcalloc((size_t)storm.client_count, sizeof(*storm.clients));
	make_user(&storm);
	encode_frames(&storm);
	run(&storm);
	buf_fini(&storm.handshake_frame);
	buf_fini(&storm.first_frame);
	free(storm.clients);
	close(storm.epoll);
	return 0;
}
