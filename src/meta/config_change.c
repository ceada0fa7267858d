#include "meta/config_change.h"

#include "base/slice.h"
#include "meta/configs.h"
#include "wire/generated/metadata_clear_elr_record.h"
#include "wire/generated/metadata_config_record.h"

/* Longer values do not fit into a record's string. */
#define VALUE_LEN_MAX 32767

#define ELR_VERSION "eligible.leader.replicas.version"

static enum config_table
table_of(int8_t type)
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

static enum kp_error
refuse(struct config_change *change, enum kp_error error, const char *message)
{
	change->message = slice_str(message);
	return error;
}

static enum kp_error
refuse_length(struct config_change *change)
{
	return refuse(change, KP_INVALID_CONFIG,
	    "The configuration value cannot be added because it exceeds the "
	    "maximum value size of 32767 bytes.");
}

/* --- The new set --------------------------------------------------------- */


void
config_change_begin(struct config_change *change, bool keep)
{
	change->message = SLICE_NULL;
	change->old = delta_configs_of(controller_view(change->controller),
	    (enum image_config_type)change->type, change->name);
	change->set = keep ? config_set_clone(change->old) : config_set_new();
}

void
config_change_end(struct config_change *change)
{
	config_set_unref(change->set);
	change->set = NULL;
}

/* The items of a and, or without, those of b. */
static struct slice
join(struct arena *arena, struct slice a, struct slice b, bool without)
{
	char *text = arena_xalloc(arena, a.len + b.len + 2);
	struct slice item, lists[2] = { a, without ? SLICE_NULL : b };
	size_t len = 0;

	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		struct slice list = lists[i];

		while (slice_next_word(&list, &item)) {
			if ((without && slice_list_has(b, item)) ||
			    slice_list_has(slice_of(text, len), item))
				continue;
			if (len > 0)
				text[len++] = ',';
			memcpy(text + len, item.data, item.len);
			len += item.len;
		}
	}
	return slice_of(text, len);
}

static enum kp_error
change_list(struct config_change *change, struct slice name, int8_t operation,
    struct slice value)
{
	const struct config_key *key =
	    config_key_find(table_of(change->type), name);
	bool subtract = operation == CONFIG_CHANGE_SUBTRACT;
	struct slice base, joined;

	if (key == NULL || key->type != CONFIG_TYPE_LIST) {
		change->message = arena_printf(change->arena,
		    "Can't %s to key %.*s because its type is not LIST.",
		    subtract ? "SUBTRACT" : "APPEND", SLICE_ARG(name));
		return KP_INVALID_CONFIG;
	}
	base = config_set_get(change->set, name);
	if (slice_is_null(base))
		base = slice_str(key->default_value);
	joined = join(change->arena, base, value, subtract);
	if (joined.len > VALUE_LEN_MAX)
		return refuse_length(change);
	config_set_put(change->set, name, joined);
	return KP_NONE;
}

enum kp_error
config_change_screen(struct config_change *change, struct slice name,
    int8_t operation, struct slice value)
{
	if (operation < CONFIG_CHANGE_SET ||
	    operation > CONFIG_CHANGE_SUBTRACT)
		return refuse(change, KP_INVALID_REQUEST,
		    "There is no such operation on configurations.");
	if (operation == CONFIG_CHANGE_DELETE || !slice_is_null(value))
		return KP_NONE;
	change->message = arena_printf(change->arena,
	    "Null value not supported for : %.*s", SLICE_ARG(name));
	return KP_INVALID_REQUEST;
}

enum kp_error
config_change_apply(struct config_change *change, struct slice name,
    int8_t operation, struct slice value)
{
	if (value.len > VALUE_LEN_MAX)
		return refuse_length(change);
	switch (operation) {
	case CONFIG_CHANGE_SET:
		config_set_put(change->set, name, value);
		return KP_NONE;
	case CONFIG_CHANGE_DELETE:
		config_set_remove(change->set, name);
		return KP_NONE;
	default:
		return change_list(change, name, operation, value);
	}
}

/* --- Checks -------------------------------------------------------------- */


enum kp_error
config_change_permitted(const struct config_change *change)
{
	switch (change->type) {
	case IMAGE_CONFIG_TOPIC:
		return access_allowed(change->access, ACCESS_ALTER_CONFIGS,
			   ACCESS_TOPIC, change->name) ?
		    KP_NONE :
		    KP_TOPIC_AUTHORIZATION_FAILED;
	case IMAGE_CONFIG_GROUP:
		return access_allowed(change->access, ACCESS_ALTER_CONFIGS,
			   ACCESS_GROUP, change->name) ?
		    KP_NONE :
		    KP_GROUP_AUTHORIZATION_FAILED;
	default:
		return access_allowed(change->access, ACCESS_ALTER_CONFIGS,
			   ACCESS_CLUSTER, ACCESS_CLUSTER_NAME) ?
		    KP_NONE :
		    KP_CLUSTER_AUTHORIZATION_FAILED;
	}
}

