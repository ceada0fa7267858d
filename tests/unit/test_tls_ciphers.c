/*
 * TLS ciphers: all that Java 17 enables by itself, and what is none.
 */
#include "unit/unit.h"

#include <openssl/ssl.h>

#include "net/tls_ciphers.c"

/* As SSLEngine.getSupportedCipherSuites lists them, but for those of DSS. */
static const char java[] =
    "TLS_AES_256_GCM_SHA384,TLS_AES_128_GCM_SHA256,"
    "TLS_CHACHA20_POLY1305_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,"
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,"
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,"
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,"
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,"
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,"
    "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,"
    "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256,"
    "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,"
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,"
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,"
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,"
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,"
    "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256,"
    "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256,"
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,"
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,"
    "TLS_DHE_RSA_WITH_AES_256_CBC_SHA,TLS_DHE_RSA_WITH_AES_128_CBC_SHA,"
    "TLS_RSA_WITH_AES_256_GCM_SHA384,TLS_RSA_WITH_AES_128_GCM_SHA256,"
    "TLS_RSA_WITH_AES_256_CBC_SHA256,TLS_RSA_WITH_AES_128_CBC_SHA256,"
    "TLS_RSA_WITH_AES_256_CBC_SHA,TLS_RSA_WITH_AES_128_CBC_SHA,"
    "TLS_EMPTY_RENEGOTIATION_INFO_SCSV";

static struct arena arena;

static struct tls_ciphers
parsed(const char *list)
{
	struct tls_ciphers ciphers;
	struct slice unknown;

	assert_int_equal(tls_ciphers_read(
			     slice_str(list), &arena, &ciphers, &unknown),
	    0);
	return ciphers;
}

static void
expect(const char *list, const char *older, const char *suites)
{
	struct tls_ciphers ciphers = parsed(list);

	assert_string_equal(ciphers.ciphers, older);
	assert_string_equal(ciphers.cipher_suites, suites);
}

static void
lists_of_both_versions(void **state UNUSED)
{
	expect("TLS_AES_128_GCM_SHA256", "", "TLS_AES_128_GCM_SHA256");
	expect("TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA", "");
	expect(" TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 ,"
	       "TLS_CHACHA20_POLY1305_SHA256,"
	       "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,"
	       "TLS_AES_256_GCM_SHA384",
	    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305",
	    "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384");
}

/* OpenSSL takes what comes out, and leaves nothing out of it. */
static void
all_of_javas(void **state UNUSED)
{
	struct tls_ciphers ciphers = parsed(java);
	SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_server_method());

	assert_int_equal(
	    SSL_CTX_set_cipher_list(ssl_ctx, ciphers.ciphers), 1);
	assert_int_equal(
	    SSL_CTX_set_ciphersuites(ssl_ctx, ciphers.cipher_suites), 1);
	assert_int_equal(
	    sk_SSL_CIPHER_num(SSL_CTX_get_ciphers(ssl_ctx)), 30);
	SSL_CTX_free(ssl_ctx);
}

static void
names_that_are_refused(void **state UNUSED)
{
	static const char *const names[] = {
		"TLS_NONE_SUCH",
		"tls_aes_128_gcm_sha256",
		"AES128-SHA",
		"ALL",
		"DEFAULT:@SECLEVEL=0",
		"SSL_RSA_WITH_RC4_128_MD5",
		"TLS_DH_anon_WITH_AES_128_CBC_SHA",
		"TLS_RSA_WITH_NULL_SHA256",
		"TLS_PSK_WITH_AES_128_GCM_SHA256",
		"",
	};

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct tls_ciphers ciphers;
		struct slice unknown;
		char *list =
		    xasprintf("TLS_AES_128_GCM_SHA256, %s ,x", names[i]);

		assert_int_equal(tls_ciphers_read(slice_str(list), &arena,
				     &ciphers, &unknown),
		    -1);
		assert_true(slice_equal_str(unknown, names[i]));
		free(list);
	}
}

static int
set_up(void **state UNUSED)
{
	arena_init(&arena, 1 << 20);
	return 0;
}

static int
tear_down(void **state UNUSED)
{
	arena_reset(&arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_both_versions),
		cmocka_unit_test(all_of_javas),
		cmocka_unit_test(names_that_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
