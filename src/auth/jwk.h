/*
 * JSON Web Key (RFC 7517) with what it verifies (RFC 7518, RFC 8037):
 *
 *	RSA	RS256 RS384 RS512 PS256 PS384 PS512, of 2048 bits or more
 *	EC	ES256 with P-256, ES384 with P-384, ES512 with P-521
 *	OKP	EdDSA with Ed25519 or Ed448
 *	oct	HS256 HS384 HS512, of as many bits as the digest or more
 *
 * Which of them is asked, and which fits, is as in jose4j, which Kafka uses.
 * Private parts are not looked at.
 *
 * Any thread may use a key that nobody frees.
 */
#ifndef AUTH_JWK_H
#define AUTH_JWK_H

#include <jansson.h>

#include "base/base.h"

struct jwk;

/*
 * The key of a JSON object, which outlives it.  NULL with *reason (static)
 * where it is none, or one of a kind that nothing is verified with.
 */
struct jwk *jwk_new(const json_t *json, const char **reason) WARN_UNUSED;
void jwk_free(struct jwk *jwk);

/*
 * May a signature under this header be the key's?  By the key's id, its type,
 * what it is for and its thumbprints.
 */
bool jwk_fits(const struct jwk *jwk, const json_t *header);

/* Where several fit: is the key for the header's very algorithm and curve? */
bool jwk_fits_algorithm(const struct jwk *jwk, const json_t *header);
bool jwk_fits_curve(const struct jwk *jwk, const json_t *header);

/* Is signature the key's, of text, with the header's algorithm? */
bool jwk_verify(const struct jwk *jwk, const json_t *header,
    struct slice text, struct slice signature);

/* Has the header an algorithm that keys verify? */
bool jwk_algorithm_known(const json_t *header);

#endif
