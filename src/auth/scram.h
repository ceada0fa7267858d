/*
 * SCRAM: what is kept of a user's password instead of it (RFC 5802, RFC 7677).
 *
 * Nothing here is Kafka's own but the numbers of the mechanisms, which its
 * metadata and its API use, and the bounds of the iterations.
 *
 * Thread: any.
 */
#ifndef AUTH_SCRAM_H
#define AUTH_SCRAM_H

#include "base/arena.h"
#include "base/base.h"

enum scram_mechanism {
	SCRAM_UNKNOWN = 0,
	SCRAM_SHA_256 = 1,
	SCRAM_SHA_512 = 2,
};

#define SCRAM_ITERATIONS_MIN 4096
#define SCRAM_ITERATIONS_MAX 16384

/* The longest key, that of SHA-512. */
#define SCRAM_KEY_LEN_MAX 64

/* What a login is checked against. */
struct scram_credential {
	struct slice salt;
	int32_t iterations;
	uint8_t stored_key[SCRAM_KEY_LEN_MAX];
	uint8_t server_key[SCRAM_KEY_LEN_MAX];
};

/* "SCRAM-SHA-256", or SCRAM_UNKNOWN for what is no mechanism's name. */
enum scram_mechanism scram_mechanism_find(struct slice name);

/* The bytes of all keys of a mechanism. */
size_t scram_key_len(enum scram_mechanism mechanism);

/*
 * The salted password, scram_key_len bytes, of one that is not empty; -1
 * where OpenSSL refuses.  It is as good as the password: nobody keeps it.
 */
int scram_salt(enum scram_mechanism mechanism, struct slice password,
    struct slice salt, int32_t iterations,
    uint8_t salted[SCRAM_KEY_LEN_MAX]) WARN_UNUSED;

/* HMAC and hash of a mechanism, scram_key_len bytes; -1 as above. */
int scram_hmac(enum scram_mechanism mechanism, struct slice key,
    struct slice text, uint8_t out[SCRAM_KEY_LEN_MAX]) WARN_UNUSED;
int scram_hash(enum scram_mechanism mechanism, struct slice data,
    uint8_t out[SCRAM_KEY_LEN_MAX]) WARN_UNUSED;

/*
 * What is kept, scram_key_len bytes each, of a salted password, which Kafka
 * takes with any length but 0; -1 where OpenSSL refuses.
 */
int scram_derive(enum scram_mechanism mechanism, struct slice salted,
    uint8_t stored_key[SCRAM_KEY_LEN_MAX],
    uint8_t server_key[SCRAM_KEY_LEN_MAX]) WARN_UNUSED;

/*
 * A salt as Kafka's tools make it (ScramFormatter): 130 of the random bits, as
 * a number in base 36.  How long it is.
 */
#define SCRAM_SALT_RANDOM_LEN 17
#define SCRAM_SALT_LEN_MAX 26
size_t scram_salt_text(const uint8_t random[SCRAM_SALT_RANDOM_LEN],
    uint8_t salt[SCRAM_SALT_LEN_MAX]);

/*
 * What a name that there is not would have: a salt in arena that looks like
 * one of Kafka's and is the same each time with the same secret, and keys of
 * zeros, which fit no password.
 */
void scram_invent(enum scram_mechanism mechanism, struct slice secret,
    struct slice name, struct arena *arena,
    struct scram_credential *credential);

#endif
