/*
 * Cluster role: does the configuration ask for a node that is a cluster by
 * itself, which is what we can be?  From process.roles,
 * controller.quorum.voters and controller.quorum.bootstrap.servers.
 */
#ifndef CLI_CLUSTER_ROLE_H
#define CLI_CLUSTER_ROLE_H

#include "base/base.h"
#include "base/properties.h"

/*
 * -1 with one line on standard error where it asks for a controller alone, a
 * broker of a cluster, or one voter of several: nobody who means that may get
 * a second cluster instead.
 */
int cluster_role_check(const struct properties *properties, int32_t node_id)
    WARN_UNUSED;

#endif
