/*
 * Java's own format of a store (sun.security.provider.JavaKeyStore), numbers
 * in network order and texts behind two bytes of length:
 *
 *	u32 magic, u32 version 1 or 2, u32 count, then of each entry
 *		u32 tag, alias, i64 date
 *		1, a key: u32 len, an EncryptedPrivateKeyInfo; u32 count, and
 *			of each certificate its type (in version 2), u32 len,
 *			bytes
 *		2, a certificate: as one of those
 *	20 bytes of SHA-1 over the password, "Mighty Aphrodite" and all that is
 *		in front of them
 *
 * A key is 20 bytes of salt, PKCS#8 under the xor of a stream of digests of
 * which each is over the password and the one before it, beginning with the
 * salt, and 20 bytes of SHA-1 over the password and the key
 * (sun.security.provider.KeyProtector).  Passwords are UTF-16.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>

#include "base/bytes.h"
#include "net/tls_store.h"

#define TAG_KEY 1
#define TAG_CERTIFICATE 2

#define DIGEST_LEN 20
#define WHITENER "Mighty Aphrodite"

/* 1.3.6.1.4.1.42.2.17.1.1 */
static const uint8_t key_protector[] = { 0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a,
	0x02, 0x11, 0x01, 0x01 };

/* A password in UTF-16, on the heap. */
struct wide {
	uint8_t *data;
	size_t len;
};

/* What has been read so far of a store. */
struct reader {
	struct tls_store *store;
	const struct tls_store_access *access;
	struct slice bytes;
	uint32_t version;
};

/* --- Passwords ------------------------------------------------------------ */

static void
put_unit(struct wide *wide, uint32_t unit)
{
	be16_put(wide->data + wide->len, (uint16_t)unit);
	wide->len += 2;
}

/* The code point at text, whose bytes pass; what is no UTF-8 is U+FFFD. */
static uint32_t
next_point(const char **text)
{
	static const uint8_t masks[] = { 0x7f, 0x1f, 0x0f, 0x07 };
	uint8_t first = (uint8_t)*(*text)++;
	size_t more = first < 0x80 ? 0 :
	    first >= 0xf0	   ? 3 :
	    first >= 0xe0	   ? 2 :
				     1;
	uint32_t point = first & masks[more];

	if (first >= 0x80 && (first < 0xc2 || first > 0xf4))
		return 0xfffd;
	for (; more > 0; more--) {
		if (((uint8_t)**text & 0xc0) != 0x80)
			return 0xfffd;
		point = point << 6 | ((uint8_t)*(*text)++ & 0x3f);
	}
	return point;
}

static struct wide
widen(const char *password)
{
	struct wide wide = { xmalloc(2 * strlen(password) + 1), 0 };

	while (*password != '\0') {
		uint32_t point = next_point(&password);

		if (point >= 0x10000) {
			put_unit(&wide, 0xd800 + ((point - 0x10000) >> 10));
			point = 0xdc00 + (point & 0x3ff);
		}
		put_unit(&wide, point);
	}
	return wide;
}

static void
wide_fini(struct wide *wide)
{
	OPENSSL_cleanse(wide->data, wide->len);
	free(wide->data);
}

/* --- Digests -------------------------------------------------------------- */

static int
digest(const struct wide *password, struct slice a, struct slice b,
    uint8_t *result)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool done = context != NULL &&
	    EVP_DigestInit_ex(context, EVP_sha1(), NULL) == 1 &&
	    EVP_DigestUpdate(context, password->data, password->len) == 1 &&
	    EVP_DigestUpdate(context, a.data, a.len) == 1 &&
	    EVP_DigestUpdate(context, b.data, b.len) == 1 &&
	    EVP_DigestFinal_ex(context, result, NULL) == 1;

	EVP_MD_CTX_free(context);
	return done ? 0 : -1;
}

