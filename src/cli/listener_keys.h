/*
 * Listener keys: the values of keys that a listener, and a SASL mechanism of
 * it, may have of its own (ListenerName.configPrefix and saslMechanismPrefix
 * of Kafka).
 */
#ifndef CLI_LISTENER_KEYS_H
#define CLI_LISTENER_KEYS_H

#include "base/arena.h"
#include "base/properties.h"

struct listener_keys {
	const struct properties *properties;
	const char *prefix;  /* "listener.name.sasl_plaintext." */
	struct arena *arena; /* of names */
};

/* The keys of the listener of that name; all stays the caller's. */
void listener_keys_init(struct listener_keys *keys,
    const struct properties *properties, const char *listener,
    struct arena *arena);

/*
 * The value of key for a mechanism ("plain.", "": for all): that of the
 * listener, or else that of the broker; NULL where there is none.  *name is
 * the key that has it, or the first that could.
 */
const char *listener_keys_get(const struct listener_keys *keys,
    const char *mechanism, const char *key, const char **name);

/* The same for a mechanism, or else for all. */
const char *listener_keys_get_any(const struct listener_keys *keys,
    const char *mechanism, const char *key, const char **name);

/* a, b and c behind each other, in the arena. */
const char *listener_keys_text(const struct listener_keys *keys, const char *a,
    const char *b, const char *c);

/* text without upper case, in the arena. */
const char *listener_keys_lower(
    const struct listener_keys *keys, const char *text);

/* Say on standard error what is wrong with the key; -1. */
int listener_keys_refuse(const char *key, const char *what);

#endif
