#include "cli/tls_stores.h"

#include <ctype.h>

#include "base/log.h"
#include "base/slice.h"
#include "cli/listener_addresses.h"
#include "cli/tls_config.h"

#define LOGGER "klamm"

/* --- For the controller --------------------------------------------------- */

static bool
is_named(const char *listener, struct slice lower)
{
	if (strlen(listener) != lower.len)
		return false;
	for (size_t i = 0; i < lower.len; i++)
		if (tolower((unsigned char)listener[i]) != lower.data[i])
			return false;
	return true;
}

/* The listener with TLS that has the name, or how many listeners there are. */
static size_t
find(const struct tls_stores *stores, struct slice lower)
{
	size_t i = 0;

	while (i < stores->listeners->count &&
	    (stores->contexts[i] == NULL ||
		!is_named(stores->listeners->items[i].name, lower)))
		i++;
	return i;
}

static bool
has(struct listener_stores *hooks, struct slice listener)
{
	const struct tls_stores *stores =
	    CONTAINER_OF(hooks, struct tls_stores, hooks);

	return find(stores, listener) < stores->listeners->count;
}

static enum kp_error
check(struct listener_stores *hooks, struct slice listener,
    const struct config_set *own, struct arena *arena, struct slice *message)
{
	struct tls_stores *stores =
	    CONTAINER_OF(hooks, struct tls_stores, hooks);
	size_t i = find(stores, listener);
	char *error;
	int result;

	pthread_mutex_lock(&stores->lock);
	result = tls_config_check(&stores->configs[i],
	    stores->listeners->items[i].name, own, &error);
	pthread_mutex_unlock(&stores->lock);
	if (result == 0)
		return KP_NONE;
	*message = arena_printf(arena,
	    "Validation of dynamic config update of listener %.*s failed: %s",
	    SLICE_ARG(listener), error);
	free(error);
	return KP_INVALID_REQUEST;
}

/* --- Life ----------------------------------------------------------------- */

void
tls_stores_init(struct tls_stores *stores,
    const struct listener_addresses *listeners, struct tls_config *configs,
    struct tls_context *const *contexts)
{
	stores->hooks = (struct listener_stores){ has, check };
	stores->listeners = listeners;
	stores->configs = configs;
	stores->contexts = contexts;
	pthread_mutex_init(&stores->lock, NULL);
}

void
tls_stores_fini(struct tls_stores *stores)
{
	pthread_mutex_destroy(&stores->lock);
}

/* --- Changes -------------------------------------------------------------- */

void
tls_stores_apply(struct tls_stores *stores, const struct config_set *own)
{
	pthread_mutex_lock(&stores->lock);
	for (size_t i = 0; i < stores->listeners->count; i++)
		if (stores->contexts[i] != NULL)
			tls_config_apply(&stores->configs[i],
			    stores->contexts[i],
			    stores->listeners->items[i].name, own);
	pthread_mutex_unlock(&stores->lock);
}

void
tls_stores_reload(struct tls_stores *stores)
{
	size_t count = 0;

	pthread_mutex_lock(&stores->lock);
	for (size_t i = 0; i < stores->listeners->count; i++) {
		if (stores->contexts[i] == NULL)
			continue;
		count++;
		tls_config_reload(&stores->configs[i], stores->contexts[i],
		    stores->listeners->items[i].name);
	}
	pthread_mutex_unlock(&stores->lock);
	if (count == 0)
		log_info(LOGGER, "no listener has a file to be read again");
}
