/*
 * DescribeTopicPartitions, version 0: topics in the order of their names,
 * piece by piece (KIP-966).
 */
#include "api/api.h"
#include "api/brokers.h"
#include "base/tally.h"
#include "meta/image.h"
#include "wire/generated/describe_topic_partitions.h"

/* One topic that the answer is about. */
struct wanted {
	struct slice name;
	const struct topic_image *topic;	/* NULL: there is none */
};

struct answer {
	struct request *request;
	struct kp_describe_topic_partitions_response *response;
	struct kp_describe_topic_partitions_response_next_cursor *next;
	int32_t room;		/* partitions that still fit */
};

static const struct kp_describe_topic_partitions_request *
body_of(const struct request *request)
{
	return request->body;
}

static bool
may_describe(const struct request *request, struct slice name)
{
	return request_allows(request, ACL_DESCRIBE, ACL_RESOURCE_TOPIC, name);
}

static int
compare_wanted(const void *a, const void *b)
{
	const struct wanted *left = a, *right = b;

	return slice_compare(left->name, right->name);
}

/* The topics that were named, each once, without those not to be seen. */
static struct wanted *
take_named(struct request *request, size_t *count)
{
	const struct kp_describe_topic_partitions_request *body =
	    body_of(request);
	struct wanted *list = arena_xcalloc(&request->arena,
	    (size_t)body->topics_count, sizeof(*list));
	struct tally seen;

	*count = 0;
	tally_init(&seen);
	for (int32_t i = 0; i < body->topics_count; i++) {
		struct slice name = body->topics[i].name;

		if (tally_add(&seen, name) > 1 || !may_describe(request, name))
			continue;
		list[*count].name = name;
		list[(*count)++].topic =
		    image_topic(request->server->image, name);
	}
	tally_fini(&seen);
	return list;
}

static struct wanted *
take_all(struct request *request, size_t *count)
{
	struct image *image = request->server->image;
	struct wanted *list = arena_xcalloc(&request->arena,
	    image_topics_count(image), sizeof(*list));
	const struct topic_image *topic;

	*count = 0;
	for (size_t at = 0; (topic = image_topic_next(image, &at)) != NULL;) {
		if (!request_sees(request, ACL_DESCRIBE, ACL_RESOURCE_TOPIC,
			topic->name))
			continue;
		list[*count].name = topic->name;
		list[(*count)++].topic = topic;
	}
	return list;
}

static int32_t *
borrowed_ids(struct partition_image_ids ids, int32_t *count)
{
	*count = ids.count;
	return (int32_t *)(uintptr_t)ids.ids;
}

static void
fill_partition(struct request *request,
    const struct partition_image *partition, int32_t index,
    struct kp_describe_topic_partitions_response_partition *entry)
{
	entry->partition_index = index;
	entry->leader_id =
	    brokers_alive(request, partition->leader) ? partition->leader : -1;
	entry->leader_epoch = partition->leader_epoch;
	entry->replica_nodes =
	    borrowed_ids(partition->replicas, &entry->replica_nodes_count);
	entry->isr_nodes =
	    borrowed_ids(partition->isr, &entry->isr_nodes_count);
	entry->eligible_leader_replicas = borrowed_ids(partition->elr,
	    &entry->eligible_leader_replicas_count);
	entry->last_known_elr = borrowed_ids(partition->last_known_elr,
	    &entry->last_known_elr_count);
	entry->offline_replicas = brokers_offline(request, partition,
	    &entry->offline_replicas_count);
}

static void
set_next(struct answer *answer, struct slice name, int32_t partition)
{
	answer->next = arena_xcalloc(&answer->request->arena, 1,
	    sizeof(*answer->next));
	answer->next->topic_name = name;
	answer->next->partition_index = partition;
	answer->response->next_cursor = answer->next;
}

