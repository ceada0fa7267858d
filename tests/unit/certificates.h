/*
 * Certificates that tests make for themselves: authorities, and what they have
 * signed, with keys of P-256, which are made at once.
 */
#ifndef UNIT_CERTIFICATES_H
#define UNIT_CERTIFICATES_H

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/base.h"

#define CERTIFICATE_DAY ((long)24 * 60 * 60)

struct certificate {
	EVP_PKEY *key;
	X509 *x509;
};

static void
certificate_extend(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *extension =
	    X509V3_EXT_nconf_nid(NULL, NULL, nid, value);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(x509, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

/*
 * A certificate for CN=name that is good from so many days from now on to so
 * many, signed by issuer, or by itself: then it is an authority's.
 */
static struct certificate
certificate_for_days(
    const char *name, const struct certificate *issuer, long from, long to)
{
	struct certificate new = { EVP_EC_gen("P-256"), X509_new() };
	const struct certificate *signer = issuer == NULL ? &new : issuer;
	X509_NAME *subject = X509_get_subject_name(new.x509);

	assert_non_null(new.key);
	assert_int_equal(X509_set_version(new.x509, 2), 1);
	assert_int_equal(
	    ASN1_INTEGER_set_uint64(X509_get_serialNumber(new.x509),
		(uint64_t)(uintptr_t)new.key),
	    1);
	X509_gmtime_adj(X509_getm_notBefore(new.x509), from * CERTIFICATE_DAY);
	X509_gmtime_adj(X509_getm_notAfter(new.x509), to * CERTIFICATE_DAY);
	assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN",
			     MBSTRING_UTF8, (const unsigned char *)name, -1,
			     -1, 0),
	    1);
	assert_int_equal(X509_set_issuer_name(new.x509,
			     X509_get_subject_name(signer->x509)),
	    1);
	assert_int_equal(X509_set_pubkey(new.x509, new.key), 1);
	if (issuer == NULL)
		certificate_extend(
		    new.x509, NID_basic_constraints, "critical,CA:TRUE");
	else
		certificate_extend(new.x509, NID_subject_alt_name,
		    "DNS:localhost,IP:127.0.0.1");
	assert_true(X509_sign(new.x509, signer->key, EVP_sha256()) > 0);
	return new;
}

UNUSED static struct certificate
certificate_new(const char *name, const struct certificate *issuer)
{
	return certificate_for_days(name, issuer, -1, 30);
}

UNUSED static void
certificate_free(struct certificate *certificate)
{
	EVP_PKEY_free(certificate->key);
	X509_free(certificate->x509);
}

/* Key and certificate into one file in PEM. */
UNUSED static void
certificate_write(const struct certificate *certificate, const char *path)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(PEM_write_PKCS8PrivateKey(file, certificate->key,
			     NULL, NULL, 0, NULL, NULL),
	    1);
	assert_int_equal(PEM_write_X509(file, certificate->x509), 1);
	assert_int_equal(fclose(file), 0);
}

#endif
