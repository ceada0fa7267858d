#include "base/base.h"
#include "base/base64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(struct slice data, char *text)
{
	const uint8_t *p = data.data;
	size_t left = data.len;

	for (; left > 0; text += 4) {
		size_t n = MIN(left, (size_t)3);
		uint32_t v = (uint32_t)p[0] << 16;

		if (n > 1)
			v |= (uint32_t)p[1] << 8;
		if (n > 2)
			v |= p[2];
		text[0] = alphabet[v >> 18];
		text[1] = alphabet[v >> 12 & 63];
		text[2] = n > 1 ? alphabet[v >> 6 & 63] : '=';
		text[3] = n > 2 ? alphabet[v & 63] : '=';
		p += n;
		left -= n;
	}
}

/* What stands for 62 and 63, as a text. */
#define PLAIN "+/"
#define URL_SAFE "-_"

/* The six bits that a character stands for, or -1. */
static int
bits_of(uint8_t c, const char *last)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == last[0] ? 62 : c == last[1] ? 63 : -1;
}

/* Read the four characters at p, the last `padding` of them "=". */
static int
quad_decode(const uint8_t *p, int padding, const char *last, uint8_t *data)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++) {
		int bits = i < 4 - padding ? bits_of(p[i], last) : 0;

		if (bits < 0)
			return -1;
		v = v << 6 | (uint32_t)bits;
	}
	if (padding > 0 && (v & ((1U << (8 * padding)) - 1)) != 0)
		return -1;
	for (int i = 0; i < 3 - padding; i++)
		data[i] = (uint8_t)(v >> (16 - 8 * i));
	return 0;
}

int
base64_decode(struct slice text, uint8_t *data, size_t *len)
{
	*len = 0;
	if (text.len % 4 != 0)
		return -1;
	for (size_t i = 0; i < text.len; i += 4) {
		const uint8_t *p = text.data + i;
		int padding = 0;

		if (i + 4 == text.len && p[3] == '=')
			padding = p[2] == '=' ? 2 : 1;
		if (quad_decode(p, padding, PLAIN, data + *len) != 0)
			return -1;
		*len += (size_t)(3 - padding);
	}
	return 0;
}

int
base64_decode_url(struct slice text, uint8_t *data, size_t *len)
{
	bool padded = text.len % 4 == 0;
	size_t tail;

	*len = 0;
	for (int i = 0; padded && i < 2; i++)
		if (text.len > 0 && text.data[text.len - 1] == '=')
			text.len--;
	tail = text.len % 4;
	if (tail == 1)
		return -1;
	for (size_t i = 0; i < text.len; i += 4) {
		int padding = i + 4 > text.len ? (int)(4 - tail) : 0;

		if (quad_decode(text.data + i, padding, URL_SAFE,
			data + *len) != 0)
			return -1;
		*len += (size_t)(3 - padding);
	}
	return 0;
}
