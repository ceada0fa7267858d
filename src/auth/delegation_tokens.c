#include "auth/delegation_tokens.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <sys/random.h>

#include "auth/principal.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "meta/delta.h"
#include "meta/metadata_record.h"

#define LOGGER "auth"

/* SCRAM's keys of a token, once somebody has logged in with it. */
struct keys {
	bool made;
	uint8_t stored_key[SCRAM_KEY_LEN_MAX];
	uint8_t server_key[SCRAM_KEY_LEN_MAX];
};

struct token {
	struct slice id;    /* owned */
	struct slice value; /* owned: the framed record */
	uint8_t hmac[DELEGATION_TOKEN_HMAC_LEN];
	struct keys keys[SCRAM_SHA_512 + 1]; /* by mechanism */
};

struct delegation_tokens {
	/* immutable */
	struct delegation_token_settings settings; /* the secret is owned */
	uint8_t salt_secret[SCRAM_KEY_LEN_MAX];

	pthread_rwlock_t lock;
	struct map by_id; /* guarded; struct token, owned */
	struct map by_hmac;
};

static void
read_lock(struct delegation_tokens *tokens)
{
	int error = pthread_rwlock_rdlock(&tokens->lock);

	assert(error == 0);
}

static void
write_lock(struct delegation_tokens *tokens)
{
	int error = pthread_rwlock_wrlock(&tokens->lock);

	assert(error == 0);
}

static void
unlock(struct delegation_tokens *tokens)
{
	int error = pthread_rwlock_unlock(&tokens->lock);

	assert(error == 0);
}

/* --- Life ----------------------------------------------------------------- */

static void
token_free(struct token *token)
{
	slice_release(&token->id);
	slice_release(&token->value);
	OPENSSL_cleanse(token, sizeof(*token));
	free(token);
}

struct delegation_tokens *
delegation_tokens_new(const struct delegation_token_settings *settings)
{
	struct delegation_tokens *tokens = xcalloc(1, sizeof(*tokens));
	int error = pthread_rwlock_init(&tokens->lock, NULL);
	int random =
	    getentropy(tokens->salt_secret, sizeof(tokens->salt_secret));

	assert(error == 0 && random == 0);
	tokens->settings = *settings;
	tokens->settings.secret = slice_own(settings->secret);
	map_init(&tokens->by_id);
	map_init(&tokens->by_hmac);
	return tokens;
}

void
delegation_tokens_free(struct delegation_tokens *tokens)
{
	struct token *token;

	if (tokens == NULL)
		return;
	for (size_t at = 0; (token = map_next(&tokens->by_id, &at)) != NULL;)
		token_free(token);
	map_fini(&tokens->by_id);
	map_fini(&tokens->by_hmac);
	pthread_rwlock_destroy(&tokens->lock);
	OPENSSL_cleanse((void *)(uintptr_t)tokens->settings.secret.data,
	    tokens->settings.secret.len);
	slice_release(&tokens->settings.secret);
	OPENSSL_cleanse(tokens->salt_secret, sizeof(tokens->salt_secret));
	free(tokens);
}

bool
delegation_tokens_enabled(const struct delegation_tokens *tokens)
{
	return tokens->settings.secret.len > 0;
}

const struct delegation_token_settings *
delegation_tokens_settings(const struct delegation_tokens *tokens)
{
	return &tokens->settings;
}

void
delegation_tokens_hmac(const struct delegation_tokens *tokens, struct slice id,
    uint8_t hmac[DELEGATION_TOKEN_HMAC_LEN])
{
	int result =
	    scram_hmac(SCRAM_SHA_512, tokens->settings.secret, id, hmac);

	assert(result == 0);
}

/* --- Following the metadata ----------------------------------------------- */

static struct slice
hmac_of(const struct token *token)
{
	return slice_of(token->hmac, sizeof(token->hmac));
}

static void
remove_token(struct delegation_tokens *tokens, struct slice id)
{
	struct token *token = map_remove(&tokens->by_id, id);

	if (token == NULL)
		return;
	map_remove(&tokens->by_hmac, hmac_of(token));
	token_free(token);
}

/* SCRAM's keys stay when a token changes: they are made of its id alone. */
static void
put_token(struct delegation_tokens *tokens, const struct delta_kept *kept)
{
	struct token *token = map_get(&tokens->by_id, kept->identity);

	if (token == NULL) {
		token = xcalloc(1, sizeof(*token));
		token->id = slice_own(kept->identity);
		delegation_tokens_hmac(tokens, token->id, token->hmac);
		map_set(&tokens->by_id, token->id, token);
		map_set(&tokens->by_hmac, hmac_of(token), token);
	}
	slice_release(&token->value);
	token->value = slice_own(kept->value);
}

static size_t
count_put(const struct delta *delta)
{
	size_t count = 0;

	for (size_t i = 0; i < delta->kept_count; i++)
		count += delta->kept[i]->api_key ==
			METADATA_RECORD_DELEGATION_TOKEN &&
		    !slice_is_null(delta->kept[i]->value);
	return count;
}

void
delegation_tokens_apply(void *context, const struct delta *delta)
{
	struct delegation_tokens *tokens = context;

	if (!delegation_tokens_enabled(tokens)) {
		size_t count = count_put(delta);

		if (count > 0)
			log_warn(LOGGER,
			    "%zu delegation tokens cannot be used: "
			    "delegation.token.secret.key is not set",
			    count);
		return;
	}
	write_lock(tokens);
	for (size_t i = 0; i < delta->kept_count; i++) {
		const struct delta_kept *kept = delta->kept[i];

		if (kept->api_key != METADATA_RECORD_DELEGATION_TOKEN)
			continue;
		if (slice_is_null(kept->value))
			remove_token(tokens, kept->identity);
		else
			put_token(tokens, kept);
	}
	unlock(tokens);
}

