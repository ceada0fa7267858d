/*
 * A share fetch on its way: shared by the files of the ShareFetch API.
 *
 *	share_fetch.c		the request, its session, waiting
 *	share_fetch_read.c	the turns, reading, acquiring
 *	share_fetch_answer.c	the response
 */
#ifndef API_SHARE_FETCH_H
#define API_SHARE_FETCH_H

#include "api/partitions.h"
#include "api/request.h"
#include "api/share_acks.h"
#include "broker/long_poll.h"
#include "broker/partition.h"
#include "broker/share_group_config.h"
#include "broker/share_partitions.h"
#include "broker/share_session.h"
#include "net/timer.h"
#include "store/cold_read.h"
#include "store/txn_index.h"
#include "wire/generated/share_fetch.h"

/* A record batch that was read, and where its bytes are in what was read. */
struct share_fetch_place {
	int64_t position;	/* from the read's */
	size_t len;
};

/* A partition of the session. */
struct share_fetch_part {
	const struct share_session_partition *wanted;
	struct partition *partition;	/* referenced, or NULL */
	struct share_log *log;		/* the same */
	enum kp_error error;
	bool refused;			/* error is from before the turns */
	struct partition_leader leader;

	/* of one attempt */
	enum share_log_turn turn;	/* READY until the turn is over */
	struct share_log_begin begin;
	struct partition_read read;
	struct txn_index aborted;	/* what goes with read.data */
	struct share_partition_batch *batches; /* owned, as is places */
	struct share_fetch_place *places;
	size_t batches_count;
	size_t batches_capacity;

	/* of the answer */
	bool tried;			/* its turn came */
	struct share_partition_acquire acquired; /* ranges are owned */
	struct kp_extent extent;	/* over read.data */
};

struct share_fetch {
	/* immutable */
	struct request *request;
	const struct kp_share_fetch_request *body;
	struct share_group_config config;
	int64_t bytes_max;
	int64_t bytes_min;
	struct share_session_request session_request;
	struct share_session_context session;
	struct share_fetch_part *parts;	/* in the order of reading */
	int32_t parts_count;
	struct share_acks *acks;	/* NULL: none */

	/* reading: of one thread at a time */
	int32_t next;			/* the part that is read now */
	int64_t bytes;			/* that the parts before it gave */
	int32_t ready;			/* parts whose turn it is */
	int32_t waiting;		/* parts to wait for */
	bool urgent;			/* something must be told at once */
	struct task resolve_task;
	struct cold_read cold;
	void (*read_done)(struct request *request);

	/* loop-local */
	int32_t todo;			/* fetching and acknowledging */
	bool cancelled;
	bool waited;			/* the answer is due */
	bool parked;			/* on the poll */
	int64_t due_ms;			/* the loop's, from the first poll on */
	struct long_poll_part *poll_parts;	/* NULL before the first */
	struct share_log_waiter *waiters;	/* the same */
	int32_t waiters_count;
	struct long_poll poll;
	struct timer timer;
};

/*
 * Ask for the turns and read all partitions whose turn it is.  True: done.
 * False: a part of a file is not in memory, a thread of the pool reads on, and
 * read_done will be called on the loop.
 */
bool share_fetch_read_start(struct share_fetch *fetch) WARN_UNUSED;

/* End the turns: acquire what was read. */
void share_fetch_acquire(struct share_fetch *fetch);

/* Give up the turns that are left, and what was read. */
void share_fetch_read_release(struct share_fetch *fetch);

/* Answer with what was acquired. */
void share_fetch_answer(struct share_fetch *fetch);

/* The API's answer to a request that could not be taken at all. */
void share_fetch_answer_error(struct request *request, enum kp_error error);

#endif
