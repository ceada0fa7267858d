/*
 * SASL config: how clients of a listener say who they are, from
 * sasl.enabled.mechanisms, sasl.jaas.config and connections.max.reauth.ms,
 * each with the prefix of the listener, and of the mechanism, that Kafka has
 * for them (ListenerName.configPrefix, JaasContext); where sasl.jaas.config is
 * not set, from the file of login modules.
 */
#ifndef CLI_SASL_CONFIG_H
#define CLI_SASL_CONFIG_H

#include "auth/sasl.h"
#include "base/arena.h"
#include "base/properties.h"
#include "cli/jaas_login.h"

/*
 * The settings of a listener, whose texts live in arenas and in properties.
 * -1 with a line on standard error, which names keys but no secret, where they
 * are wrong, or ask for what is not served.
 */
int sasl_config_read(struct sasl_settings *settings,
    const struct properties *properties, const char *listener,
    struct jaas_login *login, struct arena *arena) WARN_UNUSED;

#endif