/* --- Looking up ----------------------------------------------------------- */

struct slice
delegation_tokens_find(struct delegation_tokens *tokens, struct slice hmac,
    struct arena *arena)
{
	const struct token *token;
	struct slice id = SLICE_NULL;

	read_lock(tokens);
	token = map_get(&tokens->by_hmac, hmac);
	if (token != NULL)
		id = arena_copy(arena, token->id);
	unlock(tokens);
	return id;
}

/* What is kept has been decoded before; NULL where arena is full. */
static const struct kp_delegation_token_record *
decode(struct slice value, struct arena *arena)
{
	struct metadata_record record;
	const char *reason;

	if (metadata_record_decode(
		arena_copy(arena, value), arena, &record, &reason) != 0)
		return NULL;
	return record.body;
}

struct delegation_token *
delegation_tokens_list(
    struct delegation_tokens *tokens, struct arena *arena, size_t *count)
{
	struct delegation_token *list;
	const struct token *token;

	*count = 0;
	read_lock(tokens);
	list = arena_xcalloc(arena, tokens->by_id.count, sizeof(*list));
	for (size_t at = 0; !arena_overdrawn(arena) &&
	    (token = map_next(&tokens->by_id, &at)) != NULL;) {
		list[*count].record = decode(token->value, arena);
		if (list[*count].record == NULL)
			continue;
		list[*count].hmac = arena_copy(arena, hmac_of(token));
		++*count;
	}
	unlock(tokens);
	return list;
}

bool
delegation_token_expired(
    const struct kp_delegation_token_record *record, int64_t now_ms)
{
	return record->max_timestamp < now_ms ||
	    record->expiration_timestamp < now_ms;
}

/* --- Logging in ----------------------------------------------------------- */

/* The owner and the end of a token that somebody may log in with. */
static bool
may_log_in(const struct token *token, struct arena *arena,
    struct delegation_login *login)
{
	const struct kp_delegation_token_record *record =
	    decode(token->value, arena);
	struct slice type;

	if (record == NULL ||
	    delegation_token_expired(record, clock_wall_ms()) ||
	    !principal_split(record->owner, &type, &login->owner) ||
	    !slice_equal_str(type, "User"))
		return false;
	login->expiry_ms =
	    MIN(record->expiration_timestamp, record->max_timestamp);
	return true;
}

/* The keys of the token's password; -1 where OpenSSL refuses. */
static int
make_keys(enum scram_mechanism mechanism, struct slice salt,
    const uint8_t hmac[DELEGATION_TOKEN_HMAC_LEN], struct keys *keys)
{
	struct slice data = slice_of(hmac, DELEGATION_TOKEN_HMAC_LEN);
	char password[(DELEGATION_TOKEN_HMAC_LEN + 2) / 3 * 4];
	uint8_t salted[SCRAM_KEY_LEN_MAX];
	int result;

	base64_encode(data, password);
	result = scram_salt(mechanism, slice_of(password, sizeof(password)),
	    salt, SCRAM_ITERATIONS_MIN, salted);
	if (result == 0)
		result = scram_derive(mechanism,
		    slice_of(salted, scram_key_len(mechanism)),
		    keys->stored_key, keys->server_key);
	keys->made = result == 0;
	OPENSSL_cleanse(password, sizeof(password));
	OPENSSL_cleanse(salted, sizeof(salted));
	return result;
}

static void
remember_keys(struct delegation_tokens *tokens, enum scram_mechanism mechanism,
    struct slice id, const struct keys *keys)
{
	struct token *token;

	write_lock(tokens);
	token = map_get(&tokens->by_id, id);
	if (token != NULL)
		token->keys[mechanism] = *keys;
	unlock(tokens);
}

bool
delegation_tokens_login(struct delegation_tokens *tokens,
    enum scram_mechanism mechanism, struct slice id, struct arena *arena,
    struct delegation_login *login)
{
	struct scram_credential *credential = &login->credential;
	uint8_t hmac[DELEGATION_TOKEN_HMAC_LEN] = { 0 };
	struct keys keys = { .made = false };
	const struct token *token;
	bool found;

	scram_invent(mechanism,
	    slice_of(tokens->salt_secret, sizeof(tokens->salt_secret)), id,
	    arena, credential);
	read_lock(tokens);
	token = map_get(&tokens->by_id, id);
	found = token != NULL && may_log_in(token, arena, login);
	if (found) {
		keys = token->keys[mechanism];
		memcpy(hmac, token->hmac, sizeof(hmac));
	}
	unlock(tokens);
	if (found && !keys.made) {
		found = make_keys(mechanism, credential->salt, hmac, &keys) ==
		    0;
		if (found)
			remember_keys(tokens, mechanism, id, &keys);
	}
	if (found) {
		memcpy(credential->stored_key, keys.stored_key,
		    sizeof(keys.stored_key));
		memcpy(credential->server_key, keys.server_key,
		    sizeof(keys.server_key));
	}
	OPENSSL_cleanse(hmac, sizeof(hmac));
	OPENSSL_cleanse(&keys, sizeof(keys));
	return found;
}
