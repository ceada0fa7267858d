#include "faults/committer.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "e2e/raw_client.h"
#include "faults/ledger.h"
#include "unit/unit.h"
#include "wire/error.h"
#include "wire/generated/find_coordinator.h"
#include "wire/generated/offset_commit.h"
#include "wire/generated/offset_fetch.h"

#define FIND_COORDINATOR_VERSION 4
#define OFFSET_COMMIT_VERSION 8
#define OFFSET_FETCH_VERSION 7
#define POLL_US 1000
#define DEADLINE_MS 60000

void
committer_init(struct committer *committer,
    const struct broker_process *broker, const struct ledger *ledger)
{
	memset(committer, 0, sizeof(*committer));
	committer->broker = broker;
	committer->topic = ledger->topics[0].name;
	assert(ledger->topics[0].partitions_count >= COMMITTER_PARTITIONS);
}

static struct slice
group_name(int32_t group, struct raw_client *client)
{
	return arena_printf(&client->arena, "group-%d", group);
}

/* Asking makes the topic that holds offsets.  False where it was in vain. */
static bool
find_coordinator(struct raw_client *client)
{
	struct slice keys[] = { group_name(0, client) };
	struct kp_find_coordinator_request request = {
		.coordinator_keys = keys,
		.coordinator_keys_count = 1,
	};
	const struct kp_find_coordinator_response *response =
	    raw_client_try_call(client, KP_FIND_COORDINATOR_KEY,
		FIND_COORDINATOR_VERSION, &request);
	int16_t error;

	if (response == NULL)
		return false;
	assert_int_equal(response->coordinators_count, 1);
	error = response->coordinators[0].error_code;
	if (error != KP_NONE && !kp_error_is_retriable(error))
		fail_msg("finding a coordinator: %s", kp_error_name(error));
	return error == KP_NONE;
}

/* --- Committing ---------------------------------------------------------- */

static const struct kp_offset_commit_response *
commit(struct committer *committer, int32_t group, struct raw_client *client)
{
	struct kp_offset_commit_request_partition
	    partitions[COMMITTER_PARTITIONS];
	struct kp_offset_commit_request_topic topic = {
		.name = slice_str(committer->topic),
		.partitions = partitions,
		.partitions_count = COMMITTER_PARTITIONS,
	};
	struct kp_offset_commit_request request;

	kp_defaults(&kp_offset_commit_request, &request);
	request.group_id = group_name(group, client);
	request.topics = &topic;
	request.topics_count = 1;
	for (int32_t i = 0; i < COMMITTER_PARTITIONS; i++) {
		kp_defaults_struct(&kp_offset_commit_request_partition_struct,
		    &partitions[i]);
		partitions[i].partition_index = i;
		partitions[i].committed_offset = committer->sent[group];
	}
	return raw_client_try_call(client, KP_OFFSET_COMMIT_KEY,
	    OFFSET_COMMIT_VERSION, &request);
}

/* False where clients would commit again. */
static bool
take_answer(struct committer *committer, int32_t group,
    const struct kp_offset_commit_response *response)
{
	bool all = true;

	assert_int_equal(response->topics_count, 1);
	assert_int_equal(response->topics[0].partitions_count,
	    COMMITTER_PARTITIONS);
	for (int32_t i = 0; i < COMMITTER_PARTITIONS; i++) {
		int16_t error = response->topics[0].partitions[i].error_code;

		if (error == KP_NONE)
			committer->acked[group][i] = committer->sent[group];
		else if (!kp_error_is_retriable(error))
			fail_msg("a commit of group-%d: %s", group,
			    kp_error_name(error));
		all &= error == KP_NONE;
	}
	return all;
}

static bool
commit_some(struct committer *committer, struct raw_client *client,
    const atomic_bool *stop)
{
	int32_t group = committer->next_group;
	const struct kp_offset_commit_response *response;

	arena_reset(&client->arena);
	committer->next_group = (group + 1) % COMMITTER_GROUPS;
	committer->sent[group]++;
	response = commit(committer, group, client);
	if (response == NULL || atomic_load(stop) ||
	    !take_answer(committer, group, response))
		return false;
	atomic_fetch_add(&committer->commits, 1);
	return true;
}

void
committer_run(struct committer *committer, const atomic_bool *stop)
{
	struct raw_client client;

	if (!raw_client_try_init(&client, committer->broker))
		return;
	if (find_coordinator(&client))
		while (commit_some(committer, &client, stop))
			;
	raw_client_fini(&client);
}

/* --- After a fault ------------------------------------------------------- */

static const struct kp_offset_fetch_response *
fetch(const struct committer *committer, int32_t group,
    struct raw_client *client)
{
	int32_t indexes[COMMITTER_PARTITIONS];
	struct kp_offset_fetch_request_topic topic = {
		.name = slice_str(committer->topic),
		.partition_indexes = indexes,
		.partition_indexes_count = COMMITTER_PARTITIONS,
	};
	struct kp_offset_fetch_request request = {
		.group_id = group_name(group, client),
		.topics = &topic,
		.topics_count = 1,
	};
	const struct kp_offset_fetch_response *response;
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;

	for (int32_t i = 0; i < COMMITTER_PARTITIONS; i++)
		indexes[i] = i;
	for (;; usleep(POLL_US)) {
		response = raw_client_call(client, KP_OFFSET_FETCH_KEY,
		    OFFSET_FETCH_VERSION, &request);
		if (!kp_error_is_retriable(response->error_code))
			break;
		if (clock_monotonic_ms() > deadline)
			fail_msg("the offsets of group-%d do not come: %s",
			    group, kp_error_name(response->error_code));
	}
	assert_int_equal(response->error_code, KP_NONE);
	return response;
}

static void
hold_to(struct committer *committer, int32_t group, int32_t partition,
    int64_t offset)
{
	int64_t *acked = &committer->acked[group][partition];

	/* -1 is none. */
	if (MAX(offset, 0) < *acked)
		fail_msg("group-%d is at %lld, and %lld was acknowledged",
		    group, (long long)offset, (long long)*acked);
	if (offset > committer->sent[group])
		fail_msg("group-%d is at %lld, and only %lld were sent",
		    group, (long long)offset,
		    (long long)committer->sent[group]);
	*acked = MAX(offset, 0);
}

void
committer_audit(struct committer *committer, struct raw_client *client)
{
	assert_true(find_coordinator(client));
	for (int32_t group = 0; group < COMMITTER_GROUPS; group++) {
		const struct kp_offset_fetch_response *response;

		arena_reset(&client->arena);
		response = fetch(committer, group, client);
		assert_int_equal(response->topics_count, 1);
		assert_int_equal(response->topics[0].partitions_count,
		    COMMITTER_PARTITIONS);
		for (int32_t i = 0; i < COMMITTER_PARTITIONS; i++)
			hold_to(committer, group,
			    response->topics[0].partitions[i].partition_index,
			    response->topics[0]
				.partitions[i].committed_offset);
	}
}
