/*
 * Stores of a listener that are replaced while it serves: by other files, by
 * the same that have changed, by texts, and what may not follow.
 */
#include "unit/unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/listener_addresses.h"
#include "cli/tls_config.h"
#include "cli/tls_stores.h"
#include "meta/config_set.h"
#include "unit/certificates.h"
#include "unit/temp_dir.h"

#define PREFIX "listener.name.outside."

static struct {
	char *directory;
	char *path;			/* of the store in the properties */
	char *other_path;
	struct certificate authority;
	struct certificate one;		/* in path */
	struct properties properties;
	struct arena arena;
	char names[2][8];
	struct listener_address listeners[2];
	struct listener_addresses addresses;
	struct tls_config configs[2];
	struct tls_context *contexts[2];
	struct tls_stores stores;
	struct config_set *own;
} world;

static int
set_up(void **state UNUSED)
{
	world.directory = temp_dir_make();
	world.path = xasprintf("%s/store.pem", world.directory);
	world.other_path = xasprintf("%s/other.pem", world.directory);
	world.authority = certificate_new("authority", NULL);
	world.one = certificate_new("broker", &world.authority);
	certificate_write(&world.one, world.path);
	properties_init(&world.properties);
	properties_set(&world.properties, "ssl.keystore.type", "PEM");
	properties_set(
	    &world.properties, "ssl.keystore.location", world.path);
	arena_init(&world.arena, SIZE_MAX);
	/* The first one has no TLS. */
	strcpy(world.names[0], "INSIDE");
	strcpy(world.names[1], "Outside");
	for (size_t i = 0; i < COUNT_OF(world.names); i++)
		world.listeners[i].name = world.names[i];
	world.addresses.items = world.listeners;
	world.addresses.count = 2;
	memset(world.configs, 0, sizeof(world.configs));
	if (tls_config_read(&world.configs[1], &world.properties, "Outside",
		false, &world.arena) != 0)
		return -1;
	world.contexts[1] = tls_config_open(&world.configs[1], "Outside");
	tls_stores_init(&world.stores, &world.addresses, world.configs,
	    world.contexts);
	world.own = config_set_new();
	return world.contexts[1] == NULL ? -1 : 0;
}

static int
tear_down(void **state UNUSED)
{
	config_set_unref(world.own);
	tls_stores_fini(&world.stores);
	tls_context_free(world.contexts[1]);
	tls_config_fini(&world.configs[1]);
	arena_reset(&world.arena);
	properties_fini(&world.properties);
	certificate_free(&world.one);
	certificate_free(&world.authority);
	temp_dir_remove(world.directory);
	free(world.path);
	free(world.other_path);
	return 0;
}

static void
set(const char *key, const char *value)
{
	char *name = xasprintf(PREFIX "%s", key);

	config_set_put(world.own, slice_str(name), slice_str(value));
	free(name);
}

static void
set_text(const char *key, const struct certificate *certificate, bool private)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *name = xasprintf(PREFIX "%s", key), *data;
	long len;

	assert_non_null(bio);
	assert_int_equal(private ?
		PEM_write_bio_PKCS8PrivateKey(bio, certificate->key, NULL,
		    NULL, 0, NULL, NULL) :
		PEM_write_bio_X509(bio, certificate->x509),
	    1);
	len = BIO_get_mem_data(bio, &data);
	config_set_put(
	    world.own, slice_str(name), slice_of(data, (size_t)len));
	free(name);
	BIO_free(bio);
}

/* NULL: they would be taken; else what the refusal has to contain. */
static void
expect_answer(const char *refusal)
{
	struct listener_stores *hooks = &world.stores.hooks;
	struct slice message = SLICE_NULL;
	struct arena arena;
	enum kp_error error;

	arena_init(&arena, SIZE_MAX);
	error = hooks->check(
	    hooks, slice_str("outside"), world.own, &arena, &message);
	assert_int_equal(
	    error, refusal == NULL ? KP_NONE : KP_INVALID_REQUEST);
	if (refusal != NULL &&
	    memmem(message.data, message.len, refusal, strlen(refusal)) == NULL)
		fail_msg("%.*s", SLICE_ARG(message));
	arena_reset(&arena);
}

