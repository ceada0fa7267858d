/*
 * A checksum is a polynomial over GF(2) modulo P, kept reflected: bit 31 is
 * the coefficient of x^0.  Appending n bytes multiplies what was there by
 * x^(8n), so checksums of pieces can be made apart and joined by one product.
 */
#include "base/crc32c.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

#define POLYNOMIAL 0x82f63b78u
#define X_TO_THE_0 0x80000000u

typedef uint32_t (*crc32c_fn)(uint32_t crc, const uint8_t *p, size_t len);

/* Written before main by crc32c_choose, and only read afterwards. */
static uint32_t tables[8][256];
static uint32_t squares[64]; /* x^(2^i) */
static crc32c_fn crc32c_chosen;

/* a * b modulo P. */
static uint32_t
product(uint32_t a, uint32_t b)
{
	uint32_t result = 0;

	for (; a != 0; a <<= 1) {
		result ^= b & (0 - (a >> 31));
		b = (b >> 1) ^ (POLYNOMIAL & (0 - (b & 1)));
	}
	return result;
}

static void
squares_make(void)
{
	squares[0] = X_TO_THE_0 >> 1;
	for (size_t i = 1; i < COUNT_OF(squares); i++)
		squares[i] = product(squares[i - 1], squares[i - 1]);
}

/* x^n modulo P. */
static uint32_t
power_of_x(uint64_t n)
{
	uint32_t result = X_TO_THE_0;

	for (size_t i = 0; n != 0; i++, n >>= 1) {
		if ((n & 1) != 0)
			result = product(squares[i], result);
	}
	return result;
}

static void
tables_make(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL : 0);
		tables[0][i] = crc;
	}
	for (uint32_t i = 0; i < 256; i++) {
		for (int t = 1; t < 8; t++)
			tables[t][i] = tables[0][tables[t - 1][i] & 0xff] ^
			    (tables[t - 1][i] >> 8);
	}
}

static uint64_t
le64_get(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

/* Eight bytes a step, each through the table of its distance to the end. */
static uint32_t
crc_by_tables(uint32_t crc, const uint8_t *p, size_t len)
{
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t v = le64_get(p) ^ crc;

		crc = 0;
		for (int t = 0; t < 8; t++)
			crc ^= tables[7 - t][v >> (8 * t) & 0xff];
	}
	for (; len > 0; p++, len--)
		crc = tables[0][(crc ^ *p) & 0xff] ^ (crc >> 8);
	return crc;
}

#if defined(__x86_64__)

/*
 * The crc32 instruction has a latency of three and a throughput of one, so
 * three streams run at once over stretches of these lengths; the two products
 * that join them cost about as much as a hundred bytes.
 */
struct stretch {
	size_t len;
	uint32_t shift_one; /* moves a checksum over len bytes */
	uint32_t shift_two; /* over twice as many */
};

static struct stretch stretches[] = { { .len = 4096 }, { .len = 1024 },
	{ .len = 256 }, { .len = 64 } };

/*
 * Shifting by n bytes is a carry-less product followed by a reduction, for
 * which the crc32 instruction serves.  That brings in x^33: x^32 from the
 * instruction and x because the product of two reflected numbers is one bit
 * short.  The factor makes up for it.
 */
static uint32_t
shift_factor(size_t len)
{
	return power_of_x(8 * (uint64_t)len - 33);
}

static void
stretches_make(void)
{
	for (size_t i = 0; i < COUNT_OF(stretches); i++) {
		stretches[i].shift_one = shift_factor(stretches[i].len);
		stretches[i].shift_two = shift_factor(2 * stretches[i].len);
	}
}

__attribute__((target("sse4.2,pclmul"))) static inline uint32_t
shift(uint64_t crc, uint32_t factor)
{
	__m128i v = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc),
	    _mm_cvtsi32_si128((int)factor), 0);

	return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(v));
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t
crc_three_streams(uint64_t crc, const uint8_t *p, const struct stretch *s)
{
	const uint8_t *end = p + s->len;
	uint64_t crc_b = 0, crc_c = 0;

	for (; p < end; p += 8) {
		crc = _mm_crc32_u64(crc, le64_get(p));
		crc_b = _mm_crc32_u64(crc_b, le64_get(p + s->len));
		crc_c = _mm_crc32_u64(crc_c, le64_get(p + 2 * s->len));
	}
	return shift(crc, s->shift_two) ^ shift(crc_b, s->shift_one) ^
	    (uint32_t)crc_c;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t
crc_by_instruction(uint32_t crc, const uint8_t *p, size_t len)
{
	uint64_t wide;

	for (size_t i = 0; i < COUNT_OF(stretches); i++) {
		const struct stretch *s = &stretches[i];

		for (; len >= 3 * s->len; p += 3 * s->len, len -= 3 * s->len)
			crc = crc_three_streams(crc, p, s);
	}
	wide = crc;
	for (; len >= 8; p += 8, len -= 8)
		wide = _mm_crc32_u64(wide, le64_get(p));
	crc = (uint32_t)wide;
	for (; len > 0; p++, len--)
		crc = _mm_crc32_u8(crc, *p);
	return crc;
}

static crc32c_fn
instruction_find(void)
{
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("sse4.2") ||
	    !__builtin_cpu_supports("pclmul"))
		return NULL;
	stretches_make();
	return crc_by_instruction;
}

#elif defined(__aarch64__)

/* In assembler, because compilers name the intrinsics differently. */
static uint32_t
crc_by_instruction(uint32_t crc, const uint8_t *p, size_t len)
{
	for (; len >= 8; p += 8, len -= 8)
		__asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1"
			: "+r"(crc)
			: "r"(le64_get(p)));
	for (; len > 0; p++, len--)
		__asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1"
			: "+r"(crc)
			: "r"((uint32_t)*p));
	return crc;
}

static crc32c_fn
instruction_find(void)
{
	return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0 ? crc_by_instruction :
							  NULL;
}

#else

static crc32c_fn
instruction_find(void)
{
	return NULL;
}

#endif

__attribute__((constructor)) static void
crc32c_choose(void)
{
	tables_make();
	squares_make();
	crc32c_chosen = instruction_find();
	if (crc32c_chosen == NULL)
		crc32c_chosen = crc_by_tables;
}

uint32_t
crc32c(uint32_t crc, const void *data, size_t len)
{
	return ~crc32c_chosen(~crc, data, len);
}

uint32_t
crc32c_portable(uint32_t crc, const void *data, size_t len)
{
	return ~crc_by_tables(~crc, data, len);
}

uint32_t
crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t len_b)
{
	return product(power_of_x(8 * len_b), crc_a) ^ crc_b;
}

uint32_t
crc32c_replace(
    uint32_t crc, uint32_t crc_before, uint32_t crc_after, uint64_t len_behind)
{
	return crc32c_combine(crc_before ^ crc_after, crc, len_behind);
}
