/*
 * Configuration: all that the static configuration says, read and checked
 * before anything is opened.  What is wrong with it is said on standard error,
 * a line each.
 */
#ifndef CLI_CONFIGURATION_H
#define CLI_CONFIGURATION_H

#include "auth/sasl.h"
#include "base/arena.h"
#include "base/properties.h"
#include "cli/data_directories.h"
#include "cli/listener_addresses.h"
#include "cli/serve_options.h"
#include "cli/tls_stores.h"
#include "meta/config_set.h"

struct principal_rules;
struct tls_config;
struct tls_context;

struct configuration {
	struct properties properties;
	struct listener_addresses listeners;
	/* Of the listeners, in their order; zeroed where none is needed. */
	struct sasl_settings *sasl;
	struct tls_config *tls_configs;
	struct tls_context **tls;	/* NULL where none is needed */
	struct principal_rules **rules;	/* the same */
	struct tls_stores stores;	/* of them all */
	struct arena arena;		/* the texts of these */
	struct data_directories directories;
	const struct config_set *set;	/* the properties */
	int32_t node_id;
};

/*
 * From options and environ ("NAME=value" strings, ended by NULL).  -1 where it
 * is refused; configuration_fini is due either way.  A key that nobody knows
 * gets a line, but is no reason to refuse.
 */
int configuration_load(struct configuration *configuration,
    const struct serve_options *options, char **environ) WARN_UNUSED;

/*
 * Read again what can be while the broker serves: the files that listeners
 * speak TLS with.  Any thread.
 */
void configuration_reload(struct configuration *configuration);

void configuration_fini(struct configuration *configuration);

#endif
