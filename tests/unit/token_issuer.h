/*
 * An issuer of tokens: keys, their JSON, and what is signed with them.
 *
 * Every function fails the test where OpenSSL does not do what it is asked.
 * Texts are on the heap, the caller's.
 */
#ifndef UNIT_TOKEN_ISSUER_H
#define UNIT_TOKEN_ISSUER_H

#include "base/base.h"

struct token_key;

/*
 * A new key for the algorithm ("RS256", "PS512", "ES384", "EdDSA", "HS256"),
 * with this id; bits 0 is what is usual for it.
 */
struct token_key *token_key_new(const char *algorithm, const char *id,
    unsigned int bits);
void token_key_free(struct token_key *key);

/* The key as JSON, with more members (",\"use\":\"sig\"") behind the others. */
char *token_key_json(const struct token_key *key, const char *extra);

/* The set of the keys, up to a NULL. */
char *token_key_set(const struct token_key *key, ...)
    __attribute__((sentinel));

/* A token of these two JSON texts, signed as algorithm says. */
char *token_sign(const struct token_key *key, const char *algorithm,
    const char *header, const char *claims);

/* The same with the key's own algorithm and id in its header. */
char *token_of(const struct token_key *key, const char *claims);

/* A token without a signature. */
char *token_unsigned(const char *header, const char *claims);

#endif
