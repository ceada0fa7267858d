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

#endif
