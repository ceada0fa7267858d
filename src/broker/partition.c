#include "broker/partition.h"

#include "broker/long_poll.h"
#include "store/flusher.h"
#include "store/log_manager.h"

/* --- Topics ------------------------------------------------------------ */

struct partition_topic *
partition_topic_new(struct slice name, struct uuid id, bool internal)
{
	struct partition_topic *topic = xmalloc(sizeof(*topic) + name.len + 1);

	topic->id = id;
	topic->internal = internal;
	atomic_init(&topic->refs, 1);
	topic->name_len = name.len;
	memcpy(topic->name, name.data, name.len);
	topic->name[name.len] = '\0';
	return topic;
}

void
partition_topic_ref(struct partition_topic *topic)
{
	atomic_fetch_add(&topic->refs, 1);
}

void
partition_topic_unref(struct partition_topic *topic)
{
	int refs = atomic_fetch_sub(&topic->refs, 1);

	assert(refs > 0);
	if (refs == 1)
		free(topic);
}

/* --- The high watermark ------------------------------------------------ */

/* Remember where the bytes so far end; the newest marks merge when full. */
static void
mark_add(struct partition *partition, int64_t offset)
{
	if (partition->marks_count == PARTITION_MARKS_MAX)
		partition->marks_count--;
	partition->marks[partition->marks_count++] =
	    (struct partition_mark){ .offset = offset,
		    .bytes = partition->appended_bytes };
}

static void
marks_pass(struct partition *partition, int64_t offset)
{
	struct partition_mark *marks = partition->marks;
	uint32_t passed = 0;

	while (
	    passed < partition->marks_count && marks[passed].offset <= offset)
		passed++;
	if (passed == 0)
		return;
	partition->committed_bytes = marks[passed - 1].bytes;
	partition->marks_count -= passed;
	memmove(marks, marks + passed, partition->marks_count * sizeof(*marks));
}

static void
waiter_finish(
    struct hw_waiter *waiter, enum kp_error result, struct list *fired)
{
	list_remove(&waiter->node);
	waiter->result = result;
	wakeup_collect(&waiter->wakeup, fired);
}

/* Those who wait for offset or less are at the head of the list. */
static void
waiters_pass(struct partition *partition, int64_t offset, struct list *fired)
{
	LIST_FOR_EACH_SAFE (node, &partition->hw_waiters) {
		struct hw_waiter *waiter =
		    LIST_ENTRY(node, struct hw_waiter, node);

		if (waiter->offset > offset)
			return;
		waiter_finish(waiter, KP_NONE, fired);
	}
}

static void
waiters_fail(
    struct partition *partition, enum kp_error result, struct list *fired)
{
	LIST_FOR_EACH_SAFE (node, &partition->hw_waiters)
		waiter_finish(
		    LIST_ENTRY(node, struct hw_waiter, node), result, fired);
}

void
partition_commit(
    struct partition *partition, int64_t offset, struct list *fired)
{
	struct log *log = partition->log;

	assert(offset <= log_end_offset(log));
	if (offset <= log_high_watermark(log))
		return;
	log_high_watermark_set(log, offset);
	marks_pass(partition, offset);
	waiters_pass(partition, offset, fired);
	long_poll_advance(partition, fired);
}

bool
partition_flush_due(const struct partition *partition)
{
	return log_unflushed_messages(partition->log) >=
	    partition->settings.log.flush_messages;
}

/* Commit all that needs no sync any more. */
static void
commit_flushed(struct partition *partition, struct list *fired)
{
	struct log *log = partition->log;
	bool all =
	    !partition->context->flush_acked && !partition_flush_due(partition);

	partition_commit(partition,
	    all ? log_end_offset(log) : log_flushed_offset(log), fired);
}

void
partition_appended(struct partition *partition, size_t len, struct list *fired)
{
	partition->appended_bytes += len;
	mark_add(partition, log_end_offset(partition->log));
	commit_flushed(partition, fired);
}

/* The log's events: its lock is held, and loops' mailboxes are below it. */
static void
on_flushed(struct log *log UNUSED, void *context)
{
	struct partition *partition = context;
	struct list fired;

	if (partition->deleted)
		return;
	list_init(&fired);
	commit_flushed(partition, &fired);
	wakeup_post_all(&fired);
}

static void
on_failed(struct log *log, void *context)
{
	struct partition *partition = context;
	struct list fired;

	list_init(&fired);
	waiters_fail(partition, KP_KAFKA_STORAGE_ERROR, &fired);
	long_poll_interrupt(partition, &fired);
	wakeup_post_all(&fired);
	if (partition->context->logs != NULL)
		log_manager_log_failed(partition->context->logs, log);
}

/* --- Life -------------------------------------------------------------- */

