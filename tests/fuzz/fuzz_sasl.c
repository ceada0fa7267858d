/*
 * Conversations of SASL: a byte that chooses the mechanism, and tokens, each
 * ended by a newline.
 */
#include "auth/delegation_tokens.h"
#include "auth/oauth.h"
#include "auth/plain_users.h"
#include "auth/sasl.h"
#include "auth/scram_users.h"
#include "base/arena.h"

#define STEPS_MAX 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct plain_user users[] = {
	{ SLICE_LITERAL("a"), SLICE_LITERAL("secret") },
};

/* Tokens that nobody has signed, so that some are good. */
static const struct oauth_settings oauth = {
	.principal_claim = "sub",
	.scope_claim = "scope",
};

/* Nobody gets in but the one user of PLAIN, who says so, and with a token. */
static void
check_done(enum sasl_mechanism mechanism, struct slice token,
    const struct sasl_result *result)
{
	if (mechanism == SASL_OAUTHBEARER) {
		assert(result->name.len > 0 && result->expiry_ms > 0);
		return;
	}
	assert(mechanism == SASL_PLAIN);
	assert(slice_equal_str(result->name, "a"));
	assert(token.len >= 9 &&
	    memcmp(token.data + token.len - 9, "\0a\0secret", 9) == 0);
}

static void
converse(struct sasl_exchange *exchange, enum sasl_mechanism mechanism,
    struct slice input)
{
	enum sasl_status status = SASL_MORE;
	struct sasl_result result;
	struct arena arena;

	arena_init(&arena, 4 << 20);
	for (int i = 0; i < STEPS_MAX && status == SASL_MORE; i++) {
		const uint8_t *end =
		    input.len == 0 ? NULL : memchr(input.data, '\n', input.len);
		struct slice token = slice_of(input.data,
		    end == NULL ? input.len : (size_t)(end - input.data));

		status = sasl_exchange_step(exchange, token, &arena, &result);
		if (status == SASL_DONE)
			check_done(mechanism, token, &result);
		if (end == NULL)
			break;
		input = slice_of(
		    end + 1, input.len - (size_t)(end + 1 - input.data));
	}
	arena_reset(&arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct delegation_token_settings disabled;
	static struct delegation_tokens *tokens;
	static struct scram_users *scram_users;
	static struct plain_users *plain_users;
	static struct arena arena;
	enum sasl_mechanism mechanism;
	struct sasl_exchange *exchange;
	struct sasl_settings settings = { .oauth = &oauth };

	if (size == 0)
		return 0;
	if (plain_users == NULL) {
		arena_init(&arena, SIZE_MAX);
		plain_users = plain_users_new(&arena, users, COUNT_OF(users));
	}
	if (scram_users == NULL)
		scram_users = scram_users_new();
	if (tokens == NULL)
		tokens = delegation_tokens_new(&disabled);
	settings.plain_users = plain_users;
	settings.scram_users = scram_users;
	settings.tokens = tokens;
	mechanism = (enum sasl_mechanism)(data[0] % SASL_MECHANISMS_COUNT);
	exchange = sasl_exchange_new(&settings, mechanism);
	converse(exchange, mechanism, slice_of(data + 1, size - 1));
	sasl_exchange_free(exchange);
	return 0;
}
