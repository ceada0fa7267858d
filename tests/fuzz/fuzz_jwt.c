/* Bearer tokens, as they are and as if their signature were right. */
#include "auth/oauth_signed.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS INT64_C(1800000000000)

static const struct slice audiences[] = { SLICE_LITERAL("us") };

static const struct oauth_settings settings = {
	.principal_claim = "sub",
	.scope_claim = "scope",
	.skew_ms = 30000,
	.audiences = audiences,
	.audiences_count = COUNT_OF(audiences),
	.issuer = SLICE_LITERAL("them"),
};

/* Who is let in has a name, and an end that is not over. */
static void
check(const char *reason, const struct oauth_token *token)
{
	if (reason != NULL)
		return;
	assert(token->principal.len > 0);
	assert(token->expiry_ms > NOW_MS - settings.skew_ms);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size);
	struct oauth_token token = { .principal = SLICE_NULL };
	struct arena arena;
	struct jwt jwt;
	const char *reason;

	arena_init(&arena, 4 << 20);
	check(oauth_check(&settings, text, NOW_MS, &arena, &token), &token);
	if (jwt_parse(text, &arena, &jwt, &reason) == 0) {
		header_valid(jwt.header);
		is_nested(jwt.header);
		is_critical(jwt.header);
		reason = check_claims(
		    &settings, jwt.claims, NOW_MS, &arena, &token);
		check(reason, &token);
		jwt_fini(&jwt);
	}
	arena_reset(&arena);
	return 0;
}
