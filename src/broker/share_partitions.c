#include "broker/share_log_inner.h"

#include "broker/partition.h"
#include "meta/delta.h"
#include "meta/partition_image.h"
#include "meta/topic_image.h"

/* The share logs of one topic. */
struct topic {
	struct uuid id;
	struct list logs;
};

/* The bytes of a key, in memory that the caller frees. */
static struct slice
key_make(const struct share_partitions_key *key)
{
	struct share_log_place place = { key->topic_id, key->index };
	uint8_t *bytes = xmalloc(sizeof(place) + key->group_id.len);

	memcpy(bytes, &place, sizeof(place));
	if (key->group_id.len > 0)
		memcpy(bytes + sizeof(place), key->group_id.data,
		    key->group_id.len);
	return slice_of(bytes, sizeof(place) + key->group_id.len);
}

/* Manager locked. */
static void
log_list(struct share_partitions *partitions, struct share_log *log)
{
	struct topic *topic =
	    map_get(&partitions->by_topic, MAP_KEY(log->place.topic_id));

	if (topic == NULL) {
		topic = xcalloc(1, sizeof(*topic));
		topic->id = log->place.topic_id;
		list_init(&topic->logs);
		map_set(&partitions->by_topic, MAP_KEY(topic->id), topic);
	}
	list_append(&topic->logs, &log->of_topic);
	list_append(&partitions->all, &log->node);
	map_set(&partitions->by_key, log->key, log);
	log->found = true;
}

/* Referenced for the caller; *made tells that it is to be loaded. */
static struct share_log *
log_find_or_make(struct share_partitions *partitions, struct slice key,
    int32_t leader_epoch, struct loop *loop, bool *made)
{
	struct share_log *log;

	pthread_mutex_lock(&partitions->mutex);
	log = map_get(&partitions->by_key, key);
	*made = log == NULL;
	if (*made) {
		log = share_log_new(partitions, key, leader_epoch, loop);
		log_list(partitions, log);
	}
	share_log_ref(log);
	pthread_mutex_unlock(&partitions->mutex);
	return log;
}

static enum kp_error
leader_check(
    struct partition *partition, int32_t node_id, int32_t *leader_epoch)
{
	enum kp_error error;

	log_lock(partition->log);
	error = partition_check(
	    partition, node_id, true, PARTITION_ANY_EPOCH);
	*leader_epoch = partition->leader_epoch;
	log_unlock(partition->log);
	return error;
}

struct share_log *
share_partitions_open(struct share_partitions *partitions,
    const struct share_partitions_key *key, struct partition *partition,
    int32_t node_id, struct loop *loop, enum kp_error *error)
{
	struct share_log *log;
	struct slice bytes;
	int32_t leader_epoch;
	bool made;

	*error = leader_check(partition, node_id, &leader_epoch);
	if (*error != KP_NONE)
		return NULL;
	bytes = key_make(key);
	log = log_find_or_make(partitions, bytes, leader_epoch, loop, &made);
	if (log->leader_epoch != leader_epoch) {
		share_log_fail(log, KP_NOT_LEADER_OR_FOLLOWER);
		share_log_unref(log);
		log = log_find_or_make(
		    partitions, bytes, leader_epoch, loop, &made);
	}
	free((void *)(uintptr_t)bytes.data);
	if (made)
		share_log_load(log, partition, node_id);
	else
		share_log_keep(log);
	return log;
}

struct share_log *
share_partitions_find(struct share_partitions *partitions,
    const struct share_partitions_key *key)
{
	struct slice bytes = key_make(key);
	struct share_log *log;

	pthread_mutex_lock(&partitions->mutex);
	log = map_get(&partitions->by_key, bytes);
	if (log != NULL)
		share_log_ref(log);
	pthread_mutex_unlock(&partitions->mutex);
	free((void *)(uintptr_t)bytes.data);
	return log;
}

size_t
share_partitions_count(struct share_partitions *partitions)
{
	size_t count;

	pthread_mutex_lock(&partitions->mutex);
	count = partitions->by_key.count;
	pthread_mutex_unlock(&partitions->mutex);
	return count;
}

/* Manager locked. */
static void
log_unlist(struct share_partitions *partitions, struct share_log *log)
{
	struct topic *topic =
	    map_get(&partitions->by_topic, MAP_KEY(log->place.topic_id));

	assert(topic != NULL);
	log->found = false;
	map_remove(&partitions->by_key, log->key);
	list_remove(&log->of_topic);
	if (!list_empty(&topic->logs))
		return;
	map_remove(&partitions->by_topic, MAP_KEY(topic->id));
	free(topic);
}

