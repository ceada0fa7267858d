#include "auth/sasl_plain.h"

#include "auth/plain_users.h"

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
	if (!plain_users_know(exchange->settings->plain_users,
		parts[PART_USER], parts[PART_PASSWORD]))
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
