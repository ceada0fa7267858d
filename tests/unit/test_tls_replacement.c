/*
 * TLS replacement: which certificate may follow which.
 */
#include "unit/unit.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "net/tls_replacement.c"

static EVP_PKEY *key;

static X509 *
certificate(const char *name, const char *names)
{
	X509 *made = X509_new();

	assert_int_equal(X509_NAME_add_entry_by_txt(
			     X509_get_subject_name(made), "CN", MBSTRING_UTF8,
			     (const unsigned char *)name, -1, -1, 0),
	    1);
	if (names != NULL) {
		X509_EXTENSION *extension = X509V3_EXT_conf_nid(
		    NULL, NULL, NID_subject_alt_name, names);

		assert_non_null(extension);
		assert_int_equal(X509_add_ext(made, extension, -1), 1);
		X509_EXTENSION_free(extension);
	}
	return made;
}

/* Of a subject and alternative names; name NULL: without a key store. */
static struct tls_material
material(const char *name, const char *names, bool trusts)
{
	struct tls_material made = { .key = name == NULL ? NULL : key };

	if (name != NULL)
		made.certificate = certificate(name, names);
	if (trusts)
		made.trusted = sk_X509_new_null();
	return made;
}

/* What is said; the materials are freed. */
static void
expect(struct tls_material now, struct tls_material then,
    struct tls_replacement_rules rules, const char *text)
{
	char *error;
	int result = tls_replacement_check(&now, &then, &rules, &error);

	assert_int_equal(result, text == NULL ? 0 : -1);
	if (text == NULL)
		assert_null(error);
	else
		assert_string_equal(error, text);
	free(error);
	X509_free(now.certificate);
	X509_free(then.certificate);
	sk_X509_free(now.trusted);
	sk_X509_free(then.trusted);
}

static const struct tls_replacement_rules strict;

static void
subjects(void **state UNUSED)
{
	static const char text[] =
	    "Keystore DistinguishedName does not match: existing={DN=CN=a}, "
	    "new={DN=CN=b}";

	expect(material("a", NULL, false), material("a", NULL, false), strict,
	    NULL);
	/* Java compares without letters' case. */
	expect(material("a", NULL, false), material("A", NULL, false), strict,
	    NULL);
	expect(material("a", NULL, false), material("b", NULL, false), strict,
	    text);
	expect(material("a", NULL, false), material("b", NULL, false),
	    (struct tls_replacement_rules){ .san_may_change = true }, text);
	expect(material("a", NULL, false), material("b", NULL, false),
	    (struct tls_replacement_rules){ .dn_may_change = true }, NULL);
}

static void
alternative_names(void **state UNUSED)
{
	static const char two[] = "DNS:broker,IP:10.0.0.1";
	static const char three[] = "IP:10.0.0.1,DNS:other,DNS:broker";
	static const char text[] =
	    "Keystore SubjectAltNames do not match: the new certificate lacks "
	    "DNS:other";

	expect(material("a", two, false), material("a", three, false), strict,
	    NULL);
	expect(material("a", three, false), material("a", two, false), strict,
	    text);
	expect(material("a", NULL, false), material("a", two, false), strict,
	    NULL);
	expect(material("a", "DNS:other", false), material("a", NULL, false),
	    strict, text);
	expect(material("a", three, false), material("a", two, false),
	    (struct tls_replacement_rules){ .dn_may_change = true }, text);
	expect(material("a", three, false), material("a", two, false),
	    (struct tls_replacement_rules){ .san_may_change = true }, NULL);
}

static void
stores_that_come_and_go(void **state UNUSED)
{
	expect(material(NULL, NULL, false), material("a", NULL, false), strict,
	    "Cannot add SSL keystore to an existing listener for which no "
	    "keystore was configured.");
	expect(material("a", NULL, false), material(NULL, NULL, false), strict,
	    "Cannot remove the SSL keystore from an existing listener for "
	    "which a keystore was configured.");
	expect(material("a", NULL, false), material("a", NULL, true), strict,
	    "Cannot add SSL truststore to an existing listener for which no "
	    "truststore was configured.");
	expect(material("a", NULL, true), material("a", NULL, false), strict,
	    NULL);
	expect(material(NULL, NULL, false), material(NULL, NULL, false),
	    strict, NULL);
}

static int
set_up(void **state UNUSED)
{
	key = EVP_PKEY_new();
	return key == NULL ? -1 : 0;
}

static int
tear_down(void **state UNUSED)
{
	EVP_PKEY_free(key);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subjects),
		cmocka_unit_test(alternative_names),
		cmocka_unit_test(stores_that_come_and_go),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
