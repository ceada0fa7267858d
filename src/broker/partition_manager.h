/*
 * The partitions of this process, found by topic name or id and index.
 *
 * It follows the metadata: each applied delta creates, changes and deletes
 * partitions before the operation that caused it is answered.  That happens
 * on one thread, the controller's; lookups come from any.
 */
#ifndef BROKER_PARTITION_MANAGER_H
#define BROKER_PARTITION_MANAGER_H

#include "base/base.h"
#include "base/uuid.h"

struct configs;
struct delta;
struct image;
struct log_settings;
struct partition;
struct partition_context;
struct partition_manager;

struct partition_manager_settings {
	struct image *image;
	const struct configs *configs;
	const struct partition_context *context; /* its logs is not NULL */
	const int32_t *nodes;	/* the brokers that this process is; copied */
	int32_t nodes_count;
};

/* An empty manager; what the settings point to outlives it. */
struct partition_manager *partition_manager_new(
    const struct partition_manager_settings *settings);

/*
 * Let go of all partitions and their logs.  Nobody looks any up any more, and
 * those who still have one give it back before the log manager stops.  NULL is
 * legal.
 */
void partition_manager_free(struct partition_manager *manager);

/*
 * A partition, referenced for the caller (partition_unref), or NULL where this
 * process has none of that name, id or index.  Any thread.
 */
struct partition *partition_manager_find(struct partition_manager *manager,
    struct slice topic, int32_t index);
struct partition *partition_manager_find_by_id(
    struct partition_manager *manager, struct uuid topic, int32_t index);

/*
 * Subscribe with context manager: a controller_subscriber_fn, whose first delta
 * has what was there before.  Of a topic that is shown as new again, those
 * partitions are made whose log could not be made before.
 */
void partition_manager_apply(void *context, const struct delta *delta);

/*
 * The ids of the topics that have partitions whose log could not be made; the
 * caller frees the array.  On the applying thread, between deltas.
 */
struct uuid *partition_manager_lacking(struct partition_manager *manager,
    size_t *count);

/* For the log manager's hooks, with context manager. */
bool partition_manager_wants(void *context, struct slice topic,
    int32_t partition, struct uuid *topic_id, struct log_settings *settings);

/* The same: the directory that the metadata has for a partition, or zero. */
struct uuid partition_manager_assigned(void *context, struct slice topic,
    int32_t partition);

/* The number of partitions; any thread. */
size_t partition_manager_count(struct partition_manager *manager);

#endif
