/*
 * `klamm storage format` (org.apache.kafka.metadata.storage.Formatter).
 *
 * What is written is meta/format.h's.  Other than Kafka it refuses a directory
 * with files but without meta.properties, and a metadata directory that is
 * empty beside others that are in use: there a disk is not mounted.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rng.h"
#include "base/slice.h"
#include "cli/exit_code.h"
#include "cli/storage.h"
#include "cli/storage_scram.h"
#include "cli/storage_voter.h"
#include "meta/features.h"
#include "meta/format.h"
#include "store/disk_posix.h"
#include "store/meta_properties.h"

/* One for each feature, and metadata.version. */
#define LEVELS_MAX 16

struct options {
	const char *config;
	const char *cluster_id;
	const char *release;
	const char **features;	/* owned array, "NAME=LEVEL" */
	size_t features_count;
	const char **scram;	/* owned array, arguments of --add-scram */
	size_t scram_count;
	const char *initial_controllers;
	bool ignore_formatted;
	bool standalone;
	bool no_initial_controllers;
};

/* The levels of the features of the new cluster. */
struct levels {
	int16_t metadata_version;
	int16_t level[LEVELS_MAX];	/* in the order of features_all */
	bool given[LEVELS_MAX];
	bool metadata_version_given;
};

/* --- Options ------------------------------------------------------------- */

static int
take_option(struct options *options, int option, const char *argument)
{
	switch (option) {
	case 'c':
		options->config = argument;
		return EXIT_OK;
	case 't':
		options->cluster_id = argument;
		return EXIT_OK;
	case 'r':
		options->release = argument;
		return EXIT_OK;
	case 'f':
		options->features[options->features_count++] = argument;
		return EXIT_OK;
	case 'g':
		options->ignore_formatted = true;
		return EXIT_OK;
	case 's':
		options->standalone = true;
		return EXIT_OK;
	case 'N':
		options->no_initial_controllers = true;
		return EXIT_OK;
	case 'I':
		options->initial_controllers = argument;
		return EXIT_OK;
	case 'S':
		options->scram[options->scram_count++] = argument;
		return EXIT_OK;
	default:
		return EXIT_USAGE;	/* getopt has said why */
	}
}

static int
parse(struct options *options, int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "cluster-id", required_argument, NULL, 't' },
		{ "add-scram", required_argument, NULL, 'S' },
		{ "ignore-formatted", no_argument, NULL, 'g' },
		{ "release-version", required_argument, NULL, 'r' },
		{ "feature", required_argument, NULL, 'f' },
		{ "standalone", no_argument, NULL, 's' },
		{ "no-initial-controllers", no_argument, NULL, 'N' },
		{ "initial-controllers", required_argument, NULL, 'I' },
		{ NULL, 0, NULL, 0 },
	};
	int option, result;

	memset(options, 0, sizeof(*options));
	options->features = xcalloc((size_t)argc, sizeof(char *));
	options->scram = xcalloc((size_t)argc, sizeof(char *));
	optind = 1;
	while ((option = getopt_long(argc, argv, "c:t:S:gr:f:sNI:",
		    long_options, NULL)) != -1) {
		result = take_option(options, option, optarg);
		if (result != EXIT_OK)
			return result;
	}
	if (optind < argc)
		return storage_usage("%s: not an option", argv[optind]);
	if (options->config == NULL)
		return storage_usage("--config is missing");
	if (options->cluster_id == NULL)
		return storage_usage("--cluster-id is missing");
	if (options->standalone + options->no_initial_controllers +
		(options->initial_controllers != NULL) > 1)
		return storage_usage("--standalone, --initial-controllers and "
		    "--no-initial-controllers exclude each other");
	return EXIT_OK;
}

/* --- The quorum ---------------------------------------------------------- */

/* Are the voters those of the configuration, for ever? */
static bool
is_static(const struct configuration *configuration)
{
	const char *voters = properties_get(&configuration->properties,
	    "controller.quorum.voters");

	return slice_trim(slice_str(voters)).len > 0;
}

/* Is a voter to be written? */
static bool
has_voter(const struct options *options)
{
	return options->standalone || options->initial_controllers != NULL;
}

static int
check_quorum(const struct options *options,
    const struct configuration *configuration)
{
	if (is_static(configuration) && has_voter(options))
		return storage_fail("You cannot specify "
		    "controller.quorum.voters and format the node with "
		    "--initial-controllers or --standalone. If you want to "
		    "use dynamic quorum, please remove "
		    "controller.quorum.voters and specify "
		    "controller.quorum.bootstrap.servers instead.");
	if (!is_static(configuration) && !has_voter(options) &&
	    !options->no_initial_controllers)
		return storage_fail("Because controller.quorum.voters is not "
		    "set on this controller, you must specify one of the "
		    "following: --standalone, --initial-controllers, or "
		    "--no-initial-controllers.");
	return EXIT_OK;
}

