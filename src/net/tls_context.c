#include "base/base.h"
#include "net/tls_context.h"
#include "net/tls_material.h"
#include "net/tls_trust.h"
#include "net/tls_wire.h"

#include <openssl/err.h>
#include <pthread.h>

/* Sessions are resumed with this listener only, and by the same rules. */
static const uint8_t session_context[] = "klamm";

/* How long a ticket is good for. */
#define TICKET_SECONDS 3600

struct tls_context {
	/* immutable */
	BIO_METHOD *method;

	pthread_mutex_t lock;

	/* guarded by lock */
	SSL_CTX *current;
};

/* --- Making an SSL_CTX ---------------------------------------------------- */

static void
set_options(SSL_CTX *ssl_ctx)
{
	SSL_CTX_set_options(ssl_ctx,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
		SSL_OP_CIPHER_SERVER_PREFERENCE |
		/* Frames have sizes of their own: nothing can be cut off. */
		SSL_OP_IGNORE_UNEXPECTED_EOF);
	(void)SSL_CTX_set_dh_auto(ssl_ctx, 1);
	SSL_CTX_set_mode(ssl_ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

/* Tickets carry what is to be resumed; nothing of it is kept here. */
static bool
set_sessions(SSL_CTX *ssl_ctx)
{
	(void)SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_timeout(ssl_ctx, TICKET_SECONDS);
	return SSL_CTX_set_num_tickets(ssl_ctx, 1) == 1 &&
	    SSL_CTX_set_session_id_context(ssl_ctx, session_context,
		sizeof(session_context)) == 1;
}

static bool
set_versions(SSL_CTX *ssl_ctx, const struct tls_settings *settings)
{
	return SSL_CTX_set_min_proto_version(ssl_ctx,
		   settings->version_min) == 1 &&
	    SSL_CTX_set_max_proto_version(ssl_ctx, settings->version_max) == 1;
}

static bool
set_ciphers(SSL_CTX *ssl_ctx, const struct tls_settings *settings)
{
	return (settings->ciphers == NULL || *settings->ciphers == '\0' ||
		   SSL_CTX_set_cipher_list(ssl_ctx, settings->ciphers) == 1) &&
	    (settings->cipher_suites == NULL ||
		SSL_CTX_set_ciphersuites(ssl_ctx, settings->cipher_suites) ==
		    1);
}

static bool
set_certificate(SSL_CTX *ssl_ctx, const struct tls_material *material)
{
	return SSL_CTX_use_certificate(ssl_ctx, material->certificate) == 1 &&
	    SSL_CTX_use_PrivateKey(ssl_ctx, material->key) == 1 &&
	    SSL_CTX_check_private_key(ssl_ctx) == 1 &&
	    (material->chain == NULL ||
		SSL_CTX_set1_chain(ssl_ctx, material->chain) == 1);
}

/* Clients are told whose certificates would do. */
static bool
add_trusted(SSL_CTX *ssl_ctx, STACK_OF(X509) *trusted)
{
	for (int i = 0; i < sk_X509_num(trusted); i++)
		if (SSL_CTX_add_client_CA(
			ssl_ctx, sk_X509_value(trusted, i)) != 1)
			return false;
	return tls_trust_add(SSL_CTX_get_cert_store(ssl_ctx), trusted);
}

static bool
set_trust(SSL_CTX *ssl_ctx, const struct tls_settings *settings)
{
	int mode = SSL_VERIFY_PEER;

	if (settings->client_auth == TLS_CLIENT_AUTH_NONE)
		return true;
	if (settings->client_auth == TLS_CLIENT_AUTH_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ssl_ctx, mode, NULL);
	if (settings->material->trusted == NULL)
		return SSL_CTX_set_default_verify_paths(ssl_ctx) == 1;
	return add_trusted(ssl_ctx, settings->material->trusted);
}

/* What failed is OpenSSL's last error. */
static SSL_CTX *
make(const struct tls_settings *settings)
{
	SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_server_method());

	if (ssl_ctx == NULL)
		return NULL;
	set_options(ssl_ctx);
	if (set_versions(ssl_ctx, settings) && set_sessions(ssl_ctx) &&
	    set_ciphers(ssl_ctx, settings) &&
	    set_certificate(ssl_ctx, settings->material) &&
	    set_trust(ssl_ctx, settings))
		return ssl_ctx;
	SSL_CTX_free(ssl_ctx);
	return NULL;
}

static SSL_CTX *
make_or_tell(const struct tls_settings *settings, const char **reason)
{
	SSL_CTX *ssl_ctx;

	assert(settings->material->key != NULL);
	ERR_clear_error();
	ssl_ctx = make(settings);
	if (ssl_ctx == NULL) {
		*reason = ERR_reason_error_string(ERR_peek_last_error());
		if (*reason == NULL)
			*reason = "OpenSSL does not take it";
	}
	ERR_clear_error();
	return ssl_ctx;
}

/* --- Life ----------------------------------------------------------------- */

struct tls_context *
tls_context_new(const struct tls_settings *settings, const char **reason)
{
	SSL_CTX *ssl_ctx = make_or_tell(settings, reason);
	BIO_METHOD *method = tls_wire_method_new();
	struct tls_context *context;

	if (ssl_ctx == NULL || method == NULL) {
		if (ssl_ctx != NULL)
			*reason = "out of memory";
		SSL_CTX_free(ssl_ctx);
		BIO_meth_free(method);
		return NULL;
	}
	context = xcalloc(1, sizeof(*context));
	context->method = method;
	context->current = ssl_ctx;
	pthread_mutex_init(&context->lock, NULL);
	return context;
}

int
tls_context_replace(struct tls_context *context,
    const struct tls_settings *settings, const char **reason)
{
	SSL_CTX *ssl_ctx = make_or_tell(settings, reason), *old;

	if (ssl_ctx == NULL)
		return -1;
	pthread_mutex_lock(&context->lock);
	old = context->current;
	context->current = ssl_ctx;
	pthread_mutex_unlock(&context->lock);
	/* Its connections hold it. */
	SSL_CTX_free(old);
	return 0;
}

void
tls_context_free(struct tls_context *context)
{
	if (context == NULL)
		return;
	SSL_CTX_free(context->current);
	BIO_meth_free(context->method);
	pthread_mutex_destroy(&context->lock);
	free(context);
}

/* --- Connections ---------------------------------------------------------- */

static SSL *
ssl_of_current(struct tls_context *context)
{
	SSL_CTX *current;
	SSL *ssl;

	pthread_mutex_lock(&context->lock);
	current = context->current;
	(void)SSL_CTX_up_ref(current);
	pthread_mutex_unlock(&context->lock);
	ssl = SSL_new(current);
	SSL_CTX_free(current);
	return ssl;
}

SSL *
tls_context_connect(struct tls_context *context, void *data)
{
	SSL *ssl = ssl_of_current(context);
	BIO *bio = ssl == NULL ? NULL : BIO_new(context->method);

	if (bio == NULL) {
		SSL_free(ssl);
		return NULL;
	}
	BIO_set_data(bio, data);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_accept_state(ssl);
	return ssl;
}
