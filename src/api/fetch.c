/*
 * Fetch, versions 4-18: read record batches, at once or when there are
 * enough.
 *
 * Records are not read into memory: the answer has ranges of files.  Left out
 * are preferred read replicas (there is no replica.selector.class).
 */
#include "api/fetch.h"

#include "api/api.h"
#include "base/clock.h"
#include "net/loop.h"

/* --- Waiting ----------------------------------------------------------- */

static void fetch_go_on(struct request *request);

static void
on_released(struct request *request)
{
	struct fetch *fetch = request->state;

	fetch_read_release(fetch);
	for (int32_t i = 0; i < fetch->parts_count; i++)
		partition_unref(fetch->parts[i].partition);
}

/*
 * The one who claimed the poll ends it: what is there now is the answer.  Who
 * reads committed records only may have been woken by those of a transaction
 * that is still open, and then waits on.
 */
static void
poll_end(struct fetch *fetch, bool timed_out)
{
	timer_stop(&fetch->timer);
	long_poll_unpark(&fetch->poll);
	fetch->parked = false;
	fetch->waited |=
	    timed_out || fetch->isolation != PARTITION_READ_COMMITTED;
	if (fetch_read_start(fetch))
		fetch_go_on(fetch->request);
}

static void
on_wakeup(struct task *task)
{
	struct wakeup *wakeup = CONTAINER_OF(task, struct wakeup, task);
	struct long_poll *poll = CONTAINER_OF(wakeup, struct long_poll, wakeup);

	poll_end(CONTAINER_OF(poll, struct fetch, poll), false);
}

static void
on_timeout(struct timer *timer)
{
	struct fetch *fetch = CONTAINER_OF(timer, struct fetch, timer);

	if (long_poll_claim(&fetch->poll))
		poll_end(fetch, true);
}

/*
 * While a thread of the pool reads, it is left to finish, and then there is
 * nothing more to wait for.  Where the poll is claimed already its task is
 * under way, and answers.
 */
static void
on_cancelled(struct request *request)
{
	struct fetch *fetch = request->state;

	fetch->waited = true;
	if (!fetch->parked || !long_poll_claim(&fetch->poll))
		return;
	timer_stop(&fetch->timer);
	long_poll_unpark(&fetch->poll);
	fetch_answer(fetch);
}

/* What of this part may still count towards the bytes that are waited for. */
static int64_t
part_room(const struct fetch_part *part)
{
	return MAX((int64_t)part->wanted->max_bytes, 1) -
	    log_read_bytes(&part->read.data);
}

static void
poll_begin(struct fetch *fetch)
{
	struct request *request = fetch->request;
	struct loop *loop = request_loop(request);

	if (fetch->poll_parts == NULL) {
		fetch->poll_parts = arena_xcalloc(&request->arena,
		    (size_t)fetch->parts_count, sizeof(*fetch->poll_parts));
		fetch->due_ms = loop_now_ms(loop) + fetch->body->max_wait_ms;
	}
	long_poll_init(&fetch->poll, loop, on_wakeup, fetch->poll_parts,
	    fetch->readable, fetch->bytes_min - fetch->bytes);
	for (int32_t i = 0; i < fetch->parts_count; i++) {
		struct fetch_part *part = &fetch->parts[i];

		if (!part->refused)
			long_poll_add(&fetch->poll, part->partition,
			    part->read.seen, part_room(part));
	}
	fetch_read_release(fetch);
	fetch->parked = true;
	timer_start(
	    loop, &fetch->timer, MAX(fetch->due_ms - loop_now_ms(loop), 0));
	long_poll_park(&fetch->poll);
}

static bool
answer_due(const struct fetch *fetch)
{
	return fetch->waited || fetch->urgent || fetch->readable == 0 ||
	    fetch->body->max_wait_ms <= 0 || fetch->bytes >= fetch->bytes_min;
}

