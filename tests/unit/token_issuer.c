#include "unit/unit.h"

#include "unit/token_issuer.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "base/base64.h"

#define SECRET_LEN 64
#define SIGNATURE_LEN_MAX 1024

struct token_key {
	char *algorithm;
	char *id;
	EVP_PKEY *key;	 /* NULL: a secret */
	uint8_t secret[SECRET_LEN];
	size_t secret_len;
};

static bool
is_of(const char *algorithm, const char *family)
{
	return strncmp(algorithm, family, strlen(family)) == 0;
}

static const char *
curve_of(const char *algorithm)
{
	return strcmp(algorithm, "ES256") == 0 ? "P-256" :
	    strcmp(algorithm, "ES384") == 0    ? "P-384" :
						 "P-521";
}

struct token_key *
token_key_new(const char *algorithm, const char *id, unsigned int bits)
{
	struct token_key *key = xcalloc(1, sizeof(*key));

	key->algorithm = xstrdup(algorithm);
	key->id = xstrdup(id);
	if (is_of(algorithm, "ES")) {
		key->key = EVP_EC_gen(curve_of(algorithm));
	} else if (is_of(algorithm, "EdDSA")) {
		key->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	} else if (is_of(algorithm, "HS")) {
		key->secret_len = bits == 0 ? SECRET_LEN : bits / 8;
		memset(key->secret, id[0], key->secret_len);
		return key;
	} else {
		key->key = EVP_RSA_gen(bits == 0 ? 2048 : bits);
	}
	assert_non_null(key->key);
	return key;
}

void
token_key_free(struct token_key *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->key);
	free(key->algorithm);
	free(key->id);
	free(key);
}

/* --- Base64 --------------------------------------------------------------- */

static char *
encode(struct slice bytes)
{
	size_t len = base64_len(bytes.len);
	char *text = xcalloc(1, len + 1);

	base64_encode(bytes, text);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '+')
			text[i] = '-';
		else if (text[i] == '/')
			text[i] = '_';
		else if (text[i] == '=')
			text[i] = '\0';
	}
	return text;
}

static char *
encode_number(const struct token_key *key, const char *name, size_t len)
{
	BIGNUM *number = NULL;
	uint8_t bytes[SIGNATURE_LEN_MAX];
	int written;

	assert_int_equal(EVP_PKEY_get_bn_param(key->key, name, &number), 1);
	if (len == 0)
		len = (size_t)BN_num_bytes(number);
	written = BN_bn2binpad(number, bytes, (int)len);
	assert_int_equal(written, len);
	BN_free(number);
	return encode(slice_of(bytes, len));
}

static char *
encode_raw(const struct token_key *key)
{
	uint8_t bytes[64];
	size_t len = sizeof(bytes);

	assert_int_equal(
	    EVP_PKEY_get_raw_public_key(key->key, bytes, &len), 1);
	return encode(slice_of(bytes, len));
}

/* --- Keys as JSON --------------------------------------------------------- */

static size_t
coordinate_len(const struct token_key *key)
{
	return ((size_t)EVP_PKEY_get_bits(key->key) + 7) / 8;
}

