/*
 * Group shard: the groups and committed offsets of one partition of
 * __consumer_offsets.
 *
 * The functions below are the operations: each enters the shard, decides,
 * appends, and answers call when what it appended is committed; an error of
 * entering (NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS) is the call's.
 * Requests, responses and what they hold belong to the shard until the call
 * is done; responses are made in call->arena.
 *
 * Any thread, no lock held.
 */
#ifndef COORD_GROUP_SHARD_H
#define COORD_GROUP_SHARD_H

#include "base/budget.h"
#include "base/map.h"
#include "coord/group_coordinator.h"
#include "coord/group_image.h"
#include "coord/group_settings.h"
#include "coord/shard.h"

struct consumer_assignment;
struct group_shard;
struct kp_consumer_group_describe_response_group;
struct kp_consumer_group_heartbeat_request;
struct kp_consumer_group_heartbeat_response;
struct kp_share_group_describe_response_group;
struct kp_share_group_heartbeat_request;
struct kp_share_group_heartbeat_response;
struct share_group_persister;
struct kp_streams_group_describe_response_group;

/*
 * Has the regular expressions of a group resolved: calls consumer_regex_run
 * for it, later and on another thread.  The shard's lock is held; group_id and
 * principal are borrowed for the call.
 */
struct group_resolver {
	void (*resolve)(struct group_resolver *resolver,
	    struct group_shard *shard, struct slice group_id,
	    const struct principal *principal);
};

/* What all shards of a coordinator have in common; it outlives them. */
struct group_common {
	const struct group_settings *settings;
	const struct shard_settings *shard_settings;
	struct budget *memory;		/* of members and pending ids */
	struct group_image *image;
	struct group_resolver *resolver;
	struct share_group_persister *persister;
};

struct group_shard {
	struct shard shard;
	const struct group_common *common;
	const struct group_settings *settings;
	struct budget *memory;		/* of members and pending ids */

	/* guarded by the shard's lock */
	struct map groups;		/* struct group, by id */
	struct list groups_list;	/* the same, for walks with pauses */
	struct group *expiry_next;	/* where expiry goes on; NULL: done */
	struct group *drop_next;	/* the same of dropping topics */
	struct group *refresh_next;	/* and of topics that have changed */
	struct map producers;		/* struct group_producer, by id */
	/* of the consumer group that ended last */
	struct slice ended_id;		/* owned */
	int32_t ended_epoch;
	int64_t ended_offset;		/* of the record that says so */
	struct shard_timer expiry;	/* of offsets and empty groups */
};

/* common and host outlive the shard. */
void group_shard_init(struct group_shard *shard,
    const struct group_common *common, struct shard_host *host,
    int32_t partition);
/* The shard is closed. */
void group_shard_fini(struct group_shard *shard);

void group_shard_join(struct group_shard *shard, struct group_call *call,
    const struct kp_join_group_request *request,
    struct kp_join_group_response *response);
void group_shard_sync(struct group_shard *shard, struct group_call *call,
    const struct kp_sync_group_request *request,
    struct kp_sync_group_response *response);
void group_shard_heartbeat(struct group_shard *shard, struct group_call *call,
    const struct kp_heartbeat_request *request);
void group_shard_leave(struct group_shard *shard, struct group_call *call,
    const struct kp_leave_group_request *request,
    struct kp_leave_group_response *response);
void group_shard_commit(struct group_shard *shard, struct group_call *call,
    struct group_commit *commit);
void group_shard_end_transaction(struct group_shard *shard,
    struct shard_call *call, const struct group_marker *marker);
void group_shard_fetch(struct group_shard *shard, struct group_call *call,
    struct group_fetch *fetch);
void group_shard_delete_offsets(struct group_shard *shard,
    struct group_call *call, struct slice group_id,
    struct group_topic *topics, int32_t topics_count);
void group_shard_delete(struct group_shard *shard, struct group_call *call,
    struct slice group_id);

void group_shard_consumer_heartbeat(struct group_shard *shard,
    struct group_call *call,
    const struct kp_consumer_group_heartbeat_request *request,
    struct kp_consumer_group_heartbeat_response *response);

void group_shard_streams_heartbeat(struct group_shard *shard,
    struct group_call *call,
    const struct kp_streams_group_heartbeat_request *request,
    struct group_streams_result *result);

/* --- Share groups -------------------------------------------------------- */

void group_shard_share_heartbeat(struct group_shard *shard,
    struct group_call *call,
    const struct kp_share_group_heartbeat_request *request,
    struct kp_share_group_heartbeat_response *response);

/* Describe a share group; what is wrong with it is in the group. */
void group_shard_share_describe(struct group_shard *shard,
    struct group_call *call, struct slice group_id,
    struct kp_share_group_describe_response_group *group);

/*
 * The partitions whose state is kept for the group, in call->arena; none where
 * there is no such share group.
 */
void group_shard_share_partitions(struct group_shard *shard,
    struct group_call *call, struct slice group_id,
    struct consumer_assignment *partitions);

/* See group_coordinator.h. */
void group_shard_share_alter(struct group_shard *shard,
    struct group_call *call, struct group_share_offsets *offsets);
void group_shard_share_forget(struct group_shard *shard,
    struct group_call *call, struct group_share_offsets *offsets);

/* --- Topics -------------------------------------------------------------- */

/*
 * Groups that subscribe to one of these names look at the topics
 * anew.  Takes the lock piece by piece; one thread at a time.
 */
void group_shard_refresh(struct group_shard *shard, const struct map *names);

/* Topics that were deleted: sets of their names and of their ids. */
struct group_dropped {
	struct map names;
	struct map ids;
};

/*
 * Drop the offsets of those topics in all groups, also those without an id but
 * with the name of one, and what share groups remember of them.  Takes the
 * lock piece by piece; one thread at a time.  Should an append fail, offsets
 * stay, and expire in their time.
 */
void group_shard_drop_topics(struct group_shard *shard,
    const struct group_dropped *topics);

/* Which groups a ListGroups asks for; the filters may have many names. */
struct group_filter {
	uint32_t types;			/* bits, by the order of their names */
	uint32_t states;		/* the same */
};

struct group_filter group_filter_of(
    const struct kp_list_groups_request *request);

/*
 * Add to list, whose entries live in arena, the groups that pass the filter.
 * list is complete on return, and what it says committed when call is done.
 */
struct group_list {
	struct kp_list_groups_response_group *groups;
	int32_t count;
	int32_t capacity;
};
void group_shard_list(struct group_shard *shard, struct shard_call *call,
    struct arena *arena, struct group_filter filter, struct group_list *list);

/* Describe a consumer group; what is wrong with it is in the group. */
void group_shard_consumer_describe(struct group_shard *shard,
    struct group_call *call, struct slice group_id,
    struct kp_consumer_group_describe_response_group *group);

/* The same of a streams group. */
void group_shard_streams_describe(struct group_shard *shard,
    struct group_call *call, struct slice group_id,
    struct kp_streams_group_describe_response_group *group);

/* Describe a classic group; what is wrong with it is in group->error_code. */
void group_shard_describe(struct group_shard *shard, struct group_call *call,
    struct slice group_id, struct kp_describe_groups_response_group *group);

#endif
