/*
 * quorum-state: who leads the metadata quorum, and in which epoch, as JSON in
 * __cluster_metadata-0 (QuorumStateData of Kafka).
 *
 * Version 1 has voter directory ids (kraft.version 1), version 0 the list of
 * voters; both are read, and written as kraft.version says.
 */
#ifndef META_QUORUM_STATE_H
#define META_QUORUM_STATE_H

#include "base/base.h"

#define QUORUM_STATE_FILE "quorum-state"

struct disk;

/*
 * The leader epoch in directory's file; 0 where there is no file.  -1 with a
 * line in the log where it cannot be read or makes no sense.
 */
int quorum_state_read(struct disk *disk, const char *directory,
    int32_t *leader_epoch) WARN_UNUSED;

/* Write durably: node_id leads in leader_epoch.  -1 with errno and a line. */
int quorum_state_write(struct disk *disk, const char *directory,
    int32_t node_id, int32_t leader_epoch, int16_t kraft_version) WARN_UNUSED;

#endif
