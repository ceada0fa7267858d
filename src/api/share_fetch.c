/*
 * ShareFetch, versions 1-2: acquire records for a member of a share group, at
 * once or when there are enough, and take up what it acknowledges of earlier
 * ones (KIP-932).
 *
 * Records are not read into memory: the answer has ranges of files.
 */
#include "api/share_fetch.h"

#include "api/api.h"
#include "net/loop.h"

/* --- Waiting ----------------------------------------------------------- */

static void fetch_go_on(struct request *request);

static void
on_released(struct request *request)
{
	struct share_fetch *fetch = request->state;

	share_fetch_read_release(fetch);
	for (int32_t i = 0; i < fetch->parts_count; i++) {
		struct share_fetch_part *part = &fetch->parts[i];

		free(part->acquired.ranges);
		share_log_unref(part->log);
		partition_unref(part->partition);
	}
}

/* One of the two things that the request does is done. */
static void
part_done(struct share_fetch *fetch)
{
	assert(fetch->todo > 0);
	if (--fetch->todo == 0)
		share_fetch_answer(fetch);
}

static void
poll_leave(struct share_fetch *fetch)
{
	timer_stop(&fetch->timer);
	for (int32_t i = 0; i < fetch->waiters_count; i++)
		share_log_unwait(&fetch->waiters[i]);
	fetch->waiters_count = 0;
	long_poll_unpark(&fetch->poll);
	fetch->parked = false;
}

/* The one who claimed the poll ends it, and all partitions have a turn. */
static void
poll_end(struct share_fetch *fetch, bool timed_out)
{
	poll_leave(fetch);
	fetch->waited |= timed_out;
	if (share_fetch_read_start(fetch))
		fetch_go_on(fetch->request);
}

static void
on_wakeup(struct task *task)
{
	struct wakeup *wakeup = CONTAINER_OF(task, struct wakeup, task);
	struct long_poll *poll = CONTAINER_OF(wakeup, struct long_poll, wakeup);

	poll_end(CONTAINER_OF(poll, struct share_fetch, poll), false);
}

static void
on_timeout(struct timer *timer)
{
	struct share_fetch *fetch =
	    CONTAINER_OF(timer, struct share_fetch, timer);

	if (long_poll_claim(&fetch->poll))
		poll_end(fetch, true);
}

/*
 * Nothing is acquired any more.  Who reads or wakes the request now ends it;
 * else that is done here.
 */
static void
on_cancelled(struct request *request)
{
	struct share_fetch *fetch = request->state;

	fetch->waited = fetch->cancelled = true;
	if (!fetch->parked || !long_poll_claim(&fetch->poll))
		return;
	poll_leave(fetch);
	part_done(fetch);
}

/* Parts to wait for: new records help those that are not full of locks. */
static void
part_wait(struct share_fetch *fetch, struct share_fetch_part *part)
{
	if (part->turn == SHARE_LOG_READY)
		share_log_end(part->log, NULL, &part->begin.events);
	part->turn = SHARE_LOG_WAIT;
	fetch->waiters[fetch->waiters_count++] = (struct share_log_waiter){
		.log = part->log,
		.poll = &fetch->poll,
		.events = part->begin.events,
	};
	if (part->tried)
		long_poll_add(&fetch->poll, part->partition, part->read.seen,
		    MAX(fetch->bytes_max - log_read_bytes(&part->read.data),
			1));
}

static void
poll_prepare(struct share_fetch *fetch)
{
	struct request *request = fetch->request;
	size_t count = (size_t)fetch->parts_count;

	if (fetch->poll_parts != NULL)
		return;
	request->arena.size_bytes_max +=
	    count * (sizeof(*fetch->poll_parts) + sizeof(*fetch->waiters));
	fetch->poll_parts =
	    arena_xcalloc(&request->arena, count, sizeof(*fetch->poll_parts));
	fetch->waiters =
	    arena_xcalloc(&request->arena, count, sizeof(*fetch->waiters));
	fetch->due_ms = loop_now_ms(request_loop(request)) +
	    MAX(fetch->body->max_wait_ms, 0);
}

