/*
 * Control batches of the metadata log and its snapshots: LeaderChange,
 * snapshot header and footer, KRaftVersion, Voters.
 *
 *     struct control_batch batch;
 *
 *     control_batch_begin(&batch, base_offset, epoch, &out);
 *     control_batch_add(&batch, CONTROL_RECORD_SNAPSHOT_HEADER, now,
 *         &kp_snapshot_header_record, &header);
 *     control_batch_end(&batch);
 */
#ifndef META_CONTROL_BATCH_H
#define META_CONTROL_BATCH_H

#include "base/base.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/uuid.h"
#include "wire/batch_builder.h"
#include "wire/control_record.h"
#include "wire/message.h"

/* The one voter of a quorum, and the listener it is reached at. */
struct control_voter {
	int32_t id;
	struct uuid directory_id;
	const char *listener;
	const char *host;
	uint16_t port;
};

/* The VotersRecord with this voter, encoded, in arena. */
struct slice control_batch_voters(const struct control_voter *voter,
    struct arena *arena);

struct control_batch {
	struct batch_builder builder;
};

/* The batch is appended to out, which has no maximum that it could pass. */
void control_batch_begin(struct control_batch *batch, int64_t base_offset,
    int32_t epoch, struct buf *out);

/* Add a record with body, encoded at version 0, as Kafka's writer does. */
void control_batch_add(struct control_batch *batch,
    enum control_record_type type, int64_t timestamp_ms,
    const struct kp_message *message, const void *body);

/* Add a record whose value is encoded already. */
void control_batch_add_value(struct control_batch *batch,
    enum control_record_type type, int64_t timestamp_ms, struct slice value);

void control_batch_end(struct control_batch *batch);

#endif
