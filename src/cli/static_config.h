/*
 * The static configuration: what the properties file, the environment and the
 * command line say together, before any key is looked at.
 *
 * Precedence: --override, the other options, environment, file.  Keys that say
 * where we are get their defaults here, all others are Kafka's
 * (meta/config_keys.h).
 * Without a file klamm serves on localhost:9092 from ./klamm-data; with one, or
 * where it is told what to advertise, on all addresses, as Kafka does.
 */
#ifndef CLI_STATIC_CONFIG_H
#define CLI_STATIC_CONFIG_H

#include "base/properties.h"
#include "cli/serve_options.h"

/*
 * Fill properties from options and environ ("NAME=value" strings, ended by
 * NULL).  -1 with a line on standard error where the file cannot be read or
 * parsed.
 */
int static_config_load(struct properties *properties,
    const struct serve_options *options, char **environ) WARN_UNUSED;

#endif
