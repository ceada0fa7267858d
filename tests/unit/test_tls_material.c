/*
 * TLS material: stores as keytool and OpenSSL make them (unit/tls/make.sh), in
 * all combinations that Kafka takes and refuses.
 */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdio.h>
#include <unistd.h>

#include "net/tls_material.h"
#include "net/tls_store_jks.c"

#define STORES SRCDIR "/tests/unit/tls/"

static uint8_t *
read_file(void *context UNUSED, const char *path, size_t len_max, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *bytes;
	ssize_t n;

	if (fd < 0)
		return NULL;
	bytes = xmalloc(65536);
	n = read(fd, bytes, 65536);
	close(fd);
	if (n < 0) {
		free(bytes);
		errno = EISDIR;
		return NULL;
	}
	assert_true(n < 65536 && (size_t)n < len_max);
	*len = (size_t)n;
	return bytes;
}

static const struct tls_files files = { .read = read_file };

/* The text of a store. */
static char *
text_of(const char *name)
{
	char *path = xasprintf(STORES "%s", name), *text;
	size_t len;
	uint8_t *bytes = read_file(NULL, path, SIZE_MAX, &len);

	assert_non_null(bytes);
	text = slice_dup(slice_of(bytes, len));
	free(bytes);
	free(path);
	return text;
}

static void
expect(const struct tls_store_settings *settings, struct tls_material *material)
{
	char *error;
	int result = tls_material_read(material, settings, &files, &error);

	if (result != 0)
		print_error("%s\n", error);
	assert_int_equal(result, 0);
	assert_null(error);
	assert_int_equal(ERR_peek_error(), 0);
}

/* Read, and count what is there. */
static void
expect_counts(const struct tls_store_settings *settings, int keys, int chain,
    int trusted)
{
	struct tls_material material;

	expect(settings, &material);
	assert_int_equal(material.key != NULL, keys);
	assert_int_equal(material.certificate != NULL, keys);
	assert_int_equal(material.chain == NULL ?
		0 :
		sk_X509_num(material.chain),
	    chain);
	assert_int_equal(material.trusted == NULL ?
		0 :
		sk_X509_num(material.trusted),
	    trusted);
	tls_material_fini(&material);
}

static void
expect_error(const struct tls_store_settings *settings, const char *text)
{
	struct tls_material material;
	char *error;

	assert_int_equal(
	    tls_material_read(&material, settings, &files, &error), -1);
	assert_string_equal(error, text);
	assert_null(material.key);
	assert_null(material.trusted);
	assert_int_equal(ERR_peek_error(), 0);
	free(error);
}

/* --- PEM ------------------------------------------------------------------ */

static void
pem_files(void **state UNUSED)
{
	static const char *const names[] = { "rsa.all.pem", "ec.all.pem" };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		char *path = xasprintf(STORES "%s", names[i]);

		expect_counts(&(struct tls_store_settings){
				  .keystore_type = "PEM",
				  .keystore_location = path,
				  .truststore_type = "PEM",
				  .truststore_location = STORES "ca.pem",
			      },
		    1, 1, 1);
		free(path);
	}
	expect_counts(&(struct tls_store_settings){ 0 }, 0, 0, 0);
}

