/*
 * PKCS12 (RFC 7292), by OpenSSL's parts and not by its PKCS12_parse, for which
 * a key has the store's own password and a certificate no mark that it is
 * trusted.
 */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>

#include "net/tls_store.h"

/* Oracle's attribute trustedKeyUsage, which keytool gives certificates. */
#define TRUSTED_OID "2.16.840.1.113894.746875.1.1"

#define NO_LEGACY \
	"it is encrypted as keytool did up to Java 11, for which OpenSSL's " \
	"legacy provider is not installed"

/* A certificate of the store. */
struct entry {
	X509 *certificate; /* owned */
	ASN1_TYPE *id;	   /* of its key, or NULL; borrowed from the bag */
	bool trusted;
};

/* While it is read. */
struct reader {
	const struct tls_store_access *access;
	OSSL_LIB_CTX *context;	/* NULL: OpenSSL's own */
	STACK_OF(PKCS12_SAFEBAG) *bags; /* owned */
	bool has_key;		/* of which only the first is looked at */
	EVP_PKEY *key;		/* owned */
	ASN1_TYPE *key_id;	/* borrowed from its bag */
	struct entry *entries;	/* owned */
	size_t count;
	const char *reason;
};

static int
refuse(struct reader *reader, const char *reason)
{
	reader->reason = reason;
	return -1;
}

/* --- Bags ----------------------------------------------------------------- */

static bool
is_marked(const PKCS12_SAFEBAG *bag)
{
	const STACK_OF(X509_ATTRIBUTE) *attributes =
	    PKCS12_SAFEBAG_get0_attrs(bag);
	char name[64];

	for (int i = 0; i < sk_X509_ATTRIBUTE_num(attributes); i++) {
		X509_ATTRIBUTE *attribute =
		    sk_X509_ATTRIBUTE_value(attributes, i);

		OBJ_obj2txt(name, sizeof(name),
		    X509_ATTRIBUTE_get0_object(attribute), 1);
		if (strcmp(name, TRUSTED_OID) == 0)
			return true;
	}
	return false;
}

static ASN1_TYPE *
local_id(const PKCS12_SAFEBAG *bag)
{
	ASN1_TYPE *id = (ASN1_TYPE *)(uintptr_t)PKCS12_SAFEBAG_get0_attr(
	    bag, NID_localKeyID);

	return id != NULL && id->type == V_ASN1_OCTET_STRING ? id : NULL;
}

static int
read_certificate(struct reader *reader, const PKCS12_SAFEBAG *bag)
{
	X509 *certificate;

	if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
		return 0;
	certificate = PKCS12_SAFEBAG_get1_cert(bag);
	if (certificate == NULL)
		return refuse(reader, TLS_STORE_BAD_CERTIFICATE);
	reader->entries[reader->count++] = (struct entry){
		.certificate = certificate,
		.id = local_id(bag),
		.trusted = is_marked(bag),
	};
	return 0;
}

static EVP_PKEY *
unshroud(struct reader *reader, const PKCS12_SAFEBAG *bag)
{
	const char *password = reader->access->key_password;
	const X509_ALGOR *algorithm;

	X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, NULL);
	if (!tls_store_fits(algorithm))
		return NULL;
	return tls_store_pkcs8(PKCS12_decrypt_skey_ex(
	    bag, password, (int)strlen(password), reader->context, NULL));
}

/* An encrypted one, or (nid is NID_keyBag) one that is not. */
static int
read_key(struct reader *reader, const PKCS12_SAFEBAG *bag, int nid)
{
	bool first = !reader->has_key;

	if (first)
		reader->key_id = local_id(bag);
	reader->has_key = true;
	if (!first || reader->access->key_password == NULL)
		return 0;
	reader->key = nid == NID_keyBag ?
	    EVP_PKCS82PKEY(PKCS12_SAFEBAG_get0_p8inf(bag)) :
	    unshroud(reader, bag);
	return reader->key != NULL ?
	    0 :
	    refuse(reader, TLS_STORE_BAD_KEY_PASSWORD);
}

