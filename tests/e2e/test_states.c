/*
 * Who has not logged in is served what logging in takes and nothing else:
 * every API there is, at every version and at those around them, in each state
 * of a connection that has not got that far.
 *
 *	begin	ApiVersions at any version, SaslHandshake at those that there
 *		are; all else closes without an answer
 *	tokens	SaslAuthenticate at the versions that there are; all else that
 *		is served is told ILLEGAL_SASL_STATE where it can be, and
 *		closes; what is not served closes without an answer
 *	bare	every frame is a token: a wrong one closes without an answer
 *
 * What was answered but did not log in closes, but in begin.
 */
#include "unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "api/api.h"
#include "base/bytes.h"
#include "e2e/raw_login.h"
#include "e2e/scram_login.h"
#include "wire/codec.h"
#include "wire/generated/alter_user_scram_credentials.h"
#include "wire/generated/api_versions.h"
#include "wire/generated/metadata.h"
#include "wire/generated/sasl_authenticate.h"
#include "wire/generated/sasl_handshake.h"

#define DEADLINE_MS 30000
#define ILLEGAL_SASL_STATE "\0\x22"
/* Size, header, throttle time, the counts of some arrays. */
#define EMPTY_LEN_MAX 40

enum state { STATE_BEGIN, STATE_TOKENS, STATE_BARE };

static const char *const state_names[] = { "begin", "tokens", "bare" };

enum outcome { OUTCOME_CLOSED, OUTCOME_ANSWERED };

static struct broker_process broker;

static int
start_broker(void **state UNUSED)
{
	raw_login_broker(&broker);
	broker_process_restart(&broker);
	return 0;
}

static int
stop_broker(void **state UNUSED)
{
	broker_process_fini(&broker);
	return 0;
}

/* --- Frames --------------------------------------------------------------- */

static void
reach(struct raw_client *client, enum state state)
{
	const struct kp_sasl_handshake_request request = {
		.mechanism = slice_str("PLAIN"),
	};
	const struct kp_sasl_handshake_response *response;

	raw_client_init(client, &broker);
	if (state == STATE_BEGIN)
		return;
	response = raw_client_call(client, KP_SASL_HANDSHAKE_KEY,
	    state == STATE_TOKENS, &request);
	assert_int_equal(response->error_code, KP_NONE);
}

/* A header with nothing behind it, for what no table knows. */
static void
send_header(struct raw_client *client, int16_t key, int16_t version)
{
	uint8_t frame[15] = { 0 };

	be32_put(frame, sizeof(frame) - 4);
	be16_put(frame + 4, (uint16_t)key);
	be16_put(frame + 6, (uint16_t)version);
	be32_put(frame + 8, 1);
	be16_put(frame + 12, 0xffff);
	raw_client_send(client, frame, sizeof(frame));
}

static void
send_request(struct raw_client *client, int16_t key, int16_t version)
{
	const struct kp_api *api = kp_api_find(key);

	if (api != NULL && kp_version_valid(api->request, version))
		raw_client_request(client, key, version, 1, NULL);
	else
		send_header(client, key, version);
}

/* The next bytes; 0 where the broker has closed. */
static size_t
receive(struct raw_client *client, void *data, size_t len)
{
	struct pollfd pollfd = { .fd = client->fd, .events = POLLIN };
	ssize_t n;

	assert_int_equal(poll(&pollfd, 1, DEADLINE_MS), 1);
	n = recv(client->fd, data, len, 0);
	if (n < 0)
		assert_int_equal(errno, ECONNRESET);
	return n < 0 ? 0 : (size_t)n;
}

/* A frame, without its size, in data; its len. */
static enum outcome
receive_frame(struct raw_client *client, uint8_t *data, size_t size,
    size_t *len)
{
	size_t have = 0, n;

	do {
		n = receive(client, data + have, size - have);
		if (n == 0 && have == 0)
			return OUTCOME_CLOSED;
		assert_true(n > 0);
		have += n;
	} while (have < 4 || have < 4 + be32_get(data));
	*len = have;
	return OUTCOME_ANSWERED;
}

