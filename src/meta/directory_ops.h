/*
 * Directory ops: what a broker tells of its log directories (KIP-858): in
 * which of them its replicas are, and that one has failed.  Used as
 * topic_ops.h says.
 */
#ifndef META_DIRECTORY_OPS_H
#define META_DIRECTORY_OPS_H

#include "base/base.h"
#include "base/uuid.h"
#include "meta/controller.h"

/* metadata.version 3.7-IV2, the first whose records have directories. */
#define DIRECTORY_OPS_METADATA_VERSION 17

/* For the run functions of ops: do they by now? */
bool directory_ops_are_kept(const struct controller *controller);

struct directory_assignment {
	struct uuid topic_id;
	int32_t partition;
	struct uuid directory;
};

/*
 * The broker has these replicas in these directories (AssignReplicasToDirs).
 * What the metadata has so already, or does not know, is passed over.  A
 * partition that has no leader gets the broker, which was in sync.  Nothing
 * happens below metadata.version 3.7-IV2, whose records have no directories.
 */
struct directory_assign_op {
	struct controller_op op;
	int32_t broker_id;				/* in */
	const struct directory_assignment *assignments;	/* in; not owned */
	size_t count;					/* in */
};

/*
 * A directory of the broker has failed: it leaves the registration, and the
 * broker leads nothing any more that the directory has
 * (BrokerHeartbeat's OfflineLogDirs).
 */
struct directory_fail_op {
	struct controller_op op;
	int32_t broker_id;				/* in */
	struct uuid directory;				/* in */
};

void directory_assign_op_init(struct directory_assign_op *op);
void directory_fail_op_init(struct directory_fail_op *op);

#endif
