/*
 * Members of a consumer group on librdkafka, and what they see: which of them
 * owns a partition, how often that changed, and how often each record came.
 *
 * Members are polled in turn, on one thread.  Every function fails the test
 * when a deadline passes.  The topic is one of GROUP_PARTITIONS partitions.
 */
#ifndef E2E_GROUP_MEMBER_H
#define E2E_GROUP_MEMBER_H

#include "base/base.h"

#include <librdkafka/rdkafka.h>

struct broker_process;

#define GROUP_PARTITIONS 6
#define GROUP_RECORDS_MAX 1024		/* of one partition */
#define GROUP_MEMBERS_MAX 3

/* What all members of a test have seen. */
struct group_view {
	uint8_t seen[GROUP_PARTITIONS][GROUP_RECORDS_MAX];
	size_t seen_count;
};

struct group_member {
	struct group_view *view;
	rd_kafka_t *client;
	bool cooperative;		/* the protocol last in use */
	bool owned[GROUP_PARTITIONS];
	int assignments;		/* how often it was given some */
	int losses;			/* and how often some were taken */
};

/*
 * Join the group and subscribe to the topic.  settings are names and values
 * of librdkafka's up to a NULL; sessions and heartbeats are short.
 */
void group_member_init(struct group_member *member,
    const struct broker_process *broker, struct group_view *view,
    const char *group, const char *topic, const char *const *settings);

/* Leave the group in good order, with offsets committed. */
void group_member_close(struct group_member *member);

/* Vanish: no commit, no word to the broker. */
void group_member_vanish(struct group_member *member);

int group_member_owns(const struct group_member *member);

/*
 * Poll the members until every partition has an owner and each member owns as
 * many as the others.  No partition ever has two owners.
 */
void group_members_settle(struct group_member *members, size_t count);

/*
 * Poll the members until they have seen count records in all, and then a
 * little longer.  None comes twice.
 */
void group_members_drain(struct group_member *members, size_t members_count,
    size_t count);

/* Poll the members for so many milliseconds. */
void group_members_poll(struct group_member *members, size_t count,
    int64_t ms);

#endif
