#include "meta/elect_leaders_op.h"

#include "meta/broker_ops.h"
#include "meta/elr.h"
#include "wire/error.h"

/* The broker, if it is alive and has a replica that works; else NULL. */
static const struct broker_image *
candidate(const struct delta *view, const struct partition_image *partition,
    int32_t id)
{
	const struct broker_image *broker = delta_broker(view, id);

	return broker != NULL && !broker->fenced &&
		broker_ops_has_replica(broker, partition) ?
	    broker :
	    NULL;
}

/* The first replica; PARTITION_IMAGE_NO_LEADER where there is none. */
static int32_t
preferred(const struct partition_image *partition)
{
	return partition->replicas.count > 0 ? partition->replicas.ids[0] :
					       PARTITION_IMAGE_NO_LEADER;
}

/* The preferred leader, if it holds all, or else was the last one. */
static const struct broker_image *
preferred_able(const struct delta *view,
    const struct partition_image *partition)
{
	int32_t id = preferred(partition);

	return elr_holds_all(partition, id) ||
		(elr_is_on(view) && elr_was_last_leader(partition, id)) ?
	    candidate(view, partition, id) :
	    NULL;
}

static const struct broker_image *
any(const struct delta *view, const struct partition_image *partition)
{
	const struct broker_image *found = NULL;

	for (int32_t i = 0; found == NULL && i < partition->replicas.count; i++)
		found = candidate(view, partition, partition->replicas.ids[i]);
	return found;
}

static enum kp_error
elect(const struct elect_leaders_op *op, struct controller *controller,
    const struct topic_image *topic, int32_t index)
{
	const struct partition_image *partition =
	    topic_image_partition(topic, index);
	const struct delta *view = controller_view(controller);
	bool unclean = op->request->election_type == ELECT_LEADERS_UNCLEAN;
	const struct broker_image *leader;

	if (unclean ? partition->leader != PARTITION_IMAGE_NO_LEADER :
		      partition->leader == preferred(partition))
		return KP_ELECTION_NOT_NEEDED;
	leader = unclean ? any(view, partition) :
			   preferred_able(view, partition);
	if (leader == NULL)
		return unclean ? KP_ELIGIBLE_LEADERS_NOT_AVAILABLE :
				 KP_PREFERRED_LEADER_NOT_AVAILABLE;
	broker_ops_elect(controller, leader->id, topic->id, index, partition,
	    !elr_holds_all(partition, leader->id));
	return KP_NONE;
}

/* For the one that the request names. */
static void
answer_named(struct elect_leaders_op *op, struct controller *controller,
    struct slice name, int32_t index, struct kp_elect_leaders_response_partition *entry)
{
	const struct topic_image *topic =
	    delta_topic(controller_view(controller), name);
	enum kp_error error = KP_UNKNOWN_TOPIC_OR_PARTITION;

	entry->partition_id = index;
	entry->error_message = SLICE_NULL;
	if (topic == NULL) {
		entry->error_message = arena_printf(op->arena,
		    "No such topic as %.*s", SLICE_ARG(name));
	} else if (topic_image_partition(topic, index) == NULL) {
		entry->error_message = arena_printf(op->arena,
		    "No such partition as %.*s-%d", SLICE_ARG(name), index);
	} else {
		error = elect(op, controller, topic, index);
		if (error != KP_NONE)
			entry->error_message =
			    slice_str(kp_error_message(error));
	}
	entry->error_code = (int16_t)error;
}

static void
elect_named(struct elect_leaders_op *op, struct controller *controller,
    const struct kp_elect_leaders_request_topic_partition *topic,
    struct kp_elect_leaders_response_topic *entry)
{
	entry->topic = topic->topic;
	entry->partition_result_count = MAX(topic->partitions_count, 0);
	entry->partition_result = arena_xcalloc(op->arena,
	    (size_t)entry->partition_result_count,
	    sizeof(*entry->partition_result));
	for (int32_t i = 0; i < entry->partition_result_count; i++)
		answer_named(op, controller, topic->topic,
		    topic->partitions[i], &entry->partition_result[i]);
}

/* All partitions of a topic, but shown are only those that needed one. */
static void
elect_topic(struct elect_leaders_op *op, struct controller *controller,
    const struct topic_image *topic, struct kp_elect_leaders_response_topic *entry)
{
	/* The answer outlives the topic as it was. */
	entry->topic = arena_copy(op->arena, topic->name);
	entry->partition_result = arena_xcalloc(op->arena,
	    (size_t)topic->partitions_count, sizeof(*entry->partition_result));
	entry->partition_result_count = 0;
	for (int32_t i = 0; i < topic->partitions_count; i++) {
		struct kp_elect_leaders_response_partition *shown =
		    &entry->partition_result[entry->partition_result_count];

		answer_named(op, controller, topic->name, i, shown);
		if (shown->error_code != KP_ELECTION_NOT_NEEDED)
			entry->partition_result_count++;
	}
}

/*
 * The image is walked, as the view changes meanwhile; topics that came with
 * operations before this one have the leaders that they want.
 */
static void
elect_all(struct elect_leaders_op *op, struct controller *controller)
{
	const struct delta *view = controller_view(controller);
	struct kp_elect_leaders_response *response = &op->response;
	const struct topic_image *topic, *now;

	response->replica_election_results =
	    arena_xcalloc(op->arena, image_topics_count(view->image),
		sizeof(*response->replica_election_results));
	for (size_t at = 0;
	     (topic = image_topic_next(view->image, &at)) != NULL;) {
		now = delta_topic(view, topic->name);
		if (now != NULL)
			elect_topic(op, controller, now,
			    &response->replica_election_results
				 [response->replica_election_results_count++]);
	}
}

static void
run(struct controller_op *base, struct controller *controller)
{
	struct elect_leaders_op *op =
	    CONTAINER_OF(base, struct elect_leaders_op, op);
	struct kp_elect_leaders_response *response = &op->response;
	int32_t count = op->request->topic_partitions_count;

	memset(response, 0, sizeof(*response));
	if (count < 0) {
		elect_all(op, controller);
		return;
	}
	response->replica_election_results = arena_xcalloc(op->arena,
	    (size_t)count, sizeof(*response->replica_election_results));
	response->replica_election_results_count = count;
	for (int32_t i = 0; i < count; i++)
		elect_named(op, controller, &op->request->topic_partitions[i],
		    &response->replica_election_results[i]);
}

void
elect_leaders_op_init(struct elect_leaders_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run;
}
