/*
 * TLS trust: whom klamm believes where it is the client, out of a trust store.
 */
#ifndef NET_TLS_TRUST_H
#define NET_TLS_TRUST_H

#include "net/tls_material.h"

/*
 * The certificates that settings name, which are a trust store's alone; the
 * caller frees them.  NULL with *error, as of tls_material_read.  Thread: any.
 */
X509_STORE *tls_trust_new(const struct tls_store_settings *settings,
    const struct tls_files *files, char **error) WARN_UNUSED;

/*
 * The same of certificates.  One that is trusted is so whoever has signed it,
 * as in Java.  false where memory is short.
 */
bool tls_trust_add(X509_STORE *store, STACK_OF(X509) *trusted) WARN_UNUSED;

#endif
