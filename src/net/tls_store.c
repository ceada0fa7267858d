#include "net/tls_store.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <pthread.h>

/* sun.security.pkcs12.PKCS12KeyStore: MAX_ITERATION_COUNT. */
#define ITERATIONS_MAX 5000000

int
tls_store_add(
    STACK_OF(X509) *certificates, struct slice der, const char **reason)
{
	const unsigned char *data = der.data;
	X509 *certificate = d2i_X509(NULL, &data, (long)der.len);

	if (certificate != NULL && sk_X509_push(certificates, certificate) > 0)
		return 0;
	X509_free(certificate);
	ERR_clear_error();
	*reason = TLS_STORE_BAD_CERTIFICATE;
	return -1;
}

EVP_PKEY *
tls_store_pkcs8(PKCS8_PRIV_KEY_INFO *info)
{
	EVP_PKEY *key = info == NULL ? NULL : EVP_PKCS82PKEY(info);

	PKCS8_PRIV_KEY_INFO_free(info);
	return key;
}

/* --- What a start has time for -------------------------------------------- */

bool
tls_store_iterations_fit(const ASN1_INTEGER *iterations)
{
	int64_t count;

	return iterations == NULL ||
	    (ASN1_INTEGER_get_int64(&count, iterations) == 1 && count >= 0 &&
		count <= ITERATIONS_MAX);
}

static bool
pbkdf2_fits(const X509_ALGOR *algorithm)
{
	PBKDF2PARAM *params = ASN1_TYPE_unpack_sequence(
	    ASN1_ITEM_rptr(PBKDF2PARAM), algorithm->parameter);
	bool fits = params == NULL || tls_store_iterations_fit(params->iter);

	PBKDF2PARAM_free(params);
	return fits;
}

static bool
pbes2_fits(const X509_ALGOR *algorithm)
{
	PBE2PARAM *params = ASN1_TYPE_unpack_sequence(
	    ASN1_ITEM_rptr(PBE2PARAM), algorithm->parameter);
	bool fits = params == NULL ||
	    OBJ_obj2nid(params->keyfunc->algorithm) != NID_id_pbkdf2 ||
	    pbkdf2_fits(params->keyfunc);

	PBE2PARAM_free(params);
	return fits;
}

bool
tls_store_fits(const X509_ALGOR *algorithm)
{
	PBEPARAM *params;
	bool fits;

	if (OBJ_obj2nid(algorithm->algorithm) == NID_pbes2)
		return pbes2_fits(algorithm);
	params = ASN1_TYPE_unpack_sequence(
	    ASN1_ITEM_rptr(PBEPARAM), algorithm->parameter);
	fits = params == NULL || tls_store_iterations_fit(params->iter);
	PBEPARAM_free(params);
	return fits;
}

/* --- Algorithms of long ago ----------------------------------------------- */

static pthread_once_t legacy_once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *legacy;

/* It stays, as OpenSSL itself does. */
static void
legacy_open(void)
{
	OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();

	if (context != NULL && OSSL_PROVIDER_load(context, "legacy") != NULL &&
	    OSSL_PROVIDER_load(context, "default") != NULL)
		legacy = context;
	else
		OSSL_LIB_CTX_free(context);
}

OSSL_LIB_CTX *
tls_store_legacy(void)
{
	pthread_once(&legacy_once, legacy_open);
	return legacy;
}

/* --- A file --------------------------------------------------------------- */

static int
init(struct tls_store *store, const char **reason)
{
	memset(store, 0, sizeof(*store));
	store->chain = sk_X509_new_null();
	store->trusted = sk_X509_new_null();
	*reason = "out of memory";
	return store->chain == NULL || store->trusted == NULL ? -1 : 0;
}

static int
read_format(struct tls_store *store, struct slice bytes,
    const struct tls_store_access *access, const char **reason)
{
	static const uint8_t jks[] = { 0xfe, 0xed, 0xfe, 0xed };
	static const uint8_t jceks[] = { 0xce, 0xce, 0xce, 0xce };

	if (bytes.len == 0) {
		*reason = "the file is empty";
		return -1;
	}
	if (bytes.data[0] == 0x30)
		return tls_store_read_pkcs12(store, bytes, access, reason);
	if (bytes.len > 4 && memcmp(bytes.data, jks, 4) == 0)
		return tls_store_read_jks(store, bytes, access, reason);
	*reason = bytes.len > 4 && memcmp(bytes.data, jceks, 4) == 0 ?
	    "it is a JCEKS store, which is not supported" :
	    TLS_STORE_BAD_FORMAT;
	return -1;
}

int
tls_store_read(struct tls_store *store, struct slice bytes,
    const struct tls_store_access *access, const char **reason)
{
	int result = init(store, reason);

	if (result == 0)
		result = read_format(store, bytes, access, reason);
	ERR_clear_error();
	if (result != 0)
		tls_store_fini(store);
	return result;
}

void
tls_store_fini(struct tls_store *store)
{
	EVP_PKEY_free(store->key);
	X509_free(store->certificate);
	sk_X509_pop_free(store->chain, X509_free);
	sk_X509_pop_free(store->trusted, X509_free);
	memset(store, 0, sizeof(*store));
}
