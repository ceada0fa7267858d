#include "bench/member.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "wire/error.h"
#include "wire/generated/heartbeat.h"
#include "wire/generated/join_group.h"
#include "wire/generated/leave_group.h"
#include "wire/generated/sync_group.h"

#include <stdio.h>

#define ARENA_MAX (16u << 20)
#define JOIN_VERSION 9
#define SYNC_VERSION 5
#define HEARTBEAT_VERSION 4
#define LEAVE_VERSION 5
/* As the Java client has them. */
#define SESSION_TIMEOUT_MS 45000
#define REBALANCE_TIMEOUT_MS 300000
#define PROTOCOL_TYPE SLICE_LITERAL("consumer")
#define PROTOCOL_NAME SLICE_LITERAL("range")

static void
make(struct member *member, int key, int version, const void *request)
{
	member->key = key;
	buf_fini(&member->frame);
	frame_encode(&member->frame, key, version, request);
}

/* Subscription and assignment alike: version 0, one topic, what follows. */
static struct slice
consumer_bytes(
    struct arena *arena, const struct topic *topic, const int32_t *partitions)
{
	struct slice name = slice_str(topic->name);
	uint8_t *bytes = arena_xalloc(arena, name.len + 24), *at = bytes;

	be16_put(at, 0);
	be32_put(at + 2, 1);
	be16_put(at + 6, (uint16_t)name.len);
	memcpy(at + 8, name.data, name.len);
	at += 8 + name.len;
	if (partitions != NULL) {
		be32_put(at, 1);
		be32_put(at + 4, (uint32_t)*partitions);
		at += 8;
	}
	be32_put(at, UINT32_MAX); /* no user data */
	return slice_of(bytes, (size_t)(at + 4 - bytes));
}

static void
join(struct member *member)
{
	struct group *group = member->group;
	struct arena arena;
	struct kp_join_group_request_protocol protocol = {
		.name = PROTOCOL_NAME
	};
	const struct kp_join_group_request request = {
		.group_id = slice_str(group->id),
		.session_timeout_ms = SESSION_TIMEOUT_MS,
		.rebalance_timeout_ms = REBALANCE_TIMEOUT_MS,
		.member_id = slice_str(member->id),
		.protocol_type = PROTOCOL_TYPE,
		.protocols = &protocol,
		.protocols_count = 1
	};

	arena_init(&arena, ARENA_MAX);
	protocol.metadata = consumer_bytes(&arena, group->topic, NULL);
	member->settled = false;
	make(member, KP_JOIN_GROUP_KEY, JOIN_VERSION, &request);
	arena_reset(&arena);
}

/* The leader's has a partition for each of the members. */
static void
sync(struct member *member, const struct kp_join_group_response *joined,
    struct arena *arena)
{
	const struct topic *topic = member->group->topic;
	int32_t count = joined->members_count;
	struct kp_sync_group_request_assignment *assignments =
	    arena_xcalloc(arena, (size_t)count, sizeof(*assignments));
	const struct kp_sync_group_request request = {
		.group_id = slice_str(member->group->id),
		.generation_id = member->epoch,
		.member_id = slice_str(member->id),
		.protocol_type = PROTOCOL_TYPE,
		.protocol_name = PROTOCOL_NAME,
		.assignments = assignments,
		.assignments_count = count
	};

	for (int32_t i = 0; i < count; i++) {
		int32_t partition = i % topic->partitions;

		assignments[i].member_id = joined->members[i].member_id;
		assignments[i].assignment =
		    consumer_bytes(arena, topic, &partition);
	}
	make(member, KP_SYNC_GROUP_KEY, SYNC_VERSION, &request);
}

static void
heartbeat(struct member *member)
{
	const struct kp_heartbeat_request request = {
		.group_id = slice_str(member->group->id),
		.generation_id = member->epoch,
		.member_id = slice_str(member->id)
	};

	make(member, KP_HEARTBEAT_KEY, HEARTBEAT_VERSION, &request);
}

static void
leave(struct member *member)
{
	struct kp_leave_group_request_member left = {
		.member_id = slice_str(member->id)
	};
	const struct kp_leave_group_request request = {
		.group_id = slice_str(member->group->id),
		.members = &left,
		.members_count = 1
	};

	make(member, KP_LEAVE_GROUP_KEY, LEAVE_VERSION, &request);
}

/* Who asked before the others had begun is told of the generation before. */
static void
joined(struct member *member, struct slice answer, struct arena *arena)
{
	struct kp_join_group_response response;

	frame_decode(
	    KP_JOIN_GROUP_KEY, JOIN_VERSION, answer, &response, arena);
	snprintf(member->id, sizeof(member->id), "%.*s",
	    (int)response.member_id.len, (const char *)response.member_id.data);
	member->epoch = response.generation_id;
	if (response.error_code == KP_MEMBER_ID_REQUIRED ||
	    coordinator_comes(response.error_code) ||
	    (response.error_code == KP_NONE &&
		member->epoch <= member->group->past))
		join(member);
	else if (response.error_code == KP_NONE) {
		member->leads = response.members_count > 0;
		sync(member, &response, arena);
	} else
		die("%s: JoinGroup: error %d", member->group->id,
		    response.error_code);
}

static void
synced(struct member *member, struct slice answer, struct arena *arena)
{
	struct kp_sync_group_response response;

	frame_decode(
	    KP_SYNC_GROUP_KEY, SYNC_VERSION, answer, &response, arena);
	if (response.error_code == KP_REBALANCE_IN_PROGRESS) {
		join(member);
		return;
	}
	if (response.error_code != KP_NONE || response.assignment.len == 0)
		die("%s: SyncGroup: error %d", member->group->id,
		    response.error_code);
	member->settled = true;
	heartbeat(member);
}

static int
heartbeat_error(struct slice answer)
{
	struct kp_heartbeat_response response;
	struct arena arena;

	arena_init(&arena, ARENA_MAX);
	frame_decode(
	    KP_HEARTBEAT_KEY, HEARTBEAT_VERSION, answer, &response, &arena);
	arena_reset(&arena);
	return response.error_code;
}

static void
beaten(struct member *member, struct slice answer)
{
	int error = heartbeat_error(answer);

	if (error == KP_REBALANCE_IN_PROGRESS)
		join(member);
	else if (error == KP_NONE)
		heartbeat(member);
	else
		die("%s: Heartbeat: error %d", member->group->id, error);
}

static void
answered(struct member *member, struct slice answer)
{
	struct arena arena;

	arena_init(&arena, ARENA_MAX);
	if (member->key == KP_JOIN_GROUP_KEY)
		joined(member, answer, &arena);
	else if (member->key == KP_SYNC_GROUP_KEY)
		synced(member, answer, &arena);
	else
		beaten(member, answer);
	arena_reset(&arena);
}

static bool
alive(struct slice answer)
{
	return heartbeat_error(answer) == KP_NONE;
}

/* All have synced, and in the same generation. */
static bool
settled(const struct group *group)
{
	int32_t epoch = -1;

	for (int i = 0; i < group->count; i++) {
		const struct member *member = &group->members[i];

		if (member->has_left)
			continue;
		if (epoch == -1)
			epoch = member->epoch;
		if (!member->settled || member->epoch != epoch)
			return false;
	}
	return true;
}

const struct protocol classic_protocol = {
	.name = "classic",
	.heartbeat_interval_ms = 3000,
	.join = join,
	.answered = answered,
	.heartbeat = heartbeat,
	.alive = alive,
	.settled = settled,
	.leave = leave,
};
