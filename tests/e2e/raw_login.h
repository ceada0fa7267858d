/*
 * Logging in with PLAIN by plain frames, and a broker that has users for it.
 */
#ifndef E2E_RAW_LOGIN_H
#define E2E_RAW_LOGIN_H

#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "wire/error.h"

/*
 * Make *broker one, not yet started, that takes admin, a super user, and bob,
 * who may do nothing; the password of each is the name and "-secret".
 */
void raw_login_broker(struct broker_process *broker);

/* The error of the last answer; the client stays connected where none. */
enum kp_error raw_login(struct raw_client *client, const char *user,
    const char *password);

#endif
