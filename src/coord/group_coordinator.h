/*
 * The group coordinator: what the group APIs call.
 *
 * Groups and committed offsets live in __consumer_offsets, one shard per
 * partition; a group's shard is java_hash_partition of its id.  The topic is
 * made at the first FindCoordinator for a group, and that call is answered
 * when its shards serve.
 *
 * Entry points take a group_call, which the caller has filled in, and call
 * its done exactly once, on any thread, perhaps before they return, with no
 * lock held.  They run to completion on the calling thread, except that a
 * parked JoinGroup or SyncGroup is answered by whoever completes the
 * rebalance: until done, call, arena and bodies belong to the coordinator.
 * The cancelling of a parked call is not needed: sessions end.
 *
 * After done, call->error holds the error of the whole call (of the group,
 * where the API has more than one), and else the response is filled in.
 *
 * The caller has checked authorization and has resolved topics; a group's
 * name is never null here.
 */
#ifndef COORD_GROUP_COORDINATOR_H
#define COORD_GROUP_COORDINATOR_H

#include "base/arena.h"
#include "base/base.h"
#include "auth/authorizer.h"
#include "base/uuid.h"
#include "coord/group_settings.h"
#include "coord/shard.h"

struct consumer_assignment;
struct coordinator_services;
struct group_coordinator;
struct kp_consumer_group_describe_response_group;
struct kp_consumer_group_heartbeat_request;
struct kp_consumer_group_heartbeat_response;
struct kp_create_topics_request_topic;
struct kp_delete_groups_request;
struct kp_describe_groups_response_group;
struct kp_heartbeat_request;
struct kp_join_group_request;
struct kp_join_group_response;
struct kp_leave_group_request;
struct kp_leave_group_response;
struct kp_list_groups_request;
struct kp_list_groups_response;
struct kp_share_group_describe_response_group;
struct kp_share_group_heartbeat_request;
struct kp_share_group_heartbeat_response;
struct kp_sync_group_request;
struct kp_streams_group_describe_response_group;
struct kp_streams_group_heartbeat_request;
struct kp_streams_group_heartbeat_response;
struct kp_sync_group_response;
struct delta;
struct share_coordinator;

#define GROUP_COORDINATOR_TOPIC "__consumer_offsets"

struct group_call {
	struct shard_call call;		/* set call.done before */
	struct arena *arena;		/* for the response */
	int32_t node_id;		/* the node that was asked */
	int16_t version;
	struct principal principal;
	struct slice client_id;
	struct slice client_host;	/* with Java's leading slash */
};

/* --- Life ---------------------------------------------------------------- */

/*
 * A coordinator that leads nothing yet.  settings and nodes are copied.
 */
struct group_coordinator *group_coordinator_new(
    const struct group_settings *settings,
    const struct coordinator_services *services);

/*
 * Before it is subscribed: who keeps the states of share groups, and outlives
 * the calls that are under way.
 */
void group_coordinator_set_shares(struct group_coordinator *coordinator,
    struct share_coordinator *shares);

/*
 * Subscribe with context coordinator, behind the partition manager: a
 * controller_subscriber_fn.  Takes over the partitions of __consumer_offsets
 * that this process leads, and drops the offsets of deleted topics.  The loops
 * run.
 */
void group_coordinator_apply(void *context, const struct delta *delta);

/* From now on message.max.bytes is bytes.  Any thread. */
void group_coordinator_set_batch_bytes(struct group_coordinator *coordinator,
    int32_t bytes);

/*
 * From now on group.consumer.assignment.interval.ms and those of streams and
 * share groups are so many milliseconds.  Any thread.
 */
void group_coordinator_set_assignment_intervals(
    struct group_coordinator *coordinator, int32_t consumer_ms,
    int32_t streams_ms, int32_t share_ms);

/*
 * Load what has been taken over; later ones are loaded in the background.
 * Returns when everything on disk has been loaded.
 */
void group_coordinator_start(struct group_coordinator *coordinator);

/*
 * Answer everybody NOT_COORDINATOR.  Before the loops and partitions stop;
 * entry points may still be called.
 */
void group_coordinator_stop(struct group_coordinator *coordinator);

/* After the loops have stopped. */
void group_coordinator_free(struct group_coordinator *coordinator);

