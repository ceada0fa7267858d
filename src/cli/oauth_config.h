/*
 * OAuth config: which tokens let clients of a listener in, from
 * sasl.server.callback.handler.class, sasl.oauthbearer.* and the options of
 * OAuthBearerLoginModule.
 *
 * Without a handler tokens are believed as they are, which is for tests.  Keys
 * for the tokens that a broker has itself made are refused: klamm has no
 * connections of its own to log in with.
 */
#ifndef CLI_OAUTH_CONFIG_H
#define CLI_OAUTH_CONFIG_H

#include "auth/jaas.h"
#include "auth/oauth.h"
#include "cli/listener_keys.h"

/*
 * The settings of a listener; entry is its login module.  What they are made
 * of lives in the keys' arena, in their properties and as long as entry.  NULL
 * with a line on standard error where they are wrong, or ask for what is not
 * served.
 */
const struct oauth_settings *oauth_config_read(
    const struct listener_keys *keys,
    const struct jaas_entry *entry) WARN_UNUSED;

#endif
