#include "broker/quotas.h"

#include "base/log.h"
#include "meta/delta.h"
#include "meta/metadata_record.h"
#include "net/host.h"

#include <math.h>

#define LOGGER "quotas"

struct quotas *
quotas_new(const struct quotas_settings *settings)
{
	struct quotas *quotas = xcalloc(1, sizeof(*quotas));

	quotas->settings = *settings;
	for (size_t i = 0; i < COUNT_OF(quotas->of); i++)
		quotas->of[i] = client_quotas_new(
		    i == CLIENT_QUOTA_CONTROLLER_MUTATION_RATE ?
			&settings->controller_window :
			&settings->window);
	quotas->connections = connection_rates_new(&settings->window);
	return quotas;
}

void
quotas_free(struct quotas *quotas)
{
	if (quotas == NULL)
		return;
	for (size_t i = 0; i < COUNT_OF(quotas->of); i++)
		client_quotas_free(quotas->of[i]);
	connection_rates_free(quotas->connections);
	free(quotas);
}

struct connection_rates *
quotas_connections(const struct quotas *quotas)
{
	return quotas->connections;
}

int64_t
quotas_request_throttle_ms_max(const struct quotas *quotas)
{
	return quotas->settings.window.length_ms;
}

/* --- Following the metadata ----------------------------------------------- */

/* Of a name that has several addresses the first counts, as in Kafka. */
static void
set_address(struct quotas *quotas, struct slice host, double limit)
{
	struct host_address *addresses;
	size_t count;

	if (slice_is_null(host)) {
		connection_rates_set_address(quotas->connections, host, limit);
		return;
	}
	count = host_addresses(host, false, &addresses);
	if (count == 0)
		log_warn(LOGGER, "the quota of %.*s has no effect: it has no "
		    "address", SLICE_ARG(host));
	else
		connection_rates_set_address(quotas->connections,
		    slice_str(addresses[0].text), limit);
	free(addresses);
}

/* limit is NULL where there is none any more. */
static void
set_limit(struct quotas *quotas, enum client_quota_key key,
    const struct client_quota_entity *entity, const double *limit)
{
	if (key == CLIENT_QUOTA_CONNECTION_CREATION_RATE) {
		if (entity->has[CLIENT_QUOTA_IP])
			set_address(quotas, entity->names[CLIENT_QUOTA_IP],
			    limit == NULL ? (double)INFINITY : *limit);
		return;
	}
	if (entity->has[CLIENT_QUOTA_IP])
		return;
	if (limit == NULL)
		client_quotas_remove(quotas->of[key], entity);
	else
		client_quotas_set(quotas->of[key], entity, *limit);
	if (client_quotas_enabled(quotas->of[key]))
		atomic_fetch_or(&quotas->limited, 1U << key);
	else
		atomic_fetch_and(&quotas->limited, ~(1U << key));
}

/* What it was about is in the identity of a record that is gone. */
static void
take_removal(struct quotas *quotas, struct slice identity, struct arena *arena)
{
	struct client_quota_entity entity;
	struct slice name;
	enum client_quota_key key;

	if (client_quota_of_identity(identity, arena, &entity, &name) == 0 &&
	    client_quota_key_find(name, &key) == 0)
		set_limit(quotas, key, &entity, NULL);
}

static void
take_record(struct quotas *quotas, struct slice value, struct arena *arena)
{
	const struct kp_client_quota_record *body;
	struct client_quota_entity entity;
	struct metadata_record record;
	enum client_quota_key key;
	const char *reason;

	if (metadata_record_decode(value, arena, &record, &reason) != 0) {
		log_warn(LOGGER, "a quota is skipped: %s", reason);
		return;
	}
	body = record.body;
	if (client_quota_entity_of(
		body->entity, body->entity_count, &entity) != 0 ||
	    client_quota_key_find(body->key, &key) != 0)
		log_warn(LOGGER, "the quota %.*s is skipped: it is of a kind "
		    "that is not known", SLICE_ARG(body->key));
	else
		set_limit(quotas, key, &entity, &body->value);
}

void
quotas_apply(void *context, const struct delta *delta)
{
	struct quotas *quotas = context;
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	for (size_t i = 0; i < delta->kept_count; i++) {
		const struct delta_kept *kept = delta->kept[i];

		if (kept->api_key != METADATA_RECORD_CLIENT_QUOTA)
			continue;
		if (slice_is_null(kept->value))
			take_removal(quotas, kept->identity, &arena);
		else
			take_record(quotas, kept->value, &arena);
		arena_reset(&arena);
	}
}
