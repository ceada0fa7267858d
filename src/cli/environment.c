#include "cli/environment.h"

#include <ctype.h>

/* What Kafka's image and others take. */
static const char *const cluster_ids[] = {
	"CLUSTER_ID",
	"KAFKA_CLUSTER_ID",
	"KAFKA_KRAFT_CLUSTER_ID",
};

static const char *const of_scripts[] = {
	"KAFKA_DEBUG",
	"KAFKA_GC_LOG_OPTS",
	"KAFKA_HEAP_OPTS",
	"KAFKA_HOME",
	"KAFKA_JMX_HOSTNAME",
	"KAFKA_JMX_OPTS",
	"KAFKA_JMX_PORT",
	"KAFKA_JVM_PERFORMANCE_OPTS",
	"KAFKA_LOG",
	"KAFKA_OPTS",
	"KAFKA_VERSION",
};

static bool
has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool
contains(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool
is_configuration(const char *variable)
{
	return has_prefix(variable, "KAFKA_") &&
	    strstr(variable, "LOG4J") == NULL &&
	    !contains(cluster_ids, COUNT_OF(cluster_ids), variable) &&
	    !contains(of_scripts, COUNT_OF(of_scripts), variable);
}

/* The length of the run of underscores at text, three at the most. */
static size_t
underscores(const char *text)
{
	size_t n = strspn(text, "_");

	return MIN(n, 3);
}

char *
environment_key(const char *variable)
{
	static const char separators[] = { '\0', '.', '_', '-' };
	const char *name = variable;
	char *key, *out;

	if (!is_configuration(variable))
		return NULL;
	name += strlen(has_prefix(name, "KAFKA_CFG_") ? "KAFKA_CFG_" :
							"KAFKA_");
	if (*name == '\0')
		return NULL;
	out = key = xmalloc(strlen(name) + 1);
	while (*name != '\0') {
		size_t n = underscores(name);

		*out++ = n > 0 ? separators[n] :
				 (char)tolower((unsigned char)*name);
		name += MAX(n, 1);
	}
	*out = '\0';
	return key;
}

char *
environment_variable(char **environ, const char *key, const char *value)
{
	for (; *environ != NULL; environ++) {
		const char *equals = strchr(*environ, '=');
		char *name, *own;
		bool found;

		if (equals == NULL || strcmp(equals + 1, value) != 0)
			continue;
		name = slice_dup(
		    slice_of(*environ, (size_t)(equals - *environ)));
		own = environment_key(name);
		found = own != NULL && strcmp(own, key) == 0;
		free(own);
		if (found)
			return name;
		free(name);
	}
	return NULL;
}

static const char *
variable_of(char **environ, const char *prefix)
{
	for (; *environ != NULL; environ++)
		if (has_prefix(*environ, prefix))
			return *environ + strlen(prefix);
	return "";
}

char *
environment_jvm_property(char **environ, const char *name)
{
	static const char blanks[] = " \t\n";
	const char *at = variable_of(environ, "KAFKA_OPTS=");
	char *prefix = xasprintf("-D%s=", name), *value = NULL;

	while (*(at += strspn(at, blanks)) != '\0') {
		size_t len = strcspn(at, blanks);

		if (has_prefix(at, prefix)) {
			free(value);
			value = slice_dup(slice_of(at + strlen(prefix),
			    len - strlen(prefix)));
		}
		at += len;
	}
	free(prefix);
	return value;
}

const char *
environment_cluster_id(void)
{
	for (size_t i = 0; i < COUNT_OF(cluster_ids); i++) {
		const char *id = getenv(cluster_ids[i]);

		if (id != NULL && *id != '\0')
			return id;
	}
	return NULL;
}
