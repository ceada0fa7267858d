#include "coord/share_group_heartbeat.h"

#include "base/slice.h"
#include "coord/share_group_record.h"
#include "meta/topic_image.h"
#include "wire/generated/share_group_heartbeat.h"

/* What could not be written down is tried again after this. */
#define RETRY_MS 500

/* What one request may name; Kafka has no limit, and a cluster fewer topics. */
#define NAMES_MAX 100000

/* A heartbeat that is being served. */
struct beating {
	struct group_shard *shard;
	struct group_call *call;
	const struct kp_share_group_heartbeat_request *request;
	struct kp_share_group_heartbeat_response *response;
	struct share_group_change change;
	struct share_group *fresh;	/* owned; of a group that is made */
	struct share_member draft;
	struct share_member copy;	/* of one that is new */
	const struct share_member *known; /* as what it was before */
	bool assigned_anew;		/* what it is to have */
};

/* --- What does not depend on the group ------------------------------------ */

static enum kp_error
refuse(struct slice *message, const char *text)
{
	*message = slice_str(text);
	return KP_INVALID_REQUEST;
}

/* Present, and nothing but blanks. */
static bool
blank(struct slice text)
{
	return !slice_is_null(text) && slice_trim(text).len == 0;
}

enum kp_error
share_group_heartbeat_check(
    const struct kp_share_group_heartbeat_request *request,
    struct slice *message)
{
	if (blank(request->member_id))
		return refuse(message, "MemberId can't be empty.");
	if (blank(request->group_id))
		return refuse(message, "GroupId can't be empty.");
	if (blank(request->rack_id))
		return refuse(message, "RackId can't be empty.");
	if (request->member_epoch == SHARE_EPOCH_JOIN &&
	    request->subscribed_topic_names_count <= 0)
		return refuse(message,
		    "SubscribedTopicNames must be set in first request.");
	if (request->member_epoch < SHARE_EPOCH_LEAVE)
		return refuse(message, "MemberEpoch is invalid.");
	if (request->subscribed_topic_names_count > NAMES_MAX)
		return refuse(message, "Too many topics are subscribed to.");
	return KP_NONE;
}

/* --- Errors --------------------------------------------------------------- */

static enum kp_error
fail(struct beating *b, enum kp_error error, struct slice text)
{
	b->response->error_message = text;
	return error;
}

static enum kp_error
fail_group(struct beating *b, const char *what, const char *why)
{
	return fail(b, KP_GROUP_ID_NOT_FOUND,
	    arena_printf(b->call->arena, "%s %.*s %s.", what,
		SLICE_ARG(b->request->group_id), why));
}

static enum kp_error
fail_member(struct beating *b)
{
	return fail(b, KP_UNKNOWN_MEMBER_ID,
	    arena_printf(b->call->arena,
		"Member %.*s is not a member of group %.*s.",
		SLICE_ARG(b->request->member_id),
		SLICE_ARG(b->request->group_id)));
}

static enum kp_error
check_epoch(struct beating *b, const struct share_member *member)
{
	struct arena *arena = b->call->arena;
	int32_t epoch = b->request->member_epoch;

	if (epoch == SHARE_EPOCH_JOIN || epoch == member->epoch)
		return KP_NONE;
	if (epoch > member->epoch)
		return fail(b, KP_FENCED_MEMBER_EPOCH,
		    arena_printf(arena,
			"The share group member has a greater member epoch "
			"(%d) than the one known by the group coordinator "
			"(%d). The member must abandon all its partitions and "
			"rejoin.",
			epoch, member->epoch));
	/* An epoch behind is that of a member whose last answer was lost. */
	if (epoch == member->previous_epoch)
		return KP_NONE;
	return fail(b, KP_FENCED_MEMBER_EPOCH,
	    arena_printf(arena,
		"The share group member has a smaller member epoch (%d) than "
		"the one known by the group coordinator (%d), and it does not "
		"match the previous member epoch (%d). The member must "
		"abandon all its partitions and rejoin.",
		epoch, member->epoch, member->previous_epoch));
}

/* --- What it says of itself ----------------------------------------------- */

static void
update_draft(struct beating *b)
{
	const struct kp_share_group_heartbeat_request *request = b->request;
	struct share_member *draft = &b->draft;

	*draft = *b->known;
	draft->client_id = b->call->client_id;
	draft->client_host = b->call->client_host;
	if (!slice_is_null(request->rack_id))
		draft->rack_id = request->rack_id;
	if (request->subscribed_topic_names_count < 0)
		return;
	draft->topics.count = request->subscribed_topic_names_count;
	draft->topics.names = arena_xcalloc(&b->change.arena,
	    (size_t)draft->topics.count, sizeof(struct slice));
	for (int32_t i = 0; i < draft->topics.count; i++)
		draft->topics.names[i] = request->subscribed_topic_names[i];
	consumer_names_sort(&draft->topics);
}

