#include "broker/connection_rates.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

/* What is limited, and what it did. */
struct meter {
	double limit; /* INFINITY: none */
	struct rate_window window;
};

struct listener_rate {
	char *name;
	bool apart;
	struct meter meter;
};

/* An address that has a limit of its own. */
struct address_limit {
	struct slice address; /* owned */
	double limit;
};

struct address {
	struct slice address; /* owned */
	struct list_node node; /* the quiet ones first */
	int64_t used_ms;
	struct rate_window window;
};

struct connection_rates {
	struct accept_gate gate;

	/* immutable */
	struct rate_window_size size;

	/* atomic */
	atomic_bool refusing; /* some addresses have limits */

	pthread_mutex_t lock;

	/* guarded by lock */
	struct meter broker;
	struct listener_rate *listeners;
	size_t listeners_count;
	struct map limits; /* struct address_limit */
	double limit_of_others;
	struct map addresses; /* struct address */
	struct list by_use;
};

/* --- Meters --------------------------------------------------------------- */

static int64_t
throttle(const struct connection_rates *rates, struct rate_window *window,
    double limit, int64_t now_ms)
{
	int64_t delay_ms =
	    rate_window_throttle_ms(window, &rates->size, limit, now_ms);

	return MIN(delay_ms, rates->size.length_ms);
}

/*
 * One more.  Also of what has no limit: one that comes later finds what was
 * before it.
 */
static int64_t
meter_take(const struct connection_rates *rates, struct meter *meter,
    int64_t now_ms)
{
	rate_window_record(&meter->window, &rates->size, 1, now_ms);
	return throttle(rates, &meter->window, meter->limit, now_ms);
}

static struct listener_rate *
find_listener(const struct connection_rates *rates, const char *name)
{
	for (size_t i = 0; i < rates->listeners_count; i++)
		if (strcmp(rates->listeners[i].name, name) == 0)
			return &rates->listeners[i];
	return NULL;
}

static int64_t
pace(struct accept_gate *gate, const char *name)
{
	struct connection_rates *rates =
	    CONTAINER_OF(gate, struct connection_rates, gate);
	int64_t now_ms = clock_monotonic_ms(), delay_ms = 0, own_ms = 0;
	struct listener_rate *listener;

	pthread_mutex_lock(&rates->lock);
	listener = find_listener(rates, name);
	if (listener == NULL || !listener->apart)
		delay_ms = meter_take(rates, &rates->broker, now_ms);
	if (listener != NULL)
		own_ms = meter_take(rates, &listener->meter, now_ms);
	pthread_mutex_unlock(&rates->lock);
	return MAX(delay_ms, own_ms);
}

/* It did not come in after all.  The lock is held. */
static void
take_back(struct connection_rates *rates, const char *name, int64_t now_ms)
{
	struct listener_rate *listener = find_listener(rates, name);

	if (listener == NULL || !listener->apart)
		rate_window_record(
		    &rates->broker.window, &rates->size, -1, now_ms);
	if (listener != NULL)
		rate_window_record(
		    &listener->meter.window, &rates->size, -1, now_ms);
}

/* --- Addresses ------------------------------------------------------------ */

static void
address_free(struct connection_rates *rates, struct address *address)
{
	list_remove(&address->node);
	(void)map_remove(&rates->addresses, address->address);
	rate_window_fini(&address->window);
	free((void *)(uintptr_t)address->address.data);
	free(address);
}

static struct address *
quietest(struct connection_rates *rates)
{
	return list_empty(&rates->by_use) ?
	    NULL :
	    LIST_ENTRY(rates->by_use.head.next, struct address, node);
}

static void
forget(struct connection_rates *rates, int64_t now_ms)
{
	struct address *address;

	while ((address = quietest(rates)) != NULL &&
	    (now_ms - address->used_ms >= CONNECTION_RATES_IDLE_MS ||
		rates->addresses.count >= CONNECTION_RATES_ADDRESSES_MAX))
		address_free(rates, address);
}

static struct address *
address_of(struct connection_rates *rates, struct slice text, int64_t now_ms)
{
	struct address *address = map_get(&rates->addresses, text);

	if (address != NULL &&
	    now_ms - address->used_ms >= CONNECTION_RATES_IDLE_MS) {
		address_free(rates, address);
		address = NULL;
	}
	if (address == NULL) {
		forget(rates, now_ms);
		address = xcalloc(1, sizeof(*address));
		address->address = slice_of(slice_dup(text), text.len);
		rate_window_init(&address->window);
		map_set(&rates->addresses, address->address, address);
	} else {
		list_remove(&address->node);
	}
	address->used_ms = now_ms;
	list_append(&rates->by_use, &address->node);
	return address;
}

