/*
 * Brokers as a client sees them: by the listener that its request came in on.
 *
 * Callers hold the image's read lock.
 */
#ifndef API_BROKERS_H
#define API_BROKERS_H

#include "api/request.h"
#include "meta/broker_image.h"
#include "meta/image.h"
#include "wire/generated/metadata_register_broker_record.h"

/*
 * Where broker is reached on the request's listener, or NULL where it has no
 * such listener.  Valid as long as the image's read lock is held.
 */
const struct kp_register_broker_record_end_point *brokers_endpoint(
    const struct request *request, const struct broker_image *broker);

/* Is the broker with this id registered, not fenced, and on the listener? */
bool brokers_alive(const struct request *request, int32_t id);

/* A broker that is alive, to be named as the controller; -1: there is none. */
int32_t brokers_any_alive(const struct request *request);

/*
 * Those of the replicas of a partition that cannot serve, because the broker
 * is not there or the log directory is not: a view of ids that
 * lives in the request's arena.
 */
int32_t *brokers_offline(struct request *request,
    const struct partition_image *partition, int32_t *count);

#endif
