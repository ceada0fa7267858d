/*
 * What a Produce consists of, for the files produce*.c.
 */
#ifndef API_PRODUCE_INNER_H
#define API_PRODUCE_INNER_H

#include "api/partitions.h"
#include "api/produce_txn.h"
#include "api/request.h"
#include "net/timer.h"
#include "wire/generated/produce.h"

enum { ACKS_NONE = 0, ACKS_LEADER = 1, ACKS_ALL = -1 };

struct produce;

/* A partition whose answer waits to be committed. */
struct produce_part {
	struct hw_waiter waiter;
	struct produce *produce;
	struct partition *partition; /* referenced until answered */
	struct kp_produce_response_partition *answer;
	bool waits;
};

struct produce {
	struct request *request;
	const struct kp_produce_request *body;
	struct kp_produce_response *response;
	enum kp_error refused;        /* all of the request */
	struct slice refused_message; /* null: none */
	struct produce_txn *txn;      /* NULL: not transactional */
	size_t at;                    /* the partition that is looked at */
	bool kept;                    /* the body is ours */
	bool failed;                  /* some partition did */
	int32_t record_errors;        /* told so far */
	struct partitions_leaders leaders;
	struct timer timer;
	size_t total;               /* of partitions */
	struct produce_part *parts; /* NULL, or room for each partition */
	int32_t parts_count;
	int32_t waiting;
};

/* --- produce_answer.c ---------------------------------------------------- */

/* The answer of a partition that gets an error. */
void produce_fail(struct produce *produce, enum kp_error error,
    struct partition_leader leader,
    struct kp_produce_response_partition *answer);

/* Answer, when all parts are committed: when acks ask for it. */
void produce_wait(struct produce *produce);

/* --- produce_append.c ---------------------------------------------------- */

/* Append the records, or say why not. */
void produce_append(struct produce *produce, const struct partitions_key *key,
    struct slice records, struct kp_produce_response_partition *answer);

/* The same before anything is appended: is there something to be asked? */
void produce_look(struct produce *produce, const struct partitions_key *key,
    struct slice records);

#endif
