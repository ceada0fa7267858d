#include "meta/configs.h"

#include <stdio.h>

#include "base/slice.h"
#include "meta/config_rules.h"
#include "meta/configs_inner.h"
#include "meta/topic_image.h"
#include "store/log_settings.h"

/* Commits of groups go on for a while when the disk is full. */
#define INTERNAL_RESERVE_BYTES (INT64_C(128) << 10)

/*
 * Fifty partitions with little to say for themselves stay below 50 MB, and a
 * round is worth its syncs.
 */
#define INTERNAL_DIRTY_ROLL_BYTES (INT64_C(512) << 10)

struct configs *
configs_new(const struct image *image, int32_t node_id,
    const struct config_set *file)
{
	struct configs *configs = xcalloc(1, sizeof(*configs));

	configs->image = image;
	configs->file =
	    file == NULL ? config_set_new() : config_set_ref(file);
	configs->node_id = node_id;
	snprintf(configs->node_name, sizeof(configs->node_name), "%d",
	    node_id);
	return configs;
}

void
configs_free(struct configs *configs)
{
	if (configs == NULL)
		return;
	config_set_unref(configs->file);
	free(configs);
}

/* --- A broker's keys ----------------------------------------------------- */

const struct config_set *
configs_level(const struct configs *configs, enum config_source level)
{
	switch (level) {
	case CONFIG_SOURCE_BROKER:
		return image_configs(configs->image, IMAGE_CONFIG_BROKER,
		    slice_str(configs->node_name));
	case CONFIG_SOURCE_BROKER_DEFAULT:
		return image_configs(configs->image, IMAGE_CONFIG_BROKER,
		    slice_str(""));
	default:
		return configs->file;
	}
}

static const enum config_source levels[] = {
	CONFIG_SOURCE_BROKER,
	CONFIG_SOURCE_BROKER_DEFAULT,
	CONFIG_SOURCE_FILE,
};

/*
 * The value that somebody has set, or null.  Values are stored as they were
 * written; here, where they are taken up, is where blanks are lost.
 */
static struct slice
broker_set(const struct configs *configs, struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		struct slice value =
		    config_set_get(configs_level(configs, levels[i]), name);

		if (!slice_is_null(value))
			return slice_trim(value);
	}
	return SLICE_NULL;
}

size_t
configs_broker_stored(const struct configs *configs)
{
	size_t count = 0;

	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		const struct config_set *set =
		    configs_level(configs, levels[i]);

		count += set == NULL ? 0 : set->count;
	}
	return count;
}

static struct slice
default_of(const struct config_key *key)
{
	return slice_str(key->default_value);
}

static const struct config_key *
broker_key(const char *name)
{
	const struct config_key *key =
	    config_key_find(CONFIG_TABLE_BROKER, slice_str(name));

	assert(key != NULL);
	return key;
}

struct slice
configs_broker(const struct configs *configs, const char *name)
{
	const struct config_key *key = broker_key(name);
	struct slice value = broker_set(configs, slice_str(name));

	return slice_is_null(value) ? default_of(key) : value;
}

/* What was stored unchecked, or for another type, counts as not set. */
int64_t
configs_broker_int64(const struct configs *configs, const char *key)
{
	int64_t number;

	if (config_key_int64(configs_broker(configs, key), &number) != 0 &&
	    config_key_int64(default_of(broker_key(key)), &number) != 0)
		return 0;
	return number;
}

int64_t
configs_listener_int64(const struct configs *configs, const char *listener,
    const char *key)
{
	char *name = xasprintf("listener.name.%s.%s", listener, key);
	struct slice value;
	int64_t number;
	int result;

	for (char *at = name; *at != '\0'; at++)
		*at = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
	value = broker_set(configs, slice_str(name));
	result = slice_is_null(value) ? -1 : config_key_int64(value, &number);
	free(name);
	return result == 0 ? number : configs_broker_int64(configs, key);
}

