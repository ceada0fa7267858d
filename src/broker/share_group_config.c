#include "broker/share_group_config.h"

#include <ctype.h>

#include "base/arena.h"
#include "meta/configs.h"

#define CONFIG_ARENA_BYTES_MAX ((size_t)64 << 10)
#define DAY_MS ((int64_t)24 * 3600 * 1000)
/* More than the age of any record. */
#define DURATION_MS_MAX ((int64_t)1 << 60)

/* Where the values of one group come from.  Image locked. */
struct source {
	const struct configs *configs;
	const struct config_set *own;	/* NULL: none */
	struct arena arena;
};

static struct slice
value_of(struct source *source, const char *name)
{
	const struct config_key *key =
	    config_key_find(CONFIG_TABLE_GROUP, slice_str(name));

	assert(key != NULL);
	return configs_topic_in(
	    source->configs, source->own, key, &source->arena);
}

/* The broker's bound: group.share.<bound>.<rest of the key>. */
static int64_t
bound_of(struct source *source, const char *bound, const char *rest)
{
	struct slice name = arena_printf(
	    &source->arena, "group.share.%s.%s%c", bound, rest, '\0');

	return configs_broker_int64(
	    source->configs, (const char *)name.data);
}

/* share.<rest>, between the bounds. */
static int32_t
bounded(struct source *source, const char *rest)
{
	struct slice name =
	    arena_printf(&source->arena, "share.%s%c", rest, '\0');
	struct slice text = value_of(source, (const char *)name.data);
	int64_t min = bound_of(source, "min", rest);
	int64_t max = bound_of(source, "max", rest);
	int64_t number;

	if (config_key_int64(text, &number) != 0)
		number = min;
	return (int32_t)MAX(min, MIN(max, number));
}

static void
reset_read(struct share_group_config *config, struct slice text)
{
	static const char prefix[] = "by_duration:";
	size_t len = sizeof(prefix) - 1;

	config->reset = slice_equal_str(text, "earliest") ?
	    SHARE_GROUP_RESET_EARLIEST :
	    SHARE_GROUP_RESET_LATEST;
	if (text.len > len && memcmp(text.data, prefix, len) == 0 &&
	    share_group_config_duration(
		slice_of(text.data + len, text.len - len),
		&config->reset_duration_ms) == 0)
		config->reset = SHARE_GROUP_RESET_DURATION;
}

static void
read_locked(struct share_group_config *config, struct source *source)
{
	bool renewable;

	config->limits.deliveries_max =
	    bounded(source, "delivery.count.limit");
	config->limits.locks_max =
	    bounded(source, "partition.max.record.locks");
	config->limits.lock_ms = bounded(source, "record.lock.duration.ms");
	config->limits.renewable =
	    config_key_bool(value_of(source, "share.renew.acknowledge.enable"),
		&renewable) != 0 ||
	    renewable;
	config->isolation = slice_equal_str(
		value_of(source, "share.isolation.level"), "read_committed") ?
	    PARTITION_READ_COMMITTED :
	    PARTITION_READ_UNCOMMITTED;
	reset_read(config, value_of(source, "share.auto.offset.reset"));
}

void
share_group_config_read(struct share_group_config *config,
    struct image *image, const struct configs *configs, struct slice group_id)
{
	struct source source = { .configs = configs };

	*config = (struct share_group_config){ 0 };
	arena_init(&source.arena, CONFIG_ARENA_BYTES_MAX);
	image_read_lock(image);
	source.own = image_configs(image, IMAGE_CONFIG_GROUP, group_id);
	read_locked(config, &source);
	image_read_unlock(image);
	arena_reset(&source.arena);
}

/* --- Durations --------------------------------------------------------- */

struct parsing {
	struct slice text;
	size_t at;
	int64_t ms;
	bool valid;
};

static bool
parsing_take(struct parsing *parsing, char c)
{
	if (parsing->at >= parsing->text.len ||
	    toupper(parsing->text.data[parsing->at]) != c)
		return false;
	parsing->at++;
	return true;
}

static bool
parsing_digit(const struct parsing *parsing)
{
	return parsing->at < parsing->text.len &&
	    isdigit(parsing->text.data[parsing->at]) != 0;
}

/* A number of digits, too large ones cut; false where there is none. */
static bool
parsing_number(struct parsing *parsing, int64_t *number)
{
	bool any = parsing_digit(parsing);

	*number = 0;
	for (; parsing_digit(parsing); parsing->at++)
		*number = MIN(DURATION_MS_MAX,
		    *number * 10 + parsing->text.data[parsing->at] - '0');
	return any;
}

static void
parsing_add(struct parsing *parsing, int64_t number, int64_t unit_ms)
{
	if (number > (DURATION_MS_MAX - parsing->ms) / unit_ms)
		parsing->valid = false;
	else
		parsing->ms += number * unit_ms;
}

/* "number unit" where it comes next; else nothing is taken. */
static bool
parsing_part(struct parsing *parsing, char unit, int64_t unit_ms)
{
	size_t before = parsing->at;
	int64_t number;

	if (parsing_number(parsing, &number) && parsing_take(parsing, unit)) {
		parsing_add(parsing, number, unit_ms);
		return true;
	}
	parsing->at = before;
	return false;
}

/* Up to nine digits; what is less than a millisecond does not count. */
static bool
parsing_fraction(struct parsing *parsing)
{
	int64_t unit = 100;
	int digits = 0;

	if (!parsing_take(parsing, '.') && !parsing_take(parsing, ','))
		return true;
	for (; parsing_digit(parsing); parsing->at++, digits++) {
		parsing->ms +=
		    unit * (parsing->text.data[parsing->at] - '0');
		unit /= 10;
	}
	return digits <= 9;
}

static bool
parsing_seconds(struct parsing *parsing)
{
	int64_t number;

	if (!parsing_number(parsing, &number))
		return false;
	parsing_add(parsing, number, 1000);
	return parsing_fraction(parsing) && parsing_take(parsing, 'S');
}

static bool
parsing_time(struct parsing *parsing)
{
	bool any = parsing_part(parsing, 'H', (int64_t)3600 * 1000);

	any |= parsing_part(parsing, 'M', (int64_t)60 * 1000);
	if (parsing_digit(parsing))
		return parsing_seconds(parsing);
	return any;
}

int
share_group_config_duration(struct slice text, int64_t *duration_ms)
{
	struct parsing parsing = { .text = text, .valid = true };
	bool any;

	if (!parsing_take(&parsing, 'P'))
		return -1;
	any = parsing_part(&parsing, 'D', DAY_MS);
	if (parsing_take(&parsing, 'T'))
		any = parsing_time(&parsing);
	if (!any || !parsing.valid || parsing.at != text.len)
		return -1;
	*duration_ms = parsing.ms;
	return 0;
}
