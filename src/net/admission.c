#include "base/base.h"
#include "base/log.h"
#include "base/map.h"
#include "net/admission.h"
#include "net/host.h"
#include "net/network.h"

#include <pthread.h>

struct address {
	char *host;
	int32_t count;
};

/* The limits; overrides by address, the first of a host counts. */
struct limits {
	int32_t connections_max;
	int32_t per_ip_max;
	struct address_limit *overrides;
	size_t overrides_count;
};

struct address_limit {
	struct host_address address;
	int32_t connections_max;
};

struct admission {
	pthread_mutex_t lock;
	struct limits limits;	/* guarded by lock */
	struct map addresses;	/* guarded by lock; struct address by host */
	int32_t count;		/* guarded by lock */
};

/* --- Limits -------------------------------------------------------------- */

/* Compared is the text of an address, which can be written in many ways. */
static void
add_overrides(struct limits *limits, const struct network_ip_limit *asked)
{
	struct host_address *addresses;
	size_t count =
	    host_addresses(slice_str(asked->host), false, &addresses);

	if (count == 0)
		log_warn("net", "max.connections.per.ip.overrides: %s has no "
		    "address", asked->host);
	limits->overrides = xrealloc(limits->overrides,
	    (limits->overrides_count + count) * sizeof(*limits->overrides));
	for (size_t i = 0; i < count; i++)
		limits->overrides[limits->overrides_count++] =
		    (struct address_limit){ addresses[i],
			    asked->connections_max };
	free(addresses);
}

static struct limits
limits_of(const struct network_settings *settings)
{
	struct limits limits = {
		.connections_max = settings->connections_max,
		.per_ip_max = settings->connections_per_ip_max,
	};

	for (size_t i = 0; i < settings->ip_limits_count; i++)
		add_overrides(&limits, &settings->ip_limits[i]);
	return limits;
}

void
admission_set_limits(struct admission *admission,
    const struct network_settings *settings)
{
	struct limits old, new = limits_of(settings);

	pthread_mutex_lock(&admission->lock);
	old = admission->limits;
	admission->limits = new;
	pthread_mutex_unlock(&admission->lock);
	free(old.overrides);
}

/* The lock is held. */
static int32_t
limit_of(const struct admission *admission, const char *host)
{
	const struct limits *limits = &admission->limits;

	for (size_t i = 0; i < limits->overrides_count; i++)
		if (strcmp(limits->overrides[i].address.text, host) == 0)
			return limits->overrides[i].connections_max;
	return limits->per_ip_max;
}

int32_t
admission_limit(struct admission *admission, const char *host)
{
	int32_t limit;

	pthread_mutex_lock(&admission->lock);
	limit = limit_of(admission, host);
	pthread_mutex_unlock(&admission->lock);
	return limit;
}

/* --- Life ---------------------------------------------------------------- */

struct admission *
admission_new(const struct network_settings *settings)
{
	struct admission *admission = xcalloc(1, sizeof(*admission));

	admission->limits = limits_of(settings);
	pthread_mutex_init(&admission->lock, NULL);
	map_init(&admission->addresses);
	return admission;
}

static void
address_free(struct address *address)
{
	free(address->host);
	free(address);
}

void
admission_free(struct admission *admission)
{
	struct address *address;

	if (admission == NULL)
		return;
	for (size_t at = 0;
	    (address = map_next(&admission->addresses, &at)) != NULL;)
		address_free(address);
	map_fini(&admission->addresses);
	pthread_mutex_destroy(&admission->lock);
	free(admission->limits.overrides);
	free(admission);
}

/* --- Counting ------------------------------------------------------------ */

/* The row of host, made where there is none.  The lock is held. */
static struct address *
find_or_make(struct admission *admission, const char *host)
{
	struct address *address =
	    map_get(&admission->addresses, slice_str(host));

	if (address != NULL)
		return address;
	address = xcalloc(1, sizeof(*address));
	address->host = xstrdup(host);
	(void)map_set(&admission->addresses, slice_str(address->host),
	    address);
	return address;
}

enum admission_verdict
admission_enter(struct admission *admission, const char *host)
{
	enum admission_verdict verdict = ADMISSION_ADDRESS_FULL;
	struct address *address;
	int32_t limit;

	pthread_mutex_lock(&admission->lock);
	limit = limit_of(admission, host);
	address = limit <= 0 ? NULL : find_or_make(admission, host);
	if (address != NULL && address->count < limit) {
		address->count++;
		admission->count++;
		verdict = ADMISSION_GRANTED;
	}
	pthread_mutex_unlock(&admission->lock);
	return verdict;
}

void
admission_leave(struct admission *admission, const char *host)
{
	struct address *address;

	pthread_mutex_lock(&admission->lock);
	address = map_get(&admission->addresses, slice_str(host));
	assert(address != NULL && address->count > 0);
	admission->count--;
	if (--address->count == 0) {
		(void)map_remove(&admission->addresses, slice_str(host));
		address_free(address);
	}
	pthread_mutex_unlock(&admission->lock);
}

int32_t
admission_count(struct admission *admission)
{
	int32_t count;

	pthread_mutex_lock(&admission->lock);
	count = admission->count;
	pthread_mutex_unlock(&admission->lock);
	return count;
}

bool
admission_full(struct admission *admission)
{
	bool full;

	pthread_mutex_lock(&admission->lock);
	full = admission->count >= admission->limits.connections_max;
	pthread_mutex_unlock(&admission->lock);
	return full;
}

bool
admission_exceeded(struct admission *admission)
{
	bool exceeded;

	pthread_mutex_lock(&admission->lock);
	exceeded = admission->count > admission->limits.connections_max;
	pthread_mutex_unlock(&admission->lock);
	return exceeded;
}
