#include "bench/member.h"

#include "base/arena.h"
#include "wire/error.h"
#include "wire/generated/consumer_group_heartbeat.h"

#include <stdio.h>

#define ARENA_MAX (16u << 20)
#define VERSION 1
/* As the Java client has it. */
#define REBALANCE_TIMEOUT_MS 300000
#define LEAVES (-1)

/* What has not changed is not told, so this much is a heartbeat. */
static struct kp_consumer_group_heartbeat_request
request_of(const struct member *member)
{
	return (struct kp_consumer_group_heartbeat_request){
		.group_id = slice_str(member->group->id),
		.member_id = slice_str(member->id),
		.member_epoch = member->epoch,
		.rebalance_timeout_ms = -1,
		.subscribed_topic_names_count = -1,
		.topic_partitions_count = -1,
	};
}

static void
make(struct member *member,
    const struct kp_consumer_group_heartbeat_request *request)
{
	member->key = KP_CONSUMER_GROUP_HEARTBEAT_KEY;
	buf_fini(&member->frame);
	frame_encode(&member->frame, member->key, VERSION, request);
}

static void
join(struct member *member)
{
	struct kp_consumer_group_heartbeat_request request;
	struct kp_consumer_group_heartbeat_request_topic_partition none;
	struct slice topic = slice_str(member->group->topic->name);

	/* Members choose their ids themselves; as long as the Java client's. */
	snprintf(member->id, sizeof(member->id), "%.12s-%09d",
	    member->group->id, member->number);
	member->settled = false;
	member->epoch = 0;
	member->owned = 0;
	request = request_of(member);
	request.rebalance_timeout_ms = REBALANCE_TIMEOUT_MS;
	request.subscribed_topic_names = &topic;
	request.subscribed_topic_names_count = 1;
	request.topic_partitions = &none;
	request.topic_partitions_count = 0;
	make(member, &request);
}

static void
heartbeat(struct member *member)
{
	struct kp_consumer_group_heartbeat_request request =
	    request_of(member);

	make(member, &request);
}

static void
leave(struct member *member)
{
	struct kp_consumer_group_heartbeat_request request =
	    request_of(member);

	request.member_epoch = LEAVES;
	make(member, &request);
}

/* Give up what is not assigned any more, and tell what is owned now. */
static void
take(struct member *member,
    const struct kp_consumer_group_heartbeat_response_assignment *assignment)
{
	struct kp_consumer_group_heartbeat_request request =
	    request_of(member);
	struct kp_consumer_group_heartbeat_request_topic_partition owned = {
		.topic_id = member->group->topic->id
	};

	member->owned = 0;
	if (assignment->topic_partitions_count > 0) {
		owned.partitions = assignment->topic_partitions[0].partitions;
		owned.partitions_count =
		    assignment->topic_partitions[0].partitions_count;
		member->owned = owned.partitions_count;
	}
	request.topic_partitions = &owned;
	request.topic_partitions_count = member->owned > 0 ? 1 : 0;
	make(member, &request);
}

static void
answered(struct member *member, struct slice answer)
{
	struct kp_consumer_group_heartbeat_response response;
	struct arena arena;

	arena_init(&arena, ARENA_MAX);
	frame_decode(KP_CONSUMER_GROUP_HEARTBEAT_KEY, VERSION, answer,
	    &response, &arena);
	if (member->epoch == 0 && coordinator_comes(response.error_code)) {
		join(member);
		arena_reset(&arena);
		return;
	}
	if (response.error_code != KP_NONE)
		die("%s: ConsumerGroupHeartbeat: error %d", member->group->id,
		    response.error_code);
	member->epoch = response.member_epoch;
	member->settled = response.assignment == NULL;
	if (response.assignment == NULL)
		heartbeat(member);
	else
		take(member, response.assignment);
	arena_reset(&arena);
}

static bool
alive(struct slice answer)
{
	struct kp_consumer_group_heartbeat_response response;
	struct arena arena;

	arena_init(&arena, ARENA_MAX);
	frame_decode(KP_CONSUMER_GROUP_HEARTBEAT_KEY, VERSION, answer,
	    &response, &arena);
	arena_reset(&arena);
	return response.error_code == KP_NONE && response.assignment == NULL;
}

/* All are in the same epoch, and each has its even share of all partitions. */
static bool
settled(const struct group *group)
{
	int32_t epoch = -1, owned = 0, least = INT32_MAX, most = 0;

	for (int i = 0; i < group->count; i++) {
		const struct member *member = &group->members[i];

		if (member->has_left)
			continue;
		if (epoch == -1)
			epoch = member->epoch;
		if (!member->settled || member->epoch != epoch)
			return false;
		owned += member->owned;
		least = MIN(least, member->owned);
		most = MAX(most, member->owned);
	}
	return owned == group->topic->partitions && most - least <= 1;
}

const struct protocol consumer_protocol = {
	.name = "consumer",
	.heartbeat_interval_ms = 5000,
	.join = join,
	.answered = answered,
	.heartbeat = heartbeat,
	.alive = alive,
	.settled = settled,
	.leave = leave,
};
