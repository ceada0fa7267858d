/*
 * Group image: what coordinators of groups need to know of the cluster's
 * metadata, under a lock of its own.
 *
 * The metadata image's lock is taken before a shard's and is not to be held
 * while something is appended; but what a consumer group makes of topics
 * depends on what the shard's lock guards.  So this keeps references to all
 * topics, and the settings that groups have of their own, as of the last
 * delta.  Its lock is a leaf.
 *
 * Thread: any.
 */
#ifndef COORD_GROUP_IMAGE_H
#define COORD_GROUP_IMAGE_H

#include "base/base.h"
#include "base/uuid.h"
#include "coord/group_settings.h"
#include "coord/topics_hash.h"

struct delta;
struct group_image;
struct topic_image;

/* Without topics; settings outlives it. */
struct group_image *group_image_new(const struct group_settings *settings);
void group_image_free(struct group_image *image);

/* The controller's thread: take over what has changed. */
void group_image_apply(struct group_image *image, const struct delta *delta);

/*
 * The finalized levels of group.version, of streams.version and of
 * share.version.
 */
int16_t group_image_version(const struct group_image *image);
int16_t group_image_streams_version(const struct group_image *image);
int16_t group_image_share_version(const struct group_image *image);

/* The topic with a reference for the caller, or NULL. */
const struct topic_image *group_image_topic(
    struct group_image *image, struct slice name) WARN_UNUSED;
const struct topic_image *group_image_topic_by_id(
    struct group_image *image, struct uuid id) WARN_UNUSED;

/*
 * A hash of topics, which topics_hash_end ends: begin, and add those that exist
 * in the order of their names.
 */
void group_image_hash_begin(
    struct group_image *image, struct topics_hash *hash);
void group_image_hash_add(struct group_image *image, struct topics_hash *hash,
    const struct topic_image *topic);

/* All topics, each with a reference; the caller frees the array. */
const struct topic_image **group_image_topics(
    struct group_image *image, size_t *count) WARN_UNUSED;

/* It grows when topics are created: what names match has to be seen anew. */
uint64_t group_image_topics_version(const struct group_image *image);

/* What applies to one group, its own settings between the broker's bounds. */
struct group_timing {
	int32_t session_timeout_ms;
	int32_t heartbeat_interval_ms;
	int32_t assignment_interval_ms;
};

struct group_timing group_image_timing(
    struct group_image *image, struct slice group_id);

/* The same of a share group. */
struct group_timing group_image_share_timing(
    struct group_image *image, struct slice group_id);

/* The same of a streams group. */
struct streams_timing {
	int32_t session_timeout_ms;
	int32_t heartbeat_interval_ms;
	int32_t assignment_interval_ms;
	int32_t rebalance_delay_ms;
	int32_t standby_replicas;
};

struct streams_timing group_image_streams_timing(
    struct group_image *image, struct slice group_id);

/* It grows when what applies to a group may have changed. */
uint64_t group_image_timing_version(const struct group_image *image);

/* The broker's own settings have changed. */
void group_image_timing_changed(struct group_image *image);

#endif
