#include "meta/config_change.h"

#include "base/slice.h"
#include "base/tally.h"
#include "meta/config_rules.h"
#include "meta/configs_inner.h"
#include "meta/elr.h"
#include "meta/listener_stores.h"
#include "wire/generated/metadata_config_record.h"

/* Longer values do not fit into a record's string. */
#define VALUE_LEN_MAX 32767

/* What the lists of one request may come to, joined with what is stored. */
#define JOINED_BYTES_MAX ((size_t)4 * 1024 * 1024)

/*
 * What a broker may have: of its keys those that nobody knows are kept, too,
 * and an answer to DescribeConfigs has to hold them all.
 */
#define BROKER_KEYS_MAX 1000
#define BROKER_BYTES_MAX ((size_t)1024 * 1024)


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

/* The items of a and, or without, those of b, each once; on the heap. */
static char *
join(struct slice a, struct slice b, bool without, size_t *len)
{
	char *text = xmalloc(a.len + b.len + 2);
	struct slice item, lists[2] = { a, without ? SLICE_NULL : b };
	struct tally seen;

	*len = 0;
	tally_init(&seen);
	while (without && slice_next_word(&b, &item))
		(void)tally_add(&seen, item);
	for (size_t i = 0; i < COUNT_OF(lists); i++) {
		while (slice_next_word(&lists[i], &item)) {
			if (tally_add(&seen, item) > 1)
				continue;
			if (*len > 0)
				text[(*len)++] = ',';
			memcpy(text + *len, item.data, item.len);
			*len += item.len;
		}
	}
	tally_fini(&seen);
	return text;
}

static enum kp_error
put_joined(struct config_change *change, struct slice name, struct slice base,
    const struct config_change_item *item)
{
	enum kp_error error = KP_NONE;
	size_t len;
	char *text;

	*change->joined_bytes += base.len + item->value.len;
	if (*change->joined_bytes > JOINED_BYTES_MAX)
		return refuse(change, KP_POLICY_VIOLATION,
		    CONFIG_CHANGE_EXCESSIVE);
	text = join(base, item->value,
	    item->operation == CONFIG_CHANGE_SUBTRACT, &len);
	if (len > VALUE_LEN_MAX)
		error = refuse_length(change);
	else
		config_set_put(change->set, name, slice_of(text, len));
	free(text);
	return error;
}

static enum kp_error
change_list(struct config_change *change,
    const struct config_change_item *item)
{
	const struct config_key *key =
	    config_key_find(configs_table(change->type), item->name);
	struct slice base;

	if (key == NULL || key->type != CONFIG_TYPE_LIST) {
		change->message = arena_printf(change->arena,
		    "Can't %s to key %.*s because its type is not LIST.",
		    item->operation == CONFIG_CHANGE_SUBTRACT ? "SUBTRACT" :
								"APPEND",
		    SLICE_ARG(item->name));
		return KP_INVALID_CONFIG;
	}
	base = config_set_get(change->set, item->name);
	if (slice_is_null(base))
		base = slice_str(key->default_value);
	return put_joined(change, item->name, base, item);
}

/* Does one item make sense by itself? */
static enum kp_error
screen_item(struct config_change *change,
    const struct config_change_item *item)
{
	if (item->operation < CONFIG_CHANGE_SET ||
	    item->operation > CONFIG_CHANGE_SUBTRACT)
		return refuse(change, KP_INVALID_REQUEST,
		    "There is no such operation on configurations.");
	if (item->operation == CONFIG_CHANGE_DELETE ||
	    !slice_is_null(item->value))
		return KP_NONE;
	change->message = arena_printf(change->arena,
	    "Null value not supported for : %.*s", SLICE_ARG(item->name));
	return KP_INVALID_REQUEST;
}

/* What can be said of the items before permissions. */
static enum kp_error
screen(struct config_change *change)
{
	enum kp_error error = KP_NONE;
	struct tally keys;

	tally_init(&keys);
	for (int32_t i = 0; i < change->items_count && error == KP_NONE;
	     i++) {
		if (tally_add(&keys, change->items[i].name) > 1)
			error = refuse(change, KP_INVALID_REQUEST,
			    "Error due to duplicate config keys");
		else
			error = screen_item(change, &change->items[i]);
	}
	tally_fini(&keys);
	return error;
}

static enum kp_error
apply_item(struct config_change *change,
    const struct config_change_item *item)
{
	if (item->value.len > VALUE_LEN_MAX)
		return refuse_length(change);
	switch (item->operation) {
	case CONFIG_CHANGE_SET:
		config_set_put(change->set, item->name, item->value);
		return KP_NONE;
	case CONFIG_CHANGE_DELETE:
		config_set_remove(change->set, item->name);
		return KP_NONE;
	default:
		return change_list(change, item);
	}
}

static enum kp_error
apply(struct config_change *change)
{
	enum kp_error error = KP_NONE;

	for (int32_t i = 0; i < change->items_count && error == KP_NONE; i++)
		error = apply_item(change, &change->items[i]);
	return error;
}

/* --- Checks -------------------------------------------------------------- */