static void
add_topic(struct answer *answer, const struct wanted *wanted, int32_t first)
{
	struct request *request = answer->request;
	const struct topic_image *topic = wanted->topic;
	struct kp_describe_topic_partitions_response_topic *entry =
	    &answer->response->topics[answer->response->topics_count++];
	int32_t left;

	entry->name = wanted->name;
	entry->topic_authorized_operations = request_operations(request,
	    ACL_RESOURCE_TOPIC, wanted->name);
	if (topic == NULL) {
		entry->error_code = topic_image_name_valid(wanted->name,
					NULL) ?
		    KP_UNKNOWN_TOPIC_OR_PARTITION :
		    KP_INVALID_TOPIC_EXCEPTION;
		return;
	}
	entry->topic_id = topic->id;
	entry->is_internal = topic->internal;
	left = MAX(topic->partitions_count - first, 0);
	entry->partitions_count = MIN(left, answer->room);
	entry->partitions = arena_xcalloc(&request->arena,
	    (size_t)entry->partitions_count, sizeof(*entry->partitions));
	for (int32_t i = 0; i < entry->partitions_count; i++)
		fill_partition(request, topic->partitions[first + i],
		    first + i, &entry->partitions[i]);
	answer->room -= entry->partitions_count;
	if (entry->partitions_count < left)
		set_next(answer, topic->name,
		    first + entry->partitions_count);
}

/* Topics that may not be described are named behind the others. */
static void
add_denied(struct answer *answer)
{
	struct request *request = answer->request;
	const struct kp_describe_topic_partitions_request *body =
	    body_of(request);

	for (int32_t i = 0; i < body->topics_count; i++) {
		struct kp_describe_topic_partitions_response_topic *entry;

		if (may_describe(request, body->topics[i].name))
			continue;
		entry =
		    &answer->response->topics[answer->response->topics_count++];
		entry->name = body->topics[i].name;
		entry->error_code = KP_TOPIC_AUTHORIZATION_FAILED;
	}
}

static void
fill(struct answer *answer, const struct wanted *list, size_t count)
{
	const struct kp_describe_topic_partitions_request_cursor *cursor =
	    body_of(answer->request)->cursor;

	for (size_t i = 0; i < count && answer->next == NULL; i++) {
		int32_t first = 0;

		if (cursor != NULL) {
			int order =
			    slice_compare(list[i].name, cursor->topic_name);

			if (order < 0)
				continue;
			first = order == 0 ? cursor->partition_index : 0;
		}
		if (answer->room == 0)
			set_next(answer, list[i].name, first);
		else
			add_topic(answer, &list[i], first);
	}
}

/* A cursor has to stand at one of the topics that were named. */
static bool
cursor_valid(const struct request *request)
{
	const struct kp_describe_topic_partitions_request *body =
	    body_of(request);

	if (body->cursor == NULL)
		return true;
	if (body->cursor->partition_index < 0)
		return false;
	for (int32_t i = 0; i < body->topics_count; i++)
		if (slice_equal(body->topics[i].name,
			body->cursor->topic_name))
			return true;
	return body->topics_count == 0;
}

static struct kp_describe_topic_partitions_response *
response_new(struct request *request, size_t topics)
{
	struct kp_describe_topic_partitions_response *response =
	    request_response_new(request);

	assert(topics <= INT32_MAX);
	response->topics = kp_array(&request->arena,
	    &kp_describe_topic_partitions_response_topic_struct,
	    (int32_t)topics);
	assert(response->topics != NULL);
	return response;
}

static void
fail_describe_topic_partitions(struct request *request, enum kp_error error)
{
	const struct kp_describe_topic_partitions_request *body =
	    body_of(request);
	struct kp_describe_topic_partitions_response *response =
	    response_new(request, (size_t)body->topics_count);

	response->topics_count = body->topics_count;
	for (int32_t i = 0; i < body->topics_count; i++) {
		response->topics[i].name = body->topics[i].name;
		response->topics[i].error_code = (int16_t)error;
	}
	request_reply(request, response);
}

static void
handle_describe_topic_partitions(struct request *request)
{
	const struct kp_describe_topic_partitions_request *body =
	    body_of(request);
	struct image *image = request->server->image;
	struct answer answer = { .request = request };
	struct wanted *list;
	size_t count;

	if (!cursor_valid(request)) {
		request_fail(request, KP_INVALID_REQUEST);
		return;
	}
	answer.room = MAX(1,
	    MIN(body->response_partition_limit,
		request->server->settings->request_partitions_max));
	image_read_lock(image);
	list = body->topics_count == 0 ? take_all(request, &count) :
					 take_named(request, &count);
	qsort(list, count, sizeof(*list), compare_wanted);
	/* Whoever was named is listed or denied. */
	answer.response =
	    response_new(request, MAX(count, (size_t)body->topics_count));
	fill(&answer, list, count);
	add_denied(&answer);
	request_reply(request, answer.response);
	image_read_unlock(image);
}

const struct api api_describe_topic_partitions =
    API_ROW(describe_topic_partitions, API_ENTRIES,
	.fail = fail_describe_topic_partitions);
