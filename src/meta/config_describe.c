/*
 * Describing configurations, entry by entry (DescribeConfigs' rules: the
 * ConfigHelper and DynamicBrokerConfig of Kafka).
 */
#include <stdio.h>

#include "base/tally.h"
#include "meta/configs_inner.h"

struct describing {
	const struct configs *configs;
	struct arena *arena;
	const struct tally *keys;	/* those wanted, or NULL: all */
	struct config_entry *entries;
	int32_t count;
	int32_t capacity;
};

static bool
wanted(const struct describing *d, struct slice name)
{
	return d->keys == NULL || tally_count(d->keys, name) > 0;
}

static struct config_entry *
add_entry(struct describing *d, struct slice name)
{
	struct config_entry *entry;

	if (d->count == d->capacity) {
		int32_t capacity = MAX(d->capacity * 2, 32);
		struct config_entry *entries = arena_xcalloc(d->arena,
		    (size_t)capacity, sizeof(*entries));

		if (d->count > 0)
			memcpy(entries, d->entries,
			    (size_t)d->count * sizeof(*entries));
		d->entries = entries;
		d->capacity = capacity;
	}
	entry = &d->entries[d->count++];
	entry->name = name;
	return entry;
}

/* --- Synonyms ------------------------------------------------------------ */

/* Own value, and a chain of a few keys at four levels. */
#define SYNONYMS_MAX 16

struct synonyms {
	struct config_synonym items[SYNONYMS_MAX];
	int32_t count;
	bool sensitive;
};

static void
add_synonym(struct synonyms *synonyms, struct slice name, struct slice value,
    enum config_source source)
{
	struct config_synonym *synonym;

	assert(synonyms->count < SYNONYMS_MAX);
	synonym = &synonyms->items[synonyms->count++];
	synonym->name = name;
	synonym->value = synonyms->sensitive ? SLICE_NULL : value;
	synonym->source = source;
}

/* A key without a chain is its own. */
static const char *
chain_of(const struct config_key *key)
{
	return key->chain != NULL ? key->chain : key->name;
}

static void
add_level(const struct describing *d, struct synonyms *synonyms,
    const struct config_key *key, enum config_source level)
{
	const struct config_set *set = configs_level(d->configs, level);
	const char *chain = chain_of(key);
	struct config_link link;

	while (configs_chain_next(&chain, &link)) {
		struct slice value = config_set_get(set, link.name);

		if (!slice_is_null(value))
			add_synonym(synonyms, link.name, value, level);
	}
}

static void
add_defaults(struct synonyms *synonyms, const struct config_key *key)
{
	const char *chain = chain_of(key);
	struct config_link link;

	while (configs_chain_next(&chain, &link)) {
		const struct config_key *other =
		    config_key_find(CONFIG_TABLE_BROKER, link.name);

		if (other != NULL && other->default_value != NULL)
			add_synonym(synonyms, link.name,
			    slice_str(other->default_value),
			    CONFIG_SOURCE_DEFAULT);
	}
}

/*
 * What gives a broker's key its value, level by level.  What stands before
 * the first that has the key's own name is dropped, so a value that another
 * key of the chain gives is not shown at all, which is Kafka's rule.
 */
static void
add_broker_synonyms(const struct describing *d, struct synonyms *synonyms,
    const struct config_key *key)
{
	int32_t start = synonyms->count, first;

	add_level(d, synonyms, key, CONFIG_SOURCE_BROKER);
	add_level(d, synonyms, key, CONFIG_SOURCE_BROKER_DEFAULT);
	add_level(d, synonyms, key, CONFIG_SOURCE_FILE);
	add_defaults(synonyms, key);
	for (first = start; first < synonyms->count; first++)
		if (slice_equal_str(synonyms->items[first].name, key->name))
			break;
	memmove(&synonyms->items[start], &synonyms->items[first],
	    (size_t)(synonyms->count - first) * sizeof(*synonyms->items));
	synonyms->count -= first - start;
}

static void
set_synonyms(const struct describing *d, struct config_entry *entry,
    const struct synonyms *synonyms)
{
	size_t size = (size_t)synonyms->count * sizeof(*synonyms->items);

	entry->source = CONFIG_SOURCE_DEFAULT;
	if (synonyms->count == 0)
		return;
	entry->source = synonyms->items[0].source;
	entry->synonyms = arena_xalloc(d->arena, size);
	memcpy(entry->synonyms, synonyms->items, size);
	entry->synonyms_count = synonyms->count;
}

