#include "auth/sasl_scram.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "auth/delegation_tokens.h"
#include "auth/scram_users.h"
#include "base/base64.h"
#include "base/slice.h"

/* 130 random bits and more, as printable characters. */
#define NONCE_BYTES 18
#define NONCE_LEN 24

#define OTHER_NAME                                                          \
	"Authentication failed: Client requested an authorization id that " \
	"is different from username"

struct scram_exchange {
	struct sasl_exchange exchange;
	enum scram_mechanism mechanism;
	bool begun;
	bool known;            /* the user is one, or the token */
	bool with_token;       /* of a delegation */
	int64_t expiry_ms;     /* of the token; INT64_MAX: no end */
	struct slice name;     /* of the user; owned, as are the next two */
	struct slice nonce;    /* the client's and ours */
	struct slice messages; /* client-first-bare, server-first, commas */
	struct scram_credential credential; /* its salt is not kept */
};

/* --- Grammar -------------------------------------------------------------- */

/* Take the next part up to a comma off text; false at the end. */
static bool
next_part(struct slice *text, struct slice *part)
{
	const uint8_t *comma;

	if (slice_is_null(*text))
		return false;
	comma = memchr(text->data, ',', text->len);
	if (comma == NULL) {
		*part = *text;
		*text = SLICE_NULL;
		return true;
	}
	*part = slice_of(text->data, (size_t)(comma - text->data));
	*text = slice_of(comma + 1, text->len - part->len - 1);
	return true;
}

/* The value of "x=value"; false where part is another one. */
static bool
value_of(struct slice part, char key, struct slice *value)
{
	if (part.len < 2 || part.data[0] != (uint8_t)key || part.data[1] != '=')
		return false;
	*value = slice_of(part.data + 2, part.len - 2);
	return true;
}

static bool
take_value(struct slice *text, char key, struct slice *value)
{
	struct slice part;

	return next_part(text, &part) && value_of(part, key, value);
}

/* What follows are "key=value", each with a key of letters. */
static bool
extensions_valid(struct slice text)
{
	struct slice part;

	while (next_part(&text, &part)) {
		size_t len = 0;

		while (len < part.len &&
		    ((part.data[len] >= 'a' && part.data[len] <= 'z') ||
			(part.data[len] >= 'A' && part.data[len] <= 'Z')))
			len++;
		if (len == 0 || len + 1 >= part.len || part.data[len] != '=')
			return false;
	}
	return true;
}

static bool
ascii_valid(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == 0 || text.data[i] > 0x7f)
			return false;
	return true;
}

static bool
nonce_valid(struct slice nonce)
{
	for (size_t i = 0; i < nonce.len; i++)
		if (nonce.data[i] < 0x21 || nonce.data[i] > 0x7e)
			return false;
	return nonce.len > 0;
}

/* A name whose =2C and =3D are a comma and an equals sign. */
static bool
unescape(struct slice text, struct arena *arena, struct slice *name)
{
	uint8_t *out = arena_alloc(arena, text.len + 1);
	size_t len = 0;

	if (out == NULL || text.len == 0)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		struct slice rest = slice_of(text.data + i, text.len - i);

		if (text.data[i] != '=') {
			out[len++] = text.data[i];
			continue;
		}
		if (rest.len < 3 ||
		    (memcmp(rest.data, "=2C", 3) != 0 &&
			memcmp(rest.data, "=3D", 3) != 0))
			return false;
		out[len++] = rest.data[2] == 'C' ? ',' : '=';
		i += 2;
	}
	*name = slice_of(out, len);
	return true;
}

struct client_first {
	struct slice authorized; /* "" where there is none */
	struct slice name;
	struct slice nonce;
	struct slice bare; /* without the header of channels */
	bool with_token;   /* the name is its id */
};

/* Of an extension that comes twice the last one counts. */
static bool
has_tokenauth(struct slice extensions)
{
	static const char key[] = "tokenauth=";
	const size_t len = sizeof(key) - 1;
	struct slice part;
	bool with_token = false;

	while (next_part(&extensions, &part))
		if (part.len >= len && memcmp(part.data, key, len) == 0)
			with_token = slice_equal_nocase(
			    slice_of(part.data + len, part.len - len), "true");
	return with_token;
}