double
configs_broker_double(const struct configs *configs, const char *key)
{
	double number;

	if (config_key_double(configs_broker(configs, key), &number) != 0 &&
	    config_key_double(default_of(broker_key(key)), &number) != 0)
		return 0;
	return number;
}

bool
configs_broker_bool(const struct configs *configs, const char *key)
{
	bool flag;

	if (config_key_bool(configs_broker(configs, key), &flag) != 0 &&
	    config_key_bool(default_of(broker_key(key)), &flag) != 0)
		return false;
	return flag;
}

/* --- A topic's keys ------------------------------------------------------ */

bool
configs_chain_next(const char **chain, struct config_link *link)
{
	const char *text = *chain;
	size_t len;

	if (text == NULL || *text == '\0')
		return false;
	len = strcspn(text, " /");
	link->name = slice_of(text, len);
	link->unit = 1;
	text += len;
	if (*text == '/')
		link->unit = strtoll(text + 1, (char **)(uintptr_t)&text, 10);
	while (*text == ' ')
		text++;
	*chain = text;
	return true;
}

/* A number in units of another key; -1 stays what it is, "without end". */
static struct slice
converted(struct slice value, int64_t unit, struct arena *arena)
{
	int64_t number;

	if (unit == 1 || slice_is_null(value) ||
	    config_key_int64(value, &number) != 0 || number < 0)
		return value;
	if (__builtin_mul_overflow(number, unit, &number))
		number = INT64_MAX;
	return arena_printf(arena, "%ld", number);
}

static struct slice
chain_set(const struct configs *configs, const char *chain,
    struct arena *arena)
{
	struct config_link link;

	while (configs_chain_next(&chain, &link)) {
		struct slice value = broker_set(configs, link.name);

		if (!slice_is_null(value))
			return converted(value, link.unit, arena);
	}
	return SLICE_NULL;
}

static struct slice
chain_default(const char *chain, struct arena *arena)
{
	struct config_link link;

	while (configs_chain_next(&chain, &link)) {
		const struct config_key *key =
		    config_key_find(CONFIG_TABLE_BROKER, link.name);

		if (key != NULL && key->default_value != NULL)
			return converted(default_of(key), link.unit, arena);
	}
	return SLICE_NULL;
}

struct slice
configs_topic_in(const struct configs *configs, const struct config_set *own,
    const struct config_key *key, struct arena *arena)
{
	struct slice value =
	    slice_trim(config_set_get(own, slice_str(key->name)));

	if (slice_is_null(value))
		value = chain_set(configs, key->chain, arena);
	if (slice_is_null(value))
		value = chain_default(key->chain, arena);
	return slice_is_null(value) ? default_of(key) : value;
}

struct slice
configs_topic(const struct configs *configs, struct slice topic,
    const char *name, struct arena *arena)
{
	const struct config_key *key =
	    config_key_find(CONFIG_TABLE_TOPIC, slice_str(name));

	assert(key != NULL);
	return configs_topic_in(configs,
	    image_configs(configs->image, IMAGE_CONFIG_TOPIC, topic), key,
	    arena);
}

/* --- What a log needs ---------------------------------------------------- */

struct topic_view {
	const struct configs *configs;
	struct slice topic;
	struct arena arena;
};

static int64_t
topic_int64(struct topic_view *view, const char *key, int64_t otherwise)
{
	int64_t number;

	if (config_key_int64(configs_topic(view->configs, view->topic, key,
				 &view->arena),
		&number) != 0)
		return otherwise;
	return number;
}

static double
topic_double(struct topic_view *view, const char *key, double otherwise)
{
	double number;

	if (config_key_double(configs_topic(view->configs, view->topic, key,
				  &view->arena),
		&number) != 0)
		return otherwise;
	return number;
}

