#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "net/pem.h"
#include "net/tls_store.h"

/* --- Certificates --------------------------------------------------------- */

static bool
ends_with(struct slice label, const char *end)
{
	size_t len = strlen(end);

	return label.len >= len &&
	    memcmp(label.data + label.len - len, end, len) == 0;
}

static int
add_certificates(
    STACK_OF(X509) *certificates, struct slice text, const char **reason)
{
	struct pem_block block;
	int result;

	while ((result = pem_next(&text, &block)) > 0) {
		if (ends_with(block.label, "CERTIFICATE"))
			result = tls_store_add(certificates,
			    slice_of(block.data, block.len), reason);
		pem_block_fini(&block);
		if (result < 0)
			return -1;
	}
	if (result < 0)
		*reason = "a block of it is not PEM";
	else if (sk_X509_num(certificates) == 0)
		*reason = TLS_STORE_NO_CERTIFICATE;
	return result < 0 || sk_X509_num(certificates) == 0 ? -1 : 0;
}

STACK_OF(X509) *
tls_store_pem_certificates(struct slice text, const char **reason)
{
	STACK_OF(X509) *certificates = sk_X509_new_null();

	if (certificates != NULL &&
	    add_certificates(certificates, text, reason) == 0)
		return certificates;
	sk_X509_pop_free(certificates, X509_free);
	return NULL;
}

/* --- Keys ----------------------------------------------------------------- */

static EVP_PKEY *
plain_key(const struct pem_block *block)
{
	const unsigned char *data = block->data;

	return tls_store_pkcs8(
	    d2i_PKCS8_PRIV_KEY_INFO(NULL, &data, (long)block->len));
}

static PKCS8_PRIV_KEY_INFO *
decrypt(const X509_SIG *sig, const char *password)
{
	int len = (int)strlen(password);
	PKCS8_PRIV_KEY_INFO *info = PKCS8_decrypt(sig, password, len);
	OSSL_LIB_CTX *legacy;

	if (info != NULL)
		return info;
	legacy = tls_store_legacy();
	return legacy == NULL ?
	    NULL :
	    PKCS8_decrypt_ex(sig, password, len, legacy, NULL);
}

static EVP_PKEY *
encrypted_key(const struct pem_block *block, const char *password)
{
	const unsigned char *data = block->data;
	X509_SIG *sig = d2i_X509_SIG(NULL, &data, (long)block->len);
	const X509_ALGOR *algorithm = NULL;
	EVP_PKEY *key = NULL;

	if (sig != NULL) {
		X509_SIG_get0(sig, &algorithm, NULL);
		if (tls_store_fits(algorithm))
			key = tls_store_pkcs8(decrypt(sig, password));
	}
	X509_SIG_free(sig);
	return key;
}

/* A pem_password_cb. */
static int
give_password(char *room, int len, int writes, void *context)
{
	const char *password = context;
	size_t size = strlen(password);

	(void)writes;
	if (len < 0 || size > (size_t)len)
		return -1;
	memcpy(room, password, size);
	return (int)size;
}

/* "Proc-Type: 4,ENCRYPTED" and its kin, which are older than PKCS#8. */
static int
decrypt_old(struct pem_block *block, const char *password)
{
	char *headers = slice_dup(block->headers);
	long len = (long)block->len;
	EVP_CIPHER_INFO cipher;
	char *secret = xstrdup(password);
	int result = -1;

	if (PEM_get_EVP_CIPHER_INFO(headers, &cipher) == 1 &&
	    PEM_do_header(&cipher, block->data, &len, give_password, secret) ==
		1) {
		block->len = (size_t)len;
		result = 0;
	}
	OPENSSL_cleanse(secret, strlen(secret));
	free(secret);
	free(headers);
	return result;
}

static EVP_PKEY *
old_key(struct pem_block *block, int type, const char *password)
{
	const unsigned char *data;

	if (password != NULL && decrypt_old(block, password) != 0)
		return NULL;
	data = block->data;
	return d2i_PrivateKey(type, NULL, &data, (long)block->len);
}

static int
old_type(struct slice label)
{
	if (ends_with(label, "RSA PRIVATE KEY"))
		return EVP_PKEY_RSA;
	if (ends_with(label, "EC PRIVATE KEY"))
		return EVP_PKEY_EC;
	return EVP_PKEY_NONE;
}

static bool
is_encrypted(const struct pem_block *block)
{
	return ends_with(block->label, "ENCRYPTED PRIVATE KEY") ||
	    memmem(block->headers.data, block->headers.len, "ENCRYPTED", 9) !=
	    NULL;
}

static EVP_PKEY *
block_key(struct pem_block *block, const char *password, const char **reason)
{
	int type = old_type(block->label);
	EVP_PKEY *key;

	if (is_encrypted(block) != (password != NULL)) {
		*reason = password == NULL ?
		    "the private key is encrypted, and ssl.key.password is "
		    "not set" :
		    "the private key is not encrypted, and ssl.key.password "
		    "is set";
		return NULL;
	}
	if (type != EVP_PKEY_NONE)
		key = old_key(block, type, password);
	else if (password != NULL)
		key = encrypted_key(block, password);
	else
		key = plain_key(block);
	ERR_clear_error();
	if (key == NULL)
		*reason = password == NULL ? TLS_STORE_BAD_KEY :
					     TLS_STORE_BAD_KEY_PASSWORD;
	return key;
}

/*
 * The block of the only key: 0, or -1 with *reason.
 */
static int
find_key(struct slice text, struct pem_block *found, const char **reason)
{
	struct pem_block block;
	size_t count = 0;
	int result;

	memset(found, 0, sizeof(*found));
	while ((result = pem_next(&text, &block)) > 0) {
		if (ends_with(block.label, "PRIVATE KEY") && count++ == 0)
			*found = block;
		else
			pem_block_fini(&block);
	}
	if (result == 0 && count == 1)
		return 0;
	pem_block_fini(found);
	if (result < 0)
		*reason = "a block of it is not PEM";
	else if (count == 0)
		*reason = "No matching PRIVATE KEY entries in PEM file";
	else
		*reason = "Expected one private key, but found several";
	return -1;
}

EVP_PKEY *
tls_store_pem_key(struct slice text, const char *password, const char **reason)
{
	struct pem_block block;
	EVP_PKEY *key;

	if (find_key(text, &block, reason) != 0)
		return NULL;
	key = block_key(&block, password, reason);
	pem_block_fini(&block);
	return key;
}
