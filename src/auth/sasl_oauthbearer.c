#include "auth/sasl_oauthbearer.h"

#include "auth/oauth.h"
#include "base/clock.h"
#include "base/slice.h"

#define SEPARATOR '\x01'

struct oauth_exchange {
	struct sasl_exchange exchange;
	char *refusal; /* NULL, or what the client was told */
	const char *reason; /* of the refusal, for logs */
};

/* --- Grammar -------------------------------------------------------------- */

static bool
is_letter(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Of the extensions' values and of what follows "auth=". */
static bool
is_value(uint8_t c)
{
	return (c >= 0x20 && c <= 0x7e) || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_token(uint8_t c)
{
	return is_letter(c) || is_digit(c) ||
	    (c != '\0' && strchr("-_~+/.", c) != NULL);
}

/* Take the bytes up to end off text, and end itself. */
static bool
take_until(struct slice *text, char end, struct slice *part)
{
	const uint8_t *at =
	    text->len == 0 ? NULL : memchr(text->data, end, text->len);

	if (at == NULL)
		return false;
	*part = slice_of(text->data, (size_t)(at - text->data));
	*text = slice_of(at + 1, text->len - part->len - 1);
	return true;
}

/* A name in which a comma is =2C and an equals sign is =3D. */
static bool
name_valid(struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == '\0' || name.data[i] > 0x7f)
			return false;
		if (name.data[i] != '=')
			continue;
		if (name.len - i < 3 ||
		    (memcmp(name.data + i, "=2C", 3) != 0 &&
			memcmp(name.data + i, "=3D", 3) != 0))
			return false;
		i += 2;
	}
	return name.len > 0;
}

static bool
pair_valid(struct slice key, struct slice value)
{
	for (size_t i = 0; i < key.len; i++)
		if (!is_letter(key.data[i]))
			return false;
	for (size_t i = 0; i < value.len; i++)
		if (!is_value(value.data[i]))
			return false;
	return key.len > 0 && value.len > 0;
}

/* "Bearer", blanks and the token. */
static bool
parse_auth(struct slice auth, struct slice *token)
{
	struct slice scheme;
	size_t len = 0;

	if (!take_until(&auth, ' ', &scheme) ||
	    !slice_equal_nocase(scheme, "bearer"))
		return false;
	while (auth.len > 0 && auth.data[0] == ' ')
		auth = slice_of(auth.data + 1, auth.len - 1);
	*token = auth;
	while (len < auth.len && is_token(auth.data[len]))
		len++;
	if (len == 0)
		return false;
	while (len < auth.len && auth.data[len] == '=')
		len++;
	return len == auth.len;
}

struct client_first {
	struct slice authorized; /* as it is written; "" where there is none */
	struct slice token;
};

/* Of several "auth" the last one counts, as in Kafka. */
static bool
parse_pairs(struct slice text, struct client_first *first)
{
	struct slice pair, key, auth = SLICE_NULL;

	while (take_until(&text, SEPARATOR, &pair)) {
		if (pair.len == 0)
			return text.len == 0 && !slice_is_null(auth) &&
			    parse_auth(auth, &first->token);
		if (!take_until(&pair, '=', &key) || !pair_valid(key, pair))
			return false;
		if (slice_equal_str(key, "auth"))
			auth = pair;
	}
	return false;
}

static bool
parse(struct slice text, struct client_first *first)
{
	struct slice part;

	first->authorized = slice_str("");
	if (!take_until(&text, ',', &part) || !slice_equal_str(part, "n") ||
	    !take_until(&text, ',', &part))
		return false;
	if (part.len > 0) {
		if (part.len < 2 || memcmp(part.data, "a=", 2) != 0)
			return false;
		first->authorized = slice_of(part.data + 2, part.len - 2);
		if (!name_valid(first->authorized))
			return false;
	}
	if (text.len == 0 || text.data[0] != SEPARATOR)
		return false;
	return parse_pairs(slice_of(text.data + 1, text.len - 1), first);
}

/* --- The conversation ----------------------------------------------------- */

/* As Java prints a list. */
static struct slice
list_of(const struct oauth_settings *settings, struct arena *arena)
{
	struct slice list = slice_str("");

	for (size_t i = 0; i < settings->required_scopes_count; i++)
		list = arena_printf(arena, "%.*s%s%.*s", SLICE_ARG(list),
		    i == 0 ? "" : ", ",
		    SLICE_ARG(settings->required_scopes[i]));
	return list;
}

static struct slice
refusal_of(const struct oauth_settings *settings,
    const struct oauth_token *token, struct arena *arena)
{
	if (!token->lacks_a_scope)
		return slice_str("{\"status\":\"invalid_token\"}");
	return arena_printf(arena,
	    "{\"status\":\"insufficient_scope\", \"scope\":\"[%.*s]\"}",
	    SLICE_ARG(list_of(settings, arena)));
}

static enum sasl_status
refuse(struct oauth_exchange *oauth, const struct oauth_token *token,
    const char *reason, struct arena *arena, struct sasl_result *result)
{
	result->token =
	    refusal_of(oauth->exchange.settings->oauth, token, arena);
	oauth->refusal = slice_dup(result->token);
	oauth->reason = reason;
	return SASL_MORE;
}

static enum sasl_status
check(struct oauth_exchange *oauth, const struct client_first *first,
    struct arena *arena, struct sasl_result *result)
{
	struct oauth_token token;
	const char *reason = oauth_check(oauth->exchange.settings->oauth,
	    first->token, clock_wall_ms(), arena, &token);

	if (reason != NULL)
		return refuse(oauth, &token, reason, arena, result);
	if (first->authorized.len > 0 &&
	    !slice_equal(first->authorized, token.principal)) {
		result->message = arena_printf(arena,
		    "Authentication failed: Client requested an authorization "
		    "id (%.*s) that is different from the token's principal "
		    "name (%.*s)",
		    SLICE_ARG(first->authorized), SLICE_ARG(token.principal));
		/* Without texts of the client's, which may have any byte. */
		result->reason = slice_str("another authorization id than the "
					   "token's principal");
		return SASL_FAILED;
	}
	result->name = token.principal;
	result->expiry_ms = token.expiry_ms;
	return SASL_DONE;
}

static enum sasl_status
step(struct sasl_exchange *exchange, struct slice token, struct arena *arena,
    struct sasl_result *result)
{
	struct oauth_exchange *oauth =
	    CONTAINER_OF(exchange, struct oauth_exchange, exchange);
	struct client_first first;

	if (token.len == 1 && token.data[0] == SEPARATOR &&
	    oauth->refusal != NULL) {
		result->message = arena_copy(arena, slice_str(oauth->refusal));
		result->reason = slice_str(oauth->reason);
		return SASL_FAILED;
	}
	free(oauth->refusal);
	oauth->refusal = NULL;
	if (!parse(token, &first))
		return SASL_FAILED;
	return check(oauth, &first, arena, result);
}

static void
oauthbearer_free(struct sasl_exchange *exchange)
{
	struct oauth_exchange *oauth =
	    CONTAINER_OF(exchange, struct oauth_exchange, exchange);

	free(oauth->refusal);
	free(oauth);
}

static const struct sasl_exchange_ops ops = {
	.step = step,
	.free = oauthbearer_free,
};

struct sasl_exchange *
sasl_oauthbearer_new(void)
{
	struct oauth_exchange *oauth = xcalloc(1, sizeof(*oauth));

	oauth->exchange.ops = &ops;
	return &oauth->exchange;
}