static bool
described_alike(const struct share_member *a, const struct share_member *b)
{
	return slice_equal(a->rack_id, b->rack_id) &&
	    slice_is_null(a->rack_id) == slice_is_null(b->rack_id) &&
	    slice_equal(a->client_id, b->client_id) &&
	    slice_equal(a->client_host, b->client_host) &&
	    consumer_names_equal(&a->topics, &b->topics);
}

/* --- Steps ---------------------------------------------------------------- */

/* All that somebody is to have. */
static struct consumer_assignment
all_targets(struct beating *b)
{
	const struct share_group *share = b->change.share;
	const struct consumer_target *target;
	struct consumer_assignment all = { NULL, 0 };
	int32_t count = 0;

	for (size_t at = 0; (target = map_next(&share->targets, &at)) != NULL;)
		count += target->assignment.count;
	all = consumer_assignment_new(&b->change.arena, count);
	for (size_t at = 0; (target = map_next(&share->targets, &at)) != NULL;)
		for (int32_t i = 0; i < target->assignment.count; i++)
			consumer_assignment_add(&all,
			    target->assignment.partitions[i].topic_id,
			    target->assignment.partitions[i].partition, 0);
	consumer_assignment_sort(&all);
	return all;
}

static bool
subscribed_before(const struct beating *b, struct uuid topic_id)
{
	const struct topic_image *topic =
	    group_image_topic_by_id(b->shard->common->image, topic_id);
	bool subscribed = topic != NULL &&
	    map_get(&b->change.share->topics, topic->name) != NULL;

	topic_image_unref(topic);
	return subscribed;
}

/*
 * Are partitions initialised that a member subscribes to and nobody has, or the
 * other way round?  Those of each topic, as there are targets of it.
 */
static bool
assignment_pending(struct beating *b)
{
	const struct share_group *share = b->change.share;
	const struct consumer_assignment *ready =
	    &share->partitions.initialized;
	struct consumer_assignment given;

	if (list_empty(&share->members) || ready->count == 0)
		return false;
	given = all_targets(b);
	for (int32_t i = 0, run; i < ready->count; i += run) {
		struct uuid id = ready->partitions[i].topic_id;
		int32_t had = 0;

		run = consumer_assignment_run(ready, i);
		if (!subscribed_before(b, id))
			continue;
		for (int32_t p = 0; p < run; p++)
			had += consumer_assignment_find(&given, id,
				   ready->partitions[i + p].partition) != NULL;
		if (had != run)
			return true;
	}
	return false;
}

/* What of the target the member subscribes to. */
static struct consumer_assignment
subscribed_part(struct beating *b, const struct consumer_assignment *target)
{
	struct group_image *image = b->shard->common->image;
	struct consumer_assignment set =
	    consumer_assignment_new(&b->change.arena, target->count);

	for (int32_t i = 0, run; i < target->count; i += run) {
		struct uuid id = target->partitions[i].topic_id;
		const struct topic_image *topic =
		    group_image_topic_by_id(image, id);

		run = consumer_assignment_run(target, i);
		if (topic != NULL &&
		    consumer_names_have(&b->draft.topics, topic->name))
			for (int32_t p = 0; p < run; p++)
				consumer_assignment_add(&set, id,
				    target->partitions[i + p].partition, 0);
		topic_image_unref(topic);
	}
	return set;
}

/* ShareGroupAssignmentBuilder of Kafka. */
static void
reconcile(struct beating *b, bool changed)
{
	struct share_member *draft = &b->draft;
	int32_t target_epoch = b->change.target_epoch;

	if (target_epoch == draft->epoch && !changed)
		return;
	draft->assigned = subscribed_part(b, &b->change.target);
	if (target_epoch == draft->epoch)
		return;
	draft->previous_epoch = draft->epoch;
	draft->epoch = target_epoch;
}

static bool
assigned_alike(const struct share_member *a, const struct share_member *b)
{
	return a->epoch == b->epoch && a->previous_epoch == b->previous_epoch &&
	    consumer_assignment_same(&a->assigned, &b->assigned);
}

