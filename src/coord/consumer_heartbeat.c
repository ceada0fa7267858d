#include "coord/consumer_heartbeat.h"

#include "base/rng.h"
#include "base/slice.h"
#include "base/uuid.h"
#include "coord/consumer_migration.h"
#include "coord/consumer_regex.h"
#include "coord/consumer_update.h"
#include "wire/generated/consumer_group_heartbeat.h"

/* From here on members choose their ids themselves (KIP-1082). */
#define VERSION_CLIENT_ID 1

/*
 * What one request may name; Kafka has no limits, and a cluster fewer topics
 * and partitions.
 */
#define NAMES_MAX 100000
#define OWNED_MAX 1000000

/* A heartbeat that is being served. */
struct beating {
	struct group_shard *shard;
	struct group_call *call;
	const struct kp_consumer_group_heartbeat_request *request;
	struct kp_consumer_group_heartbeat_response *response;
	struct consumer_update update;
	struct slice id;              /* the member's */
	bool was_classic;             /* it was of the classic protocol */
	struct consumer_group *fresh; /* owned; of a group that is made */
};

/* --- What does not depend on the group ----------------------------------- */

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

static enum kp_error
check_join(const struct kp_consumer_group_heartbeat_request *request,
    struct slice *message)
{
	if (request->rebalance_timeout_ms == -1)
		return refuse(message,
		    "RebalanceTimeoutMs must be provided in first request.");
	if (request->topic_partitions_count != 0)
		return refuse(message,
		    "TopicPartitions must be empty when (re-)joining.");
	if (request->subscribed_topic_names_count < 0 &&
	    slice_is_null(request->subscribed_topic_regex))
		return refuse(message,
		    "Either SubscribedTopicNames or SubscribedTopicRegex must "
		    "be non-null when (re-)joining.");
	return KP_NONE;
}

static int64_t
owned_count(const struct kp_consumer_group_heartbeat_request *request)
{
	int64_t count = 0;

	for (int32_t t = 0; t < request->topic_partitions_count; t++)
		count += MAX(request->topic_partitions[t].partitions_count, 0);
	return count;
}

static enum kp_error
check_shape(const struct kp_consumer_group_heartbeat_request *request,
    int16_t version, struct slice *message)
{
	int32_t epoch = request->member_epoch;

	if ((version >= VERSION_CLIENT_ID || epoch > 0 ||
		epoch == CONSUMER_EPOCH_LEAVE) &&
	    blank(request->member_id))
		return refuse(message, "MemberId can't be empty.");
	if (blank(request->group_id))
		return refuse(message, "GroupId can't be empty.");
	if (blank(request->instance_id))
		return refuse(message, "InstanceId can't be empty.");
	if (blank(request->rack_id))
		return refuse(message, "RackId can't be empty.");
	if (epoch == CONSUMER_EPOCH_JOIN)
		return check_join(request, message);
	if (epoch == CONSUMER_EPOCH_AWAY && slice_is_null(request->instance_id))
		return refuse(message, "InstanceId can't be null.");
	if (epoch < CONSUMER_EPOCH_AWAY)
		return refuse(message, "MemberEpoch is invalid.");
	return KP_NONE;
}

static struct slice
assignor_names(const struct consumer_settings *settings, struct arena *arena)
{
	struct slice names = slice_str("");

	for (int32_t i = 0; i < settings->assignors_count; i++)
		names = arena_printf(arena, "%.*s%s%s", SLICE_ARG(names),
		    i == 0 ? "" : ", ",
		    consumer_assignor_name(settings->assignors[i]));
	return names;
}

enum kp_error
consumer_heartbeat_check(
    const struct kp_consumer_group_heartbeat_request *request, int16_t version,
    const struct consumer_settings *settings, struct arena *arena,
    struct slice *message)
{
	enum kp_error error = check_shape(request, version, message);
	enum consumer_assignor assignor;

	if (error != KP_NONE)
		return error;
	if (request->subscribed_topic_names_count > NAMES_MAX)
		return refuse(message, "Too many topics are subscribed to.");
	if (owned_count(request) > OWNED_MAX)
		return refuse(message, "Too many partitions are owned.");
	if (slice_is_null(request->server_assignor) ||
	    consumer_assignor_find(
		request->server_assignor, settings, &assignor))
		return KP_NONE;
	*message = arena_printf(arena,
	    "ServerAssignor %.*s is not supported. "
	    "Supported assignors: %.*s.",
	    SLICE_ARG(request->server_assignor),
	    SLICE_ARG(assignor_names(settings, arena)));
	return KP_UNSUPPORTED_ASSIGNOR;
}

