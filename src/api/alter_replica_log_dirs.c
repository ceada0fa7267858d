/*
 * AlterReplicaLogDirs, versions 1-2: move partitions between the log
 * directories of this node (KIP-113).
 *
 * It is answered as soon as the moves have begun.  The pool does it, because
 * that makes files.
 */
#include "api/api.h"
#include "api/partitions.h"
#include "base/worker.h"
#include "meta/image.h"
#include "store/log_manager.h"
#include "wire/generated/alter_replica_log_dirs.h"

#include <stdlib.h>

/* A partition of the request, and what becomes of it. */
struct wish {
	struct slice topic;
	struct kp_alter_replica_log_dirs_response_partition answer;
};

struct alteration {
	struct request *request;
	struct kp_alter_replica_log_dirs_response *response;
	struct wish *wishes; /* in the arena */
	size_t count;
	struct task task;
};

static bool
find_directory(
    const struct request *request, struct slice path, size_t *number)
{
	const struct log_manager *logs = request->server->logs;

	for (*number = 0; *number < log_manager_directory_count(logs);
	     ++*number)
		if (slice_equal_str(
			path, log_manager_directory(logs, *number).path))
			return true;
	return false;
}

/* Why there is no log of it. */
static enum kp_error
explain_missing(
    const struct request *request, struct slice topic, int32_t partition)
{
	struct image *image = request->server->image;
	const struct partition_image *found = NULL;
	const struct topic_image *known;
	enum kp_error error = KP_UNKNOWN_TOPIC_OR_PARTITION;

	image_read_lock(image);
	known = image_topic(image, topic);
	if (known != NULL)
		found = topic_image_partition(known, partition);
	if (found != NULL)
		error = partition_image_ids_contain(
			    found->replicas, request->node_id) ?
		    KP_KAFKA_STORAGE_ERROR :
		    KP_REPLICA_NOT_AVAILABLE;
	image_read_unlock(image);
	return error;
}

static enum kp_error
move(const struct request *request, struct slice path, struct slice topic,
    int32_t partition)
{
	enum kp_error error;
	size_t number;

	if (!find_directory(request, path, &number))
		return KP_LOG_DIR_NOT_FOUND;
	error = log_manager_move(
	    request->server->logs, topic, partition, number);
	return error == KP_NOT_LEADER_OR_FOLLOWER ?
	    explain_missing(request, topic, partition) :
	    error;
}

static size_t
wishes_total(const struct kp_alter_replica_log_dirs_request *body)
{
	size_t total = 0;

	for (int32_t i = 0; i < body->dirs_count; i++)
		for (int32_t j = 0; j < body->dirs[i].topics_count; j++)
			total += (size_t)MAX(
			    body->dirs[i].topics[j].partitions_count, 0);
	return total;
}

/* Call fn for each partition of the request, and note what it says. */
static void
wishes_make(struct alteration *alteration,
    enum kp_error (*fn)(const struct request *request, struct slice path,
	struct slice topic, int32_t partition))
{
	struct request *request = alteration->request;
	const struct kp_alter_replica_log_dirs_request *body = request->body;

	alteration->wishes = arena_xcalloc(&request->arena,
	    wishes_total(body), sizeof(*alteration->wishes));
	for (int32_t i = 0; i < body->dirs_count; i++) {
		const struct kp_alter_replica_log_dirs_request_dir *dir =
		    &body->dirs[i];

		for (int32_t j = 0; j < dir->topics_count; j++)
			for (int32_t k = 0;
			     k < dir->topics[j].partitions_count; k++) {
				int32_t partition =
				    dir->topics[j].partitions[k];
				struct wish *wish =
				    &alteration->wishes[alteration->count++];

				wish->topic = dir->topics[j].name;
				wish->answer.partition_index = partition;
				wish->answer.error_code = (int16_t)fn(request,
				    dir->path, wish->topic, partition);
			}
	}
}

static int
compare(const void *a, const void *b)
{
	const struct wish *left = a, *right = b;
	int order = slice_compare(left->topic, right->topic);

	if (order != 0)
		return order;
	return left->answer.partition_index < right->answer.partition_index ?
	    -1 :
	    left->answer.partition_index > right->answer.partition_index;
}

/* Each topic once, with all that was asked of it. */
static void
fill(struct alteration *alteration)
{
	struct arena *arena = &alteration->request->arena;
	struct kp_alter_replica_log_dirs_response *response =
	    alteration->response;
	struct kp_alter_replica_log_dirs_response_partition *partitions =
	    arena_xcalloc(arena, alteration->count, sizeof(*partitions));
	struct kp_alter_replica_log_dirs_response_topic *topic = NULL;

	if (alteration->count > 0)
		qsort(alteration->wishes, alteration->count,
		    sizeof(*alteration->wishes), compare);
	response->results =
	    arena_xcalloc(arena, alteration->count, sizeof(*topic));
	for (size_t i = 0; i < alteration->count; i++) {
		const struct wish *wish = &alteration->wishes[i];

		partitions[i] = wish->answer;
		if (topic == NULL ||
		    !slice_equal(topic->topic_name, wish->topic)) {
			topic = &response->results[response->results_count++];
			topic->topic_name = wish->topic;
			topic->partitions = &partitions[i];
		}
		topic->partitions_count++;
	}
}

static void
answer(struct request *request)
{
	struct alteration *alteration = request->state;

	request_reply(request, alteration->response);
}

static void
on_pool(struct task *task)
{
	struct alteration *alteration =
	    CONTAINER_OF(task, struct alteration, task);

	wishes_make(alteration, move);
	fill(alteration);
	request_post(alteration->request, answer);
}

static struct alteration *
alteration_new(struct request *request)
{
	struct alteration *alteration =
	    arena_xcalloc(&request->arena, 1, sizeof(*alteration));

	alteration->request = request;
	alteration->response = request_response_new(request);
	alteration->task.run = on_pool;
	request->state = alteration;
	return alteration;
}

static void
handle_alter_replica_log_dirs(struct request *request)
{
	if (wishes_total(request->body) > PARTITIONS_MAX) {
		request_close(request, "moves of too many partitions");
		return;
	}
	worker_pool_post(request->server->cold_reads,
	    &alteration_new(request)->task);
}

static enum kp_error
leave(const struct request *request UNUSED, struct slice path UNUSED,
    struct slice topic UNUSED, int32_t partition UNUSED)
{
	return KP_NONE;
}

/* Every partition has the error. */
static void
fail_alter_replica_log_dirs(struct request *request, enum kp_error error)
{
	struct alteration *alteration = alteration_new(request);

	wishes_make(alteration, leave);
	for (size_t i = 0; i < alteration->count; i++)
		alteration->wishes[i].answer.error_code = (int16_t)error;
	fill(alteration);
	answer(request);
}

const struct api api_alter_replica_log_dirs = API_ROW(alter_replica_log_dirs,
    API_CLUSTER(ACL_ALTER),
    .flags = API_CHANGES, .fail = fail_alter_replica_log_dirs);
