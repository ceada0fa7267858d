/*
 * Durations as java.time.Duration reads them, but for signs within them.
 */
#include "base/duration.h"

#include <ctype.h>

#define DAY_MS ((int64_t)24 * 3600 * 1000)
/* More than the age of any record. */
#define DURATION_MS_MAX ((int64_t)1 << 60)
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
duration_parse(struct slice text, int64_t *duration_ms)
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
