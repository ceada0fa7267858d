/*
 * The generated tables of configuration keys, sorted by name.
 */
#ifndef META_CONFIG_TABLES_H
#define META_CONFIG_TABLES_H

#include "meta/config_keys.h"

extern const struct config_key config_tables_broker[];
extern const size_t config_tables_broker_count;
extern const struct config_key config_tables_topic[];
extern const size_t config_tables_topic_count;
extern const struct config_key config_tables_group[];
extern const size_t config_tables_group_count;
extern const struct config_key config_tables_client_metrics[];
extern const size_t config_tables_client_metrics_count;

#endif
