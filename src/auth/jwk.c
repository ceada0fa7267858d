#include "auth/jwk.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "auth/jwt.h"
#include "base/base64.h"

#define RSA_BITS_MIN 2048

/* Of a coordinate of P-521. */
#define COORDINATE_LEN_MAX 66

enum type { TYPE_RSA, TYPE_EC, TYPE_OKP, TYPE_OCT };

static const char *const type_names[] = {
	[TYPE_RSA] = "RSA",
	[TYPE_EC] = "EC",
	[TYPE_OKP] = "OKP",
	[TYPE_OCT] = "oct",
};

struct curve {
	const char *name;
	const char *openssl_name;
	enum type type;
	size_t len; /* of a coordinate, in bytes */
};

static const struct curve curves[] = {
	{ "P-256", "prime256v1", TYPE_EC, 32 },
	{ "P-384", "secp384r1", TYPE_EC, 48 },
	{ "P-521", "secp521r1", TYPE_EC, COORDINATE_LEN_MAX },
	{ "Ed25519", "ED25519", TYPE_OKP, 32 },
	{ "Ed448", "ED448", TYPE_OKP, 57 },
};

struct algorithm {
	const char *name;
	enum type type;
	const EVP_MD *(*digest)(void); /* NULL: the key has its own */
	bool pss;
	const char *curve; /* of TYPE_EC */
};

static const struct algorithm algorithms[] = {
	{ "RS256", TYPE_RSA, EVP_sha256, false, NULL },
	{ "RS384", TYPE_RSA, EVP_sha384, false, NULL },
	{ "RS512", TYPE_RSA, EVP_sha512, false, NULL },
	{ "PS256", TYPE_RSA, EVP_sha256, true, NULL },
	{ "PS384", TYPE_RSA, EVP_sha384, true, NULL },
	{ "PS512", TYPE_RSA, EVP_sha512, true, NULL },
	{ "ES256", TYPE_EC, EVP_sha256, false, "P-256" },
	{ "ES384", TYPE_EC, EVP_sha384, false, "P-384" },
	{ "ES512", TYPE_EC, EVP_sha512, false, "P-521" },
	{ "EdDSA", TYPE_OKP, NULL, false, NULL },
	{ "HS256", TYPE_OCT, EVP_sha256, false, NULL },
	{ "HS384", TYPE_OCT, EVP_sha384, false, NULL },
	{ "HS512", TYPE_OCT, EVP_sha512, false, NULL },
};

struct jwk {
	json_t *json; /* owned: all that is not the key itself */
	enum type type;
	const struct curve *curve; /* NULL: it has none */
	EVP_PKEY *key;		   /* NULL of TYPE_OCT */
	uint8_t *secret;	   /* of TYPE_OCT */
	size_t secret_len;
};

/* --- Reading -------------------------------------------------------------- */

/* The bytes of a member, which the caller frees; NULL where there are none. */
static uint8_t *
bytes_of(const json_t *json, const char *name, size_t *len)
{
	struct slice text;
	uint8_t *bytes;

	if (jwt_text(json, name, &text) != JWT_FOUND)
		return NULL;
	bytes = xmalloc(text.len / 4 * 3 + 2);
	if (base64_decode_url(text, bytes, len) == 0 && *len > 0)
		return bytes;
	free(bytes);
	return NULL;
}