/*
 * What a restart finds durable is committed; the rest waits for its sync, also
 * where a checkpoint of a run without syncs says that it was committed.  True
 * where such a sync has to be asked for.
 */
static bool
watermark_open(struct partition *partition)
{
	struct log *log = partition->log;
	int64_t end = log_end_offset(log);

	if (partition->context->flush_acked)
		end = MIN(end, log_flushed_offset(log));
	log_high_watermark_set(log, end);
	return end < log_end_offset(log);
}

struct partition *
partition_new(const struct partition_context *context,
    struct partition_topic *topic, int32_t index, struct log *log,
    const struct topic_settings *settings)
{
	struct partition *partition = xcalloc(1, sizeof(*partition));
	bool dirty;

	partition->context = context;
	partition_topic_ref(topic);
	partition->topic = topic;
	partition->index = index;
	partition->log = log;
	partition->settings = *settings;
	partition->leader = -1;
	partition->leader_epoch = -1;
	partition->partition_epoch = -1;
	atomic_init(&partition->refs, 1);
	list_init(&partition->hw_waiters);
	list_init(&partition->long_polls);
	log_lock(log);
	log_events_set(log,
	    (struct log_events){ .flushed = on_flushed,
		.failed = on_failed,
		.context = partition });
	dirty = watermark_open(partition);
	log_unlock(log);
	if (dirty)
		flusher_submit(context->flusher, log);
	return partition;
}

void
partition_ref(struct partition *partition)
{
	atomic_fetch_add(&partition->refs, 1);
}

static void
partition_free(struct partition *partition)
{
	assert(list_empty(&partition->hw_waiters));
	assert(list_empty(&partition->long_polls));
	log_lock(partition->log);
	log_events_set(partition->log, (struct log_events){ 0 });
	log_unlock(partition->log);
	if (partition->context->logs != NULL)
		log_manager_release(partition->context->logs, partition->log);
	partition_topic_unref(partition->topic);
	free(partition->replicas);
	free(partition);
}

void
partition_unref(struct partition *partition)
{
	int refs;

	if (partition == NULL)
		return;
	refs = atomic_fetch_sub(&partition->refs, 1);
	assert(refs > 0);
	if (refs == 1)
		partition_free(partition);
}

/* --- Metadata ---------------------------------------------------------- */

static void
replicas_set(struct partition *partition, const struct partition_state *state)
{
	size_t size = (size_t)state->replicas_count * sizeof(int32_t);

	partition->replicas = xrealloc(partition->replicas, size);
	memcpy(partition->replicas, state->replicas, size);
	partition->replicas_count = state->replicas_count;
}

static void
leader_epoch_begin(struct partition *partition, int32_t leader_epoch)
{
	if (leader_epoch <= partition->leader_epoch)
		return;
	partition->leader_epoch = leader_epoch;
	log_leader_epoch_begin(partition->log, leader_epoch);
	partition->epoch_start_offset = log_end_offset(partition->log);
}

void
partition_apply(
    struct partition *partition, const struct partition_state *state)
{
	struct list fired;

	list_init(&fired);
	log_lock(partition->log);
	if (state->leader != partition->leader)
		waiters_fail(partition, KP_NOT_LEADER_OR_FOLLOWER, &fired);
	replicas_set(partition, state);
	partition->leader = state->leader;
	partition->partition_epoch = state->partition_epoch;
	partition->isr_count = state->isr_count;
	leader_epoch_begin(partition, state->leader_epoch);
	long_poll_interrupt(partition, &fired);
	log_unlock(partition->log);
	wakeup_post_all(&fired);
}

void
partition_configure(
    struct partition *partition, const struct topic_settings *settings)
{
	log_lock(partition->log);
	partition->settings = *settings;
	log_settings_change(partition->log, &settings->log);
	log_unlock(partition->log);
}

void
partition_delete(struct partition *partition)
{
	struct list fired;

	list_init(&fired);
	log_lock(partition->log);
	partition->deleted = true;
	waiters_fail(partition, KP_UNKNOWN_TOPIC_OR_PARTITION, &fired);
	long_poll_interrupt(partition, &fired);
	log_unlock(partition->log);
	wakeup_post_all(&fired);
}

static enum kp_error
delete_records_locked(
    struct partition *partition, int32_t node_id, int64_t offset)
{
	const struct log_settings *settings = &partition->settings.log;
	enum kp_error error;

	error = partition_check(partition, node_id, true, PARTITION_ANY_EPOCH);
	if (error != KP_NONE)
		return error;
	if (settings->cleanup_compact && !settings->cleanup_delete)
		return KP_POLICY_VIOLATION;
	return log_delete_records(partition->log, offset);
}

enum kp_error
partition_delete_records(struct partition *partition, int32_t node_id,
    int64_t offset, int64_t *log_start)
{
	enum kp_error error;

	log_lock(partition->log);
	error = delete_records_locked(partition, node_id, offset);
	*log_start = error == KP_NONE ? log_start_offset(partition->log) : -1;
	log_unlock(partition->log);
	return error;
}

