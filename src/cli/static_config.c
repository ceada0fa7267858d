#include "cli/static_config.h"

#include <errno.h>
#include <stdio.h>

#include "cli/environment.h"
#include "cli/listener_addresses.h"
#include "cli/whole_file.h"

/* Far above any real file: a wrong path is found out soon. */
#define FILE_LEN_MAX ((size_t)16 << 20)

#define DEFAULT_LISTENERS "PLAINTEXT://localhost:9092"
/* Kafka's own default, for who has a configuration of Kafka's. */
#define KAFKA_LISTENERS "PLAINTEXT://:9092"
#define DEFAULT_LOG_DIRS "klamm-data"

static int
load_file(struct properties *properties, const char *path)
{
	size_t len, line = 0;
	char *text =
	    (char *)whole_file_read(NULL, path, FILE_LEN_MAX, &len);
	int result;

	if (text == NULL) {
		fprintf(stderr, "klamm: %s: %s\n", path, strerror(errno));
		return -1;
	}
	result = properties_parse(properties, slice_of(text, len), &line);
	if (result != 0)
		fprintf(stderr, "klamm: %s:%zu: %s\n", path, line,
		    memchr(text, '\0', len) != NULL ?
			"a NUL byte; this is no properties file" :
			"a malformed \\u escape");
	free(text);
	return result;
}

static void
load_environment(struct properties *properties, char **environ)
{
	for (; *environ != NULL; environ++) {
		const char *equals = strchr(*environ, '=');
		char *name, *key;

		if (equals == NULL)
			continue;
		name = slice_dup(
		    slice_of(*environ, (size_t)(equals - *environ)));
		key = environment_key(name);
		if (key != NULL)
			properties_set(properties, key, equals + 1);
		free(key);
		free(name);
	}
}

static void
load_overrides(struct properties *properties,
    const struct serve_options *options)
{
	for (size_t i = 0; i < options->overrides_count; i++) {
		const char *text = options->overrides[i];
		const char *equals = strchr(text, '=');
		char *key = slice_dup(slice_of(text, (size_t)(equals - text)));

		properties_set(properties, key, equals + 1);
		free(key);
	}
}

static void
set_default(struct properties *properties, const char *key, const char *value)
{
	if (properties_get(properties, key) == NULL)
		properties_set(properties, key, value);
}

static bool
overridden(const struct serve_options *options, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < options->overrides_count; i++)
		if (strncmp(options->overrides[i], key, len) == 0 &&
		    options->overrides[i][len] == '=')
			return true;
	return false;
}

static void
load_data_dir(struct properties *properties,
    const struct serve_options *options)
{
	if (!overridden(options, "log.dirs"))
		properties_set(properties, "log.dirs", options->data_dir);
	if (!overridden(options, "metadata.log.dir"))
		properties_remove(properties, "metadata.log.dir");
}

/* What --dev stands for; a key that is set anywhere keeps its value. */
static void
load_dev(struct properties *properties)
{
	static const char *const values[][2] = {
		{ "klamm.flush", "os" },
		{ "group.initial.rebalance.delay.ms", "0" },
		{ "offsets.topic.num.partitions", "1" },
		{ "transaction.state.log.num.partitions", "1" },
	};

	for (size_t i = 0; i < COUNT_OF(values); i++)
		set_default(properties, values[i][0], values[i][1]);
}

static const char *
default_listeners(const struct properties *properties,
    const struct serve_options *options)
{
	if (options->properties_path == NULL &&
	    properties_get(properties, "advertised.listeners") == NULL)
		return DEFAULT_LISTENERS;
	return KAFKA_LISTENERS;
}

static void
load_defaults(struct properties *properties,
    const struct serve_options *options)
{
	set_default(properties, "listeners",
	    default_listeners(properties, options));
	if (properties_get(properties, "log.dir") == NULL)
		set_default(properties, "log.dirs", DEFAULT_LOG_DIRS);
}

int
static_config_load(struct properties *properties,
    const struct serve_options *options, char **environ)
{
	if (options->properties_path != NULL &&
	    load_file(properties, options->properties_path) != 0)
		return -1;
	load_environment(properties, environ);
	load_overrides(properties, options);
	if (options->data_dir != NULL)
		load_data_dir(properties, options);
	if (options->dev)
		load_dev(properties);
	load_defaults(properties, options);
	if (options->port >= 0 && !overridden(options, "listeners"))
		listener_addresses_move(properties, options->port,
		    overridden(options, "advertised.listeners"));
	return 0;
}
