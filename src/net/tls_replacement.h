/*
 * TLS replacement: may a listener that is up go on with other stores?  Clients
 * that trusted the one it was must not meet another one (Kafka's SslFactory:
 * CertificateEntries.ensureCompatible).
 */
#ifndef NET_TLS_REPLACEMENT_H
#define NET_TLS_REPLACEMENT_H

#include "net/tls_material.h"

/* ssl.allow.dn.changes and ssl.allow.san.changes. */
struct tls_replacement_rules {
	bool dn_may_change;
	bool san_may_change;
};

/*
 * The certificate has the same subject and at least the same alternative
 * names, unless rules let these change; a key store is neither added nor
 * removed, and a trust store is not added.  -1 where it is not so: *error is a
 * line on the heap, the caller's, which says nothing secret.  Thread: any.
 */
int tls_replacement_check(const struct tls_material *now,
    const struct tls_material *then, const struct tls_replacement_rules *rules,
    char **error) WARN_UNUSED;

#endif
