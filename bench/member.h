/*
 * Members of groups, as clients play them: they join, take their assignment,
 * say that they have it, and send heartbeats; many to a connection.
 *
 * A member has one request under way at a time, a connection as many as there
 * are members on it: answers come in the order of the requests.  How a member
 * goes on after an answer is its protocol's: classic_member.c has JoinGroup,
 * SyncGroup and Heartbeat as the Java client of 4.3 sends them,
 * consumer_member.c ConsumerGroupHeartbeat (KIP-848).
 *
 * What goes wrong ends the program with one line.
 */
#ifndef BENCH_MEMBER_H
#define BENCH_MEMBER_H

#include "base/base.h"
#include "base/buf.h"
#include "base/uuid.h"
#include "bench/frames.h"

struct group;

struct member {
	struct group *group;
	int number;   /* in the group */
	char id[128]; /* "" until a classic member has got one */
	int key;      /* of the request under way */
	int32_t epoch;   /* the generation, or the member epoch */
	bool leads;      /* of classic members */
	int32_t owned;   /* partitions; of consumer members */
	bool settled;    /* nothing is left for it to do in this epoch */
	bool has_left;   /* it takes no part any longer */
	int line;        /* the connection */
	struct buf frame; /* the next request */
};

struct group {
	const struct protocol *protocol;
	const struct topic *topic;
	char id[48];
	int count; /* of members */
	struct member *members;
	int32_t past; /* the classic generation that is over */
};

/* What all groups read. */
struct topic {
	char name[32];
	struct uuid id;
	int32_t partitions;
};

struct protocol {
	const char *name;
	int heartbeat_interval_ms; /* what clients do unless told otherwise */

	/* Make the request that joins into member->frame. */
	void (*join)(struct member *member);

	/* Take the answer to member->key and make the next request. */
	void (*answered)(struct member *member, struct slice answer);

	/* Make what a settled member sends again and again. */
	void (*heartbeat)(struct member *member);

	/* Is that a good answer to it? */
	bool (*alive)(struct slice answer);

	/* Do all members that have not left have what they will get? */
	bool (*settled)(const struct group *group);

	/* Make the request with which the member leaves. */
	void (*leave)(struct member *member);
};

extern const struct protocol classic_protocol, consumer_protocol;

#endif