static enum kp_error
permitted(const struct config_change *change)
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

static enum kp_error
refuse_static(struct config_change *change, struct slice name)
{
	change->message = arena_printf(change->arena,
	    "Cannot update these configs dynamically: [%.*s]",
	    SLICE_ARG(name));
	return KP_INVALID_REQUEST;
}

static enum kp_error
refuse_default(struct config_change *change, struct slice name)
{
	change->message = arena_printf(change->arena,
	    "Cannot update these configs at default cluster level, broker id "
	    "must be specified: [%.*s]",
	    SLICE_ARG(name));
	return KP_INVALID_REQUEST;
}

/*
 * Is it how a listener protects itself?  Kafka takes such a change over; here
 * that is done with stores only, and what was not taken over would be told to
 * be in force.
 */
static bool
protects_listener(struct slice name)
{
	static const char prefix[] = "listener.name.";
	size_t len = sizeof(prefix) - 1;

	return name.len > len && memcmp(name.data, prefix, len) == 0 &&
	    (memmem(name.data, name.len, ".sasl.", 6) != NULL ||
		memmem(name.data, name.len, ".ssl.", 5) != NULL);
}

/* Of what belongs to a listener these are taken over while it runs. */
static bool
limits_listener(const struct config_key *key)
{
	return strcmp(key->name, "max.connections") == 0 ||
	    strcmp(key->name, "max.connection.creation.rate") == 0;
}

/* One of listener.name.X.KEY with which X is given key and trust stores. */
static bool
is_store_key(struct slice name)
{
	const struct config_key *key = config_key_find_listener(name);

	return key != NULL && (key->flags & CONFIG_LISTENER_ONLY) != 0;
}

/* X of such a key. */
static struct slice
listener_of(struct slice name)
{
	size_t start = sizeof("listener.name.") - 1, end = start;

	while (name.data[end] != '.')
		end++;
	return slice_of(name.data + start, end - start);
}

/* By itself; what stores come to together is seen when all keys are. */
static enum kp_error
check_store_entry(struct config_change *change,
    const struct config_set_entry *entry)
{
	if (change->name.len == 0)
		return refuse_default(change, entry->name);
	return config_key_check(config_key_find_listener(entry->name),
		   entry->value, change->arena, &change->message) ?
	    KP_NONE :
	    KP_INVALID_REQUEST;
}

/* Unknown keys are stored: they may belong to somebody's plugin. */
static enum kp_error
check_listener_entry(struct config_change *change,
    const struct config_set_entry *entry)
{
	const struct config_key *key = config_key_find_listener(entry->name);
	int64_t number;

	if (is_store_key(entry->name))
		return check_store_entry(change, entry);
	if (protects_listener(entry->name))
		return refuse_static(change, entry->name);
	if (key == NULL || !limits_listener(key))
		return KP_NONE;
	if (!config_key_check(key, entry->value, change->arena,
		&change->message))
		return KP_INVALID_REQUEST;
	if (config_key_int64(entry->value, &number) == 0 && number > 0)
		return KP_NONE;
	change->message = arena_printf(change->arena, "Invalid %s %.*s",
	    key->name, SLICE_ARG(entry->value));
	return KP_INVALID_REQUEST;
}

static enum kp_error
check_broker_entry(struct config_change *change,
    const struct config_set_entry *entry)
{
	const struct config_key *key =
	    config_key_find(CONFIG_TABLE_BROKER, entry->name);

	if (!changed(change, entry))
		return KP_NONE;
	if (key == NULL)
		return check_listener_entry(change, entry);
	if (key->update == CONFIG_UPDATE_READ_ONLY)
		return refuse_static(change, entry->name);
	if ((key->flags & CONFIG_LISTENER_ONLY) != 0) {
		change->message = arena_printf(change->arena,
		    "These security configs can be dynamically updated only "
		    "per-listener using the listener prefix: [%s]",
		    key->name);
		return KP_INVALID_REQUEST;
	}
	if (change->name.len == 0 &&
	    key->update == CONFIG_UPDATE_PER_BROKER)
		return refuse_default(change, entry->name);
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
		return refuse_static(change, name);
	}
	return KP_NONE;
}

static size_t
bytes_of(const struct config_set *set)
{
	size_t bytes = 0;

	for (uint32_t i = 0; set != NULL && i < set->count; i++)
		bytes += set->entries[i].name.len + set->entries[i].value.len;
	return bytes;
}

/* What is too much, and was before, may still become less. */
static enum kp_error
check_size(struct config_change *change)
{
	const struct config_set *old = change->old;
	size_t bytes = bytes_of(change->set);

	if ((change->set->count <= BROKER_KEYS_MAX ||
		(old != NULL && change->set->count <= old->count)) &&
	    (bytes <= BROKER_BYTES_MAX || bytes <= bytes_of(old)))
		return KP_NONE;
	change->message = arena_printf(change->arena,
	    "A broker cannot have more than %d configurations of %zu bytes "
	    "together.",
	    BROKER_KEYS_MAX, BROKER_BYTES_MAX);
	return KP_INVALID_CONFIG;
}