static bool
changed(const struct config_change *change,
    const struct config_set_entry *entry)
{
	return !slice_equal(config_set_get(change->old, entry->name),
	    entry->value);
}

/* As in Kafka, by no more than a factor of two at a time, and never to none. */
static bool
thread_count_fits(const struct config_change *change,
    const struct config_set_entry *entry)
{
	static const char *const names[] = { "num.io.threads",
		"num.network.threads", "num.replica.fetchers",
		"num.recovery.threads.per.data.dir", "background.threads",
		"log.cleaner.threads" };
	int64_t now, wanted;

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (!slice_equal_str(entry->name, names[i]))
			continue;
		now = configs_broker_int64(
		    controller_configs(change->controller), names[i]);
		return config_key_int64(entry->value, &wanted) == 0 &&
		    wanted > 0 && wanted >= now / 2 && wanted <= now * 2;
	}
	return true;
}

/* Unknown keys are stored: they may belong to somebody's plugin. */
static enum kp_error
check_broker_entry(struct config_change *change,
    const struct config_set_entry *entry)
{
	const struct config_key *key =
	    config_key_find(CONFIG_TABLE_BROKER, entry->name);

	if (key == NULL || !changed(change, entry))
		return KP_NONE;
	if (key->update == CONFIG_UPDATE_READ_ONLY) {
		change->message = arena_printf(change->arena,
		    "Cannot update these configs dynamically: [%s]",
		    key->name);
		return KP_INVALID_REQUEST;
	}
	if ((key->flags & CONFIG_LISTENER_ONLY) != 0) {
		change->message = arena_printf(change->arena,
		    "These security configs can be dynamically updated only "
		    "per-listener using the listener prefix: [%s]",
		    key->name);
		return KP_INVALID_REQUEST;
	}
	if (change->name.len == 0 &&
	    key->update == CONFIG_UPDATE_PER_BROKER) {
		change->message = arena_printf(change->arena,
		    "Cannot update these configs at default cluster level, "
		    "broker id must be specified: [%s]",
		    key->name);
		return KP_INVALID_REQUEST;
	}
	if (!config_key_check(key, entry->value, change->arena,
		&change->message))
		return KP_INVALID_REQUEST;
	if (thread_count_fits(change, entry))
		return KP_NONE;
	change->message = arena_printf(change->arena,
	    "Dynamic thread count update validation failed for %s=%.*s: value "
	    "should be between half and twice the current one",
	    key->name, SLICE_ARG(entry->value));
	return KP_INVALID_REQUEST;
}

/* What was there and is not any more must be dynamic, too. */
static enum kp_error
check_broker_removed(struct config_change *change)
{
	for (uint32_t i = 0; change->old != NULL && i < change->old->count;
	     i++) {
		struct slice name = change->old->entries[i].name;
		const struct config_key *key =
		    config_key_find(CONFIG_TABLE_BROKER, name);

		if (key == NULL || key->update != CONFIG_UPDATE_READ_ONLY ||
		    !slice_is_null(config_set_get(change->set, name)))
			continue;
		change->message = arena_printf(change->arena,
		    "Cannot update these configs dynamically: [%s]",
		    key->name);
		return KP_INVALID_REQUEST;
	}
	return KP_NONE;
}

/*
 * With eligible leader replicas it is the same for all brokers, and always
 * there (KIP-966).
 */
static enum kp_error
check_min_isr(struct config_change *change)
{
	const struct slice key = SLICE_LITERAL("min.insync.replicas");
	struct slice old = config_set_get(change->old, key);
	struct slice new = config_set_get(change->set, key);

	if (slice_equal(old, new) ||
	    delta_feature_level(controller_view(change->controller),
		ELR_VERSION) == 0)
		return KP_NONE;
	if (change->name.len > 0 && !slice_is_null(new))
		return refuse(change, KP_INVALID_CONFIG,
		    "Broker-level min.insync.replicas cannot be altered while "
		    "ELR is enabled.");
	if (change->name.len == 0 && slice_is_null(new))
		return refuse(change, KP_INVALID_CONFIG,
		    "Cluster-level min.insync.replicas cannot be removed "
		    "while ELR is enabled.");
	return KP_NONE;
}