static double
limit_of(const struct connection_rates *rates, struct slice address)
{
	const struct address_limit *limit = map_get(&rates->limits, address);

	return limit == NULL ? rates->limit_of_others : limit->limit;
}

static int64_t
refuse(struct accept_gate *gate, const char *listener, const char *host)
{
	struct connection_rates *rates =
	    CONTAINER_OF(gate, struct connection_rates, gate);
	int64_t now_ms, delay_ms = 0;
	struct address *address;
	double limit;

	if (!atomic_load(&rates->refusing))
		return 0;
	now_ms = clock_monotonic_ms();
	pthread_mutex_lock(&rates->lock);
	limit = limit_of(rates, slice_str(host));
	if (isfinite(limit)) {
		address = address_of(rates, slice_str(host), now_ms);
		rate_window_record(&address->window, &rates->size, 1, now_ms);
		delay_ms = throttle(rates, &address->window, limit, now_ms);
		if (delay_ms > 0) {
			rate_window_record(
			    &address->window, &rates->size, -1, now_ms);
			take_back(rates, listener, now_ms);
		}
	}
	pthread_mutex_unlock(&rates->lock);
	return delay_ms;
}

/* --- Limits --------------------------------------------------------------- */

static double
limit_from(int32_t limit)
{
	return limit == INT32_MAX ? (double)INFINITY : (double)limit;
}

void
connection_rates_set_broker(struct connection_rates *rates, int32_t limit)
{
	pthread_mutex_lock(&rates->lock);
	rates->broker.limit = limit_from(limit);
	pthread_mutex_unlock(&rates->lock);
}

void
connection_rates_set_listener(struct connection_rates *rates, const char *name,
    int32_t limit, bool apart)
{
	struct listener_rate *listener;

	pthread_mutex_lock(&rates->lock);
	listener = find_listener(rates, name);
	if (listener == NULL) {
		rates->listeners = xrealloc(rates->listeners,
		    (rates->listeners_count + 1) * sizeof(*rates->listeners));
		listener = &rates->listeners[rates->listeners_count++];
		listener->name = xstrdup(name);
		rate_window_init(&listener->meter.window);
	}
	listener->meter.limit = limit_from(limit);
	listener->apart = apart;
	pthread_mutex_unlock(&rates->lock);
}

static void
limit_free(struct address_limit *limit)
{
	if (limit == NULL)
		return;
	free((void *)(uintptr_t)limit->address.data);
	free(limit);
}

void
connection_rates_set_address(struct connection_rates *rates,
    struct slice address, double value)
{
	struct address_limit *limit;

	pthread_mutex_lock(&rates->lock);
	if (slice_is_null(address)) {
		rates->limit_of_others = value;
	} else {
		limit_free(map_remove(&rates->limits, address));
		if (isfinite(value)) {
			limit = xcalloc(1, sizeof(*limit));
			limit->address =
			    slice_of(slice_dup(address), address.len);
			limit->limit = value;
			map_set(&rates->limits, limit->address, limit);
		}
	}
	atomic_store(&rates->refusing,
	    isfinite(rates->limit_of_others) || rates->limits.count > 0);
	pthread_mutex_unlock(&rates->lock);
}

size_t
connection_rates_addresses(struct connection_rates *rates)
{
	size_t count;

	pthread_mutex_lock(&rates->lock);
	count = rates->addresses.count;
	pthread_mutex_unlock(&rates->lock);
	return count;
}

/* --- Life ----------------------------------------------------------------- */

struct connection_rates *
connection_rates_new(const struct rate_window_size *size)
{
	struct connection_rates *rates = xcalloc(1, sizeof(*rates));

	rates->gate = (struct accept_gate){ .pace = pace, .refuse = refuse };
	rates->size = *size;
	rates->broker.limit = rates->limit_of_others = (double)INFINITY;
	pthread_mutex_init(&rates->lock, NULL);
	rate_window_init(&rates->broker.window);
	map_init(&rates->limits);
	map_init(&rates->addresses);
	list_init(&rates->by_use);
	return rates;
}

void
connection_rates_free(struct connection_rates *rates)
{
	struct address_limit *limit;
	struct address *address;

	if (rates == NULL)
		return;
	while ((address = quietest(rates)) != NULL)
		address_free(rates, address);
	for (size_t at = 0; (limit = map_next(&rates->limits, &at)) != NULL;)
		limit_free(limit);
	for (size_t i = 0; i < rates->listeners_count; i++) {
		rate_window_fini(&rates->listeners[i].meter.window);
		free(rates->listeners[i].name);
	}
	free(rates->listeners);
	rate_window_fini(&rates->broker.window);
	map_fini(&rates->limits);
	map_fini(&rates->addresses);
	pthread_mutex_destroy(&rates->lock);
	free(rates);
}

struct accept_gate *
connection_rates_gate(struct connection_rates *rates)
{
	return &rates->gate;
}
