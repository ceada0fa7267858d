/*
 * Data directories: where the logs are, and which of the directories holds
 * the metadata log, from log.dirs, log.dir and metadata.log.dir.
 */
#ifndef CLI_DATA_DIRECTORIES_H
#define CLI_DATA_DIRECTORIES_H

#include "base/base.h"

struct configs;

struct data_directories {
	char **paths;			/* owned */
	size_t count;
	size_t metadata;		/* index of metadata.log.dir */
};

/* -1 with a line on standard error where metadata.log.dir is none of them. */
int data_directories_read(struct data_directories *directories,
    const struct configs *configs) WARN_UNUSED;
void data_directories_fini(struct data_directories *directories);

#endif
