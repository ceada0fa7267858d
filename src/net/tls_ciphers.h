/*
 * TLS ciphers: the names that ssl.cipher.suites has, which are the registry's
 * (TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256), as OpenSSL wants them.
 *
 * OpenSSL has a list for TLS 1.2, in names of its own, and another for 1.3.
 * Suites without a certificate or without encryption are refused, whether Java
 * knows them or not.  Thread: any.
 */
#ifndef NET_TLS_CIPHERS_H
#define NET_TLS_CIPHERS_H

#include "base/arena.h"
#include "base/base.h"

/*
 * In the order they were named in, parted by colons.  An empty text says that
 * none was named, so that this version cannot be spoken.
 */
struct tls_ciphers {
	const char *ciphers;	   /* up to TLS 1.2 */
	const char *cipher_suites; /* of TLS 1.3 */
};

/*
 * Read a list that commas part and that names one at least, into texts that
 * live in arena.  -1 where a name is of no suite that can be had: *unknown is
 * that part of list.
 */
int tls_ciphers_read(struct slice list, struct arena *arena,
    struct tls_ciphers *ciphers, struct slice *unknown) WARN_UNUSED;

#endif
