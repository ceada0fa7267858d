#include "net/tls_material.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

#include "net/tls_store.h"

/* Of a store, twice, a path, a type and why. */
#define FAILED_TO_LOAD \
	"ssl.%s.location: Failed to load SSL %s %s of type %s: %s"

/* While settings are read. */
struct reader {
	struct tls_material *material;
	const struct tls_files *files;
	char **error;
};

static int refuse(const struct reader *reader, const char *format, ...)
    PRINTF_LIKE(2, 3);

static int
refuse(const struct reader *reader, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(reader->error, format, args) < 0)
		*reader->error = xstrdup("out of memory");
	va_end(args);
	return -1;
}

/* What the keys of a store are called. */
#define KEY_STORE "keystore"
#define TRUST_STORE "truststore"

static bool
is_pem(const char *type)
{
	return type != NULL && strcmp(type, "PEM") == 0;
}

static const char *
type_name(const char *type)
{
	return type == NULL ? "JKS" : type;
}

/* --- Files ---------------------------------------------------------------- */

/* The contents, which wipe frees. */
static int
slurp(const struct reader *reader, const char *store, const char *path,
    const char *type, struct slice *contents)
{
	size_t len;
	uint8_t *bytes = reader->files->read(
	    reader->files->context, path, TLS_STORE_LEN_MAX, &len);

	if (bytes == NULL)
		return refuse(reader, FAILED_TO_LOAD, store,
		    store, path, type, strerror(errno));
	*contents = slice_of(bytes, len);
	return 0;
}

static void
wipe(struct slice contents)
{
	uint8_t *bytes = (uint8_t *)(uintptr_t)contents.data;

	OPENSSL_cleanse(bytes, contents.len);
	free(bytes);
}

/* --- PEM ------------------------------------------------------------------ */

/* The first certificate is the leaf's, the others are above it. */
static int
take_chain(struct tls_material *material, STACK_OF(X509) *certificates)
{
	material->certificate = sk_X509_shift(certificates);
	material->chain = certificates;
	return 0;
}

static int
parse_pem_keystore(struct tls_material *material, struct slice key,
    struct slice certificates, const char *password, const char **reason)
{
	STACK_OF(X509) *chain;

	material->key = tls_store_pem_key(key, password, reason);
	if (material->key == NULL)
		return -1;
	chain = tls_store_pem_certificates(certificates, reason);
	return chain == NULL ? -1 : take_chain(material, chain);
}

static int
read_pem_keystore(const struct reader *reader, const char *path,
    const char *password)
{
	struct slice text;
	const char *reason;
	int result;

	if (slurp(reader, KEY_STORE, path, "PEM", &text) != 0)
		return -1;
	result = parse_pem_keystore(
	    reader->material, text, text, password, &reason);
	wipe(text);
	if (result != 0)
		return refuse(reader,
		    "ssl.keystore.location: Failed to load PEM SSL keystore "
		    "%s: %s",
		    path, reason);
	return 0;
}

static int
read_pem_truststore(const struct reader *reader, const char *path)
{
	struct slice text;
	const char *reason;

	if (slurp(reader, TRUST_STORE, path, "PEM", &text) != 0)
		return -1;
	reader->material->trusted = tls_store_pem_certificates(text, &reason);
	wipe(text);
	if (reader->material->trusted == NULL)
		return refuse(reader,
		    "ssl.truststore.location: Failed to load PEM SSL "
		    "truststore %s: %s",
		    path, reason);
	return 0;
}

/* --- Java's formats ------------------------------------------------------- */

static int
check_type(const struct reader *reader, const char *store,
    const char *type)
{
	if (type == NULL || strcasecmp(type, "JKS") == 0 ||
	    strcasecmp(type, "PKCS12") == 0)
		return 0;
	return refuse(
	    reader, "ssl.%s.type: %s not found", store, type);
}

static int
load(const struct reader *reader, const char *store, const char *path,
    const char *type, const struct tls_store_access *access,
    struct tls_store *found)
{
	struct slice bytes;
	const char *reason;
	int result;

