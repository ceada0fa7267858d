/*
 * SASL: the conversations of PLAIN and SCRAM, with clients that do it right
 * and clients that do not, and what they can learn from failing.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "auth/sasl.h"
#include "auth/sasl_scram.c"

#include "auth/delegation_tokens.h"
#include "auth/plain_users.h"
#include "auth/scram_users.h"
#include "base/buf.h"
#include "meta/delta.h"
#include "meta/image.h"
#include "meta/metadata_record.h"
#include "wire/generated/metadata_delegation_token_record.h"
#include "wire/generated/metadata_user_scram_credential_record.h"

#define SALT "QSXCR+Q6sek8bf92"

static const struct plain_user plain_users[] = {
	{ SLICE_LITERAL("alice"), SLICE_LITERAL("secret") },
	{ SLICE_LITERAL("bob"), SLICE_LITERAL("bob's") },
};

static const struct delegation_token_settings token_settings = {
	.secret = SLICE_LITERAL("hush"),
};

#define TOKEN_EXPIRY_MS (INT64_MAX - 1)

struct world {
	struct sasl_settings settings;
	struct arena arena;
	struct image *image;
};

/* --- The world: alice has a password, for both mechanisms ----------------- */

static void
add_record(struct world *world, struct delta *delta,
    enum metadata_record_type type, const void *body)
{
	struct metadata_record record;
	const char *reason;
	struct buf buf;

	buf_init(&buf, METADATA_RECORD_BATCH_LEN_MAX);
	assert_int_equal(metadata_record_encode(&buf, type, 0, body), 0);
	assert_int_equal(metadata_record_decode(
			     buf_slice(&buf), &world->arena, &record, &reason),
	    0);
	assert_int_equal(delta_replay(delta, &record), 0);
	buf_fini(&buf);
}

static void
add_user(struct world *world, struct delta *delta,
    enum scram_mechanism mechanism, const char *name, const char *password)
{
	size_t len = scram_key_len(mechanism);
	uint8_t salted[SCRAM_KEY_LEN_MAX], stored[SCRAM_KEY_LEN_MAX];
	uint8_t server[SCRAM_KEY_LEN_MAX];
	struct kp_user_scram_credential_record body = {
		.name = slice_str(name),
		.mechanism = (int8_t)mechanism,
		.salt = slice_str(SALT),
		.stored_key = slice_of(stored, len),
		.server_key = slice_of(server, len),
		.iterations = SCRAM_ITERATIONS_MIN,
	};

	assert_int_equal(scram_salt(mechanism, slice_str(password), body.salt,
			     body.iterations, salted),
	    0);
	assert_int_equal(
	    scram_derive(mechanism, slice_of(salted, len), stored, server), 0);
	add_record(
	    world, delta, METADATA_RECORD_USER_SCRAM_CREDENTIAL, &body);
}

/* Of alice's. */
static void
add_token(struct world *world, struct delta *delta)
{
	const struct kp_delegation_token_record body = {
		.owner = slice_str("User:alice"),
		.requester = slice_str("User:alice"),
		.max_timestamp = INT64_MAX,
		.expiration_timestamp = TOKEN_EXPIRY_MS,
		.token_id = slice_str("t"),
	};

	add_record(world, delta, METADATA_RECORD_DELEGATION_TOKEN, &body);
}

static int
set_up(void **state)
{
	struct world *world = xcalloc(1, sizeof(*world));
	struct delta *delta;

	arena_init(&world->arena, SIZE_MAX);
	world->image = image_new();
	world->settings.plain_users = plain_users_new(
	    &world->arena, plain_users, COUNT_OF(plain_users));
	world->settings.scram_users = scram_users_new();
	world->settings.tokens = delegation_tokens_new(&token_settings);
	delta = delta_new(world->image);
	add_user(world, delta, SCRAM_SHA_256, "alice", "secret");
	add_user(world, delta, SCRAM_SHA_512, "alice", "secret");
	add_user(world, delta, SCRAM_SHA_256, "a,b=c", "secret");
	add_token(world, delta);
	scram_users_apply(world->settings.scram_users, delta);
	delegation_tokens_apply(world->settings.tokens, delta);
	delta_free(delta);
	*state = world;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *world = *state;

	delegation_tokens_free(world->settings.tokens);
	scram_users_free(world->settings.scram_users);
	image_free(world->image);
	arena_reset(&world->arena);
	free(world);
	return 0;
}

/* --- PLAIN ---------------------------------------------------------------- */

