/*
 * `klamm storage`: kafka-storage.sh (kafka.tools.StorageTool) as far as a
 * cluster of one needs it, with its options and output.
 *
 * A message that Kafka puts into a stack trace is a line of ours.
 */
#ifndef CLI_STORAGE_H
#define CLI_STORAGE_H

#include "base/base.h"
#include "cli/configuration.h"

/* argv[0] is klamm.  All return the exit code of the program. */
int storage_format(int argc, char **argv);
int storage_info(int argc, char **argv);
int storage_version_mapping(int argc, char **argv);
int storage_feature_dependencies(int argc, char **argv);

/*
 * Read the properties file, and nothing else: as Kafka's tool this one does
 * not look at the environment.  -1 with a line on standard error.
 */
int storage_configuration(struct configuration *configuration,
    const char *path) WARN_UNUSED;

/* Say on standard error why it cannot be done; the result is EXIT_FAILED. */
int storage_fail(const char *format, ...) PRINTF_LIKE(1, 2);

/* The same for arguments that are not understood: EXIT_USAGE. */
int storage_usage(const char *format, ...) PRINTF_LIKE(1, 2);

/* A feature's level as Kafka reads numbers; -1 where it is none. */
int storage_parse_level(struct slice text, int16_t *level) WARN_UNUSED;

/*
 * "Unknown metadata.version …", which lists those up to level_max: the result
 * is EXIT_FAILED.
 */
int storage_unknown_release(const char *release, int16_t level_max);

/* The indexes of a configuration's directories in the order of their paths. */
size_t *storage_directory_order(const struct data_directories *directories);

#endif
