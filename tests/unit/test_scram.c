/* SCRAM's keys: what RFC 7677 and Kafka's own classes have. */
#include "unit/unit.h"

#include "auth/scram.h"
#include "base/base64.h"

static struct slice
from_base64(const char *text, uint8_t data[SCRAM_KEY_LEN_MAX])
{
	size_t len;

	assert_int_equal(base64_decode(slice_str(text), data, &len), 0);
	return slice_of(data, len);
}

static void
expect_key(enum scram_mechanism mechanism, const uint8_t *key,
    const char *expected)
{
	char text[2 * SCRAM_KEY_LEN_MAX];
	size_t len = scram_key_len(mechanism);

	base64_encode(slice_of(key, len), text);
	text[base64_len(len)] = '\0';
	assert_string_equal(text, expected);
}

static void
names_are_mechanisms(void **state UNUSED)
{
	assert_int_equal(scram_mechanism_find(slice_str("SCRAM-SHA-256")),
	    SCRAM_SHA_256);
	assert_int_equal(scram_mechanism_find(slice_str("SCRAM-SHA-512")),
	    SCRAM_SHA_512);
	assert_int_equal(scram_mechanism_find(slice_str("scram-sha-256")),
	    SCRAM_UNKNOWN);
	assert_int_equal(scram_mechanism_find(SLICE_NULL), SCRAM_UNKNOWN);
}

/* The example of RFC 7677, section 3: its keys follow from the messages. */
static void
keys_are_those_of_the_standard(void **state UNUSED)
{
	uint8_t salt[SCRAM_KEY_LEN_MAX], salted[SCRAM_KEY_LEN_MAX];
	uint8_t stored[SCRAM_KEY_LEN_MAX], server[SCRAM_KEY_LEN_MAX];

	assert_int_equal(
	    scram_salt(SCRAM_SHA_256, slice_str("pencil"),
		from_base64("W22ZaJ0SNY7soEsUEjb6gQ==", salt), 4096, salted),
	    0);
	expect_key(SCRAM_SHA_256, salted,
	    "xKSVEDI6tPlSysH6mUQZOeeOp01r6B3fcJbodRPcYV0=");
	assert_int_equal(
	    scram_derive(SCRAM_SHA_256, slice_of(salted, 32), stored, server),
	    0);
	expect_key(SCRAM_SHA_256, stored,
	    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=");
	expect_key(SCRAM_SHA_256, server,
	    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
}

static void
sha_512_is_as_good(void **state UNUSED)
{
	const uint8_t salt[3] = { 0 };
	uint8_t salted[SCRAM_KEY_LEN_MAX];
	uint8_t stored[SCRAM_KEY_LEN_MAX], server[SCRAM_KEY_LEN_MAX];

	assert_int_equal(
	    scram_salt(SCRAM_SHA_512, slice_str("pw"), slice_of(salt, 3),
		4096, salted),
	    0);
	assert_int_equal(
	    scram_derive(SCRAM_SHA_512, slice_of(salted, 64), stored, server),
	    0);
	expect_key(SCRAM_SHA_512, stored,
	    "XorbOYSv9Qalc2X0k8Xp5JmcC1lI2pjys/nfMxwYJ4tE"
	    "GKcMif4g2TZ9AihFtps3CybfgzPa+J+Ub027H7iL0A==");
	expect_key(SCRAM_SHA_512, server,
	    "1fJWA6elOEsq4CZSUk3OtZht83n3VX0jSEiZAyM28dET"
	    "xwu4t+3O5TW9iE3w+PWULcCPH+cRurhU9RqjEi5etg==");
}

static void
expect_salt(const uint8_t random[SCRAM_SALT_RANDOM_LEN], const char *text)
{
	uint8_t salt[SCRAM_SALT_LEN_MAX];
	size_t len = scram_salt_text(random, salt);

	assert_int_equal(len, strlen(text));
	assert_memory_equal(salt, text, len);
}

/* Of 130 bits, whatever comes with them. */
static void
salts_are_numbers(void **state UNUSED)
{
	uint8_t random[SCRAM_SALT_RANDOM_LEN] = { 0 };

	expect_salt(random, "0");
	random[16] = 35;
	expect_salt(random, "z");
	random[15] = 5;
	random[16] = 16;
	expect_salt(random, "100");
	memset(random, 0xff, sizeof(random));
	expect_salt(random, "1omfro7zwmumr3umxudzyj6scf");
}

/* The names that there are cannot be told by their salts. */
static void
invented_salts_are_such_numbers(void **state UNUSED)
{
	struct scram_credential credential;
	struct arena arena;
	int longest = 0;

	arena_init(&arena, SIZE_MAX);
	for (uint8_t i = 0; i < 100; i++) {
		scram_invent(SCRAM_SHA_256, slice_str("secret"),
		    slice_of(&i, 1), &arena, &credential);
		assert_in_range(credential.salt.len, 23, SCRAM_SALT_LEN_MAX);
		if (credential.salt.len < SCRAM_SALT_LEN_MAX)
			continue;
		assert_int_equal(credential.salt.data[0], '1');
		longest++;
	}
	assert_in_range(longest, 20, 60);
	arena_reset(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_mechanisms),
		cmocka_unit_test(keys_are_those_of_the_standard),
		cmocka_unit_test(sha_512_is_as_good),
		cmocka_unit_test(salts_are_numbers),
		cmocka_unit_test(invented_salts_are_such_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
