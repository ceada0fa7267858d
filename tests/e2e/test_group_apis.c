/*
 * The group APIs by plain frames: every version that is served, the errors of
 * each and their shapes, and what a connection's order guarantees.
 */
#include "unit/unit.h"

#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "wire/codec.h"
#include "wire/error.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/delete_groups.h"
#include "wire/generated/delete_topics.h"
#include "wire/generated/describe_groups.h"
#include "wire/generated/find_coordinator.h"
#include "wire/generated/heartbeat.h"
#include "wire/generated/join_group.h"
#include "wire/generated/leave_group.h"
#include "wire/generated/list_groups.h"
#include "wire/generated/metadata.h"
#include "wire/generated/offset_commit.h"
#include "wire/generated/offset_delete.h"
#include "wire/generated/offset_fetch.h"
#include "wire/generated/sync_group.h"

#define CLIENTS 8

static struct broker_process broker;

static int
start_broker(void **state UNUSED)
{
	broker_process_start(
	    &broker, "--override", "group.initial.rebalance.delay.ms=0", NULL);
	return 0;
}

static int
stop_broker(void **state UNUSED)
{
	broker_process_fini(&broker);
	return 0;
}

/* Each test has a connection of its own. */
static int
connect_client(void **state)
{
	struct raw_client *client = xmalloc(sizeof(*client));

	raw_client_init(client, &broker);
	*state = client;
	return 0;
}

static int
close_client(void **state)
{
	raw_client_fini(*state);
	free(*state);
	return 0;
}

