/*
 * Subject name: how a certificate's subject is written as the name of a
 * principal, which is as Java's X500Principal.getName does (RFC 2253): the
 * last part first, no blanks, types that RFC 2253 does not name as numbers
 * with their value in hexadecimal:
 *
 *	CN=client.example,OU=Unit,O=Org\, Inc,C=NL
 *
 * Access control lists name it so.
 */
#ifndef AUTH_SUBJECT_NAME_H
#define AUTH_SUBJECT_NAME_H

#include <openssl/x509.h>

#include "base/base.h"

/* On the heap, the caller's; without a NUL, and UTF-8. */
char *subject_name_of(const X509 *certificate) WARN_UNUSED;

#endif
