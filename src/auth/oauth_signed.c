/*
 * Tokens with a signature, as BrokerJwtValidator of Kafka checks them with
 * jose4j: the key, then the claims.  Where that breaks off with an exception
 * the token is refused, and so is one that has to be understood to be
 * believed ("crit") or that has another one in it ("cty").
 */
#include <math.h>

#include "auth/jwk.h"
#include "auth/jwk_source.h"
#include "auth/jwt.h"
#include "auth/oauth.h"
#include "base/slice.h"

/* Seconds that are milliseconds, too; what is beyond them is no time. */
#define SECONDS_MAX 9e15

/* --- The header and the key ----------------------------------------------- */

/* Is what the token holds of another kind than claims? */
static bool
is_nested(const json_t *header)
{
	struct slice type;

	return jwt_text(header, "cty", &type) != JWT_ABSENT &&
	    (slice_is_null(type) || slice_equal_nocase(type, "jwt") ||
		slice_equal_nocase(type, "application/jwt"));
}

/* "b64": false would have other bytes signed (RFC 7797). */
static bool
is_critical(const json_t *header)
{
	const json_t *critical = json_object_get(header, "crit");

	return json_is_false(json_object_get(header, "b64")) ||
	    (critical != NULL && !json_is_null(critical) &&
		!(json_is_array(critical) && json_array_size(critical) == 0));
}

/* What is there but no text lets Kafka break off. */
static bool
header_valid(const json_t *header)
{
	static const char *const names[] = { "kid", "x5t", "x5t#S256" };
	struct slice text;

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (jwt_text(header, names[i], &text) == JWT_MALFORMED)
			return false;
	return true;
}

static const char *
check_signature(const struct oauth_settings *settings, const struct jwt *jwt)
{
	if (jwt->signature.len == 0)
		return "it has no signature";
	if (!jwk_algorithm_known(jwt->header))
		return "its algorithm is none, or not known";
	if (!header_valid(jwt->header))
		return "its header names its key by something else than text";
	if (is_nested(jwt->header))
		return "it holds another token";
	if (is_critical(jwt->header))
		return "its header asks for an extension";
	return jwk_source_verify(settings->keys, jwt);
}

/* --- The claims ----------------------------------------------------------- */

static bool
is_expected(const struct oauth_settings *settings, struct slice audience)
{
	for (size_t i = 0; i < settings->audiences_count; i++)
		if (slice_equal(settings->audiences[i], audience))
			return true;
	return false;
}

/* A claim that is there must be one that is expected. */
static const char *
check_audience(const struct oauth_settings *settings, const json_t *claims)
{
	const json_t *claim = json_object_get(claims, "aud");
	bool found = is_expected(settings, jwt_string(claim));
	size_t i;
	json_t *item;

	if (claim == NULL || json_is_null(claim))
		return settings->audiences_count == 0 ?
		    NULL :
		    "it has no audience";
	json_array_foreach(claim, i, item) {
		if (!json_is_string(item) && !json_is_null(item))
			return "its audience is no list of texts";
		found |= is_expected(settings, jwt_string(item));
	}
	return found ? NULL : "its audience is another one";
}

static const char *
check_issuer(const struct oauth_settings *settings, const json_t *claims)
{
	struct slice issuer;
	enum jwt_kind kind = jwt_text(claims, "iss", &issuer);

	if (kind == JWT_MALFORMED)
		return "its issuer is no text";
	return slice_is_null(settings->issuer) ||
		slice_equal(issuer, settings->issuer) ?
	    NULL :
	    "its issuer is another one";
}

/* Whole seconds, as jose4j cuts them. */
static enum jwt_kind
seconds(const json_t *claims, const char *name, double *value)
{
	enum jwt_kind kind = jwt_number(claims, name, value);

	if (kind != JWT_FOUND)
		return kind;
	*value = trunc(*value);
	return fabs(*value) <= SECONDS_MAX / 1000 ? JWT_FOUND : JWT_MALFORMED;
}

static const char *
check_times(const struct oauth_settings *settings, const json_t *claims,
    int64_t now_ms, struct oauth_token *token)
{
	double now = (double)(now_ms / 1000);
	double skew = (double)(settings->skew_ms / 1000);
	double expiry, issued, begin = 0;
	enum jwt_kind kind = seconds(claims, "nbf", &begin);

	if (seconds(claims, "exp", &expiry) != JWT_FOUND)
		return "it has no time of its expiry";
	if (seconds(claims, "iat", &issued) != JWT_FOUND || issued < 0)
		return "it has no time of issue";
	if (kind == JWT_MALFORMED)
		return "the time that it begins at is no time";
	if (now - skew >= expiry)
		return "it has expired";
	if (expiry < issued || (kind == JWT_FOUND && expiry < begin))
		return "it expires before it begins";
	if (kind == JWT_FOUND && now + skew < begin)
		return "its time has not come yet";
	if (expiry < 0)
		return "it has no time of its expiry";
	token->expiry_ms = 1000 * (int64_t)expiry;
	return NULL;
}

/* Is it text beside blanks, and none of the list's items before it? */
static bool
scope_valid(const json_t *list, size_t at)
{
	struct slice scope = slice_trim(jwt_string(json_array_get(list, at)));

	for (size_t i = 0; i < at; i++)
		if (slice_equal(
			slice_trim(jwt_string(json_array_get(list, i))), scope))
			return false;
	return scope.len > 0;
}

/* More of them would take a square of time to compare. */
#define SCOPES_MAX 1024

static const char *
check_scope(const struct oauth_settings *settings, const json_t *claims)
{
	const json_t *claim = json_object_get(claims, settings->scope_claim);

	if (json_is_string(claim) && slice_trim(jwt_string(claim)).len == 0)
		return "its scope is empty";
	if (json_array_size(claim) > SCOPES_MAX)
		return "it has too many scopes";
	for (size_t i = 0; i < json_array_size(claim); i++)
		if (!scope_valid(claim, i))
			return "its scope is no list of different texts";
	return NULL;
}

static const char *
check_principal(const struct oauth_settings *settings, const json_t *claims,
    struct arena *arena, struct oauth_token *token)
{
	struct slice text;

	if (jwt_text(claims, "sub", &text) == JWT_MALFORMED ||
	    jwt_text(claims, "jti", &text) == JWT_MALFORMED)
		return "its subject or its id is no text";
	if (jwt_text(claims, settings->principal_claim, &text) != JWT_FOUND)
		return "it names no principal";
	text = slice_trim(text);
	if (text.len == 0)
		return "its principal is empty";
	token->principal = arena_copy(arena, text);
	return NULL;
}

static const char *
check_claims(const struct oauth_settings *settings, const json_t *claims,
    int64_t now_ms, struct arena *arena, struct oauth_token *token)
{
	const char *reason = check_audience(settings, claims);

	if (reason == NULL)
		reason = check_issuer(settings, claims);
	if (reason == NULL)
		reason = check_times(settings, claims, now_ms, token);
	if (reason == NULL)
		reason = check_scope(settings, claims);
	if (reason == NULL)
		reason = check_principal(settings, claims, arena, token);
	return reason;
}

const char *
oauth_check_signed(const struct oauth_settings *settings, struct slice text,
    int64_t now_ms, struct arena *arena, struct oauth_token *token)
{
	const char *reason;
	struct jwt jwt;

	if (jwt_parse(text, arena, &jwt, &reason) != 0)
		return reason;
	reason = check_signature(settings, &jwt);
	if (reason == NULL)
		reason = check_claims(
		    settings, jwt.claims, now_ms, arena, token);
	jwt_fini(&jwt);
	return reason;
}