/* --- Features ------------------------------------------------------------ */

/* "eligible.leader.replicas.version, group.version, …" */
static int
fail_unsupported(struct slice name)
{
	return storage_fail("Unsupported feature: %.*s. Supported features "
	    "are: eligible.leader.replicas.version, group.version, "
	    "kraft.version, share.version, streams.version, "
	    "transaction.version", SLICE_ARG(name));
}

static int
take_feature(struct levels *levels, const char *argument)
{
	const char *equals = strchr(argument, '=');
	const struct feature *feature;
	struct slice name, text;
	int16_t level;
	size_t count;

	if (equals == NULL)
		return storage_fail("Can't parse feature=level string %s: "
		    "equals sign not found.", argument);
	name = slice_trim(slice_of(argument, (size_t)(equals - argument)));
	text = slice_trim(slice_str(equals + 1));
	if (storage_parse_level(text, &level) != 0)
		return storage_fail("Can't parse feature=level string %s: "
		    "unable to parse %.*s as a short.", argument,
		    SLICE_ARG(text));
	if (slice_equal_str(name, FEATURES_METADATA_VERSION)) {
		levels->metadata_version = level;
		levels->metadata_version_given = true;
		return EXIT_OK;
	}
	feature = features_find(name);
	if (feature == NULL)
		return fail_unsupported(name);
	levels->level[feature - features_all(&count)] = level;
	levels->given[feature - features_all(&count)] = true;
	return EXIT_OK;
}

static int
choose_metadata_version(struct levels *levels, const struct options *options)
{
	int16_t level = levels->metadata_version;

	if (levels->metadata_version_given && options->release != NULL)
		return storage_fail("Use --release-version instead of "
		    "--feature metadata.version=X to avoid ambiguity.");
	if (levels->metadata_version_given) {
		if (features_metadata_name(level) == NULL)
			return storage_fail("No MetadataVersion with feature "
			    "level %d. Valid feature levels are from %d to "
			    "%d.", level, FEATURES_METADATA_MIN,
			    FEATURES_METADATA_MAX);
		if (level > FEATURES_METADATA_STABLE)
			return storage_fail("metadata.version %s is not yet "
			    "stable.", features_metadata_name(level));
		return EXIT_OK;
	}
	levels->metadata_version = FEATURES_METADATA_STABLE;
	if (options->release == NULL)
		return EXIT_OK;
	levels->metadata_version = features_metadata_find(options->release,
	    FEATURES_METADATA_STABLE);
	return levels->metadata_version < 0
		   ? storage_unknown_release(options->release,
			 FEATURES_METADATA_STABLE)
		   : EXIT_OK;
}

/* kraft.version is no record: it says that the voters are records. */
static int
check_kraft_version(int16_t level, bool static_quorum)
{
	if (level == 0 && !static_quorum)
		return storage_fail("Cannot set kraft.version to 0 if "
		    "controller.quorum.voters is empty and one of the flags "
		    "--standalone, --initial-controllers, or "
		    "--no-initial-controllers is used. For dynamic "
		    "controllers support, try removing the --feature flag "
		    "for kraft.version.");
	if (level != 0 && static_quorum)
		return storage_fail("Cannot set kraft.version to %d unless "
		    "controller.quorum.voters is empty and one of the flags "
		    "--standalone, --initial-controllers, or "
		    "--no-initial-controllers is used. For dynamic "
		    "controllers support, try using one of --standalone, "
		    "--initial-controllers, or --no-initial-controllers and "
		    "removing controller.quorum.voters.", level);
	return EXIT_OK;
}

static int
choose_level(struct levels *levels, size_t index,
    const struct feature *feature, bool static_quorum)
{
	int16_t *level = &levels->level[index];

	if (strcmp(feature->name, FEATURES_KRAFT_VERSION) == 0) {
		if (!levels->given[index])
			*level = !static_quorum;
		if (check_kraft_version(*level, static_quorum) != EXIT_OK)
			return EXIT_FAILED;
	} else if (!levels->given[index]) {
		*level = features_default(feature, levels->metadata_version);
	}
	if (*level < 0 || *level > feature->level_max)
		return storage_fail("No feature:%s with feature level %d",
		    feature->name, *level);
	if (feature->needs[*level] > levels->metadata_version)
		return storage_fail("%s could not be set to %d because it "
		    "depends on metadata.version level %d", feature->name,
		    *level, feature->needs[*level]);
	return EXIT_OK;
}