static bool
parse_bare(struct client_first *first, struct arena *arena)
{
	struct slice text = first->bare, name;

	if (text.len > 2 && memcmp(text.data, "m=", 2) == 0 &&
	    !take_value(&text, 'm', &name))
		return false;
	if (!take_value(&text, 'n', &name) ||
	    !take_value(&text, 'r', &first->nonce) ||
	    !nonce_valid(first->nonce) || !extensions_valid(text))
		return false;
	first->with_token = has_tokenauth(text);
	return unescape(name, arena, &first->name);
}

static bool
parse_client_first(
    struct slice token, struct arena *arena, struct client_first *first)
{
	struct slice part, value;

	if (!ascii_valid(token) || !next_part(&token, &part) ||
	    !slice_equal_str(part, "n") || !next_part(&token, &part) ||
	    slice_is_null(token))
		return false;
	first->authorized = slice_str("");
	if (part.len > 0 &&
	    !(value_of(part, 'a', &value) &&
		unescape(value, arena, &first->authorized)))
		return false;
	first->bare = token;
	return parse_bare(first, arena);
}

struct client_final {
	struct slice nonce;
	struct slice without_proof;
	struct slice proof; /* decoded */
};

static bool
parse_client_final(
    struct slice token, struct arena *arena, struct client_final *final)
{
	struct slice text = token, channel, proof;
	const uint8_t *comma = memrchr(token.data, ',', token.len);
	uint8_t *decoded;
	size_t len;

	if (!ascii_valid(token) || comma == NULL)
		return false;
	final->without_proof =
	    slice_of(token.data, (size_t)(comma - token.data));
	proof = slice_of(comma + 1, token.len - final->without_proof.len - 1);
	text = final->without_proof;
	if (!take_value(&text, 'c', &channel) ||
	    !take_value(&text, 'r', &final->nonce) || !extensions_valid(text) ||
	    !value_of(proof, 'p', &proof))
		return false;
	decoded = arena_alloc(arena, proof.len / 4 * 3 + 1);
	if (decoded == NULL || base64_decode(proof, decoded, &len) != 0)
		return false;
	final->proof = slice_of(decoded, len);
	return true;
}

/*
 * Is it the nonce that we have sent?  Old librdkafka puts its own in front
 * once more, which Kafka lets pass (ScramSaslServer).
 */
static bool
nonce_ours(const struct scram_exchange *scram, struct slice nonce)
{
	size_t len = scram->nonce.len;

	return nonce.len >= len &&
	    memcmp(nonce.data + nonce.len - len, scram->nonce.data, len) == 0;
}

/* --- The conversation ----------------------------------------------------- */

static struct slice
base64_of(struct slice data, struct arena *arena)
{
	char *text = arena_xalloc(arena, base64_len(data.len) + 1);

	base64_encode(data, text);
	return slice_of(text, base64_len(data.len));
}

static struct slice
own(struct slice slice)
{
	return slice_of(slice_dup(slice), slice.len);
}

static struct slice
fresh_nonce(struct slice clients, struct arena *arena)
{
	uint8_t random[NONCE_BYTES];
	char text[NONCE_LEN];
	int ok = RAND_bytes(random, sizeof(random));

	assert(ok == 1);
	base64_encode(slice_of(random, sizeof(random)), text);
	return arena_printf(
	    arena, "%.*s%.*s", SLICE_ARG(clients), (int)sizeof(text), text);
}

/* Who it is that has the name, or the token, and what he has to prove. */
static void
look_up(struct scram_exchange *scram, const struct client_first *first,
    struct arena *arena)
{
	const struct sasl_settings *settings = scram->exchange.settings;
	struct delegation_login login = { .expiry_ms = INT64_MAX };

	if (!first->with_token) {
		scram->known = scram_users_find(settings->scram_users,
		    scram->mechanism, first->name, arena, &scram->credential);
		scram->name = own(first->name);
		return;
	}
	scram->known = delegation_tokens_login(settings->tokens,
	    scram->mechanism, first->name, arena, &login);
	scram->credential = login.credential;
	scram->with_token = true;
	scram->expiry_ms = login.expiry_ms;
	scram->name = own(scram->known ? login.owner : first->name);
	OPENSSL_cleanse(&login, sizeof(login));
}

