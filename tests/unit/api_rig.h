/*
 * A broker in the test's own process, for tests of the data APIs: real
 * connections and loops, logs in a temporary directory, and metadata that the
 * test makes itself, without a controller.
 *
 * Clients are plain sockets.  What they receive lives until their next call.
 */
#ifndef UNIT_API_RIG_H
#define UNIT_API_RIG_H

#include "unit/unit.h"

#include "api/server.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/uuid.h"
#include "broker/partition.h"
#include "store/log_manager.h"
#include "unit/disk_fault.h"
#include "wire/message.h"

#include <pthread.h>

struct delta;

#define RIG_NODE 1

struct api_rig {
	char *directory;
	struct uuid assigned;	/* where new partitions are to be; its id */
	struct disk_fault fault;
	struct log_manager *logs;
	struct partition_context context;
	struct image *image;
	struct loop_group *loops;
	struct network *network;
	struct listener *listener;
	struct api_settings settings;
	struct server server;
	int64_t metadata_offset;

	/* Told of each delta after the partitions have been; may be NULL. */
	void (*subscriber)(void *context, const struct delta *delta);
	void *subscriber_context;

	/* Syncs of log files wait while it is held. */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool held;
};

/* Start; acked says when the high watermark moves. */
void api_rig_init(struct api_rig *rig, bool acked);
void api_rig_fini(struct api_rig *rig);

/* Hold or let go the syncs of log files. */
void api_rig_hold(struct api_rig *rig, bool held);

/* Create a topic with partitions led by RIG_NODE; its id. */
struct uuid api_rig_topic(struct api_rig *rig, const char *name,
    int32_t partitions);

/* Give a topic that has from partitions to of them. */
void api_rig_grow(struct api_rig *rig, struct uuid topic, int32_t from,
    int32_t to);

/* Set a config of a topic, or of all brokers (NULL); delete a topic. */
void api_rig_config(struct api_rig *rig, const char *topic, const char *key,
    const char *value);
void api_rig_delete(struct api_rig *rig, struct uuid topic);

/* A partition of the rig, referenced. */
struct partition *api_rig_partition(struct api_rig *rig, const char *topic,
    int32_t index);

struct api_client {
	int fd;
	int32_t correlation_id;
	const char *client_id;
	struct arena arena;
};

void api_client_init(struct api_client *client, const struct api_rig *rig);
void api_client_fini(struct api_client *client);

/* Send a request of an API, a struct kp_<api>_request. */
void api_client_send(struct api_client *client, int16_t key, int16_t version,
    const void *body);

/* Receive and decode the answer to it: a struct kp_<api>_response. */
void *api_client_receive(struct api_client *client, int16_t key,
    int16_t version);

/* Both. */
void *api_client_call(struct api_client *client, int16_t key, int16_t version,
    const void *body);

/* The server closes the connection without another byte. */
void api_client_expect_closed(struct api_client *client);

/* Is there nothing to receive for so many milliseconds? */
bool api_client_quiet(struct api_client *client, int ms);

#endif
