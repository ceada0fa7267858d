/*
 * A transactional client: a process that makes transactions of random sizes
 * for one producer, commits most of them, aborts the others, and tells the
 * history.  It may be killed or stopped at any time; another one that takes
 * itself for the same producer fences it, and then it begins anew.
 */
#ifndef FAULTS_TXN_CLIENT_H
#define FAULTS_TXN_CLIENT_H

#include "faults/txn_history.h"

struct broker_process;

/*
 * Until history->stop; in the end no transaction of its is open.  Fails the
 * process where librdkafka reports an error that no fault explains, or nothing
 * goes on.
 */
void txn_client_run(const struct broker_process *broker,
    struct txn_history *history, int32_t producer, uint64_t seed);

#endif