#define call(client, NAME, name, version, request)             \
	((const struct kp_##name##_response *)raw_client_call( \
	    client, KP_##NAME##_KEY, (int16_t)(version), request))

static void
expect_text(struct slice text, const char *expected)
{
	assert_true(slice_equal_str(text, expected));
}

/* --- FindCoordinator ----------------------------------------------------- */

static void
expect_us(const struct kp_find_coordinator_response_coordinator *entry,
    const char *message)
{
	assert_int_equal(entry->error_code, KP_NONE);
	expect_text(entry->error_message, message);
	assert_int_equal(entry->node_id, 1);
	assert_int_equal(entry->port, broker.port);
}

static int32_t
partitions_of(struct raw_client *client, const char *name, struct uuid *id)
{
	struct kp_metadata_request_topic topic = { .name = slice_str(name) };
	struct kp_metadata_request request = { .topics = &topic,
		.topics_count = 1 };
	const struct kp_metadata_response *response =
	    call(client, METADATA, metadata, 12, &request);

	assert_int_equal(response->topics_count, 1);
	*id = response->topics[0].topic_id;
	return response->topics[0].error_code == KP_NONE ?
	    response->topics[0].partitions_count :
	    0;
}

/* Many ask at once for what is not there yet, and none of them in vain. */
static void
the_first_to_ask_get_a_coordinator(void **state)
{
	struct kp_find_coordinator_request request = { .key = slice_str("g") };
	const struct kp_find_coordinator_response *response;
	struct raw_client clients[CLIENTS];
	struct uuid id;

	assert_int_equal(partitions_of(*state, "__consumer_offsets", &id), 0);
	for (int i = 0; i < CLIENTS; i++) {
		raw_client_init(&clients[i], &broker);
		raw_client_request(
		    &clients[i], KP_FIND_COORDINATOR_KEY, 3, i, &request);
	}
	for (int i = 0; i < CLIENTS; i++) {
		response = raw_client_response(
		    &clients[i], KP_FIND_COORDINATOR_KEY, 3, i);
		assert_int_equal(response->error_code, KP_NONE);
		assert_int_equal(response->node_id, 1);
		raw_client_fini(&clients[i]);
	}
	assert_int_equal(partitions_of(*state, "__consumer_offsets", &id), 50);
	assert_true(
	    broker_process_logged(&broker, "offsets.topic.replication.factor"));
}

static void
coordinators_are_found_in_every_version(void **state)
{
	struct slice keys[] = { slice_str("g"), slice_str("") };
	struct kp_find_coordinator_request request = {
		.key = slice_str("g"),
		.coordinator_keys = keys,
		.coordinator_keys_count = 2,
	};
	const struct kp_find_coordinator_response *response;

	for (int version = 0; version <= 6; version++) {
		response = call(*state, FIND_COORDINATOR, find_coordinator,
		    version, &request);
		if (version < 4) {
			assert_int_equal(response->error_code, KP_NONE);
			assert_int_equal(response->node_id, 1);
			assert_int_equal(response->port, broker.port);
			if (version > 0)
				expect_text(response->error_message, "NONE");
			continue;
		}
		assert_int_equal(response->coordinators_count, 2);
		expect_text(response->coordinators[0].key, "g");
		expect_us(&response->coordinators[0], "");
		expect_us(&response->coordinators[1], "");
	}
}

static enum kp_error
find_error(struct raw_client *client, int version, int8_t type, const char *key)
{
	struct slice keys[] = { slice_str(key) };
	struct kp_find_coordinator_request request = {
		.key_type = type,
		.coordinator_keys = keys,
		.coordinator_keys_count = 1,
	};
	const struct kp_find_coordinator_response *response =
	    call(client, FIND_COORDINATOR, find_coordinator, version, &request);

	assert_int_equal(response->coordinators_count, 1);
	expect_text(response->coordinators[0].key, key);
	assert_int_equal(response->coordinators[0].node_id, -1);
	assert_int_equal(response->coordinators[0].port, -1);
	expect_text(response->coordinators[0].host, "");
	assert_false(slice_is_null(response->coordinators[0].error_message));
	return (enum kp_error)response->coordinators[0].error_code;
}

static void
other_kinds_of_keys_have_no_coordinator(void **state)
{
	const char *share = "g:AAAAAAAAAAAAAAAAAAAAAQ:0";

	assert_int_equal(find_error(*state, 5, 2, share), KP_INVALID_REQUEST);
	assert_int_equal(find_error(*state, 6, 2, "g"), KP_INVALID_REQUEST);
	assert_int_equal(find_error(*state, 6, 2, "g:x:0"), KP_INVALID_REQUEST);
	assert_int_equal(find_error(*state, 6, 3, "g"), KP_INVALID_REQUEST);
}

/* --- Offsets ------------------------------------------------------------- */

#define COMMIT_MIN 2
#define FETCH_MIN 1
#define OFFSETS_MAX 10

/* Commit offset for partitions 0 and 7 of a topic of three. */
static void
commit(struct raw_client *client, int version, const char *group,
    const char *topic, struct uuid id, int64_t offset)
{
	struct kp_offset_commit_request_partition partitions[] = {
		{ 0, offset, 5, slice_str("here") },
		{ 7, offset, -1, SLICE_NULL },
	};
	struct kp_offset_commit_request_topic topics[] = {
		{ slice_str(topic), id, partitions, 2 },
		{ slice_str("none"), { { 1 } }, partitions, 1 },
	};
	struct kp_offset_commit_request request = {
		.group_id = slice_str(group),
		.generation_id_or_member_epoch = -1,
		.member_id = slice_str(""),
		.retention_time_ms = -1,
		.topics = topics,
		.topics_count = 2,
	};
	const struct kp_offset_commit_response *response =
	    call(client, OFFSET_COMMIT, offset_commit, version, &request);

	assert_int_equal(response->topics_count, 2);
	if (version < 10)
		expect_text(response->topics[0].name, topic);
	else
		assert_true(uuid_equal(response->topics[0].topic_id, id));
	assert_int_equal(response->topics[0].partitions_count, 2);
	assert_int_equal(response->topics[0].partitions[0].error_code, KP_NONE);
	assert_int_equal(response->topics[0].partitions[1].partition_index, 7);
	assert_int_equal(response->topics[0].partitions[1].error_code,
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	assert_int_equal(response->topics[1].partitions[0].error_code,
	    version < 10 ? KP_UNKNOWN_TOPIC_OR_PARTITION : KP_UNKNOWN_TOPIC_ID);
}

/* A partition as version 8 has it, whatever the version. */
static struct kp_offset_fetch_response_group_partition
partition_of(
    int version, const struct kp_offset_fetch_response *response, int32_t index)
{
	const struct kp_offset_fetch_response_partition *old;

	if (version >= 8) {
		assert_int_equal(response->groups_count, 1);
		assert_int_equal(response->groups[0].error_code, KP_NONE);
		assert_int_equal(response->groups[0].topics_count, 1);
		return response->groups[0].topics[0].partitions[index];
	}
	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->topics_count, 1);
	old = &response->topics[0].partitions[index];
	return (struct kp_offset_fetch_response_group_partition){
		old->partition_index, old->committed_offset,
		old->committed_leader_epoch, old->metadata, old->error_code
	};
}

static const struct kp_offset_fetch_response *
fetch(struct raw_client *client, int version, const char *group,
    const char *topic, struct uuid id)
{
	int32_t indexes[] = { 0, 2 };
	struct kp_offset_fetch_request_topic old = { slice_str(topic), indexes,
		2 };
	struct kp_offset_fetch_request_group_topic new = { slice_str(topic), id,
		indexes, 2 };
	struct kp_offset_fetch_request_group groups = {
		.group_id = slice_str(group),
		.member_epoch = -1,
		.topics = &new,
		.topics_count = 1,
	};
	struct kp_offset_fetch_request request = {
		.group_id = slice_str(group),
		.topics = &old,
		.topics_count = 1,
		.groups = &groups,
		.groups_count = 1,
		.require_stable = version >= 7,
	};

	return call(client, OFFSET_FETCH, offset_fetch, version, &request);
}

static void
expect_offset(struct raw_client *client, int version, const char *group,
    const char *topic, struct uuid id, int64_t offset)
{
	const struct kp_offset_fetch_response *response =
	    fetch(client, version, group, topic, id);
	struct kp_offset_fetch_response_group_partition partition =
	    partition_of(version, response, 0);

	assert_int_equal(partition.partition_index, 0);
	assert_int_equal(partition.error_code, KP_NONE);
	assert_int_equal(partition.committed_offset, offset);
	expect_text(partition.metadata, offset < 0 ? "" : "here");
	partition = partition_of(version, response, 1);
	assert_int_equal(partition.partition_index, 2);
	assert_int_equal(partition.error_code, KP_NONE);
	assert_int_equal(partition.committed_offset, -1);
	expect_text(partition.metadata, "");
}

static void
offsets_are_kept_in_every_version(void **state)
{
	struct uuid id;

	raw_topic_create(*state, "offsets", 3);
	assert_int_equal(partitions_of(*state, "offsets", &id), 3);
	for (int v = COMMIT_MIN; v <= OFFSETS_MAX; v++) {
		commit(*state, v, "simple", "offsets", id, v);
		for (int f = FETCH_MIN; f <= OFFSETS_MAX; f++)
			expect_offset(*state, f, "simple", "offsets", id, v);
	}
	for (int f = FETCH_MIN; f <= OFFSETS_MAX; f++)
		expect_offset(*state, f, "nobody", "offsets", id, -1);
	commit(*state, 9, "", "offsets", id, 77);
	expect_offset(*state, 9, "", "offsets", id, 77);
}

/* Null topics: all that there is. */
static void
all_offsets_of_several_groups(void **state)
{
	struct kp_offset_fetch_request_group groups[] = {
		{ .group_id = slice_str("first"),
		    .member_epoch = -1,
		    .topics_count = -1 },
		{ .group_id = slice_str("nobody"),
		    .member_epoch = -1,
		    .topics_count = -1 },
		{ .group_id = slice_str("second"),
		    .member_epoch = -1,
		    .topics_count = -1 },
	};
	struct kp_offset_fetch_request request = {
		.group_id = slice_str("first"),
		.topics_count = -1,
		.groups = groups,
		.groups_count = 3,
	};
	const struct kp_offset_fetch_response *response;
	struct uuid id;

	raw_topic_create(*state, "all", 3);
	assert_int_equal(partitions_of(*state, "all", &id), 3);
	commit(*state, 9, "first", "all", id, 11);
	commit(*state, 9, "second", "all", id, 22);
	for (int version = 2; version <= 7; version++) {
		response =
		    call(*state, OFFSET_FETCH, offset_fetch, version, &request);
		assert_int_equal(response->error_code, KP_NONE);
		assert_int_equal(response->topics_count, 1);
		assert_int_equal(response->topics[0].partitions_count, 1);
		assert_int_equal(
		    response->topics[0].partitions[0].committed_offset, 11);
	}
	for (int version = 8; version <= OFFSETS_MAX; version++) {
		response =
		    call(*state, OFFSET_FETCH, offset_fetch, version, &request);
		assert_int_equal(response->groups_count, 3);
		expect_text(response->groups[1].group_id, "nobody");
		assert_int_equal(response->groups[1].error_code, KP_NONE);
		assert_int_equal(response->groups[1].topics_count, 0);
		for (int i = 0; i < 3; i += 2) {
			assert_int_equal(response->groups[i].topics_count, 1);
			assert_int_equal(response->groups[i]
					     .topics[0]
					     .partitions[0]
					     .committed_offset,
			    i == 0 ? 11 : 22);
		}
		if (version >= 10)
			assert_true(uuid_equal(
			    response->groups[2].topics[0].topic_id, id));
	}
}

static void
unknown_topic_ids_have_no_offsets(void **state)
{
	const struct kp_offset_fetch_response *response =
	    fetch(*state, 10, "simple", "", (struct uuid){ { 0xab, 0xcd } });
	struct kp_offset_fetch_response_group_partition partition =
	    partition_of(10, response, 1);

	assert_int_equal(partition.error_code, KP_UNKNOWN_TOPIC_ID);
	assert_int_equal(partition.committed_offset, -1);
}

static void
delete_topic(struct raw_client *client, const char *name)
{
	struct slice names[] = { slice_str(name) };
	struct kp_delete_topics_request request = {
		.topic_names = names,
		.topic_names_count = 1,
		.timeout_ms = 30000,
	};
	const struct kp_delete_topics_response *response =
	    call(client, DELETE_TOPICS, delete_topics, 5, &request);

	assert_int_equal(response->responses_count, 1);
	assert_int_equal(response->responses[0].error_code, KP_NONE);
}

/* They go in the background. */
static void
wait_for_no_offset(struct raw_client *client, int version, const char *group,
    const char *topic, struct uuid id)
{
	const struct kp_offset_fetch_response *response;

	do
		response = fetch(client, version, group, topic, id);
	while (partition_of(version, response, 0).committed_offset != -1);
	expect_offset(client, version, group, topic, id, -1);
}

static void
offsets_go_with_their_topic(void **state)
{
	struct uuid id, other;

	raw_topic_create(*state, "gone", 3);
	raw_topic_create(*state, "stays", 3);
	assert_int_equal(partitions_of(*state, "gone", &id), 3);
	assert_int_equal(partitions_of(*state, "stays", &other), 3);
	commit(*state, 9, "both", "gone", id, 5);
	commit(*state, 9, "both", "stays", other, 6);
	delete_topic(*state, "gone");
	raw_topic_create(*state, "gone", 3);
	wait_for_no_offset(*state, 9, "both", "gone", id);
	expect_offset(*state, 9, "both", "stays", other, 6);
}

static void
send_creation(
    struct raw_client *client, struct slice name, int32_t correlation_id)
{
	struct kp_create_topics_request_topic topic = {
		.name = name,
		.num_partitions = 1,
		.replication_factor = 1,
	};
	struct kp_create_topics_request request = {
		.topics = &topic,
		.topics_count = 1,
		.timeout_ms = 30000,
	};

	raw_client_request(
	    client, KP_CREATE_TOPICS_KEY, 5, correlation_id, &request);
}

static void
send_commit(
    struct raw_client *client, struct slice topic_name, int32_t correlation_id)
{
	struct kp_offset_commit_request_partition partition = { 0, 1, -1,
		slice_str("here") };
	struct kp_offset_commit_request_topic topic = {
		.name = topic_name,
		.partitions = &partition,
		.partitions_count = 1,
	};
	struct kp_offset_commit_request request = {
		.group_id = slice_str("ordered"),
		.generation_id_or_member_epoch = -1,
		.member_id = slice_str(""),
		.topics = &topic,
		.topics_count = 1,
	};

	raw_client_request(
	    client, KP_OFFSET_COMMIT_KEY, 7, correlation_id, &request);
}

/*
 * A commit right behind the creation of its topic, before the answer to that,
 * finds the topic: as if the client had waited.
 */
static void
requests_of_a_connection_keep_their_order(void **state)
{
	const struct kp_offset_commit_response *response;
	struct raw_client *client = *state;

	for (int i = 0; i < 20; i++) {
		struct slice name =
		    arena_printf(&client->arena, "ordered-%d", i);

		send_creation(client, name, 2 * i);
		send_commit(client, name, 2 * i + 1);
	}
	for (int i = 0; i < 20; i++) {
		raw_client_response(client, KP_CREATE_TOPICS_KEY, 5, 2 * i);
		response = raw_client_response(
		    client, KP_OFFSET_COMMIT_KEY, 7, 2 * i + 1);
		assert_int_equal(
		    response->topics[0].partitions[0].error_code, KP_NONE);
	}
}

/* --- Members ------------------------------------------------------------- */

/* A subscription to the topic "s", as consumers put it. */
static const uint8_t subscription[] = { 0, 0, 0, 0, 0, 1, 0, 1, 's', 0xff, 0xff,
	0xff, 0xff };

static const struct kp_join_group_response *
join(struct raw_client *client, int version, const char *group,
    struct slice member_id)
{
	struct kp_join_group_request_protocol protocol = { slice_str("range"),
		slice_of(subscription, sizeof(subscription)) };
	struct kp_join_group_request request = {
		.group_id = slice_str(group),
		.session_timeout_ms = 30000,
		.rebalance_timeout_ms = 30000,
		.member_id = member_id,
		.protocol_type = slice_str("consumer"),
		.protocols = &protocol,
		.protocols_count = 1,
	};

	return call(client, JOIN_GROUP, join_group, version, &request);
}

/* What stays of it in the client's arena. */
struct membership {
	struct slice id;
	int32_t generation;
};

/* Join an empty group as its only member. */
static struct membership
enter(struct raw_client *client, int version, const char *group)
{
	const struct kp_join_group_response *response =
	    join(client, version, group, slice_str(""));
	struct membership member;

	member.id = arena_copy(&client->arena, response->member_id);
	assert_true(member.id.len > 0);
	if (version >= 4) {
		assert_int_equal(response->error_code, KP_MEMBER_ID_REQUIRED);
		assert_int_equal(response->generation_id, -1);
		response = join(client, version, group, member.id);
	}
	assert_int_equal(response->error_code, KP_NONE);
	assert_true(slice_equal(response->member_id, member.id));
	assert_true(slice_equal(response->leader, member.id));
	expect_text(response->protocol_name, "range");
	if (version >= 7)
		expect_text(response->protocol_type, "consumer");
	assert_int_equal(response->members_count, 1);
	assert_true(slice_equal(response->members[0].member_id, member.id));
	assert_true(slice_equal(response->members[0].metadata,
	    slice_of(subscription, sizeof(subscription))));
	member.generation = response->generation_id;
	return member;
}

static const struct kp_sync_group_response *
sync_group(struct raw_client *client, int version, const char *group,
    struct membership member)
{
	struct kp_sync_group_request_assignment assignment = { member.id,
		slice_str("yours") };
	struct kp_sync_group_request request = {
		.group_id = slice_str(group),
		.generation_id = member.generation,
		.member_id = member.id,
		.protocol_type = slice_str("consumer"),
		.protocol_name = slice_str("range"),
		.assignments = &assignment,
		.assignments_count = 1,
	};

	return call(client, SYNC_GROUP, sync_group, version, &request);
}

static enum kp_error
heartbeat(struct raw_client *client, int version, const char *group,
    struct membership member)
{
	struct kp_heartbeat_request request = {
		.group_id = slice_str(group),
		.generation_id = member.generation,
		.member_id = member.id,
	};

	return (enum kp_error)call(
	    client, HEARTBEAT, heartbeat, version, &request)
	    ->error_code;
}

static enum kp_error
leave(struct raw_client *client, int version, const char *group,
    struct slice member_id)
{
	struct kp_leave_group_request_member member = { .member_id =
							    member_id };
	struct kp_leave_group_request request = {
		.group_id = slice_str(group),
		.member_id = member_id,
		.members = &member,
		.members_count = 1,
	};
	const struct kp_leave_group_response *response =
	    call(client, LEAVE_GROUP, leave_group, version, &request);

	if (version < 3 || response->error_code != KP_NONE)
		return (enum kp_error)response->error_code;
	assert_int_equal(response->members_count, 1);
	assert_true(slice_equal(response->members[0].member_id, member_id));
	return (enum kp_error)response->members[0].error_code;
}

/* A member that has joined and synced, at these versions. */
static struct membership
become_stable(struct raw_client *client, int version, const char *group)
{
	struct membership member = enter(client, version, group);
	const struct kp_sync_group_response *response =
	    sync_group(client, MIN(version, 5), group, member);

	assert_int_equal(response->error_code, KP_NONE);
	expect_text(response->assignment, "yours");
	if (version >= 5) {
		expect_text(response->protocol_type, "consumer");
		expect_text(response->protocol_name, "range");
	}
	return member;
}

static void
members_come_and_go_in_every_version(void **state)
{
	for (int version = 0; version <= 9; version++) {
		struct membership member =
		    become_stable(*state, version, "versions");
		struct membership old = member;

		assert_int_equal(member.generation, 1 + 2 * version);
		assert_int_equal(
		    heartbeat(*state, MIN(version, 4), "versions", member),
		    KP_NONE);
		old.generation--;
		assert_int_equal(
		    heartbeat(*state, MIN(version, 4), "versions", old),
		    KP_ILLEGAL_GENERATION);
		assert_int_equal(
		    leave(*state, MIN(version, 5), "versions", member.id),
		    KP_NONE);
		assert_int_equal(
		    leave(*state, MIN(version, 5), "versions", member.id),
		    KP_UNKNOWN_MEMBER_ID);
		assert_int_equal(
		    heartbeat(*state, MIN(version, 4), "versions", member),
		    KP_UNKNOWN_MEMBER_ID);
	}
}

static void
groups_without_a_name_are_refused(void **state)
{
	struct membership nobody = { slice_str("m"), 1 };
	const struct kp_join_group_response *joined;
	const struct kp_sync_group_response *synced;

	joined = join(*state, 9, "", slice_str("m"));
	assert_int_equal(joined->error_code, KP_INVALID_GROUP_ID);
	assert_int_equal(joined->generation_id, -1);
	assert_true(slice_is_null(joined->protocol_name));
	expect_text(joined->member_id, "m");
	joined = join(*state, 0, "", slice_str("m"));
	assert_int_equal(joined->error_code, KP_INVALID_GROUP_ID);
	expect_text(joined->protocol_name, "");
	synced = sync_group(*state, 5, "", nobody);
	assert_int_equal(synced->error_code, KP_INVALID_GROUP_ID);
	assert_true(slice_is_null(synced->protocol_type));
	assert_int_equal(synced->assignment.len, 0);
	assert_int_equal(heartbeat(*state, 4, "", nobody), KP_INVALID_GROUP_ID);
	assert_int_equal(
	    leave(*state, 5, "", slice_str("m")), KP_INVALID_GROUP_ID);
}

static void
syncing_needs_the_protocol(void **state)
{
	struct kp_sync_group_request request = {
		.group_id = slice_str(""),
		.member_id = slice_str("m"),
		.protocol_type = slice_str("consumer"),
	};

	assert_int_equal(
	    call(*state, SYNC_GROUP, sync_group, 5, &request)->error_code,
	    KP_INCONSISTENT_GROUP_PROTOCOL);
	assert_int_equal(
	    call(*state, SYNC_GROUP, sync_group, 4, &request)->error_code,
	    KP_INVALID_GROUP_ID);
}

static void
sessions_have_bounds(void **state)
{
	struct kp_join_group_request_protocol protocol = { slice_str("range"),
		slice_str("") };
	struct kp_join_group_request request = {
		.group_id = slice_str("bounds"),
		.member_id = slice_str(""),
		.protocol_type = slice_str("consumer"),
		.protocols = &protocol,
		.protocols_count = 1,
	};
	static const int32_t bad[] = { 0, -1, 5999, 1800001 };

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		request.session_timeout_ms = bad[i];
		assert_int_equal(
		    call(*state, JOIN_GROUP, join_group, 9, &request)
			->error_code,
		    KP_INVALID_SESSION_TIMEOUT);
	}
}

/* --- Administration ------------------------------------------------------ */

static struct kp_describe_groups_response_group
describe(struct raw_client *client, int version, const char *group)
{
	struct slice names[] = { slice_str(group) };
	struct kp_describe_groups_request request = {
		.groups = names,
		.groups_count = 1,
		.include_authorized_operations = version >= 3,
	};
	const struct kp_describe_groups_response *response =
	    call(client, DESCRIBE_GROUPS, describe_groups, version, &request);

	assert_int_equal(response->groups_count, 1);
	expect_text(response->groups[0].group_id, group);
	return response->groups[0];
}

static void
groups_are_described_in_every_version(void **state)
{
	struct membership member = become_stable(*state, 9, "described");

	for (int version = 0; version <= 6; version++) {
		struct kp_describe_groups_response_group group =
		    describe(*state, version, "described");

		assert_int_equal(group.error_code, KP_NONE);
		expect_text(group.group_state, "Stable");
		expect_text(group.protocol_type, "consumer");
		expect_text(group.protocol_data, "range");
		assert_int_equal(group.members_count, 1);
		assert_true(slice_equal(group.members[0].member_id, member.id));
		expect_text(group.members[0].client_host, "/127.0.0.1");
		expect_text(group.members[0].member_assignment, "yours");
		if (version >= 3)
			assert_int_equal(group.authorized_operations, 3400);
	}
	for (int version = 0; version <= 6; version++) {
		struct kp_describe_groups_response_group group =
		    describe(*state, version, "nobody");

		expect_text(group.group_state, "Dead");
		assert_int_equal(group.members_count, 0);
		assert_int_equal(group.error_code,
		    version < 6 ? KP_NONE : KP_GROUP_ID_NOT_FOUND);
		if (version >= 6)
			assert_false(slice_is_null(group.error_message));
	}
}

/* A name is a byte of the request, and an entry of the answer. */
static void
too_many_groups_are_not_described(void **state)
{
	const int32_t count = 200001;
	struct slice *names = xcalloc((size_t)count, sizeof(*names));
	struct kp_describe_groups_request request = {
		.groups = names,
		.groups_count = count,
	};

	for (int32_t i = 0; i < count; i++)
		names[i] = slice_str("");
	raw_client_request(
	    *state, KP_DESCRIBE_GROUPS_KEY, 6, 1, &request);
	raw_client_expect_close(*state);
	free(names);
}

static bool
listed(struct raw_client *client, int version, const char *group,
    const char *state, const char *type)
{
	struct slice states[] = { slice_str(state) };
	struct slice types[] = { slice_str(type) };
	struct kp_list_groups_request request = {
		.states_filter = states,
		.states_filter_count = state == NULL ? 0 : 1,
		.types_filter = types,
		.types_filter_count = type == NULL ? 0 : 1,
	};
	const struct kp_list_groups_response *response =
	    call(client, LIST_GROUPS, list_groups, version, &request);

	assert_int_equal(response->error_code, KP_NONE);
	for (int32_t i = 0; i < response->groups_count; i++) {
		if (!slice_equal_str(response->groups[i].group_id, group))
			continue;
		if (version >= 4)
			expect_text(response->groups[i].group_state, "Stable");
		if (version >= 5)
			expect_text(response->groups[i].group_type, "classic");
		expect_text(response->groups[i].protocol_type, "consumer");
		return true;
	}
	return false;
}

static void
groups_are_listed_in_every_version(void **state)
{
	become_stable(*state, 9, "listed");
	for (int version = 0; version <= 5; version++) {
		assert_true(listed(*state, version, "listed", NULL, NULL));
		assert_false(listed(*state, version, "nobody", NULL, NULL));
	}
	assert_true(listed(*state, 5, "listed", "stable", "CLASSIC"));
	assert_false(listed(*state, 5, "listed", "Empty", NULL));
	assert_false(listed(*state, 5, "listed", NULL, "share"));
	assert_false(listed(*state, 5, "listed", "what", "ever"));
}

static void
groups_are_deleted_when_they_are_empty(void **state)
{
	struct raw_client *client = *state;

	for (int version = 0; version <= 2; version++) {
		struct slice names[] = { slice_str("deleted"),
			slice_str("nobody"), slice_str("deleted") };
		struct kp_delete_groups_request request = {
			.groups_names = names,
			.groups_names_count = 3,
		};
		const struct kp_delete_groups_response *response;
		struct membership member = become_stable(client, 9, "deleted");

		response = call(
		    client, DELETE_GROUPS, delete_groups, version, &request);
		assert_int_equal(response->results_count, 2);
		expect_text(response->results[0].group_id, "deleted");
		assert_int_equal(
		    response->results[0].error_code, KP_NON_EMPTY_GROUP);
		assert_int_equal(
		    response->results[1].error_code, KP_GROUP_ID_NOT_FOUND);
		assert_int_equal(
		    leave(client, 5, "deleted", member.id), KP_NONE);
		response = call(
		    client, DELETE_GROUPS, delete_groups, version, &request);
		assert_int_equal(response->results[0].error_code, KP_NONE);
		assert_int_equal(describe(client, 6, "deleted").error_code,
		    KP_GROUP_ID_NOT_FOUND);
	}
}

static const struct kp_offset_delete_response *
delete_offsets(struct raw_client *client, const char *group, const char *topic,
    int32_t index)
{
	struct kp_offset_delete_request_partition partition = { index };
	struct kp_offset_delete_request_topic topics = { slice_str(topic),
		&partition, 1 };
	struct kp_offset_delete_request request = {
		.group_id = slice_str(group),
		.topics = &topics,
		.topics_count = 1,
	};

	return call(client, OFFSET_DELETE, offset_delete, 0, &request);
}

static enum kp_error
partition_error(const struct kp_offset_delete_response *response)
{
	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->topics_count, 1);
	assert_int_equal(response->topics[0].partitions_count, 1);
	return (enum kp_error)response->topics[0].partitions[0].error_code;
}

