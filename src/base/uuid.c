#include "base/uuid.h"

#include "base/bytes.h"
#include "base/rng.h"

#define UUID_RESERVED_COUNT 100

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool
uuid_is_reserved(struct uuid u)
{
	return be64_get(u.bytes) == 0 &&
	       be64_get(u.bytes + 8) < UUID_RESERVED_COUNT;
}

struct uuid
uuid_random(struct rng *rng)
{
	struct uuid u;

	/* The version bits keep it off the reserved ids; '-' is 62. */
	do {
		rng_bytes(rng, u.bytes, sizeof(u.bytes));
		u.bytes[6] = (uint8_t)((u.bytes[6] & 0x0f) | 0x40);
		u.bytes[8] = (uint8_t)((u.bytes[8] & 0x3f) | 0x80);
	} while (u.bytes[0] >> 2 == 62);
	return u;
}

void
uuid_format(struct uuid u, char text[UUID_TEXT_LEN + 1])
{
	uint32_t bits = 0;
	size_t bit_count = 0, at = 0;

	for (size_t i = 0; i < sizeof(u.bytes); i++) {
		bits = bits << 8 | u.bytes[i];
		bit_count += 8;
		while (bit_count >= 6) {
			bit_count -= 6;
			text[at++] = alphabet[bits >> bit_count & 0x3f];
		}
	}
	text[at++] = alphabet[bits << (6 - bit_count) & 0x3f];
	text[at] = '\0';
	assert(at == UUID_TEXT_LEN);
}

/* The six bits that a letter stands for, or -1. */
static int
letter_value(uint8_t letter)
{
	const char *p = letter == '\0' ? NULL : strchr(alphabet, letter);

	return p == NULL ? -1 : (int)(p - alphabet);
}

/* Kafka also takes the two padding characters that it never writes. */
static struct slice
padding_strip(struct slice text)
{
	if (text.len == UUID_TEXT_LEN + 2 &&
	    memcmp(text.data + UUID_TEXT_LEN, "==", 2) == 0)
		text.len = UUID_TEXT_LEN;
	return text;
}

int
uuid_parse(struct slice text, struct uuid *u)
{
	uint32_t bits = 0;
	size_t bit_count = 0, at = 0;

	text = padding_strip(text);
	if (text.len != UUID_TEXT_LEN)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		int value = letter_value(text.data[i]);

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		bit_count += 6;
		if (bit_count >= 8) {
			bit_count -= 8;
			u->bytes[at++] = (uint8_t)(bits >> bit_count);
		}
	}
	return 0;
}
