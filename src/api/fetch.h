/*
 * A fetch on its way: shared by the files of the Fetch API.
 *
 *	fetch.c		the request, its session, waiting
 *	fetch_read.c	reading the partitions within the byte budget
 *	fetch_answer.c	the response
 *	fetch_quota.c	what it costs the client
 */
#ifndef API_FETCH_H
#define API_FETCH_H

#include "api/partitions.h"
#include "api/request.h"
#include "broker/fetch_session.h"
#include "broker/long_poll.h"
#include "broker/partition.h"
#include "net/timer.h"
#include "store/cold_read.h"
#include "store/txn_index.h"
#include "wire/generated/fetch.h"

/* First versions that differ. */
#define FETCH_VERSION_STORAGE_ERROR 6
#define FETCH_VERSION_SESSIONS 7
#define FETCH_VERSION_ZSTD 10
#define FETCH_VERSION_FOLLOWERS 11
#define FETCH_VERSION_TOPIC_IDS 13
#define FETCH_VERSION_REPLICA_STATE 15
#define FETCH_VERSION_LEADERS 16

/* A partition of the fetch. */
struct fetch_part {
	const struct fetch_session_partition *wanted;
	struct partition *partition;	/* referenced, or NULL */
	enum kp_error error;
	bool refused;			/* error is from before the read */
	struct partition_leader leader;
	struct partition_read read;
	struct kp_extent extent;	/* of the answer, over read.data */
	struct txn_index aborted;	/* what goes with read.data */
};

struct fetch {
	/* immutable */
	struct request *request;
	const struct kp_fetch_request *body;
	int32_t replica_id;		/* -1, -2: a consumer */
	enum partition_isolation isolation;
	int64_t bytes_max;
	int64_t bytes_min;

	struct fetch_session_context session;
	struct fetch_part *parts;	/* in the session's order */
	int32_t parts_count;

	/* reading: of one thread at a time */
	int32_t next;			/* the part that is read now */
	int64_t bytes;			/* that the parts before it gave */
	int32_t readable;		/* parts that were not refused */
	bool urgent;			/* something must be told at once */
	struct task resolve_task;
	struct cold_read cold;
	void (*read_done)(struct request *request);

	/* loop-local */
	bool waited;			/* the answer is due */
	bool parked;			/* on the poll */
	int64_t due_ms;			/* the loop's, from the first poll on */
	struct long_poll_part *poll_parts;	/* NULL before the first */
	struct long_poll poll;
	struct timer timer;
};

/*
 * Read all partitions, from the first one.  True: done.  False: a part of a
 * file is not in memory, a thread of the pool reads on, and read_done will be
 * called on the loop.
 */
bool fetch_read_start(struct fetch *fetch) WARN_UNUSED;

/* Give back what was read. */
void fetch_read_release(struct fetch *fetch);

/* Answer with what was read, or with nothing where a quota says so. */
void fetch_answer(struct fetch *fetch);

/* Cut what is read to what the client's quota ever lets pass. */
void fetch_quota_limit(struct fetch *fetch);

/*
 * Charge an answer of so many bytes.  True where it is not to be given: the
 * client is told to be silent, and asks again afterwards.
 */
bool fetch_quota_charge(struct fetch *fetch, size_t len) WARN_UNUSED;

/* Is there anything to charge it to? */
bool fetch_quota_counts(const struct fetch *fetch);

/* The API's answer to a request that could not be taken at all. */
void fetch_answer_error(struct request *request, enum kp_error error);

#endif
