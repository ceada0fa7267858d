/* Codecs: there and back, bounds, damage. */
#include "unit/unit.h"

#include "base/buf.h"
#include "base/rng.h"
#include "wire/compression.h"

#define PLAIN_LEN 200000

static struct slice
make_plain(uint8_t *plain, bool compressible)
{
	struct rng rng;

	rng_init(&rng, 5);
	rng_bytes(&rng, plain, PLAIN_LEN);
	for (size_t i = 0; compressible && i < PLAIN_LEN; i++)
		plain[i] = (uint8_t)("kafka"[plain[i] % 5]);
	return slice_of(plain, PLAIN_LEN);
}

static void
all_codecs_give_back_what_they_got(void **state UNUSED)
{
	static uint8_t plain[PLAIN_LEN];

	for (int codec = 1; codec < COMPRESSION_COUNT; codec++) {
		for (size_t len = 0; len <= PLAIN_LEN; len = len * 3 + 1) {
			struct slice in = make_plain(plain, len % 2 == 0);
			struct buf packed, out;

			in.len = len;
			buf_init(&packed, 4 * PLAIN_LEN);
			buf_init(&out, PLAIN_LEN);
			assert_int_equal(compression_compress(
					     (enum compression)codec,
					     COMPRESSION_LEVEL_DEFAULT, in,
					     &packed),
			    0);
			assert_int_equal(compression_decompress(codec,
					     buf_slice(&packed), &out),
			    COMPRESSION_OK);
			assert_int_equal(out.len, in.len);
			if (in.len > 0)
				assert_memory_equal(out.data, in.data, in.len);
			buf_fini(&packed);
			buf_fini(&out);
		}
	}
}

/* A megabyte of zeros is a small message; nobody may be made to hold it. */
static void
bombs_are_stopped_at_the_bound(void **state UNUSED)
{
	static const uint8_t zeros[1 << 20];

	for (int codec = 1; codec < COMPRESSION_COUNT; codec++) {
		struct buf packed, out;

		buf_init(&packed, 4 << 20);
		buf_init(&out, 64 * 1024);
		assert_int_equal(
		    compression_compress((enum compression)codec,
			COMPRESSION_LEVEL_DEFAULT,
			slice_of(zeros, sizeof(zeros)), &packed),
		    0);
		assert_int_equal(buf_append(&out, "kept", 4), 0);
		assert_int_equal(
		    compression_decompress(codec, buf_slice(&packed), &out),
		    COMPRESSION_TOO_LARGE);
		assert_int_equal(out.len, 4);
		assert_memory_equal(out.data, "kept", 4);
		buf_fini(&packed);
		buf_fini(&out);
	}
}

/*
 * Snappy's framing has no end, so what is cut between two of its blocks is
 * just shorter; everything else is found out.
 */
static void
what_is_cut_off_is_never_whole(void **state UNUSED)
{
	static uint8_t plain[PLAIN_LEN];
	struct slice in = make_plain(plain, true);

	for (int codec = 1; codec < COMPRESSION_COUNT; codec++) {
		struct buf packed, out;

		buf_init(&packed, 4 * PLAIN_LEN);
		buf_init(&out, PLAIN_LEN);
		assert_int_equal(
		    compression_compress((enum compression)codec,
			COMPRESSION_LEVEL_DEFAULT, in, &packed),
		    0);
		for (size_t cut = 1; cut < packed.len; cut += packed.len / 7) {
			buf_clear(&out);
			if (compression_decompress(codec,
				slice_of(packed.data, cut), &out) ==
			    COMPRESSION_OK) {
				assert_int_equal(codec, COMPRESSION_SNAPPY);
				assert_true(out.len < in.len);
				assert_memory_equal(out.data, in.data,
				    out.len);
			}
		}
		buf_fini(&packed);
		buf_fini(&out);
	}
}

/* Contexts that have seen anything do as fresh ones. */
static void
contexts_are_used_again(void **state UNUSED)
{
	static uint8_t plain[PLAIN_LEN];
	struct slice in = make_plain(plain, true);
	struct compression_contexts contexts;
	struct buf fresh, packed, out;

	compression_contexts_init(&contexts);
	buf_init(&fresh, 4 * PLAIN_LEN);
	buf_init(&packed, 4 * PLAIN_LEN);
	buf_init(&out, PLAIN_LEN);
	for (int i = 0; i < 4 * COMPRESSION_COUNT; i++) {
		enum compression codec = (enum compression)(
		    i % COMPRESSION_COUNT);
		struct slice half;

		in.len = (size_t)(PLAIN_LEN >> i % 7);
		buf_clear(&fresh);
		buf_clear(&packed);
		buf_clear(&out);
		assert_int_equal(compression_compress(codec,
				     COMPRESSION_LEVEL_DEFAULT, in, &fresh),
		    0);
		assert_int_equal(
		    compression_compress_with(&contexts, codec,
			COMPRESSION_LEVEL_DEFAULT, in, &packed),
		    0);
		assert_int_equal(packed.len, fresh.len);
		assert_memory_equal(packed.data, fresh.data, fresh.len);
		half = slice_of(packed.data, packed.len / 2);
		if (codec != COMPRESSION_NONE)
			assert_int_equal(compression_decompress_with(&contexts,
					     codec, half, &out),
			    COMPRESSION_CORRUPT);
		assert_int_equal(compression_decompress_with(&contexts, codec,
				     buf_slice(&packed), &out),
		    COMPRESSION_OK);
		assert_int_equal(out.len, in.len);
		assert_memory_equal(out.data, in.data, in.len);
	}
	buf_fini(&fresh);
	buf_fini(&packed);
	buf_fini(&out);
	compression_contexts_fini(&contexts);
}

static void
unknown_codecs_are_named_so(void **state UNUSED)
{
	struct buf out;
	enum compression codec;

	buf_init(&out, 1024);
	for (int i = COMPRESSION_COUNT; i < 8; i++) {
		assert_int_equal(
		    compression_decompress(i, slice_str("x"), &out),
		    COMPRESSION_UNKNOWN);
		assert_null(compression_name(i));
	}
	assert_int_equal(compression_parse(slice_str("zstd"), &codec), 0);
	assert_int_equal(codec, COMPRESSION_ZSTD);
	assert_int_equal(compression_parse(slice_str("brotli"), &codec), -1);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_codecs_give_back_what_they_got),
		cmocka_unit_test(bombs_are_stopped_at_the_bound),
		cmocka_unit_test(what_is_cut_off_is_never_whole),
		cmocka_unit_test(contexts_are_used_again),
		cmocka_unit_test(unknown_codecs_are_named_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
