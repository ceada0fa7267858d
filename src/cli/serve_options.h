/*
 * The command line of `klamm serve`.
 */
#ifndef CLI_SERVE_OPTIONS_H
#define CLI_SERVE_OPTIONS_H

#include "base/base.h"
#include "base/log.h"

struct serve_options {
	const char *properties_path;	/* NULL: none given */
	const char **overrides;		/* "key=value", in order given */
	size_t overrides_count;
	const char *data_dir;		/* NULL: from the configuration */
	const char *port_file;		/* NULL: none */
	int port;			/* -1: from the configuration */
	enum log_format log_format;
	bool dev;
	bool check_config;
	bool help;
};

/*
 * Read the arguments behind "serve".  Strings are borrowed from argv.  -1 with
 * a line on standard error where they are not understood.
 */
int serve_options_parse(struct serve_options *options, int argc, char **argv)
    WARN_UNUSED;
void serve_options_fini(struct serve_options *options);

/* What --help prints for `klamm serve`. */
const char *serve_options_help(void);

#endif