	if (check_type(reader, store, type) != 0 ||
	    slurp(reader, store, path, type_name(type), &bytes) != 0)
		return -1;
	result = tls_store_read(found, bytes, access, &reason);
	wipe(bytes);
	return result == 0 ? 0 :
			     refuse(reader, FAILED_TO_LOAD, store,
				 store, path, type_name(type), reason);
}

static int
read_file_keystore(
    const struct reader *reader, const struct tls_store_settings *settings)
{
	const struct tls_store_access access = {
		.password = settings->keystore_password,
		.key_password = settings->key_password != NULL ?
		    settings->key_password :
		    settings->keystore_password,
	};
	struct tls_material *material = reader->material;
	struct tls_store store;

	if (load(reader, KEY_STORE, settings->keystore_location,
		settings->keystore_type, &access, &store) != 0)
		return -1;
	material->key = store.key;
	material->certificate = store.certificate;
	material->chain = store.chain;
	store.key = NULL;
	store.certificate = NULL;
	store.chain = NULL;
	tls_store_fini(&store);
	if (material->key != NULL && material->certificate != NULL)
		return 0;
	return refuse(reader, "ssl.keystore.location: %s holds no %s",
	    settings->keystore_location,
	    material->key == NULL ? "private key" :
				    "certificate of its private key");
}

static int
read_file_truststore(
    const struct reader *reader, const struct tls_store_settings *settings)
{
	const struct tls_store_access access = {
		.password = settings->truststore_password,
	};
	struct tls_store store;

	if (load(reader, TRUST_STORE, settings->truststore_location,
		settings->truststore_type, &access, &store) != 0)
		return -1;
	reader->material->trusted = store.trusted;
	store.trusted = NULL;
	tls_store_fini(&store);
	if (sk_X509_num(reader->material->trusted) > 0)
		return 0;
	return refuse(reader,
	    "ssl.truststore.location: %s holds no trusted certificate%s",
	    settings->truststore_location,
	    settings->truststore_password == NULL ?
		" that can be read without ssl.truststore.password" :
		"");
}

/* --- Which settings go together ------------------------------------------- */

static int
read_inline_keystore(
    const struct reader *reader, const struct tls_store_settings *settings)
{
	const char *reason;

	if (!is_pem(settings->keystore_type))
		return refuse(reader,
		    "ssl.keystore.key: SSL private key can be specified only "
		    "for PEM, but key store type is %s.",
		    type_name(settings->keystore_type));
	if (settings->keystore_certificate_chain == NULL)
		return refuse(reader,
		    "ssl.keystore.key: SSL private key is specified, but "
		    "certificate chain is not specified.");
	if (settings->keystore_location != NULL)
		return refuse(reader,
		    "ssl.keystore.key: Both SSL key store location and "
		    "separate private key are specified.");
	if (settings->keystore_password != NULL)
		return refuse(reader,
		    "ssl.keystore.password: SSL key store password cannot be "
		    "specified with PEM format, only key password may be "
		    "specified.");
	if (parse_pem_keystore(reader->material,
		slice_str(settings->keystore_key),
		slice_str(settings->keystore_certificate_chain),
		settings->key_password, &reason) != 0)
		return refuse(reader,
		    "ssl.keystore.key: Invalid PEM keystore configs: %s",
		    reason);
	return 0;
}

static int
read_keystore(
    const struct reader *reader, const struct tls_store_settings *settings)
{
	const char *path = settings->keystore_location;

	if (settings->keystore_key != NULL)
		return read_inline_keystore(reader, settings);
	if (settings->keystore_certificate_chain != NULL)
		return refuse(reader,
		    "ssl.keystore.certificate.chain: SSL certificate chain is "
		    "specified, but private key is not specified");
	if (is_pem(settings->keystore_type) && path != NULL) {
		if (settings->keystore_password != NULL)
			return refuse(reader,
			    "ssl.keystore.password: SSL key store password "
			    "cannot be specified with PEM format, only key "
			    "password may be specified");
		return read_pem_keystore(reader, path, settings->key_password);
	}
	if (path == NULL && settings->keystore_password != NULL)
		return refuse(reader,
		    "ssl.keystore.password: SSL key store is not specified, "
		    "but key store password is specified.");
	if (path != NULL && settings->keystore_password == NULL)
		return refuse(reader,
		    "ssl.keystore.location: SSL key store is specified, but "
		    "key store password is not specified.");
	return path == NULL ? 0 : read_file_keystore(reader, settings);
}

