/*
 * Config rules: what the values of one resource must fulfil together, or
 * towards the broker's, when each of them is valid by itself (LogConfig,
 * GroupConfig, ClientMetricsConfigs and KafkaConfig of Kafka).
 */
#ifndef META_CONFIG_RULES_H
#define META_CONFIG_RULES_H

#include "meta/configs.h"

/*
 * The sets that give a broker's values, the one that counts first in front;
 * NULL where there is none.
 */
struct config_layers {
	const struct config_set *sets[3];
};

/* KP_NONE, or the code and Kafka's text in *message, in arena. */
enum kp_error config_rules_topic(const struct configs *configs,
    const struct config_set *set, struct arena *arena,
    struct slice *message) WARN_UNUSED;
enum kp_error config_rules_group(const struct configs *configs,
    const struct config_set *set, struct arena *arena,
    struct slice *message) WARN_UNUSED;
/* A broker's max.connections.per.ip and its overrides. */
enum kp_error config_rules_connections(const struct config_layers *layers,
    struct arena *arena, struct slice *message) WARN_UNUSED;
/* The memory of requests, which a running broker does not change. */
enum kp_error config_rules_requests(const struct config_layers *layers,
    struct arena *arena, struct slice *message) WARN_UNUSED;
/* What logs do; to a running broker Kafka says more than to a file. */
enum kp_error config_rules_logs(const struct config_layers *layers,
    bool running, struct arena *arena, struct slice *message) WARN_UNUSED;
enum kp_error config_rules_client_metrics(const struct config_set *set,
    struct arena *arena, struct slice *message) WARN_UNUSED;

#endif