/* Cut off the digest at the end of the bytes, and compare it. */
static int
check_whole(struct slice *bytes, const char *password)
{
	struct wide wide = widen(password);
	struct slice whole = slice_of(bytes->data, bytes->len - DIGEST_LEN);
	uint8_t sum[DIGEST_LEN];
	int result = digest(&wide, SLICE_LITERAL(WHITENER), whole, sum);

	wide_fini(&wide);
	if (result != 0)
		return -1;
	return CRYPTO_memcmp(sum, whole.data + whole.len, DIGEST_LEN) == 0 ? 0 :
									     -1;
}

/* --- Keys ----------------------------------------------------------------- */

static int
xor_stream(const struct wide *password, const uint8_t *salt, uint8_t *data,
    size_t len)
{
	uint8_t stream[DIGEST_LEN];

	memcpy(stream, salt, DIGEST_LEN);
	for (size_t i = 0; i < len; i++) {
		if (i % DIGEST_LEN == 0 &&
		    digest(password, slice_of(stream, DIGEST_LEN), SLICE_NULL,
			stream) != 0)
			return -1;
		data[i] ^= stream[i % DIGEST_LEN];
	}
	OPENSSL_cleanse(stream, sizeof(stream));
	return 0;
}

/* The len bytes of plain, which hold an encrypted key, become one. */
static EVP_PKEY *
unlock(const struct wide *password, const uint8_t *salt, uint8_t *plain,
    size_t len, const uint8_t *check)
{
	const unsigned char *data = plain;
	uint8_t sum[DIGEST_LEN];

	if (xor_stream(password, salt, plain, len) != 0 ||
	    digest(password, slice_of(plain, len), SLICE_NULL, sum) != 0 ||
	    CRYPTO_memcmp(sum, check, DIGEST_LEN) != 0)
		return NULL;
	return tls_store_pkcs8(d2i_PKCS8_PRIV_KEY_INFO(NULL, &data, (long)len));
}

static EVP_PKEY *
unprotect(struct slice locked, const char *text)
{
	struct wide password;
	uint8_t *plain;
	EVP_PKEY *key;
	size_t len;

	if (locked.len < 2 * DIGEST_LEN)
		return NULL;
	len = locked.len - 2 * DIGEST_LEN;
	plain = xmalloc(len + 1);
	memcpy(plain, locked.data + DIGEST_LEN, len);
	password = widen(text);
	key = unlock(&password, locked.data, plain, len,
	    locked.data + DIGEST_LEN + len);
	wide_fini(&password);
	OPENSSL_cleanse(plain, len);
	free(plain);
	return key;
}

static bool
is_protected(const X509_ALGOR *algorithm)
{
	return OBJ_length(algorithm->algorithm) == sizeof(key_protector) &&
	    memcmp(OBJ_get0_data(algorithm->algorithm), key_protector,
		sizeof(key_protector)) == 0;
}

static EVP_PKEY *
read_key(struct slice der, const char *password)
{
	const unsigned char *data = der.data;
	X509_SIG *sig = d2i_X509_SIG(NULL, &data, (long)der.len);
	const X509_ALGOR *algorithm;
	const ASN1_OCTET_STRING *locked;
	EVP_PKEY *key = NULL;

	if (sig == NULL)
		return NULL;
	X509_SIG_get0(sig, &algorithm, &locked);
	if (is_protected(algorithm))
		key = unprotect(slice_of(ASN1_STRING_get0_data(locked),
				    (size_t)ASN1_STRING_length(locked)),
		    password);
	X509_SIG_free(sig);
	return key;
}

/* --- Entries -------------------------------------------------------------- */

static int
take(struct slice *bytes, size_t len, struct slice *taken)
{
	if (bytes->len < len)
		return -1;
	*taken = slice_of(bytes->data, len);
	bytes->data += len;
	bytes->len -= len;
	return 0;
}

static int
take_u32(struct slice *bytes, uint32_t *value)
{
	struct slice taken;

	if (take(bytes, 4, &taken) != 0)
		return -1;
	*value = be32_get(taken.data);
	return 0;
}

static int
take_block(struct slice *bytes, struct slice *taken)
{
	uint32_t len;

	return take_u32(bytes, &len) != 0 ? -1 : take(bytes, len, taken);
}

static int
take_text(struct slice *bytes)
{
	struct slice len, text;

	if (take(bytes, 2, &len) != 0)
		return -1;
	return take(bytes, be16_get(len.data), &text);
}

