#include "cli/java_text.h"

#include <math.h>

#include "base/utf8.h"

typedef void (*print_part_fn)(FILE *out, struct slice part);

static void
print_parts(FILE *out, struct slice bytes, print_part_fn print)
{
	while (bytes.len > 0) {
		bool valid;
		size_t len = utf8_next(bytes, &valid);

		if (valid)
			print(out, slice_of(bytes.data, len));
		else
			fputs(UTF8_REPLACEMENT, out);
		bytes = slice_of(bytes.data + len, bytes.len - len);
	}
}

static void
print_plain(FILE *out, struct slice part)
{
	fwrite(part.data, 1, part.len, out);
}

static void
print_escaped(FILE *out, struct slice part)
{
	static const char short_from[] = "\"\\\b\t\n\f\r";
	static const char short_to[] = "\"\\btnfr";
	const char *found = memchr(short_from, part.data[0],
	    sizeof(short_from) - 1);

	if (found != NULL)
		fprintf(out, "\\%c", short_to[found - short_from]);
	else if (part.data[0] < 0x20)
		fprintf(out, "\\u%04X", part.data[0]);
	else
		print_plain(out, part);
}

void
java_text_print(FILE *out, struct slice bytes)
{
	print_parts(out, bytes, print_plain);
}

void
java_text_print_json(FILE *out, struct slice bytes)
{
	print_parts(out, bytes, print_escaped);
}

/* --- Numbers ------------------------------------------------------------- */

#define DIGITS_MAX 17

/*
 * The fewest decimal digits that read back as number, which is positive and
 * finite, and the power of ten of the first one.
 */
static int
shortest_digits(double number, char digits[DIGITS_MAX + 1])
{
	char text[32];
	size_t len = 0;

	for (int count = 1; count <= DIGITS_MAX; count++) {
		snprintf(text, sizeof(text), "%.*e", count - 1, number);
		if (strtod(text, NULL) >= number &&
		    strtod(text, NULL) <= number)
			break;
	}
	for (const char *p = text; *p != 'e'; p++)
		if (*p != '.')
			digits[len++] = *p;
	digits[len] = '\0';
	return (int)strtol(strchr(text, 'e') + 1, NULL, 10);
}

/* Digits with the point behind the first `whole` of them, zeroes added. */
static void
print_digits(FILE *out, const char *digits, int whole)
{
	int len = (int)strlen(digits);

	if (whole <= 0)
		fputc('0', out);
	for (int i = 0; i < whole; i++)
		fputc(i < len ? digits[i] : '0', out);
	fputc('.', out);
	for (int i = whole; i < 0; i++)
		fputc('0', out);
	fputs(whole < len ? digits + MAX(whole, 0) : "0", out);
}

void
java_text_print_double(FILE *out, double number)
{
	char digits[DIGITS_MAX + 1];
	int exponent;

	if (isnan(number)) {
		fputs("NaN", out);
		return;
	}
	if (signbit(number))
		fputc('-', out);
	number = fabs(number);
	if (isinf(number)) {
		fputs("Infinity", out);
	} else if (!(number > 0)) {
		fputs("0.0", out);
	} else {
		exponent = shortest_digits(number, digits);
		if (exponent >= -3 && exponent < 7) {
			print_digits(out, digits, exponent + 1);
		} else {
			print_digits(out, digits, 1);
			fprintf(out, "E%d", exponent);
		}
	}
}