/* --- What is right -------------------------------------------------------- */

static bool
is_served(int16_t key, int16_t version)
{
	const struct api *api = api_find(key);

	return api != NULL && version >= api_version_min(api) &&
	    version <= api_version_max(api);
}

/* In which it closes, which is always right but for what logs in. */
static bool
must_answer(enum state state, int16_t key, int16_t version)
{
	switch (state) {
	case STATE_BEGIN:
		return key == KP_API_VERSIONS_KEY ||
		    (key == KP_SASL_HANDSHAKE_KEY && is_served(key, version));
	case STATE_TOKENS:
		return key == KP_SASL_AUTHENTICATE_KEY &&
		    is_served(key, version);
	case STATE_BARE:
		break;
	}
	return false;
}

static bool
may_answer(enum state state, int16_t key, int16_t version)
{
	return must_answer(state, key, version) ||
	    (state == STATE_TOKENS &&
		(is_served(key, version) || key == KP_API_VERSIONS_KEY));
}

/*
 * The error, or a short answer that has no place for it because nothing was
 * asked for: Fetch and Metadata had no error of their own for long.
 */
static bool
tells_nothing_else(const uint8_t *data, size_t len)
{
	if (memmem(data, len, "127.0.0.1", strlen("127.0.0.1")) != NULL)
		return false;
	return len <= EMPTY_LEN_MAX ||
	    memmem(data, len, ILLEGAL_SASL_STATE,
		sizeof(ILLEGAL_SASL_STATE) - 1) != NULL;
}

static bool
is_right(enum state state, int16_t key, int16_t version)
{
	struct raw_client client;
	uint8_t data[1 << 16];
	size_t len = 0;
	enum outcome outcome;
	bool right;

	reach(&client, state);
	send_request(&client, key, version);
	outcome = receive_frame(&client, data, sizeof(data), &len);
	right = outcome == OUTCOME_ANSWERED ?
	    may_answer(state, key, version) :
	    !must_answer(state, key, version);
	/* Not a word of what was asked for, and no second try. */
	if (right && outcome == OUTCOME_ANSWERED && state == STATE_TOKENS) {
		if (key != KP_SASL_AUTHENTICATE_KEY)
			right = tells_nothing_else(data, len);
		right = right && receive(&client, data, sizeof(data)) == 0;
	}
	raw_client_fini(&client);
	if (!right)
		fprintf(stderr, "key %d version %d in %s: %s\n", key, version,
		    state_names[state],
		    outcome == OUTCOME_ANSWERED ? "answered" : "closed");
	return right;
}

/* --- Tests ---------------------------------------------------------------- */

static void
all_are_right(enum state state)
{
	bool right = true;

	for (int key = -1; key <= kp_api_key_max + 1; key++) {
		const struct kp_api *api = kp_api_find(key);
		int max = api == NULL ? 0 : api->request->version_max;

		for (int version = -1; version <= max + 1; version++)
			right &= is_right(
			    state, (int16_t)key, (int16_t)version);
	}
	assert_true(right);
}

static void
nothing_is_served_before_the_handshake(void **state UNUSED)
{
	all_are_right(STATE_BEGIN);
}

static void
nothing_but_tokens_is_served_after_it(void **state UNUSED)
{
	all_are_right(STATE_TOKENS);
}

static void
nothing_is_served_after_an_old_one(void **state UNUSED)
{
	all_are_right(STATE_BARE);
}

