/*
 * Tokens without a signature, whose algorithm is "none": whoever can connect
 * is who he says he is.  As in OAuthBearerUnsecuredJws of Kafka; where that
 * breaks off with an exception the token is refused, and a principal has to
 * be a text, which Kafka makes of everything.
 */
#include <math.h>

#include "auth/jwt.h"
#include "auth/oauth.h"
#include "base/slice.h"

/* Nobody will see the difference. */
#define EXPIRY_MS_MAX 0x1p62

static bool
has_scope(const json_t *claim, struct slice scope)
{
	size_t i;
	json_t *item;

	if (json_is_string(claim))
		return slice_equal(slice_trim(jwt_string(claim)), scope);
	json_array_foreach(claim, i, item)
		if (slice_equal(slice_trim(jwt_string(item)), scope))
			return true;
	return false;
}

static const char *
check_scopes(const struct oauth_settings *settings, const struct jwt *jwt,
    struct oauth_token *token)
{
	const json_t *claim =
	    json_object_get(jwt->claims, settings->scope_claim);

	if (claim != NULL && !json_is_null(claim) && !json_is_string(claim) &&
	    !json_is_array(claim))
		return "its scope is neither a text nor a list";
	for (size_t i = 0; i < settings->required_scopes_count; i++)
		if (!has_scope(claim, settings->required_scopes[i])) {
			token->lacks_a_scope = true;
			return "it lacks a required scope";
		}
	return NULL;
}

/* In Kafka's order, and like it in milliseconds that may have fractions. */
static const char *
check_times(const struct oauth_settings *settings, const struct jwt *jwt,
    int64_t now_ms, struct oauth_token *token)
{
	double expiry, issued = 0;
	enum jwt_kind kind = jwt_number(jwt->claims, "exp", &expiry);

	if (kind != JWT_FOUND)
		return "it has no time of its expiry";
	kind = jwt_number(jwt->claims, "iat", &issued);
	if (kind == JWT_MALFORMED)
		return "its time of issue is no number";
	if (kind == JWT_FOUND &&
	    1000 * issued > (double)(now_ms + settings->skew_ms))
		return "it is issued in the future";
	if ((double)(now_ms - settings->skew_ms) >= 1000 * expiry)
		return "it has expired";
	if (kind == JWT_FOUND && expiry <= issued)
		return "it expires before it is issued";
	token->expiry_ms =
	    (int64_t)floor(MIN(1000 * expiry, EXPIRY_MS_MAX) + 0.5);
	return NULL;
}

static const char *
check(const struct oauth_settings *settings, const struct jwt *jwt,
    int64_t now_ms, struct arena *arena, struct oauth_token *token)
{
	struct slice text;
	const char *reason;

	if (jwt_text(jwt->header, "alg", &text) != JWT_FOUND ||
	    !slice_equal_str(text, "none"))
		return "its algorithm is not none";
	if (jwt->signature.len > 0)
		return "it has a signature";
	if (jwt_text(jwt->claims, settings->principal_claim, &text) !=
		JWT_FOUND ||
	    slice_trim(text).len == 0)
		return "it names no principal";
	token->principal = arena_copy(arena, text);
	reason = check_times(settings, jwt, now_ms, token);
	return reason != NULL ? reason : check_scopes(settings, jwt, token);
}

const char *
oauth_check_unsecured(const struct oauth_settings *settings, struct slice text,
    int64_t now_ms, struct arena *arena, struct oauth_token *token)
{
	const char *reason;
	struct jwt jwt;

	if (jwt_parse(text, arena, &jwt, &reason) != 0)
		return reason;
	reason = check(settings, &jwt, now_ms, arena, token);
	jwt_fini(&jwt);
	return reason;
}
