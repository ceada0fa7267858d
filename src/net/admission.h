/*
 * Admission: how many connections there are, in all and by address, and
 * whether one more may come.  Thread-safe.
 */
#ifndef NET_ADMISSION_H
#define NET_ADMISSION_H

#include "base/base.h"

struct admission;
struct network_settings;

enum admission_verdict {
	ADMISSION_GRANTED,
	ADMISSION_ADDRESS_FULL,	/* max.connections.per.ip and overrides */
};

/* The limits are copied from the settings. */
struct admission *admission_new(const struct network_settings *settings);
void admission_free(struct admission *admission);

/*
 * From now on the limits are those of settings, copied.  Who is there may
 * stay.  A host of an override may be a name, which stands for all of its
 * addresses; looking it up blocks.  One that has none is logged and left out.
 */
void admission_set_limits(struct admission *admission,
    const struct network_settings *settings);

/*
 * A connection from host (an address as text) is there: count it if it may
 * stay.  What was granted is given back with admission_leave.
 */
enum admission_verdict admission_enter(struct admission *admission,
    const char *host) WARN_UNUSED;
void admission_leave(struct admission *admission, const char *host);

/* Is max.connections reached, so that nothing is to be accepted? */
bool admission_full(struct admission *admission);

/* Are there more than max.connections, as a listener apart may bring? */
bool admission_exceeded(struct admission *admission);

/* The connections that were granted and have not left. */
int32_t admission_count(struct admission *admission);

/* The most that host may have. */
int32_t admission_limit(struct admission *admission, const char *host);

#endif