static EVP_PKEY *
key_of(const char *algorithm, OSSL_PARAM_BLD *builder)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(
	    NULL, algorithm, NULL);
	EVP_PKEY *key = NULL;

	if (params == NULL || context == NULL ||
	    EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *
rsa_key(const uint8_t *n, size_t n_len, const uint8_t *e, size_t e_len)
{
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	BIGNUM *modulus = BN_bin2bn(n, (int)n_len, NULL);
	BIGNUM *exponent = BN_bin2bn(e, (int)e_len, NULL);
	EVP_PKEY *key = NULL;

	assert(builder != NULL && modulus != NULL && exponent != NULL);
	if (OSSL_PARAM_BLD_push_BN(
		builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
	    OSSL_PARAM_BLD_push_BN(
		builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
		key = key_of("RSA", builder);
	OSSL_PARAM_BLD_free(builder);
	BN_free(modulus);
	BN_free(exponent);
	return key;
}

static int
read_rsa(struct jwk *jwk)
{
	size_t n_len = 0, e_len = 0;
	uint8_t *n = bytes_of(jwk->json, "n", &n_len);
	uint8_t *e = bytes_of(jwk->json, "e", &e_len);

	/* Larger ones cost more than a login may. */
	if (n != NULL && e != NULL && n_len <= OPENSSL_RSA_MAX_MODULUS_BITS / 8)
		jwk->key = rsa_key(n, n_len, e, e_len);
	free(n);
	free(e);
	return jwk->key == NULL ? -1 : 0;
}

/* A coordinate of exactly len bytes; leading zeroes may be missing. */
static bool
read_coordinate(const json_t *json, const char *name, size_t len, uint8_t *out)
{
	size_t given = 0;
	uint8_t *bytes = bytes_of(json, name, &given);
	bool fits = bytes != NULL && given <= len;

	if (fits) {
		memset(out, 0, len - given);
		memcpy(out + len - given, bytes, given);
	}
	free(bytes);
	return fits;
}

/* OpenSSL refuses a point that is not on the curve. */
static int
read_ec(struct jwk *jwk)
{
	size_t len = jwk->curve->len;
	uint8_t point[1 + 2 * COORDINATE_LEN_MAX] = {
		POINT_CONVERSION_UNCOMPRESSED,
	};
	OSSL_PARAM_BLD *builder;

	if (!read_coordinate(jwk->json, "x", len, point + 1) ||
	    !read_coordinate(jwk->json, "y", len, point + 1 + len))
		return -1;
	builder = OSSL_PARAM_BLD_new();
	assert(builder != NULL);
	if (OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME,
		jwk->curve->openssl_name, 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY,
		point, 1 + 2 * len) == 1)
		jwk->key = key_of("EC", builder);
	OSSL_PARAM_BLD_free(builder);
	return jwk->key == NULL ? -1 : 0;
}

static int
read_okp(struct jwk *jwk)
{
	size_t len = 0;
	uint8_t *x = bytes_of(jwk->json, "x", &len);

	if (x != NULL && len == jwk->curve->len)
		jwk->key = EVP_PKEY_new_raw_public_key_ex(
		    NULL, jwk->curve->openssl_name, NULL, x, len);
	free(x);
	return jwk->key == NULL ? -1 : 0;
}

static int
read_oct(struct jwk *jwk)
{
	jwk->secret = bytes_of(jwk->json, "k", &jwk->secret_len);
	/* It is not to lie about twice. */
	json_object_del(jwk->json, "k");
	return jwk->secret == NULL ? -1 : 0;
}

static int
read_type(struct jwk *jwk)
{
	struct slice name;

	if (jwt_text(jwk->json, "kty", &name) != JWT_FOUND)
		return -1;
	for (size_t i = 0; i < COUNT_OF(type_names); i++)
		if (slice_equal_str(name, type_names[i])) {
			jwk->type = (enum type)i;
			return 0;
		}
	return -1;
}

/* Those without a curve need none. */
static int
read_curve(struct jwk *jwk)
{
	struct slice name;

	if (jwk->type != TYPE_EC && jwk->type != TYPE_OKP)
		return 0;
	if (jwt_text(jwk->json, "crv", &name) != JWT_FOUND)
		return -1;
	for (size_t i = 0; i < COUNT_OF(curves); i++)
		if (curves[i].type == jwk->type &&
		    slice_equal_str(name, curves[i].name)) {
			jwk->curve = &curves[i];
			return 0;
		}
	return -1;
}

static int
read_key(struct jwk *jwk)
{
	switch (jwk->type) {
	case TYPE_RSA:
		return read_rsa(jwk);
	case TYPE_EC:
		return read_ec(jwk);
	case TYPE_OKP:
		return read_okp(jwk);
	case TYPE_OCT:
		return read_oct(jwk);
	}
	return -1;
}

/* What keys are chosen by has to be text. */
static bool
labels_valid(const json_t *json)
{
	static const char *const names[] = { "use", "kid", "alg", "x5t",
		"x5t#S256" };
	const json_t *operations = json_object_get(json, "key_ops");
	struct slice text;

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (jwt_text(json, names[i], &text) == JWT_MALFORMED)
			return false;
	return operations == NULL || json_is_array(operations);
}

struct jwk *
jwk_new(const json_t *json, const char **reason)
{
	struct jwk *jwk;

	*reason = "it is no object";
	if (!json_is_object(json))
		return NULL;
	jwk = xcalloc(1, sizeof(*jwk));
	jwk->json = json_copy((json_t *)(uintptr_t)json);
	*reason = "its type or its curve is not known";
	if (read_type(jwk) == 0 && read_curve(jwk) == 0) {
		*reason = "its numbers make no key";
		if (labels_valid(json) && read_key(jwk) == 0)
			return jwk;
	}
	ERR_clear_error();
	jwk_free(jwk);
	return NULL;
}

void
jwk_free(struct jwk *jwk)
{
	if (jwk == NULL)
		return;
	json_decref(jwk->json);
	EVP_PKEY_free(jwk->key);
	if (jwk->secret != NULL)
		OPENSSL_cleanse(jwk->secret, jwk->secret_len);
	free(jwk->secret);
	free(jwk);
}

/* --- Choosing ------------------------------------------------------------- */

static const struct algorithm *
algorithm_of(const json_t *header)
{
	struct slice name;

	if (jwt_text(header, "alg", &name) != JWT_FOUND)
		return NULL;
	for (size_t i = 0; i < COUNT_OF(algorithms); i++)
		if (slice_equal_str(name, algorithms[i].name))
			return &algorithms[i];
	return NULL;
}

bool
jwk_algorithm_known(const json_t *header)
{
	return algorithm_of(header) != NULL;
}

/* Where the key does not say, it is right. */
static bool
label_is(const struct jwk *jwk, const char *name, struct slice wanted)
{
	struct slice own;

	return jwt_text(jwk->json, name, &own) != JWT_FOUND ||
	    slice_equal(own, wanted);
}

/* The same where the header does not say, either. */
static bool
label_agrees(const struct jwk *jwk, const char *name, const json_t *header)
{
	struct slice wanted;

	return jwt_text(header, name, &wanted) != JWT_FOUND ||
	    label_is(jwk, name, wanted);
}

/* A header with an id wants that key, and none without one. */
static bool
has_id(const struct jwk *jwk, const json_t *header)
{
	struct slice wanted, own;

	return jwt_text(header, "kid", &wanted) == JWT_ABSENT ||
	    (jwt_text(jwk->json, "kid", &own) == JWT_FOUND &&
		slice_equal(own, wanted));
}

static bool
may_verify(const struct jwk *jwk)
{
	const json_t *operations = json_object_get(jwk->json, "key_ops");
	size_t i;
	json_t *item;

	if (!label_is(jwk, "use", slice_str("sig")))
		return false;
	json_array_foreach(operations, i, item)
		if (slice_equal_str(jwt_string(item), "verify"))
			return true;
	return operations == NULL;
}

bool
jwk_fits(const struct jwk *jwk, const json_t *header)
{
	const struct algorithm *algorithm = algorithm_of(header);

	return algorithm != NULL && algorithm->type == jwk->type &&
	    has_id(jwk, header) && may_verify(jwk) &&
	    label_agrees(jwk, "x5t", header) &&
	    label_agrees(jwk, "x5t#S256", header);
}

bool
jwk_fits_algorithm(const struct jwk *jwk, const json_t *header)
{
	return label_agrees(jwk, "alg", header);
}

bool
jwk_fits_curve(const struct jwk *jwk, const json_t *header)
{
	const struct algorithm *algorithm = algorithm_of(header);

	return algorithm == NULL || algorithm->curve == NULL ||
	    (jwk->curve != NULL &&
		strcmp(jwk->curve->name, algorithm->curve) == 0);
}

/* --- Verifying ------------------------------------------------------------ */

static bool
verify_digest(const struct jwk *jwk, const struct algorithm *algorithm,
    struct slice text, struct slice signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *of_key = NULL;
	bool right;

	assert(context != NULL);
	right = EVP_DigestVerifyInit(context, &of_key,
		    algorithm->digest == NULL ? NULL : algorithm->digest(),
		    NULL, jwk->key) == 1 &&
	    (!algorithm->pss ||
		(EVP_PKEY_CTX_set_rsa_padding(
		     of_key, RSA_PKCS1_PSS_PADDING) == 1 &&
		    EVP_PKEY_CTX_set_rsa_pss_saltlen(
			of_key, RSA_PSS_SALTLEN_DIGEST) == 1)) &&
	    EVP_DigestVerify(context, signature.data, signature.len, text.data,
		text.len) == 1;
	EVP_MD_CTX_free(context);
	return right;
}

/* R and S beside each other become ASN.1. */
static bool
verify_ec(const struct jwk *jwk, const struct algorithm *algorithm,
    struct slice text, struct slice signature)
{
	int half = (int)jwk->curve->len, len;
	uint8_t *der = NULL;
	ECDSA_SIG *pair;
	BIGNUM *r, *s;
	bool right;

	if (strcmp(jwk->curve->name, algorithm->curve) != 0 ||
	    signature.len != 2 * jwk->curve->len)
		return false;
	pair = ECDSA_SIG_new();
	r = BN_bin2bn(signature.data, half, NULL);
	s = BN_bin2bn(signature.data + half, half, NULL);
	assert(pair != NULL && r != NULL && s != NULL);
	len = ECDSA_SIG_set0(pair, r, s) == 1 ? i2d_ECDSA_SIG(pair, &der) : -1;
	ECDSA_SIG_free(pair);
	right = len > 0 &&
	    verify_digest(jwk, algorithm, text, slice_of(der, (size_t)len));
	OPENSSL_free(der);
	return right;
}

static bool
verify_oct(const struct jwk *jwk, const struct algorithm *algorithm,
    struct slice text, struct slice signature)
{
	uint8_t own[EVP_MAX_MD_SIZE];
	const EVP_MD *digest = algorithm->digest();
	size_t len = (size_t)EVP_MD_get_size(digest);

	return jwk->secret_len >= len && signature.len == len &&
	    HMAC(digest, jwk->secret, (int)jwk->secret_len, text.data,
		text.len, own, NULL) != NULL &&
	    CRYPTO_memcmp(own, signature.data, len) == 0;
}

static bool
verify(const struct jwk *jwk, const json_t *header, struct slice text,
    struct slice signature)
{
	const struct algorithm *algorithm = algorithm_of(header);

	if (algorithm == NULL || algorithm->type != jwk->type)
		return false;
	switch (jwk->type) {
	case TYPE_RSA:
		return EVP_PKEY_get_bits(jwk->key) >= RSA_BITS_MIN &&
		    verify_digest(jwk, algorithm, text, signature);
	case TYPE_EC:
		return verify_ec(jwk, algorithm, text, signature);
	case TYPE_OKP:
		return verify_digest(jwk, algorithm, text, signature);
	case TYPE_OCT:
		return verify_oct(jwk, algorithm, text, signature);
	}
	return false;
}

/* OpenSSL's notes of what failed would be found by who does TLS next. */
bool
jwk_verify(const struct jwk *jwk, const json_t *header, struct slice text,
    struct slice signature)
{
	bool right = verify(jwk, header, text, signature);

	ERR_clear_error();
	return right;
}
