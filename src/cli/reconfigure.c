#include "cli/reconfigure.h"

#include "base/slice.h"
#include "cli/settings.h"
#include "cli/tls_stores.h"
#include "coord/group_coordinator.h"
#include "coord/share_coordinator.h"
#include "coord/txn_coordinator.h"
#include "meta/delta.h"

static bool
concerns_brokers(const struct delta *delta)
{
	for (size_t i = 0; i < delta->configs_count; i++)
		if (delta->configs[i]->type == IMAGE_CONFIG_BROKER)
			return true;
	return false;
}

static void
limit_listener(const struct reconfigure *to, struct listener *listener)
{
	const struct listener_settings *own = listener_settings(listener);
	struct listener_settings settings;

	settings_listener(to->configs, own->name, &settings);
	listener_set_connections_max(listener, settings.connections_max);
	connection_rates_set_listener(to->rates, own->name,
	    settings_connection_rate(to->configs, own->name), own->apart);
}

void
reconfigure_connections(const struct reconfigure *to)
{
	struct network_settings settings;
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	settings_network(to->configs, &settings, &arena);
	network_set_limits(to->network, &settings);
	arena_reset(&arena);
	connection_rates_set_broker(
	    to->rates, settings_connection_rate(to->configs, NULL));
	for (size_t i = 0; i < to->listeners_count; i++)
		limit_listener(to, to->listeners[i]);
}

/* The cluster's default has none. */
static void
take_stores(const struct reconfigure *to, const struct delta *delta)
{
	for (size_t i = 0; i < delta->configs_count; i++) {
		const struct delta_configs *configs = delta->configs[i];

		if (configs->type == IMAGE_CONFIG_BROKER &&
		    slice_equal_str(configs->name, to->configs->node_name))
			tls_stores_apply(to->stores, configs->new);
	}
}

/* What has not changed is set once more, which does no harm. */
void
reconfigure_apply(void *context, const struct delta *delta)
{
	const struct reconfigure *to = context;
	struct log_manager_settings logs;
	struct group_settings groups;
	struct txn_settings txns;

	if (!concerns_brokers(delta))
		return;
	reconfigure_connections(to);
	take_stores(to, delta);
	settings_log_manager(to->configs, &logs);
	log_manager_configure(to->logs, &logs);
	settings_group(to->configs, &groups);
	group_coordinator_set_batch_bytes(to->groups, groups.batch_bytes_max);
	share_coordinator_set_batch_bytes(to->shares, groups.batch_bytes_max);
	settings_txn(to->configs, &txns);
	txn_coordinator_configure(to->txns, &txns);
	group_coordinator_set_assignment_intervals(to->groups,
	    groups.consumer.assignment_interval_ms,
	    groups.streams.assignment_interval_ms,
	    groups.share.assignment_interval_ms);
}
