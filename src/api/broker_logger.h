/*
 * BROKER_LOGGER resources: the log's level, read and changed at run time.
 *
 * There are "root" and the loggers of enum log_logger; changes last until the
 * process ends (KIP-412).
 */
#ifndef API_BROKER_LOGGER_H
#define API_BROKER_LOGGER_H

#include "api/request.h"
#include "wire/generated/describe_configs.h"
#include "wire/generated/incremental_alter_configs.h"

/* Fill result's configs for the logger resource of this node. */
void broker_logger_describe(struct request *request,
    const struct kp_describe_configs_request_resource *resource,
    struct kp_describe_configs_response_result *result);

/* Carry out what resource asks for and fill in its entry. */
void broker_logger_alter(struct request *request,
    const struct kp_incremental_alter_configs_request_resource *resource,
    bool validate_only,
    struct kp_incremental_alter_configs_response_resource *entry);

#endif
