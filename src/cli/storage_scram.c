#include "cli/storage_scram.h"

#include <stdio.h>

#include "auth/scram.h"
#include "base/base64.h"
#include "base/slice.h"
#include "cli/exit_code.h"
#include "cli/storage.h"
#include "meta/config_keys.h"

enum part { NAME, SALT, ITERATIONS, PASSWORD, SALTED_PASSWORD, PARTS };

static const char *const part_names[PARTS] = { "name", "salt", "iterations",
	"password", "saltedpassword" };

/* The argument, taken apart. */
struct credential {
	enum scram_mechanism mechanism;
	struct slice parts[PARTS];	/* without quotes; null where missing */
	struct slice unknown;		/* "a, b": the others' names */
	struct arena *arena;
};

/* --- Parsing -------------------------------------------------------------- */

static struct slice
unquoted(struct slice value)
{
	if (value.len < 2 || value.data[0] != '"' ||
	    value.data[value.len - 1] != '"')
		return value;
	return slice_of(value.data + 1, value.len - 2);
}

static void
take_part(struct credential *credential, struct slice name,
    struct slice value)
{
	for (size_t i = 0; i < PARTS; i++)
		if (slice_equal_str(name, part_names[i])) {
			credential->parts[i] = unquoted(value);
			return;
		}
	credential->unknown = slice_is_null(credential->unknown) ?
	    name :
	    arena_printf(credential->arena, "%.*s, %.*s",
		SLICE_ARG(credential->unknown), SLICE_ARG(name));
}

/* Commas at the end part nothing, as in Java. */
static int
take_parts(struct credential *credential, struct slice list)
{
	while (list.len > 0 && list.data[list.len - 1] == ',')
		list.len--;
	do {
		const uint8_t *comma = list.len == 0 ?
		    NULL :
		    memchr(list.data, ',', list.len);
		size_t len =
		    comma == NULL ? list.len : (size_t)(comma - list.data);
		const uint8_t *equals =
		    len == 0 ? NULL : memchr(list.data, '=', len);
		size_t at;

		if (equals == NULL)
			return storage_fail("No equals sign found in SCRAM "
			    "component: %.*s", (int)len, list.data);
		at = (size_t)(equals - list.data);
		take_part(credential, slice_of(list.data, at),
		    slice_of(equals + 1, len - at - 1));
		list = comma == NULL ?
		    SLICE_NULL :
		    slice_of(comma + 1, list.len - len - 1);
	} while (!slice_is_null(list));
	return EXIT_OK;
}

static int
take_argument(struct credential *credential, struct slice text)
{
	const uint8_t *equals =
	    text.len == 0 ? NULL : memchr(text.data, '=', text.len);
	struct slice name, list;

	if (equals == NULL)
		return storage_fail("Failed to find equals sign in SCRAM "
		    "argument '%.*s'", SLICE_ARG(text));
	name = slice_of(text.data, (size_t)(equals - text.data));
	list = slice_of(equals + 1, text.len - name.len - 1);
	credential->mechanism = scram_mechanism_find(name);
	if (credential->mechanism == SCRAM_UNKNOWN)
		return storage_fail("The add-scram mechanism %.*s is not "
		    "supported.", SLICE_ARG(name));
	if (list.len == 0 || list.data[0] != '[')
		return storage_fail("Expected configuration string to start "
		    "with [");
	if (list.data[list.len - 1] != ']')
		return storage_fail("Expected configuration string to end "
		    "with ]");
	return take_parts(credential, slice_of(list.data + 1, list.len - 2));
}

/* --- Values --------------------------------------------------------------- */

/* Base64 of which the padding may be missing. */
static int
decode(struct credential *credential, enum part part, struct slice *bytes)
{
	struct slice text = credential->parts[part];
	size_t padding = (4 - text.len % 4) % 4, len;
	uint8_t *data = arena_xalloc(credential->arena, text.len + 4);
	char *padded = arena_xalloc(credential->arena, text.len + 4);

	if (text.len > 0 && memchr(text.data, '=', text.len) != NULL)
		padding = 0;
	if (padding == 3)
		return -1;
	if (text.len > 0)
		memcpy(padded, text.data, text.len);
	memcpy(padded + text.len, "==", padding);
	if (base64_decode(slice_of(padded, text.len + padding), data, &len) !=
	    0)
		return -1;
	*bytes = slice_of(data, len);
	return 0;
}

static int
take_salt(struct credential *credential, struct rng *rng, struct slice *salt)
{
	struct slice text = credential->parts[SALT];
	uint8_t random[SCRAM_SALT_RANDOM_LEN];
	uint8_t *bytes;

	if (slice_is_null(text)) {
		bytes = arena_xalloc(credential->arena, SCRAM_SALT_LEN_MAX);
		rng_bytes(rng, random, sizeof(random));
		*salt = slice_of(bytes, scram_salt_text(random, bytes));
	} else if (decode(credential, SALT, salt) != 0) {
		return storage_fail("Failed to decode given salt: %.*s",
		    SLICE_ARG(text));
	}
	return EXIT_OK;
}