/* --- Finding ------------------------------------------------------------- */

/*
 * Make __consumer_offsets where it is missing.  ready(context, error) is
 * called, on any thread, when it exists and its shards serve, perhaps before
 * the function returns.
 */
void group_coordinator_prepare(struct group_coordinator *coordinator,
    void (*ready)(void *context, enum kp_error error), void *context);

/* The partition of __consumer_offsets that looks after the group. */
int32_t group_coordinator_partition(struct group_coordinator *coordinator,
    struct slice group_id);

/* --- Classic groups ------------------------------------------------------ */

void group_coordinator_join(struct group_coordinator *coordinator,
    struct group_call *call, const struct kp_join_group_request *request,
    struct kp_join_group_response *response);
void group_coordinator_sync(struct group_coordinator *coordinator,
    struct group_call *call, const struct kp_sync_group_request *request,
    struct kp_sync_group_response *response);
void group_coordinator_heartbeat(struct group_coordinator *coordinator,
    struct group_call *call, const struct kp_heartbeat_request *request);
void group_coordinator_leave(struct group_coordinator *coordinator,
    struct group_call *call, const struct kp_leave_group_request *request,
    struct kp_leave_group_response *response);

/* --- Consumer groups ----------------------------------------------------- */

/* Are there consumer groups?  By group.version, and the settings. */
bool group_coordinator_serves_consumers(
    const struct group_coordinator *coordinator);

/*
 * A heartbeat of a consumer group's member.  Where the call has an error the
 * response has a text for it, or none, and nothing else.
 */
void group_coordinator_consumer_heartbeat(
    struct group_coordinator *coordinator, struct group_call *call,
    const struct kp_consumer_group_heartbeat_request *request,
    struct kp_consumer_group_heartbeat_response *response);

/* One consumer group; what is wrong with it is in its error_code. */
void group_coordinator_consumer_describe(
    struct group_coordinator *coordinator, struct group_call *call,
    struct slice group_id,
    struct kp_consumer_group_describe_response_group *group);

/* --- Streams groups ------------------------------------------------------ */

/* Are there streams groups?  By streams.version, and the settings. */
bool group_coordinator_serves_streams(
    const struct group_coordinator *coordinator);

/* What a heartbeat gives: an answer, and topics that are to be created. */
struct group_streams_result {
	struct kp_streams_group_heartbeat_response *response;	/* in */
	struct kp_create_topics_request_topic *missing; /* in the call's arena */
	int32_t missing_count;
};

/*
 * A heartbeat of a streams group's member.  Where the call has an error the
 * response has a text for it, or none, and nothing else.
 */
void group_coordinator_streams_heartbeat(
    struct group_coordinator *coordinator, struct group_call *call,
    const struct kp_streams_group_heartbeat_request *request,
    struct group_streams_result *result);

/*
 * Have the topics that are missing created, behind the answer.  What went
 * wrong with it before, to be told, in arena; or null.
 */
struct slice group_coordinator_streams_create(
    struct group_coordinator *coordinator,
    const struct group_streams_result *result, struct arena *arena);

/* One streams group; what is wrong with it is in its error_code. */
void group_coordinator_streams_describe(
    struct group_coordinator *coordinator, struct group_call *call,
    struct slice group_id,
    struct kp_streams_group_describe_response_group *group);
/* --- Share groups -------------------------------------------------------- */

/* Are there share groups?  By share.version. */
bool group_coordinator_serves_shares(
    const struct group_coordinator *coordinator);

/*
 * A heartbeat of a share group's member.  Where the call has an error the
 * response has a text for it, or none, and nothing else.
 */
void group_coordinator_share_heartbeat(struct group_coordinator *coordinator,
    struct group_call *call,
    const struct kp_share_group_heartbeat_request *request,
    struct kp_share_group_heartbeat_response *response);

/* One share group; what is wrong with it is in its error_code. */
void group_coordinator_share_describe(struct group_coordinator *coordinator,
    struct group_call *call, struct slice group_id,
    struct kp_share_group_describe_response_group *group);

/*
 * The partitions whose state the share coordinator keeps for the group, in
 * call->arena; none where there is no such share group.
 */
void group_coordinator_share_partitions(
    struct group_coordinator *coordinator, struct group_call *call,
    struct slice group_id, struct consumer_assignment *partitions);

