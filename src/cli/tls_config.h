/*
 * TLS config: what a listener speaks TLS with, from ssl.*, each key with the
 * listener's prefix or, where that is not set, without.  On a listener that
 * has SASL, too, ssl.client.auth counts with the prefix only (Kafka's
 * ChannelBuilders and SslChannelBuilder).
 */
#ifndef CLI_TLS_CONFIG_H
#define CLI_TLS_CONFIG_H

#include "base/arena.h"
#include "base/properties.h"
#include "net/tls_context.h"
#include "net/tls_material.h"
#include "net/tls_replacement.h"

struct config_set;
struct principal_rules;

struct tls_config {
	struct tls_store_settings fixed;	/* of the properties */
	struct tls_store_settings stores;	/* those that count now */
	struct arena texts;		/* of what is not fixed in stores */
	struct tls_settings settings;	/* without its material */
	struct tls_replacement_rules rules;
	struct tls_material material;	/* of the context, once it is open */
};

/*
 * The settings of a listener, whose texts live in arena and in properties.
 * -1 with a line on standard error, which names keys but no secret, where they
 * are wrong, or ask for what is not served.  No file is read.
 */
int tls_config_read(struct tls_config *config,
    const struct properties *properties, const char *listener, bool sasl,
    struct arena *arena) WARN_UNUSED;

/*
 * What a listener's clients are called by their certificates, on the heap;
 * NULL with a line on standard error where the rules are none.
 */
struct principal_rules *tls_config_rules(const struct properties *properties,
    const char *listener, struct arena *arena) WARN_UNUSED;

/*
 * Read the stores and make a context of them; NULL with a line on standard
 * error.  tls_config_fini is due either way.
 */
struct tls_context *tls_config_open(
    struct tls_config *config, const char *listener) WARN_UNUSED;

/*
 * Could the listener go on with the stores that own would give it?  -1 where
 * it could not: *error is a line on the heap, the caller's, which says nothing
 * secret.  Nothing changes.
 */
int tls_config_check(const struct tls_config *config, const char *listener,
    const struct config_set *own, char **error) WARN_UNUSED;

/*
 * Go on with those stores, as tls_config_reload does.  Where they hold what is
 * in use already, nothing is done, and nothing logged.
 */
void tls_config_apply(struct tls_config *config, struct tls_context *context,
    const char *listener, const struct config_set *own);

/*
 * Read the stores again, for the context's connections that come from now on.
 * Where that cannot be, or where the certificate may not follow the one that
 * was there (net/tls_replacement.h), all is as before.  A line in the log says
 * which.  Called by one thread at a time.
 */
void tls_config_reload(struct tls_config *config, struct tls_context *context,
    const char *listener);

void tls_config_fini(struct tls_config *config);

#endif
