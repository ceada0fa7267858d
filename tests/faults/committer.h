/*
 * A client that commits offsets of a few groups, ever higher ones, and knows
 * what was acknowledged.
 */
#ifndef FAULTS_COMMITTER_H
#define FAULTS_COMMITTER_H

#include <stdatomic.h>

#include "base/base.h"

struct broker_process;
struct ledger;
struct raw_client;

#define COMMITTER_GROUPS 6
#define COMMITTER_PARTITIONS 3		/* of the first topic */

struct committer {
	const struct broker_process *broker;
	const char *topic;
	int64_t sent[COMMITTER_GROUPS];		/* in all partitions */
	int64_t acked[COMMITTER_GROUPS][COMMITTER_PARTITIONS];
	int32_t next_group;
	atomic_llong commits;			/* that were acknowledged */
};

void committer_init(struct committer *committer,
    const struct broker_process *broker, const struct ledger *ledger);

/*
 * Commit until the connection ends, or there is none, or the broker answers
 * with an error that clients retry, or *stop.  An answer that comes when *stop
 * is set is not taken.
 */
void committer_run(struct committer *committer, const atomic_bool *stop);

/*
 * Hold a broker that has just started to what it has acknowledged: no offset
 * is lower than that, nor higher than what was ever sent.
 */
void committer_audit(struct committer *committer, struct raw_client *client);

#endif