/* As all values of the broker will be: its own, the cluster's, the file's. */
static struct config_layers
layers_of(const struct config_change *change)
{
	const struct delta *view = controller_view(change->controller);
	const struct configs *configs = controller_configs(change->controller);
	bool own = change->name.len > 0;

	return (struct config_layers){ {
	    own ? change->set :
		  delta_configs_of(view, IMAGE_CONFIG_BROKER,
		      slice_str(configs->node_name)),
	    own ? delta_configs_of(view, IMAGE_CONFIG_BROKER, slice_str("")) :
		  change->set,
	    configs->file,
	} };
}

/* Nobody must be locked out: not even who would change it back. */
static enum kp_error
check_connections(struct config_change *change)
{
	struct slice max =
	    config_set_get(change->set, slice_str("max.connections"));
	const struct config_layers layers = layers_of(change);
	int64_t number;

	if (config_key_int64(max, &number) == 0 && number <= 0) {
		change->message = arena_printf(change->arena,
		    "Invalid max.connections %ld", number);
		return KP_INVALID_REQUEST;
	}
	return config_rules_connections(&layers, change->arena,
	    &change->message);
}

static enum kp_error
check_logs(struct config_change *change)
{
	const struct config_layers layers = layers_of(change);

	return config_rules_logs(&layers, true, change->arena,
	    &change->message);
}

/*
 * A listener's stores, for a key that was named or is there no more; each
 * listener once.  One that is not there has nothing that could be changed,
 * but may leave keys behind, and these can be removed.
 */
static enum kp_error
check_store(struct config_change *change, struct slice name,
    struct tally *checked)
{
	struct listener_stores *stores =
	    controller_stores(change->controller);
	struct slice listener;

	if (!is_store_key(name))
		return KP_NONE;
	listener = listener_of(name);
	if (stores == NULL || !stores->has(stores, listener))
		return slice_is_null(config_set_get(change->set, name)) ?
		    KP_NONE :
		    refuse_static(change, name);
	if (tally_add(checked, listener) > 1)
		return KP_NONE;
	return stores->check(stores, listener, change->set, change->arena,
	    &change->message);
}

static enum kp_error
check_stores(struct config_change *change)
{
	const struct config_set *old = change->old;
	enum kp_error error = KP_NONE;
	struct tally checked;

	if (change->name.len == 0)
		return KP_NONE;
	tally_init(&checked);
	for (int32_t i = 0; i < change->items_count && error == KP_NONE; i++)
		error = check_store(change, change->items[i].name, &checked);
	for (uint32_t i = 0;
	     old != NULL && i < old->count && error == KP_NONE; i++)
		if (slice_is_null(config_set_get(
			change->set, old->entries[i].name)))
			error = check_store(
			    change, old->entries[i].name, &checked);
	tally_fini(&checked);
	return error;
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
	error = check_size(change);
	if (error != KP_NONE)
		return error;
	for (uint32_t i = 0; i < change->set->count; i++) {
		error = check_broker_entry(change, &change->set->entries[i]);
		if (error != KP_NONE)
			return error;
	}
	error = check_broker_removed(change);
	if (error == KP_NONE)
		error = check_connections(change);
	if (error == KP_NONE)
		error = check_logs(change);
	if (error == KP_NONE)
		error = elr_check_config(change);
	/* Last: files are read. */
	return error != KP_NONE ? error : check_stores(change);
}

static enum kp_error
check_topic(struct config_change *change)
{
	enum kp_error error;

	if (change->name.len == 0)
		return refuse(change, KP_INVALID_REQUEST,
		    "Default topic resources are not allowed.");
	error = configs_check(
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

static enum kp_error
check(struct config_change *change)
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
		return configs_check(
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
 * Stores that are named as they were before are read again: the record has
 * no other use than to say so.
 */
static void
emit_named_again(struct config_change *change)
{
	for (int32_t i = 0; i < change->items_count; i++) {
		struct slice name = change->items[i].name;
		struct slice value = config_set_get(change->set, name);

		if (change->type == IMAGE_CONFIG_BROKER &&
		    is_store_key(name) && !slice_is_null(value) &&
		    slice_equal(config_set_get(change->old, name), value))
			emit(change, name, value);
	}
}

static void
emit_all(struct config_change *change)
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
	emit_named_again(change);
	if (elr)
		elr_emit_cleared(
		    change->controller, change->type, change->name);
	change->old = NULL;
	config_set_unref(old);
}

/* --- All of it ----------------------------------------------------------- */

enum kp_error
config_change_run(struct config_change *change)
{
	enum kp_error error;

	change->message = SLICE_NULL;
	change->old = delta_configs_of(controller_view(change->controller),
	    (enum image_config_type)change->type, change->name);
	change->set = change->replace ? config_set_new() :
					config_set_clone(change->old);
	error = screen(change);
	if (error == KP_NONE)
		error = permitted(change);
	if (error == KP_NONE)
		error = apply(change);
	if (error == KP_NONE)
		error = check(change);
	if (error == KP_NONE && !change->validate_only)
		emit_all(change);
	config_set_unref(change->set);
	change->set = NULL;
	return error;
}
