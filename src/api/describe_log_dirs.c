/*
 * DescribeLogDirs, versions 1-5: the log directories, their file systems, and
 * the logs in them.
 *
 * No directory is ever cordoned.  The pool does it, because a file system may
 * hang.
 */
#include "api/api.h"
#include "api/partition_index.h"
#include "api/partitions.h"
#include "base/worker.h"
#include "store/disk.h"
#include "store/log_manager.h"
#include "wire/generated/describe_log_dirs.h"

#include <stdlib.h>

struct replica {
	size_t directory;
	struct slice topic; /* in the arena */
	struct kp_describe_log_dirs_response_partition answer;
};

struct description {
	struct request *request;
	struct kp_describe_log_dirs_response *response;
	struct partition_index wanted; /* where not all are */
	bool all;
	struct replica *replicas; /* owned */
	size_t count;
	struct task task;
};

static const struct kp_describe_log_dirs_request *
body_of(const struct description *description)
{
	return description->request->body;
}

static void
note_wanted(struct description *description)
{
	const struct kp_describe_log_dirs_request *body = body_of(description);
	struct partition_index *wanted = &description->wanted;

	partition_index_init(wanted, &description->request->arena);
	description->all = body->topics_count < 0;
	for (int32_t i = 0; i < body->topics_count; i++) {
		uint32_t topic =
		    partition_index_topic(wanted, body->topics[i].topic);

		for (int32_t j = 0; j < body->topics[i].partitions_count; j++)
			partition_index_set(wanted, topic,
			    body->topics[i].partitions[j], description);
	}
}

static void
see_replica(void *context, const struct log_manager_replica *seen)
{
	struct description *description = context;
	struct arena *arena = &description->request->arena;
	struct slice topic = slice_str(seen->topic);
	size_t count = description->count;

	if ((!description->all &&
		partition_index_get(&description->wanted, topic,
		    seen->partition) == NULL) ||
	    arena_overdrawn(arena))
		return;
	/* Capacities are the powers of two. */
	if ((count & (count - 1)) == 0)
		description->replicas = xrealloc(description->replicas,
		    MAX(1, count * 2) * sizeof(*description->replicas));
	description->replicas[description->count++] = (struct replica){
		.directory = seen->directory,
		.topic = arena_copy(arena, topic),
		.answer = {
			.partition_index = seen->partition,
			.partition_size = seen->size_bytes,
			.offset_lag = seen->offset_lag,
			.is_future_key = seen->future,
		},
	};
}

static int
compare(const void *a, const void *b)
{
	const struct replica *left = a, *right = b;
	int order;

	if (left->directory != right->directory)
		return left->directory < right->directory ? -1 : 1;
	order = slice_compare(left->topic, right->topic);
	if (order != 0)
		return order;
	if (left->answer.partition_index != right->answer.partition_index)
		return left->answer.partition_index <
			right->answer.partition_index ?
		    -1 :
		    1;
	return (int)left->answer.is_future_key -
	    (int)right->answer.is_future_key;
}

static size_t
topics_count(const struct replica *replicas, size_t count)
{
	size_t topics = 0;

	for (size_t i = 0; i < count; i++)
		topics += i == 0 ||
		    !slice_equal(replicas[i].topic, replicas[i - 1].topic);
	return topics;
}

/* The topics of one directory, whose replicas are in order. */
static void
fill_topics(struct description *description, const struct replica *replicas,
    size_t count, struct kp_describe_log_dirs_response_result *result)
{
	struct arena *arena = &description->request->arena;
	struct kp_describe_log_dirs_response_partition *partitions =
	    arena_xcalloc(arena, count, sizeof(*partitions));
	struct kp_describe_log_dirs_response_topic *topic = NULL;

	result->topics = arena_xcalloc(
	    arena, topics_count(replicas, count), sizeof(*topic));
	for (size_t i = 0; i < count; i++) {
		partitions[i] = replicas[i].answer;
		if (topic == NULL ||
		    !slice_equal(topic->name, replicas[i].topic)) {
			topic = &result->topics[result->topics_count++];
			topic->name = replicas[i].topic;
			topic->partitions = &partitions[i];
		}
		topic->partitions_count++;
	}
}

static void
fill_space(struct description *description, size_t number,
    struct kp_describe_log_dirs_response_result *result)
{
	struct log_manager *logs = description->request->server->logs;
	struct disk_space space;

	if (description->request->version < 4 ||
	    log_manager_directory(logs, number).offline)
		return;
	if (log_manager_directory_space(logs, number, &space) == 0) {
		result->total_bytes = space.total_bytes;
		result->usable_bytes = space.usable_bytes;
	} else {
		result->error_code = KP_KAFKA_STORAGE_ERROR;
	}
}

static void
fill_directories(struct description *description)
{
	struct log_manager *logs = description->request->server->logs;
	struct kp_describe_log_dirs_response *response = description->response;
	int32_t directories = (int32_t)log_manager_directory_count(logs);

	response->results = kp_array(&description->request->arena,
	    &kp_describe_log_dirs_response_result_struct, directories);
	if (response->results == NULL)
		return;
	response->results_count = directories;
	for (size_t number = 0, at = 0; number < (size_t)directories;
	     number++) {
		struct kp_describe_log_dirs_response_result *result =
		    &response->results[number];
		struct log_manager_directory directory;
		size_t from = at;

		while (at < description->count &&
		    description->replicas[at].directory == number)
			at++;
		fill_space(description, number, result);
		/* After that: it may have failed meanwhile. */
		directory = log_manager_directory(logs, number);
		result->log_dir = slice_str(directory.path);
		if (directory.offline)
			result->error_code = KP_KAFKA_STORAGE_ERROR;
		else if (result->error_code == KP_NONE)
			fill_topics(description, description->replicas + from,
			    at - from, result);
	}
}

static void
answer(struct request *request)
{
	struct description *description = request->state;

	request_reply(request, description->response);
}

static void
on_pool(struct task *task)
{
	struct description *description =
	    CONTAINER_OF(task, struct description, task);

	note_wanted(description);
	log_manager_describe(
	    description->request->server->logs, see_replica, description);
	partition_index_fini(&description->wanted);
	if (description->count > 0)
		qsort(description->replicas, description->count,
		    sizeof(*description->replicas), compare);
	fill_directories(description);
	free(description->replicas);
	request_post(description->request, answer);
}

static int64_t
partitions_total(const struct kp_describe_log_dirs_request *body)
{
	int64_t total = 0;

	for (int32_t i = 0; i < body->topics_count; i++)
		total += MAX(body->topics[i].partitions_count, 0);
	return total;
}

static void
handle_describe_log_dirs(struct request *request)
{
	struct description *description;

	if (partitions_total(request->body) > PARTITIONS_MAX) {
		request_close(request, "a description of too many partitions");
		return;
	}
	description = arena_xcalloc(&request->arena, 1, sizeof(*description));
	description->request = request;
	description->response = request_response_new(request);
	description->task.run = on_pool;
	request->state = description;
	worker_pool_post(request->server->cold_reads, &description->task);
}

/* Below version 3 a refusal is an empty list. */
static void
fail_describe_log_dirs(struct request *request, enum kp_error error)
{
	struct kp_describe_log_dirs_response *response =
	    request_response_new(request);

	response->error_code = (int16_t)error;
	request_reply(request, response);
}

const struct api api_describe_log_dirs = API_ROW(describe_log_dirs,
    API_CLUSTER(ACL_DESCRIBE), .fail = fail_describe_log_dirs);
