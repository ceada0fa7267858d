#include "meta/features.h"

static const struct feature features[] = {
	{ FEATURES_KRAFT_VERSION, 1, { 7, 21 }, { 0 } },
	{ "transaction.version", 2, { 7, 24, 24 }, { 0 } },
	{ "group.version", 1, { 7, 22 }, { 0 } },
	{ FEATURES_ELR_VERSION, 1, { 7, 26 }, { 0, 23 } },
	{ "share.version", 1, { 7, 28 }, { 0 } },
	{ "streams.version", 1, { 7, 29 }, { 0 } },
};

/* By level, from FEATURES_METADATA_MIN on. */
static const char *const metadata_versions[] = {
	"3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0",
	"3.6-IV1", "3.6-IV2", "3.7-IV0", "3.7-IV1", "3.7-IV2", "3.7-IV3",
	"3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2",
	"4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0",
	"4.4-IV0",
};

const struct feature *
features_all(size_t *count)
{
	*count = COUNT_OF(features);
	return features;
}

const struct feature *
features_find(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(features); i++)
		if (slice_equal_str(name, features[i].name))
			return &features[i];
	return NULL;
}

int16_t
features_default(const struct feature *feature, int16_t metadata_version)
{
	int16_t level = 0;

	while (level < feature->level_max &&
	    feature->default_since[level + 1] <= metadata_version)
		level++;
	return level;
}

const char *
features_metadata_name(int16_t level)
{
	assert(COUNT_OF(metadata_versions) ==
	    FEATURES_METADATA_MAX - FEATURES_METADATA_MIN + 1);
	if (level < FEATURES_METADATA_MIN || level > FEATURES_METADATA_MAX)
		return NULL;
	return metadata_versions[level - FEATURES_METADATA_MIN];
}

/* The part in front of the second dot: patch releases do not count. */
static struct slice
without_patch(const char *release)
{
	const char *dot = strchr(release, '.');

	if (dot != NULL)
		dot = strchr(dot + 1, '.');
	return dot == NULL ? slice_str(release)
			   : slice_of(release, (size_t)(dot - release));
}

int16_t
features_metadata_find(const char *release, int16_t level_max)
{
	struct slice wanted = without_patch(release);

	for (int16_t level = level_max; level >= FEATURES_METADATA_MIN;
	    level--) {
		const char *name = features_metadata_name(level);
		size_t release_len = (size_t)(strchr(name, '-') - name);

		if (slice_equal_str(wanted, name) ||
		    slice_equal(wanted, slice_of(name, release_len)))
			return level;
	}
	return -1;
}
