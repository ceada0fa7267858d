#include "cli/storage.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/rng.h"
#include "base/uuid.h"
#include "cli/command.h"
#include "cli/confinement.h"
#include "cli/exit_code.h"
#include "meta/features.h"

static const char help[] =
    "usage: klamm storage COMMAND [options]\n"
    "\n"
    "  format -c FILE -t CLUSTER_ID\n"
    "      make the empty log.dirs of a properties file those of a cluster\n"
    "      -c, --config FILE             the properties file\n"
    "      -t, --cluster-id CLUSTER_ID   random-uuid makes one\n"
    "      -s, --standalone              with this node as its only voter\n"
    "      -I, --initial-controllers ID@HOST:PORT:DIRECTORY-ID\n"
    "                                    the same, with these words for it\n"
    "      -N, --no-initial-controllers  without voters\n"
    "      -r, --release-version RELEASE features of a new cluster of RELEASE\n"
    "      -f, --feature NAME=LEVEL      but this one at LEVEL; may be "
    "repeated\n"
    "      -S, --add-scram MECHANISM=[name=NAME,password=PASSWORD]\n"
    "                                    with this user; may be repeated\n"
    "      -g, --ignore-formatted        leave alone what is formatted\n"
    "  info -c FILE                      say whose the log.dirs are\n"
    "  version-mapping [-r RELEASE]      the features of a release\n"
    "  feature-dependencies -f NAME=LEVEL...\n"
    "                                    what a level of a feature needs\n"
    "  random-uuid                       an id for a new cluster\n"
    "\n"
    "  -h, --help                        this text\n"
    "\n"
    "Options and output are those of Apache Kafka's kafka-storage.sh.\n";

int
storage_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return EXIT_FAILED;
}

int
storage_usage(const char *format, ...)
{
	va_list arguments;

	fputs("klamm: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs(" (klamm storage --help)\n", stderr);
	return EXIT_USAGE;
}

int
storage_configuration(struct configuration *configuration, const char *path)
{
	struct serve_options options = { .properties_path = path, .port = -1 };
	char *nothing[] = { NULL };

	return configuration_load(configuration, &options, nothing);
}

int
storage_parse_level(struct slice text, int16_t *level)
{
	char *copy = slice_dup(text), *end;
	long value;
	int result = -1;

	errno = 0;
	value = strtol(copy, &end, 10);
	if (errno == 0 && end != copy && *end == '\0' && value >= INT16_MIN &&
	    value <= INT16_MAX) {
		*level = (int16_t)value;
		result = 0;
	}
	free(copy);
	return result;
}

int
storage_unknown_release(const char *release, int16_t level_max)
{
	fprintf(stderr,
	    "Unknown metadata.version '%s'. Supported metadata.version are: ",
	    release);
	for (int16_t level = FEATURES_METADATA_MIN; level <= level_max;
	    level++)
		fprintf(stderr, "%s%s", features_metadata_name(level),
		    level < level_max ? ", " : "\n");
	return EXIT_FAILED;
}

size_t *
storage_directory_order(const struct data_directories *directories)
{
	size_t *order = xcalloc(directories->count, sizeof(*order));

	for (size_t i = 0; i < directories->count; i++) {
		size_t at = i;

		for (; at > 0 && strcmp(directories->paths[order[at - 1]],
				     directories->paths[i]) > 0;
		    at--)
			order[at] = order[at - 1];
		order[at] = i;
	}
	return order;
}

static int
storage_random_uuid(int argc, char **argv UNUSED)
{
	char text[UUID_TEXT_LEN + 1];
	struct rng rng;

	if (argc > 1)
		return storage_usage("random-uuid takes no arguments");
	rng_init_random(&rng);
	uuid_format(uuid_random(&rng), text);
	puts(text);
	return EXIT_OK;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} subcommands[] = {
	{ "format", storage_format },
	{ "info", storage_info },
	{ "version-mapping", storage_version_mapping },
	{ "feature-dependencies", storage_feature_dependencies },
	{ "random-uuid", storage_random_uuid },
};

static int
print_help(FILE *out, int code)
{
	fputs(help, out);
	return code;
}

static int
run(int argc, char **argv)
{
	if (argc < 2)
		return print_help(stderr, EXIT_USAGE);
	confinement_files();
	confinement_memory(false);
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 ||
		    strcmp(argv[i], "-h") == 0)
			return print_help(stdout, EXIT_OK);
	for (size_t i = 0; i < COUNT_OF(subcommands); i++)
		if (strcmp(argv[1], subcommands[i].name) == 0) {
			argv[1] = argv[0];
			return subcommands[i].run(argc - 1, argv + 1);
		}
	return storage_usage("there is no command storage %s", argv[1]);
}

const struct command storage_command = {
	.name = "storage",
	.summary = "format and describe data directories",
	.run = run,
};
