#include "auth/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/slice.h"

enum scram_mechanism
scram_mechanism_find(struct slice name)
{
	if (slice_equal_str(name, "SCRAM-SHA-256"))
		return SCRAM_SHA_256;
	if (slice_equal_str(name, "SCRAM-SHA-512"))
		return SCRAM_SHA_512;
	return SCRAM_UNKNOWN;
}

static const EVP_MD *
digest_of(enum scram_mechanism mechanism)
{
	assert(mechanism != SCRAM_UNKNOWN);
	return mechanism == SCRAM_SHA_256 ? EVP_sha256() : EVP_sha512();
}

size_t
scram_key_len(enum scram_mechanism mechanism)
{
	assert(mechanism != SCRAM_UNKNOWN);
	return mechanism == SCRAM_SHA_256 ? 32 : SCRAM_KEY_LEN_MAX;
}

int
scram_salt(enum scram_mechanism mechanism, struct slice password,
    struct slice salt, int32_t iterations, uint8_t salted[SCRAM_KEY_LEN_MAX])
{
	assert(password.len > 0 && password.len <= INT32_MAX &&
	    salt.len <= INT32_MAX);
	return PKCS5_PBKDF2_HMAC((const char *)password.data, (int)password.len,
		   salt.data, (int)salt.len, iterations, digest_of(mechanism),
		   (int)scram_key_len(mechanism), salted) == 1 ?
	    0 :
	    -1;
}

int
scram_hmac(enum scram_mechanism mechanism, struct slice key, struct slice text,
    uint8_t out[SCRAM_KEY_LEN_MAX])
{
	assert(key.len > 0 && key.len <= INT32_MAX);
	return HMAC(digest_of(mechanism), key.data, (int)key.len, text.data,
		   text.len, out, NULL) == NULL ?
	    -1 :
	    0;
}

int
scram_hash(enum scram_mechanism mechanism, struct slice data,
    uint8_t out[SCRAM_KEY_LEN_MAX])
{
	return EVP_Digest(data.data, data.len, out, NULL, digest_of(mechanism),
		   NULL) == 1 ?
	    0 :
	    -1;
}

int
scram_derive(enum scram_mechanism mechanism, struct slice salted,
    uint8_t stored_key[SCRAM_KEY_LEN_MAX],
    uint8_t server_key[SCRAM_KEY_LEN_MAX])
{
	uint8_t client_key[SCRAM_KEY_LEN_MAX];
	int result = -1;

	if (scram_hmac(
		mechanism, salted, slice_str("Client Key"), client_key) == 0 &&
	    scram_hash(mechanism,
		slice_of(client_key, scram_key_len(mechanism)),
		stored_key) == 0)
		result = scram_hmac(
		    mechanism, salted, slice_str("Server Key"), server_key);
	OPENSSL_cleanse(client_key, sizeof(client_key));
	return result;
}

/* Divide the number by 36; what is left over. */
static unsigned
divide(uint8_t number[SCRAM_SALT_RANDOM_LEN])
{
	unsigned left = 0;

	for (int i = 0; i < SCRAM_SALT_RANDOM_LEN; i++) {
		left = left << 8 | number[i];
		number[i] = (uint8_t)(left / 36);
		left %= 36;
	}
	return left;
}

size_t
scram_salt_text(const uint8_t random[SCRAM_SALT_RANDOM_LEN],
    uint8_t salt[SCRAM_SALT_LEN_MAX])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	uint8_t number[SCRAM_SALT_RANDOM_LEN];
	size_t zeros = 0;

	memcpy(number, random, sizeof(number));
	number[0] &= 3;
	for (size_t i = SCRAM_SALT_LEN_MAX; i-- > 0;)
		salt[i] = (uint8_t)digits[divide(number)];
	while (zeros < SCRAM_SALT_LEN_MAX - 1 && salt[zeros] == '0')
		zeros++;
	memmove(salt, salt + zeros, SCRAM_SALT_LEN_MAX - zeros);
	return SCRAM_SALT_LEN_MAX - zeros;
}

void
scram_invent(enum scram_mechanism mechanism, struct slice secret,
    struct slice name, struct arena *arena, struct scram_credential *credential)
{
	uint8_t random[SCRAM_KEY_LEN_MAX], salt[SCRAM_SALT_LEN_MAX];
	int result = scram_hmac(mechanism, secret, name, random);
	size_t len;

	assert(result == 0);
	len = scram_salt_text(random, salt);
	memset(credential, 0, sizeof(*credential));
	credential->salt = arena_copy(arena, slice_of(salt, len));
	credential->iterations = SCRAM_ITERATIONS_MIN;
}
