/*
 * Consumer groups with librdkafka: members come, go, vanish and come back,
 * brokers stop and die, and every record is seen once.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "e2e/broker_process.h"
#include "e2e/group_member.h"
#include "e2e/kafka_client.h"

static struct broker_process broker;
static struct group_view view;

static int
start_broker(void **state UNUSED)
{
	broker_process_start(&broker, "--override",
	    "group.initial.rebalance.delay.ms=100", NULL);
	return 0;
}

static int
stop_broker(void **state UNUSED)
{
	broker_process_fini(&broker);
	return 0;
}

/* A topic of the test's own, and nothing seen of it. */
static void
begin(const char *topic)
{
	memset(&view, 0, sizeof(view));
	kafka_client_create_topic(
	    &broker, topic, GROUP_PARTITIONS, KAFKA_DEFAULTS);
}

/* Append count records to each partition. */
static void
produce(const char *topic, int count)
{
	struct kafka_producer producer;

	kafka_producer_init(&producer, &broker, KAFKA_DEFAULTS);
	for (int i = 0; i < count * GROUP_PARTITIONS; i++)
		kafka_producer_send(&producer, topic, i % GROUP_PARTITIONS,
		    SLICE_NULL, slice_str("value"));
	kafka_producer_flush_ok(&producer);
	kafka_producer_fini(&producer);
}

static void
join(struct group_member *member, const char *name, const char *strategy)
{
	group_member_init(member, &broker, &view, name, name,
	    KAFKA_SETTINGS("partition.assignment.strategy", strategy));
}

static void
join_static(struct group_member *member, const char *name, const char *instance)
{
	group_member_init(member, &broker, &view, name, name,
	    KAFKA_SETTINGS("group.instance.id", instance));
}

static void
close_all(struct group_member *members, size_t count)
{
	for (size_t i = 0; i < count; i++)
		group_member_close(&members[i]);
}

/* --- Rebalancing --------------------------------------------------------- */

/* One, two, three members and back, with records between. */
static void
grow_and_shrink(const char *name, const char *strategy)
{
	struct group_member members[GROUP_MEMBERS_MAX];
	size_t total = 0;

	begin(name);
	for (size_t count = 1; count <= 3; count++) {
		join(&members[count - 1], name, strategy);
		group_members_settle(members, count);
		produce(name, 20);
		total += 20 * GROUP_PARTITIONS;
		group_members_drain(members, count, total);
	}
	for (size_t count = 2; count >= 1; count--) {
		group_member_close(&members[count]);
		group_members_settle(members, count);
		produce(name, 20);
		total += 20 * GROUP_PARTITIONS;
		group_members_drain(members, count, total);
	}
	group_member_close(&members[0]);
}

static void
eager_members_share_partitions(void **state UNUSED)
{
	grow_and_shrink("eager", "range");
	grow_and_shrink("eager-round", "roundrobin");
}

static void
cooperative_members_share_partitions(void **state UNUSED)
{
	grow_and_shrink("cooperative", "cooperative-sticky");
}

/* Who joins takes only what the others have too much of. */
static void
cooperative_members_keep_what_they_can(void **state UNUSED)
{
	const char *name = "keeping", *strategy = "cooperative-sticky";
	struct group_member members[GROUP_MEMBERS_MAX];

	begin(name);
	join(&members[0], name, strategy);
	join(&members[1], name, strategy);
	group_members_settle(members, 2);
	members[0].losses = members[1].losses = 0;
	join(&members[2], name, strategy);
	while (group_member_owns(&members[2]) != 2) {
		group_members_poll(members, 3, 10);
		/* Never do they let go of more than they have to. */
		assert_in_range(group_member_owns(&members[0]), 2, 3);
		assert_in_range(group_member_owns(&members[1]), 2, 3);
	}
	assert_int_equal(members[0].losses, 1);
	assert_int_equal(members[1].losses, 1);
	close_all(members, 3);
}

/* Three at once, into the initial delay. */
static void
members_may_come_together(void **state UNUSED)
{
	struct group_member members[GROUP_MEMBERS_MAX];

	begin("together");
	for (int i = 0; i < 3; i++)
		join(&members[i], "together", "range");
	group_members_settle(members, 3);
	produce("together", 50);
	group_members_drain(members, 3, (size_t)50 * GROUP_PARTITIONS);
	close_all(members, 3);
}

