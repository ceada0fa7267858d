#include "auth/distinguished_name.h"

#include <openssl/asn1.h>
#include <openssl/objects.h>

#include "base/buf.h"

/* Longer than any that a handshake carries, escaped. */
#define NAME_LEN_MAX ((size_t)1 << 20)
#define OID_LEN_MAX 256

#define REPLACEMENT 0xfffd /* for what is no UTF-8 */

/* Java's keywords for RFC 2253 (sun.security.x509.AVAKeyword). */
static const struct keyword {
	int nid;
	const char *name;
} keywords[] = {
	{ NID_commonName, "CN" },
	{ NID_countryName, "C" },
	{ NID_localityName, "L" },
	{ NID_stateOrProvinceName, "ST" },
	{ NID_organizationName, "O" },
	{ NID_organizationalUnitName, "OU" },
	{ NID_streetAddress, "STREET" },
	{ NID_domainComponent, "DC" },
	{ NID_userId, "UID" },
};

struct writer {
	struct buf out;
	bool full;
};

static void
put(struct writer *writer, const void *data, size_t len)
{
	if (buf_append(&writer->out, data, len) != 0)
		writer->full = true;
}

static void
put_text(struct writer *writer, const char *text)
{
	put(writer, text, strlen(text));
}

/* --- Characters ----------------------------------------------------------- */

static void
put_point(struct writer *writer, uint32_t c)
{
	uint8_t bytes[4];
	size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = len - 1; i > 0; i--, c >>= 6)
		bytes[i] = (uint8_t)(0x80 | (c & 0x3f));
	bytes[0] = (uint8_t)(first[len] | c);
	put(writer, bytes, len);
}

/*
 * The next character of UTF-8.  Of what is none each longest beginning of a
 * character is one U+FFFD, as for Java.
 */
static uint32_t
take_utf8(struct slice *value)
{
	uint8_t first = value->data[0];
	size_t len = first < 0x80 ? 1 :
	    first < 0xc2	  ? 0 :
	    first < 0xe0	  ? 2 :
	    first < 0xf0	  ? 3 :
	    first < 0xf5	  ? 4 :
				    0;
	uint32_t c = len < 2 ? first : first & (0x7fU >> len);
	uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	size_t at = 1;

	for (; at < len && at < value->len; at++, low = 0x80, high = 0xbf) {
		uint8_t next = value->data[at];

		if (next < low || next > high)
			break;
		c = c << 6 | (next & 0x3f);
	}
	value->data += at;
	value->len -= at;
	return len == 0 || at < len ? REPLACEMENT : c;
}

/* Others are shown in hexadecimal. */
static bool
is_text(int type)
{
	switch (type) {
	case V_ASN1_PRINTABLESTRING:
	case V_ASN1_UTF8STRING:
	case V_ASN1_T61STRING:
	case V_ASN1_IA5STRING:
	case V_ASN1_GENERALSTRING:
	case V_ASN1_BMPSTRING:
		return true;
	default:
		return false;
	}
}

/* --- Values --------------------------------------------------------------- */

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\r';
}

static void
put_escaped(struct writer *writer, struct slice value)
{
	while (value.len > 0 && !writer->full) {
		uint32_t c = take_utf8(&value);

		if (c == 0) {
			put_text(writer, "\\00");
			continue;
		}
		if (c < 0x80 && strchr(",=+<>#;\"\\", (int)c) != NULL)
			put_text(writer, "\\");
		put_point(writer, c);
	}
}

/* Blanks at both ends of text, which is escaped but for these. */
static void
put_framed(struct writer *writer, struct slice text)
{
	size_t lead = 0, trail = text.len;

	while (lead < text.len && is_blank(text.data[lead]))
		lead++;
	while (trail > lead && is_blank(text.data[trail - 1]))
		trail--;
	for (size_t i = 0; i < text.len; i++) {
		if (i < lead || i >= trail)
			put_text(writer, "\\");
		put(writer, &text.data[i], 1);
	}
}

static void
put_value(struct writer *writer, const ASN1_STRING *value)
{
	struct writer escaped = { .full = false };

	buf_init(&escaped.out, NAME_LEN_MAX);
	put_escaped(&escaped,
	    slice_of(ASN1_STRING_get0_data(value),
		(size_t)ASN1_STRING_length(value)));
	put_framed(writer, buf_slice(&escaped.out));
	writer->full |= escaped.full;
	buf_fini(&escaped.out);
}

/* All of the value's DER. */
static void
put_hex(struct writer *writer, const ASN1_STRING *value)
{
	unsigned char *der = NULL;
	ASN1_TYPE *type = ASN1_TYPE_new();
	int len = -1;
	char digits[3];

	if (type != NULL &&
	    ASN1_TYPE_set1(type, ASN1_STRING_type(value), value) == 1)
		len = i2d_ASN1_TYPE(type, &der);
	if (len < 0)
		writer->full = true;
	put_text(writer, "#");
	for (int i = 0; i < len && !writer->full; i++) {
		snprintf(digits, sizeof(digits), "%02x", der[i]);
		put_text(writer, digits);
	}
	OPENSSL_free(der);
	ASN1_TYPE_free(type);
}

/* --- Names ---------------------------------------------------------------- */

static const char *
keyword_of(const ASN1_OBJECT *object)
{
	int nid = OBJ_obj2nid(object);

	for (size_t i = 0; i < COUNT_OF(keywords); i++)
		if (keywords[i].nid == nid)
			return keywords[i].name;
	return NULL;
}

static void
put_entry(struct writer *writer, const X509_NAME_ENTRY *entry)
{
	const ASN1_OBJECT *object = X509_NAME_ENTRY_get_object(entry);
	const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
	const char *keyword = keyword_of(object);
	char oid[OID_LEN_MAX];

	if (keyword == NULL) {
		int len = OBJ_obj2txt(oid, sizeof(oid), object, 1);

		if (len <= 0 || len >= (int)sizeof(oid))
			writer->full = true;
		else
			put_text(writer, oid);
	} else {
		put_text(writer, keyword);
	}
	put_text(writer, "=");
	if (keyword == NULL || !is_text(ASN1_STRING_type(value)))
		put_hex(writer, value);
	else
		put_value(writer, value);
}

/* The entries of the part that ends in front of end; its first one. */
static int
put_part(struct writer *writer, const X509_NAME *name, int end)
{
	int set = X509_NAME_ENTRY_set(X509_NAME_get_entry(name, end - 1));
	int begin = end - 1;

	while (begin > 0 &&
	    X509_NAME_ENTRY_set(X509_NAME_get_entry(name, begin - 1)) == set)
		begin--;
	for (int i = begin; i < end; i++) {
		if (i > begin)
			put_text(writer, "+");
		put_entry(writer, X509_NAME_get_entry(name, i));
	}
	return begin;
}

struct slice
distinguished_name_text(const X509_NAME *name, struct arena *arena)
{
	struct writer writer = { .full = false };
	struct slice text = SLICE_NULL;
	uint8_t *copy;
	int end = X509_NAME_entry_count(name);

	buf_init(&writer.out, NAME_LEN_MAX);
	while (end > 0 && !writer.full) {
		end = put_part(&writer, name, end);
		if (end > 0)
			put_text(&writer, ",");
	}
	copy = writer.full ? NULL : arena_alloc(arena, writer.out.len);
	if (copy != NULL) {
		if (writer.out.len > 0)
			memcpy(copy, writer.out.data, writer.out.len);
		text = slice_of(copy, writer.out.len);
	}
	buf_fini(&writer.out);
	return text;
}
