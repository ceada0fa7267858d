/*
 * Config ops: AlterConfigs and IncrementalAlterConfigs for topics, brokers,
 * groups and client metrics.  BROKER_LOGGER resources are not stored: the
 * caller answers them itself and leaves them out.
 *
 * Used as topic_ops.h says.  Order of checks, codes and texts are those of
 * Kafka's ConfigurationControlManager and ConfigAdminManager.
 */
#ifndef META_CONFIG_OPS_H
#define META_CONFIG_OPS_H

#include "base/arena.h"
#include "base/base.h"
#include "meta/access.h"
#include "meta/controller.h"
#include "wire/generated/alter_configs.h"
#include "wire/generated/incremental_alter_configs.h"

struct incremental_alter_configs_op {
	struct controller_op op;
	const struct kp_incremental_alter_configs_request *request; /* in */
	int32_t node_id;	/* in; the broker that was asked */
	const struct access *access;				/* in */
	struct arena *arena;					/* in */
	struct kp_incremental_alter_configs_response response;	/* out */
};

struct alter_configs_op {
	struct controller_op op;
	const struct kp_alter_configs_request *request;		/* in */
	int32_t node_id;					/* in */
	const struct access *access;				/* in */
	struct arena *arena;					/* in */
	struct kp_alter_configs_response response;		/* out */
};

void incremental_alter_configs_op_init(
    struct incremental_alter_configs_op *op);
void alter_configs_op_init(struct alter_configs_op *op);

#endif
