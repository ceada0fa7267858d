/*
 * The features of Kafka 4.3 and the versions of the metadata: what a cluster
 * of a release begins with, and what a level needs
 * (org.apache.kafka.server.common.Feature, MetadataVersion).  metadata.version
 * itself is no row of the table.
 */
#ifndef META_FEATURES_H
#define META_FEATURES_H

#include "base/base.h"

#define FEATURES_METADATA_VERSION "metadata.version"
#define FEATURES_KRAFT_VERSION "kraft.version"
#define FEATURES_ELR_VERSION "eligible.leader.replicas.version"

/* Levels begin at 0, which needs nothing. */
#define FEATURES_LEVEL_MAX 2

struct feature {
	const char *name;
	int16_t level_max;
	/* By level: the metadata.version from which on it is the default. */
	int16_t default_since[FEATURES_LEVEL_MAX + 1];
	/* By level: the metadata.version that it needs, 0 for none. */
	int16_t needs[FEATURES_LEVEL_MAX + 1];
};

/* All of them, in Kafka's order. */
const struct feature *features_all(size_t *count);

/* The feature of that name, or NULL. */
const struct feature *features_find(struct slice name);

/* The level that a new cluster at this metadata.version has. */
int16_t features_default(const struct feature *feature,
    int16_t metadata_version);

/* metadata.version: the lowest, the newest that is stable, the newest. */
#define FEATURES_METADATA_MIN 7
#define FEATURES_METADATA_STABLE 30
#define FEATURES_METADATA_MAX 31
/* The first one whose metadata may have SCRAM credentials: 3.5-IV2. */
#define FEATURES_METADATA_SCRAM 11

/* "4.3-IV0", or NULL where there is no such level. */
const char *features_metadata_name(int16_t level);

/*
 * The level that a release's name stands for: "4.3-IV0", or the last one of
 * "4.3" or "4.3.1".  -1 where it is above level_max or not known.
 */
int16_t features_metadata_find(const char *release, int16_t level_max);

#endif