/* '|' stands for NUL. */
static enum sasl_status
plain(struct world *world, const char *text, struct sasl_result *result)
{
	struct sasl_exchange *exchange =
	    sasl_exchange_new(&world->settings, SASL_PLAIN);
	char *token = xstrdup(text);
	enum sasl_status status;
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (token[i] == '|')
			token[i] = '\0';
	status = sasl_exchange_step(
	    exchange, slice_of(token, len), &world->arena, result);
	free(token);
	sasl_exchange_free(exchange);
	return status;
}

static void
plain_knows_users_by_their_passwords(void **state)
{
	struct sasl_result result;

	assert_int_equal(plain(*state, "|alice|secret", &result), SASL_DONE);
	assert_true(slice_equal_str(result.name, "alice"));
	assert_int_equal(result.token.len, 0);
	assert_int_equal(plain(*state, "bob|bob|bob's", &result), SASL_DONE);
	assert_true(slice_equal_str(result.name, "bob"));
}

/* Each of many with his own password, and nobody else. */
static void
plain_knows_each_of_many_users(void **state UNUSED)
{
	enum { COUNT = 2000 };
	struct plain_user *users = xcalloc(COUNT, sizeof(*users));
	struct plain_users *known;
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	for (int i = 0; i < COUNT; i++) {
		users[i].name = arena_printf(&arena, "user-%d", i);
		users[i].password = arena_printf(&arena, "secret-%d", i);
	}
	known = plain_users_new(&arena, users, COUNT);
	for (int i = 0; i < COUNT; i++) {
		const struct plain_user *other = &users[(i + 1) % COUNT];

		assert_true(plain_users_know(
		    known, users[i].name, users[i].password));
		assert_false(plain_users_know(
		    known, users[i].name, other->password));
		assert_false(plain_users_know(
		    known, users[i].password, users[i].password));
	}
	assert_false(plain_users_know(
	    known, slice_str("user-2000"), slice_str("secret-2000")));
	assert_false(plain_users_know(
	    plain_users_new(&arena, NULL, 0), slice_str("a"), slice_str("a")));
	assert_false(plain_users_know(NULL, slice_str("a"), slice_str("a")));
	arena_reset(&arena);
	free(users);
}

static void
plain_says_what_is_wrong_with_a_token(void **state)
{
	static const char *const wrong[][2] = {
		{ "", "Invalid SASL/PLAIN response: expected 3 tokens, got 1" },
		{ "a|b",
		    "Invalid SASL/PLAIN response: expected 3 tokens, "
		    "got 2" },
		{ "a|b|c|d|e",
		    "Invalid SASL/PLAIN response: expected 3 "
		    "tokens, got 4" },
		{ "||secret",
		    "Authentication failed: username not "
		    "specified" },
		{ "|alice|", "Authentication failed: password not specified" },
		{ "|alice|secre",
		    "Authentication failed: Invalid username or "
		    "password" },
		{ "|alice|secret!",
		    "Authentication failed: Invalid username "
		    "or password" },
		{ "|eve|secret",
		    "Authentication failed: Invalid username or "
		    "password" },
		{ "|bob|secret",
		    "Authentication failed: Invalid username or "
		    "password" },
		{ "bob|alice|secret",
		    "Authentication failed: Client "
		    "requested an authorization id that is "
		    "different from username" },
	};
	struct sasl_result result;

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		assert_int_equal(
		    plain(*state, wrong[i][0], &result), SASL_FAILED);
		assert_true(slice_equal_str(result.message, wrong[i][1]));
	}
}

/* --- SCRAM ---------------------------------------------------------------- */

/* A client of SCRAM, whose every message a test may spoil. */
struct client {
	struct world *world;
	struct sasl_exchange *exchange;
	enum scram_mechanism mechanism;
	struct slice first; /* client-first-bare */
	struct slice server_first;
	struct slice nonce;
	struct slice salt;
	struct slice final; /* without the proof */
	uint8_t salted[SCRAM_KEY_LEN_MAX];
	struct sasl_result result;
};

static void
client_init(
    struct client *client, struct world *world, enum scram_mechanism mechanism)
{
	memset(client, 0, sizeof(*client));
	client->world = world;
	client->mechanism = mechanism;
	client->exchange = sasl_exchange_new(&world->settings,
	    mechanism == SCRAM_SHA_256 ? SASL_SCRAM_SHA_256 :
					 SASL_SCRAM_SHA_512);
}

static enum sasl_status
client_step(struct client *client, struct slice token)
{
	return sasl_exchange_step(
	    client->exchange, token, &client->world->arena, &client->result);
}