static enum kp_error
check_broker(struct config_change *change)
{
	struct slice own =
	    arena_printf(change->arena, "%d", change->node_id);
	enum kp_error error;

	if (change->name.len != 0 && !slice_equal(change->name, own)) {
		change->message = arena_printf(change->arena,
		    "Unexpected broker id, expected %.*s or empty string, but "
		    "received %.*s",
		    SLICE_ARG(own), SLICE_ARG(change->name));
		return KP_INVALID_REQUEST;
	}
	for (uint32_t i = 0; i < change->set->count; i++) {
		error = check_broker_entry(change, &change->set->entries[i]);
		if (error != KP_NONE)
			return error;
	}
	error = check_broker_removed(change);
	return error != KP_NONE ? error : check_min_isr(change);
}

static enum kp_error
check_topic(struct config_change *change)
{
	enum kp_error error;

	if (change->name.len == 0)
		return refuse(change, KP_INVALID_REQUEST,
		    "Default topic resources are not allowed.");
	error = (enum kp_error)configs_check(
	    controller_configs(change->controller), IMAGE_CONFIG_TOPIC,
	    change->set, change->arena, &change->message);
	if (error != KP_NONE)
		return error;
	if (delta_topic(controller_view(change->controller), change->name) !=
	    NULL)
		return KP_NONE;
	change->message = arena_printf(change->arena,
	    "The topic '%.*s' does not exist.", SLICE_ARG(change->name));
	return KP_UNKNOWN_TOPIC_OR_PARTITION;
}

enum kp_error
config_change_check(struct config_change *change)
{
	switch (change->type) {
	case IMAGE_CONFIG_TOPIC:
		return check_topic(change);
	case IMAGE_CONFIG_BROKER:
		return check_broker(change);
	case IMAGE_CONFIG_GROUP:
	case IMAGE_CONFIG_CLIENT_METRICS:
		if (change->name.len == 0)
			return refuse(change, KP_INVALID_REQUEST,
			    "The resource's name must not be empty.");
		return (enum kp_error)configs_check(
		    controller_configs(change->controller),
		    (enum image_config_type)change->type, change->set,
		    change->arena, &change->message);
	default:
		change->message = arena_printf(change->arena,
		    "Unknown resource type %d", change->type);
		return KP_INVALID_REQUEST;
	}
}

/* --- Records ------------------------------------------------------------- */


static void
emit(struct config_change *change, struct slice name, struct slice value)
{
	const struct kp_config_record record = {
		.resource_type = change->type,
		.resource_name = change->name,
		.name = name,
		.value = value,
	};

	controller_emit(change->controller, METADATA_RECORD_CONFIG, &record);
}

/*
 * With eligible leader replicas, a new min.insync.replicas makes those that
 * are known meaningless (KIP-966).
 */
static void
clear_elr(struct config_change *change)
{
	const struct kp_clear_elr_record record = {
		.topic_name = change->type == IMAGE_CONFIG_TOPIC ?
		    change->name :
		    slice_str(""),
	};

	if (delta_feature_level(controller_view(change->controller),
		ELR_VERSION) > 0)
		controller_emit(change->controller, METADATA_RECORD_CLEAR_ELR,
		    &record);
}

void
config_change_emit(struct config_change *change)
{
	const struct slice min_isr = SLICE_LITERAL("min.insync.replicas");
	const struct config_set *old = config_set_clone(change->old);
	bool elr = !slice_equal(config_set_get(old, min_isr),
	    config_set_get(change->set, min_isr));

	/* Emitting changes the view, and with it what old points to. */
	change->old = old;
	for (uint32_t i = 0; i < old->count; i++)
		if (slice_is_null(config_set_get(change->set,
			old->entries[i].name)))
			emit(change, old->entries[i].name, SLICE_NULL);
	for (uint32_t i = 0; i < change->set->count; i++)
		if (changed(change, &change->set->entries[i]))
			emit(change, change->set->entries[i].name,
			    change->set->entries[i].value);
	if (elr)
		clear_elr(change);
	change->old = NULL;
	config_set_unref(old);
}

/* --- Requests ------------------------------------------------------------- */

struct slice
config_change_resource(struct arena *arena, int8_t type, struct slice name)
{
	return arena_printf(arena, "%d/%.*s", type, SLICE_ARG(name));
}

enum kp_error
config_change_whole(int32_t resources, int64_t configs, struct slice *message)
{
	if (resources + configs <= CONTROLLER_RECORDS_MAX)
		return KP_NONE;
	*message = slice_str("Unable to perform excessively large batch "
			     "operation.");
	return KP_POLICY_VIOLATION;
}
