#include "net/tls_replacement.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

static int
refuse(char **error, char *text)
{
	*error = text;
	return -1;
}

/* --- Subjects ------------------------------------------------------------- */

static char *
text_of(BIO *bio)
{
	char *data;
	long len = bio == NULL ? 0 : BIO_get_mem_data(bio, &data);
	char *text = slice_dup(slice_of(len > 0 ? data : "", (size_t)len));

	BIO_free(bio);
	return text;
}

static char *
subject_text(X509 *certificate)
{
	BIO *bio = BIO_new(BIO_s_mem());

	if (bio != NULL)
		X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0,
		    XN_FLAG_RFC2253);
	return text_of(bio);
}

static int
check_subject(X509 *now, X509 *then, char **error)
{
	char *existing, *other;

	if (X509_NAME_cmp(X509_get_subject_name(now),
		X509_get_subject_name(then)) == 0)
		return 0;
	existing = subject_text(now);
	other = subject_text(then);
	*error = xasprintf("Keystore DistinguishedName does not match: "
			   "existing={DN=%s}, new={DN=%s}",
	    existing, other);
	free(existing);
	free(other);
	return -1;
}

/* --- Alternative names ---------------------------------------------------- */

static GENERAL_NAMES *
names_of(X509 *certificate)
{
	return X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}

static bool
has_name(const GENERAL_NAMES *names, GENERAL_NAME *name)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
		if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(names, i), name) ==
		    0)
			return true;
	return false;
}

static int
lost(GENERAL_NAME *name, char **error)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;

	if (bio != NULL)
		GENERAL_NAME_print(bio, name);
	text = text_of(bio);
	*error = xasprintf("Keystore SubjectAltNames do not match: the new "
			   "certificate lacks %s",
	    text);
	free(text);
	return -1;
}

static int
check_names(X509 *now, X509 *then, char **error)
{
	GENERAL_NAMES *existing = names_of(now), *others = names_of(then);
	int result = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(existing) && result == 0; i++) {
		GENERAL_NAME *name = sk_GENERAL_NAME_value(existing, i);

		if (!has_name(others, name))
			result = lost(name, error);
	}
	GENERAL_NAMES_free(existing);
	GENERAL_NAMES_free(others);
	ERR_clear_error();
	return result;
}

/* --- The whole ------------------------------------------------------------ */

int
tls_replacement_check(const struct tls_material *now,
    const struct tls_material *then, const struct tls_replacement_rules *rules,
    char **error)
{
	*error = NULL;
	if (now->key == NULL && then->key != NULL)
		return refuse(error,
		    xstrdup("Cannot add SSL keystore to an existing listener "
			    "for which no keystore was configured."));
	if (now->key != NULL && then->key == NULL)
		return refuse(error,
		    xstrdup("Cannot remove the SSL keystore from an existing "
			    "listener for which a keystore was configured."));
	if (now->key != NULL && !rules->dn_may_change &&
	    check_subject(now->certificate, then->certificate, error) != 0)
		return -1;
	if (now->key != NULL && !rules->san_may_change &&
	    check_names(now->certificate, then->certificate, error) != 0)
		return -1;
	if (now->trusted == NULL && then->trusted != NULL)
		return refuse(error,
		    xstrdup("Cannot add SSL truststore to an existing listener "
			    "for which no truststore was configured."));
	return 0;
}
