/*
 * Settings: from configuration keys to what each module wants to know.
 *
 * All functions read effective values (command line, environment, file,
 * Kafka's default).
 */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "api/server.h"
#include "auth/delegation_tokens.h"
#include "broker/quotas.h"
#include "coord/group_settings.h"
#include "coord/share_settings.h"
#include "coord/txn_settings.h"
#include "meta/configs.h"
#include "meta/metadata_log.h"
#include "net/listener.h"
#include "net/network.h"
#include "store/log_manager.h"

/* klamm.flush: true for "acked", false for "os". */
bool settings_flush_acked(const struct configs *configs);

void settings_api(const struct configs *configs,
    struct api_settings *settings);
/* The secret is of the configs. */
void settings_delegation_tokens(const struct configs *configs,
    struct delegation_token_settings *settings);
void settings_group(const struct configs *configs,
    struct group_settings *settings);
void settings_share(const struct configs *configs,
    struct share_settings *settings);
void settings_txn(const struct configs *configs,
    struct txn_settings *settings);
void settings_quotas(const struct configs *configs,
    struct quotas_settings *settings);
/* The overrides by address live in arena. */
void settings_network(const struct configs *configs,
    struct network_settings *settings, struct arena *arena);
/* Of the listener of this name. */
void settings_listener(const struct configs *configs, const char *name,
    struct listener_settings *settings);
/* max.connection.creation.rate of the listener, or of the broker (NULL). */
int32_t settings_connection_rate(const struct configs *configs,
    const char *listener);
void settings_cleaner(const struct configs *configs,
    struct cleaner_settings *settings);
void settings_log_manager(const struct configs *configs,
    struct log_manager_settings *settings);
void settings_metadata_log(const struct configs *configs,
    struct metadata_log_settings *settings);

#endif
