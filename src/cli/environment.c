#include "cli/environment.h"

#include <ctype.h>

static const char *const not_configuration[] = {
	"KAFKA_CLUSTER_ID",
	"KAFKA_DEBUG",
	"KAFKA_GC_LOG_OPTS",
	"KAFKA_HEAP_OPTS",
	"KAFKA_HOME",
	"KAFKA_JMX_HOSTNAME",
	"KAFKA_JMX_OPTS",
	"KAFKA_JMX_PORT",
	"KAFKA_JVM_PERFORMANCE_OPTS",
	"KAFKA_KRAFT_CLUSTER_ID",
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
is_configuration(const char *variable)
{
	if (!has_prefix(variable, "KAFKA_") ||
	    strstr(variable, "LOG4J") != NULL)
		return false;
	for (size_t i = 0; i < COUNT_OF(not_configuration); i++)
		if (strcmp(variable, not_configuration[i]) == 0)
			return false;
	return true;
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
