/*
 * What the files of the group coordinator share.  Nobody else includes it.
 *
 * The coordinator's mutex guards who leads what and who waits for the topic.
 * It is a leaf among our own locks but for the worker's queue: no shard is
 * entered under it.
 */
#ifndef COORD_GROUP_COORDINATOR_INNER_H
#define COORD_GROUP_COORDINATOR_INNER_H

#include "base/list.h"
#include "base/worker.h"
#include "coord/group_coordinator.h"
#include "coord/group_tenure.h"

#include <pthread.h>

#define GROUP_COORDINATOR_TOPIC SLICE_LITERAL("__consumer_offsets")

/* Someone who waits for the topic to be there. */
struct group_coordinator_waiter {
	struct list_node node;
	void (*ready)(void *context, enum kp_error error);
	void *context;
};

struct group_coordinator {
	/* immutable */
	struct group_settings settings;
	struct shard_settings shard_settings;
	struct group_services services;
	int32_t *nodes;			/* owned; those of the services */

	struct budget memory;		/* of all members and pending ids */

	/* Held while metadata is applied, and by the stop; taken first. */
	pthread_mutex_t following;

	/* guarded by mutex; written by who holds following as well */
	pthread_mutex_t mutex;
	pthread_cond_t ended;
	struct group_tenure **tenures;	/* NULL where not led here */
	int32_t tenures_count;		/* the topic's partitions; 0: none */
	int32_t hash_count;		/* partitions that groups spread over */
	bool stopped;

	/* guarded by mutex */
	struct worker *worker;		/* loads shards; NULL: nobody does */
	int32_t open_count;		/* tenures that have not ended */
	int32_t loads_count;		/* loads on their way to the worker */
	bool started;
	bool preparing;
	struct list waiters;		/* struct group_coordinator_waiter */
	struct list dropped;		/* topics whose offsets have to go */
	struct task drop_task;
	bool dropping;			/* drop_task is posted */
	bool loaded;			/* the start has loaded all there was */
};

/*
 * The tenures of this process, each referenced for the caller, who frees the
 * array.
 */
struct group_tenure **group_coordinator_tenures(
    struct group_coordinator *coordinator, int32_t *count);

/*
 * The tenure whose shard looks after the group, if node_id leads it,
 * referenced; else NULL.
 */
struct group_tenure *group_coordinator_find(
    struct group_coordinator *coordinator, struct slice group_id,
    int32_t node_id);

#endif