static void
single_offsets_are_deleted(void **state)
{
	struct raw_client *client = *state;
	struct membership member;
	struct uuid id;

	raw_topic_create(client, "s", 3);
	raw_topic_create(client, "t", 3);
	assert_int_equal(partitions_of(client, "t", &id), 3);
	commit(client, 9, "pruned", "t", id, 4);
	member = become_stable(client, 9, "pruned");
	assert_int_equal(
	    partition_error(delete_offsets(client, "pruned", "s", 0)),
	    KP_GROUP_SUBSCRIBED_TO_TOPIC);
	assert_int_equal(
	    partition_error(delete_offsets(client, "pruned", "t", 9)),
	    KP_UNKNOWN_TOPIC_OR_PARTITION);
	expect_offset(client, 9, "pruned", "t", id, 4);
	assert_int_equal(
	    partition_error(delete_offsets(client, "pruned", "t", 0)), KP_NONE);
	expect_offset(client, 9, "pruned", "t", id, -1);
	assert_int_equal(leave(client, 5, "pruned", member.id), KP_NONE);

	assert_int_equal(delete_offsets(client, "", "t", 0)->error_code,
	    KP_INVALID_GROUP_ID);
	assert_int_equal(delete_offsets(client, "nobody", "t", 0)->error_code,
	    KP_GROUP_ID_NOT_FOUND);
}

