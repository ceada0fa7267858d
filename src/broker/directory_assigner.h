/*
 * Directory assigner: tells the controller in which log directory each
 * replica of this node is, where the metadata says something else (KIP-858;
 * Kafka's AssignmentsManager).  What is on disk is right.
 *
 * A new partition of a node with several directories is UNASSIGNED at first:
 * the log manager chooses, and this reports.  When metadata.version is raised
 * to one that has directories, all are reported.
 */
#ifndef BROKER_DIRECTORY_ASSIGNER_H
#define BROKER_DIRECTORY_ASSIGNER_H

#include "base/base.h"
#include "base/slice.h"
#include "base/uuid.h"

struct controller;
struct delta;
struct directory_assigner;
struct log_manager;

/* What it is made of outlives it; the controller is stopped before it goes. */
struct directory_assigner *directory_assigner_new(
    struct controller *controller, struct log_manager *logs, int32_t node_id);
void directory_assigner_free(struct directory_assigner *assigner);

/*
 * Subscribe with context assigner, behind the partition manager: a
 * controller_subscriber_fn.
 */
void directory_assigner_apply(void *context, const struct delta *delta);

/* A replica was moved to a directory: report that.  Any thread. */
void directory_assigner_moved(struct directory_assigner *assigner,
    struct uuid topic_id, int32_t partition, struct uuid directory);

/*
 * Once the controller takes operations: report what was found until now, and
 * from here on at once.
 */
void directory_assigner_start(struct directory_assigner *assigner);

#endif
