#include "auth/subject_name.h"

#include <openssl/objects.h>

#include "base/buf.h"
#include "base/utf8.h"

/* A certificate is no longer than a handshake's message may be. */
#define NAME_LEN_MAX ((size_t)16 << 20)

/* The types that have a name in RFC 2253; others are numbers. */
static const struct {
	int nid;
	const char *keyword;
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

static void
append(struct buf *name, const void *data, size_t len)
{
	if (buf_append(name, data, len) != 0)
		assert(!"a certificate is too long");
}

static void
append_text(struct buf *name, const char *text)
{
	append(name, text, strlen(text));
}

/* --- Values --------------------------------------------------------------- */

/* Is the blank at i before all, or behind all, that is none? */
static bool
is_outer(const uint8_t *data, size_t len, size_t i)
{
	size_t lead = 0, trail = len;

	while (lead < len && data[lead] == ' ')
		lead++;
	while (trail > 0 && data[trail - 1] == ' ')
		trail--;
	return i < lead || i >= trail;
}

static void
append_character(struct buf *name, const uint8_t *data, size_t len)
{
	if (*data == '\0') {
		append_text(name, "\\00");
		return;
	}
	if (memchr(",=+<>#;\"\\", *data, 9) != NULL)
		append_text(name, "\\");
	append(name, data, len);
}

/* Java takes the bytes of all kinds of texts for UTF-8. */
static void
append_string(struct buf *name, const uint8_t *data, size_t len)
{
	bool valid;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_next(slice_of(data + i, len - i), &valid);
		if (data[i] == ' ' && is_outer(data, len, i))
			append_text(name, "\\");
		if (valid)
			append_character(name, data + i, n);
		else
			append_text(name, UTF8_REPLACEMENT);
	}
}

/* The whole encoding of a value, with its tag. */
static void
append_hex(struct buf *name, const ASN1_STRING *value)
{
	static const char digits[] = "0123456789abcdef";
	ASN1_TYPE type = { .type = ASN1_STRING_type(value) };
	unsigned char *der = NULL;
	int len;

	type.value.asn1_string = (ASN1_STRING *)(uintptr_t)value;
	len = i2d_ASN1_TYPE(&type, &der);
	append_text(name, "#");
	for (int i = 0; i < len; i++) {
		append(name, &digits[der[i] >> 4], 1);
		append(name, &digits[der[i] & 15], 1);
	}
	OPENSSL_free(der);
}

static bool
is_string(int type)
{
	switch (type) {
	case V_ASN1_PRINTABLESTRING:
	case V_ASN1_UTF8STRING:
	case V_ASN1_T61STRING:
	case V_ASN1_IA5STRING:
	case V_ASN1_GENERALSTRING:
	case V_ASN1_BMPSTRING:
	case V_ASN1_UNIVERSALSTRING:
		return true;
	default:
		return false;
	}
}

/* --- Types ---------------------------------------------------------------- */

static const char *
keyword_of(const ASN1_OBJECT *type)
{
	int nid = OBJ_obj2nid(type);

	for (size_t i = 0; i < COUNT_OF(keywords); i++)
		if (nid == keywords[i].nid)
			return keywords[i].keyword;
	return NULL;
}

static void
append_number(struct buf *name, const ASN1_OBJECT *type)
{
	int len = OBJ_obj2txt(NULL, 0, type, 1);
	char *text;

	if (len <= 0)
		return;
	text = xmalloc((size_t)len + 1);
	(void)OBJ_obj2txt(text, len + 1, type, 1);
	append_text(name, text);
	free(text);
}

/* --- The whole ------------------------------------------------------------ */

static void
append_entry(struct buf *name, const X509_NAME_ENTRY *entry)
{
	const ASN1_OBJECT *type = X509_NAME_ENTRY_get_object(entry);
	const ASN1_STRING *value = X509_NAME_ENTRY_get_data(entry);
	const char *keyword = keyword_of(type);

	if (keyword != NULL)
		append_text(name, keyword);
	else
		append_number(name, type);
	append_text(name, "=");
	if (keyword == NULL || !is_string(ASN1_STRING_type(value)))
		append_hex(name, value);
	else
		append_string(name, ASN1_STRING_get0_data(value),
		    (size_t)ASN1_STRING_length(value));
}

/* The entry that the set of entry i begins with. */
static int
set_begin(const X509_NAME *subject, int i)
{
	int set = X509_NAME_ENTRY_set(X509_NAME_get_entry(subject, i));

	while (i > 0 &&
	    X509_NAME_ENTRY_set(X509_NAME_get_entry(subject, i - 1)) == set)
		i--;
	return i;
}

char *
subject_name_of(const X509 *certificate)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	int end = X509_NAME_entry_count(subject);
	struct buf name;

	buf_init(&name, NAME_LEN_MAX);
	while (end > 0) {
		int begin = set_begin(subject, end - 1);

		if (name.len > 0)
			append_text(&name, ",");
		for (int i = begin; i < end; i++) {
			if (i > begin)
				append_text(&name, "+");
			append_entry(&name, X509_NAME_get_entry(subject, i));
		}
		end = begin;
	}
	append(&name, "", 1);
	return (char *)name.data;
}
