/*
 * JSON Web Key Set (RFC 7517, section 5): the keys that tokens may be signed
 * with.
 *
 * A key that cannot be read is left out, as in jose4j, and so is what would
 * be more than JWK_KEYS_MAX of them.
 */
#ifndef AUTH_JWK_SET_H
#define AUTH_JWK_SET_H

#include <jansson.h>

#include "base/base.h"

struct jwk;
struct jwk_set;

/* The largest text of a set, as in jose4j; no issuer has as many keys. */
#define JWK_SET_BYTES_MAX 524288
#define JWK_KEYS_MAX 256

/* The set of a JSON text; NULL with *reason (static) where it is none. */
struct jwk_set *jwk_set_parse(
    struct slice text, const char **reason) WARN_UNUSED;
void jwk_set_free(struct jwk_set *set);

/* The number of its keys. */
size_t jwk_set_count(const struct jwk_set *set);

/*
 * The key that a token with this header is to be verified with; NULL where
 * there is none.  Of several that fit it is the first one.
 */
const struct jwk *jwk_set_select(
    const struct jwk_set *set, const json_t *header);

#endif
