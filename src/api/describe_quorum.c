/*
 * DescribeQuorum, versions 0-2: the quorum of one that keeps the metadata.
 *
 * There is one voter, its leader, which has all that is acknowledged, and no
 * observer.  Nodes are listed without an endpoint, as a cluster of one has no
 * controller listener.
 */
#include "api/api.h"
#include "api/partitions.h"
#include "base/clock.h"
#include "meta/controller.h"
#include "meta/image.h"
#include "wire/error.h"
#include "wire/generated/describe_quorum.h"

#define METADATA_TOPIC "__cluster_metadata"

static void
fill_voter(struct request *request, const struct controller_quorum *quorum,
    struct kp_describe_quorum_response_partition *entry)
{
	struct kp_describe_quorum_response_replica_state *voter =
	    arena_xcalloc(&request->arena, 1, sizeof(*voter));

	voter->replica_id = quorum->leader_id;
	voter->replica_directory_id = quorum->directory_id;
	voter->log_end_offset = entry->high_watermark;
	voter->last_fetch_timestamp = clock_wall_ms();
	voter->last_caught_up_timestamp = voter->last_fetch_timestamp;
	entry->current_voters = voter;
	entry->current_voters_count = 1;
}

static void
fill_partition(struct request *request, struct slice topic, int32_t index,
    struct kp_describe_quorum_response_partition *entry)
{
	struct image *image = request->server->image;
	struct controller_quorum quorum =
	    controller_quorum(request->server->controller);

	entry->partition_index = index;
	if (!slice_equal_str(topic, METADATA_TOPIC) || index != 0) {
		entry->error_code = KP_UNKNOWN_TOPIC_OR_PARTITION;
		entry->error_message = slice_str(
		    kp_error_message(KP_UNKNOWN_TOPIC_OR_PARTITION));
		return;
	}
	image_read_lock(image);
	entry->high_watermark = image_offset(image) + 1;
	image_read_unlock(image);
	entry->error_message = slice_str("");
	entry->leader_id = quorum.leader_id;
	entry->leader_epoch = quorum.leader_epoch;
	fill_voter(request, &quorum, entry);
}

static void
fill_topic(struct request *request,
    const struct kp_describe_quorum_request_topic *topic,
    struct kp_describe_quorum_response_topic *entry)
{
	entry->topic_name = topic->topic_name;
	entry->partitions_count = MAX(topic->partitions_count, 0);
	entry->partitions = arena_xcalloc(&request->arena,
	    (size_t)entry->partitions_count, sizeof(*entry->partitions));
	for (int32_t i = 0; i < entry->partitions_count; i++)
		fill_partition(request, topic->topic_name,
		    topic->partitions[i].partition_index,
		    &entry->partitions[i]);
}

static void
fill_nodes(struct request *request,
    struct kp_describe_quorum_response *response)
{
	response->nodes =
	    arena_xcalloc(&request->arena, 1, sizeof(*response->nodes));
	response->nodes_count = 1;
	response->nodes->node_id =
	    controller_quorum(request->server->controller).leader_id;
}

static int64_t
partitions_total(const struct kp_describe_quorum_request *body)
{
	int64_t total = 0;

	for (int32_t i = 0; i < body->topics_count; i++)
		total += MAX(body->topics[i].partitions_count, 0);
	return total;
}

static void
handle_describe_quorum(struct request *request)
{
	const struct kp_describe_quorum_request *body = request->body;
	struct kp_describe_quorum_response *response =
	    request_response_new(request);
	size_t count = (size_t)MAX(body->topics_count, 0);

	if (partitions_total(body) > PARTITIONS_MAX) {
		request_close(request, "quorums of too many partitions");
		return;
	}
	response->error_message = slice_str("");
	response->topics = arena_xcalloc(
	    &request->arena, count, sizeof(*response->topics));
	response->topics_count = (int32_t)count;
	for (size_t i = 0; i < count; i++)
		fill_topic(request, &body->topics[i], &response->topics[i]);
	fill_nodes(request, response);
	request_reply(request, response);
}

const struct api api_describe_quorum = API_ROW(
    describe_quorum, API_CLUSTER(ACL_DESCRIBE));
