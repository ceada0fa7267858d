/*
 * Principal: who asks, and from where.
 */
#ifndef AUTH_PRINCIPAL_H
#define AUTH_PRINCIPAL_H

#include "base/base.h"

struct principal {
	struct slice name; /* with its type: "User:alice" */
	struct slice host; /* the peer's address in digits */
};

/* Who does not say: everybody on a plaintext connection. */
#define PRINCIPAL_ANONYMOUS \
	((struct principal){ .name = SLICE_LITERAL("User:ANONYMOUS") })

#endif