/* --- Errors -------------------------------------------------------------- */

static enum kp_error
fail(struct beating *b, enum kp_error error, struct slice text)
{
	b->response->error_message = text;
	return error;
}

static enum kp_error
fail_group(struct beating *b, const struct group *group)
{
	bool leaves = b->request->member_epoch < 0;

	return fail(b, KP_GROUP_ID_NOT_FOUND,
	    arena_printf(b->call->arena, "%s %.*s %s.",
		group == NULL && !leaves ? "Consumer group" : "Group",
		SLICE_ARG(b->request->group_id),
		group == NULL ? "not found" : "is not a consumer group"));
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
fail_epoch(struct beating *b, const char *which, int32_t known)
{
	return fail(b, KP_FENCED_MEMBER_EPOCH,
	    arena_printf(b->call->arena,
		"The consumer group member has a %s member epoch (%d) than "
		"the one known by the group coordinator (%d). The member must "
		"abandon all its partitions and rejoin.",
		which, b->request->member_epoch, known));
}

static enum kp_error
fail_unknown_instance(struct beating *b)
{
	return fail(b, KP_UNKNOWN_MEMBER_ID,
	    arena_printf(b->call->arena, "Instance id %.*s is unknown.",
		SLICE_ARG(b->request->instance_id)));
}

static enum kp_error
fail_fenced(struct beating *b, const struct consumer_member *by)
{
	return fail(b, KP_FENCED_INSTANCE_ID,
	    arena_printf(b->call->arena,
		"Static member %.*s with instance id %.*s was fenced by member "
		"%.*s.",
		SLICE_ARG(b->request->member_id),
		SLICE_ARG(b->request->instance_id), SLICE_ARG(by->id)));
}

static enum kp_error
fail_unreleased(struct beating *b, const struct consumer_member *owner)
{
	return fail(b, KP_UNRELEASED_INSTANCE_ID,
	    arena_printf(b->call->arena,
		"Static member %.*s with instance id %.*s cannot join the "
		"group because the instance id is owned by %.*s member.",
		SLICE_ARG(b->id), SLICE_ARG(b->request->instance_id),
		SLICE_ARG(owner->id)));
}

static enum kp_error
fail_full(struct beating *b)
{
	return fail(b, KP_GROUP_MAX_SIZE_REACHED,
	    arena_printf(b->call->arena,
		"The consumer group has reached its maximum capacity of %d "
		"members.",
		b->shard->settings->consumer.members_max));
}

/* --- Who it is ----------------------------------------------------------- */

/*
 * An epoch behind is that of a member whose last answer was lost, if what it
 * says it owns is no more than it has.
 */
static enum kp_error
check_epoch(struct beating *b, const struct consumer_member *member)
{
	int32_t epoch = b->request->member_epoch;

	if (epoch == CONSUMER_EPOCH_JOIN || epoch == member->epoch)
		return KP_NONE;
	if (epoch > member->epoch)
		return fail_epoch(b, "greater", member->epoch);
	if (epoch == member->previous_epoch && b->update.owned_known &&
	    consumer_assignment_within(&b->update.owned, &member->assigned))
		return KP_NONE;
	return fail_epoch(b, "smaller", member->epoch);
}

static enum kp_error
find_dynamic(struct beating *b, struct slice id)
{
	const struct consumer_member *member =
	    consumer_member_find(b->update.change.consumer, id);
	enum kp_error error;

	if (member == NULL) {
		if (b->request->member_epoch != CONSUMER_EPOCH_JOIN)
			return fail_member(b);
		consumer_update_new(&b->update, id);
		return KP_NONE;
	}
	error = check_epoch(b, member);
	if (error == KP_NONE)
		consumer_update_known(&b->update, member);
	return error;
}

static enum kp_error
find_static(struct beating *b, struct slice id)
{
	const struct consumer_member *member = consumer_member_by_instance(
	    b->update.change.consumer, b->request->instance_id);
	enum kp_error error;

	if (b->request->member_epoch == CONSUMER_EPOCH_JOIN) {
		if (member == NULL)
			return find_dynamic(b, id);
		if (member->epoch != CONSUMER_EPOCH_AWAY &&
		    member->classic == NULL)
			return fail_unreleased(b, member);
		consumer_update_replaced(&b->update, member, id);
		return KP_NONE;
	}
	if (member == NULL)
		return fail_unknown_instance(b);
	if (!slice_equal(member->id, id))
		return fail_fenced(b, member);
	error = check_epoch(b, member);
	if (error == KP_NONE)
		consumer_update_known(&b->update, member);
	return error;
}

static struct slice
member_id(const struct beating *b)
{
	char text[UUID_TEXT_LEN + 1];
	struct rng rng;

	if (b->request->member_id.len > 0)
		return b->request->member_id;
	rng_init_random(&rng);
	uuid_format(uuid_random(&rng), text);
	return arena_copy(b->call->arena, slice_str(text));
}

/* --- What it says of itself ---------------------------------------------- */

/* Null says that nothing has changed. */
static void
take(struct slice *field, struct slice said)
{
	if (!slice_is_null(said))
		*field = said;
}

static void
take_all(struct beating *b)
{
	const struct kp_consumer_group_heartbeat_request *request = b->request;
	struct consumer_member *draft = &b->update.draft;

	b->was_classic = draft->classic != NULL;
	draft->classic = NULL;
	draft->client_id = b->call->client_id;
	draft->client_host = b->call->client_host;
	take(&draft->instance_id, request->instance_id);
	take(&draft->rack_id, request->rack_id);
	take(&draft->server_assignor, request->server_assignor);
	take(&draft->regex, request->subscribed_topic_regex);
	if (request->rebalance_timeout_ms != -1)
		draft->rebalance_timeout_ms = request->rebalance_timeout_ms;
	if (request->subscribed_topic_names_count >= 0)
		consumer_update_topics(&b->update,
		    request->subscribed_topic_names,
		    request->subscribed_topic_names_count);
}

/* --- Steps --------------------------------------------------------------- */

static void
fill_assignment(struct beating *b, const struct consumer_assignment *set)
{
	struct arena *arena = b->call->arena;
	struct kp_consumer_group_heartbeat_response_assignment *assignment =
	    arena_xcalloc(arena, 1, sizeof(*assignment));
	struct kp_consumer_group_heartbeat_response_topic_partition *topic;

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

/* It joins, or has said all that there is to say. */
static bool
wants_assignment(const struct kp_consumer_group_heartbeat_request *request)
{
	return request->member_epoch == CONSUMER_EPOCH_JOIN ||
	    (request->rebalance_timeout_ms != -1 &&
		(request->subscribed_topic_names_count >= 0 ||
		    !slice_is_null(request->subscribed_topic_regex)) &&
		request->topic_partitions_count >= 0);
}

/*
 * The records have been replayed, and what the draft pointed to may be gone:
 * the member in the group is the draft now.
 */
static void
conclude(struct beating *b)
{
	struct group *group = group_find(b->shard, b->request->group_id);
	struct consumer_group *consumer = group->consumer;
	struct consumer_member *member = consumer_member_find(consumer, b->id);

	if (b->update.reassigned || b->was_classic)
		consumer_member_time_revocation(member);
	if (b->fresh != NULL)
		consumer_group_touch(consumer);
	consumer_member_touch(member);
	consumer_regex_refresh(consumer, &b->call->principal);
	b->response->member_id = b->id;
	b->response->member_epoch = member->epoch;
	b->response->heartbeat_interval_ms =
	    consumer->timing.heartbeat_interval_ms;
	if (b->update.assigned_anew || wants_assignment(b->request))
		fill_assignment(b, &member->assigned);
}

/* Decide all of it, and write it down. */
static enum kp_error
take_steps(struct beating *b)
{
	consumer_update_describe(&b->update);
	consumer_change_target(&b->update.change);
	if (consumer_update_reconcile(&b->update) != KP_NONE)
		return fail(b, KP_FENCED_MEMBER_EPOCH,
		    slice_str("The consumer group member is in a unknown "
			      "state. The member must abandon all its "
			      "partitions and rejoin."));
	return consumer_change_append(&b->update.change);
}

static enum kp_error
beat(struct beating *b)
{
	enum kp_error error = KP_NONE;

	take_all(b);
	if (!slice_equal(b->update.draft.regex, b->update.known->regex))
		error = consumer_regex_check(b->update.draft.regex,
		    b->call->arena, &b->response->error_message);
	if (error == KP_NONE && !consumer_update_fits(&b->update))
		error = fail(b, KP_GROUP_MAX_SIZE_REACHED,
		    slice_str("There is no memory for the member."));
	if (error == KP_NONE)
		error = take_steps(b);
	if (error == KP_NONE)
		conclude(b);
	return error;
}

/* --- The group ----------------------------------------------------------- */

/*
 * A classic group ends, and its members, where it has some, come along; its
 * offsets stay.
 */
static enum kp_error
find_group(struct beating *b, struct consumer_group **consumer)
{
	struct group *group = group_find(b->shard, b->request->group_id);
	enum kp_error error = KP_NONE;

	if (group != NULL && group->consumer != NULL) {
		*consumer = group->consumer;
		(void)consumer_group_timing(*consumer);
		return KP_NONE;
	}
	if (b->request->member_epoch != CONSUMER_EPOCH_JOIN)
		return fail_group(b, group);
	if (group != NULL && group->kind != NULL)
		return fail_group(b, group);
	if (group != NULL && group->state != GROUP_EMPTY) {
		error = consumer_upgrade(group, b->call->arena, &b->fresh,
		    &b->response->error_message);
	} else {
		if (group != NULL)
			group_emit_tombstone(group);
		b->fresh = consumer_group_new(b->shard, NULL);
	}
	if (error != KP_NONE)
		return error;
	b->fresh->timing =
	    group_image_timing(b->shard->common->image, b->request->group_id);
	*consumer = b->fresh;
	return KP_NONE;
}

static bool
full(const struct beating *b, const struct consumer_group *consumer)
{
	return consumer_group_count(consumer) >=
	    b->shard->settings->consumer.members_max &&
	    (b->request->member_id.len == 0 ||
		consumer_member_find(consumer, b->request->member_id) == NULL);
}

static void
take_owned(struct beating *b)
{
	const struct kp_consumer_group_heartbeat_request *request = b->request;

	b->update.owned_known = request->topic_partitions_count >= 0;
	b->update.owned = consumer_assignment_new(
	    &b->update.change.arena, (int32_t)owned_count(request));
	for (int32_t t = 0; t < request->topic_partitions_count; t++)
		for (int32_t i = 0;
		    i < request->topic_partitions[t].partitions_count; i++)
			consumer_assignment_add(&b->update.owned,
			    request->topic_partitions[t].topic_id,
			    request->topic_partitions[t].partitions[i], 0);
	consumer_assignment_sort(&b->update.owned);
}

static enum kp_error
live_on(struct beating *b)
{
	struct consumer_group *consumer;
	enum kp_error error = find_group(b, &consumer);

	if (error != KP_NONE)
		return error;
	if (full(b, consumer))
		return fail_full(b);
	consumer_update_begin(
	    &b->update, b->shard, consumer, b->request->group_id);
	take_owned(b);
	b->id = member_id(b);
	error = slice_is_null(b->request->instance_id) ?
	    find_dynamic(b, b->id) :
	    find_static(b, b->id);
	if (error == KP_NONE)
		error = beat(b);
	consumer_update_end(&b->update);
	return error;
}

/* --- Leaving ------------------------------------------------------------- */

static enum kp_error
leave_static(struct beating *b, const struct consumer_group *consumer,
    struct consumer_member **member)
{
	*member =
	    consumer_member_by_instance(consumer, b->request->instance_id);
	if (*member == NULL)
		return fail_unknown_instance(b);
	if (!slice_equal((*member)->id, b->request->member_id))
		return fail_fenced(b, *member);
	return KP_NONE;
}

static enum kp_error
leave(struct beating *b)
{
	struct group *group = group_find(b->shard, b->request->group_id);
	struct consumer_member *member;
	enum kp_error error = KP_NONE;

	if (group == NULL || group->consumer == NULL)
		return fail_group(b, group);
	if (!slice_is_null(b->request->instance_id)) {
		error = leave_static(b, group->consumer, &member);
	} else {
		member = consumer_member_find(
		    group->consumer, b->request->member_id);
		if (member == NULL)
			error = fail_member(b);
	}
	if (error != KP_NONE)
		return error;
	b->response->member_id = b->request->member_id;
	b->response->member_epoch = b->request->member_epoch;
	return b->request->member_epoch == CONSUMER_EPOCH_AWAY ?
	    consumer_leave_for_a_while(member) :
	    consumer_leave(group->consumer, &member, 1);
}

enum kp_error
consumer_heartbeat(struct group_shard *shard, struct group_call *call,
    const struct kp_consumer_group_heartbeat_request *request,
    struct kp_consumer_group_heartbeat_response *response)
{
	struct beating b = {
		.shard = shard,
		.call = call,
		.request = request,
		.response = response,
	};
	enum kp_error error =
	    request->member_epoch < 0 ? leave(&b) : live_on(&b);

	if (error != KP_NONE)
		shard_discard(&shard->shard);
	if (b.fresh != NULL)
		consumer_group_free(b.fresh);
	return error;
}