bool
share_partitions_unlist(struct share_log *log)
{
	struct share_partitions *partitions = log->partitions;
	bool found;

	pthread_mutex_lock(&partitions->mutex);
	found = log->found;
	if (found)
		log_unlist(partitions, log);
	pthread_mutex_unlock(&partitions->mutex);
	return found;
}

void
share_partitions_release(struct share_partitions *partitions,
    const struct share_partitions_key *key, struct slice member)
{
	struct share_log *log = share_partitions_find(partitions, key);

	if (log == NULL)
		return;
	share_log_release(log, member);
	share_log_unref(log);
}

/* The next share log of the group that may go, referenced, or NULL. */
static struct share_log *
next_of_group(struct share_partitions *partitions, struct slice group_id)
{
	struct share_log *next = NULL;

	pthread_mutex_lock(&partitions->mutex);
	LIST_FOR_EACH (node, &partitions->all) {
		struct share_log *log =
		    LIST_ENTRY(node, struct share_log, node);

		if (next == NULL && log->found &&
		    slice_equal(log->group_id, group_id) &&
		    share_log_abandon(log)) {
			next = log;
			share_log_ref(next);
		}
	}
	pthread_mutex_unlock(&partitions->mutex);
	return next;
}

void
share_partitions_abandon(
    struct share_partitions *partitions, struct slice group_id)
{
	struct share_log *log;

	while ((log = next_of_group(partitions, group_id)) != NULL) {
		share_log_fail(log, KP_NOT_LEADER_OR_FOLLOWER);
		share_log_unref(log);
	}
}

void
share_partitions_session_ended(
    void *context, const struct share_session_end *end)
{
	struct share_partitions *partitions = context;

	for (int32_t i = 0; i < end->partitions_count; i++) {
		const struct share_partitions_key key = {
			.group_id = end->group_id,
			.topic_id = end->partitions[i].topic_id,
			.index = end->partitions[i].index,
		};

		share_partitions_release(partitions, &key, end->member_id);
	}
	if (end->last)
		share_partitions_abandon(partitions, end->group_id);
}

/* Does the metadata say that its leader epoch is over?  topic may be NULL. */
static bool
epoch_over(const struct share_log *log, const struct topic_image *topic)
{
	const struct partition_image *partition = topic == NULL ?
	    NULL :
	    topic_image_partition(topic, (int32_t)log->place.index);

	return partition == NULL ||
	    partition->leader_epoch != log->leader_epoch;
}

/* The next share log of the topic whose epoch is over, referenced, or NULL. */
static struct share_log *
next_over(
    struct share_partitions *partitions, const struct delta_topic *change)
{
	struct share_log *next = NULL;
	struct topic *topic;

	pthread_mutex_lock(&partitions->mutex);
	topic = map_get(&partitions->by_topic, MAP_KEY(change->id));
	if (topic != NULL)
		LIST_FOR_EACH (node, &topic->logs) {
			struct share_log *log =
			    LIST_ENTRY(node, struct share_log, of_topic);

			if (next == NULL && epoch_over(log, change->new))
				next = log;
		}
	if (next != NULL)
		share_log_ref(next);
	pthread_mutex_unlock(&partitions->mutex);
	return next;
}

static void
topic_apply(
    struct share_partitions *partitions, const struct delta_topic *change)
{
	enum kp_error error = change->new == NULL ?
	    KP_UNKNOWN_TOPIC_OR_PARTITION :
	    KP_NOT_LEADER_OR_FOLLOWER;
	struct share_log *log;

	while ((log = next_over(partitions, change)) != NULL) {
		share_log_fail(log, error);
		share_log_unref(log);
	}
}

void
share_partitions_apply(void *context, const struct delta *delta)
{
	struct share_partitions *partitions = context;

	for (size_t i = 0; i < delta->topics_count; i++)
		topic_apply(partitions, delta->topics[i]);
}

struct share_partitions *
share_partitions_new(const struct share_partitions_settings *settings)
{
	struct share_partitions *partitions = xcalloc(1, sizeof(*partitions));

	partitions->settings = *settings;
	pthread_mutex_init(&partitions->mutex, NULL);
	map_init(&partitions->by_key);
	map_init(&partitions->by_topic);
	list_init(&partitions->all);
	return partitions;
}

/* References that timers had are of no account: they run no more. */
void
share_partitions_free(struct share_partitions *partitions)
{
	struct topic *topic;

	if (partitions == NULL)
		return;
	for (size_t at = 0;
	     (topic = map_next(&partitions->by_topic, &at)) != NULL;)
		free(topic);
	LIST_FOR_EACH_SAFE (node, &partitions->all)
		share_log_free(LIST_ENTRY(node, struct share_log, node));
	map_fini(&partitions->by_key);
	map_fini(&partitions->by_topic);
	pthread_mutex_destroy(&partitions->mutex);
	free(partitions);
}
