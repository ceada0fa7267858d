/*
 * Config keys: what Apache Kafka 4.3.1 knows about every configuration key
 * of brokers, topics, groups and client metrics.
 *
 * The tables are generated from protocol/configs/ *.tsv and sorted by name.
 */
#ifndef META_CONFIG_KEYS_H
#define META_CONFIG_KEYS_H

#include "base/arena.h"
#include "base/base.h"

/* As DescribeConfigs numbers them. */
enum config_type {
	CONFIG_TYPE_UNKNOWN = 0,
	CONFIG_TYPE_BOOLEAN = 1,
	CONFIG_TYPE_STRING = 2,
	CONFIG_TYPE_INT = 3,
	CONFIG_TYPE_SHORT = 4,
	CONFIG_TYPE_LONG = 5,
	CONFIG_TYPE_DOUBLE = 6,
	CONFIG_TYPE_LIST = 7,
	CONFIG_TYPE_CLASS = 8,
	CONFIG_TYPE_PASSWORD = 9,
};

enum config_check {
	CONFIG_CHECK_NONE,
	CONFIG_CHECK_RANGE,		/* min, max; either may be missing */
	CONFIG_CHECK_ONE_OF,		/* values */
	CONFIG_CHECK_ONE_OF_ANY_CASE,	/* values */
	CONFIG_CHECK_LIST,		/* values, if any; each counts once */
	CONFIG_CHECK_NON_EMPTY,
	CONFIG_CHECK_NON_NULL,
	CONFIG_CHECK_GZIP_LEVEL,	/* -1, 1 to 9 */
	CONFIG_CHECK_THROTTLED,		/* "*" or "p:b,p:b" */
	CONFIG_CHECK_OFFSET_RESET,	/* latest, earliest, by_duration:P… */
};

enum config_update {
	CONFIG_UPDATE_READ_ONLY,
	CONFIG_UPDATE_PER_BROKER,
	CONFIG_UPDATE_CLUSTER,
	CONFIG_UPDATE_RESOURCE,		/* topics', groups', metrics' keys */
};

enum config_flag {
	CONFIG_SENSITIVE = 1,
	CONFIG_INTERNAL = 2,		/* honoured, listed where it is set */
	CONFIG_REQUIRED = 4,
	CONFIG_LISTENER_ONLY = 8,  /* dynamic only with a listener prefix */
	CONFIG_EMPTY_OK = 16,		/* of CONFIG_CHECK_LIST */
	CONFIG_NULL_OK = 32,		/* of CONFIG_CHECK_LIST */
	CONFIG_DYNAMIC_ONLY = 64,	/* has no place in the file */
};

#define CONFIG_KEY_NO_MIN INT64_MIN
#define CONFIG_KEY_NO_MAX INT64_MAX

struct config_key {
	const char *name;
	const char *default_value;	/* NULL: null */
	const char *values;		/* "a,b", sorted; NULL: any */
	/*
	 * The keys that give a value, first one first: of a broker key its
	 * synonyms, itself among them; of a topic's or group's key the
	 * broker's chain behind its own.  "a b/60000": b counts in units of
	 * 60000.  NULL: none but itself.
	 */
	const char *chain;
	double min;
	double max;
	uint8_t type;			/* enum config_type */
	uint8_t check;			/* enum config_check */
	uint8_t update;			/* enum config_update */
	uint8_t flags;			/* enum config_flag */
	bool has_min;
	bool has_max;
};

enum config_table {
	CONFIG_TABLE_BROKER,
	CONFIG_TABLE_TOPIC,
	CONFIG_TABLE_GROUP,
	CONFIG_TABLE_CLIENT_METRICS,
};

/* All keys of a table, sorted by name. */
const struct config_key *config_keys(enum config_table table, size_t *count);

/* A key, or NULL where Kafka has none of that name. */
const struct config_key *config_key_find(enum config_table table,
    struct slice name);

/* listener.name.X.KEY: the broker's key that it is, or NULL. */
const struct config_key *config_key_find_listener(struct slice name);

/*
 * Is the value of a broker's key to be kept from everybody?  So it is of what
 * Kafka does not know: it may be a plugin's password.
 */
bool config_key_secret(struct slice name);

/*
 * Is value (null: none) one that the key may have?  True, or false with
 * Kafka's text in *message, in arena.
 */
bool config_key_check(const struct config_key *key, struct slice value,
    struct arena *arena, struct slice *message);

/*
 * A checked value as a number or flag; surrounding blanks do not count, as
 * in Kafka.  -1 where it is not one.
 */
int config_key_int64(struct slice value, int64_t *number) WARN_UNUSED;
int config_key_double(struct slice value, double *number) WARN_UNUSED;
int config_key_bool(struct slice value, bool *flag) WARN_UNUSED;

/*
 * An item "name:number" of a list, where the last colon counts, with blanks
 * around both.  -1 where it is none, or its name is empty.
 */
int config_key_pair(struct slice item, struct slice *name,
    int64_t *number) WARN_UNUSED;

/*
 * A value as Kafka shows it once it is parsed: numbers and flags in their plain
 * form, lists without blanks, texts trimmed.  It lives in arena, or is of
 * value.
 */
struct slice config_key_text(const struct config_key *key,
    struct slice value, struct arena *arena);

#endif
