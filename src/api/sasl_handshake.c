/*
 * SaslHandshake, versions 0-1: a client chooses how it says who it is.
 */
#include "api/api.h"
#include "api/session.h"
#include "wire/generated/sasl_handshake.h"

static void
handle_sasl_handshake(struct request *request)
{
	session_handshake(request);
}

const struct api api_sasl_handshake = API_ROW(sasl_handshake, API_OPEN);