/* --- Topics and groups --------------------------------------------------- */

/* The broker's key behind one of a topic or group, or NULL. */
static const struct config_key *
counterpart(const struct config_key *key)
{
	const char *chain = key->chain;
	struct config_link link;

	if (!configs_chain_next(&chain, &link))
		return NULL;
	return config_key_find(CONFIG_TABLE_BROKER, link.name);
}

static void
describe_owned(struct describing *d, const struct config_key *key,
    const struct config_set *own, enum config_source source)
{
	struct slice name = slice_str(key->name);
	struct slice value = config_set_get(own, name);
	const struct config_key *broker = counterpart(key);
	struct synonyms synonyms = { .count = 0 };
	struct config_entry *entry = add_entry(d, name);

	if (!slice_is_null(value))
		add_synonym(&synonyms, name, value, source);
	if (broker != NULL)
		add_broker_synonyms(d, &synonyms, broker);
	else if (key->default_value != NULL && source != CONFIG_SOURCE_TOPIC)
		add_synonym(&synonyms, name, slice_str(key->default_value),
		    CONFIG_SOURCE_DEFAULT);
	set_synonyms(d, entry, &synonyms);
	entry->value = config_key_text(key,
	    configs_topic_in(d->configs, own, key, d->arena), d->arena);
	entry->type = (enum config_type)key->type;
}

static void
describe_table(struct describing *d, enum config_table table,
    const struct config_set *own, enum config_source source)
{
	size_t count;
	const struct config_key *keys = config_keys(table, &count);

	for (size_t i = 0; i < count; i++) {
		struct slice name = slice_str(keys[i].name);
		bool hidden = (keys[i].flags & CONFIG_INTERNAL) != 0 &&
		    slice_is_null(config_set_get(own, name));

		if (!hidden && wanted(d, name))
			describe_owned(d, &keys[i], own, source);
	}
}

/* --- Brokers ------------------------------------------------------------- */

static const enum config_source broker_levels[] = { CONFIG_SOURCE_BROKER,
	CONFIG_SOURCE_BROKER_DEFAULT, CONFIG_SOURCE_FILE };

static bool
is_set(const struct describing *d, struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(broker_levels); i++)
		if (!slice_is_null(config_set_get(
			configs_level(d->configs, broker_levels[i]), name)))
			return true;
	return false;
}

/* Hidden keys, and those without a place in the file: where they are set. */
static bool
is_listed(const struct describing *d, const struct config_key *key)
{
	struct slice name = slice_str(key->name);

	if (!wanted(d, name))
		return false;
	return (key->flags & (CONFIG_INTERNAL | CONFIG_DYNAMIC_ONLY)) == 0 ||
	    is_set(d, name);
}

static void
describe_broker_key(struct describing *d, const struct config_key *key)
{
	struct config_entry *entry = add_entry(d, slice_str(key->name));
	struct synonyms synonyms = {
		.sensitive = (key->flags & CONFIG_SENSITIVE) != 0,
	};

	add_broker_synonyms(d, &synonyms, key);
	set_synonyms(d, entry, &synonyms);
	entry->type = (enum config_type)key->type;
	entry->read_only = key->update == CONFIG_UPDATE_READ_ONLY;
	entry->sensitive = synonyms.sensitive;
	if (!entry->sensitive)
		entry->value = config_key_text(key,
		    configs_broker(d->configs, key->name), d->arena);
}

/*
 * What somebody has set and Kafka does not know is shown without its value:
 * it may be a plugin's secret.  For a listener it is the key behind that.
 */
static void
describe_foreign(struct describing *d, struct slice name)
{
	const struct config_key *key = config_key_find_listener(name);
	struct synonyms synonyms = { .sensitive = key == NULL ||
		(key->flags & CONFIG_SENSITIVE) != 0 };
	struct config_entry *entry = add_entry(d, name);

	for (size_t i = 0; i < COUNT_OF(broker_levels); i++) {
		struct slice value = config_set_get(
		    configs_level(d->configs, broker_levels[i]), name);

		if (slice_is_null(value))
			continue;
		if (synonyms.count == 0)
			entry->value = value;
		add_synonym(&synonyms, name, value, broker_levels[i]);
	}
	if (key != NULL) {
		add_broker_synonyms(d, &synonyms, key);
		entry->type = (enum config_type)key->type;
	}
	set_synonyms(d, entry, &synonyms);
	entry->read_only = true;
	entry->sensitive = synonyms.sensitive;
	if (entry->sensitive)
		entry->value = SLICE_NULL;
}

