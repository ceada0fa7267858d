/*
 * SaslAuthenticate, versions 0-2: a token of a client that says who it is.
 */
#include "api/api.h"
#include "api/session.h"
#include "wire/generated/sasl_authenticate.h"

static void
handle_sasl_authenticate(struct request *request)
{
	session_authenticate(request);
}

const struct api api_sasl_authenticate = API_ROW(sasl_authenticate, API_OPEN);
