/*
 * What a request acknowledges: part of ShareFetch, and all of
 * ShareAcknowledge (KIP-932).
 *
 *	acks = share_acks_new(request, member_id, parts, done);
 *	share_acks_part(acks, topic_id, index, batches);
 *	share_acks_batch(acks, first, last, types, count);
 *	share_acks_run(acks, renewable);
 *
 * Everything lives in the request's arena, but for what is freed with the
 * answer.
 */
#ifndef API_SHARE_ACKS_H
#define API_SHARE_ACKS_H

#include "api/partitions.h"
#include "api/request.h"
#include "broker/share_partitions.h"

#include <stdatomic.h>

/* The partitions of a group's records, as requests call them. */
struct share_acks_part {
	struct uuid topic_id;
	int32_t index;
	enum kp_error error;		/* the answer, when done is called */
	struct partition_leader leader;
	struct share_partition_ack *acks;
	int32_t count;
	struct share_log_call call;
	struct share_acks *all;
};

struct share_acks {
	struct request *request;
	struct slice group_id;
	struct slice member_id;
	void (*done)(struct request *request);
	struct share_acks_part *parts;
	int32_t count;
	atomic_int pending;		/* calls, and share_acks_run */
};

/* For so many partitions at the most; done is called on the request's loop. */
struct share_acks *share_acks_new(struct request *request,
    struct slice group_id, struct slice member_id, size_t parts_max,
    void (*done)(struct request *request));

/* One more partition, with so many batches at the most. */
void share_acks_part(struct share_acks *acks, struct uuid topic_id,
    int32_t index, int32_t batches_max);

/* One more batch of the last partition.  types is borrowed. */
void share_acks_batch(struct share_acks *acks, int64_t first_offset,
    int64_t last_offset, const int8_t *types, int32_t types_count);

/*
 * Carry them out, and call done when all are persisted: perhaps before this
 * returns, but never from within.  type_max is the largest type that the
 * version knows; renews tells whether the request may renew locks.
 */
void share_acks_run(struct share_acks *acks, int8_t type_max, bool renews);

/* The connection is gone, and with it its share sessions.  For net. */
void share_acks_disconnected(
    struct connection_handler *handler, struct connection *connection);

/* Is the id of a member one? */
bool share_acks_member_valid(struct slice member_id);

/*
 * May the request's principal read the group, with share groups enabled?
 * KP_NONE, or what is answered for all of the request.
 */
enum kp_error share_acks_check(const struct request *request,
    struct slice group_id, struct slice member_id) WARN_UNUSED;

#endif
