/*
 * TLS stores: the key and trust stores of all listeners, and what may replace
 * them while they serve: files that are read again, and dynamic configs.
 *
 * Thread: any, after tls_stores_init.
 */
#ifndef CLI_TLS_STORES_H
#define CLI_TLS_STORES_H

#include <pthread.h>

#include "meta/listener_stores.h"

struct config_set;
struct listener_addresses;
struct tls_config;
struct tls_context;

struct tls_stores {
	/* immutable */
	struct listener_stores hooks;	/* for the controller */
	const struct listener_addresses *listeners;
	struct tls_context *const *contexts; /* of them; NULL: no TLS */

	pthread_mutex_t lock;

	/* guarded by lock */
	struct tls_config *configs;	/* of the listeners */
};

/* All that is handed over is borrowed. */
void tls_stores_init(struct tls_stores *stores,
    const struct listener_addresses *listeners, struct tls_config *configs,
    struct tls_context *const *contexts);
void tls_stores_fini(struct tls_stores *stores);

/*
 * The broker's own dynamic configs, or NULL, have been set, if only to what
 * they were; at the start also, before listeners are up.  Where one's stores
 * cannot be had it goes on with those that it has, as in Kafka, and a line in
 * the log says why.
 */
void tls_stores_apply(
    struct tls_stores *stores, const struct config_set *own);

/* Read what there is again. */
void tls_stores_reload(struct tls_stores *stores);

#endif