static void
who_has_logged_in_cannot_do_it_again(void **state UNUSED)
{
	const struct kp_metadata_request metadata = { .topics_count = 0 };
	const struct kp_metadata_response *served;
	struct raw_client client;

	raw_client_init(&client, &broker);
	assert_int_equal(
	    raw_login(&client, "admin", "admin-secret"), KP_NONE);
	for (int16_t version = 0; version <= 1; version++) {
		const struct kp_sasl_handshake_response *response =
		    raw_client_call(
			&client, KP_SASL_HANDSHAKE_KEY, version, NULL);

		assert_int_equal(response->error_code, KP_ILLEGAL_SASL_STATE);
	}
	for (int16_t version = 0; version <= 2; version++) {
		const struct kp_sasl_authenticate_response *response =
		    raw_client_call(
			&client, KP_SASL_AUTHENTICATE_KEY, version, NULL);

		assert_int_equal(response->error_code, KP_ILLEGAL_SASL_STATE);
	}
	served = raw_client_call(&client, KP_METADATA_KEY, 12, &metadata);
	assert_int_equal(served->brokers_count, 1);
	raw_client_fini(&client);
}

/* Whoever is asked for and whatever is wrong: the same bytes. */
static void
nobody_learns_who_there_is(void **state UNUSED)
{
	static const char *const users[] = { "admin", "bob", "nobody" };
	const struct kp_sasl_handshake_request handshake = {
		.mechanism = slice_str("PLAIN"),
	};
	uint8_t first[1024], data[1024];
	size_t first_len = 0, len = 0;

	for (size_t i = 0; i < COUNT_OF(users); i++) {
		struct raw_client client;
		struct kp_sasl_authenticate_request request;

		raw_client_init(&client, &broker);
		(void)raw_client_call(
		    &client, KP_SASL_HANDSHAKE_KEY, 1, &handshake);
		request.auth_bytes = arena_printf(
		    &client.arena, "%c%s%cwrong", '\0', users[i], '\0');
		raw_client_request(
		    &client, KP_SASL_AUTHENTICATE_KEY, 2, 1, &request);
		assert_int_equal(
		    receive_frame(&client, data, sizeof(data), &len),
		    OUTCOME_ANSWERED);
		raw_client_fini(&client);
		if (i == 0) {
			memcpy(first, data, len);
			first_len = len;
		}
		assert_int_equal(len, first_len);
		assert_memory_equal(data, first, len);
	}
}

/* After an old handshake: no byte, whoever it is. */
static void
nobody_learns_it_from_frames(void **state UNUSED)
{
	static const char *const users[] = { "admin", "bob", "nobody" };

	for (size_t i = 0; i < COUNT_OF(users); i++) {
		struct raw_client client;
		struct slice token;
		uint8_t len[4];

		reach(&client, STATE_BARE);
		token = arena_printf(
		    &client.arena, "%c%s%cwrong", '\0', users[i], '\0');
		be32_put(len, (uint32_t)token.len);
		raw_client_send(&client, len, sizeof(len));
		raw_client_send(&client, token.data, token.len);
		raw_client_expect_close(&client);
		raw_client_fini(&client);
	}
}

static void
set_scram_password(struct raw_client *client, enum scram_mechanism mechanism)
{
	uint8_t salted[SCRAM_KEY_LEN_MAX];
	struct kp_alter_user_scram_credentials_request_upsertion upsertion = {
		.name = slice_str("carol"),
		.mechanism = (int8_t)mechanism,
		.iterations = SCRAM_ITERATIONS_MIN,
		.salt = slice_str("pepper"),
	};
	const struct kp_alter_user_scram_credentials_request request = {
		.upsertions = &upsertion,
		.upsertions_count = 1,
	};
	const struct kp_alter_user_scram_credentials_response *response;

	assert_int_equal(scram_salt(mechanism, slice_str("right"),
			     upsertion.salt, SCRAM_ITERATIONS_MIN, salted),
	    0);
	upsertion.salted_password =
	    slice_of(salted, scram_key_len(mechanism));
	response = raw_client_call(
	    client, KP_ALTER_USER_SCRAM_CREDENTIALS_KEY, 0, &request);
	assert_int_equal(response->results_count, 1);
	assert_int_equal(response->results[0].error_code, KP_NONE);
}

