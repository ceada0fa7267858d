#include "e2e/group_member.h"

#include "base/clock.h"
#include "e2e/kafka_client.h"
#include "unit/unit.h"

#define DEADLINE_MS 60000
#define POLL_MS 5
/* How long to look for records that come twice. */
#define SECOND_LOOK_MS 300

/* --- Partitions ---------------------------------------------------------- */

static void
note(struct group_member *member,
    const rd_kafka_topic_partition_list_t *partitions, bool owned)
{
	for (int i = 0; i < partitions->cnt; i++) {
		int32_t index = partitions->elems[i].partition;

		assert_in_range(index, 0, GROUP_PARTITIONS - 1);
		assert_int_not_equal(member->owned[index], owned);
		member->owned[index] = owned;
	}
	if (partitions->cnt > 0 && owned)
		member->assignments++;
	else if (partitions->cnt > 0)
		member->losses++;
}

static void
expect_done(rd_kafka_error_t *error)
{
	if (error != NULL)
		fail_msg("%s", rd_kafka_error_string(error));
}

/* A consumer that is being closed may not know its protocol any more. */
static bool
cooperates(struct group_member *member)
{
	const char *protocol = rd_kafka_rebalance_protocol(member->client);

	if (protocol != NULL)
		member->cooperative = strcmp(protocol, "COOPERATIVE") == 0;
	return member->cooperative;
}

static void
rebalanced(rd_kafka_t *client, rd_kafka_resp_err_t event,
    rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
	struct group_member *member = opaque;
	bool owned = event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;

	note(member, partitions, owned);
	if (cooperates(member))
		expect_done(owned ?
			rd_kafka_incremental_assign(client, partitions) :
			rd_kafka_incremental_unassign(client, partitions));
	else
		assert_int_equal(
		    rd_kafka_assign(client, owned ? partitions : NULL),
		    RD_KAFKA_RESP_ERR_NO_ERROR);
}

int
group_member_owns(const struct group_member *member)
{
	int count = 0;

	for (int i = 0; i < GROUP_PARTITIONS; i++)
		count += member->owned[i];
	return count;
}

/* --- Life ---------------------------------------------------------------- */

static void
subscribe(struct group_member *member, const char *topic)
{
	rd_kafka_topic_partition_list_t *topics =
	    rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
	assert_int_equal(rd_kafka_subscribe(member->client, topics),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_topic_partition_list_destroy(topics);
}

void
group_member_init(struct group_member *member,
    const struct broker_process *broker, struct group_view *view,
    const char *group, const char *topic, const char *const *settings)
{
	rd_kafka_conf_t *conf = kafka_client_conf(broker,
	    KAFKA_SETTINGS("group.id", group, "auto.offset.reset", "earliest",
		"session.timeout.ms", "6000", "heartbeat.interval.ms", "200",
		"auto.commit.interval.ms", "100", "fetch.wait.max.ms", "50",
		"reconnect.backoff.max.ms", "500",
		"topic.metadata.refresh.interval.ms", "1000"));

	memset(member, 0, sizeof(*member));
	member->view = view;
	kafka_client_set(conf, settings);
	rd_kafka_conf_set_opaque(conf, member);
	rd_kafka_conf_set_rebalance_cb(conf, rebalanced);
	member->client = kafka_client_of(conf, RD_KAFKA_CONSUMER);
	assert_int_equal(rd_kafka_poll_set_consumer(member->client),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
	subscribe(member, topic);
}

void
group_member_vanish(struct group_member *member)
{
	rd_kafka_destroy_flags(
	    member->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	memset(member->owned, 0, sizeof(member->owned));
	member->client = NULL;
}

/* --- Polling ------------------------------------------------------------- */

static void
see(struct group_member *member, const rd_kafka_message_t *record)
{
	struct group_view *view = member->view;

	assert_in_range(record->partition, 0, GROUP_PARTITIONS - 1);
	assert_in_range(record->offset, 0, GROUP_RECORDS_MAX - 1);
	assert_true(member->owned[record->partition]);
	if (view->seen[record->partition][record->offset]++ != 0)
		fail_msg("record %lld of partition %d has come twice",
		    (long long)record->offset, record->partition);
	view->seen_count++;
}

/* Errors are the broker's being away in tests of restarts. */
static void
poll_one(struct group_member *member)
{
	rd_kafka_message_t *record =
	    rd_kafka_consumer_poll(member->client, POLL_MS);

	if (record == NULL)
		return;
	if (record->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		see(member, record);
	rd_kafka_message_destroy(record);
}

/* --- Leaving ------------------------------------------------------------- */

/*
 * Everything is given up before, while the client's own thread answers: it may
 * have ended already when a close takes partitions away, and then librdkafka
 * 2.0 waits for it for ever.
 */
void
group_member_close(struct group_member *member)
{
	assert_int_equal(rd_kafka_unsubscribe(member->client),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
	while (group_member_owns(member) > 0)
		poll_one(member);
	assert_int_equal(rd_kafka_consumer_close(member->client),
	    RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_destroy(member->client);
	member->client = NULL;
}

/* --- Together ------------------------------------------------------------ */

static void
expect_single_owners(const struct group_member *members, size_t count)
{
	for (int i = 0; i < GROUP_PARTITIONS; i++) {
		int owners = 0;

		for (size_t m = 0; m < count; m++)
			owners += members[m].owned[i];
		assert_in_range(owners, 0, 1);
	}
}

static void
poll_all(struct group_member *members, size_t count)
{
	for (size_t m = 0; m < count; m++) {
		poll_one(&members[m]);
		expect_single_owners(members, count);
	}
}

void
group_members_poll(struct group_member *members, size_t count, int64_t ms)
{
	int64_t end = clock_monotonic_ms() + ms;

	while (clock_monotonic_ms() < end)
		poll_all(members, count);
}

static bool
settled(const struct group_member *members, size_t count)
{
	for (size_t m = 0; m < count; m++)
		if (group_member_owns(&members[m]) !=
		    (int)(GROUP_PARTITIONS / count))
			return false;
	return true;
}

void
group_members_settle(struct group_member *members, size_t count)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;

	assert_int_equal(GROUP_PARTITIONS % count, 0);
	while (!settled(members, count)) {
		assert_true(clock_monotonic_ms() < deadline);
		poll_all(members, count);
	}
}

void
group_members_drain(
    struct group_member *members, size_t members_count, size_t count)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;

	while (members->view->seen_count < count) {
		if (clock_monotonic_ms() > deadline)
			fail_msg("%zu of %zu records have come",
			    members->view->seen_count, count);
		poll_all(members, members_count);
	}
	group_members_poll(members, members_count, SECOND_LOOK_MS);
	assert_int_equal(members->view->seen_count, count);
}