/* What has to be initialised; NULL: nothing. */
static struct share_group_states *
initialize_missing(struct beating *b)
{
	struct consumer_assignment missing =
	    share_group_change_missing(&b->change);
	struct share_group_states *states;

	if (missing.count == 0)
		return NULL;
	share_group_change_initialize(&b->change, &missing);
	states = share_group_states_new(
	    SHARE_STATE_INITIALIZE, b->request->group_id, &missing);
	for (int32_t i = 0; i < states->count; i++)
		states->calls[i].state_epoch = b->change.epoch;
	return states;
}

/* Decide all of it, and write it down. */
static enum kp_error
take_steps(struct beating *b, struct share_group_states **states)
{
	struct share_group_change *change = &b->change;
	const struct share_group *share = change->share;
	struct slice group_id = b->request->group_id;
	bool subscribed =
	    !consumer_names_equal(&b->draft.topics, &b->known->topics);
	bool look = subscribed || share->refresh || !share->settled;
	bool bump = subscribed;

	if (!described_alike(&b->draft, b->known))
		share_emit_member(b->shard, group_id, &b->draft);
	if (look && share->target_epoch >= share->epoch)
		bump |= assignment_pending(b);
	if (bump || share->refresh)
		bump = share_group_change_epoch(change, bump);
	share_group_change_target(change);
	reconcile(b, bump);
	b->assigned_anew = !consumer_assignment_same(
	    &b->draft.assigned, &b->known->assigned);
	if (!assigned_alike(&b->draft, b->known))
		share_emit_current(b->shard, group_id, &b->draft);
	if (look)
		*states = initialize_missing(b);
	return shard_append(&b->shard->shard);
}

/* --- The answer ----------------------------------------------------------- */

static void
fill_assignment(struct beating *b, const struct consumer_assignment *set)
{
	struct arena *arena = b->call->arena;
	struct kp_share_group_heartbeat_response_assignment *assignment =
	    arena_xcalloc(arena, 1, sizeof(*assignment));
	struct kp_share_group_heartbeat_response_topic_partition *topic;

	topic = assignment->topic_partitions = arena_xcalloc(
	    arena, (size_t)set->count, sizeof(*assignment->topic_partitions));
	for (int32_t i = 0, run; i < set->count; i += run, topic++) {
		run = consumer_assignment_run(set, i);
		topic->topic_id = set->partitions[i].topic_id;
		topic->partitions = arena_xcalloc(
		    arena, (size_t)run, sizeof(*topic->partitions));
		topic->partitions_count = run;
		for (int32_t p = 0; p < run; p++)
			topic->partitions[p] = set->partitions[i + p].partition;
	}
	assignment->topic_partitions_count =
	    (int32_t)(topic - assignment->topic_partitions);
	b->response->assignment = assignment;
}

static void
session_fired(struct shard_timer *timer, struct shard *shard);

static void
touch(struct share_member *member)
{
	struct share_group *share = member->share;

	member->session.fired = session_fired;
	shard_timer_start(&share->group->shard->shard, &member->session,
	    share_group_timing(share).session_timeout_ms);
}

/*
 * The records have been replayed, and what the draft pointed to may be gone:
 * the member in the group is the draft now.  A group of which a heartbeat has
 * found nothing to do is settled until something happens to it.
 */
static void
conclude(struct beating *b, bool wrote)
{
	struct group *group = group_find(b->shard, b->request->group_id);
	struct share_group *share = group->share;
	struct share_member *member =
	    share_member_find(share, b->request->member_id);

	share->refresh = false;
	share->settled = !wrote && share->partitions.initializing.count == 0 &&
	    share->target_epoch >= share->epoch;
	touch(member);
	b->response->member_id = b->request->member_id;
	b->response->member_epoch = member->epoch;
	b->response->heartbeat_interval_ms =
	    share->timing.heartbeat_interval_ms;
	if (b->assigned_anew ||
	    b->request->member_epoch == SHARE_EPOCH_JOIN ||
	    b->request->subscribed_topic_names_count >= 0)
		fill_assignment(b, &member->assigned);
}

/* What a draft may take more than it had has to be there. */
static bool
has_memory(const struct beating *b)
{
	return share_member_bytes(&b->draft) <=
	    b->draft.bytes + budget_left(b->shard->memory);
}

static enum kp_error
beat(struct beating *b, struct share_group_states **states)
{
	int64_t end_offset = b->shard->shard.end_offset;
	enum kp_error error;

	update_draft(b);
	b->change.draft = &b->draft;
	if (!has_memory(b))
		return fail(b, KP_GROUP_MAX_SIZE_REACHED,
		    slice_str("There is no memory for the member."));
	error = take_steps(b, states);
	if (error == KP_NONE)
		conclude(b, b->shard->shard.end_offset != end_offset);
	return error;
}

/* --- The group ------------------------------------------------------------ */