static int
choose_levels(struct levels *levels, const struct options *options,
    bool static_quorum)
{
	size_t count;
	const struct feature *features = features_all(&count);
	int result = EXIT_OK;

	assert(count <= LEVELS_MAX);
	memset(levels, 0, sizeof(*levels));
	for (size_t i = 0; i < options->features_count && result == EXIT_OK;
	    i++)
		result = take_feature(levels, options->features[i]);
	if (result == EXIT_OK)
		result = choose_metadata_version(levels, options);
	for (size_t i = 0; i < count && result == EXIT_OK; i++)
		result = choose_level(levels, i, &features[i], static_quorum);
	return result;
}

static int
compare_features(const void *a, const void *b)
{
	const struct format_feature *left = a, *right = b;

	return strcmp(left->name, right->name);
}

/* What is recorded: metadata.version, then the others by name. */
static size_t
record_features(const struct levels *levels,
    struct format_feature records[LEVELS_MAX + 1])
{
	size_t count, recorded = 1;
	const struct feature *features = features_all(&count);

	records[0] = (struct format_feature){ FEATURES_METADATA_VERSION,
		levels->metadata_version };
	for (size_t i = 0; i < count; i++)
		if (levels->level[i] > 0 &&
		    strcmp(features[i].name, FEATURES_KRAFT_VERSION) != 0)
			records[recorded++] = (struct format_feature){
				features[i].name, levels->level[i] };
	qsort(records + 1, recorded - 1, sizeof(*records), compare_features);
	return recorded;
}

/* --- Directories --------------------------------------------------------- */

/* What Kafka checks, in its words, before anything is written. */
static int
check_directory(const struct format_settings *settings, const char *path,
    bool *formatted)
{
	struct meta_properties meta;
	char *why = NULL;
	int result = EXIT_OK;

	meta_properties_init(&meta);
	*formatted = meta_properties_read(&meta, settings->disk, path,
	    &why) == 0;
	if (!*formatted && errno != ENOENT)
		result = storage_fail("%s/%s cannot be used: %s", path,
		    META_PROPERTIES_FILE, why != NULL ? why : strerror(errno));
	else if (meta.cluster_id != NULL &&
	    strcmp(meta.cluster_id, settings->cluster_id) != 0)
		result = storage_fail("Invalid cluster.id in: "
		    "%s/%s. Expected %s, but read %s", path,
		    META_PROPERTIES_FILE, settings->cluster_id,
		    meta.cluster_id);
	else if (meta.node_id >= 0 && meta.node_id != settings->node_id)
		result = storage_fail("Stored node id %d doesn't match "
		    "previous node id %d in %s/%s. If you moved your data, "
		    "make sure your configured node id matches. If you intend "
		    "to create a new node, you should remove all data in your "
		    "data directories.", meta.node_id, settings->node_id, path,
		    META_PROPERTIES_FILE);
	free(why);
	meta_properties_fini(&meta);
	return result;
}

static void
print_bootstrap(const struct format_settings *settings)
{
	fputs("Bootstrap metadata: BootstrapMetadata(records=[", stdout);
	for (size_t i = 0; i < settings->features_count; i++)
		printf("%sApiMessageAndVersion(FeatureLevelRecord(name='%s', "
		       "featureLevel=%d) at version 0)",
		    i > 0 ? ", " : "", settings->features[i].name,
		    settings->features[i].level);
	for (size_t i = 0; i < settings->scram_count; i++) {
		fputs(", ", stdout);
		storage_scram_print(&settings->scram[i]);
	}
	printf("], metadataVersionLevel=%d, source=format command)\n",
	    settings->features[0].level);
}

static const char *
kind_of(const struct format_settings *settings, size_t index)
{
	if (index != settings->metadata_dir)
		return "data directory";
	return settings->static_quorum ? "metadata directory"
				       : "dynamic metadata voter directory";
}

static int
write_directories(const struct format_settings *settings,
    const bool *formatted)
{
	struct format_result result;
	int outcome;

	print_bootstrap(settings);
	for (size_t i = 0; i < settings->dirs_count; i++)
		if (!formatted[i])
			printf("Formatting %s %s with metadata.version %s.\n",
			    kind_of(settings, i), settings->dirs[i],
			    features_metadata_name(
				settings->features[0].level));
	fflush(stdout);
	/* Its messages, as all, go to standard error. */
	log_set_output(STDERR_FILENO);
	log_set_level(LOG_ERROR);
	outcome = format_ensure(settings, &result);
	format_result_fini(&result);
	return outcome == 0 ? EXIT_OK : EXIT_FAILED;
}

