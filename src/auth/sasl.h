/*
 * SASL: how a client says who it is, seen from the server.
 *
 * A mechanism is a conversation of tokens.  sasl_exchange_new begins one,
 * each token of the client is a step, and the last step tells the name of the
 * client or that it has failed.  A failed exchange takes no more steps.
 *
 * What a failure says never tells whether the user or the password was
 * wrong; neither does how long it took, or how many steps.
 */
#ifndef AUTH_SASL_H
#define AUTH_SASL_H

#include "base/arena.h"
#include "base/base.h"

struct delegation_tokens;
struct oauth_settings;
struct plain_users;
struct scram_users;

enum sasl_mechanism {
	SASL_PLAIN,
	SASL_SCRAM_SHA_256,
	SASL_SCRAM_SHA_512,
	SASL_OAUTHBEARER,
};

#define SASL_MECHANISMS_COUNT 4

/* How clients of a listener say who they are; the texts are its owner's. */
struct sasl_settings {
	bool enabled[SASL_MECHANISMS_COUNT];
	/* connections.max.reauth.ms; 0: a session has no end. */
	int64_t reauth_ms[SASL_MECHANISMS_COUNT];
	const struct plain_users *plain_users; /* NULL: nobody */
	struct scram_users *scram_users;
	struct delegation_tokens *tokens;
	const struct oauth_settings *oauth;
};

enum sasl_status {
	SASL_MORE, /* the client is to answer */
	SASL_DONE,
	SASL_FAILED,
};

/* What comes of a step; all of it lives in the step's arena. */
struct sasl_result {
	struct slice token; /* for the client; "" where there is none */
	struct slice name;  /* of the client, at SASL_DONE */
	/* At SASL_DONE: until when, on the wall clock; INT64_MAX: no end. */
	int64_t expiry_ms;
	bool with_token; /* he has a delegation token and no password */
	/* At SASL_FAILED: what to say, null for what is said of all. */
	struct slice message;
	/* What only logs are told of it, null where it is the same. */
	struct slice reason;
};

struct sasl_exchange;

/* A conversation of one mechanism, with its own state behind it. */
struct sasl_exchange_ops {
	enum sasl_status (*step)(struct sasl_exchange *exchange,
	    struct slice token, struct arena *arena,
	    struct sasl_result *result);
	void (*free)(struct sasl_exchange *exchange);
};

struct sasl_exchange {
	const struct sasl_exchange_ops *ops;
	const struct sasl_settings *settings;
};

/* "SCRAM-SHA-256" */
const char *sasl_mechanism_name(enum sasl_mechanism mechanism);

/* -1 where there is none of that name. */
int sasl_mechanism_find(
    struct slice name, enum sasl_mechanism *mechanism) WARN_UNUSED;

/* settings outlive the exchange. */
struct sasl_exchange *sasl_exchange_new(
    const struct sasl_settings *settings, enum sasl_mechanism mechanism);
void sasl_exchange_free(struct sasl_exchange *exchange);

enum sasl_status sasl_exchange_step(struct sasl_exchange *exchange,
    struct slice token, struct arena *arena,
    struct sasl_result *result) WARN_UNUSED;

#endif
