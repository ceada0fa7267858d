/*
 * Share coordinator: the share groups' states in the partitions of
 * __share_group_state that this process leads (KIP-932).
 *
 * Calls are those of share_state.h.  The caller has checked authorization.
 *
 * Thread: any.
 */
#ifndef COORD_SHARE_COORDINATOR_H
#define COORD_SHARE_COORDINATOR_H

#include "coord/share_settings.h"
#include "coord/share_state.h"

struct coordinator_services;
struct delta;
struct share_coordinator;

#define SHARE_COORDINATOR_TOPIC "__share_group_state"

/* --- Life ---------------------------------------------------------------- */

/*
 * A coordinator that leads nothing yet.  settings are copied, the others
 * outlive it.
 */
struct share_coordinator *share_coordinator_new(
    const struct share_settings *settings,
    const struct coordinator_services *services);

/*
 * Subscribe with context coordinator, behind the partition manager: a
 * controller_subscriber_fn.  The states of deleted topics are dropped.
 */
void share_coordinator_apply(void *context, const struct delta *delta);

/* message.max.bytes has changed. */
void share_coordinator_set_batch_bytes(
    struct share_coordinator *coordinator, int32_t bytes);

/*
 * As coordinator.h has them.  Whoever runs calls stops first, or is answered
 * NOT_COORDINATOR.
 */
void share_coordinator_start(struct share_coordinator *coordinator);
void share_coordinator_stop(struct share_coordinator *coordinator);
void share_coordinator_free(struct share_coordinator *coordinator);
void share_coordinator_prepare(struct share_coordinator *coordinator,
    void (*ready)(void *context, enum kp_error error), void *context);

/* The partition that looks after a key, in text: "group:topic id:partition". */
int32_t share_coordinator_partition(
    struct share_coordinator *coordinator, struct slice key);

/* --- Calls --------------------------------------------------------------- */

/*
 * For those in this process: make the topic at its first use, wait for its
 * shards, and then run the call.
 */
void share_coordinator_run(
    struct share_coordinator *coordinator, struct share_state_call *call);

/* For requests: NOT_COORDINATOR as long as there is no topic. */
void share_coordinator_ask(
    struct share_coordinator *coordinator, struct share_state_call *call);

#endif