/* Where share groups begin: to be altered, or topics to be forgotten. */
struct group_share_partition {
	int32_t partition;
	int64_t start_offset;
	enum kp_error error;		/* out */
	const char *message;		/* out; NULL: that of the error */
};

struct group_share_topic {
	struct slice name;
	struct uuid id;			/* out; zero where it is unknown */
	struct group_share_partition *partitions; /* to alter */
	int32_t partitions_count;
	enum kp_error error;		/* out, where it is to be forgotten */
	const char *message;		/* out; NULL: that of the error */
};

struct group_share_offsets {
	struct slice group_id;
	struct group_share_topic *topics;
	int32_t topics_count;		/* 0, out: nothing is known of any */
	struct slice message;		/* out, of the call's error; or null */
};

/*
 * Begin elsewhere in some partitions of a group without members, which is made
 * where it is missing.
 */
void group_coordinator_share_alter(struct group_coordinator *coordinator,
    struct group_call *call, struct group_share_offsets *offsets);

/* A share group without members forgets topics. */
void group_coordinator_share_forget(struct group_coordinator *coordinator,
    struct group_call *call, struct group_share_offsets *offsets);

/* --- Offsets ------------------------------------------------------------- */

/* One partition's offset: to commit, fetched, or to delete. */
struct group_offset {
	int32_t partition;
	enum kp_error error;		/* out */
	int64_t offset;			/* -1 where there is none */
	int32_t leader_epoch;		/* -1 where unknown */
	struct slice metadata;
};

struct group_topic {
	struct slice name;
	struct uuid id;			/* zero where unknown */
	bool known;			/* OffsetDelete: the topic exists */
	struct group_offset *offsets;
	int32_t offsets_count;
};

struct group_commit {
	struct slice group_id;
	int32_t generation_id;		/* or member epoch; -1 for none */
	struct slice member_id;
	struct slice instance_id;	/* may be null */
	int64_t retention_ms;		/* -1 for the broker's own */
	/* NULL outside of a transaction, whose marker makes it visible */
	const struct shard_transaction *transaction;
	struct group_topic *topics;
	int32_t topics_count;
};

/*
 * Commit, but for offsets that have an error already; the others' errors are
 * set where the call has none.
 */
void group_coordinator_commit(struct group_coordinator *coordinator,
    struct group_call *call, struct group_commit *commit);

/*
 * Append the marker that ends a producer's transaction to a partition of
 * __consumer_offsets: its offsets become visible, or vanish, with it.  Errors:
 * the coordinator's, and those of an append.
 */
struct group_marker {
	int32_t partition;
	struct control_record_marker marker;
	int16_t transaction_version;	/* as struct log_append has it */
};

void group_coordinator_end_transaction(struct group_coordinator *coordinator,
    struct shard_call *call, int32_t node_id,
    const struct group_marker *marker);

struct group_fetch {
	struct slice group_id;
	struct slice member_id;		/* may be null */
	int32_t member_epoch;
	bool require_stable;
	bool all;			/* then topics are filled in */
	struct group_topic *topics;
	int32_t topics_count;
};

void group_coordinator_fetch(struct group_coordinator *coordinator,
    struct group_call *call, struct group_fetch *fetch);

/* Delete single offsets; topics that exist and may be read only. */
void group_coordinator_delete_offsets(struct group_coordinator *coordinator,
    struct group_call *call, struct slice group_id,
    struct group_topic *topics, int32_t topics_count);

/* --- Administration ------------------------------------------------------ */

/*
 * The groups of all shards that pass the request's filters.  An error where a
 * shard is being loaded; those that are led elsewhere add nothing.
 */
void group_coordinator_list(struct group_coordinator *coordinator,
    struct group_call *call, const struct kp_list_groups_request *request,
    struct kp_list_groups_response *response);

/* One classic group; what is wrong with it is in its error_code. */
void group_coordinator_describe(struct group_coordinator *coordinator,
    struct group_call *call, struct slice group_id,
    struct kp_describe_groups_response_group *group);

/* Delete one group with its offsets. */
void group_coordinator_delete(struct group_coordinator *coordinator,
    struct group_call *call, struct slice group_id);

#endif
