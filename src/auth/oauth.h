/*
 * OAuth: what makes a bearer token one that lets its client in.
 *
 * A listener either believes its tokens as they are, which is for tests
 * (OAuthBearerUnsecuredValidatorCallbackHandler of Kafka), or asks for a
 * signature with a key that is known (BrokerJwtValidator of Kafka).
 *
 * Any thread may check tokens.
 */
#ifndef AUTH_OAUTH_H
#define AUTH_OAUTH_H

#include "base/arena.h"
#include "base/base.h"

struct jwk_source;
struct jwk_source_settings;

/* Of sasl.server.callback.handler.class, which asks for signatures. */
#define OAUTH_VALIDATOR_CLASS                              \
	"org.apache.kafka.common.security.oauthbearer." \
	"OAuthBearerValidatorCallbackHandler"

/* The texts are their owner's; names of claims end with a NUL. */
struct oauth_settings {
	/* Where keys come from; NULL: tokens have no signatures. */
	const struct jwk_source_settings *source;
	struct jwk_source *keys; /* opened; NULL as long as nobody logs in */
	const char *principal_claim;
	const char *scope_claim;
	int64_t skew_ms; /* how wrong clocks may be */

	/* --- without signatures --- */
	const struct slice *required_scopes;
	size_t required_scopes_count;

	/* --- with signatures --- */
	const struct slice *audiences; /* one of them; none: no claim "aud" */
	size_t audiences_count;
	struct slice issuer; /* null: any */
};

/* What a token says that is to be believed. */
struct oauth_token {
	struct slice principal;
	int64_t expiry_ms;  /* of the wall clock */
	bool lacks_a_scope; /* where that is why it is refused */
};

/*
 * Check a token at now_ms of the wall clock.  NULL, and *token in arena; or
 * why not, a static text that is for logs: clients are told nothing of it.
 */
const char *oauth_check(const struct oauth_settings *settings,
    struct slice text, int64_t now_ms, struct arena *arena,
    struct oauth_token *token);

/* The two ways; oauth_check chooses. */
const char *oauth_check_unsecured(const struct oauth_settings *settings,
    struct slice text, int64_t now_ms, struct arena *arena,
    struct oauth_token *token);
const char *oauth_check_signed(const struct oauth_settings *settings,
    struct slice text, int64_t now_ms, struct arena *arena,
    struct oauth_token *token);

/*
 * May name be a scope that is asked for (RFC 6749, section 3.3)?  It stands
 * in what refused clients are told.
 */
bool oauth_scope_valid(struct slice name);

#endif
