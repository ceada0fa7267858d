/*
 * OffsetCommit, versions 2-10; from version 10 on by topic id.
 *
 * Partitions that are not there or may not be read are answered here; the
 * others go to the group's coordinator as one commit.
 */
#include "api/api.h"
#include "api/coordinated.h"
#include "api/offset_commits.h"
#include "wire/generated/offset_commit.h"

#define VERSION_TOPIC_IDS 10

struct state {
	struct group_call *call;
	struct group_commit commit;
};

/* --- The request's offsets, and the answer's ------------------------------ */

static void
take_topic(struct request *request,
    const struct kp_offset_commit_request_topic *asked,
    struct group_topic *taken)
{
	taken->name = asked->name;
	taken->id = asked->topic_id;
	offset_commits_offsets(request, taken, asked->partitions_count);
	for (int32_t i = 0; i < taken->offsets_count; i++) {
		const struct kp_offset_commit_request_partition *partition =
		    &asked->partitions[i];

		taken->offsets[i] = offset_commits_offset(
		    partition->partition_index, partition->committed_offset,
		    partition->committed_leader_epoch,
		    partition->committed_metadata);
	}
}

static void
take(struct request *request, struct group_commit *commit)
{
	const struct kp_offset_commit_request *body = request->body;

	commit->group_id = body->group_id;
	commit->generation_id = body->generation_id_or_member_epoch;
	commit->member_id = body->member_id;
	commit->instance_id = body->group_instance_id;
	commit->retention_ms = body->retention_time_ms;
	offset_commits_topics(request, commit, body->topics_count);
	for (int32_t i = 0; i < commit->topics_count; i++)
		take_topic(request, &body->topics[i], &commit->topics[i]);
}

static void
answer_topic(struct request *request, const struct group_topic *committed,
    struct kp_offset_commit_response_topic *topic)
{
	topic->partitions = arena_xcalloc(&request->arena,
	    (size_t)committed->offsets_count, sizeof(*topic->partitions));
	topic->partitions_count = committed->offsets_count;
	for (int32_t i = 0; i < topic->partitions_count; i++) {
		const struct group_offset *offset = &committed->offsets[i];

		topic->partitions[i].partition_index = offset->partition;
		topic->partitions[i].error_code = (int16_t)offset->error;
	}
}

static void
reply(struct request *request, const struct group_commit *commit)
{
	const struct kp_offset_commit_request *body = request->body;
	struct kp_offset_commit_response *response =
	    request_response_new(request);

	response->topics = arena_xcalloc(&request->arena,
	    (size_t)commit->topics_count, sizeof(*response->topics));
	response->topics_count = commit->topics_count;
	for (int32_t i = 0; i < response->topics_count; i++) {
		response->topics[i].name = body->topics[i].name;
		response->topics[i].topic_id = body->topics[i].topic_id;
		answer_topic(request, &commit->topics[i], &response->topics[i]);
	}
	request_reply(request, response);
}

/* --- The request ---------------------------------------------------------- */

static void
fail_offset_commit(struct request *request, enum kp_error error)
{
	struct group_commit commit = { 0 };

	take(request, &commit);
	offset_commits_fail(&commit, error);
	reply(request, &commit);
}

static void
answer(struct request *request)
{
	struct state *state = request->state;

	offset_commits_fail(&state->commit, state->call->call.error);
	reply(request, &state->commit);
}

static void
handle_offset_commit(struct request *request)
{
	const struct kp_offset_commit_request *body = request->body;
	struct coordinated *all;
	struct state *state;

	if (!coordinated_allowed(request, ACL_READ, body->group_id)) {
		fail_offset_commit(request, KP_GROUP_AUTHORIZATION_FAILED);
		return;
	}
	state = arena_xcalloc(&request->arena, 1, sizeof(*state));
	take(request, &state->commit);
	if (offset_commits_check(request, &state->commit,
		request->version >= VERSION_TOPIC_IDS) == 0) {
		reply(request, &state->commit);
		return;
	}
	all = coordinated_new(request, answer);
	state->call = coordinated_call(all);
	request->state = state;
	group_coordinator_commit(
	    request->server->groups, state->call, &state->commit);
	coordinated_wait(all);
}

const struct api api_offset_commit =
    API_ROW(offset_commit, API_ENTRIES, .fail = fail_offset_commit);
