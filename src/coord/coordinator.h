/*
 * Coordinator: the partitions of one internal topic that this process leads,
 * each with its shard; whatever the shards coordinate.
 *
 * It follows the metadata: partitions that are led here get a tenure and are
 * loaded, those that are not any more lose it.  It makes the topic at its
 * first use.  A kind (group_coordinator.h) embeds it and adds its calls.
 *
 * The mutex guards who leads what and who waits for the topic.  It is a leaf
 * among our own locks but for the worker's queue: no shard is entered under
 * it.
 */
#ifndef COORD_COORDINATOR_H
#define COORD_COORDINATOR_H

#include "base/base.h"
#include "base/list.h"
#include "base/task.h"
#include "coord/tenure.h"

#include <pthread.h>

struct authorizer;
struct controller;
struct coordinator;
struct delta;
struct image;
struct loop_group;
struct partition_manager;
struct worker;

/* What a coordinator works with; all of it outlives the coordinator. */
struct coordinator_services {
	struct image *image;
	struct controller *controller;
	struct partition_manager *partitions;
	struct loop_group *loops;
	struct authorizer *authorizer;	/* NULL: all is allowed */
	const int32_t *nodes;		/* the brokers that this process is */
	int32_t nodes_count;
};

/* How the topic is made; the texts are constants. */
struct coordinator_topic {
	const char *name;
	int32_t partitions;
	int16_t replication_factor;
	const char *replication_key;	/* the setting that says so */
	int32_t segment_bytes;
	int32_t min_insync_replicas;	/* 0: the broker's default */
	bool uncompressed;	/* compression.type, else "producer" */
	bool never_unclean;	/* unclean.leader.election.enable=false */
	bool kept_whole;	/* not compacted, nothing ever expires */
};

struct coordinator_kind {
	const char *worker_name;	/* of the thread that loads */
	/* A tenure for coordinator, made as tenure_init says. */
	struct tenure *(*tenure_new)(struct coordinator *coordinator,
	    struct partition *partition, struct loop *loop, int32_t leader);
};

struct coordinator {
	/* immutable */
	const struct coordinator_kind *kind;
	struct coordinator_topic topic;
	struct coordinator_services services;
	int32_t *nodes;			/* owned; those of the services */

	/* Held while metadata is applied, and by the stop; taken first. */
	pthread_mutex_t following;

	/* guarded by mutex; written by who holds following as well */
	pthread_mutex_t mutex;
	pthread_cond_t ended;
	struct tenure **tenures;	/* NULL where not led here */
	int32_t tenures_count;		/* the topic's partitions; 0: none */
	int32_t hash_count;		/* partitions that keys spread over */
	bool stopped;

	/* guarded by mutex */
	struct worker *worker;		/* loads shards; NULL: nobody does */
	int32_t open_count;		/* tenures that have not ended */
	int32_t loads_count;		/* loads on their way to the worker */
	bool started;
	bool preparing;
	struct list waiters;		/* for the topic */
};

/* It leads nothing yet.  The nodes are copied. */
void coordinator_init(struct coordinator *coordinator,
    const struct coordinator_kind *kind,
    const struct coordinator_topic *topic,
    const struct coordinator_services *services);

/* After the loops have stopped. */
void coordinator_fini(struct coordinator *coordinator);

/*
 * Take over the partitions that this process leads.  Metadata was applied, on
 * the controller's thread, behind the partition manager.  The loops run.
 */
void coordinator_apply(
    struct coordinator *coordinator, const struct delta *delta);

/*
 * Load what has been taken over; later ones are loaded in the background.
 * Returns when everything on disk has been loaded.
 */
void coordinator_start(struct coordinator *coordinator);

/*
 * Answer everybody NOT_COORDINATOR, and wait until all partitions have been
 * given back.  Before the loops and partitions stop; shards may still be
 * asked for.
 */
void coordinator_stop(struct coordinator *coordinator);

/* Run task on the worker; false, and it does not run, where there is none. */
bool coordinator_post(struct coordinator *coordinator, struct task *task);

/*
 * Make the topic where it is missing.  ready(context, error) is called, on any
 * thread, when it exists and its shards serve, perhaps before the function
 * returns.
 */
void coordinator_prepare(struct coordinator *coordinator,
    void (*ready)(void *context, enum kp_error error), void *context);

/* The partition that looks after key. */
int32_t coordinator_partition(
    struct coordinator *coordinator, struct slice key);

/*
 * The tenure of the partition, if node_id (-1: one of this process's) leads it,
 * referenced; else NULL.  coordinator_find is for the one that looks after key.
 */
struct tenure *coordinator_find_partition(
    struct coordinator *coordinator, int32_t index, int32_t node_id);
struct tenure *coordinator_find(
    struct coordinator *coordinator, struct slice key, int32_t node_id);

/*
 * The tenures of this process, each referenced for the caller, who frees the
 * array.
 */
struct tenure **coordinator_tenures(
    struct coordinator *coordinator, int32_t *count);

#endif
