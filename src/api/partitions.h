/*
 * Partitions as a request names them: found, and allowed to its principal.
 *
 * The order of checks is Kafka's: an unknown topic id, permission, existence,
 * and only then who hosts it.
 */
#ifndef API_PARTITIONS_H
#define API_PARTITIONS_H

#include "api/request.h"
#include "base/uuid.h"
#include "broker/partition.h"

/* More partitions in one request are refused by closing the connection. */
#define PARTITIONS_MAX 200000

/* Where an operation is asked for: everyone may. */
#define PARTITIONS_OPEN ((enum acl_operation)0)

/* A partition by topic name, or by topic id where by_id is set. */
struct partitions_key {
	struct slice topic;
	struct uuid topic_id;
	bool by_id;
	int32_t index;
};

struct partitions_found {
	struct partition *partition;	/* referenced; NULL with errors */
	struct partition_leader leader;	/* -1 where not known */
};

/*
 * Find the partition for a principal that must be allowed operation on its
 * topic.  Errors: KP_UNKNOWN_TOPIC_ID, KP_TOPIC_AUTHORIZATION_FAILED,
 * KP_UNKNOWN_TOPIC_OR_PARTITION, KP_NOT_LEADER_OR_FOLLOWER where another
 * process has it, KP_KAFKA_STORAGE_ERROR where its log could not be opened.
 * Any thread.
 */
enum kp_error partitions_find(const struct request *request,
    const struct partitions_key *key, enum acl_operation operation,
    struct partitions_found *found) WARN_UNUSED;

/* Where a leader is reached, the texts in the arena. */
struct partitions_endpoint {
	int32_t node_id;
	struct slice host;
	int32_t port;
	struct slice rack;		/* null: none */
};

/* Collects the leaders that an answer names, each once; begins zeroed. */
struct partitions_leaders {
	struct partitions_endpoint *endpoints;
	int32_t count;
	int32_t capacity;
};

/*
 * Where node id is reached on the request's listener, added where it is not
 * there yet; valid until the next call.  NULL, and nothing is added, where id
 * is -1 or not known.
 */
const struct partitions_endpoint *partitions_leader_add(
    struct request *request, struct partitions_leaders *leaders, int32_t id);

#endif