static void
client_read_first(struct client *client)
{
	struct slice text = client->result.token, encoded, iterations;
	uint8_t *salt;
	size_t len;

	client->server_first = client->result.token;
	assert_true(take_value(&text, 'r', &client->nonce));
	assert_true(take_value(&text, 's', &encoded));
	assert_true(take_value(&text, 'i', &iterations));
	assert_true(slice_equal_str(iterations, "4096"));
	salt = arena_xalloc(&client->world->arena, encoded.len + 1);
	assert_int_equal(base64_decode(encoded, salt, &len), 0);
	client->salt = slice_of(salt, len);
}

static enum sasl_status
client_begin(struct client *client, const char *header, const char *bare)
{
	struct slice token =
	    arena_printf(&client->world->arena, "%s%s", header, bare);
	enum sasl_status status = client_step(client, token);

	client->first = slice_str(bare);
	if (status == SASL_MORE)
		client_read_first(client);
	return status;
}

static struct slice
client_message(const struct client *client)
{
	return arena_printf(&client->world->arena, "%.*s,%.*s,%.*s",
	    SLICE_ARG(client->first), SLICE_ARG(client->server_first),
	    SLICE_ARG(client->final));
}

static struct slice
client_proof(struct client *client, const char *password)
{
	size_t len = scram_key_len(client->mechanism);
	uint8_t key[SCRAM_KEY_LEN_MAX], stored[SCRAM_KEY_LEN_MAX];
	uint8_t signature[SCRAM_KEY_LEN_MAX];

	assert_int_equal(
	    scram_salt(client->mechanism, slice_str(password), client->salt,
		SCRAM_ITERATIONS_MIN, client->salted),
	    0);
	assert_int_equal(
	    scram_hmac(client->mechanism, slice_of(client->salted, len),
		slice_str("Client Key"), key),
	    0);
	assert_int_equal(
	    scram_hash(client->mechanism, slice_of(key, len), stored), 0);
	assert_int_equal(scram_hmac(client->mechanism, slice_of(stored, len),
			     client_message(client), signature),
	    0);
	for (size_t i = 0; i < len; i++)
		key[i] ^= signature[i];
	return base64_of(slice_of(key, len), &client->world->arena);
}

static enum sasl_status
client_finish(
    struct client *client, const char *extension, const char *password)
{
	struct arena *arena = &client->world->arena;
	struct slice proof;

	client->final = arena_printf(
	    arena, "c=biws,r=%.*s%s", SLICE_ARG(client->nonce), extension);
	proof = client_proof(client, password);
	return client_step(client,
	    arena_printf(arena, "%.*s,p=%.*s", SLICE_ARG(client->final),
		SLICE_ARG(proof)));
}

/* What the server signs shows that it knows the password, too. */
static void
client_check_server(struct client *client)
{
	size_t len = scram_key_len(client->mechanism);
	uint8_t key[SCRAM_KEY_LEN_MAX], signature[SCRAM_KEY_LEN_MAX];
	struct slice expected;

	assert_int_equal(
	    scram_hmac(client->mechanism, slice_of(client->salted, len),
		slice_str("Server Key"), key),
	    0);
	assert_int_equal(scram_hmac(client->mechanism, slice_of(key, len),
			     client_message(client), signature),
	    0);
	expected = arena_printf(&client->world->arena, "v=%.*s",
	    SLICE_ARG(
		base64_of(slice_of(signature, len), &client->world->arena)));
	assert_true(slice_equal(client->result.token, expected));
}

static void
client_fini(struct client *client)
{
	sasl_exchange_free(client->exchange);
}

static enum sasl_status
login(struct world *world, enum scram_mechanism mechanism, const char *bare,
    const char *password)
{
	struct client client;
	enum sasl_status status;

	client_init(&client, world, mechanism);
	assert_int_equal(client_begin(&client, "n,,", bare), SASL_MORE);
	status = client_finish(&client, "", password);
	if (status == SASL_DONE)
		client_check_server(&client);
	else
		assert_true(slice_is_null(client.result.message));
	client_fini(&client);
	return status;
}

