/*
 * `klamm storage version-mapping` and `feature-dependencies`: facts about
 * features, of all releases that Kafka 4.3.1 knows.
 */
#include <getopt.h>
#include <stdio.h>

#include "base/slice.h"
#include "cli/exit_code.h"
#include "cli/storage.h"
#include "meta/features.h"

static int
print_mapping(const char *release)
{
	int16_t level =
	    features_metadata_find(release, FEATURES_METADATA_MAX);
	size_t count;
	const struct feature *features = features_all(&count);

	if (level < 0)
		return storage_unknown_release(release, FEATURES_METADATA_MAX);
	printf("metadata.version=%d (%s)\n", level, release);
	for (size_t i = 0; i < count; i++)
		printf("%s=%d\n", features[i].name,
		    features_default(&features[i], level));
	return EXIT_OK;
}

int
storage_version_mapping(int argc, char **argv)
{
	static const struct option options[] = {
		{ "release-version", required_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	const char *release =
	    features_metadata_name(FEATURES_METADATA_STABLE);
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "r:", options, NULL)) != -1) {
		if (option != 'r')
			return EXIT_USAGE;
		release = optarg;
	}
	if (optind < argc)
		return storage_usage("%s: not an option", argv[optind]);
	return print_mapping(release);
}

static int
print_needs(const struct feature *feature, int16_t level)
{
	int16_t needs;

	if (level < 0 || level > feature->level_max)
		return storage_fail("Feature level %d is not supported for "
		    "feature %s", level, feature->name);
	needs = feature->needs[level];
	if (needs == 0)
		printf("%s=%d has no dependencies.\n", feature->name, level);
	else
		printf("%s=%d requires:\n    metadata.version=%d (%s)\n",
		    feature->name, level, needs,
		    features_metadata_name(needs));
	return EXIT_OK;
}

static int
print_dependencies(const char *argument)
{
	struct slice name = slice_str(argument), text;
	const char *equals = strchr(argument, '=');
	const struct feature *feature;
	int16_t level;

	if (equals == NULL)
		return storage_fail("Invalid feature format: %s. Expected "
		    "format: 'feature=version' (e.g. 'group.version=1')",
		    argument);
	name = slice_trim(slice_of(argument, (size_t)(equals - argument)));
	text = slice_trim(slice_str(equals + 1));
	if (storage_parse_level(text, &level) != 0)
		return storage_fail("Invalid version format: %.*s for feature "
		    "%.*s", SLICE_ARG(text), SLICE_ARG(name));
	if (slice_equal_str(name, FEATURES_METADATA_VERSION)) {
		if (features_metadata_name(level) == NULL)
			return storage_fail("Unknown metadata.version %d",
			    level);
		printf("metadata.version=%d (%s) has no dependencies.\n",
		    level, features_metadata_name(level));
		return EXIT_OK;
	}
	feature = features_find(name);
	if (feature == NULL)
		return storage_fail("Unknown feature: %.*s", SLICE_ARG(name));
	return print_needs(feature, level);
}

int
storage_feature_dependencies(int argc, char **argv)
{
	static const struct option options[] = {
		{ "feature", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	const char **features = xcalloc((size_t)argc, sizeof(*features));
	int count = 0, result = EXIT_OK, option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "f:", options, NULL)) == 'f')
		features[count++] = optarg;
	if (option != -1)
		result = EXIT_USAGE;
	else if (optind < argc)
		result = storage_usage("%s: not an option", argv[optind]);
	else if (count == 0)
		result = storage_usage("--feature is missing");
	for (int i = 0; i < count && result == EXIT_OK; i++)
		result = print_dependencies(features[i]);
	free(features);
	return result;
}
