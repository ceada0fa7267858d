/*
 * SASL OAUTHBEARER (RFC 7628) as Kafka's OAuthBearerSaslServer has it:
 *
 *	client	n,[a=authzid],^A auth=Bearer token ^A [key=value ^A ...] ^A
 *	server	nothing, and the client is in; or why it is not, in JSON
 *	client	^A
 *	server	the failure, with the same JSON
 *
 * (^A is the byte 0x01; there are no blanks around it.)  The client may also
 * answer a refusal with another token.  Extensions are checked for their form
 * and otherwise not looked at.
 */
#ifndef AUTH_SASL_OAUTHBEARER_H
#define AUTH_SASL_OAUTHBEARER_H

#include "auth/sasl.h"

struct sasl_exchange *sasl_oauthbearer_new(void);

#endif
