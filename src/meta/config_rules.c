#include "meta/config_rules.h"

#include "base/slice.h"

/* --- Topics --------------------------------------------------------------- */

/* The effective number of a topic that has the values of set. */
static int
topic_number(const struct configs *configs, const struct config_set *set,
    const char *name, struct arena *arena, int64_t *number)
{
	const struct config_key *key =
	    config_key_find(CONFIG_TABLE_TOPIC, slice_str(name));

	assert(key != NULL);
	return config_key_int64(configs_topic_in(configs, set, key, arena),
	    number);
}

static enum kp_error
check_compaction_lag(const struct configs *configs,
    const struct config_set *set, struct arena *arena, struct slice *message)
{
	int64_t min, max;

	if (topic_number(configs, set, "min.compaction.lag.ms", arena,
		&min) != 0 ||
	    topic_number(configs, set, "max.compaction.lag.ms", arena,
		&max) != 0 ||
	    min <= max)
		return KP_NONE;
	*message = arena_printf(arena,
	    "conflict topic config setting min.compaction.lag.ms (%ld) > "
	    "max.compaction.lag.ms (%ld)",
	    min, max);
	return KP_INVALID_CONFIG;
}

/* Tiers need a store of their own, which this broker has none of. */
static enum kp_error
check_remote_storage(const struct config_set *set, struct slice *message)
{
	struct slice value =
	    config_set_get(set, slice_str("remote.storage.enable"));
	bool remote = false;

	if (config_key_bool(value, &remote) != 0 || !remote)
		return KP_NONE;
	*message = slice_str("Tiered Storage functionality is disabled in "
			     "the broker. Topic cannot be configured with "
			     "remote log storage.");
	return KP_INVALID_CONFIG;
}

enum kp_error
config_rules_topic(const struct configs *configs,
    const struct config_set *set, struct arena *arena, struct slice *message)
{
	enum kp_error error =
	    check_compaction_lag(configs, set, arena, message);

	return error != KP_NONE ? error : check_remote_storage(set, message);
}

/* --- Groups --------------------------------------------------------------- */

/*
 * The broker's bound for a group's key: consumer.session.timeout.ms is bounded
 * by group.consumer.min.session.timeout.ms, and streams.num.standby.replicas
 * by group.streams.max.standby.replicas.  NULL where there is none.
 */
static const struct config_key *
bound_of(const char *key, const char *bound)
{
	const char *rest = strchr(key, '.');
	const struct config_key *found;
	char *name;

	assert(rest != NULL);
	name = xasprintf("group.%.*s.%s%s", (int)(rest - key), key, bound,
	    strncmp(rest, ".num.", 5) == 0 ? rest + 4 : rest);
	found = config_key_find(CONFIG_TABLE_BROKER, slice_str(name));
	free(name);
	return found;
}

static enum kp_error
check_bounds(const struct configs *configs, const char *key, int64_t value,
    struct arena *arena, struct slice *message)
{
	const struct config_key *min = bound_of(key, "min");
	const struct config_key *max = bound_of(key, "max");

	if (min != NULL && value < configs_broker_int64(configs, min->name)) {
		*message = arena_printf(arena,
		    "%s must be greater than or equal to %s", key, min->name);
		return KP_INVALID_CONFIG;
	}
	if (max != NULL && value > configs_broker_int64(configs, max->name)) {
		*message = arena_printf(arena,
		    "%s must be less than or equal to %s", key, max->name);
		return KP_INVALID_CONFIG;
	}
	return KP_NONE;
}

static int64_t
group_number(const struct configs *configs, const struct config_set *set,
    struct slice name, struct arena *arena)
{
	const struct config_key *key =
	    config_key_find(CONFIG_TABLE_GROUP, name);
	int64_t number;

	assert(key != NULL);
	if (config_key_int64(configs_topic_in(configs, set, key, arena),
		&number) != 0)
		return 0;
	return number;
}

/* A session has to outlive its heartbeats. */
static enum kp_error
check_session(const struct configs *configs, const struct config_set *set,
    const char *kind, struct arena *arena, struct slice *message)
{
	struct slice session =
	    arena_printf(arena, "%s.session.timeout.ms", kind);
	struct slice heartbeat =
	    arena_printf(arena, "%s.heartbeat.interval.ms", kind);

	if (group_number(configs, set, session, arena) >
	    group_number(configs, set, heartbeat, arena))
		return KP_NONE;
	*message = arena_printf(arena, "%.*s must be greater than %.*s",
	    SLICE_ARG(session), SLICE_ARG(heartbeat));
	return KP_INVALID_CONFIG;
}