static bool
topic_bool(struct topic_view *view, const char *key, bool otherwise)
{
	bool flag;

	if (config_key_bool(configs_topic(view->configs, view->topic, key,
				&view->arena),
		&flag) != 0)
		return otherwise;
	return flag;
}

static int32_t
topic_int32(struct topic_view *view, const char *key, int32_t otherwise)
{
	int64_t number = topic_int64(view, key, otherwise);

	return (int32_t)MAX(INT32_MIN, MIN(INT32_MAX, number));
}

void
configs_log_settings(const struct configs *configs, struct slice topic,
    struct log_settings *s)
{
	struct topic_view view = { .configs = configs, .topic = topic };
	struct slice policy;
	int32_t hidden;

	log_settings_init(s);
	arena_init(&view.arena, 64 * 1024);
	s->segment_bytes =
	    topic_int32(&view, "segment.bytes", s->segment_bytes);
	hidden = topic_int32(&view, "internal.segment.bytes", 0);
	if (hidden > 0)
		s->segment_bytes = hidden;
	s->segment_ms = topic_int64(&view, "segment.ms", s->segment_ms);
	s->segment_jitter_ms =
	    topic_int64(&view, "segment.jitter.ms", s->segment_jitter_ms);
	s->segment_index_bytes = topic_int32(&view, "segment.index.bytes",
	    s->segment_index_bytes);
	s->index_interval_bytes = topic_int32(&view, "index.interval.bytes",
	    s->index_interval_bytes);
	s->retention_ms = topic_int64(&view, "retention.ms", s->retention_ms);
	s->retention_bytes =
	    topic_int64(&view, "retention.bytes", s->retention_bytes);
	s->file_delete_delay_ms = topic_int64(&view, "file.delete.delay.ms",
	    s->file_delete_delay_ms);
	s->flush_messages =
	    topic_int64(&view, "flush.messages", s->flush_messages);
	s->flush_ms = topic_int64(&view, "flush.ms", s->flush_ms);
	s->min_compaction_lag_ms = topic_int64(&view, "min.compaction.lag.ms",
	    s->min_compaction_lag_ms);
	s->max_compaction_lag_ms = topic_int64(&view, "max.compaction.lag.ms",
	    s->max_compaction_lag_ms);
	s->delete_retention_ms = topic_int64(&view, "delete.retention.ms",
	    s->delete_retention_ms);
	s->min_cleanable_dirty_ratio =
	    topic_double(&view, "min.cleanable.dirty.ratio",
		s->min_cleanable_dirty_ratio);
	s->preallocate = topic_bool(&view, "preallocate", s->preallocate);
	s->producer_id_expiration_ms =
	    configs_broker_int64(configs, "producer.id.expiration.ms");
	policy = configs_topic(configs, topic, "cleanup.policy", &view.arena);
	s->cleanup_delete = slice_list_has(policy, slice_str("delete"));
	s->cleanup_compact = slice_list_has(policy, slice_str("compact"));
	if (topic_image_name_internal(topic)) {
		s->reserve_bytes = INTERNAL_RESERVE_BYTES;
		s->dirty_roll_bytes = INTERNAL_DIRTY_ROLL_BYTES;
	}
	arena_reset(&view.arena);
}

/* --- Checking ------------------------------------------------------------ */

/* Keys of others' distributions, ZooKeeper days, listeners, authorizers. */
static bool
known_elsewhere(struct slice name)
{
	static const char *const prefixes[] = { "zookeeper.", "confluent.",
		"listener.name.", "metric.reporters", "metrics.", "log4j",
		"super.users", "allow.everyone.if.no.acl.found" };

	for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
		size_t len = strlen(prefixes[i]);

		if (name.len >= len &&
		    memcmp(name.data, prefixes[i], len) == 0)
			return true;
	}
	return false;
}

/* Where a file's faults go. */
struct faults {
	configs_fault_fn report;
	void *context;
	bool bad;
};

