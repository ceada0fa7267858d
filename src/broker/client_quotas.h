/*
 * Client quotas: what each client may take of one thing, bytes, time or
 * changes a second, and what it has taken (ClientQuotaManager of Kafka).
 *
 * A quota is of a user, of a client id, or of both, by name or by default.
 * Which one counts, the first that there is:
 *
 *	user and client id, user and any client id, user,
 *	any user and client id, any user and any client id, any user,
 *	client id, any client id
 *
 * What is charged is a bucket of the names that the quota is about: each user
 * has one under a quota of any user.  While there is no quota at all nothing
 * is counted; once there is one everybody is, so that a quota that comes later
 * finds what was taken before it.
 *
 * A bucket is forgotten when it was not used for CLIENT_QUOTAS_IDLE_MS, or when
 * there are CLIENT_QUOTAS_BUCKETS_MAX, the one that was not used for longest.
 *
 * Thread: any.  The lock is a leaf.
 */
#ifndef BROKER_CLIENT_QUOTAS_H
#define BROKER_CLIENT_QUOTAS_H

#include "base/base.h"
#include "broker/rate_window.h"
#include "meta/client_quota.h"

/* INACTIVE_SENSOR_EXPIRATION_TIME_SECONDS of Kafka. */
#define CLIENT_QUOTAS_IDLE_MS ((int64_t)3600 * 1000)
/* Ours: clients make up client ids. */
#define CLIENT_QUOTAS_BUCKETS_MAX 16384

struct client_quotas;

/* Who takes something; neither is null. */
struct client_quotas_client {
	struct slice user; /* the principal's name */
	struct slice client_id;
};

/* Quotas over windows of the given size. */
struct client_quotas *client_quotas_new(const struct rate_window_size *size);
void client_quotas_free(struct client_quotas *quotas);

/*
 * The entity, which is no address, has the limit from now on; INFINITY is one
 * like others.  Or it has none.
 */
void client_quotas_set(struct client_quotas *quotas,
    const struct client_quota_entity *entity, double limit);
void client_quotas_remove(struct client_quotas *quotas,
    const struct client_quota_entity *entity);

/* Is there a quota?  Without one there is nothing to ask or to tell. */
bool client_quotas_enabled(const struct client_quotas *quotas);

/*
 * The client takes so much; how many milliseconds it is to be silent for it.
 */
int64_t client_quotas_take(struct client_quotas *quotas,
    const struct client_quotas_client *client, double amount, int64_t now_ms);

/* What client_quotas_take would say of nothing. */
int64_t client_quotas_look(struct client_quotas *quotas,
    const struct client_quotas_client *client, int64_t now_ms);

/* It takes so much, and nothing comes of it; or, below 0, gives it back. */
void client_quotas_note(struct client_quotas *quotas,
    const struct client_quotas_client *client, double amount, int64_t now_ms);

/*
 * The most that a client which was idle may take at once; INFINITY where
 * nothing limits it.
 */
double client_quotas_window_max(struct client_quotas *quotas,
    const struct client_quotas_client *client, int64_t now_ms);

/*
 * For changes of the metadata, which are spent from a token bucket.  strict:
 * nothing is spent, and the result is false, while there is debt.  *throttle_ms
 * is how long the debt will take; 0: there is none.
 */
bool client_quotas_spend(struct client_quotas *quotas,
    const struct client_quotas_client *client, double amount, bool strict,
    int64_t now_ms, int64_t *throttle_ms) WARN_UNUSED;

/* Give back what was spent. */
void client_quotas_unspend(struct client_quotas *quotas,
    const struct client_quotas_client *client, double amount, int64_t now_ms);

/* The buckets that there are. */
size_t client_quotas_buckets(struct client_quotas *quotas);

#endif
