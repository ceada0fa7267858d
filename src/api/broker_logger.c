#include "api/broker_logger.h"

#include <stdio.h>

#include "base/log.h"
#include "meta/configs.h"

#define ROOT "root"

enum { OPERATION_SET = 0, OPERATION_DELETE = 1 };

/* Is name our node's id?  Otherwise Kafka's text goes to *message. */
static bool
names_us(struct request *request, struct slice name, struct slice *message)
{
	char own[12];

	snprintf(own, sizeof(own), "%d", request->node_id);
	if (slice_equal_str(name, own))
		return true;
	*message = name.len == 0 ?
	    slice_str("Broker id must not be empty") :
	    arena_printf(&request->arena,
		"Unexpected broker id, expected %s but received %.*s", own,
		SLICE_ARG(name));
	return false;
}

void
broker_logger_describe(struct request *request,
    const struct kp_describe_configs_request_resource *resource,
    struct kp_describe_configs_response_result *result)
{
	struct kp_describe_configs_response_config *config;
	bool wanted = resource->configuration_keys_count <= 0;

	if (!names_us(request, resource->resource_name,
		&result->error_message)) {
		result->error_code = KP_INVALID_REQUEST;
		return;
	}
	for (int32_t i = 0; i < resource->configuration_keys_count; i++)
		wanted |= slice_equal_str(resource->configuration_keys[i],
		    ROOT);
	if (!wanted)
		return;
	config = kp_array(&request->arena,
	    &kp_describe_configs_response_config_struct, 1);
	assert(config != NULL);
	config->name = slice_str(ROOT);
	config->value = slice_str(log_level_name(log_level()));
	config->config_source = CONFIG_SOURCE_LOGGER;
	config->documentation = slice_str("");
	result->configs = config;
	result->configs_count = 1;
}

static enum kp_error
check(struct request *request,
    const struct kp_incremental_alter_configs_request_config *config,
    enum log_level *level, struct slice *message)
{
	if (!slice_equal_str(config->name, ROOT)) {
		*message = arena_printf(&request->arena,
		    "Logger %.*s does not exist!", SLICE_ARG(config->name));
		return KP_INVALID_CONFIG;
	}
	if (config->config_operation == OPERATION_DELETE) {
		*message = slice_str(
		    "Removing the log level of the root logger is not "
		    "allowed");
		return KP_INVALID_REQUEST;
	}
	if (config->config_operation != OPERATION_SET) {
		*message = slice_str("Only set and delete are possible for "
				     "loggers");
		return KP_INVALID_REQUEST;
	}
	if (slice_is_null(config->value) ||
	    log_level_parse(config->value, level) != 0) {
		*message = arena_printf(&request->arena,
		    "There is no log level %.*s", SLICE_ARG(config->value));
		return KP_INVALID_CONFIG;
	}
	return KP_NONE;
}

void
broker_logger_alter(struct request *request,
    const struct kp_incremental_alter_configs_request_resource *resource,
    bool validate_only,
    struct kp_incremental_alter_configs_response_resource *entry)
{
	enum log_level level = log_level();
	enum kp_error error = KP_NONE;

	entry->resource_type = resource->resource_type;
	entry->resource_name = resource->resource_name;
	if (!request_allows(request, ACL_ALTER_CONFIGS, ACL_RESOURCE_CLUSTER,
		ACL_CLUSTER_NAME)) {
		entry->error_code = KP_CLUSTER_AUTHORIZATION_FAILED;
		return;
	}
	if (!names_us(request, resource->resource_name,
		&entry->error_message)) {
		entry->error_code = KP_INVALID_REQUEST;
		return;
	}
	for (int32_t i = 0; i < resource->configs_count && error == KP_NONE;
	     i++)
		error = check(request, &resource->configs[i], &level,
		    &entry->error_message);
	entry->error_code = (int16_t)error;
	if (error == KP_NONE && !validate_only)
		log_set_level(level);
}
