/*
 * Format: makes empty data directories those of a cluster, and tells whose
 * directories are there (kafka-storage.sh format --standalone of Kafka).
 *
 * What is written: meta.properties and bootstrap.checkpoint in every log
 * directory, and __cluster_metadata-0/00000000000000000000-0000000000
 * .checkpoint with KRaftVersion 1 and the one voter in the metadata
 * directory.  meta.properties is written last, so that a directory which
 * has it is whole; one that has only the others is formatted anew.
 */
#ifndef META_FORMAT_H
#define META_FORMAT_H

#include "base/base.h"
#include "base/rng.h"
#include "base/uuid.h"

struct disk;
struct kp_user_scram_credential_record;

/* A feature's level in bootstrap.checkpoint. */
struct format_feature {
	const char *name;
	int16_t level;
};

struct format_settings {
	struct disk *disk;
	const char *const *dirs;	/* log.dirs */
	size_t dirs_count;
	size_t metadata_dir;		/* index of metadata.log.dir */
	int32_t node_id;
	const char *cluster_id;		/* wanted; NULL: any, random if new */
	struct rng *rng;
	/*
	 * What bootstrap.checkpoint has, metadata.version first; NULL: what a
	 * cluster of ours begins with.
	 */
	const struct format_feature *features;
	size_t features_count;
	/* The users that there are from the beginning. */
	const struct kp_user_scram_credential_record *scram;
	size_t scram_count;
	/* What metadata_dir gets where it has none; zero: a random one. */
	struct uuid metadata_dir_id;
	/* The voter is in controller.quorum.voters, so none is written. */
	bool static_quorum;
	/* The controller listener that is written for the voter. */
	const char *controller_listener;
	const char *controller_host;
	uint16_t controller_port;
	/*
	 * A directory whose disk does not answer is left out, unless it is the
	 * metadata's, instead of ending in an error.
	 */
	bool tolerant;
};

struct format_result {
	char *cluster_id;		/* owned */
	struct uuid *directory_ids;	/* owned; one a directory */
	bool *left_out;			/* owned; likewise */
	bool formatted;			/* it was empty, and is ours now */
};

/*
 * Format what is empty, check what is not.  Directories that do not exist
 * are made.  What is formatted is locked meanwhile, so that of two first starts
 * one waits for nothing and is refused.  -1 with one line in the log where a
 * directory is not ours: files but no meta.properties, another node's or
 * cluster's, directories that disagree, or one that is in use.
 */
int format_ensure(const struct format_settings *settings,
    struct format_result *result) WARN_UNUSED;
void format_result_fini(struct format_result *result);

#endif
