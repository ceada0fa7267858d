/*
 * JSON Web Token (RFC 7519) in the compact serialisation of a JSON Web
 * Signature (RFC 7515):
 *
 *	base64url(header) "." base64url(claims) "." base64url(signature)
 *
 * Header and claims are JSON objects in which no name stands twice.  Nothing
 * here says whether a token is to be believed.
 *
 * Any thread may call these functions.
 */
#ifndef AUTH_JWT_H
#define AUTH_JWT_H

#include <jansson.h>

#include "base/arena.h"
#include "base/base.h"

struct jwt {
	json_t *header;
	json_t *claims;
	struct slice signed_text; /* of the token: what is signed */
	struct slice signature;   /* decoded; "" where there is none */
};

/*
 * Take token, whose bytes outlive *jwt, apart; decoded parts live in arena.
 * -1 with *reason (static) where it is no token; jwt_fini is due only for 0.
 */
int jwt_parse(struct slice token, struct arena *arena, struct jwt *jwt,
    const char **reason) WARN_UNUSED;
void jwt_fini(struct jwt *jwt);

/* What a member of a JSON object is; JSON's null is none. */
enum jwt_kind {
	JWT_ABSENT,
	JWT_FOUND,
	JWT_MALFORMED, /* it is there, but of another type */
};

/* Texts live as long as the object; name and value are theirs. */
enum jwt_kind jwt_text(
    const json_t *object, const char *name, struct slice *value) WARN_UNUSED;
enum jwt_kind jwt_number(
    const json_t *object, const char *name, double *value) WARN_UNUSED;

/* A JSON string as a slice; null where json is none. */
struct slice jwt_string(const json_t *json);

#endif