/* Those of one level that no level before it has. */
static void
describe_foreigners(struct describing *d, size_t level)
{
	const struct config_set *set =
	    configs_level(d->configs, broker_levels[level]);

	for (uint32_t i = 0; set != NULL && i < set->count; i++) {
		struct slice name = set->entries[i].name;
		bool seen = !wanted(d, name) ||
		    config_key_find(CONFIG_TABLE_BROKER, name) != NULL;

		for (size_t j = 0; j < level && !seen; j++)
			seen = !slice_is_null(config_set_get(
			    configs_level(d->configs, broker_levels[j]),
			    name));
		if (!seen)
			describe_foreign(d, name);
	}
}

static void
describe_broker(struct describing *d)
{
	size_t count;
	const struct config_key *keys =
	    config_keys(CONFIG_TABLE_BROKER, &count);

	for (size_t i = 0; i < count; i++)
		if (is_listed(d, &keys[i]))
			describe_broker_key(d, &keys[i]);
	for (size_t i = 0; i < COUNT_OF(broker_levels); i++)
		describe_foreigners(d, i);
}

/* The cluster's default: only what is set there, as it was written. */
static void
describe_broker_default(struct describing *d)
{
	const struct config_set *set =
	    configs_level(d->configs, CONFIG_SOURCE_BROKER_DEFAULT);

	for (uint32_t i = 0; set != NULL && i < set->count; i++) {
		const struct config_set_entry *in = &set->entries[i];
		const struct config_key *key =
		    config_key_find(CONFIG_TABLE_BROKER, in->name);
		struct synonyms synonyms = { .sensitive = key == NULL ||
			(key->flags & CONFIG_SENSITIVE) != 0 };
		struct config_entry *entry;

		if (!wanted(d, in->name))
			continue;
		entry = add_entry(d, in->name);
		add_synonym(&synonyms, in->name, in->value,
		    CONFIG_SOURCE_BROKER_DEFAULT);
		set_synonyms(d, entry, &synonyms);
		entry->sensitive = synonyms.sensitive;
		entry->read_only = key == NULL ||
		    key->update == CONFIG_UPDATE_READ_ONLY;
		if (!entry->sensitive)
			entry->value = in->value;
		if (key != NULL)
			entry->type = (enum config_type)key->type;
	}
}

/* --- All ----------------------------------------------------------------- */

static void
describe(struct describing *d, enum image_config_type type,
    struct slice name)
{
	const struct config_set *own =
	    image_configs(d->configs->image, type, name);

	switch (type) {
	case IMAGE_CONFIG_TOPIC:
		describe_table(d, CONFIG_TABLE_TOPIC, own,
		    CONFIG_SOURCE_TOPIC);
		break;
	case IMAGE_CONFIG_GROUP:
		describe_table(d, CONFIG_TABLE_GROUP, own,
		    CONFIG_SOURCE_GROUP);
		break;
	case IMAGE_CONFIG_CLIENT_METRICS:
		describe_table(d, CONFIG_TABLE_CLIENT_METRICS, own,
		    CONFIG_SOURCE_CLIENT_METRICS);
		break;
	case IMAGE_CONFIG_BROKER:
		if (name.len == 0)
			describe_broker_default(d);
		else
			describe_broker(d);
		break;
	case IMAGE_CONFIG_BROKER_LOGGER:
		break;
	}
}

struct config_entry *
configs_describe(const struct configs *configs, enum image_config_type type,
    struct slice name, const struct slice *keys, int32_t keys_count,
    struct arena *arena, int32_t *count)
{
	struct describing d = { .configs = configs, .arena = arena };
	struct tally wanted;

	tally_init(&wanted);
	for (int32_t i = 0; i < keys_count; i++)
		(void)tally_add(&wanted, keys[i]);
	if (keys_count >= 0)
		d.keys = &wanted;
	describe(&d, type, name);
	tally_fini(&wanted);
	*count = d.count;
	return d.entries;
}

struct config_entry *
configs_describe_topic(const struct configs *configs,
    const struct config_set *own, struct arena *arena, int32_t *count)
{
	struct describing d = { .configs = configs, .arena = arena };

	describe_table(&d, CONFIG_TABLE_TOPIC, own, CONFIG_SOURCE_TOPIC);
	*count = d.count;
	return d.entries;
}