static enum sasl_status
begin(struct scram_exchange *scram, struct slice token, struct arena *arena,
    struct sasl_result *result)
{
	struct slice nonce, messages;
	struct client_first first;

	if (!parse_client_first(token, arena, &first))
		return SASL_FAILED;
	if (first.authorized.len > 0 &&
	    !slice_equal(first.authorized, first.name)) {
		result->message = slice_str(OTHER_NAME);
		return SASL_FAILED;
	}
	look_up(scram, &first, arena);
	nonce = fresh_nonce(first.nonce, arena);
	result->token =
	    arena_printf(arena, "r=%.*s,s=%.*s,i=%d", SLICE_ARG(nonce),
		SLICE_ARG(base64_of(scram->credential.salt, arena)),
		scram->credential.iterations);
	scram->credential.salt = SLICE_NULL;
	messages = arena_printf(arena, "%.*s,%.*s,", SLICE_ARG(first.bare),
	    SLICE_ARG(result->token));
	scram->begun = true;
	scram->nonce = own(nonce);
	scram->messages = own(messages);
	return SASL_MORE;
}

/* Is proof made with the password that the credential is of? */
static bool
proven(const struct scram_exchange *scram, struct slice message,
    struct slice proof)
{
	size_t len = scram_key_len(scram->mechanism);
	uint8_t key[SCRAM_KEY_LEN_MAX], hash[SCRAM_KEY_LEN_MAX];
	bool right;

	if (proof.len != len ||
	    scram_hmac(scram->mechanism,
		slice_of(scram->credential.stored_key, len), message, key) != 0)
		return false;
	for (size_t i = 0; i < len; i++)
		key[i] ^= proof.data[i];
	right = scram_hash(scram->mechanism, slice_of(key, len), hash) == 0 &&
	    CRYPTO_memcmp(hash, scram->credential.stored_key, len) == 0;
	OPENSSL_cleanse(key, sizeof(key));
	return right && scram->known;
}

static enum sasl_status
finish(struct scram_exchange *scram, struct slice token, struct arena *arena,
    struct sasl_result *result)
{
	size_t len = scram_key_len(scram->mechanism);
	uint8_t signature[SCRAM_KEY_LEN_MAX];
	struct client_final final;
	struct slice message;

	if (!parse_client_final(token, arena, &final) ||
	    !nonce_ours(scram, final.nonce))
		return SASL_FAILED;
	message = arena_printf(arena, "%.*s%.*s", SLICE_ARG(scram->messages),
	    SLICE_ARG(final.without_proof));
	if (!proven(scram, message, final.proof) ||
	    scram_hmac(scram->mechanism,
		slice_of(scram->credential.server_key, len), message,
		signature) != 0)
		return SASL_FAILED;
	result->token = arena_printf(arena, "v=%.*s",
	    SLICE_ARG(base64_of(slice_of(signature, len), arena)));
	result->name = arena_copy(arena, scram->name);
	result->expiry_ms = scram->expiry_ms;
	result->with_token = scram->with_token;
	return SASL_DONE;
}

static enum sasl_status
step(struct sasl_exchange *exchange, struct slice token, struct arena *arena,
    struct sasl_result *result)
{
	struct scram_exchange *scram =
	    CONTAINER_OF(exchange, struct scram_exchange, exchange);

	return scram->begun ? finish(scram, token, arena, result) :
			      begin(scram, token, arena, result);
}

static void
release(struct slice *slice)
{
	free((void *)(uintptr_t)slice->data);
}

static void
scram_free(struct sasl_exchange *exchange)
{
	struct scram_exchange *scram =
	    CONTAINER_OF(exchange, struct scram_exchange, exchange);

	release(&scram->name);
	release(&scram->nonce);
	release(&scram->messages);
	OPENSSL_cleanse(&scram->credential, sizeof(scram->credential));
	free(scram);
}

static const struct sasl_exchange_ops ops = {
	.step = step,
	.free = scram_free,
};

struct sasl_exchange *
sasl_scram_new(enum scram_mechanism mechanism)
{
	struct scram_exchange *scram = xcalloc(1, sizeof(*scram));

	scram->exchange.ops = &ops;
	scram->mechanism = mechanism;
	scram->expiry_ms = INT64_MAX;
	return &scram->exchange;
}
