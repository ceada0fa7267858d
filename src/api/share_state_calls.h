/*
 * Share state calls: what the requests that ask the share coordinator have in
 * common.  Each has a group, topics, and partitions of them, of which every
 * one is a call of its own.
 *
 *	calls = share_state_calls_new(request, operation, group_id, answer);
 *	share_state_calls_topic(calls, topic_id, partitions_count);
 *	call = share_state_calls_add(calls, partition);
 *	...
 *	share_state_calls_run(calls);
 *
 * answer is called on the request's loop when all calls are done; it finds
 * calls in request->state.  All of it lives in the request's arena.
 */
#ifndef API_SHARE_STATE_CALLS_H
#define API_SHARE_STATE_CALLS_H

#include "api/request.h"
#include "coord/share_coordinator.h"

/* More partitions in one request are refused by closing the connection. */
#define SHARE_STATE_CALLS_MAX 100000

struct share_state_calls_topic {
	struct uuid topic_id;
	struct share_state_call *calls;
	int32_t count;
	int32_t room;
};

struct share_state_calls {
	struct request *request;
	enum share_state_operation operation;
	struct slice group_id;
	void (*answer)(struct request *request);
	struct share_state_calls_topic *topics;
	int32_t topics_count;
	int32_t topics_room;
	int32_t count;			/* calls of all topics */
};

/* topics_count is the request's; nothing of it is taken yet. */
struct share_state_calls *share_state_calls_new(struct request *request,
    enum share_state_operation operation, struct slice group_id,
    int32_t topics_count, void (*answer)(struct request *request));

/* One more topic, to which the next calls belong. */
void share_state_calls_topic(struct share_state_calls *calls,
    struct uuid topic_id, int32_t partitions_count);

/* One more call; what it takes from the caller is unknown so far. */
struct share_state_call *share_state_calls_add(
    struct share_state_calls *calls, int32_t partition);

/*
 * Ask the coordinator, and then answer.  Without a group, a topic, or a
 * partition of each topic, the answer is empty, as Kafka's is.
 */
void share_state_calls_run(struct share_state_calls *calls);

/* Answer every call with error. */
void share_state_calls_fail(
    struct share_state_calls *calls, enum kp_error error);

/* What Kafka says about a call's error; null where there is none. */
struct slice share_state_calls_message(
    const struct share_state_calls *calls,
    const struct share_state_call *call);

#endif