static void
scram_knows_users_by_their_passwords(void **state)
{
	assert_int_equal(
	    login(*state, SCRAM_SHA_256, "n=alice,r=abc", "secret"), SASL_DONE);
	assert_int_equal(
	    login(*state, SCRAM_SHA_512, "n=alice,r=abc", "secret"), SASL_DONE);
	assert_int_equal(
	    login(*state, SCRAM_SHA_256, "n=a=2Cb=3Dc,r=abc,x=y", "secret"),
	    SASL_DONE);
	assert_int_equal(
	    login(*state, SCRAM_SHA_256, "m=z,n=alice,r=abc", "secret"),
	    SASL_DONE);
	assert_int_equal(login(*state, SCRAM_SHA_256, "n=alice,r=abc", "other"),
	    SASL_FAILED);
	assert_int_equal(
	    login(*state, SCRAM_SHA_256, "n=eve,r=abc", "secret"), SASL_FAILED);
	assert_int_equal(login(*state, SCRAM_SHA_256,
			     "n=alice,r=abc,tokenauth=true", "secret"),
	    SASL_FAILED);
}

/* The password of the token "t". */
static const char *
token_password(struct world *world)
{
	uint8_t hmac[DELEGATION_TOKEN_HMAC_LEN];
	struct slice text;

	delegation_tokens_hmac(world->settings.tokens, slice_str("t"), hmac);
	text = base64_of(slice_of(hmac, sizeof(hmac)), &world->arena);
	return (const char *)arena_printf(
	    &world->arena, "%.*s", SLICE_ARG(text))
	    .data;
}

static void
scram_knows_tokens_by_their_passwords(void **state)
{
	static const struct {
		const char *bare;
		enum sasl_status status;
	} logins[] = {
		{ "n=t,r=abc,tokenauth=true", SASL_DONE },
		{ "n=t,r=abc,tokenauth=True", SASL_DONE },
		{ "n=t,r=abc,x=y,tokenauth=true,z=y", SASL_DONE },
		{ "n=t,r=abc,tokenauth=false,tokenauth=true", SASL_DONE },
		{ "n=t,r=abc,tokenauth=true,tokenauth=false", SASL_FAILED },
		{ "n=t,r=abc,tokenauth=yes", SASL_FAILED },
		{ "n=t,r=abc,tokenauths=true", SASL_FAILED },
		{ "n=t,r=abc", SASL_FAILED },
		{ "n=u,r=abc,tokenauth=true", SASL_FAILED },
	};
	const char *password = token_password(*state);

	for (size_t i = 0; i < COUNT_OF(logins); i++) {
		assert_int_equal(login(*state, SCRAM_SHA_256, logins[i].bare,
				     password),
		    logins[i].status);
		assert_int_equal(login(*state, SCRAM_SHA_512, logins[i].bare,
				     password),
		    logins[i].status);
	}
	assert_int_equal(login(*state, SCRAM_SHA_256,
			     "n=t,r=abc,tokenauth=true", "secret"),
	    SASL_FAILED);
}

/* The client is the owner, though it has named the token. */
static void
scram_tells_whose_a_token_is(void **state)
{
	const char *password = token_password(*state);
	struct client client;

	client_init(&client, *state, SCRAM_SHA_256);
	assert_int_equal(
	    client_begin(&client, "n,,", "n=t,r=abc,tokenauth=true"),
	    SASL_MORE);
	assert_int_equal(client_finish(&client, "", password), SASL_DONE);
	assert_true(slice_equal_str(client.result.name, "alice"));
	assert_true(client.result.with_token);
	assert_int_equal(client.result.expiry_ms, TOKEN_EXPIRY_MS);
	client_fini(&client);

	client_init(&client, *state, SCRAM_SHA_256);
	assert_int_equal(
	    client_begin(&client, "n,,", "n=alice,r=abc"), SASL_MORE);
	assert_int_equal(client_finish(&client, "", "secret"), SASL_DONE);
	assert_false(client.result.with_token);
	assert_int_equal(client.result.expiry_ms, INT64_MAX);
	client_fini(&client);

	client_init(&client, *state, SCRAM_SHA_256);
	assert_int_equal(
	    client_begin(&client, "n,a=alice,", "n=t,r=abc,tokenauth=true"),
	    SASL_FAILED);
	client_fini(&client);
}

/* As librdkafka did for long. */
static void
scram_lets_a_nonce_be_repeated(void **state)
{
	struct client client;

	client_init(&client, *state, SCRAM_SHA_256);
	assert_int_equal(
	    client_begin(&client, "n,,", "n=alice,r=abc"), SASL_MORE);
	client.nonce = arena_printf(
	    &client.world->arena, "abc%.*s", SLICE_ARG(client.nonce));
	assert_int_equal(client_finish(&client, "", "secret"), SASL_DONE);
	client_fini(&client);
}

