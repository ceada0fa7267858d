/*
 * Image: all metadata of the cluster as of the last applied record.
 *
 * There is one image.  The controller's thread is its only writer and
 * applies a delta at the cost of the delta.  Everybody else reads between
 * image_read_lock and image_read_unlock; what lookups give is valid until
 * the unlock, unless a reference is taken (topics, brokers, config sets are
 * immutable).  The controller's thread reads without the lock.
 *
 * The lock has rank 1: it is taken before a coordinator's and a partition's.
 * Nothing that blocks happens under it, and it is not taken twice: whoever
 * has it would wait for a writer that waits for him.
 */
#ifndef META_IMAGE_H
#define META_IMAGE_H

#include "base/base.h"
#include "base/uuid.h"
#include "meta/broker_image.h"
#include "meta/config_set.h"
#include "meta/topic_image.h"

struct delta;
struct image;

/* ConfigResource.Type of Kafka, as it stands in ConfigRecord. */
enum image_config_type {
	IMAGE_CONFIG_TOPIC = 2,
	IMAGE_CONFIG_BROKER = 4,
	IMAGE_CONFIG_BROKER_LOGGER = 8,
	IMAGE_CONFIG_CLIENT_METRICS = 16,
	IMAGE_CONFIG_GROUP = 32,
};

/* One resource's configs; set is never empty. */
struct image_configs {
	int8_t type;		/* enum image_config_type */
	struct slice name;	/* "" for the brokers' default */
	const struct config_set *set;
};

/*
 * A record that is only kept here, for those who interpret it and for the
 * next snapshot: ACLs, SCRAM credentials, quotas, tokens, controllers.
 */
struct image_kept {
	int16_t api_key;	/* of the record that sets it */
	struct slice identity;	/* what a later record replaces or removes */
	struct slice value;	/* framed, see meta/metadata_record.h */
};

struct image *image_new(void);
void image_free(struct image *image);

void image_read_lock(struct image *image);
void image_read_unlock(struct image *image);

/* A topic, or NULL. */
const struct topic_image *image_topic(const struct image *image,
    struct slice name);
const struct topic_image *image_topic_by_id(const struct image *image,
    struct uuid id);

/* A topic that has the name when every '.' is read as '_', or NULL. */
const struct topic_image *image_topic_colliding(const struct image *image,
    struct slice name);

size_t image_topics_count(const struct image *image);
size_t image_partitions_count(const struct image *image);

/* Iterate from *position = 0 in no order; NULL at the end. */
const struct topic_image *image_topic_next(const struct image *image,
    size_t *position);
const struct broker_image *image_broker_next(const struct image *image,
    size_t *position);
const struct image_configs *image_configs_next(const struct image *image,
    size_t *position);
const struct image_kept *image_kept_next(const struct image *image,
    size_t *position);

/* The kept record with the identity, or NULL. */
const struct image_kept *image_kept(const struct image *image,
    int16_t api_key, struct slice identity);

/* A registered broker, fenced or not; NULL where there is none. */
const struct broker_image *image_broker(const struct image *image,
    int32_t id);
size_t image_brokers_count(const struct image *image);

/* The stored configs of a resource; NULL where it has none. */
const struct config_set *image_configs(const struct image *image,
    enum image_config_type type, struct slice name);

/* The finalized level of a feature; 0 where it has none. */
int16_t image_feature(const struct image *image, const char *name);

/* The finalized features above level 0, in order of their names. */
struct image_feature {
	struct slice name;
	int16_t level;
};
const struct image_feature *image_features(const struct image *image,
    size_t *count);

/* The first producer id that no block handed out so far holds. */
int64_t image_producer_id_next(const struct image *image);

/* The cluster's id; set once before anything is published. */
struct slice image_cluster_id(const struct image *image);
void image_set_cluster_id(struct image *image, struct slice cluster_id);

/* The last applied record's offset (-1: none), leader epoch, timestamp. */
int64_t image_offset(const struct image *image);
int32_t image_epoch(const struct image *image);
int64_t image_timestamp_ms(const struct image *image);

/*
 * The controller's thread: make what delta says visible, at once for all
 * readers.  The delta keeps its references and stays readable.
 */
void image_apply(struct image *image, const struct delta *delta);

#endif
