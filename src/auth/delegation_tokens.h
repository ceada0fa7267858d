/*
 * Delegation tokens: those that stand in the metadata, for who asks for them
 * and who logs in with one (DelegationTokenManager and DelegationTokenCache of
 * Kafka).
 *
 * A token is an id, an owner and a lifetime.  Its HMAC, which is made of the id
 * and delegation.token.secret.key and stands nowhere, is its password, as
 * base64.  Without that key there are no tokens: those that stand in the
 * metadata are of no use, and a line in the log says so.
 *
 * Kafka makes SCRAM's keys of a token when it hears of it; here its first login
 * does, for a mechanism, which takes that one some milliseconds: whoever knows
 * an id, which is random, may learn that nobody has used it yet.
 *
 * Thread: any.  The lock is a leaf.
 */
#ifndef AUTH_DELEGATION_TOKENS_H
#define AUTH_DELEGATION_TOKENS_H

#include "auth/scram.h"
#include "base/arena.h"
#include "wire/generated/metadata_delegation_token_record.h"

struct delegation_tokens;
struct delta;

/* HMAC-SHA-512 */
#define DELEGATION_TOKEN_HMAC_LEN SCRAM_KEY_LEN_MAX

struct delegation_token_settings {
	struct slice secret; /* delegation.token.secret.key; empty: none */
	int64_t max_lifetime_ms;
	int64_t expiry_time_ms;
	int64_t expiry_check_interval_ms;
};

struct delegation_token {
	const struct kp_delegation_token_record *record;
	struct slice hmac;
};

/* The secret is copied. */
struct delegation_tokens *delegation_tokens_new(
    const struct delegation_token_settings *settings);
void delegation_tokens_free(struct delegation_tokens *tokens);

/* Is there a secret? */
bool delegation_tokens_enabled(const struct delegation_tokens *tokens);

const struct delegation_token_settings *delegation_tokens_settings(
    const struct delegation_tokens *tokens);

/* Take over what has changed: a subscriber of the controller. */
void delegation_tokens_apply(void *tokens, const struct delta *delta);

/* The HMAC of an id; tokens are enabled. */
void delegation_tokens_hmac(const struct delegation_tokens *tokens,
    struct slice id, uint8_t hmac[DELEGATION_TOKEN_HMAC_LEN]);

/* The id, in arena, of the token that has the HMAC; null: none has. */
struct slice delegation_tokens_find(struct delegation_tokens *tokens,
    struct slice hmac, struct arena *arena);

/* All tokens, in no order, in arena; those that have expired, too. */
struct delegation_token *delegation_tokens_list(
    struct delegation_tokens *tokens, struct arena *arena, size_t *count);

/* Has it expired at that moment of the wall clock? */
bool delegation_token_expired(
    const struct kp_delegation_token_record *record, int64_t now_ms);

/* What a login with a token is about. */
struct delegation_login {
	struct scram_credential credential; /* its salt is in arena */
	struct slice owner;                 /* the user's name, in arena */
	int64_t expiry_ms;                  /* of the wall clock */
};

/*
 * The token of that id, for a login.  False, with a credential that fits no
 * password, for one that there is not or that has expired, which Kafka would
 * let in for no time at all; and for one of an owner whose type is not User,
 * since nobody can log in as another: Kafka lets in the user of that name.
 */
bool delegation_tokens_login(struct delegation_tokens *tokens,
    enum scram_mechanism mechanism, struct slice id, struct arena *arena,
    struct delegation_login *login) WARN_UNUSED;

#endif