static void
fetch_go_on(struct request *request)
{
	struct fetch *fetch = request->state;

	if (answer_due(fetch))
		fetch_answer(fetch);
	else
		poll_begin(fetch);
}

/* --- The partitions ---------------------------------------------------- */

/* A follower needs a permission on the cluster, a consumer on the topic. */
static enum kp_error
part_find(struct fetch *fetch, struct fetch_part *part)
{
	const struct request *request = fetch->request;
	struct partitions_key key = {
		.topic = part->wanted->topic,
		.topic_id = part->wanted->topic_id,
		.by_id = request->version >= FETCH_VERSION_TOPIC_IDS,
		.index = part->wanted->index,
	};
	struct partitions_found found;
	enum kp_error error;

	if (fetch->replica_id >= 0 &&
	    !request_allows(request, ACL_CLUSTER_ACTION, ACL_RESOURCE_CLUSTER,
		ACL_CLUSTER_NAME))
		return KP_TOPIC_AUTHORIZATION_FAILED;
	error = partitions_find(request, &key, ACL_READ, &found);
	part->partition = found.partition;
	part->leader = found.leader;
	return error;
}

static void
parts_find(struct fetch *fetch)
{
	fetch->parts_count = fetch->session.partitions_count;
	fetch->request->arena.size_bytes_max +=
	    (size_t)fetch->parts_count * sizeof(*fetch->parts);
	fetch->parts = arena_xcalloc(&fetch->request->arena,
	    (size_t)fetch->parts_count, sizeof(*fetch->parts));
	for (int32_t i = 0; i < fetch->parts_count; i++) {
		struct fetch_part *part = &fetch->parts[i];

		part->wanted = &fetch->session.partitions[i];
		part->read.data.fd = -1;
		part->read.diverging_epoch = -1;
		part->read.high_watermark = -1;
		part->read.last_stable_offset = -1;
		part->read.log_start_offset = -1;
		part->error = part_find(fetch, part);
		part->refused = part->error != KP_NONE;
	}
}

/* --- The session ------------------------------------------------------- */

static int64_t
partitions_total(const struct kp_fetch_request *body)
{
	int64_t total = 0;

	for (int32_t i = 0; i < body->topics_count; i++)
		total += MAX(body->topics[i].partitions_count, 0);
	for (int32_t i = 0; i < body->forgotten_topics_data_count; i++)
		total +=
		    MAX(body->forgotten_topics_data[i].partitions_count, 0);
	return total;
}

static void
topic_list(const struct kp_fetch_request_topic *topic,
    struct fetch_session_partition *partitions, int32_t *count)
{
	for (int32_t i = 0; i < topic->partitions_count; i++) {
		const struct kp_fetch_request_partition *partition =
		    &topic->partitions[i];

		partitions[(*count)++] = (struct fetch_session_partition){
			.topic = topic->topic,
			.topic_id = topic->topic_id,
			.index = partition->partition,
			.fetch_offset = partition->fetch_offset,
			.max_bytes = partition->partition_max_bytes,
			.current_leader_epoch = partition->current_leader_epoch,
			.last_fetched_epoch = partition->last_fetched_epoch,
			.log_start_offset = partition->log_start_offset,
		};
	}
}

static void
forgotten_list(const struct kp_fetch_request_forgotten_topic *topic,
    struct fetch_session_forgotten *forgotten, int32_t *count)
{
	for (int32_t i = 0; i < topic->partitions_count; i++)
		forgotten[(*count)++] = (struct fetch_session_forgotten){
			.topic = topic->topic,
			.topic_id = topic->topic_id,
			.index = topic->partitions[i],
		};
}

static void
lists_make(struct request *request, size_t total,
    struct fetch_session_request *session)
{
	const struct kp_fetch_request *body = request->body;
	struct fetch_session_partition *partitions;
	struct fetch_session_forgotten *forgotten;