/* Certificates of another type than X.509 are none for Java either. */
static int
read_certificate(
    struct reader *reader, STACK_OF(X509) *certificates, const char **reason)
{
	struct slice der;

	*reason = TLS_STORE_BAD_FORMAT;
	if ((reader->version == 2 && take_text(&reader->bytes) != 0) ||
	    take_block(&reader->bytes, &der) != 0)
		return -1;
	return tls_store_add(certificates, der, reason);
}

/* The leaf of any key is trusted; the first key is the store's. */
static int
take_chain(struct reader *reader, STACK_OF(X509) *chain, bool first)
{
	struct tls_store *store = reader->store;
	X509 *leaf = sk_X509_shift(chain);

	if (leaf == NULL)
		return 0;
	if (sk_X509_push(store->trusted, leaf) <= 0) {
		X509_free(leaf);
		return -1;
	}
	if (!first)
		return 0;
	X509_up_ref(leaf);
	store->certificate = leaf;
	while (sk_X509_num(chain) > 0)
		if (sk_X509_push(store->chain, sk_X509_shift(chain)) <= 0)
			return -1;
	return 0;
}

static int
read_chain(struct reader *reader, bool first, const char **reason)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	uint32_t count;
	int result;

	*reason = TLS_STORE_BAD_FORMAT;
	result = chain == NULL ? -1 : take_u32(&reader->bytes, &count);
	while (result == 0 && count-- > 0)
		result = read_certificate(reader, chain, reason);
	if (result == 0)
		result = take_chain(reader, chain, first);
	sk_X509_pop_free(chain, X509_free);
	return result;
}

static int
read_key_entry(struct reader *reader, const char **reason)
{
	struct tls_store *store = reader->store;
	const char *password = reader->access->key_password;
	bool first = store->key == NULL && store->certificate == NULL;
	struct slice der;

	if (take_block(&reader->bytes, &der) != 0)
		return -1;
	if (password != NULL && store->key == NULL) {
		store->key = read_key(der, password);
		if (store->key == NULL) {
			*reason = TLS_STORE_BAD_KEY_PASSWORD;
			return -1;
		}
	}
	return read_chain(reader, first, reason);
}

static int
read_entry(struct reader *reader, const char **reason)
{
	struct slice date;
	uint32_t tag;

	*reason = TLS_STORE_BAD_FORMAT;
	if (take_u32(&reader->bytes, &tag) != 0 ||
	    take_text(&reader->bytes) != 0 ||
	    take(&reader->bytes, 8, &date) != 0)
		return -1;
	if (tag == TAG_KEY)
		return read_key_entry(reader, reason);
	if (tag == TAG_CERTIFICATE)
		return read_certificate(reader, reader->store->trusted, reason);
	return -1;
}

/* --- The whole ------------------------------------------------------------ */

static int
read_entries(struct reader *reader, const char **reason)
{
	uint32_t count, magic;

	*reason = TLS_STORE_BAD_FORMAT;
	if (take_u32(&reader->bytes, &magic) != 0 ||
	    take_u32(&reader->bytes, &reader->version) != 0 ||
	    take_u32(&reader->bytes, &count) != 0 || reader->version < 1 ||
	    reader->version > 2)
		return -1;
	while (count-- > 0)
		if (read_entry(reader, reason) != 0)
			return -1;
	if (reader->bytes.len == 0)
		return 0;
	*reason = TLS_STORE_BAD_FORMAT;
	return -1;
}

int
tls_store_read_jks(struct tls_store *store, struct slice bytes,
    const struct tls_store_access *access, const char **reason)
{
	struct reader reader = {
		.store = store,
		.access = access,
		.bytes = bytes,
	};

	*reason = TLS_STORE_BAD_FORMAT;
	if (bytes.len < DIGEST_LEN)
		return -1;
	if (access->password != NULL &&
	    check_whole(&bytes, access->password) != 0) {
		*reason = TLS_STORE_BAD_PASSWORD;
		return -1;
	}
	reader.bytes.len -= DIGEST_LEN;
	return read_entries(&reader, reason);
}
