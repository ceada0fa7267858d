/*
 * TLS material: the private key, certificates and trusted certificates of a
 * listener, out of the stores that ssl.keystore.* and ssl.truststore.* name.
 *
 * Which settings go together, and what is said where they do not, is Kafka's
 * (org.apache.kafka.common.security.ssl.DefaultSslEngineFactory).  A store is
 *
 *	PEM	a file, or texts in the configuration itself: PKCS#8 keys,
 *		encrypted or not, and certificates, the leaf first; beyond
 *		Kafka also the older "RSA PRIVATE KEY" and "EC PRIVATE KEY"
 *	PKCS12	a file, as keytool and OpenSSL write it
 *	JKS	a file in Java's own format
 *
 * Files of the last two tell what they are, so that the type only has to be
 * one of them.  Of several keys in a store the first one is used.
 *
 * Nothing here blocks but the reading of files.  Thread: any.
 */
#ifndef NET_TLS_MATERIAL_H
#define NET_TLS_MATERIAL_H

#include <openssl/types.h>
#include <openssl/x509.h>

#include "base/base.h"

/* Larger files are no stores. */
#define TLS_STORE_LEN_MAX ((size_t)16 << 20)

/* The keys of a listener; NULL where one is not set.  Texts are borrowed. */
struct tls_store_settings {
	const char *keystore_type;	/* NULL: JKS */
	const char *keystore_location;
	const char *keystore_password;
	const char *keystore_key;
	const char *keystore_certificate_chain;
	const char *key_password;
	const char *truststore_type;	/* NULL: JKS */
	const char *truststore_location;
	const char *truststore_password;
	const char *truststore_certificates;
};

/*
 * Who reads files: all of path into a heap block that the caller frees, or
 * NULL with errno, EFBIG where it is longer than len_max.
 */
struct tls_files {
	uint8_t *(*read)(
	    void *context, const char *path, size_t len_max, size_t *len);
	void *context;
};

struct tls_material {
	EVP_PKEY *key;		   /* NULL without a key store */
	X509 *certificate;	   /* which the key fits, or NULL */
	STACK_OF(X509) *chain;	   /* above it; NULL without a key store */
	STACK_OF(X509) *trusted;   /* NULL without a trust store */
};

/*
 * Read what settings name into *material, which is owned by the caller:
 * tls_material_fini is due.  -1 where something is wrong: *error is a line on
 * the heap, the caller's, which names keys of the configuration and files but
 * nothing that is secret; *material is zeroed then.
 */
int tls_material_read(struct tls_material *material,
    const struct tls_store_settings *settings, const struct tls_files *files,
    char **error) WARN_UNUSED;
void tls_material_fini(struct tls_material *material);

/* The same keys and certificates, in the same order? */
bool tls_material_equal(
    const struct tls_material *a, const struct tls_material *b);

#endif
