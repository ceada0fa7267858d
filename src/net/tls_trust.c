#include "net/tls_trust.h"

#include <openssl/x509_vfy.h>

bool
tls_trust_add(X509_STORE *store, STACK_OF(X509) *trusted)
{
	for (int i = 0; i < sk_X509_num(trusted); i++)
		if (X509_STORE_add_cert(store, sk_X509_value(trusted, i)) != 1)
			return false;
	return X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1;
}

X509_STORE *
tls_trust_new(const struct tls_store_settings *settings,
    const struct tls_files *files, char **error)
{
	struct tls_material material;
	X509_STORE *store;

	if (tls_material_read(&material, settings, files, error) != 0)
		return NULL;
	assert(material.trusted != NULL);
	store = X509_STORE_new();
	if (store == NULL || !tls_trust_add(store, material.trusted)) {
		X509_STORE_free(store);
		store = NULL;
		*error = xstrdup("OpenSSL does not take the trust store");
	}
	tls_material_fini(&material);
	return store;
}
