/*
 * Controller: the single writer of a cluster of one.
 *
 * An operation checks its request against the metadata as it will be after
 * the operations before it, and emits records.  Whatever has queued up makes
 * one batch: it is appended to the metadata log, made durable, applied to
 * the image, and shown to the subscribers; then each operation's done is
 * called.  So an answer means that the change is visible and in effect.
 *
 * One thread of the controller's own does all of this, in blocking style.
 * controller_submit may be called from any thread.
 */
#ifndef META_CONTROLLER_H
#define META_CONTROLLER_H

#include "base/base.h"
#include "base/list.h"
#include "meta/delta.h"
#include "meta/image.h"
#include "meta/metadata_record.h"
#include "wire/error.h"

struct config_set;
struct configs;
struct controller;
struct disk;
struct listener_stores;
struct metadata_log;

/*
 * One operation, embedded in a struct that holds its request and answer.
 * The submitter owns it and leaves it alone until done is called.
 */
struct controller_op {
	struct list_node node;
	/*
	 * Check, fill the answer, emit.  Called once or, where the batch
	 * turned out too large, again from the start on a new batch.
	 */
	void (*run)(struct controller_op *op, struct controller *controller);
	/*
	 * The change is durable, applied and in effect, or error says why
	 * nothing was done (KAFKA_STORAGE_ERROR; NOT_CONTROLLER after the
	 * stop).  On the controller's thread; it must not block.
	 */
	void (*done)(struct controller_op *op);
	enum kp_error error;
};

struct controller_settings {
	struct metadata_log *log;	/* open, owned by the caller */
	struct image *image;		/* owned by the caller */
	const struct configs *configs;	/* owned by the caller */
	int32_t node_id;
	uint64_t seed;			/* of topic ids and placement */
	/* The caller's; NULL: no listener has stores. */
	struct listener_stores *stores;

	/*
	 * The metadata log takes no more records, after a write or a sync that
	 * failed; a full disk is no such failure.  Before the operations that
	 * it fails are done, on the controller's thread; once.  NULL: nobody
	 * is told.
	 */
	void (*failed)(void *context);
	void *failed_context;
};

/*
 * Called on the controller's thread after a delta was applied, in order of
 * subscription.  It may block on disks but not on the controller.
 */
typedef void (*controller_subscriber_fn)(void *context,
    const struct delta *delta);

struct controller *controller_new(const struct controller_settings *settings);

/* Before controller_start: call fn for each delta from now on. */
void controller_subscribe(struct controller *controller,
    controller_subscriber_fn fn, void *context);

/*
 * Replay the newest snapshot and the log into the image.  0, or -1 with one
 * line in the log: a directory that is damaged, or of a cluster that we
 * cannot be alone.  Nothing is written.
 */
int controller_load(struct controller *controller) WARN_UNUSED;

/*
 * After controller_load: begin a new epoch (LeaderChange, the bootstrap
 * records where the log is empty, AbortTransaction where one was left open),
 * show all that is in the image to the subscribers as one delta, on this
 * thread, and start the controller's thread.  0, or -1 with a line.
 */
int controller_start(struct controller *controller) WARN_UNUSED;

/* Queue op. */
void controller_submit(struct controller *controller,
    struct controller_op *op);

/* Queue op and wait until it is done; not on the controller's thread. */
void controller_call(struct controller *controller, struct controller_op *op);

/*
 * Answer what is queued, stop the thread, write a fence record for each
 * broker that is not fenced.  Operations that come later get NOT_CONTROLLER.
 * The first call counts; controller_free makes it where nobody did.
 */
void controller_stop(struct controller *controller);
void controller_free(struct controller *controller);

/* kraft.version of the metadata log, 0 or 1.  Any thread. */
int16_t controller_kraft_version(const struct controller *controller);

/*
 * The quorum of one: its leader and voter, fixed from controller_start on, and
 * the voter's directory, which is zero with kraft.version 0.  Any thread.
 */
struct controller_quorum {
	int32_t leader_id;
	int32_t leader_epoch;
	struct uuid directory_id;
};
struct controller_quorum controller_quorum(
    const struct controller *controller);

/* --- for the run functions of operations ------------------------------- */

/* The metadata as it will be. */
const struct delta *controller_view(const struct controller *controller);

/* Add a record to the batch and replay it into the view. */
void controller_emit(struct controller *controller,
    enum metadata_record_type type, const void *body);

/* The offset that the next emitted record will get. */
int64_t controller_next_offset(const struct controller *controller);

/*
 * kraft.version, which is 0, becomes 1 behind the batch, which has a record at
 * least.  Where that cannot be written the operation fails that runs, though
 * its records are there: who tries again finds it so.
 */
void controller_raise_kraft_version(struct controller *controller);

/* The records that one operation may write (QuorumController of Kafka). */
#define CONTROLLER_RECORDS_MAX 10000

const struct configs *controller_configs(const struct controller *controller);
struct listener_stores *controller_stores(
    const struct controller *controller);
struct uuid controller_random_id(struct controller *controller);

/*
 * Show topics to the subscribers once more, as if they were new: one of them
 * could not do all that they ask for.
 */
void controller_show(struct controller *controller, const struct uuid *topics,
    size_t count);

/* The version at which a record of the type is written at our level. */
int16_t controller_record_version(const struct controller *controller,
    enum metadata_record_type type);

/*
 * Pick count replicas for a new partition among the registered brokers, in
 * turn, live ones first, and a directory of each.  -1 where there are fewer
 * brokers, or none is live.
 */
int controller_place(struct controller *controller, int32_t count,
    int32_t *replicas, struct uuid *directories) WARN_UNUSED;

/*
 * The directory for a new replica on a registered broker: its only one, or
 * UNASSIGNED, and then the broker chooses and tells (directory_assign_op).
 * MIGRATING while metadata.version has no directories.
 */
struct uuid controller_pick_directory(struct controller *controller,
    int32_t broker_id);

#endif
