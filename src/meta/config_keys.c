#include "meta/config_keys.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>

#include "base/duration.h"
#include "base/slice.h"
#include "base/tally.h"
#include "meta/config_tables.h"

const struct config_key *
config_keys(enum config_table table, size_t *count)
{
	switch (table) {
	case CONFIG_TABLE_BROKER:
		*count = config_tables_broker_count;
		return config_tables_broker;
	case CONFIG_TABLE_TOPIC:
		*count = config_tables_topic_count;
		return config_tables_topic;
	case CONFIG_TABLE_GROUP:
		*count = config_tables_group_count;
		return config_tables_group;
	case CONFIG_TABLE_CLIENT_METRICS:
		break;
	}
	*count = config_tables_client_metrics_count;
	return config_tables_client_metrics;
}

const struct config_key *
config_key_find(enum config_table table, struct slice name)
{
	size_t low = 0, high;
	const struct config_key *keys = config_keys(table, &high);

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = slice_compare(name, slice_str(keys[middle].name));

		if (order == 0)
			return &keys[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

const struct config_key *
config_key_find_listener(struct slice name)
{
	static const char prefix[] = "listener.name.";
	size_t at = sizeof(prefix) - 1;

	if (name.len <= at || memcmp(name.data, prefix, at) != 0)
		return NULL;
	while (at < name.len && name.data[at] != '.')
		at++;
	if (at == name.len)
		return NULL;
	at++;
	return config_key_find(CONFIG_TABLE_BROKER,
	    slice_of(name.data + at, name.len - at));
}

bool
config_key_secret(struct slice name)
{
	const struct config_key *key =
	    config_key_find(CONFIG_TABLE_BROKER, name);

	if (key == NULL)
		key = config_key_find_listener(name);
	return key == NULL || (key->flags & CONFIG_SENSITIVE) != 0;
}

/* --- Values -------------------------------------------------------------- */

/* Room for the longest number that makes sense. */
#define NUMBER_LEN_MAX 64

static bool
copy_number(struct slice value, char text[NUMBER_LEN_MAX])
{
	value = slice_trim(value);
	if (value.len == 0 || value.len >= NUMBER_LEN_MAX)
		return false;
	memcpy(text, value.data, value.len);
	text[value.len] = '\0';
	return true;
}

int
config_key_int64(struct slice value, int64_t *number)
{
	char text[NUMBER_LEN_MAX], *end;

	if (!copy_number(value, text))
		return -1;
	errno = 0;
	*number = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' ? 0 : -1;
}

int
config_key_double(struct slice value, double *number)
{
	char text[NUMBER_LEN_MAX], *end;

	if (!copy_number(value, text))
		return -1;
	*number = strtod(text, &end);
	return *end == '\0' ? 0 : -1;
}

int
config_key_pair(struct slice item, struct slice *name, int64_t *number)
{
	const uint8_t *colon =
	    item.len == 0 ? NULL : memrchr(item.data, ':', item.len);
	size_t len;

	if (colon == NULL)
		return -1;
	len = (size_t)(colon - item.data);
	*name = slice_trim(slice_of(item.data, len));
	if (name->len == 0)
		return -1;
	return config_key_int64(slice_of(colon + 1, item.len - len - 1),
	    number);
}

int
config_key_bool(struct slice value, bool *flag)
{
	value = slice_trim(value);
	if (value.len == 4 &&
	    strncasecmp((const char *)value.data, "true", 4) == 0)
		*flag = true;
	else if (value.len == 5 &&
	    strncasecmp((const char *)value.data, "false", 5) == 0)
		*flag = false;
	else
		return -1;
	return 0;
}

/* --- Checks -------------------------------------------------------------- */


struct checking {
	const struct config_key *key;
	struct slice value;
	struct arena *arena;
	struct slice *message;
};

/* ConfigException of Kafka's ConfigDef. */
static bool
refuse_value(const struct checking *checking, struct slice value,
    const char *why)
{
	*checking->message = arena_printf(checking->arena,
	    "Invalid value %.*s for configuration %s: %s", SLICE_ARG(value),
	    checking->key->name, why);
	return false;
}

/* What could not be parsed is shown as it was given. */
static bool
refuse(const struct checking *checking, const char *why)
{
	return refuse_value(checking,
	    slice_is_null(checking->value) ? slice_str("null") :
					     checking->value,
	    why);
}

/* What was parsed, and is none of those that may be, as it was parsed. */
static bool
refuse_parsed(const struct checking *checking, const char *why)
{
	return refuse_value(checking,
	    config_key_text(checking->key, checking->value, checking->arena),
	    why);
}

static bool
refuse_item(const struct checking *checking, struct slice item)
{
	const char *values = checking->key->values;
	struct slice why = slice_str("String must be one of: ");

	while (*values != '\0') {
		size_t len = strcspn(values, ",");

		why = arena_printf(checking->arena, "%.*s%.*s%s",
		    SLICE_ARG(why), (int)len, values,
		    values[len] == ',' ? ", " : "");
		values += len + (values[len] == ',');
	}
	return refuse_value(checking, item, (const char *)why.data);
}

static bool
check_range(const struct checking *checking, double number)
{
	const struct config_key *key = checking->key;
	char why[96];

	if (key->check != CONFIG_CHECK_RANGE)
		return true;
	if (key->has_min && number < key->min) {
		snprintf(why, sizeof(why), "Value must be at least %.16g",
		    key->min);
		return refuse_parsed(checking, why);
	}
	if (key->has_max && number > key->max) {
		snprintf(why, sizeof(why), "Value must be no more than %.16g",
		    key->max);
		return refuse_parsed(checking, why);
	}
	return true;
}

static bool
check_integer(const struct checking *checking, int64_t min, int64_t max,
    const char *type)
{
	int64_t number;
	char why[48];

	if (config_key_int64(checking->value, &number) != 0 || number < min ||
	    number > max) {
		snprintf(why, sizeof(why), "Not a number of type %s", type);
		return refuse(checking, why);
	}
	if (checking->key->check == CONFIG_CHECK_GZIP_LEVEL && number != -1 &&
	    (number < 1 || number > 9))
		return refuse_parsed(checking,
		    "Value must be between 1 and 9 or equal to -1");
	return check_range(checking, (double)number);
}

/* Is item among the values of a key, which a comma parts? */
static bool
is_one_of(const char *values, struct slice item, bool any_case)
{
	while (*values != '\0') {
		size_t len = strcspn(values, ",");

		if (len == item.len &&
		    (any_case ? strncasecmp(values, (const char *)item.data,
				    len) :
				memcmp(values, item.data, len)) == 0)
			return true;
		values += len + (values[len] == ',');
	}
	return false;
}

static bool
check_string(const struct checking *checking)
{
	const struct config_key *key = checking->key;
	bool any_case = key->check == CONFIG_CHECK_ONE_OF_ANY_CASE;
	struct slice value = slice_trim(checking->value);

	if (key->check == CONFIG_CHECK_NON_EMPTY && value.len == 0)
		return refuse(checking, "String must be non-empty");
	if ((key->check != CONFIG_CHECK_ONE_OF && !any_case) ||
	    is_one_of(key->values, value, any_case))
		return true;
	return refuse_item(checking, value);
}

/* "p:b,p:b,…" or "*": partitions and brokers that are throttled. */
static bool
throttled_item(struct slice item)
{
	size_t colons = 0;

	if (item.len == 0)
		return true;
	for (size_t i = 0; i < item.len; i++) {
		if (item.data[i] == ':')
			colons++;
		else if (!isdigit(item.data[i]))
			return false;
	}
	return colons == 1 && item.data[0] != ':' &&
	    item.data[item.len - 1] != ':';
}

static bool
refuse_throttled(const struct checking *checking)
{
	const struct config_key *key = checking->key;
	struct slice list = checking->value, item;
	struct slice shown = slice_str("[");

	while (slice_next_item(&list, &item))
		shown = arena_printf(checking->arena, "%.*s%.*s%s",
		    SLICE_ARG(shown), SLICE_ARG(item),
		    slice_is_null(list) ? "]" : ", ");
	*checking->message = arena_printf(checking->arena,
	    "Invalid value %.*s for configuration %s: %s must be the literal "
	    "'*' or a list of replicas in the following format: "
	    "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
	    SLICE_ARG(shown), key->name, key->name);
	return false;
}

static bool
check_throttled(const struct checking *checking)
{
	struct slice list = checking->value, item;

	if (slice_equal_str(slice_trim(list), "*"))
		return true;
	while (slice_next_item(&list, &item))
		if (!throttled_item(item))
			return refuse_throttled(checking);
	return true;
}

static bool
refuse_empty(const struct checking *checking, const char *what)
{
	*checking->message = arena_printf(checking->arena,
	    "Configuration '%s' %s", checking->key->name, what);
	return false;
}

/* What comes twice counts once (ConfigDef.ValidList of Kafka). */
static bool
check_list(const struct checking *checking)
{
	const struct config_key *key = checking->key;
	struct slice list = checking->value, item;

	if (key->check == CONFIG_CHECK_THROTTLED)
		return check_throttled(checking);
	if (key->check != CONFIG_CHECK_LIST)
		return true;
	if (slice_trim(list).len == 0)
		return (key->flags & CONFIG_EMPTY_OK) != 0 ||
		    refuse_empty(checking, "must not be empty. Valid values "
					   "include: any non-empty value");
	while (slice_next_item(&list, &item)) {
		if (item.len == 0)
			return refuse_empty(checking,
			    "values must not be empty.");
		if (key->values != NULL && !is_one_of(key->values, item, false))
			return refuse_item(checking, item);
	}
	return true;
}

static bool
check_double(const struct checking *checking)
{
	double number;

	if (config_key_double(checking->value, &number) != 0)
		return refuse(checking, "Not a number of type DOUBLE");
	return check_range(checking, number);
}

static bool
check_bool(const struct checking *checking)
{
	bool flag;

	return config_key_bool(checking->value, &flag) == 0 ||
	    refuse(checking,
		"Expected value to be either true or false");
}

static bool
is_by_duration(struct slice value)
{
	static const char prefix[] = "by_duration:";
	size_t len = sizeof(prefix) - 1;
	int64_t duration_ms;

	return value.len > len && memcmp(value.data, prefix, len) == 0 &&
	    duration_parse(slice_of(value.data + len, value.len - len),
		&duration_ms) == 0;
}

/* ShareGroupAutoOffsetResetStrategy of Kafka. */
static bool
check_offset_reset(const struct checking *checking)
{
	struct slice value = slice_trim(checking->value);
	struct slice why;

	if (slice_equal_str(value, "latest") ||
	    slice_equal_str(value, "earliest") || is_by_duration(value))
		return true;
	why = arena_printf(checking->arena,
	    "Invalid value `%.*s` for configuration %s. The value must be "
	    "either 'earliest', 'latest' or of the format "
	    "'by_duration:<PnDTnHnMn.nS>'.%c",
	    SLICE_ARG(value), checking->key->name, '\0');
	return refuse(checking, (const char *)why.data);
}

static bool
check_null(const struct checking *checking)
{
	const struct config_key *key = checking->key;

	if (key->check == CONFIG_CHECK_NON_NULL ||
	    (key->check == CONFIG_CHECK_LIST &&
		(key->flags & CONFIG_NULL_OK) == 0))
		return refuse(checking, "entry must be non null");
	return true;
}

bool
config_key_check(const struct config_key *key, struct slice value,
    struct arena *arena, struct slice *message)
{
	const struct checking checking = { key, value, arena, message };

	if (slice_is_null(value))
		return check_null(&checking);
	if (key->check == CONFIG_CHECK_OFFSET_RESET)
		return check_offset_reset(&checking);
	switch ((enum config_type)key->type) {
	case CONFIG_TYPE_BOOLEAN:
		return check_bool(&checking);
	case CONFIG_TYPE_INT:
		return check_integer(&checking, INT32_MIN, INT32_MAX, "INT");
	case CONFIG_TYPE_SHORT:
		return check_integer(&checking, INT16_MIN, INT16_MAX,
		    "SHORT");
	case CONFIG_TYPE_LONG:
		return check_integer(&checking, INT64_MIN, INT64_MAX, "LONG");
	case CONFIG_TYPE_DOUBLE:
		return check_double(&checking);
	case CONFIG_TYPE_LIST:
		return check_list(&checking);
	case CONFIG_TYPE_STRING:
	case CONFIG_TYPE_CLASS:
	case CONFIG_TYPE_PASSWORD:
		return check_string(&checking);
	case CONFIG_TYPE_UNKNOWN:
		break;
	}
	return true;
}

/* --- Texts ---------------------------------------------------------------- */

/*
 * As Java's Double.toString: the shortest that reads back, never without a
 * point, with an exponent below a thousandth and from ten million.
 */
static struct slice
double_text(double number, struct arena *arena)
{
	const bool plain = number == 0 ||
	    (fabs(number) >= 1e-3 && fabs(number) < 1e7);
	char text[40];
	const char *exponent;
	int digits = 0;

	do
		snprintf(text, sizeof(text), plain ? "%.*f" : "%.*e",
		    ++digits, number);
	while (digits < 20 && strtod(text, NULL) != number);
	exponent = strchr(text, 'e');
	if (exponent == NULL)
		return arena_printf(arena, "%s", text);
	return arena_printf(arena, "%.*sE%ld", (int)(exponent - text), text,
	    strtol(exponent + 1, NULL, 10));
}

/* Where a list is checked at all, what comes twice counts once. */
static struct slice
list_text(const struct config_key *key, struct slice value,
    struct arena *arena)
{
	char *text = arena_xalloc(arena, value.len + 1);
	struct tally seen;
	struct slice item;
	size_t len = 0;

	tally_init(&seen);
	while (slice_next_item(&value, &item)) {
		if (tally_add(&seen, item) > 1 &&
		    key->check == CONFIG_CHECK_LIST)
			continue;
		if (len > 0)
			text[len++] = ',';
		memcpy(text + len, item.data, item.len);
		len += item.len;
	}
	tally_fini(&seen);
	return slice_of(text, len);
}

struct slice
config_key_text(const struct config_key *key, struct slice value,
    struct arena *arena)
{
	int64_t integer;
	double number;
	bool flag;

	if (slice_is_null(value))
		return value;
	switch ((enum config_type)key->type) {
	case CONFIG_TYPE_BOOLEAN:
		if (config_key_bool(value, &flag) != 0)
			return value;
		return slice_str(flag ? "true" : "false");
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_SHORT:
	case CONFIG_TYPE_LONG:
		if (config_key_int64(value, &integer) != 0)
			return value;
		return arena_printf(arena, "%ld", integer);
	case CONFIG_TYPE_DOUBLE:
		if (config_key_double(value, &number) != 0)
			return value;
		return double_text(number, arena);
	case CONFIG_TYPE_LIST:
		return list_text(key, value, arena);
	default:
		return slice_trim(value);
	}
}
