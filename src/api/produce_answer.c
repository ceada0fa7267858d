#include "api/api.h"
#include "api/produce_inner.h"
#include "net/loop.h"

#define VERSION_LEADERS 10

static void
endpoints_fill(struct produce *produce)
{
	const struct partitions_leaders *leaders = &produce->leaders;
	struct kp_produce_response_node_endpoint *endpoints;

	if (leaders->count == 0)
		return;
	endpoints = arena_xcalloc(&produce->request->arena,
	    (size_t)leaders->count, sizeof(*endpoints));
	for (int32_t i = 0; i < leaders->count; i++)
		endpoints[i] = (struct kp_produce_response_node_endpoint){
			.node_id = leaders->endpoints[i].node_id,
			.host = leaders->endpoints[i].host,
			.port = leaders->endpoints[i].port,
			.rack = leaders->endpoints[i].rack,
		};
	produce->response->node_endpoints = endpoints;
	produce->response->node_endpoints_count = leaders->count;
}

static void
produce_answer(struct produce *produce)
{
	struct request *request = produce->request;

	timer_stop(&produce->timer);
	for (int32_t i = 0; i < produce->parts_count; i++)
		partition_unref(produce->parts[i].partition);
	if (produce->body->acks != ACKS_NONE) {
		endpoints_fill(produce);
		request_reply(request, produce->response);
	} else if (produce->failed) {
		request_close(request, "an error of a produce with acks=0");
	} else {
		request_reply_none(request);
	}
}

static void
leader_tell(struct produce *produce, struct partition_leader leader,
    struct kp_produce_response_partition *answer)
{
	if (produce->request->version < VERSION_LEADERS)
		return;
	answer->current_leader.leader_id = leader.id;
	answer->current_leader.leader_epoch = leader.epoch;
	partitions_leader_add(produce->request, &produce->leaders, leader.id);
}

void
produce_fail(struct produce *produce, enum kp_error error,
    struct partition_leader leader,
    struct kp_produce_response_partition *answer)
{
	produce->failed = true;
	answer->error_code = (int16_t)error;
	answer->base_offset = -1;
	answer->log_append_time_ms = -1;
	if (error == KP_NOT_LEADER_OR_FOLLOWER)
		leader_tell(produce, leader, answer);
}

/* --- Waiting ------------------------------------------------------------- */

static void
part_finish(struct produce_part *part, enum kp_error error)
{
	struct produce *produce = part->produce;

	part->waits = false;
	produce->waiting--;
	if (error != KP_NONE) {
		part->answer->log_start_offset = -1;
		produce_fail(produce, error, partition_leader(part->partition),
		    part->answer);
	}
}

static void
part_committed(struct task *task)
{
	struct wakeup *wakeup = CONTAINER_OF(task, struct wakeup, task);
	struct hw_waiter *waiter =
	    CONTAINER_OF(wakeup, struct hw_waiter, wakeup);
	struct produce_part *part =
	    CONTAINER_OF(waiter, struct produce_part, waiter);

	part_finish(part, part->waiter.result);
	if (part->produce->waiting == 0)
		produce_answer(part->produce);
}

/* Those whose wake-up is under way are left to it. */
static void
produce_give_up(struct produce *produce)
{
	for (int32_t i = 0; i < produce->parts_count; i++) {
		struct produce_part *part = &produce->parts[i];

		if (part->waits &&
		    partition_unwait_hw(part->partition, &part->waiter))
			part_finish(part, KP_REQUEST_TIMED_OUT);
	}
	if (produce->waiting == 0)
		produce_answer(produce);
}

static void
on_timeout(struct timer *timer)
{
	produce_give_up(CONTAINER_OF(timer, struct produce, timer));
}

static void
on_cancelled(struct request *request)
{
	produce_give_up(request->state);
}

static void
part_wait(struct produce_part *part)
{
	struct produce *produce = part->produce;

	wakeup_init(&part->waiter.wakeup, request_loop(produce->request),
	    part_committed);
	produce->waiting++;
	part->waits = true;
	if (!partition_wait_hw(part->partition, &part->waiter))
		part_finish(part, part->waiter.result);
}

/* The frame goes away, and with it the names in the answer. */
static void
names_keep(struct produce *produce)
{
	struct kp_produce_response *response = produce->response;

	for (int32_t i = 0; i < response->responses_count; i++)
		response->responses[i].name = arena_copy(
		    &produce->request->arena, response->responses[i].name);
}

void
produce_wait(struct produce *produce)
{
	for (int32_t i = 0; i < produce->parts_count; i++)
		part_wait(&produce->parts[i]);
	if (produce->waiting == 0) {
		produce_answer(produce);
		return;
	}
	names_keep(produce);
	produce->request->state = produce;
	request_park(produce->request, on_cancelled);
	timer_init(&produce->timer, on_timeout);
	timer_start(request_loop(produce->request), &produce->timer,
	    produce->body->timeout_ms);
}
