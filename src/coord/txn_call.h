/*
 * Calls of the transaction coordinator: what is asked and what is answered.
 *
 * After done, call.error holds the error of the whole call, and else what is
 * marked "out" is set.
 */
#ifndef COORD_TXN_CALL_H
#define COORD_TXN_CALL_H

#include "coord/shard.h"
#include "coord/txn.h"
#include "meta/producer_ids.h"

struct arena;
struct tenure;
struct txn_call;

struct txn_call {
	struct shard_call call;		/* set call.done before */
	struct slice transactional_id;
	int32_t node_id;		/* the node that was asked */
	int16_t version;		/* of the API */

	/* The coordinator's. */
	bool (*run)(struct txn_shard *shard, struct txn_call *call);
	int64_t fresh_id;		/* a new producer id; -1: none */
	struct producer_ids_waiter ids;
	struct txn_environment *environment;
	struct tenure *tenure;		/* referenced while it waits for ids */
};

/* InitProducerId. */
struct txn_begin {
	struct txn_call call;
	int32_t timeout_ms;
	int64_t producer_id;		/* in: expected, or -1.  out */
	int16_t producer_epoch;		/* the same */
};

/* One partition of a transaction. */
struct txn_partition {
	struct slice topic;
	int32_t index;
	enum kp_error error;		/* out, where it is verified */
};

/* AddPartitionsToTxn, AddOffsetsToTxn. */
struct txn_add {
	struct txn_call call;
	int64_t producer_id;
	int16_t producer_epoch;
	int16_t client_version;		/* what the request stands for */
	bool verify_only;		/* change nothing: is it in? */
	struct txn_partition *partitions;
	int32_t count;
};

/* EndTxn. */
struct txn_end {
	struct txn_call call;
	int64_t producer_id;		/* in; out: of the next transaction */
	int16_t producer_epoch;		/* the same */
	bool commit;
	int16_t client_version;
};

/* DescribeTransactions. */
struct txn_description {
	struct txn_call call;
	struct arena *arena;		/* for the partitions */
	struct txn_values values;	/* out */
	const struct txn_topic *topics;	/* out */
	int32_t topics_count;
};

/* ListTransactions. */
struct txn_filter {
	uint32_t states;		/* 1 << enum txn_state; 0: any */
	const int64_t *producer_ids;	/* sorted; none: any */
	int32_t producer_ids_count;
	int64_t duration_ms;		/* longer than that; -1: any */
	int64_t now_ms;
	/* Does the id pass?  NULL: all do. */
	bool (*passes)(const struct txn_filter *filter, struct slice id);
	const void *context;
};

struct txn_listed {
	struct slice id;
	int64_t producer_id;
	enum txn_state state;
};

struct txn_list {
	struct txn_listed *entries;
	int32_t count;
	int32_t capacity;
};

#endif