static void
pem_texts(void **state UNUSED)
{
	static const struct {
		const char *key, *certificate, *password;
	} cases[] = {
		{ "rsa.key.pem", "rsa.pem", NULL },
		{ "ec.key.pem", "ec.pem", NULL },
		{ "rsa.pkcs1.pem", "rsa.pem", NULL },
		{ "ec.sec1.pem", "ec.pem", NULL },
		{ "rsa.pkcs8-secret.pem", "rsa.pem", "secret" },
		{ "rsa.pkcs8-3des-secret.pem", "rsa.pem", "secret" },
		{ "rsa.pkcs1-secret.pem", "rsa.pem", "secret" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *key = text_of(cases[i].key);
		char *certificate = text_of(cases[i].certificate);

		expect_counts(&(struct tls_store_settings){
				  .keystore_type = "PEM",
				  .keystore_key = key,
				  .keystore_certificate_chain = certificate,
				  .key_password = cases[i].password,
				  .truststore_type = "PEM",
				  .truststore_certificates = certificate,
			      },
		    1, 0, 1);
		free(key);
		free(certificate);
	}
}

/* As a line of a .properties file has it. */
static void
pem_on_one_line(void **state UNUSED)
{
	char *key = text_of("ec.key.pem"), *certificate = text_of("ec.pem");

	for (char *c = key; *c != '\0'; c++)
		*c = *c == '\n' ? ' ' : *c;
	for (char *c = certificate; *c != '\0'; c++)
		*c = *c == '\n' ? ' ' : *c;
	expect_counts(&(struct tls_store_settings){
			  .keystore_type = "PEM",
			  .keystore_key = key,
			  .keystore_certificate_chain = certificate,
		      },
	    1, 0, 0);
	free(key);
	free(certificate);
}

static void
pem_that_is_refused(void **state UNUSED)
{
	char *key = text_of("rsa.key.pem"), *other = text_of("ec.pem");
	char *secret = text_of("rsa.pkcs8-secret.pem");
	struct tls_store_settings settings = {
		.keystore_type = "PEM",
		.keystore_key = key,
		.keystore_certificate_chain = other,
	};

	expect_error(&settings,
	    "ssl.keystore: the private key does not fit the first certificate");
	settings.key_password = "secret";
	expect_error(&settings,
	    "ssl.keystore.key: Invalid PEM keystore configs: the private key "
	    "is not encrypted, and ssl.key.password is set");
	settings.keystore_key = secret;
	settings.key_password = "wrong";
	expect_error(&settings,
	    "ssl.keystore.key: Invalid PEM keystore configs: the private key "
	    "cannot be read, or ssl.key.password is wrong");
	settings.key_password = NULL;
	expect_error(&settings,
	    "ssl.keystore.key: Invalid PEM keystore configs: the private key "
	    "is encrypted, and ssl.key.password is not set");
	settings.keystore_key = other;
	expect_error(&settings,
	    "ssl.keystore.key: Invalid PEM keystore configs: No matching "
	    "PRIVATE KEY entries in PEM file");
	settings.keystore_key = key;
	settings.keystore_certificate_chain = key;
	expect_error(&settings,
	    "ssl.keystore.key: Invalid PEM keystore configs: At least one "
	    "certificate expected, but none found");
	settings.keystore_certificate_chain =
	    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
	expect_error(&settings,
	    "ssl.keystore.key: Invalid PEM keystore configs: a certificate "
	    "cannot be read");
	settings.keystore_certificate_chain = "-----BEGIN CERTIFICATE-----\n";
	expect_error(&settings,
	    "ssl.keystore.key: Invalid PEM keystore configs: a block of it is "
	    "not PEM");
	free(key);
	free(other);
	free(secret);
}

/* --- Java's formats ------------------------------------------------------- */

static void
stores_in_files(void **state UNUSED)
{
	static const struct {
		const char *type, *name, *key_password;
	} cases[] = {
		{ "PKCS12", "openssl.p12", NULL },
		{ "PKCS12", "legacy.p12", NULL },
		{ "PKCS12", "keytool.p12", NULL },
		{ "JKS", "keytool.jks", "another" },
		/* A file tells what it is. */
		{ NULL, "keytool.p12", "secret" },
		{ "jks", "openssl.p12", NULL },
		{ "pkcs12", "keytool.jks", "another" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *path = xasprintf(STORES "%s", cases[i].name);

		expect_counts(&(struct tls_store_settings){
				  .keystore_type = cases[i].type,
				  .keystore_location = path,
				  .keystore_password = "secret",
				  .key_password = cases[i].key_password,
			      },
		    1, 1, 0);
		free(path);
	}
}

static void
trusted_stores_in_files(void **state UNUSED)
{
	static const struct {
		const char *type, *name, *password;
	} cases[] = {
		{ "JKS", "trust.jks", "secret" },
		{ "JKS", "trust.jks", NULL },
		{ "PKCS12", "trust.p12", "secret" },
		{ "PKCS12", "trust-legacy.p12", "secret" },
		/* What is not marked, and nothing else is there. */
		{ "PKCS12", "nokeys.p12", "secret" },
		/* The leaf of a key, and no more of its chain. */
		{ "JKS", "keytool.jks", "secret" },
		{ "PKCS12", "keytool.p12", "secret" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *path = xasprintf(STORES "%s", cases[i].name);

		expect_counts(&(struct tls_store_settings){
				  .truststore_type = cases[i].type,
				  .truststore_location = path,
				  .truststore_password = cases[i].password,
			      },
		    0, 0, 1);
		free(path);
	}
}

#define REFUSED_KEYSTORE \
	"ssl.keystore.location: Failed to load SSL keystore " STORES

static void
stores_that_are_refused(void **state UNUSED)
{
	struct tls_store_settings settings = {
		.keystore_location = STORES "keytool.jks",
		.keystore_password = "wrong",
	};

	expect_error(&settings,
	    REFUSED_KEYSTORE
	    "keytool.jks of type JKS: keystore password was incorrect");
	/* Its key has another password, which is that of the store here. */
	settings.keystore_password = "secret";
	expect_error(&settings,
	    REFUSED_KEYSTORE
	    "keytool.jks of type JKS: the private key cannot be read, or "
	    "ssl.key.password is wrong");
	settings.keystore_location = STORES "legacy.p12";
	settings.keystore_password = "wrong";
	expect_error(&settings,
	    REFUSED_KEYSTORE
	    "legacy.p12 of type JKS: keystore password was incorrect");
	settings.keystore_type = "PKCS12";
	settings.keystore_password = "secret";
	settings.key_password = "wrong";
	expect_error(&settings,
	    REFUSED_KEYSTORE
	    "legacy.p12 of type PKCS12: the private key cannot be read, or "
	    "ssl.key.password is wrong");
	settings.keystore_location = STORES "rsa.pem";
	expect_error(&settings,
	    REFUSED_KEYSTORE "rsa.pem of type PKCS12: Invalid keystore format");
	settings.keystore_location = "/dev/null";
	expect_error(&settings,
	    "ssl.keystore.location: Failed to load SSL keystore /dev/null of "
	    "type PKCS12: the file is empty");
	settings.keystore_location = STORES "trust.p12";
	expect_error(&settings,
	    "ssl.keystore.location: " STORES "trust.p12 holds no private key");
	settings.keystore_type = "JCEKS";
	expect_error(&settings, "ssl.keystore.type: JCEKS not found");
	expect_error(&(struct tls_store_settings){
			 .truststore_type = "PKCS12",
			 .truststore_location = STORES "trust.p12",
		     },
	    "ssl.truststore.location: " STORES "trust.p12 holds no trusted "
	    "certificate that can be read without ssl.truststore.password");
}

/* A file that is cut or changed anywhere is refused, and nothing else. */
static void
damaged_stores(void **state UNUSED)
{
	static const char *const names[] = { "keytool.jks", "legacy.p12" };
	const struct tls_store_access access = { "secret", "another" };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		char *path = xasprintf(STORES "%s", names[i]);
		struct tls_store store;
		const char *reason;
		size_t len;
		uint8_t *bytes = read_file(NULL, path, SIZE_MAX, &len);

		for (size_t cut = 0; cut < len; cut += 1 + cut / 16)
			assert_int_equal(
			    tls_store_read(&store, slice_of(bytes, cut),
				&access, &reason),
			    -1);
		bytes[len / 2] ^= 1;
		assert_int_equal(tls_store_read(&store, slice_of(bytes, len),
				     &access, &reason),
		    -1);
		assert_string_equal(reason, TLS_STORE_BAD_PASSWORD);
		free(bytes);
		free(path);
	}
}

/* As Java's String does it, where a pair of surrogates is two. */
static void
passwords_are_utf16(void **state UNUSED)
{
	static const struct {
		const char *text;
		struct slice wide;
	} cases[] = {
		{ "", { (const uint8_t *)"", 0 } },
		{ "a\xc3\xa9", SLICE_LITERAL("\0a\0\xe9") },
		{ "\xe2\x82\xac", SLICE_LITERAL("\x20\xac") },
		{ "\xf0\x9f\x98\x80", SLICE_LITERAL("\xd8\x3d\xde\x00") },
		{ "\xff!", SLICE_LITERAL("\xff\xfd\0!") },
		{ "\xe2\x82", SLICE_LITERAL("\xff\xfd") },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct wide wide = widen(cases[i].text);

		assert_true(slice_equal(
		    slice_of(wide.data, wide.len), cases[i].wide));
		wide_fini(&wide);
	}
}

/* --- Which settings go together ------------------------------------------- */

static void
combinations_that_are_refused(void **state UNUSED)
{
	expect_error(&(struct tls_store_settings){ .keystore_key = "x" },
	    "ssl.keystore.key: SSL private key can be specified only for PEM, "
	    "but key store type is JKS.");
	expect_error(&(struct tls_store_settings){
			 .keystore_type = "PEM", .keystore_key = "x" },
	    "ssl.keystore.key: SSL private key is specified, but certificate "
	    "chain is not specified.");
	expect_error(&(struct tls_store_settings){
			 .keystore_type = "PEM",
			 .keystore_certificate_chain = "x" },
	    "ssl.keystore.certificate.chain: SSL certificate chain is "
	    "specified, but private key is not specified");
	expect_error(&(struct tls_store_settings){
			 .keystore_type = "PEM",
			 .keystore_key = "x",
			 .keystore_certificate_chain = "x",
			 .keystore_location = "x" },
	    "ssl.keystore.key: Both SSL key store location and separate "
	    "private key are specified.");
	expect_error(&(struct tls_store_settings){
			 .keystore_type = "PEM",
			 .keystore_key = "x",
			 .keystore_certificate_chain = "x",
			 .keystore_password = "x" },
	    "ssl.keystore.password: SSL key store password cannot be "
	    "specified with PEM format, only key password may be specified.");
	expect_error(&(struct tls_store_settings){
			 .keystore_type = "PEM",
			 .keystore_location = "x",
			 .keystore_password = "x" },
	    "ssl.keystore.password: SSL key store password cannot be "
	    "specified with PEM format, only key password may be specified");
	expect_error(&(struct tls_store_settings){ .keystore_password = "x" },
	    "ssl.keystore.password: SSL key store is not specified, but key "
	    "store password is specified.");
	expect_error(&(struct tls_store_settings){ .keystore_location = "x" },
	    "ssl.keystore.location: SSL key store is specified, but key store "
	    "password is not specified.");
	expect_error(
	    &(struct tls_store_settings){ .truststore_certificates = "x" },
	    "ssl.truststore.certificates: SSL trust store certs can be "
	    "specified only for PEM, but trust store type is JKS.");
	expect_error(&(struct tls_store_settings){
			 .truststore_type = "PEM",
			 .truststore_certificates = "x",
			 .truststore_location = "x" },
	    "ssl.truststore.certificates: Both SSL trust store location and "
	    "separate trust certificates are specified.");
	expect_error(&(struct tls_store_settings){
			 .truststore_type = "PEM",
			 .truststore_certificates = "x",
			 .truststore_password = "x" },
	    "ssl.truststore.password: SSL trust store password cannot be "
	    "specified for PEM format.");
	expect_error(&(struct tls_store_settings){
			 .truststore_type = "PEM",
			 .truststore_location = "x",
			 .truststore_password = "x" },
	    "ssl.truststore.password: SSL trust store password cannot be "
	    "specified for PEM format.");
	expect_error(&(struct tls_store_settings){ .truststore_password = "x" },
	    "ssl.truststore.password: SSL trust store is not specified, but "
	    "trust store password is specified.");
}

static void
materials_are_compared(void **state UNUSED)
{
	struct tls_material none = { .key = NULL }, one, same, trusting;
	struct tls_store_settings settings = {
		.keystore_type = "PEM",
		.keystore_location = STORES "rsa.all.pem",
	};

	expect(&settings, &one);
	expect(&settings, &same);
	settings.truststore_type = "PEM";
	settings.truststore_location = STORES "ca.pem";
	expect(&settings, &trusting);
	assert_true(tls_material_equal(&none, &none));
	assert_true(tls_material_equal(&one, &same));
	assert_true(tls_material_equal(&trusting, &trusting));
	assert_false(tls_material_equal(&one, &none));
	assert_false(tls_material_equal(&one, &trusting));
	tls_material_fini(&one);
	tls_material_fini(&same);
	tls_material_fini(&trusting);
}

static void
files_that_are_not_there(void **state UNUSED)
{
	expect_error(&(struct tls_store_settings){
			 .keystore_type = "PEM",
			 .keystore_location = "/nowhere/x.pem" },
	    "ssl.keystore.location: Failed to load SSL keystore "
	    "/nowhere/x.pem of type PEM: No such file or directory");
	expect_error(&(struct tls_store_settings){
			 .truststore_type = "PEM",
			 .truststore_location = "/" },
	    "ssl.truststore.location: Failed to load SSL truststore / of type "
	    "PEM: Is a directory");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pem_files),
		cmocka_unit_test(pem_texts),
		cmocka_unit_test(pem_on_one_line),
		cmocka_unit_test(pem_that_is_refused),
		cmocka_unit_test(stores_in_files),
		cmocka_unit_test(trusted_stores_in_files),
		cmocka_unit_test(stores_that_are_refused),
		cmocka_unit_test(damaged_stores),
		cmocka_unit_test(passwords_are_utf16),
		cmocka_unit_test(combinations_that_are_refused),
		cmocka_unit_test(materials_are_compared),
		cmocka_unit_test(files_that_are_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
