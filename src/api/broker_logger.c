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

/* "root", and the loggers that may have a level of their own. */
#define LOGGERS_COUNT (1 + LOG_LOGGERS_COUNT)

static const char *
logger_name(int at)
{
	return at == 0 ? ROOT : log_logger_name((enum log_logger)(at - 1));
}

static enum log_level
logger_level(int at)
{
	return at == 0 ? log_level() :
			 log_logger_level((enum log_logger)(at - 1));
}

static bool
is_wanted(const struct kp_describe_configs_request_resource *resource,
    const char *name)
{
	bool wanted = resource->configuration_keys_count <= 0;

	for (int32_t i = 0; i < resource->configuration_keys_count; i++)
		wanted |= slice_equal_str(resource->configuration_keys[i],
		    name);
	return wanted;
}

void
broker_logger_describe(struct request *request,
    const struct kp_describe_configs_request_resource *resource,
    struct kp_describe_configs_response_result *result)
{
	if (!names_us(request, resource->resource_name,
		&result->error_message)) {
		result->error_code = KP_INVALID_REQUEST;
		return;
	}
	result->configs = kp_array(&request->arena,
	    &kp_describe_configs_response_config_struct, LOGGERS_COUNT);
	assert(result->configs != NULL);
	result->configs_count = 0;
	for (int i = 0; i < LOGGERS_COUNT; i++) {
		struct kp_describe_configs_response_config *config =
		    &result->configs[result->configs_count];

		if (!is_wanted(resource, logger_name(i)))
			continue;
		config->name = slice_str(logger_name(i));
		config->value = slice_str(log_level_name(logger_level(i)));
		config->config_source = CONFIG_SOURCE_LOGGER;
		config->documentation = slice_str("");
		result->configs_count++;
	}
}

/* The levels that are to be set. */
struct levels {
	bool changed[LOGGERS_COUNT];
	int level[LOGGERS_COUNT]; /* enum log_level; -1: none of its own */
};

/* The logger of a name; -1 where there is none. */
static int
logger_find(struct slice name)
{
	enum log_logger logger;

	if (slice_equal_str(name, ROOT))
		return 0;
	return log_logger_find(name, &logger) == 0 ? (int)logger + 1 : -1;
}

static enum kp_error
check(struct request *request,
    const struct kp_incremental_alter_configs_request_config *config,
    struct levels *levels, struct slice *message)
{
	int logger = logger_find(config->name);
	enum log_level level;

	if (logger < 0) {
		*message = arena_printf(&request->arena,
		    "Logger %.*s does not exist!", SLICE_ARG(config->name));
		return KP_INVALID_CONFIG;
	}
	levels->changed[logger] = true;
	levels->level[logger] = -1;
	if (config->config_operation == OPERATION_DELETE) {
		if (logger != 0)
			return KP_NONE;
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
	    log_level_parse(config->value, &level) != 0) {
		*message = arena_printf(&request->arena,
		    "There is no log level %.*s", SLICE_ARG(config->value));
		return KP_INVALID_CONFIG;
	}
	levels->level[logger] = (int)level;
	return KP_NONE;
}

static void
set_levels(const struct levels *levels)
{
	if (levels->changed[0])
		log_set_level((enum log_level)levels->level[0]);
	for (int i = 1; i < LOGGERS_COUNT; i++) {
		enum log_logger logger = (enum log_logger)(i - 1);

		if (levels->changed[i] && levels->level[i] >= 0)
			log_logger_set_level(
			    logger, (enum log_level)levels->level[i]);
		else if (levels->changed[i])
			log_logger_unset_level(logger);
	}
}

void
broker_logger_alter(struct request *request,
    const struct kp_incremental_alter_configs_request_resource *resource,
    bool validate_only,
    struct kp_incremental_alter_configs_response_resource *entry)
{
	struct levels levels = { .changed = { false } };
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
		error = check(request, &resource->configs[i], &levels,
		    &entry->error_message);
	entry->error_code = (int16_t)error;
	if (error == KP_NONE && !validate_only)
		set_levels(&levels);
}
