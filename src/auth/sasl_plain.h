/*
 * SASL PLAIN (RFC 4616): one token with user and password in it, which the
 * listener's settings know (PlainSaslServer of Kafka).
 */
#ifndef AUTH_SASL_PLAIN_H
#define AUTH_SASL_PLAIN_H

#include "auth/sasl.h"

struct sasl_exchange *sasl_plain_new(void);

#endif