/* A user that there is not has a salt, which is always the same. */
static void
scram_does_not_tell_who_there_is(void **state)
{
	struct client first, second, other;

	client_init(&first, *state, SCRAM_SHA_256);
	client_init(&second, *state, SCRAM_SHA_256);
	client_init(&other, *state, SCRAM_SHA_256);
	assert_int_equal(client_begin(&first, "n,,", "n=eve,r=a"), SASL_MORE);
	assert_int_equal(client_begin(&second, "n,,", "n=eve,r=b"), SASL_MORE);
	assert_int_equal(client_begin(&other, "n,,", "n=mal,r=b"), SASL_MORE);
	assert_true(slice_equal(first.salt, second.salt));
	assert_false(slice_equal(first.salt, other.salt));
	assert_int_equal(client_finish(&first, "", "secret"), SASL_FAILED);
	assert_true(slice_is_null(first.result.message));
	client_fini(&first);
	client_fini(&second);
	client_fini(&other);
}

static void
scram_refuses_what_is_no_first_message(void **state)
{
	static const char *const wrong[][2] = {
		{ "", "" },
		{ "n", "" },
		{ "n,", "" },
		{ "n,,", "" },
		{ "y,,", "n=alice,r=abc" },
		{ "p=x,,", "n=alice,r=abc" },
		{ "n,alice,", "n=alice,r=abc" },
		{ "n,,", "n=alice" },
		{ "n,,", "n=,r=abc" },
		{ "n,,", "r=abc,n=alice" },
		{ "n,,", "n=alice,r=" },
		{ "n,,", "n=alice,r=a b" },
		{ "n,,", "n=al=2Dice,r=abc" },
		{ "n,,", "n=alice=,r=abc" },
		{ "n,,", "n=al\xc3\xa9,r=abc" },
		{ "n,,", "n=alice,r=abc,1=x" },
		{ "n,,", "n=alice,r=abc,x" },
		{ "n,,", "n=alice,r=abc,x=" },
		{ "n,,", "n=alice,r=abc," },
	};
	struct client client;

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		client_init(&client, *state, SCRAM_SHA_256);
		assert_int_equal(
		    client_begin(&client, wrong[i][0], wrong[i][1]),
		    SASL_FAILED);
		client_fini(&client);
	}
}

static void
scram_lets_nobody_be_somebody_else(void **state)
{
	struct client client;

	client_init(&client, *state, SCRAM_SHA_256);
	assert_int_equal(
	    client_begin(&client, "n,a=alice,", "n=alice,r=abc"), SASL_MORE);
	client_fini(&client);
	client_init(&client, *state, SCRAM_SHA_256);
	assert_int_equal(
	    client_begin(&client, "n,a=bob,", "n=alice,r=abc"), SASL_FAILED);
	assert_true(slice_equal_str(client.result.message, OTHER_NAME));
	client_fini(&client);
}

static void
scram_refuses_what_is_no_final_message(void **state)
{
	/* What is in front of the nonce, and behind it. */
	static const char *const wrong[][2] = {
		{ "", "" },
		{ "c=biws,r=", "" },
		{ "c=biws,r=", ",p=" },
		{ "c=biws,r=", ",p=!!!!" },
		{ "c=biws,r=", ",p=AAAA" },
		{ "c=biws,r=", "x,p=AAAA" },
		{ "r=", ",c=biws,p=AAAA" },
	};
	struct client client;

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		client_init(&client, *state, SCRAM_SHA_256);
		assert_int_equal(
		    client_begin(&client, "n,,", "n=alice,r=abc"), SASL_MORE);
		assert_int_equal(
		    client_step(&client,
			arena_printf(&client.world->arena, "%s%.*s%s",
			    wrong[i][0], SLICE_ARG(client.nonce), wrong[i][1])),
		    SASL_FAILED);
		client_fini(&client);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_knows_users_by_their_passwords),
		cmocka_unit_test(plain_knows_each_of_many_users),
		cmocka_unit_test(plain_says_what_is_wrong_with_a_token),
		cmocka_unit_test(scram_knows_users_by_their_passwords),
		cmocka_unit_test(scram_knows_users_by_their_passwords),
		cmocka_unit_test(scram_knows_tokens_by_their_passwords),
		cmocka_unit_test(scram_tells_whose_a_token_is),
		cmocka_unit_test(scram_lets_a_nonce_be_repeated),
		cmocka_unit_test(scram_does_not_tell_who_there_is),
		cmocka_unit_test(scram_refuses_what_is_no_first_message),
		cmocka_unit_test(scram_lets_nobody_be_somebody_else),
		cmocka_unit_test(scram_refuses_what_is_no_final_message),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