/*
 * Waiters are parked behind the poll: before that nobody may fire it.  The
 * memory of a request that is fired already stays until its task has run.
 */
static void
poll_begin(struct share_fetch *fetch)
{
	struct loop *loop = request_loop(fetch->request);

	poll_prepare(fetch);
	long_poll_init(&fetch->poll, loop, on_wakeup, fetch->poll_parts,
	    fetch->parts_count, MAX(fetch->bytes_min - fetch->bytes, 1));
	for (int32_t i = 0; i < fetch->parts_count; i++)
		if (!fetch->parts[i].refused)
			part_wait(fetch, &fetch->parts[i]);
	share_fetch_read_release(fetch);
	fetch->parked = true;
	timer_start(
	    loop, &fetch->timer, MAX(fetch->due_ms - loop_now_ms(loop), 0));
	long_poll_park(&fetch->poll);
	for (int32_t i = 0; i < fetch->waiters_count; i++)
		share_log_wait(&fetch->waiters[i]);
}

static bool
answer_due(const struct share_fetch *fetch)
{
	return fetch->waited || fetch->urgent || fetch->waiting == 0 ||
	    fetch->body->max_wait_ms <= 0 ||
	    (fetch->ready > 0 && fetch->bytes >= fetch->bytes_min);
}

static void
fetch_go_on(struct request *request)
{
	struct share_fetch *fetch = request->state;

	if (!answer_due(fetch)) {
		poll_begin(fetch);
		return;
	}
	if (!fetch->cancelled)
		share_fetch_acquire(fetch);
	part_done(fetch);
}

/* --- The partitions ---------------------------------------------------- */

static void
part_find(struct share_fetch *fetch, struct share_fetch_part *part)
{
	struct request *request = fetch->request;
	const struct partitions_key key = {
		.topic_id = part->wanted->topic_id,
		.by_id = true,
		.index = part->wanted->index,
	};
	const struct share_partitions_key place = {
		.group_id = fetch->body->group_id,
		.topic_id = part->wanted->topic_id,
		.index = part->wanted->index,
	};
	struct partitions_found found;

	part->error = partitions_find(request, &key, ACL_READ, &found);
	part->partition = found.partition;
	part->leader = found.leader;
	if (part->error == KP_NONE) {
		part->leader = partition_leader(part->partition);
		part->log = share_partitions_open(
		    request->server->share_partitions, &place,
		    part->partition, request->node_id, request_loop(request),
		    &part->error);
	}
	part->refused = part->error != KP_NONE;
}

/* Another one is the first each time, so that each gets its turn. */
static int32_t
rotation(const struct share_fetch *fetch)
{
	int32_t epoch = fetch->body->share_session_epoch;

	return epoch < 1 || fetch->parts_count == 0 ?
	    0 :
	    epoch % fetch->parts_count;
}

static void
parts_find(struct share_fetch *fetch)
{
	struct arena *arena = &fetch->request->arena;
	int32_t count = fetch->session.partitions_count;

	arena->size_bytes_max += (size_t)count * sizeof(*fetch->parts);
	fetch->parts =
	    arena_xcalloc(arena, (size_t)count, sizeof(*fetch->parts));
	fetch->parts_count = count;
	for (int32_t i = 0; i < count; i++) {
		struct share_fetch_part *part = &fetch->parts[i];
		int32_t at = (i + rotation(fetch)) % count;

		part->wanted = &fetch->session.partitions[at];
		part->read.data.fd = -1;
		part->turn = SHARE_LOG_WAIT;
		part_find(fetch, part);
	}
}

/* --- The session ------------------------------------------------------- */

static size_t
partitions_total(const struct kp_share_fetch_request *body)
{
	size_t total = 0;

	for (int32_t i = 0; i < body->topics_count; i++)
		total += (size_t)MAX(body->topics[i].partitions_count, 0);
	return total;
}

