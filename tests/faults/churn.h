/*
 * A client that creates topics, writes a record to each, and deletes them,
 * under a few names that are used again and again.
 */
#ifndef FAULTS_CHURN_H
#define FAULTS_CHURN_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/uuid.h"

struct broker_process;
struct raw_client;

#define CHURN_TOPICS 8

/* What the broker has said of a topic. */
enum churn_state {
	CHURN_ABSENT,
	CHURN_CREATING,		/* asked for */
	CHURN_PRESENT,
	CHURN_DELETING,		/* asked for */
};

struct churn_topic {
	char name[16];
	enum churn_state state;
	uint32_t serial;	/* counts the lives of this name */
	struct uuid id;		/* zero where the broker did not tell */
	bool record_sent;
	bool record_acked;
};

struct churn {
	const struct broker_process *broker;
	struct churn_topic topics[CHURN_TOPICS];
	int32_t next;
	atomic_llong changes;	/* that were acknowledged */
};

void churn_init(struct churn *churn, const struct broker_process *broker);

/*
 * Go on until the connection ends, or there is none, or the broker answers
 * with an error that clients retry, or *stop.  An answer that comes when *stop
 * is set is not taken.  What is not known to have happened stays so until
 * churn_audit.
 */
void churn_run(struct churn *churn, const atomic_bool *stop);

/*
 * Hold a broker to what it has acknowledged: topics are there with their id
 * and their record, or not there.  While its disk is full a topic that was
 * made on it may be without a log.
 */
void churn_audit(struct churn *churn, struct raw_client *client,
    bool disk_full);

#endif