enum kp_error
config_rules_group(const struct configs *configs,
    const struct config_set *set, struct arena *arena, struct slice *message)
{
	static const char *const kinds[] = { "consumer", "share", "streams" };
	enum kp_error error = KP_NONE;

	for (uint32_t i = 0; i < set->count && error == KP_NONE; i++) {
		const struct config_key *key = config_key_find(
		    CONFIG_TABLE_GROUP, set->entries[i].name);
		int64_t value;

		if (key != NULL && key->type == CONFIG_TYPE_INT &&
		    config_key_int64(set->entries[i].value, &value) == 0)
			error = check_bounds(configs, key->name, value, arena,
			    message);
	}
	for (size_t i = 0; i < COUNT_OF(kinds) && error == KP_NONE; i++)
		error = check_session(configs, set, kinds[i], arena, message);
	return error;
}

/* --- Brokers -------------------------------------------------------------- */

static bool
overrides_valid(struct slice list)
{
	struct slice item, host;
	int64_t max;

	while (slice_next_word(&list, &item))
		if (config_key_pair(item, &host, &max) != 0 || max < 0 ||
		    max > INT32_MAX)
			return false;
	return true;
}

#define UNLIMITED (-1)
/* Of the local log's retention: the same as the log's own. */
#define LOCAL_AS_LOG (-2)
#define CLEANER_MAP_BYTES_MIN (1 << 20)
/* Of CompressionType: none to zstd. */
#define COMPRESSION_ID_MAX 4

static struct slice
layered(const struct config_layers *layers, struct slice name)
{
	struct slice value = SLICE_NULL;

	for (size_t i = 0; i < COUNT_OF(layers->sets); i++) {
		value = config_set_get(layers->sets[i], name);
		if (!slice_is_null(value))
			break;
	}
	return value;
}

/* Without overrides nobody could connect any more. */
enum kp_error
config_rules_connections(const struct config_layers *layers,
    struct arena *arena, struct slice *message)
{
	struct slice per_ip =
	    layered(layers, slice_str("max.connections.per.ip"));
	struct slice overrides =
	    layered(layers, slice_str("max.connections.per.ip.overrides"));
	int64_t max;

	if (!overrides_valid(overrides)) {
		*message = arena_printf(arena,
		    "Invalid value %.*s for configuration "
		    "max.connections.per.ip.overrides: it must be a list of "
		    "address:count",
		    SLICE_ARG(overrides));
		return KP_INVALID_REQUEST;
	}
	if (config_key_int64(per_ip, &max) != 0 || max > 0 ||
	    slice_trim(overrides).len > 0)
		return KP_NONE;
	*message = slice_str("max.connections.per.ip can be set to zero only "
			     "if max.connections.per.ip.overrides property is "
			     "set.");
	return KP_INVALID_REQUEST;
}

/* The number that counts, of a key whose values were checked. */
static int64_t
layered_number(const struct config_layers *layers, const char *name)
{
	const struct config_key *key =
	    config_key_find(CONFIG_TABLE_BROKER, slice_str(name));
	int64_t number;

	assert(key != NULL);
	if (config_key_int64(layered(layers, slice_str(name)), &number) != 0 &&
	    config_key_int64(slice_str(key->default_value), &number) != 0)
		return 0;
	return number;
}

enum kp_error
config_rules_requests(const struct config_layers *layers,
    struct arena *arena, struct slice *message)
{
	int64_t all = layered_number(layers, "queued.max.request.bytes");

	if (all <= 0 ||
	    all >= layered_number(layers, "socket.request.max.bytes"))
		return KP_NONE;
	*message = arena_printf(arena,
	    "requirement failed: queued.max.request.bytes must be larger or "
	    "equal to socket.request.max.bytes");
	return KP_INVALID_REQUEST;
}

/* log.retention.ms, or what stands for it in other units. */
static int64_t
retention_ms(const struct config_layers *layers)
{
	static const struct {
		const char *name;
		int64_t unit_ms;
	} keys[] = {
		{ "log.retention.ms", 1 },
		{ "log.retention.minutes", 60000 },
		{ "log.retention.hours", 3600000 },
	};
	int64_t value;
	size_t at = 0;

	while (at + 1 < COUNT_OF(keys) &&
	    slice_is_null(layered(layers, slice_str(keys[at].name))))
		at++;
	value = layered_number(layers, keys[at].name);
	return value < 0 ? UNLIMITED : value * keys[at].unit_ms;
}

/* Of log.local.retention.ms and .bytes: is it within the log's own? */
static bool
local_fits(const struct config_layers *layers, const char *kind,
    int64_t retention, struct arena *arena, struct slice *message)
{
	const char *name = (const char *)arena_printf(arena,
	    "log.local.retention.%s", kind)
			       .data;
	int64_t local = layered_number(layers, name);

	if (retention == UNLIMITED || local == LOCAL_AS_LOG ||
	    (local != UNLIMITED && local <= retention))
		return true;
	*message = arena_printf(arena,
	    local == UNLIMITED ?
		"Invalid value %ld for configuration %s: Value must not be -1 "
		"as log.retention.%s value is set as %ld." :
		"Invalid value %ld for configuration %s: Value must not be "
		"more than log.retention.%s property value: %ld",
	    local, name, kind, retention);
	return false;
}

