/*
 * Config rules: what the values of one resource must fulfil together, or
 * towards the broker's, when each of them is valid by itself (LogConfig,
 * GroupConfig, ClientMetricsConfigs and KafkaConfig of Kafka).
 */
#ifndef META_CONFIG_RULES_H
#define META_CONFIG_RULES_H

#include "meta/configs.h"

/* KP_NONE, or the code and Kafka's text in *message, in arena. */
enum kp_error config_rules_topic(const struct configs *configs,
    const struct config_set *set, struct arena *arena,
    struct slice *message) WARN_UNUSED;
enum kp_error config_rules_group(const struct configs *configs,
    const struct config_set *set, struct arena *arena,
    struct slice *message) WARN_UNUSED;
/* max.connections.per.ip and its overrides, both effective. */
enum kp_error config_rules_connections(struct slice per_ip,
    struct slice overrides, struct arena *arena,
    struct slice *message) WARN_UNUSED;
enum kp_error config_rules_client_metrics(const struct config_set *set,
    struct arena *arena, struct slice *message) WARN_UNUSED;

#endif