/* --- The topic of groups ------------------------------------------------- */

/* Whoever deletes it loses the groups, and can have new ones. */
static void
groups_go_on_after_their_topic_was_deleted(void **state)
{
	struct kp_find_coordinator_request request = { .key = slice_str("g") };
	struct uuid id;

	raw_topic_create(*state, "kept", 3);
	assert_int_equal(partitions_of(*state, "kept", &id), 3);
	commit(*state, 9, "lost", "kept", id, 1);
	delete_topic(*state, "__consumer_offsets");
	assert_int_equal(heartbeat(*state, 4, "lost",
			     (struct membership){ slice_str("m"), 1 }),
	    KP_NOT_COORDINATOR);
	assert_int_equal(
	    call(*state, FIND_COORDINATOR, find_coordinator, 3, &request)
		->error_code,
	    KP_NONE);
	expect_offset(*state, 9, "lost", "kept", id, -1);
	commit(*state, 9, "lost", "kept", id, 2);
	expect_offset(*state, 9, "lost", "kept", id, 2);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, connect_client, close_client)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_to_ask_get_a_coordinator),
		TEST(coordinators_are_found_in_every_version),
		TEST(other_kinds_of_keys_have_no_coordinator),
		TEST(offsets_are_kept_in_every_version),
		TEST(all_offsets_of_several_groups),
		TEST(unknown_topic_ids_have_no_offsets),
		TEST(offsets_go_with_their_topic),
		TEST(requests_of_a_connection_keep_their_order),
		TEST(members_come_and_go_in_every_version),
		TEST(groups_without_a_name_are_refused),
		TEST(syncing_needs_the_protocol),
		TEST(sessions_have_bounds),
		TEST(groups_are_described_in_every_version),
		TEST(too_many_groups_are_not_described),
		TEST(groups_are_listed_in_every_version),
		TEST(groups_are_deleted_when_they_are_empty),
		TEST(single_offsets_are_deleted),
		TEST(groups_go_on_after_their_topic_was_deleted),
	};

	return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
