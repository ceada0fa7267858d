/*
 * Configs: effective values.  A broker's key takes the first that is set of
 * its dynamic value, the cluster's dynamic default, the file, the default; a
 * topic's or group's key takes its own value first.  Blanks around a value do
 * not count, whatever its type (ConfigDef.parseType of Kafka): no effective
 * value has any.
 *
 * Immutable but for the image it reads.  Callers hold the image's read lock,
 * or are on the controller's thread, or run before it starts; slices that
 * are given back are valid as long.
 */
#ifndef META_CONFIGS_H
#define META_CONFIGS_H

#include "base/arena.h"
#include "base/base.h"
#include "meta/config_keys.h"
#include "meta/config_set.h"
#include "meta/image.h"
#include "wire/error.h"

struct log_settings;

/* DescribeConfigsResponse.ConfigSource of Kafka. */
enum config_source {
	CONFIG_SOURCE_UNKNOWN = 0,
	CONFIG_SOURCE_TOPIC = 1,
	CONFIG_SOURCE_BROKER = 2,	/* dynamic, this broker's */
	CONFIG_SOURCE_BROKER_DEFAULT = 3, /* dynamic, the cluster's */
	CONFIG_SOURCE_FILE = 4,
	CONFIG_SOURCE_DEFAULT = 5,
	CONFIG_SOURCE_LOGGER = 6,
	CONFIG_SOURCE_CLIENT_METRICS = 7,
	CONFIG_SOURCE_GROUP = 8,
};

struct configs {
	const struct image *image;
	const struct config_set *file;	/* never NULL */
	int32_t node_id;
	char node_name[12];		/* node_id in decimal */
};

/* A reference on file is taken; NULL is an empty one. */
struct configs *configs_new(const struct image *image, int32_t node_id,
    const struct config_set *file);
void configs_free(struct configs *configs);

/*
 * The effective value of a broker's key; null where it has none.  key must
 * be one of Kafka's or of ours ("klamm."), else it is a bug of ours.
 */
struct slice configs_broker(const struct configs *configs, const char *key);

/* The same as a number or flag; a value that is none counts as default. */
int64_t configs_broker_int64(const struct configs *configs, const char *key);
double configs_broker_double(const struct configs *configs, const char *key);
bool configs_broker_bool(const struct configs *configs, const char *key);

/* Of a listener: its own value, "listener.name.X.KEY", or the broker's. */
int64_t configs_listener_int64(const struct configs *configs,
    const char *listener, const char *key);

/* How many keys are set for the broker, on all levels, known or not. */
size_t configs_broker_stored(const struct configs *configs);

/* The effective value of a topic's key, unit conversions done in arena. */
struct slice configs_topic(const struct configs *configs, struct slice topic,
    const char *key, struct arena *arena);

/* The same over a set of the topic's own values, NULL where it has none. */
struct slice configs_topic_in(const struct configs *configs,
    const struct config_set *own, const struct config_key *key,
    struct arena *arena);

/* All that a log needs to know, from the topic's effective values. */
void configs_log_settings(const struct configs *configs, struct slice topic,
    struct log_settings *settings);

/* One line of an answer to DescribeConfigs or CreateTopics. */
struct config_synonym {
	struct slice name;
	struct slice value;	/* null where sensitive */
	enum config_source source;
};

struct config_entry {
	struct slice name;
	struct slice value;	/* null where sensitive or unset */
	enum config_source source;
	enum config_type type;
	bool read_only;
	bool sensitive;
	struct config_synonym *synonyms;
	int32_t synonyms_count;
};

/*
 * Describe a resource: its public keys, sorted by name, or those that are in
 * keys (keys_count -1: all).  Unknown ones are left out.  What is given lives
 * in arena, values borrowed as above.
 *
 * For brokers name is "" (the cluster's default) or the node's own id.
 */
struct config_entry *configs_describe(const struct configs *configs,
    enum image_config_type type, struct slice name, const struct slice *keys,
    int32_t keys_count, struct arena *arena, int32_t *count);

/* Describe a topic that has the values of own, NULL where it has none. */
struct config_entry *configs_describe_topic(const struct configs *configs,
    const struct config_set *own, struct arena *arena, int32_t *count);

/*
 * Would the set be valid as a resource's own values?  KP_NONE, or the code
 * and Kafka's text in *message (arena).  Brokers' sets are checked key by
 * key by config_ops.
 */
enum kp_error configs_check(const struct configs *configs,
    enum image_config_type type, const struct config_set *set,
    struct arena *arena, struct slice *message) WARN_UNUSED;

/*
 * Told of a fault of the static configuration: Kafka's text of why a value is
 * bad, or, with a null message, that nobody knows the key.
 */
typedef void (*configs_fault_fn)(void *context, struct slice name,
    struct slice message);

/* Is the file usable?  Unknown keys are reported, but do no harm. */
bool configs_check_file(const struct config_set *file,
    configs_fault_fn report, void *context);

#endif
