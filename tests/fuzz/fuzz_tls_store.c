/*
 * Stores of keys and certificates: a byte that says how it is read, then the
 * file, whose password is "secret".  The digest of a JKS file is made right, so
 * that what it covers is reached.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "net/tls_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "secret" in UTF-16, and what Java puts behind it. */
#define SEAL_PREFIX "\0s\0e\0c\0r\0e\0tMighty Aphrodite"
#define SEAL_LEN 20

static void
seal(uint8_t *file, size_t len)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	assert(EVP_DigestInit_ex(context, EVP_sha1(), NULL) == 1 &&
	    EVP_DigestUpdate(context, SEAL_PREFIX, sizeof(SEAL_PREFIX) - 1) ==
		1 &&
	    EVP_DigestUpdate(context, file, len - SEAL_LEN) == 1 &&
	    EVP_DigestFinal_ex(context, file + len - SEAL_LEN, NULL) == 1);
	EVP_MD_CTX_free(context);
}

static void
read_file(struct slice file, const struct tls_store_access *access)
{
	struct tls_store store;
	const char *reason = NULL;

	if (tls_store_read(&store, file, access, &reason) != 0) {
		assert(reason != NULL && store.key == NULL &&
		    store.trusted == NULL);
		return;
	}
	assert(store.key == NULL || access->key_password != NULL);
	tls_store_fini(&store);
}

static void
read_pem(struct slice text, const char *password)
{
	const char *reason = NULL;
	EVP_PKEY *key = tls_store_pem_key(text, password, &reason);
	STACK_OF(X509) *certificates;

	assert((key == NULL) == (reason != NULL));
	EVP_PKEY_free(key);
	reason = NULL;
	certificates = tls_store_pem_certificates(text, &reason);
	assert((certificates == NULL) == (reason != NULL));
	sk_X509_pop_free(certificates, X509_free);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_store_access access = { "secret", "another" };
	uint8_t *copy;

	if (size == 0)
		return 0;
	if ((data[0] & 1) != 0)
		access.key_password = NULL;
	if ((data[0] & 2) != 0)
		access.password = NULL;
	copy = xmalloc(size);
	memcpy(copy, data + 1, size - 1);
	if (size - 1 > SEAL_LEN && copy[0] == 0xfe)
		seal(copy, size - 1);
	if ((data[0] & 4) != 0)
		read_pem(slice_of(copy, size - 1), access.key_password);
	else
		read_file(slice_of(copy, size - 1), &access);
	free(copy);
	return 0;
}
