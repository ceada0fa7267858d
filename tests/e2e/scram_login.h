/*
 * A login by SCRAM, by plain frames: with a delegation token, which librdkafka
 * cannot use, or a password.
 */
#ifndef E2E_SCRAM_LOGIN_H
#define E2E_SCRAM_LOGIN_H

#include "auth/scram.h"
#include "e2e/raw_client.h"
#include "wire/generated/sasl_authenticate.h"

/*
 * Shake hands and log in; the answer to the last message that the broker has
 * taken, whose strings are valid until the client's next call.  extensions is
 * "" or ",tokenauth=true".  Where the login succeeds it fails the test unless
 * the broker shows that it knows the password, too.
 */
const struct kp_sasl_authenticate_response *scram_login(
    struct raw_client *client, enum scram_mechanism mechanism,
    struct slice name, struct slice password, const char *extensions);

#endif
