/*
 * Configuration from the environment, as Kafka's container images map it:
 * KAFKA_LOG_DIRS or KAFKA_CFG_LOG_DIRS is log.dirs; "_" stands for ".", "__"
 * for "_" and "___" for "-".
 */
#ifndef CLI_ENVIRONMENT_H
#define CLI_ENVIRONMENT_H

#include "base/base.h"

/*
 * The configuration key that the variable name stands for, on the heap, or
 * NULL where it stands for none: another prefix, or one of the variables that
 * steer Kafka's scripts and image (KAFKA_HOME, KAFKA_HEAP_OPTS, ...).
 */
char *environment_key(const char *variable);

/*
 * The name of the variable in environ that gives the key this value, on the
 * heap, or NULL where there is none: the value comes from elsewhere.
 */
char *environment_variable(char **environ, const char *key,
    const char *value);

/*
 * The value, on the heap, that a -D in KAFKA_OPTS, which Kafka's scripts give
 * to the JVM, sets a system property to: the last one counts, and blanks part
 * arguments, since no shell reads quotes in a variable.  NULL: none does.
 */
char *environment_jvm_property(char **environ, const char *name);

/*
 * The cluster that a new data directory is to belong to, from CLUSTER_ID,
 * KAFKA_CLUSTER_ID or KAFKA_KRAFT_CLUSTER_ID, or NULL.  An empty variable
 * counts as none.
 */
const char *environment_cluster_id(void);

#endif
