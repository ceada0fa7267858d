/*
 * SASL SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677), as Kafka's
 * ScramSaslServer takes them: no channel binding; of client-final only nonce
 * and proof are checked; errors are never sent as "e=".
 *
 *	client	n,[a=authzid],n=name,r=nonce[,extensions]
 *	server	r=nonce,s=salt,i=iterations
 *	client	c=channel,r=nonce[,extensions],p=proof
 *	server	v=signature
 *
 * With the extension tokenauth=true the name is the id of a delegation token,
 * whose owner the client becomes (KIP-48).
 *
 * A user that there is not gets as far as one whose password is wrong.
 */
#ifndef AUTH_SASL_SCRAM_H
#define AUTH_SASL_SCRAM_H

#include "auth/sasl.h"
#include "auth/scram.h"

struct sasl_exchange *sasl_scram_new(enum scram_mechanism mechanism);

#endif
