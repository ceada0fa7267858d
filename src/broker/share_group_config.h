/*
 * The configuration of a share group, as it counts now: the group's own
 * values, else the broker's, kept between the broker's bounds (GroupConfig,
 * ShareGroupConfigProvider of Kafka).
 */
#ifndef BROKER_SHARE_GROUP_CONFIG_H
#define BROKER_SHARE_GROUP_CONFIG_H

#include "base/base.h"
#include "broker/partition.h"
#include "broker/share_partition.h"

struct configs;
struct image;

/* share.auto.offset.reset: where a share partition begins at first. */
enum share_group_reset {
	SHARE_GROUP_RESET_LATEST,
	SHARE_GROUP_RESET_EARLIEST,
	SHARE_GROUP_RESET_DURATION,
};

struct share_group_config {
	struct share_partition_limits limits;
	enum partition_isolation isolation;	/* share.isolation.level */
	enum share_group_reset reset;
	int64_t reset_duration_ms;	/* before now, of RESET_DURATION */
};

/* Takes the image's read lock; any thread without locks. */
void share_group_config_read(struct share_group_config *config,
    struct image *image, const struct configs *configs,
    struct slice group_id);

#endif
