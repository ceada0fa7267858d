/*
 * Transaction coordinator: the transactional ids whose partitions of
 * __transaction_state this process leads (KIP-98).
 *
 * A call is asked with a struct txn_call (txn_call.h) and answered by its
 * done, exactly once, on any thread, perhaps before the function returns:
 * NOT_COORDINATOR where node_id does not lead the id's partition.
 *
 * The caller has checked authorization and that partitions exist.
 */
#ifndef COORD_TXN_COORDINATOR_H
#define COORD_TXN_COORDINATOR_H

#include "coord/txn_call.h"
#include "coord/txn_settings.h"

struct coordinator_services;
struct delta;
struct group_coordinator;
struct producer_ids;
struct txn_coordinator;

#define TXN_COORDINATOR_TOPIC "__transaction_state"

/* --- Life ---------------------------------------------------------------- */

/*
 * A coordinator that leads nothing yet.  settings are copied, the others
 * outlive it.
 */
struct txn_coordinator *txn_coordinator_new(
    const struct txn_settings *settings,
    const struct coordinator_services *services,
    struct producer_ids *producer_ids, struct group_coordinator *groups);

/*
 * Subscribe with context coordinator, behind the partition manager: a
 * controller_subscriber_fn.
 */
void txn_coordinator_apply(void *context, const struct delta *delta);

/* Take over those settings that may change.  Any thread. */
void txn_coordinator_configure(struct txn_coordinator *coordinator,
    const struct txn_settings *settings);

/* Are partitions to be verified before a batch may begin a transaction? */
bool txn_coordinator_verifies(const struct txn_coordinator *coordinator);

/*
 * As coordinator.h has them.  The group coordinator starts before it, so that
 * markers find it, and stops before it.
 */
void txn_coordinator_start(struct txn_coordinator *coordinator);
void txn_coordinator_stop(struct txn_coordinator *coordinator);
void txn_coordinator_free(struct txn_coordinator *coordinator);
void txn_coordinator_prepare(struct txn_coordinator *coordinator,
    void (*ready)(void *context, enum kp_error error), void *context);
int32_t txn_coordinator_partition(
    struct txn_coordinator *coordinator, struct slice transactional_id);

/* --- Calls --------------------------------------------------------------- */

/* INVALID_TRANSACTION_TIMEOUT is among the answers; expectations are whole. */
void txn_coordinator_begin(
    struct txn_coordinator *coordinator, struct txn_begin *begin);
void txn_coordinator_add(
    struct txn_coordinator *coordinator, struct txn_add *add);
void txn_coordinator_end(
    struct txn_coordinator *coordinator, struct txn_end *end);
void txn_coordinator_describe(struct txn_coordinator *coordinator,
    struct txn_description *description);

/*
 * The transactional ids of all shards that pass the filter, in list, whose
 * entries are in arena.  An error where a shard is being loaded.
 */
void txn_coordinator_list(struct txn_coordinator *coordinator,
    struct txn_call *call, struct arena *arena,
    const struct txn_filter *filter, struct txn_list *list);

#endif
