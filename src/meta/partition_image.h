/*
 * Partition image: what the metadata log says about one partition.
 *
 * Immutable and reference-counted (the count is atomic): a change makes a
 * new one, so two pointers that are equal mean that nothing changed.  Field
 * meanings are those of Kafka's PartitionRecord; how a PartitionChangeRecord
 * is merged is PartitionRegistration's of Kafka.
 */
#ifndef META_PARTITION_IMAGE_H
#define META_PARTITION_IMAGE_H

#include "base/base.h"
#include "base/uuid.h"

struct kp_partition_change_record;
struct kp_partition_record;

#define PARTITION_IMAGE_NO_LEADER (-1)
/* In a change record: the leader stays and so does its epoch. */
#define PARTITION_IMAGE_LEADER_KEPT (-2)

/* More partitions than this in one topic are refused as damage. */
#define PARTITION_IMAGE_ID_MAX 999999

struct partition_image_ids {
	int32_t *ids;
	int32_t count;
};

struct partition_image {
	uint32_t refs;
	int32_t leader;		/* PARTITION_IMAGE_NO_LEADER: none */
	int32_t leader_epoch;
	int32_t partition_epoch;
	int8_t leader_recovery_state;	/* 0 recovered, 1 recovering */
	struct partition_image_ids replicas;
	struct partition_image_ids isr;
	struct partition_image_ids removing;
	struct partition_image_ids adding;
	struct partition_image_ids elr;
	struct partition_image_ids last_known_elr;
	struct uuid *directories;	/* replicas.count of them */
};

/* Directory ids with a meaning of their own (DirectoryId of Kafka). */
struct uuid partition_image_directory_migrating(void);
struct uuid partition_image_directory_unassigned(void);

/*
 * A new image with one reference from a whole record.  Directories that the
 * record lacks, or that are all MIGRATING, become MIGRATING for each
 * replica.  NULL where there are neither as many directories as replicas nor
 * none.
 */
const struct partition_image *partition_image_new(
    const struct kp_partition_record *record) WARN_UNUSED;

/* The image after the change, with one reference; NULL as above. */
const struct partition_image *partition_image_change(
    const struct partition_image *old,
    const struct kp_partition_change_record *change) WARN_UNUSED;

/*
 * The image without ELR and last known ELR (ClearElrRecord), which counts as
 * a change.  Those that have neither stay as they are in Kafka.
 */
const struct partition_image *partition_image_clear_elr(
    const struct partition_image *old);

/*
 * The record that makes this image again; its arrays are borrowed.  The
 * caller sets topic_id and partition_id.
 */
void partition_image_record(const struct partition_image *partition,
    struct kp_partition_record *record);

const struct partition_image *partition_image_ref(
    const struct partition_image *partition);
void partition_image_unref(const struct partition_image *partition);

bool partition_image_ids_contain(struct partition_image_ids ids, int32_t id);

/* The directory in which node id keeps its replica; false: no replica. */
bool partition_image_directory(const struct partition_image *partition,
    int32_t node_id, struct uuid *directory) WARN_UNUSED;

#endif
