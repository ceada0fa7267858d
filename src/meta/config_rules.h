/*
 * Config rules: what the values of one resource must fulfil together, or
 * towards the broker's, when each of them is valid by itself (LogConfig,
 * GroupConfig and ClientMetricsConfigs of Kafka).
 */
#ifndef META_CONFIG_RULES_H
#define META_CONFIG_RULES_H

#include "meta/configs.h"
#include "wire/error.h"

/* KP_NONE, or the code and Kafka's text in *message, in arena. */
enum kp_error config_rules_topic(const struct configs *configs,
    const struct config_set *set, struct arena *arena, struct slice *message);
enum kp_error config_rules_group(const struct configs *configs,
    const struct config_set *set, struct arena *arena, struct slice *message);
enum kp_error config_rules_client_metrics(const struct config_set *set,
    struct arena *arena, struct slice *message);

#endif