static int
read_bags(struct reader *reader)
{
	int count = sk_PKCS12_SAFEBAG_num(reader->bags);

	reader->entries =
	    xcalloc((size_t)MAX(count, 0), sizeof(*reader->entries));
	for (int i = 0; i < count; i++) {
		PKCS12_SAFEBAG *bag =
		    sk_PKCS12_SAFEBAG_value(reader->bags, i);
		int nid = PKCS12_SAFEBAG_get_nid(bag), result = 0;

		if (nid == NID_certBag)
			result = read_certificate(reader, bag);
		else if (nid == NID_keyBag || nid == NID_pkcs8ShroudedKeyBag)
			result = read_key(reader, bag, nid);
		if (result != 0)
			return -1;
	}
	return 0;
}

/* --- Safes ---------------------------------------------------------------- */

/* The bags of an encrypted safe; without a password it is passed over. */
static STACK_OF(PKCS12_SAFEBAG) *
decrypt(struct reader *reader, PKCS7 *safe)
{
	const char *password = reader->access->password;

	if (password == NULL)
		return sk_PKCS12_SAFEBAG_new_null();
	if (safe->d.encrypted == NULL ||
	    !tls_store_fits(safe->d.encrypted->enc_data->algorithm))
		return NULL;
	return PKCS12_unpack_p7encdata(safe, password, (int)strlen(password));
}

static STACK_OF(PKCS12_SAFEBAG) *
unpack(struct reader *reader, PKCS7 *safe)
{
	if (PKCS7_type_is_encrypted(safe))
		return decrypt(reader, safe);
	if (PKCS7_type_is_data(safe))
		return PKCS12_unpack_p7data(safe);
	return sk_PKCS12_SAFEBAG_new_null();
}

/* All bags of all safes go into one stack. */
static int
gather(struct reader *reader, const STACK_OF(PKCS7) *safes)
{
	for (int i = 0; i < sk_PKCS7_num(safes); i++) {
		STACK_OF(PKCS12_SAFEBAG) *bags =
		    unpack(reader, sk_PKCS7_value(safes, i));
		PKCS12_SAFEBAG *bag;

		if (bags == NULL)
			return refuse(reader, TLS_STORE_BAD_FORMAT);
		while ((bag = sk_PKCS12_SAFEBAG_shift(bags)) != NULL)
			if (sk_PKCS12_SAFEBAG_push(reader->bags, bag) <= 0)
				PKCS12_SAFEBAG_free(bag);
		sk_PKCS12_SAFEBAG_free(bags);
	}
	return 0;
}

static int
check_mac(struct reader *reader, PKCS12 *file)
{
	const char *password = reader->access->password;
	const ASN1_INTEGER *iterations = NULL;

	if (password == NULL || PKCS12_mac_present(file) == 0)
		return 0;
	PKCS12_get0_mac(NULL, NULL, NULL, &iterations, file);
	if (!tls_store_iterations_fit(iterations))
		return refuse(reader, TLS_STORE_BAD_FORMAT);
	return PKCS12_verify_mac(file, password, (int)strlen(password)) == 1 ?
	    0 :
	    refuse(reader, TLS_STORE_BAD_PASSWORD);
}

/* --- What the entries come to --------------------------------------------- */

static bool
belongs(const struct reader *reader, const struct entry *entry)
{
	if (reader->key_id != NULL)
		return entry->id != NULL &&
		    ASN1_OCTET_STRING_cmp(entry->id->value.octet_string,
			reader->key_id->value.octet_string) == 0;
	return reader->key != NULL &&
	    X509_check_private_key(entry->certificate, reader->key) == 1;
}

static int
push(STACK_OF(X509) *certificates, X509 *certificate)
{
	if (sk_X509_push(certificates, certificate) <= 0)
		return -1;
	X509_up_ref(certificate);
	return 0;
}

/* Whose name the certificate says is above it; NULL where none is. */
static X509 *
issuer_of(const struct reader *reader, X509 *certificate)
{
	for (size_t i = 0; i < reader->count; i++)
		if (X509_NAME_cmp(X509_get_subject_name(
				      reader->entries[i].certificate),
			X509_get_issuer_name(certificate)) == 0)
			return reader->entries[i].certificate;
	return NULL;
}

