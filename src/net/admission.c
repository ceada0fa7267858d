#include "base/base.h"
#include "base/map.h"
#include "net/admission.h"
#include "net/network.h"

#include <pthread.h>

struct address {
	char *host;
	int32_t count;
};

struct admission {
	/* immutable */
	int32_t connections_max;
	int32_t per_ip_max;
	struct network_ip_limit *limits;
	size_t limits_count;

	pthread_mutex_t lock;
	struct map addresses;	/* guarded by lock; struct address by host */
	int32_t count;		/* guarded by lock */
};

struct admission *
admission_new(const struct network_settings *settings)
{
	struct admission *admission = xcalloc(1, sizeof(*admission));

	admission->connections_max = settings->connections_max;
	admission->per_ip_max = settings->connections_per_ip_max;
	admission->limits_count = settings->ip_limits_count;
	admission->limits = xcalloc(settings->ip_limits_count,
	    sizeof(*admission->limits));
	for (size_t i = 0; i < settings->ip_limits_count; i++) {
		admission->limits[i] = settings->ip_limits[i];
		admission->limits[i].host =
		    xstrdup(settings->ip_limits[i].host);
	}
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
	for (size_t i = 0; i < admission->limits_count; i++)
		free((char *)(uintptr_t)admission->limits[i].host);
	free(admission->limits);
	free(admission);
}

int32_t
admission_limit(const struct admission *admission, const char *host)
{
	for (size_t i = 0; i < admission->limits_count; i++)
		if (strcmp(admission->limits[i].host, host) == 0)
			return admission->limits[i].connections_max;
	return admission->per_ip_max;
}

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
	int32_t limit = admission_limit(admission, host);
	struct address *address;

	if (limit <= 0)
		return ADMISSION_ADDRESS_FULL;
	pthread_mutex_lock(&admission->lock);
	address = find_or_make(admission, host);
	if (address->count < limit) {
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
	return admission_count(admission) >= admission->connections_max;
}
