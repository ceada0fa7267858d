#include "e2e/scram_login.h"

#include "unit/unit.h"

#include "base/base64.h"
#include "base/slice.h"
#include "wire/error.h"
#include "wire/generated/sasl_handshake.h"

#define ITERATIONS 4096

struct login {
	struct raw_client *client;
	enum scram_mechanism mechanism;
	struct slice first;        /* client-first-bare */
	struct slice server_first; /* as the broker sent it */
	struct slice final;        /* without the proof */
	uint8_t salted[SCRAM_KEY_LEN_MAX];
};

static const struct kp_sasl_authenticate_response *
authenticate(struct raw_client *client, struct slice token)
{
	const struct kp_sasl_authenticate_request request = {
		.auth_bytes = token,
	};

	return raw_client_call(client, KP_SASL_AUTHENTICATE_KEY, 2, &request);
}

static void
shake_hands(struct raw_client *client, enum scram_mechanism mechanism)
{
	const struct kp_sasl_handshake_request request = {
		.mechanism = slice_str(mechanism == SCRAM_SHA_256 ?
			"SCRAM-SHA-256" :
			"SCRAM-SHA-512"),
	};
	const struct kp_sasl_handshake_response *response =
	    raw_client_call(client, KP_SASL_HANDSHAKE_KEY, 1, &request);

	assert_int_equal(response->error_code, KP_NONE);
}

static struct slice
base64_of(struct slice data, struct arena *arena)
{
	char *text = arena_xalloc(arena, base64_len(data.len) + 1);

	base64_encode(data, text);
	return slice_of(text, base64_len(data.len));
}

/* The part of "r=…,s=…,i=…" that begins with the key. */
static struct slice
part_of(struct slice text, char key)
{
	struct slice list = text, part;

	while (slice_next_word(&list, &part))
		if (part.len > 2 && part.data[0] == (uint8_t)key)
			return slice_of(part.data + 2, part.len - 2);
	fail_msg("the broker sent no %c=", key);
	return SLICE_NULL;
}

static void
salt_password(struct login *login, struct slice password)
{
	struct slice salt = part_of(login->server_first, 's');
	uint8_t *bytes = arena_xalloc(&login->client->arena, salt.len);
	size_t len;

	assert_true(slice_equal_str(
	    part_of(login->server_first, 'i'), "4096"));
	assert_int_equal(base64_decode(salt, bytes, &len), 0);
	assert_int_equal(scram_salt(login->mechanism, password,
			     slice_of(bytes, len), ITERATIONS, login->salted),
	    0);
}

static struct slice
salted_of(const struct login *login)
{
	return slice_of(login->salted, scram_key_len(login->mechanism));
}

static struct slice
message_of(const struct login *login)
{
	return arena_printf(&login->client->arena, "%.*s,%.*s,%.*s",
	    SLICE_ARG(login->first), SLICE_ARG(login->server_first),
	    SLICE_ARG(login->final));
}

static struct slice
proof_of(const struct login *login)
{
	size_t len = scram_key_len(login->mechanism);
	uint8_t key[SCRAM_KEY_LEN_MAX], stored[SCRAM_KEY_LEN_MAX];
	uint8_t signature[SCRAM_KEY_LEN_MAX];

	assert_int_equal(scram_hmac(login->mechanism, salted_of(login),
			     slice_str("Client Key"), key),
	    0);
	assert_int_equal(
	    scram_hash(login->mechanism, slice_of(key, len), stored), 0);
	assert_int_equal(scram_hmac(login->mechanism, slice_of(stored, len),
			     message_of(login), signature),
	    0);
	for (size_t i = 0; i < len; i++)
		key[i] ^= signature[i];
	return base64_of(slice_of(key, len), &login->client->arena);
}

static void
check_broker(const struct login *login, struct slice token)
{
	size_t len = scram_key_len(login->mechanism);
	uint8_t key[SCRAM_KEY_LEN_MAX], signature[SCRAM_KEY_LEN_MAX];

	assert_int_equal(scram_hmac(login->mechanism, salted_of(login),
			     slice_str("Server Key"), key),
	    0);
	assert_int_equal(scram_hmac(login->mechanism, slice_of(key, len),
			     message_of(login), signature),
	    0);
	assert_true(slice_equal(part_of(token, 'v'),
	    base64_of(slice_of(signature, len), &login->client->arena)));
}

const struct kp_sasl_authenticate_response *
scram_login(struct raw_client *client, enum scram_mechanism mechanism,
    struct slice name, struct slice password, const char *extensions)
{
	struct arena *arena = &client->arena;
	struct login login = { .client = client, .mechanism = mechanism };
	const struct kp_sasl_authenticate_response *response;

	shake_hands(client, mechanism);
	login.first = arena_printf(
	    arena, "n=%.*s,r=abc%s", SLICE_ARG(name), extensions);
	response = authenticate(client,
	    arena_printf(arena, "n,,%.*s", SLICE_ARG(login.first)));
	if (response->error_code != KP_NONE)
		return response;
	login.server_first = arena_copy(arena, response->auth_bytes);
	salt_password(&login, password);
	login.final = arena_printf(arena, "c=biws,r=%.*s",
	    SLICE_ARG(part_of(login.server_first, 'r')));
	response = authenticate(client,
	    arena_printf(arena, "%.*s,p=%.*s", SLICE_ARG(login.final),
		SLICE_ARG(proof_of(&login))));
	if (response->error_code == KP_NONE)
		check_broker(&login, response->auth_bytes);
	return response;
}