static int
take_iterations(const struct credential *credential, int32_t *iterations)
{
	struct slice text = credential->parts[ITERATIONS];
	int64_t number = SCRAM_ITERATIONS_MIN;

	if (!slice_is_null(text) &&
	    (slice_trim(text).len != text.len ||
		config_key_int64(text, &number) != 0 || number < INT32_MIN ||
		number > INT32_MAX))
		return storage_fail("Failed to parse iterations count: %.*s",
		    SLICE_ARG(text));
	*iterations = (int32_t)number;
	return EXIT_OK;
}

static int
check_iterations(const struct credential *credential, int32_t iterations)
{
	const char *mechanism = credential->mechanism == SCRAM_SHA_256 ?
	    "SCRAM_SHA_256" :
	    "SCRAM_SHA_512";

	if (iterations < SCRAM_ITERATIONS_MIN)
		return storage_fail("The 'iterations' value must be >= %d for "
		    "add-scram using %s", SCRAM_ITERATIONS_MIN, mechanism);
	if (iterations > SCRAM_ITERATIONS_MAX)
		return storage_fail("The 'iterations' value must be <= %d for "
		    "add-scram using %s", SCRAM_ITERATIONS_MAX, mechanism);
	return EXIT_OK;
}

/* What password there is, or the salted one in *salted. */
static int
take_password(struct credential *credential, struct slice *salted)
{
	const struct slice *parts = credential->parts;

	*salted = SLICE_NULL;
	if (!slice_is_null(parts[PASSWORD]))
		return EXIT_OK;
	if (slice_is_null(parts[SALTED_PASSWORD]))
		return storage_fail("You must supply one of 'password' or "
		    "'saltedpassword' to add-scram");
	if (slice_is_null(parts[SALT]))
		return storage_fail("You must supply 'salt' with "
		    "'saltedpassword' to add-scram");
	if (decode(credential, SALTED_PASSWORD, salted) != 0)
		return storage_fail("Failed to decode given saltedPassword: "
		    "%.*s", SLICE_ARG(parts[SALTED_PASSWORD]));
	return EXIT_OK;
}

/* --- The record ----------------------------------------------------------- */

static int
derive(const struct credential *credential, struct slice salted,
    struct kp_user_scram_credential_record *record)
{
	struct slice password = credential->parts[PASSWORD];
	size_t len = scram_key_len(credential->mechanism);
	uint8_t *stored = arena_xalloc(credential->arena, SCRAM_KEY_LEN_MAX);
	uint8_t *server = arena_xalloc(credential->arena, SCRAM_KEY_LEN_MAX);
	uint8_t bytes[SCRAM_KEY_LEN_MAX];

	if (slice_is_null(salted) ? password.len == 0 : salted.len == 0)
		return storage_fail("Empty key");
	if (slice_is_null(salted)) {
		if (scram_salt(credential->mechanism, password, record->salt,
			record->iterations, bytes) != 0)
			return storage_fail("OpenSSL refuses to salt the "
			    "password");
		salted = slice_of(bytes, len);
	}
	if (scram_derive(credential->mechanism, salted, stored, server) != 0)
		return storage_fail("OpenSSL refuses to derive the keys");
	record->stored_key = slice_of(stored, len);
	record->server_key = slice_of(server, len);
	return EXIT_OK;
}

int
storage_scram_parse(const char *argument, struct rng *rng,
    struct arena *arena, struct kp_user_scram_credential_record *record)
{
	struct credential credential = { .arena = arena };
	struct slice salted;
	int result;

	result = take_argument(&credential, slice_trim(slice_str(argument)));
	if (result == EXIT_OK && slice_is_null(credential.parts[NAME]))
		result = storage_fail("You must supply 'name' to add-scram");
	if (result == EXIT_OK)
		result = take_salt(&credential, rng, &record->salt);
	if (result == EXIT_OK)
		result = take_iterations(&credential, &record->iterations);
	if (result == EXIT_OK)
		result = take_password(&credential, &salted);
	if (result == EXIT_OK && !slice_is_null(credential.unknown))
		result = storage_fail("Unknown SCRAM configurations: %.*s",
		    SLICE_ARG(credential.unknown));
	if (result == EXIT_OK)
		result = check_iterations(&credential, record->iterations);
	if (result != EXIT_OK)
		return result;
	record->name = credential.parts[NAME];
	record->mechanism = (int8_t)credential.mechanism;
	return derive(&credential, salted, record);
}

/* "[1, -2]": Java's bytes have a sign. */
static void
print_bytes(const char *name, struct slice bytes)
{
	printf(", %s=[", name);
	for (size_t i = 0; i < bytes.len; i++)
		printf("%s%d", i > 0 ? ", " : "", (int8_t)bytes.data[i]);
	putchar(']');
}

void
storage_scram_print(const struct kp_user_scram_credential_record *record)
{
	printf("ApiMessageAndVersion(UserScramCredentialRecord(name='%.*s', "
	       "mechanism=%d", SLICE_ARG(record->name), record->mechanism);
	print_bytes("salt", record->salt);
	print_bytes("storedKey", record->stored_key);
	print_bytes("serverKey", record->server_key);
	printf(", iterations=%d) at version 0)", record->iterations);
}