static char *
numbers_of(const struct token_key *key)
{
	char *a, *b = xstrdup(""), *text;

	if (is_of(key->algorithm, "HS")) {
		a = encode(slice_of(key->secret, key->secret_len));
		text = xasprintf("\"kty\":\"oct\",\"k\":\"%s\"", a);
	} else if (is_of(key->algorithm, "EdDSA")) {
		a = encode_raw(key);
		text = xasprintf(
		    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"", a);
	} else if (is_of(key->algorithm, "ES")) {
		free(b);
		a = encode_number(
		    key, OSSL_PKEY_PARAM_EC_PUB_X, coordinate_len(key));
		b = encode_number(
		    key, OSSL_PKEY_PARAM_EC_PUB_Y, coordinate_len(key));
		text = xasprintf("\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\","
				 "\"y\":\"%s\"",
		    curve_of(key->algorithm), a, b);
	} else {
		free(b);
		a = encode_number(key, OSSL_PKEY_PARAM_RSA_N, 0);
		b = encode_number(key, OSSL_PKEY_PARAM_RSA_E, 0);
		text = xasprintf(
		    "\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"", a, b);
	}
	free(a);
	free(b);
	return text;
}

char *
token_key_json(const struct token_key *key, const char *extra)
{
	char *numbers = numbers_of(key);
	char *text =
	    xasprintf("{%s,\"kid\":\"%s\"%s}", numbers, key->id, extra);

	free(numbers);
	return text;
}

char *
token_key_set(const struct token_key *key, ...)
{
	char *set = xstrdup("{\"keys\":["), *longer, *json;
	va_list keys;

	va_start(keys, key);
	for (bool first = true; key != NULL; first = false) {
		json = token_key_json(key, "");
		longer = xasprintf("%s%s%s", set, first ? "" : ",", json);
		free(set);
		free(json);
		set = longer;
		key = va_arg(keys, const struct token_key *);
	}
	va_end(keys);
	longer = xasprintf("%s]}", set);
	free(set);
	return longer;
}

/* --- Signing -------------------------------------------------------------- */

static const EVP_MD *
digest_of(const char *algorithm)
{
	if (is_of(algorithm, "EdDSA"))
		return NULL;
	return strcmp(algorithm + 2, "256") == 0 ? EVP_sha256() :
	    strcmp(algorithm + 2, "384") == 0	 ? EVP_sha384() :
						   EVP_sha512();
}

static size_t
sign_digest(const struct token_key *key, const char *algorithm,
    struct slice text, uint8_t *out)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *of_key;
	size_t len = SIGNATURE_LEN_MAX;

	assert_int_equal(EVP_DigestSignInit(context, &of_key,
			     digest_of(algorithm), NULL, key->key),
	    1);
	if (is_of(algorithm, "PS")) {
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(
				     of_key, RSA_PKCS1_PSS_PADDING),
		    1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(
				     of_key, RSA_PSS_SALTLEN_DIGEST),
		    1);
	}
	assert_int_equal(
	    EVP_DigestSign(context, out, &len, text.data, text.len), 1);
	EVP_MD_CTX_free(context);
	return len;
}

static size_t
sign_ec(const struct token_key *key, const char *algorithm, struct slice text,
    uint8_t *out)
{
	uint8_t der[SIGNATURE_LEN_MAX];
	const uint8_t *at = der;
	size_t len = sign_digest(key, algorithm, text, der);
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
	int half = (int)coordinate_len(key);

	assert_non_null(pair);
	assert_int_equal(
	    BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, half), half);
	assert_int_equal(
	    BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + half, half), half);
	ECDSA_SIG_free(pair);
	return 2 * (size_t)half;
}

static size_t
sign(const struct token_key *key, const char *algorithm, struct slice text,
    uint8_t *out)
{
	unsigned int len;

	if (is_of(algorithm, "ES"))
		return sign_ec(key, algorithm, text, out);
	if (key->key != NULL)
		return sign_digest(key, algorithm, text, out);
	assert_non_null(HMAC(digest_of(algorithm), key->secret,
	    (int)key->secret_len, text.data, text.len, out, &len));
	return len;
}

static char *
signed_text(const char *header, const char *claims)
{
	char *a = encode(slice_str(header)), *b = encode(slice_str(claims));
	char *text = xasprintf("%s.%s", a, b);

	free(a);
	free(b);
	return text;
}

char *
token_sign(const struct token_key *key, const char *algorithm,
    const char *header, const char *claims)
{
	uint8_t signature[SIGNATURE_LEN_MAX];
	char *text = signed_text(header, claims);
	size_t len = sign(key, algorithm, slice_str(text), signature);
	char *encoded = encode(slice_of(signature, len));
	char *token = xasprintf("%s.%s", text, encoded);

	free(text);
	free(encoded);
	return token;
}

char *
token_of(const struct token_key *key, const char *claims)
{
	char *header = xasprintf("{\"alg\":\"%s\",\"kid\":\"%s\"}",
	    key->algorithm, key->id);
	char *token = token_sign(key, key->algorithm, header, claims);

	free(header);
	return token;
}

char *
token_unsigned(const char *header, const char *claims)
{
	char *text = signed_text(header, claims);
	char *token = xasprintf("%s.", text);

	free(text);
	return token;
}