static size_t
forgotten_total(const struct kp_share_fetch_request *body)
{
	size_t total = 0;

	for (int32_t i = 0; i < body->forgotten_topics_data_count; i++)
		total += (size_t)MAX(
		    body->forgotten_topics_data[i].partitions_count, 0);
	return total;
}

static bool
topic_acknowledges(const struct kp_share_fetch_request_topic *topic)
{
	for (int32_t i = 0; i < topic->partitions_count; i++)
		if (topic->partitions[i].acknowledgement_batches_count > 0)
			return true;
	return false;
}

static bool
acknowledges(const struct kp_share_fetch_request *body)
{
	for (int32_t i = 0; i < body->topics_count; i++)
		if (topic_acknowledges(&body->topics[i]))
			return true;
	return false;
}

static void
lists_fill(const struct kp_share_fetch_request *body,
    struct share_session_partition *partitions,
    struct share_session_partition *forgotten)
{
	for (int32_t i = 0; i < body->topics_count; i++)
		for (int32_t j = 0; j < body->topics[i].partitions_count; j++)
			*partitions++ = (struct share_session_partition){
				.topic_id = body->topics[i].topic_id,
				.index = body->topics[i]
					     .partitions[j]
					     .partition_index,
			};
	for (int32_t i = 0; i < body->forgotten_topics_data_count; i++)
		for (int32_t j = 0;
		     j < body->forgotten_topics_data[i].partitions_count; j++)
			*forgotten++ = (struct share_session_partition){
				.topic_id =
				    body->forgotten_topics_data[i].topic_id,
				.index = body->forgotten_topics_data[i]
					     .partitions[j],
			};
}

static enum kp_error
session_begin(struct share_fetch *fetch)
{
	const struct kp_share_fetch_request *body = fetch->body;
	struct request *request = fetch->request;
	size_t partitions = partitions_total(body);
	size_t forgotten = forgotten_total(body);
	struct share_session_partition *lists;

	request->arena.size_bytes_max +=
	    (partitions + forgotten) * sizeof(*lists);
	lists = arena_xcalloc(
	    &request->arena, partitions + forgotten, sizeof(*lists));
	lists_fill(body, lists, lists + partitions);
	fetch->session_request = (struct share_session_request){
		.group_id = body->group_id,
		.member_id = body->member_id,
		.epoch = body->share_session_epoch,
		.acknowledges = acknowledges(body),
		.connection = request->exchange.connection,
		.partitions = lists,
		.partitions_count = (int32_t)partitions,
		.forgotten = lists + partitions,
		.forgotten_count = (int32_t)forgotten,
	};
	return share_sessions_begin(request->server->share_sessions,
	    &fetch->session_request, &request->arena, &fetch->session);
}

/* --- No room for a session --------------------------------------------- */

/* The client is not to come again at once. */
static void
on_refusal_due(struct timer *timer)
{
	struct share_fetch *fetch =
	    CONTAINER_OF(timer, struct share_fetch, timer);

	share_fetch_answer_error(
	    fetch->request, KP_SHARE_SESSION_LIMIT_REACHED);
}

static void
on_refusal_cancelled(struct request *request)
{
	struct share_fetch *fetch = request->state;

	timer_stop(&fetch->timer);
	share_fetch_answer_error(request, KP_SHARE_SESSION_LIMIT_REACHED);
}

static void
refuse_later(struct share_fetch *fetch)
{
	struct request *request = fetch->request;

	timer_init(&fetch->timer, on_refusal_due);
	request_park(request, on_refusal_cancelled);
	timer_start(request_loop(request), &fetch->timer,
	    MAX(fetch->body->max_wait_ms, 0));
}

/* --- Acknowledgements -------------------------------------------------- */

static void
on_acknowledged(struct request *request)
{
	part_done(request->state);
}

static void
part_take(struct share_acks *acks, struct uuid topic_id,
    const struct kp_share_fetch_request_partition *part)
{
	share_acks_part(acks, topic_id, part->partition_index,
	    part->acknowledgement_batches_count);
	for (int32_t i = 0; i < part->acknowledgement_batches_count; i++)
		share_acks_batch(acks,
		    part->acknowledgement_batches[i].first_offset,
		    part->acknowledgement_batches[i].last_offset,
		    part->acknowledgement_batches[i].acknowledge_types,
		    part->acknowledgement_batches[i].acknowledge_types_count);
}