static bool
replica_here(const struct partition *partition, int32_t node_id)
{
	if (node_id == PARTITION_ANY_NODE)
		return true;
	for (int32_t i = 0; i < partition->replicas_count; i++)
		if (partition->replicas[i] == node_id)
			return true;
	return false;
}

static bool
leader_here(const struct partition *partition, int32_t node_id)
{
	if (partition->leader < 0 || partition->leader_epoch < 0)
		return false;
	return node_id == PARTITION_ANY_NODE || node_id == partition->leader;
}

enum kp_error
partition_check(const struct partition *partition, int32_t node_id,
    bool leader_only, int32_t current_leader_epoch)
{
	if (partition->deleted)
		return KP_UNKNOWN_TOPIC_OR_PARTITION;
	/* First: what is offline has no leader in the metadata any more. */
	if (log_is_offline(partition->log))
		return KP_KAFKA_STORAGE_ERROR;
	if (current_leader_epoch >= 0) {
		if (current_leader_epoch < partition->leader_epoch)
			return KP_FENCED_LEADER_EPOCH;
		if (current_leader_epoch > partition->leader_epoch)
			return KP_UNKNOWN_LEADER_EPOCH;
	}
	if (leader_only ? !leader_here(partition, node_id) :
			  !replica_here(partition, node_id))
		return KP_NOT_LEADER_OR_FOLLOWER;
	return KP_NONE;
}

/* --- Waiting ----------------------------------------------------------- */

static void
waiter_insert(struct partition *partition, struct hw_waiter *waiter)
{
	struct list_node *head = &partition->hw_waiters.head;
	struct list_node *before = head->prev;

	while (before != head &&
	    LIST_ENTRY(before, struct hw_waiter, node)->offset > waiter->offset)
		before = before->prev;
	list_insert_before(before->next, &waiter->node);
}

bool
partition_wait_hw(struct partition *partition, struct hw_waiter *waiter)
{
	bool wait;

	waiter->node = (struct list_node){ 0 };
	log_lock(partition->log);
	waiter->result = partition_check(
	    partition, waiter->node_id, true, PARTITION_ANY_EPOCH);
	wait = waiter->result == KP_NONE &&
	    log_high_watermark(partition->log) < waiter->offset;
	if (wait)
		waiter_insert(partition, waiter);
	log_unlock(partition->log);
	return wait;
}

bool
partition_unwait_hw(struct partition *partition, struct hw_waiter *waiter)
{
	bool waits;

	log_lock(partition->log);
	waits = list_node_linked(&waiter->node);
	if (waits)
		list_remove(&waiter->node);
	log_unlock(partition->log);
	return waits;
}

/* --- Facts ------------------------------------------------------------- */

int64_t
partition_bound(
    const struct partition *partition, enum partition_isolation isolation)
{
	switch (isolation) {
	case PARTITION_READ_ALL:
		return log_end_offset(partition->log);
	case PARTITION_READ_COMMITTED:
		return log_last_stable_offset(partition->log);
	case PARTITION_READ_UNCOMMITTED:
		break;
	}
	return log_high_watermark(partition->log);
}

static int64_t
bound_locked(struct partition *partition, enum partition_isolation isolation)
{
	int64_t bound;

	log_lock(partition->log);
	bound = partition_bound(partition, isolation);
	log_unlock(partition->log);
	return bound;
}

int64_t
partition_high_watermark(struct partition *partition)
{
	return bound_locked(partition, PARTITION_READ_UNCOMMITTED);
}

int64_t
partition_log_end_offset(struct partition *partition)
{
	return bound_locked(partition, PARTITION_READ_ALL);
}

int64_t
partition_log_start_offset(struct partition *partition)
{
	int64_t offset;

	log_lock(partition->log);
	offset = log_start_offset(partition->log);
	log_unlock(partition->log);
	return offset;
}

struct partition_leader
partition_leader(struct partition *partition)
{
	struct partition_leader leader;

	log_lock(partition->log);
	leader = (struct partition_leader){ partition->leader,
		partition->leader_epoch };
	log_unlock(partition->log);
	return leader;
}

struct slice
partition_topic(const struct partition *partition)
{
	return slice_of(partition->topic->name, partition->topic->name_len);
}

int32_t
partition_index(const struct partition *partition)
{
	return partition->index;
}

bool
partition_is_internal(const struct partition *partition)
{
	return partition->topic->internal;
}

bool
partition_has_replica(struct partition *partition, int32_t broker_id)
{
	bool has;

	log_lock(partition->log);
	has = replica_here(partition, broker_id);
	log_unlock(partition->log);
	return has;
}