static bool
shows(const struct certificate *certificate)
{
	return X509_cmp(world.configs[1].material.certificate,
		   certificate->x509) == 0;
}

static void
listeners_with_tls_have_stores(void **state UNUSED)
{
	struct listener_stores *hooks = &world.stores.hooks;

	assert_true(hooks->has(hooks, slice_str("outside")));
	assert_false(hooks->has(hooks, slice_str("Outside")));
	assert_false(hooks->has(hooks, slice_str("inside")));
	assert_false(hooks->has(hooks, slice_str("outsid")));
	assert_false(hooks->has(hooks, slice_str("")));
}

static void
another_file(void **state UNUSED)
{
	struct certificate two = certificate_new("broker", &world.authority);

	certificate_write(&two, world.other_path);
	set("ssl.keystore.location", world.other_path);
	expect_answer(NULL);
	assert_true(shows(&world.one));
	tls_stores_apply(&world.stores, world.own);
	assert_true(shows(&two));
	/* It stays what counts when files are read again. */
	tls_stores_reload(&world.stores);
	assert_true(shows(&two));
	/* The key is removed, and the broker has no others. */
	tls_stores_apply(&world.stores, NULL);
	assert_true(shows(&world.one));
	certificate_free(&two);
}

static void
the_same_file_with_something_else(void **state UNUSED)
{
	struct certificate two = certificate_new("broker", &world.authority);

	certificate_write(&two, world.path);
	tls_stores_apply(&world.stores, world.own);
	assert_true(shows(&two));
	certificate_free(&two);
}

static void
texts(void **state UNUSED)
{
	struct certificate two = certificate_new("broker", &world.authority);

	set_text("ssl.keystore.key", &two, true);
	expect_answer("certificate chain is not specified");
	set_text("ssl.keystore.certificate.chain", &two, false);
	/* The properties' location cannot be taken away by an alteration. */
	expect_answer("Both SSL key store location");
	certificate_free(&two);
}

static void
what_may_not_follow(void **state UNUSED)
{
	struct certificate other = certificate_new("other", &world.authority);

	set("ssl.keystore.location", "/nowhere/x");
	expect_answer("listener outside failed: ssl.keystore.location: Failed "
		      "to load SSL keystore /nowhere/x of type PEM: No such");
	certificate_write(&other, world.other_path);
	set("ssl.keystore.location", world.other_path);
	expect_answer("Keystore DistinguishedName does not match");
	tls_stores_apply(&world.stores, world.own);
	assert_true(shows(&world.one));
	set("ssl.keystore.location", world.path);
	expect_answer(NULL);
	set("ssl.keystore.type", "PKCS11");
	set("ssl.keystore.password", "x");
	expect_answer("PKCS11 not found");
	set("ssl.keystore.type", " PEM ");
	config_set_remove(world.own, slice_str(PREFIX "ssl.keystore.password"));
	expect_answer(NULL);
	set("ssl.truststore.type", "PEM");
	set("ssl.truststore.location", world.path);
	expect_answer("Cannot add SSL truststore");
	certificate_free(&other);
}

/* Nobody writes into it: to wait would be for ever. */
static void
pipes_are_not_waited_for(void **state UNUSED)
{
	assert_int_equal(mkfifo(world.other_path, 0600), 0);
	set("ssl.keystore.location", world.other_path);
	expect_answer("Invalid argument");
	tls_stores_apply(&world.stores, world.own);
	assert_true(shows(&world.one));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(listeners_with_tls_have_stores),
		TEST(another_file),
		TEST(the_same_file_with_something_else),
		TEST(texts),
		TEST(what_may_not_follow),
		TEST(pipes_are_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