static const char *
fault_of_logs(const struct config_layers *layers)
{
	const struct slice roll = SLICE_LITERAL("log.roll.ms");
	int64_t threads = layered_number(layers, "log.cleaner.threads");

	if (!slice_is_null(layered(layers, roll)) &&
	    layered_number(layers, "log.roll.ms") < 1)
		return "log.roll.ms must be greater than or equal to 1";
	if (layered_number(layers, "log.roll.jitter.ms") < 0)
		return "log.roll.jitter.ms must be greater than or equal to 0";
	if (retention_ms(layers) == 0)
		return "log.retention.ms must be unlimited (-1) or, greater "
		       "than or equal to 1";
	if (threads == 0)
		return "log.cleaner.threads must be greater than 0";
	if (layered_number(layers, "log.cleaner.dedupe.buffer.size") /
		threads <= CLEANER_MAP_BYTES_MIN)
		return "log.cleaner.dedupe.buffer.size must be at least 1MB "
		       "per cleaner thread.";
	return NULL;
}

/* Those of internal topics have no range, but name a codec. */
static bool
codecs_known(const struct config_layers *layers, struct arena *arena,
    struct slice *message)
{
	static const char *const keys[] = {
		"offsets.topic.compression.codec",
		"share.coordinator.state.topic.compression.codec",
	};

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		int64_t id = layered_number(layers, keys[i]);

		if (id >= 0 && id <= COMPRESSION_ID_MAX)
			continue;
		*message = arena_printf(
		    arena, "Unknown compression type id: %ld", id);
		return false;
	}
	return true;
}

/* Who asks for it would be given new partitions there all the same. */
static bool
nothing_cordoned(const struct config_layers *layers, struct arena *arena,
    struct slice *message)
{
	const struct slice key = SLICE_LITERAL("cordoned.log.dirs");
	struct slice value = slice_trim(layered(layers, key));

	if (value.len == 0)
		return true;
	*message = arena_printf(arena,
	    "Invalid value %.*s for configuration %.*s: no directory can be "
	    "cordoned yet", SLICE_ARG(value), SLICE_ARG(key));
	return false;
}

enum kp_error
config_rules_logs(const struct config_layers *layers, bool running,
    struct arena *arena, struct slice *message)
{
	const char *fault = fault_of_logs(layers);

	if (fault != NULL) {
		*message = arena_printf(arena, "requirement failed: %s", fault);
		return KP_INVALID_REQUEST;
	}
	if (!codecs_known(layers, arena, message) ||
	    !nothing_cordoned(layers, arena, message))
		return KP_INVALID_REQUEST;
	if (!running ||
	    (local_fits(layers, "ms", retention_ms(layers), arena, message) &&
		local_fits(layers, "bytes",
		    layered_number(layers, "log.retention.bytes"), arena,
		    message)))
		return KP_NONE;
	return KP_INVALID_REQUEST;
}

/* --- Client metrics ------------------------------------------------------- */

#define INTERVAL_MIN_MS 100
#define INTERVAL_MAX_MS 3600000

static bool
match_key_known(struct slice name)
{
	static const char *const keys[] = { "client_id",
		"client_instance_id", "client_software_name",
		"client_software_version", "client_source_address",
		"client_source_port" };

	for (size_t i = 0; i < COUNT_OF(keys); i++)
		if (slice_equal_str(name, keys[i]))
			return true;
	return false;
}

/* One of "key=pattern,key=pattern". */
static bool
match_valid(struct slice item)
{
	const uint8_t *equals;

	equals = item.len == 0 ? NULL : memchr(item.data, '=', item.len);
	return equals != NULL && equals + 1 < item.data + item.len &&
	    match_key_known(
		slice_of(item.data, (size_t)(equals - item.data)));
}

static enum kp_error
check_match(struct slice list, struct arena *arena, struct slice *message)
{
	struct slice item;

	while (list.len > 0 && slice_next_item(&list, &item)) {
		if (match_valid(item))
			continue;
		*message = arena_printf(arena,
		    "Illegal client matching pattern: %.*s", SLICE_ARG(item));
		return KP_INVALID_CONFIG;
	}
	return KP_NONE;
}

enum kp_error
config_rules_client_metrics(const struct config_set *set,
    struct arena *arena, struct slice *message)
{
	int64_t interval;

	if (config_key_int64(config_set_get(set, slice_str("interval.ms")),
		&interval) == 0 &&
	    (interval < INTERVAL_MIN_MS || interval > INTERVAL_MAX_MS)) {
		*message = arena_printf(arena,
		    "Invalid value %ld for interval.ms, interval must be "
		    "between %d and %d milliseconds",
		    interval, INTERVAL_MIN_MS, INTERVAL_MAX_MS);
		return KP_INVALID_REQUEST;
	}
	return check_match(config_set_get(set, slice_str("match")), arena,
	    message);
}