static void
acks_take(struct share_fetch *fetch)
{
	const struct kp_share_fetch_request *body = fetch->body;

	fetch->acks = share_acks_new(fetch->request, body->group_id,
	    body->member_id, partitions_total(body), on_acknowledged);
	for (int32_t i = 0; i < body->topics_count; i++)
		for (int32_t j = 0; j < body->topics[i].partitions_count; j++)
			part_take(fetch->acks, body->topics[i].topic_id,
			    &body->topics[i].partitions[j]);
}

static void
acks_run(struct share_fetch *fetch)
{
	share_acks_run(fetch->acks,
	    fetch->request->version >= 2 ? SHARE_PARTITION_RENEW :
					   SHARE_PARTITION_REJECT,
	    fetch->body->is_renew_ack);
}

/* --- The request ------------------------------------------------------- */

/* What only renews locks fetches nothing, and says so. */
static bool
renewal_valid(const struct kp_share_fetch_request *body)
{
	return !body->is_renew_ack ||
	    (body->max_bytes == 0 && body->min_bytes == 0 &&
		body->max_records == 0 && body->max_wait_ms == 0);
}

static struct share_fetch *
fetch_new(struct request *request)
{
	struct share_fetch *fetch =
	    arena_xcalloc(&request->arena, 1, sizeof(*fetch));

	fetch->request = request;
	fetch->body = request->body;
	share_group_config_read(&fetch->config, request->server->image,
	    request->server->configs, fetch->body->group_id);
	fetch->bytes_max = MIN(
	    fetch->body->max_bytes, request->server->settings->fetch_bytes_max);
	fetch->bytes_min = MIN(fetch->body->min_bytes, fetch->bytes_max);
	fetch->read_done = fetch_go_on;
	timer_init(&fetch->timer, on_timeout);
	return fetch;
}

/* Is anything to be fetched at all? */
static bool
fetches(const struct share_fetch *fetch)
{
	return !fetch->body->is_renew_ack && fetch->body->max_records > 0 &&
	    fetch->bytes_max > 0;
}

/*
 * Both at the same time.  The request is one more thing to be done, so that it
 * cannot end before both are under way.
 */
static void
fetch_run(struct share_fetch *fetch)
{
	fetch->todo = 2;
	request_park(fetch->request, on_cancelled);
	if (fetch->session_request.acknowledges) {
		acks_take(fetch);
		fetch->todo++;
		acks_run(fetch);
	}
	if (fetch->body->is_renew_ack)
		fetch->session.partitions_count = 0;
	parts_find(fetch);
	if (!fetches(fetch))
		part_done(fetch);
	else if (share_fetch_read_start(fetch))
		fetch_go_on(fetch->request);
	part_done(fetch);
}

static void
handle_share_fetch(struct request *request)
{
	const struct kp_share_fetch_request *body = request->body;
	struct share_fetch *fetch;
	enum kp_error error;

	if (partitions_total(body) + forgotten_total(body) > PARTITIONS_MAX) {
		request_close(request, "a fetch of too many partitions");
		return;
	}
	error = share_acks_check(request, body->group_id, body->member_id);
	if (error == KP_NONE && !renewal_valid(body))
		error = KP_INVALID_REQUEST;
	if (error != KP_NONE) {
		share_fetch_answer_error(request, error);
		return;
	}
	fetch = fetch_new(request);
	request->state = fetch;
	error = session_begin(fetch);
	if (error == KP_SHARE_SESSION_LIMIT_REACHED) {
		refuse_later(fetch);
		return;
	}
	if (error != KP_NONE) {
		share_fetch_answer_error(request, error);
		return;
	}
	request->released = on_released;
	fetch_run(fetch);
}

const struct api api_share_fetch = API_ROW(share_fetch, API_ENTRIES,
    .fail = share_fetch_answer_error);
