/*
 * meta.properties: who a log directory belongs to.
 *
 * Version 1 (KRaft) has cluster.id, node.id and directory.id, of which the
 * last may be missing in directories of older releases; version 0 (ZooKeeper)
 * has broker.id instead of node.id.
 */
#ifndef STORE_META_PROPERTIES_H
#define STORE_META_PROPERTIES_H

#include "base/base.h"
#include "base/uuid.h"

#define META_PROPERTIES_FILE "meta.properties"

struct disk;

struct meta_properties {
	int32_t version;          /* 0 or 1 */
	int32_t node_id;          /* -1: not in the file */
	char *cluster_id;         /* owned; NULL: not in the file */
	struct uuid directory_id; /* zero: not in the file */
};

void meta_properties_init(struct meta_properties *meta);
void meta_properties_fini(struct meta_properties *meta);

/*
 * Read directory's file.  0, or -1 with errno: ENOENT where there is none,
 * EBADMSG where it is empty, cut or nonsense; *why is then a sentence on the
 * heap, which the caller frees, else NULL.
 */
int meta_properties_read(struct meta_properties *meta, struct disk *disk,
    const char *directory, char **why) WARN_UNUSED;

/* Replace directory's file durably, as version 1.  0, or -1 with errno. */
int meta_properties_write(const struct meta_properties *meta, struct disk *disk,
    const char *directory) WARN_UNUSED;

#endif
