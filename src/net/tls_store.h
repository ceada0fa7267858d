/*
 * TLS store: what one key store or trust store holds, in each of the formats
 * that tls_material.h tells of.
 *
 * A function that fails sets *reason, which is static and says nothing secret.
 * OpenSSL's error queue is left as it was found, empty.  Thread: any.
 */
#ifndef NET_TLS_STORE_H
#define NET_TLS_STORE_H

#include <openssl/types.h>
#include <openssl/x509.h>

#include "base/base.h"

struct tls_store {
	EVP_PKEY *key;		   /* NULL where there is none, or not asked */
	X509 *certificate;	   /* the key's; NULL where there is none */
	STACK_OF(X509) *chain;	   /* above it; never NULL */
	STACK_OF(X509) *trusted;   /* never NULL */
};

/* What opens a store in a file. */
struct tls_store_access {
	const char *password;	  /* NULL: what needs none can be had */
	const char *key_password; /* NULL: no key is asked for */
};

/* Reasons that several formats have. */
#define TLS_STORE_BAD_CERTIFICATE "a certificate cannot be read"
#define TLS_STORE_NO_CERTIFICATE \
	"At least one certificate expected, but none found"
#define TLS_STORE_BAD_PASSWORD "keystore password was incorrect"
#define TLS_STORE_BAD_FORMAT "Invalid keystore format"
#define TLS_STORE_BAD_KEY "the private key cannot be read"
#define TLS_STORE_BAD_KEY_PASSWORD \
	"the private key cannot be read, or ssl.key.password is wrong"

/*
 * The private key in a PEM text that holds exactly one, encrypted with
 * password exactly where that is not NULL.  The caller frees it.  NULL with
 * *reason.
 */
EVP_PKEY *tls_store_pem_key(
    struct slice text, const char *password, const char **reason) WARN_UNUSED;

/* All certificates of a PEM text, one at least, which the caller frees. */
STACK_OF(X509) *tls_store_pem_certificates(
    struct slice text, const char **reason) WARN_UNUSED;

/*
 * Read a file of either of Java's formats, which it tells by itself, into
 * *store, for which tls_store_fini is due.  -1 with *reason; *store is empty
 * then.
 *
 * Trusted are, as for Java, the certificates that are marked so and those of
 * keys; and all in a PKCS12 file without any key or mark, as OpenSSL writes
 * it, of which Java would trust none.
 */
int tls_store_read(struct tls_store *store, struct slice bytes,
    const struct tls_store_access *access, const char **reason) WARN_UNUSED;
void tls_store_fini(struct tls_store *store);

/* The formats, for tls_store_read, which gives them an empty store. */
int tls_store_read_pkcs12(struct tls_store *store, struct slice bytes,
    const struct tls_store_access *access, const char **reason) WARN_UNUSED;
int tls_store_read_jks(struct tls_store *store, struct slice bytes,
    const struct tls_store_access *access, const char **reason) WARN_UNUSED;

/*
 * Can what is encrypted like this, or with so many rounds (NULL: one), be read
 * in a time that a start has?  The bound is Java's.  An algorithm that is not
 * known fits.
 */
bool tls_store_fits(const X509_ALGOR *algorithm);
bool tls_store_iterations_fit(const ASN1_INTEGER *iterations);

/* The key in a PKCS#8 structure, which is freed; NULL where there is none. */
EVP_PKEY *tls_store_pkcs8(PKCS8_PRIV_KEY_INFO *info);

/*
 * OpenSSL with the algorithms of long ago, with which keytool encrypted
 * certificates up to Java 11 (RC2 of 40 bits), made when it is first asked
 * for; NULL where the library comes without them.
 */
OSSL_LIB_CTX *tls_store_legacy(void);

/* Add the certificate in der, whatever follows it, to certificates. */
int tls_store_add(STACK_OF(X509) *certificates, struct slice der,
    const char **reason) WARN_UNUSED;

#endif