static int
format_directories(const struct format_settings *settings,
    bool ignore_formatted)
{
	bool *formatted = xcalloc(settings->dirs_count, sizeof(*formatted));
	size_t empty = 0, first = settings->dirs_count;
	int result = EXIT_OK;

	for (size_t i = 0; i < settings->dirs_count && result == EXIT_OK;
	    i++) {
		result = check_directory(settings, settings->dirs[i],
		    &formatted[i]);
		empty += !formatted[i];
		if (formatted[i] && first == settings->dirs_count)
			first = i;
	}
	if (result != EXIT_OK)
		;	/* It was said. */
	else if (!ignore_formatted && first < settings->dirs_count)
		result = storage_fail("Log directory %s is already formatted. "
		    "Use --ignore-formatted to ignore this directory and "
		    "format the others.", settings->dirs[first]);
	else if (empty == 0)
		puts("All of the log directories are already formatted.");
	else
		result = write_directories(settings, formatted);
	free(formatted);
	return result;
}

/* --- All ----------------------------------------------------------------- */

static int
parse_scram(const struct options *options, const struct levels *levels,
    struct rng *rng, struct arena *arena,
    struct kp_user_scram_credential_record *records)
{
	int result = EXIT_OK;

	for (size_t i = 0; i < options->scram_count && result == EXIT_OK; i++)
		result = storage_scram_parse(options->scram[i], rng, arena,
		    &records[i]);
	if (result == EXIT_OK && options->scram_count > 0 &&
	    levels->metadata_version < FEATURES_METADATA_SCRAM)
		result = storage_fail("SCRAM is only supported in "
		    "metadata.version %s or later.",
		    features_metadata_name(FEATURES_METADATA_SCRAM));
	return result;
}

static int
format_with(const struct options *options,
    const struct configuration *configuration, const struct levels *levels)
{
	const struct data_directories *directories =
	    &configuration->directories;
	size_t *order = storage_directory_order(directories);
	const char **paths = xcalloc(directories->count, sizeof(*paths));
	struct kp_user_scram_credential_record *scram =
	    xcalloc(options->scram_count, sizeof(*scram));
	struct format_feature features[LEVELS_MAX + 1];
	struct storage_voter voter;
	struct arena arena;
	struct rng rng;
	struct format_settings settings = {
		.disk = disk_posix(),
		.dirs = paths,
		.dirs_count = directories->count,
		.node_id = configuration->node_id,
		.cluster_id = options->cluster_id,
		.rng = &rng,
		.features = features,
		.features_count = record_features(levels, features),
		.scram = scram,
		.scram_count = options->scram_count,
		.static_quorum = !has_voter(options),
	};
	int result;

	for (size_t i = 0; i < directories->count; i++) {
		paths[i] = directories->paths[order[i]];
		if (order[i] == directories->metadata)
			settings.metadata_dir = i;
	}
	arena_init(&arena, SIZE_MAX);
	rng_init_random(&rng);
	storage_voter_configured(&voter, &configuration->properties);
	result = parse_scram(options, levels, &rng, &arena, scram);
	if (result == EXIT_OK && options->initial_controllers != NULL)
		result = storage_voter_parse(&voter,
		    options->initial_controllers, configuration->node_id);
	settings.controller_listener = voter.listener;
	settings.controller_host = voter.host;
	settings.controller_port = voter.port;
	settings.metadata_dir_id = voter.directory_id;
	if (result == EXIT_OK)
		result = format_directories(&settings,
		    options->ignore_formatted);
	storage_voter_fini(&voter);
	arena_reset(&arena);
	free(scram);
	free(paths);
	free(order);
	return result;
}

int
storage_format(int argc, char **argv)
{
	struct configuration configuration;
	struct options options;
	struct levels levels;
	int result = parse(&options, argc, argv);

	if (result == EXIT_OK) {
		result = EXIT_FAILED;
		if (storage_configuration(&configuration, options.config) == 0)
			result = check_quorum(&options, &configuration);
		if (result == EXIT_OK)
			result = choose_levels(&levels, &options,
			    is_static(&configuration));
		if (result == EXIT_OK)
			result = format_with(&options, &configuration,
			    &levels);
		configuration_fini(&configuration);
	}
	free(options.features);
	free(options.scram);
	return result;
}