static void
bad_value(struct faults *faults, struct slice name, struct slice message)
{
	faults->bad = true;
	faults->report(faults->context, name, message);
}

static void
check_file_entry(struct faults *faults, const struct config_set_entry *entry)
{
	const struct config_key *key =
	    config_key_find(CONFIG_TABLE_BROKER, entry->name);
	struct slice message;
	struct arena arena;

	if (key == NULL) {
		if (!known_elsewhere(entry->name))
			faults->report(faults->context, entry->name,
			    slice_of(NULL, 0));
		return;
	}
	arena_init(&arena, SIZE_MAX);
	if (!config_key_check(key, entry->value, &arena, &message))
		bad_value(faults, entry->name, message);
	arena_reset(&arena);
}

/* Of values that were found fit one by one. */
static void
check_file_whole(struct faults *faults, const struct config_set *file)
{
	const struct config_layers layers = { { file } };
	struct slice message;
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	if (config_rules_connections(&layers, &arena, &message) != KP_NONE)
		bad_value(faults, slice_str("max.connections.per.ip"),
		    message);
	if (config_rules_requests(&layers, &arena, &message) != KP_NONE)
		bad_value(faults, slice_str("queued.max.request.bytes"),
		    message);
	if (config_rules_logs(&layers, false, &arena, &message) != KP_NONE)
		bad_value(faults, slice_str("log"), message);
	arena_reset(&arena);
}

bool
configs_check_file(const struct config_set *file, configs_fault_fn report,
    void *context)
{
	struct faults faults = { .report = report, .context = context };

	for (uint32_t i = 0; i < file->count; i++)
		check_file_entry(&faults, &file->entries[i]);
	if (!faults.bad)
		check_file_whole(&faults, file);
	return !faults.bad;
}

enum config_table
configs_table(int8_t type)
{
	switch (type) {
	case IMAGE_CONFIG_TOPIC:
		return CONFIG_TABLE_TOPIC;
	case IMAGE_CONFIG_GROUP:
		return CONFIG_TABLE_GROUP;
	case IMAGE_CONFIG_CLIENT_METRICS:
		return CONFIG_TABLE_CLIENT_METRICS;
	default:
		return CONFIG_TABLE_BROKER;
	}
}

/* Client metrics have a code of their own for what the others call 40. */
static enum kp_error
check_entry(enum image_config_type type, const struct config_set_entry *entry,
    struct arena *arena, struct slice *message)
{
	static const char *const kinds[] = { "Unknown topic config name: ",
		"Unknown group config name: ", "Unknown config name: " };
	const struct config_key *key =
	    config_key_find(configs_table((int8_t)type), entry->name);
	enum kp_error code = type == IMAGE_CONFIG_CLIENT_METRICS ?
	    KP_INVALID_REQUEST :
	    KP_INVALID_CONFIG;

	if (key == NULL) {
		*message = arena_printf(arena, "%s%.*s",
		    kinds[type == IMAGE_CONFIG_TOPIC	? 0 :
			    type == IMAGE_CONFIG_GROUP ? 1 :
							  2],
		    SLICE_ARG(entry->name));
		return code;
	}
	return config_key_check(key, entry->value, arena, message) ? KP_NONE :
								     code;
}

enum kp_error
configs_check(const struct configs *configs, enum image_config_type type,
    const struct config_set *set, struct arena *arena, struct slice *message)
{
	for (uint32_t i = 0; i < set->count; i++) {
		enum kp_error code =
		    check_entry(type, &set->entries[i], arena, message);

		if (code != KP_NONE)
			return code;
	}
	switch (type) {
	case IMAGE_CONFIG_TOPIC:
		return config_rules_topic(configs, set, arena, message);
	case IMAGE_CONFIG_GROUP:
		return config_rules_group(configs, set, arena, message);
	case IMAGE_CONFIG_CLIENT_METRICS:
		return config_rules_client_metrics(set, arena, message);
	default:
		return KP_NONE;
	}
}