	partitions = arena_xcalloc(&request->arena, total, sizeof(*partitions));
	forgotten = arena_xcalloc(&request->arena,
	    body->forgotten_topics_data_count > 0 ? total : 0,
	    sizeof(*forgotten));
	for (int32_t i = 0; i < body->topics_count; i++)
		topic_list(
		    &body->topics[i], partitions, &session->partitions_count);
	for (int32_t i = 0; i < body->forgotten_topics_data_count; i++)
		forgotten_list(&body->forgotten_topics_data[i], forgotten,
		    &session->forgotten_count);
	session->partitions = partitions;
	session->forgotten = forgotten;
}

static enum kp_error
session_begin(struct fetch *fetch, size_t total)
{
	struct request *request = fetch->request;
	struct fetch_session_request session = {
		.id = FETCH_SESSION_NONE,
		.epoch = FETCH_SESSION_EPOCH_FINAL,
		.uses_ids = request->version >= FETCH_VERSION_TOPIC_IDS,
		.privileged = fetch->replica_id >= 0,
	};

	if (request->version >= FETCH_VERSION_SESSIONS) {
		session.id = fetch->body->session_id;
		session.epoch = fetch->body->session_epoch;
	}
	lists_make(request, total, &session);
	return fetch_sessions_begin(request->server->fetch_sessions, &session,
	    clock_monotonic_ms(), &request->arena, &fetch->session);
}

/* --- The request ------------------------------------------------------- */

static int32_t
replica_of(const struct request *request)
{
	const struct kp_fetch_request *body = request->body;

	return request->version < FETCH_VERSION_REPLICA_STATE ?
	    body->replica_id :
	    body->replica_state.replica_id;
}

static enum partition_isolation
isolation_of(const struct fetch *fetch)
{
	if (fetch->replica_id >= 0)
		return PARTITION_READ_ALL;
	return fetch->body->isolation_level == 0 ? PARTITION_READ_UNCOMMITTED :
						   PARTITION_READ_COMMITTED;
}

static struct fetch *
fetch_new(struct request *request)
{
	struct fetch *fetch = arena_xcalloc(&request->arena, 1, sizeof(*fetch));

	fetch->request = request;
	fetch->body = request->body;
	fetch->replica_id = replica_of(request);
	fetch->isolation = isolation_of(fetch);
	fetch->bytes_max = MIN(
	    fetch->body->max_bytes, request->server->settings->fetch_bytes_max);
	fetch_quota_limit(fetch);
	fetch->bytes_min = MIN(fetch->body->min_bytes, fetch->bytes_max);
	fetch->read_done = fetch_go_on;
	timer_init(&fetch->timer, on_timeout);
	return fetch;
}

/* A session that does not go on is told at the top of an empty answer. */
static void
session_refuse(struct request *request, enum kp_error error)
{
	struct kp_fetch_response *response = request_response_new(request);

	response->error_code = (int16_t)error;
	request_reply(request, response);
}

static void
handle_fetch(struct request *request)
{
	const struct kp_fetch_request *body = request->body;
	int64_t total = partitions_total(body);
	struct fetch *fetch;
	enum kp_error error;

	if (total > PARTITIONS_MAX) {
		request_close(request, "a fetch of too many partitions");
		return;
	}
	if (body->isolation_level != 0 && body->isolation_level != 1) {
		request_fail(request, KP_UNKNOWN_SERVER_ERROR);
		return;
	}
	fetch = fetch_new(request);
	error = session_begin(fetch, (size_t)total);
	if (error != KP_NONE) {
		session_refuse(request, error);
		return;
	}
	parts_find(fetch);
	request->state = fetch;
	request->released = on_released;
	/* Before the first read, which may be one of the pool's. */
	request_park(request, on_cancelled);
	if (fetch_read_start(fetch))
		fetch_go_on(request);
}

const struct api api_fetch =
    API_ROW(fetch, API_ENTRIES, .fail = fetch_answer_error,
	.flags = API_PIPELINED);