static bool
has(const struct tls_store *store, const X509 *certificate)
{
	if (store->certificate == certificate)
		return true;
	for (int i = 0; i < sk_X509_num(store->chain); i++)
		if (sk_X509_value(store->chain, i) == certificate)
			return true;
	return false;
}

/* Up from the leaf, as far as the store has it. */
static int
build_chain(const struct reader *reader, struct tls_store *store)
{
	X509 *above = store->certificate;

	while ((above = issuer_of(reader, above)) != NULL &&
	    !has(store, above))
		if (push(store->chain, above) != 0)
			return -1;
	return 0;
}

static int
take_certificate(const struct reader *reader, struct tls_store *store)
{
	for (size_t i = 0; i < reader->count; i++) {
		if (!belongs(reader, &reader->entries[i]))
			continue;
		store->certificate = reader->entries[i].certificate;
		X509_up_ref(store->certificate);
		return build_chain(reader, store);
	}
	return 0;
}

static int
take_trusted(const struct reader *reader, struct tls_store *store)
{
	bool any = reader->has_key;

	for (size_t i = 0; i < reader->count; i++)
		any |= reader->entries[i].trusted;
	for (size_t i = 0; i < reader->count; i++) {
		const struct entry *entry = &reader->entries[i];

		if ((!any || entry->trusted || entry->id != NULL) &&
		    push(store->trusted, entry->certificate) != 0)
			return -1;
	}
	return 0;
}

static int
fill(struct reader *reader, struct tls_store *store)
{
	if (take_certificate(reader, store) != 0 ||
	    take_trusted(reader, store) != 0)
		return refuse(reader, "out of memory");
	store->key = reader->key;
	reader->key = NULL;
	return 0;
}

/* --- The whole ------------------------------------------------------------ */

static PKCS12 *
parse(struct slice bytes, OSSL_LIB_CTX *context)
{
	const unsigned char *data = bytes.data;
	PKCS12 *file = PKCS12_init_ex(NID_pkcs7_data, context, NULL);

	/* It frees the file where it fails. */
	return file == NULL ? NULL : d2i_PKCS12(&file, &data, (long)bytes.len);
}

static int
read_safes(struct reader *reader, const PKCS12 *file)
{
	STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(file);
	int result = safes == NULL ? refuse(reader, TLS_STORE_BAD_FORMAT) :
				     gather(reader, safes);

	sk_PKCS7_pop_free(safes, PKCS7_free);
	return result != 0 ? -1 : read_bags(reader);
}

static int
read_file(struct reader *reader, struct tls_store *store, struct slice bytes)
{
	PKCS12 *file = parse(bytes, reader->context);
	int result;

	reader->bags = sk_PKCS12_SAFEBAG_new_null();
	if (file == NULL || reader->bags == NULL)
		result = refuse(reader, TLS_STORE_BAD_FORMAT);
	else if (check_mac(reader, file) != 0 ||
	    read_safes(reader, file) != 0)
		result = -1;
	else
		result = fill(reader, store);
	for (size_t i = 0; i < reader->count; i++)
		X509_free(reader->entries[i].certificate);
	free(reader->entries);
	EVP_PKEY_free(reader->key);
	sk_PKCS12_SAFEBAG_pop_free(reader->bags, PKCS12_SAFEBAG_free);
	PKCS12_free(file);
	return result;
}

/* Did OpenSSL have no such algorithm?  Its errors are forgotten. */
static bool
was_unsupported(void)
{
	bool unsupported = false;
	unsigned long error;

	while ((error = ERR_get_error()) != 0)
		unsupported |= ERR_GET_REASON(error) == ERR_R_UNSUPPORTED;
	return unsupported;
}

int
tls_store_read_pkcs12(struct tls_store *store, struct slice bytes,
    const struct tls_store_access *access, const char **reason)
{
	struct reader reader = { .access = access };
	int result;

	ERR_clear_error();
	result = read_file(&reader, store, bytes);
	*reason = reader.reason;
	if (result == 0 || !was_unsupported())
		return result;
	reader = (struct reader){
		.access = access,
		.context = tls_store_legacy(),
	};
	*reason = NO_LEGACY;
	if (reader.context == NULL)
		return -1;
	result = read_file(&reader, store, bytes);
	*reason = reader.reason;
	return result;
}
