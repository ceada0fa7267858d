#include "cli/serve_options.h"

#include <getopt.h>
#include <stdio.h>

#include "cli/port.h"

enum {
	OPTION_OVERRIDE = 256,
	OPTION_DATA_DIR,
	OPTION_PORT,
	OPTION_PORT_FILE,
	OPTION_DEV,
	OPTION_CHECK_CONFIG,
	OPTION_LOG_FORMAT,
};

static const struct option long_options[] = {
	{ "override", required_argument, NULL, OPTION_OVERRIDE },
	{ "data-dir", required_argument, NULL, OPTION_DATA_DIR },
	{ "port", required_argument, NULL, OPTION_PORT },
	{ "port-file", required_argument, NULL, OPTION_PORT_FILE },
	{ "dev", no_argument, NULL, OPTION_DEV },
	{ "check-config", no_argument, NULL, OPTION_CHECK_CONFIG },
	{ "log-format", required_argument, NULL, OPTION_LOG_FORMAT },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

const char *
serve_options_help(void)
{
	return "usage: klamm serve [server.properties] [options]\n"
	       "\n"
	       "  --override KEY=VALUE  set a configuration key; may be "
	       "repeated\n"
	       "  --data-dir DIR        keep data in DIR (log.dirs)\n"
	       "  --port N              listen on localhost:N; 0 takes a free "
	       "port\n"
	       "  --port-file FILE      write the port to FILE once serving\n"
	       "  --dev                 settings for development and tests\n"
	       "  --log-format FORMAT   text (default) or json\n"
	       "  --check-config        read the configuration, say what is "
	       "wrong, exit\n"
	       "  -h, --help            this text\n"
	       "\n"
	       "Environment variables KAFKA_* and KAFKA_CFG_* set "
	       "configuration keys as in\n"
	       "Kafka's container images.  Precedence: --override, "
	       "environment, file.\n";
}

static int
parse_port(const char *text, int *port)
{
	if (port_parse(text, port) == 0)
		return 0;
	fprintf(stderr, "klamm: --port %s: not a port\n", text);
	return -1;
}

static int
parse_log_format(const char *text, enum log_format *format)
{
	if (strcmp(text, "text") == 0)
		*format = LOG_FORMAT_TEXT;
	else if (strcmp(text, "json") == 0)
		*format = LOG_FORMAT_JSON;
	else {
		fprintf(stderr, "klamm: --log-format %s: text or json\n",
		    text);
		return -1;
	}
	return 0;
}

static int
add_override(struct serve_options *options, const char *text)
{
	const char *equals = strchr(text, '=');

	if (equals == NULL || equals == text) {
		fprintf(stderr, "klamm: --override %s: not KEY=VALUE\n", text);
		return -1;
	}
	options->overrides = xrealloc(options->overrides,
	    (options->overrides_count + 1) * sizeof(*options->overrides));
	options->overrides[options->overrides_count++] = text;
	return 0;
}

static int
take_option(struct serve_options *options, int option, const char *argument)
{
	switch (option) {
	case OPTION_OVERRIDE:
		return add_override(options, argument);
	case OPTION_DATA_DIR:
		options->data_dir = argument;
		return 0;
	case OPTION_PORT:
		return parse_port(argument, &options->port);
	case OPTION_PORT_FILE:
		options->port_file = argument;
		return 0;
	case OPTION_DEV:
		options->dev = true;
		return 0;
	case OPTION_CHECK_CONFIG:
		options->check_config = true;
		return 0;
	case OPTION_LOG_FORMAT:
		return parse_log_format(argument, &options->log_format);
	case 'h':
		options->help = true;
		return 0;
	default:
		return -1;	/* getopt has said why */
	}
}

int
serve_options_parse(struct serve_options *options, int argc, char **argv)
{
	int option;

	*options = (struct serve_options){ .port = -1 };
	optind = 1;
	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) !=
	    -1)
		if (take_option(options, option, optarg) != 0)
			return -1;
	if (argc - optind > 1) {
		fprintf(stderr, "klamm: one properties file, not several\n");
		return -1;
	}
	if (optind < argc)
		options->properties_path = argv[optind];
	return 0;
}

void
serve_options_fini(struct serve_options *options)
{
	free(options->overrides);
	options->overrides = NULL;
}
