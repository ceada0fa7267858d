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

/* Reasons that several formats have. */
#define TLS_STORE_BAD_CERTIFICATE "a certificate cannot be read"
#define TLS_STORE_NO_CERTIFICATE \
	"At least one certificate expected, but none found"

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

/* Add the certificate in der, whatever follows it, to certificates. */
int tls_store_add(STACK_OF(X509) *certificates, struct slice der,
    const char **reason) WARN_UNUSED;

#endif
