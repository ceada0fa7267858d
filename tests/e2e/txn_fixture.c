#include "e2e/txn_fixture.h"

#include "e2e/broker_process.h"
#include "e2e/raw_topic.h"
#include "unit/unit.h"
#include "wire/generated/find_coordinator.h"

static struct broker_process broker;

struct broker_process *
txn_fixture_broker(void)
{
	return &broker;
}

static int
start_with(const char *flush)
{
	struct raw_client client;
	struct kp_find_coordinator_request request = { .key = slice_str("g") };

	broker_process_start(&broker, "--override", flush, "--override",
	    "group.initial.rebalance.delay.ms=0", "--override",
	    "transaction.abort.timed.out.transaction.cleanup.interval.ms=50",
	    "--override", "transaction.max.timeout.ms=70000", NULL);
	raw_client_init(&client, &broker);
	raw_topic_create(&client, RAW_TXN_TOPIC, RAW_TXN_PARTITIONS);
	for (int8_t type = 0; type < 2; type++) {
		request.key_type = type;
		raw_client_call(&client, KP_FIND_COORDINATOR_KEY, 3, &request);
	}
	raw_client_fini(&client);
	return 0;
}

int
txn_fixture_start(void **state UNUSED)
{
	return start_with("klamm.flush=acked");
}

int
txn_fixture_start_quick(void **state UNUSED)
{
	return start_with("klamm.flush=os");
}

int
txn_fixture_stop(void **state UNUSED)
{
	broker_process_fini(&broker);
	return 0;
}

int
txn_fixture_setup(void **state)
{
	*state = raw_txn_new(&broker);
	return 0;
}

int
txn_fixture_teardown(void **state)
{
	raw_txn_free(*state);
	return 0;
}
