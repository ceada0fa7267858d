/*
 * Topic image: a topic's name, id and partitions as of one moment.
 *
 * Immutable and reference-counted once it is published; while a delta is
 * being made its writer may still change the one that it has just cloned.
 * Any thread may keep a reference for as long as it likes.
 */
#ifndef META_TOPIC_IMAGE_H
#define META_TOPIC_IMAGE_H

#include "base/base.h"
#include "base/uuid.h"
#include "meta/partition_image.h"

struct topic_image {
	uint32_t refs;
	struct uuid id;
	struct slice name;	/* owned, with a NUL behind it */
	bool internal;		/* one of Kafka's own topics */
	int32_t partitions_count;
	const struct partition_image **partitions;	/* none is NULL */
};

/* A new topic without partitions and with one reference. */
struct topic_image *topic_image_new(struct slice name, struct uuid id);

/* A copy that shares the partitions, with one reference. */
struct topic_image *topic_image_clone(const struct topic_image *topic);

/*
 * Writers only: put partition, whose reference is taken over, at index; the
 * one that stood there is let go.  -1 where index is out of range.  Indexes
 * may come in any order; topic_image_complete tells whether all are there.
 */
int topic_image_set_partition(struct topic_image *topic, int32_t index,
    const struct partition_image *partition) WARN_UNUSED;
bool topic_image_complete(const struct topic_image *topic);

/* The partition, or NULL where index is out of range. */
const struct partition_image *topic_image_partition(
    const struct topic_image *topic, int32_t index);

const struct topic_image *topic_image_ref(const struct topic_image *topic);
void topic_image_unref(const struct topic_image *topic);

/* Is it __consumer_offsets, __transaction_state or __share_group_state? */
bool topic_image_name_internal(struct slice name);

/*
 * Is it a name that a topic may have: 1 to 249 of a-zA-Z0-9._- and neither
 * "." nor ".."?  Kafka's text for why not goes to *reason (static) where
 * reason is not NULL.
 */
bool topic_image_name_valid(struct slice name, const char **reason);

#define TOPIC_IMAGE_NAME_LEN_MAX 249

#endif
