/*
 * Delta: what a run of metadata records changes in the image.
 *
 * The controller's thread makes a delta over the image, replays records into
 * it, and applies it.  Until then lookups through the delta show the image
 * as it will be, which is how an operation sees what those before it in the
 * same batch have decided.  After image_apply subscribers get it, and read
 * old and new side by side.
 *
 * A delta holds references, so what it shows stays valid until delta_free.
 * One thread at a time.
 */
#ifndef META_DELTA_H
#define META_DELTA_H

#include "base/base.h"
#include "base/map.h"
#include "meta/image.h"

struct metadata_record;

/*
 * A topic that was created (old NULL), deleted (new NULL) or changed.  Both
 * are NULL where it came and went within the delta: skip those.  Partitions
 * that did not change are the same pointers in old and new.
 */
struct delta_topic {
	struct uuid id;
	const struct topic_image *old;
	const struct topic_image *new;
	bool writable;		/* new is ours alone so far */
};

struct delta_broker {
	int32_t id;
	const struct broker_image *old;
	const struct broker_image *new;
};

/* Either side is NULL where the resource has no configs. */
struct delta_configs {
	int8_t type;		/* enum image_config_type */
	struct slice name;
	const struct config_set *old;
	const struct config_set *new;
	struct slice key;	/* private: the map's */
	bool writable;
};

/* A kept record that was set (value) or removed (value is null). */
struct delta_kept {
	int16_t api_key;
	struct slice identity;
	struct slice value;
	struct slice key;	/* private: the map's */
};

struct delta_feature {
	struct slice name;
	int16_t level;
};

struct delta {
	const struct image *image;

	/* In order of first mention, so deletions precede recreations. */
	struct delta_topic **topics;
	size_t topics_count;
	struct delta_broker **brokers;
	size_t brokers_count;
	struct delta_configs **configs;
	size_t configs_count;
	struct delta_kept **kept;
	size_t kept_count;
	struct delta_feature *features;
	size_t features_count;
	int64_t producer_id_next;	/* -1: unchanged */

	/* of the last replayed record; offset -1: none */
	int64_t offset;
	int32_t epoch;
	int64_t timestamp_ms;

	/* private */
	struct map topics_by_id;
	struct map topics_by_name;
	struct map topics_colliding;
	struct map configs_by_key;
	struct map kept_by_key;
	bool in_transaction;
	struct slice *pending;	/* values inside an open transaction */
	size_t pending_count;
};

struct delta *delta_new(const struct image *image);
void delta_free(struct delta *delta);

/*
 * A delta that creates everything that image has, over an empty image: for
 * subscribers at the start.  It is not to be replayed into or applied.
 */
struct delta *delta_of_image(const struct image *image);

/* The same with some of its topics only; those that it does not have not. */
struct delta *delta_of_topics(
    const struct image *image, const struct uuid *ids, size_t count);

/*
 * Replay one decoded record.  -1 with one line in the log where it cannot be
 * true: an unknown partition, a feature beyond what we know.  The delta is
 * of no use then.
 *
 * Records between BeginTransaction and EndTransaction wait for the end, and
 * AbortTransaction drops them (KIP-866).
 */
int delta_replay(struct delta *delta, const struct metadata_record *record)
    WARN_UNUSED;

/*
 * After the last record: has each topic all of its partitions, and one at
 * least?  -1 and a line if not.
 */
int delta_check(const struct delta *delta) WARN_UNUSED;

/* Is a metadata transaction open after the records so far? */
bool delta_in_transaction(const struct delta *delta);

/* Lookups that see the delta over its image; NULL where there is none. */
const struct topic_image *delta_topic(const struct delta *delta,
    struct slice name);
const struct topic_image *delta_topic_by_id(const struct delta *delta,
    struct uuid id);
const struct topic_image *delta_topic_colliding(const struct delta *delta,
    struct slice name);
const struct broker_image *delta_broker(const struct delta *delta,
    int32_t id);
const struct config_set *delta_configs_of(const struct delta *delta,
    enum image_config_type type, struct slice name);
int16_t delta_feature_level(const struct delta *delta, const char *name);
int64_t delta_next_producer_id(const struct delta *delta);

/* The value of a kept record; null where there is none, or no more. */
struct slice delta_kept_value(const struct delta *delta, int16_t api_key,
    struct slice identity);

/*
 * What tells a SCRAM credential from all others, the identity of its kept
 * record: the mechanism, and the name, which may have any bytes.  The caller
 * frees what is returned.
 */
uint8_t *delta_scram_identity(
    struct slice name, int8_t mechanism, struct slice *identity);

/* Registered brokers, from *position = 0; NULL at the end. */
const struct broker_image *delta_broker_next(const struct delta *delta,
    size_t *position);

#endif
