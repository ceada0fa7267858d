/*
 * Data directories: where the logs are, and which directory holds the metadata
 * log, from log.dirs, log.dir and metadata.log.dir.
 */
#ifndef CLI_DATA_DIRECTORIES_H
#define CLI_DATA_DIRECTORIES_H

#include "base/base.h"
#include "base/properties.h"

struct data_directories {
	char **paths;			/* owned, absolute; log.dirs first */
	size_t count;
	size_t logs_count;		/* those of log.dirs */
	size_t metadata;		/* may be the one behind them */
};

/* -1 with a line on standard error where there is no directory. */
int data_directories_read(struct data_directories *directories,
    const struct properties *properties) WARN_UNUSED;
void data_directories_fini(struct data_directories *directories);

#endif
