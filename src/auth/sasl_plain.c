#include "auth/sasl_plain.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#define DIGEST_LEN 32
#define PARTS 3

/* Their order is that of the token. */
enum part { PART_AUTHORIZED, PART_USER, PART_PASSWORD };

static enum sasl_status
fail(struct sasl_result *result, const char *message)
{
	result->message = slice_str(message);
	return SASL_FAILED;
}

/* Take token apart at its NULs; how many parts there are, PARTS + 1 at most. */
static int
split(struct slice token, struct slice parts[PARTS])
{
	int count = 0;
	const uint8_t *begin = token.data, *end = token.data + token.len;

	if (token.len == 0)
		return 1;
	for (;;) {
		const uint8_t *nul = memchr(begin, '\0', (size_t)(end - begin));

		if (count == PARTS)
			return PARTS + 1;
		parts[count++] = slice_of(
		    begin, (size_t)((nul == NULL ? end : nul) - begin));
		if (nul == NULL)
			return count;
		begin = nul + 1;
	}
}

static void
digest(struct slice text, uint8_t out[DIGEST_LEN])
{
	int ok = EVP_Digest(text.data, text.len, out, NULL, EVP_sha256(), NULL);

	assert(ok == 1);
}

/*
 * Every user is looked at and every password is one digest, so that the time
 * it takes says nothing.
 */
static bool
known(const struct sasl_settings *settings, struct slice user,
    struct slice password)
{
	uint8_t given[DIGEST_LEN], stored[DIGEST_LEN];
	bool found = false;

	digest(password, given);
	for (size_t i = 0; i < settings->users_count; i++) {
		bool same_name = slice_equal(settings->users[i].name, user);
		bool same_password;

		digest(settings->users[i].password, stored);
		same_password = CRYPTO_memcmp(given, stored, DIGEST_LEN) == 0;
		found |= same_name & same_password;
	}
	OPENSSL_cleanse(given, sizeof(given));
	OPENSSL_cleanse(stored, sizeof(stored));
	return found;
}

static enum sasl_status
step(struct sasl_exchange *exchange, struct slice token, struct arena *arena,
    struct sasl_result *result)
{
	struct slice parts[PARTS];
	int count = split(token, parts);

	if (count != PARTS) {
		result->message = arena_printf(arena,
		    "Invalid SASL/PLAIN response: expected 3 tokens, got %d",
		    count);
		return SASL_FAILED;
	}
	if (parts[PART_USER].len == 0)
		return fail(
		    result, "Authentication failed: username not specified");
	if (parts[PART_PASSWORD].len == 0)
		return fail(
		    result, "Authentication failed: password not specified");
	if (!known(exchange->settings, parts[PART_USER], parts[PART_PASSWORD]))
		return fail(result,
		    "Authentication failed: Invalid username or password");
	if (parts[PART_AUTHORIZED].len > 0 &&
	    !slice_equal(parts[PART_AUTHORIZED], parts[PART_USER]))
		return fail(result,
		    "Authentication failed: Client requested an "
		    "authorization id that is different from username");
	result->name = arena_copy(arena, parts[PART_USER]);
	return SASL_DONE;
}

static void
plain_free(struct sasl_exchange *exchange)
{
	free(exchange);
}

static const struct sasl_exchange_ops ops = {
	.step = step,
	.free = plain_free,
};

struct sasl_exchange *
sasl_plain_new(void)
{
	struct sasl_exchange *exchange = xcalloc(1, sizeof(*exchange));

	exchange->ops = &ops;
	return exchange;
}
