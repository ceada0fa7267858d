/*
 * partition.metadata: the topic id that a partition's directory belongs to.
 *
 *     version: 0
 *     topic_id: <22 characters>		without a newline at the end
 *
 * A directory without it, or with another id than the metadata's, is a stray.
 */
#ifndef STORE_PARTITION_METADATA_H
#define STORE_PARTITION_METADATA_H

#include "base/base.h"
#include "base/uuid.h"

#define PARTITION_METADATA_FILE "partition.metadata"

struct disk;

/*
 * Read directory's file.  0, or -1 with errno: ENOENT, EBADMSG where it is
 * malformed or has the zero id.
 */
int partition_metadata_read(struct disk *disk, const char *directory,
    struct uuid *topic_id) WARN_UNUSED;

/*
 * Write directory's file, whose first sync comes with the first sync of the
 * partition: creating a thousand partitions must not cost a thousand syncs.
 * 0, or -1 with errno.
 */
int partition_metadata_write(
    struct disk *disk, const char *directory, struct uuid topic_id) WARN_UNUSED;

/*
 * Replace a file that is lost or damaged, durably.  0, or -1 with errno; the
 * file is what it was then.
 */
int partition_metadata_restore(
    struct disk *disk, const char *directory, struct uuid topic_id) WARN_UNUSED;

#endif