/* The answer to the proof, all of it, as text in *told. */
static enum kp_error
try_scram(const struct broker_process *with, enum scram_mechanism mechanism,
    const char *user, const char *password, char told[512])
{
	const struct kp_sasl_authenticate_response *response;
	struct raw_client client;
	enum kp_error error;

	raw_client_init(&client, with);
	response = scram_login(&client, mechanism, slice_str(user),
	    slice_str(password), "");
	error = (enum kp_error)response->error_code;
	snprintf(told, 512, "%d %.*s %.*s %lld", response->error_code,
	    SLICE_ARG(response->error_message),
	    SLICE_ARG(response->auth_bytes),
	    (long long)response->session_lifetime_ms);
	raw_client_fini(&client);
	return error;
}

#define SCRAM "listener.name.sasl_plaintext.scram-sha-"
#define SCRAM_LOGIN \
	"org.apache.kafka.common.security.scram.ScramLoginModule required;"

/* Both get as far as the proof, and are told the same then. */
static void
nobody_learns_it_from_scram(void **state UNUSED)
{
	static const char *const arguments[] = {
		"listener.name.sasl_plaintext.sasl.enabled.mechanisms="
		"PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		SCRAM "256.sasl.jaas.config=" SCRAM_LOGIN,
		SCRAM "512.sasl.jaas.config=" SCRAM_LOGIN,
	};
	static const enum scram_mechanism mechanisms[] = { SCRAM_SHA_256,
		SCRAM_SHA_512 };
	struct broker_process with;
	struct raw_client admin;
	char wrong[512], unknown[512];

	raw_login_broker(&with);
	for (size_t i = 0; i < COUNT_OF(arguments); i++) {
		broker_process_argument(&with, "--override");
		broker_process_argument(&with, arguments[i]);
	}
	broker_process_restart(&with);
	raw_client_init(&admin, &with);
	assert_int_equal(
	    raw_login(&admin, "admin", "admin-secret"), KP_NONE);
	for (size_t i = 0; i < COUNT_OF(mechanisms); i++) {
		set_scram_password(&admin, mechanisms[i]);
		assert_int_equal(try_scram(&with, mechanisms[i], "carol",
				     "right", wrong),
		    KP_NONE);
		assert_int_equal(try_scram(&with, mechanisms[i], "carol",
				     "wrong", wrong),
		    KP_SASL_AUTHENTICATION_FAILED);
		assert_int_equal(try_scram(&with, mechanisms[i], "nobody",
				     "wrong", unknown),
		    KP_SASL_AUTHENTICATION_FAILED);
		assert_string_equal(unknown, wrong);
	}
	raw_client_fini(&admin);
	broker_process_fini(&with);
}

/* Asking now and then does not keep a connection. */
static void
who_does_not_log_in_is_closed(void **state UNUSED)
{
	const struct kp_api_versions_request request = {
		.client_software_name = slice_str("x"),
		.client_software_version = slice_str("1"),
	};
	struct broker_process hasty;
	struct raw_client client;

	raw_login_broker(&hasty);
	broker_process_argument(&hasty, "--override");
	broker_process_argument(&hasty, "klamm.login.timeout.ms=100");
	broker_process_restart(&hasty);
	raw_client_init(&client, &hasty);
	while (raw_client_try_call(
		   &client, KP_API_VERSIONS_KEY, 3, &request) != NULL)
		continue;
	raw_client_fini(&client);
	broker_process_fini(&hasty);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_served_before_the_handshake),
		cmocka_unit_test(nothing_but_tokens_is_served_after_it),
		cmocka_unit_test(nothing_is_served_after_an_old_one),
		cmocka_unit_test(who_has_logged_in_cannot_do_it_again),
		cmocka_unit_test(nobody_learns_who_there_is),
		cmocka_unit_test(nobody_learns_it_from_frames),
		cmocka_unit_test(nobody_learns_it_from_scram),
		cmocka_unit_test(who_does_not_log_in_is_closed),
	};

	return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