/* --- Static members ------------------------------------------------------ */

static void
expect_undisturbed(const struct group_member *members, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(members[i].assignments, 0);
		assert_int_equal(members[i].losses, 0);
	}
}

static void
forget_rebalances(struct group_member *members, size_t count)
{
	for (size_t i = 0; i < count; i++)
		members[i].assignments = members[i].losses = 0;
}

/* Its partitions wait for it, and nobody else notices. */
static void
static_members_come_back(void **state UNUSED)
{
	struct group_member members[GROUP_MEMBERS_MAX];
	bool owned[GROUP_PARTITIONS];

	begin("static");
	join_static(&members[0], "static", "a");
	join_static(&members[1], "static", "b");
	join_static(&members[2], "static", "c");
	group_members_settle(members, 3);
	memcpy(owned, members[2].owned, sizeof(owned));
	forget_rebalances(members, 2);

	group_member_vanish(&members[2]);
	group_members_poll(members, 2, 500);
	join_static(&members[2], "static", "c");
	group_members_settle(members, 3);
	assert_memory_equal(members[2].owned, owned, sizeof(owned));
	expect_undisturbed(members, 2);
	produce("static", 20);
	group_members_drain(members, 3, (size_t)20 * GROUP_PARTITIONS);
	close_all(members, 3);
}

/* Whoever is not heard of for a session's time has lost its partitions. */
static void
members_that_vanish_are_replaced(void **state UNUSED)
{
	struct group_member members[GROUP_MEMBERS_MAX];

	begin("vanished");
	join(&members[0], "vanished", "range");
	join_static(&members[1], "vanished", "x");
	join(&members[2], "vanished", "range");
	group_members_settle(members, 3);
	group_member_vanish(&members[1]);
	group_member_vanish(&members[2]);
	group_members_settle(members, 1);
	produce("vanished", 20);
	group_members_drain(members, 1, (size_t)20 * GROUP_PARTITIONS);
	group_member_close(&members[0]);
}

/* --- Restarts ------------------------------------------------------------ */

/* What was committed before is not seen again. */
static void
resume(const char *name, void (*stop)(struct broker_process *broker))
{
	struct group_member members[GROUP_MEMBERS_MAX];
	size_t total = 0;

	begin(name);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3; i++)
			join(&members[i], name, "cooperative-sticky");
		group_members_settle(members, 3);
		produce(name, 20);
		total += 20 * GROUP_PARTITIONS;
		group_members_drain(members, 3, total);
		close_all(members, 3);
		stop(&broker);
		broker_process_restart(&broker);
	}
}

static void
groups_resume_after_a_stop(void **state UNUSED)
{
	resume("stopped", broker_process_stop);
}

static void
groups_resume_after_a_kill(void **state UNUSED)
{
	resume("killed", broker_process_kill);
}

/* Members that outlive the broker go on in the generation that they had. */
static void
members_outlive_the_broker(void **state UNUSED)
{
	struct group_member members[GROUP_MEMBERS_MAX];
	size_t total = 0;

	begin("alive");
	for (int i = 0; i < 3; i++)
		join(&members[i], "alive", "range");
	group_members_settle(members, 3);
	forget_rebalances(members, 3);
	for (int round = 0; round < 3; round++) {
		broker_process_kill(&broker);
		broker_process_restart(&broker);
		produce("alive", 20);
		total += 20 * GROUP_PARTITIONS;
		group_members_drain(members, 3, total);
	}
	expect_undisturbed(members, 3);
	close_all(members, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eager_members_share_partitions),
		cmocka_unit_test(cooperative_members_share_partitions),
		cmocka_unit_test(cooperative_members_keep_what_they_can),
		cmocka_unit_test(members_may_come_together),
		cmocka_unit_test(static_members_come_back),
		cmocka_unit_test(members_that_vanish_are_replaced),
		cmocka_unit_test(groups_resume_after_a_stop),
		cmocka_unit_test(groups_resume_after_a_kill),
		cmocka_unit_test(members_outlive_the_broker),
	};

	return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
