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

/* The six bits that a character stands for, or -1. */
static int
bits_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Read the four characters at p, the last `padding` of them "=". */
static int
quad_decode(const uint8_t *p, int padding, uint8_t *data)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++) {
		int bits = i < 4 - padding ? bits_of(p[i]) : 0;

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
		if (quad_decode(p, padding, data + *len) != 0)
			return -1;
		*len += (size_t)(3 - padding);
	}
	return 0;
}
