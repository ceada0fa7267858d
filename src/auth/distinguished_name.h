/*
 * Distinguished name: the subject of a certificate as text in the way of RFC
 * 2253, to the letter of Java's X500Principal.getName, since access control
 * lists and mapping rules have such names.
 *
 * The most specific part comes first, no blanks are around commas, and what is
 * not one of CN C L ST O OU STREET DC UID is its dotted number with the value's
 * DER in hexadecimal behind a #.  Beyond the RFC's, blanks and carriage returns
 * at either end of a value are escaped; other control characters are not.
 */
#ifndef AUTH_DISTINGUISHED_NAME_H
#define AUTH_DISTINGUISHED_NAME_H

#include <openssl/x509.h>

#include "base/arena.h"
#include "base/base.h"

/*
 * The text of name in UTF-8, in arena; null where the arena is too small.
 * What is not UTF-8 in a value is U+FFFD.
 */
struct slice distinguished_name_text(const X509_NAME *name,
    struct arena *arena);

#endif