static enum kp_error
find_group(struct beating *b, struct share_group **share)
{
	struct group *group = group_find(b->shard, b->request->group_id);

	if (group != NULL && group->share != NULL) {
		*share = group->share;
		(void)share_group_timing(*share);
		return KP_NONE;
	}
	if (group != NULL)
		return fail_group(b, "Group", "is not a share group");
	if (b->request->member_epoch != SHARE_EPOCH_JOIN)
		return fail_group(b, "Share group", "not found");
	*share = b->fresh = share_group_new(NULL);
	b->fresh->timing = group_image_share_timing(
	    b->shard->common->image, b->request->group_id);
	return KP_NONE;
}

static enum kp_error
find_member(struct beating *b)
{
	struct share_group *share = b->change.share;
	const struct share_member *member =
	    share_member_find(share, b->request->member_id);

	b->change.base = b->known = member;
	if (member != NULL)
		return check_epoch(b, member);
	if (b->request->member_epoch != SHARE_EPOCH_JOIN)
		return fail_member(b);
	b->copy = (struct share_member){
		.share = share,
		.id = b->request->member_id,
		.client_id = slice_str(""),
		.client_host = slice_str(""),
		.previous_epoch = SHARE_EPOCH_LEAVE,
	};
	b->known = &b->copy;
	return KP_NONE;
}

static bool
full(const struct beating *b, const struct share_group *share)
{
	return share_group_count(share) >=
	    b->shard->settings->share.members_max &&
	    share_member_find(share, b->request->member_id) == NULL;
}

static enum kp_error
live_on(struct beating *b, struct share_group_states **states)
{
	struct share_group *share;
	enum kp_error error = find_group(b, &share);

	if (error != KP_NONE)
		return error;
	if (full(b, share))
		return fail(b, KP_GROUP_MAX_SIZE_REACHED,
		    arena_printf(b->call->arena,
			"The share group has reached its maximum capacity of "
			"%d members.",
			b->shard->settings->share.members_max));
	share_group_change_begin(
	    &b->change, b->shard, share, b->request->group_id);
	error = find_member(b);
	if (error == KP_NONE)
		error = beat(b, states);
	share_group_change_end(&b->change);
	return error;
}

/* --- Leaving -------------------------------------------------------------- */

/* Out with it: the group gets a new epoch, whatever became of the topics. */
static enum kp_error
remove_member(struct share_member *member)
{
	struct share_group *share = member->share;
	struct group_shard *shard = share->group->shard;
	struct slice group_id = share->group->id;
	struct share_group_change change;
	enum kp_error error;

	share_group_change_begin(&change, shard, share, group_id);
	change.base = member;
	share_emit_current_end(shard, group_id, member->id);
	share_emit_target_end(shard, group_id, member->id);
	share_emit_member_end(shard, group_id, member->id);
	(void)share_group_change_epoch(&change, true);
	share_group_change_end(&change);
	error = shard_append(&shard->shard);
	return error;
}

static void
session_fired(struct shard_timer *timer, struct shard *shard)
{
	struct share_member *member =
	    CONTAINER_OF(timer, struct share_member, session);

	if (remove_member(member) != KP_NONE)
		shard_timer_start(shard, timer, RETRY_MS);
}

void
share_group_start_sessions(struct share_group *share)
{
	LIST_FOR_EACH (node, &share->members)
		touch(LIST_ENTRY(node, struct share_member, node));
}

static enum kp_error
leave(struct beating *b)
{
	struct group *group = group_find(b->shard, b->request->group_id);
	struct share_member *member;

	if (group == NULL)
		return fail_group(b, "Group", "not found");
	if (group->share == NULL)
		return fail_group(b, "Group", "is not a share group");
	member = share_member_find(group->share, b->request->member_id);
	if (member == NULL)
		return fail_member(b);
	b->response->member_id = b->request->member_id;
	b->response->member_epoch = b->request->member_epoch;
	return remove_member(member);
}

enum kp_error
share_group_heartbeat(struct group_shard *shard, struct group_call *call,
    const struct kp_share_group_heartbeat_request *request,
    struct kp_share_group_heartbeat_response *response,
    struct share_group_states **states)
{
	struct beating b = {
		.shard = shard,
		.call = call,
		.request = request,
		.response = response,
	};
	enum kp_error error;

	*states = NULL;
	error = request->member_epoch < 0 ? leave(&b) : live_on(&b, states);
	if (error != KP_NONE) {
		shard_discard(&shard->shard);
		if (*states != NULL)
			share_group_states_free(*states);
		*states = NULL;
	}
	if (b.fresh != NULL)
		share_group_free(b.fresh);
	return error;
}
