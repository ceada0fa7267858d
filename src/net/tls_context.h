/*
 * TLS context: what a listener speaks TLS with: its certificate, whom it
 * trusts, versions and ciphers.
 *
 * It can be replaced while connections come: those that are there keep what
 * they began with, new ones get the new.
 */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "base/base.h"

struct tls_context;
struct tls_material;

/* ssl.client.auth: does the client have to show a certificate? */
enum tls_client_auth {
	TLS_CLIENT_AUTH_NONE,
	TLS_CLIENT_AUTH_REQUESTED,
	TLS_CLIENT_AUTH_REQUIRED,
};

struct tls_settings {
	const struct tls_material *material;
	int version_min;		/* TLS1_2_VERSION, TLS1_3_VERSION */
	int version_max;
	/* NULL: OpenSSL's; "" only where that version is not spoken. */
	const char *ciphers;		/* of TLS 1.2 */
	const char *cipher_suites;	/* of TLS 1.3 */
	enum tls_client_auth client_auth;
};

/*
 * NULL where OpenSSL does not take the settings; *reason says why, a text that
 * stays.  Nothing of settings is kept but what OpenSSL has references to.
 * It outlives the connections of its listener.
 */
struct tls_context *tls_context_new(const struct tls_settings *settings,
    const char **reason) WARN_UNUSED;

/* The same for connections that come from now on; -1: all is as before. */
int tls_context_replace(struct tls_context *context,
    const struct tls_settings *settings, const char **reason) WARN_UNUSED;

void tls_context_free(struct tls_context *context);

/*
 * A connection's, which reads and writes by a BIO of method with data.  NULL
 * where there is no memory.  Any thread.
 */
SSL *tls_context_connect(struct tls_context *context, void *data) WARN_UNUSED;

#endif