static int
read_inline_truststore(
    const struct reader *reader, const struct tls_store_settings *settings)
{
	const char *reason;

	if (!is_pem(settings->truststore_type))
		return refuse(reader,
		    "ssl.truststore.certificates: SSL trust store certs can "
		    "be specified only for PEM, but trust store type is %s.",
		    type_name(settings->truststore_type));
	if (settings->truststore_location != NULL)
		return refuse(reader,
		    "ssl.truststore.certificates: Both SSL trust store "
		    "location and separate trust certificates are specified.");
	if (settings->truststore_password != NULL)
		return refuse(reader,
		    "ssl.truststore.password: SSL trust store password cannot "
		    "be specified for PEM format.");
	reader->material->trusted = tls_store_pem_certificates(
	    slice_str(settings->truststore_certificates), &reason);
	if (reader->material->trusted == NULL)
		return refuse(reader,
		    "ssl.truststore.certificates: Invalid PEM truststore "
		    "configs: %s",
		    reason);
	return 0;
}

static int
read_truststore(
    const struct reader *reader, const struct tls_store_settings *settings)
{
	const char *path = settings->truststore_location;

	if (settings->truststore_certificates != NULL)
		return read_inline_truststore(reader, settings);
	if (is_pem(settings->truststore_type) && path != NULL) {
		if (settings->truststore_password != NULL)
			return refuse(reader,
			    "ssl.truststore.password: SSL trust store "
			    "password cannot be specified for PEM format.");
		return read_pem_truststore(reader, path);
	}
	if (path == NULL && settings->truststore_password != NULL)
		return refuse(reader,
		    "ssl.truststore.password: SSL trust store is not "
		    "specified, but trust store password is specified.");
	return path == NULL ? 0 : read_file_truststore(reader, settings);
}

/* --- The whole ------------------------------------------------------------ */

static int
check_key(const struct reader *reader)
{
	const struct tls_material *material = reader->material;
	int fits;

	if (material->key == NULL)
		return 0;
	fits = X509_check_private_key(material->certificate, material->key);
	ERR_clear_error();
	if (fits != 1)
		return refuse(reader,
		    "ssl.keystore: the private key does not fit the first "
		    "certificate");
	return 0;
}

int
tls_material_read(struct tls_material *material,
    const struct tls_store_settings *settings, const struct tls_files *files,
    char **error)
{
	struct reader reader = { material, files, error };

	memset(material, 0, sizeof(*material));
	*error = NULL;
	if (read_keystore(&reader, settings) == 0 && check_key(&reader) == 0 &&
	    read_truststore(&reader, settings) == 0)
		return 0;
	tls_material_fini(material);
	return -1;
}

void
tls_material_fini(struct tls_material *material)
{
	EVP_PKEY_free(material->key);
	X509_free(material->certificate);
	sk_X509_pop_free(material->chain, X509_free);
	sk_X509_pop_free(material->trusted, X509_free);
	memset(material, 0, sizeof(*material));
}

static bool
same_certificates(STACK_OF(X509) *a, STACK_OF(X509) *b)
{
	/* -1 of a stack that is not there. */
	if (sk_X509_num(a) != sk_X509_num(b))
		return false;
	for (int i = 0; i < sk_X509_num(a); i++)
		if (X509_cmp(sk_X509_value(a, i), sk_X509_value(b, i)) != 0)
			return false;
	return true;
}

bool
tls_material_equal(const struct tls_material *a, const struct tls_material *b)
{
	if ((a->key == NULL) != (b->key == NULL) ||
	    !same_certificates(a->chain, b->chain) ||
	    !same_certificates(a->trusted, b->trusted))
		return false;
	/* Of one certificate there is one key. */
	return a->key == NULL || X509_cmp(a->certificate, b->certificate) == 0;
}
