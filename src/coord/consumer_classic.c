#include "coord/consumer_classic.h"

#include "base/clock.h"
#include "base/rng.h"
#include "base/uuid.h"
#include "coord/consumer_heartbeat.h"
#include "coord/consumer_migration.h"
#include "coord/consumer_protocol.h"
#include "coord/consumer_regex.h"
#include "coord/consumer_update.h"
#include "wire/generated/heartbeat.h"
#include "wire/generated/join_group.h"
#include "wire/generated/leave_group.h"
#include "wire/generated/sync_group.h"

#define PROTOCOL_TYPE "consumer"

/* From here on a new member is first told its id. */
#define VERSION_ID_REQUIRED 4

/* From here on several members may leave at once. */
#define VERSION_LEAVE_SEVERAL 3

/* --- Who it is ----------------------------------------------------------- */

static enum kp_error
find(struct consumer_group *consumer, struct slice id, struct slice instance_id,
    struct consumer_member **member)
{
	*member = slice_is_null(instance_id) ?
	    consumer_member_find(consumer, id) :
	    consumer_member_by_instance(consumer, instance_id);
	if (*member == NULL)
		return KP_UNKNOWN_MEMBER_ID;
	return slice_equal((*member)->id, id) ? KP_NONE : KP_FENCED_INSTANCE_ID;
}

/* It has to be of the classic protocol, and of this generation. */
static enum kp_error
find_classic(struct consumer_group *consumer, struct slice id,
    struct slice instance_id, int32_t generation_id,
    struct consumer_member **member)
{
	enum kp_error error = find(consumer, id, instance_id, member);

	if (error != KP_NONE)
		return error;
	if ((*member)->classic == NULL)
		return KP_UNKNOWN_MEMBER_ID;
	return (*member)->epoch == generation_id ? KP_NONE :
						   KP_ILLEGAL_GENERATION;
}

/* Its subscription and its protocol, as it sees it; a log may have none. */
static struct group_protocol
first_protocol(const struct consumer_member *member)
{
	const struct consumer_classic *classic = member->classic;

	return classic->protocols_count > 0 ?
	    classic->protocols[0] :
	    (struct group_protocol){ slice_str(""), slice_str("") };
}

/* --- JoinGroup ----------------------------------------------------------- */

struct joining {
	struct group *group;
	struct consumer_group *consumer;
	struct group_call *call;
	const struct kp_join_group_request *request;
	struct kp_join_group_response *response;
	struct consumer_update update;
	struct slice id; /* the member's */
	bool is_new;     /* it came without one */
};

static struct slice
new_id(struct arena *arena)
{
	char text[UUID_TEXT_LEN + 1];
	struct rng rng;

	rng_init_random(&rng);
	uuid_format(uuid_random(&rng), text);
	return arena_copy(arena, slice_str(text));
}

/* Is one of its protocols one that all members of the classic protocol have? */
static bool
is_supported(const struct joining *j)
{
	if (!slice_equal_str(j->request->protocol_type, PROTOCOL_TYPE))
		return false;
	for (int32_t i = 0; i < j->request->protocols_count; i++)
		if (group_support_count(&j->consumer->supports,
			j->request->protocols[i].name) ==
		    j->consumer->classic_count)
			return true;
	return false;
}

static enum kp_error
check_join(const struct joining *j)
{
	const struct consumer_settings *settings =
	    &j->consumer->shard->settings->consumer;

	if (!settings->upgrades && !settings->downgrades)
		return KP_INCONSISTENT_GROUP_PROTOCOL;
	if (consumer_group_count(j->consumer) >= settings->members_max &&
	    consumer_member_find(j->consumer, j->id) == NULL)
		return KP_GROUP_MAX_SIZE_REACHED;
	if (!is_supported(j))
		return KP_INCONSISTENT_GROUP_PROTOCOL;
	return j->is_new && slice_is_null(j->request->group_instance_id) &&
		j->call->version >= VERSION_ID_REQUIRED ?
	    KP_MEMBER_ID_REQUIRED :
	    KP_NONE;
}

/* A dynamic member may come with any id, also one that nobody has given it. */
static enum kp_error
begin_member(struct joining *j)
{
	struct slice instance_id = j->request->group_instance_id;
	struct consumer_member *member;
	enum kp_error error;

	error = find(j->consumer, j->id, instance_id, &member);
	if (error == KP_NONE)
		consumer_update_known(&j->update, member);
	else if (slice_is_null(instance_id) || (j->is_new && member == NULL))
		consumer_update_new(&j->update, j->id);
	else if (j->is_new)
		consumer_update_replaced(&j->update, member, j->id);
	else
		return error;
	return KP_NONE;
}

/* A protocol that is offered twice is the first one. */
static bool
is_offered_before(const struct kp_join_group_request *request, int32_t at)
{
	for (int32_t i = 0; i < at; i++)
		if (slice_equal(request->protocols[i].name,
			request->protocols[at].name))
			return true;
	return false;
}

static struct consumer_classic *
take_classic(struct joining *j)
{
	const struct kp_join_group_request *request = j->request;
	struct arena *arena = &j->update.change.arena;
	struct consumer_classic *classic =
	    arena_xcalloc(arena, 1, sizeof(*classic));

	classic->session_timeout_ms = request->session_timeout_ms;
	classic->protocols = arena_xcalloc(arena,
	    (size_t)request->protocols_count, sizeof(*classic->protocols));
	for (int32_t i = 0; i < request->protocols_count; i++)
		if (!is_offered_before(request, i))
			classic->protocols[classic->protocols_count++] =
			    (struct group_protocol){
				    request->protocols[i].name,
				    request->protocols[i].metadata,
			    };
	return classic;
}

/* JoinGroup of version 0 has one timeout for both. */
static int32_t
rebalance_timeout_of(const struct kp_join_group_request *request)
{
	return request->rebalance_timeout_ms >= 0 ?
	    request->rebalance_timeout_ms :
	    request->session_timeout_ms;
}

/* What it says of itself; its first protocol has its subscription. */
static enum kp_error
take_all(struct joining *j)
{
	const struct kp_join_group_request *request = j->request;
	struct consumer_member *draft = &j->update.draft;
	struct consumer_subscription subscription;

	if (consumer_protocol_subscription(j->consumer->shard->common->image,
		request->protocols[0].metadata, &j->update.change.arena,
		&subscription) != 0)
		return KP_UNKNOWN_SERVER_ERROR;
	j->update.owned = subscription.owned;
	j->update.owned_known = true;
	if (!slice_is_null(request->group_instance_id))
		draft->instance_id = request->group_instance_id;
	if (!slice_is_null(subscription.rack_id))
		draft->rack_id = subscription.rack_id;
	draft->rebalance_timeout_ms = rebalance_timeout_of(request);
	draft->regex = slice_str("");
	draft->client_id = j->call->client_id;
	draft->client_host = j->call->client_host;
	draft->classic = take_classic(j);
	consumer_update_topics(
	    &j->update, subscription.topics, subscription.topics_count);
	return consumer_update_fits(&j->update) ? KP_NONE :
						  KP_GROUP_MAX_SIZE_REACHED;
}

/* Have all but one what they are to have? */
static bool
is_settled(
    const struct consumer_group *consumer, const struct consumer_member *except)
{
	LIST_FOR_EACH (node, &consumer->members) {
		const struct consumer_member *member =
		    LIST_ENTRY(node, struct consumer_member, node);

		if (member != except && !consumer_member_reconciled(member))
			return false;
	}
	return true;
}

/*
 * It takes the place of the last member of the consumer protocol.  Nobody has
 * to rejoin where all have what the target gives them.  (Kafka looks whether
 * there is a target only, and lets two have a partition that one of them was
 * still to give up.)
 */
static enum kp_error
downgrade(struct joining *j, const struct consumer_member *replaced)
{
	struct consumer_change *change = &j->update.change;
	const struct consumer_downgrade how = {
		.replaced = replaced,
		.joining = &j->update.draft,
		.rebalances = change->target_epoch < change->epoch ||
		    !is_settled(j->consumer, replaced),
	};
	enum kp_error error = KP_NONE;

	if (!how.rebalances)
		error = consumer_update_reconcile(&j->update);
	return error == KP_NONE ? consumer_downgrade(change, &how) : error;
}

static enum kp_error
stay(struct joining *j)
{
	struct consumer_change *change = &j->update.change;
	struct consumer_member *member;
	enum kp_error error;

	consumer_change_target(change);
	error = consumer_update_reconcile(&j->update);
	if (error == KP_NONE)
		error = consumer_change_append(change);
	if (error != KP_NONE)
		return error;
	member = consumer_member_find(j->consumer, j->id);
	consumer_member_joined(member);
	consumer_regex_refresh(j->consumer, &j->call->principal);
	return KP_NONE;
}

static enum kp_error
take_steps(struct joining *j)
{
	const struct consumer_member *replaced = consumer_member_by_instance(
	    j->consumer, j->request->group_instance_id);
	bool downgrades =
	    replaced != NULL && consumer_downgrades_for(j->consumer, replaced);

	consumer_update_describe(&j->update);
	return downgrades ? downgrade(j, replaced) : stay(j);
}

static enum kp_error
join(struct joining *j)
{
	enum kp_error error;

	consumer_update_begin(
	    &j->update, j->consumer->shard, j->consumer, j->request->group_id);
	error = begin_member(j);
	if (error == KP_NONE)
		error = take_all(j);
	if (error == KP_NONE)
		error = take_steps(j);
	consumer_update_end(&j->update);
	return error;
}

enum kp_error
consumer_classic_join(struct group *group, struct group_call *call,
    const struct kp_join_group_request *request,
    struct kp_join_group_response *response)
{
	struct joining j = {
		.group = group,
		.consumer = group->consumer,
		.call = call,
		.request = request,
		.response = response,
		.is_new = request->member_id.len == 0,
	};
	enum kp_error error;

	(void)consumer_group_timing(group->consumer);
	j.id = j.is_new ? new_id(call->arena) : request->member_id;
	error = check_join(&j);
	if (error == KP_NONE)
		error = join(&j);
	if (error == KP_MEMBER_ID_REQUIRED)
		response->member_id = j.id;
	if (error != KP_NONE) {
		shard_discard(consumer_group_shard(group->consumer));
		return error;
	}
	response->member_id = j.id;
	response->generation_id = j.update.draft.epoch;
	response->protocol_type = slice_str(PROTOCOL_TYPE);
	response->protocol_name = request->protocols[0].name;
	return KP_NONE;
}

/* --- SyncGroup and Heartbeat --------------------------------------------- */

static bool
names_differ(struct slice given, struct slice own)
{
	return !slice_is_null(given) && !slice_equal(given, own);
}

static enum kp_error
check_protocol(const struct consumer_member *member,
    const struct kp_sync_group_request *request)
{
	return names_differ(request->protocol_type, slice_str(PROTOCOL_TYPE)) ||
		names_differ(
		    request->protocol_name, first_protocol(member).name) ?
	    KP_INCONSISTENT_GROUP_PROTOCOL :
	    KP_NONE;
}

enum kp_error
consumer_classic_sync(struct group *group, struct group_call *call,
    const struct kp_sync_group_request *request,
    struct kp_sync_group_response *response)
{
	struct consumer_group *consumer = group->consumer;
	struct consumer_member *member;
	enum kp_error error = find_classic(consumer, request->member_id,
	    request->group_instance_id, request->generation_id, &member);

	if (error == KP_NONE)
		error = check_protocol(member, request);
	if (error != KP_NONE)
		return error;
	if (consumer->target_epoch > member->epoch &&
	    member->state != CONSUMER_UNREVOKED) {
		consumer_member_expect_join(member);
		return KP_REBALANCE_IN_PROGRESS;
	}
	consumer_member_synced(member);
	response->protocol_type = request->protocol_type;
	response->protocol_name = request->protocol_name;
	response->assignment = consumer_protocol_encode(
	    consumer->shard->common->image, &member->assigned,
	    first_protocol(member).metadata, call->arena);
	return KP_NONE;
}

/* Is something that it is to get still another's? */
static bool
waits(const struct consumer_member *member)
{
	const struct consumer_group *consumer = member->consumer;
	const struct consumer_assignment target =
	    consumer_member_target(consumer, member->id);

	for (int32_t i = 0; i < target.count; i++) {
		const struct consumer_partition *p = &target.partitions[i];

		if (consumer_assignment_find(
			&member->assigned, p->topic_id, p->partition) == NULL &&
		    consumer_group_owner(consumer, p) != -1)
			return true;
	}
	return false;
}

/*
 * Is there something new for it?  Where nobody is left whose heartbeats make
 * targets a join has to: this one's.  (In Kafka such a group waits for somebody
 * who joins for another reason.)
 */
static bool
is_rebalancing(const struct consumer_member *member)
{
	struct consumer_group *consumer = member->consumer;

	(void)consumer_group_timing(consumer);
	if (consumer->epoch > consumer->target_epoch &&
	    consumer->classic_count == consumer_group_count(consumer) &&
	    consumer_group_target_due(consumer, clock_wall_ms()))
		return true;
	return member->epoch < member->consumer->target_epoch ||
	    member->state == CONSUMER_UNREVOKED ||
	    (member->state == CONSUMER_UNRELEASED && !waits(member));
}

enum kp_error
consumer_classic_heartbeat(
    struct group *group, const struct kp_heartbeat_request *request)
{
	struct consumer_member *member;
	enum kp_error error = find_classic(group->consumer, request->member_id,
	    request->group_instance_id, request->generation_id, &member);

	if (error != KP_NONE)
		return error;
	consumer_member_touch(member);
	if (!is_rebalancing(member))
		return KP_NONE;
	consumer_member_expect_join(member);
	return KP_REBALANCE_IN_PROGRESS;
}

/* --- LeaveGroup ---------------------------------------------------------- */

/* An administrator removes a static member without knowing its id. */
static enum kp_error
find_leaving(struct consumer_group *consumer, struct slice id,
    struct slice instance_id, struct consumer_member **member)
{
	if (id.len > 0 || slice_is_null(instance_id))
		return find(consumer, id, instance_id, member);
	*member = consumer_member_by_instance(consumer, instance_id);
	return *member == NULL ? KP_UNKNOWN_MEMBER_ID : KP_NONE;
}

/* Members, each once: one may be named by its id and by its instance's. */
struct leaving {
	struct consumer_member **members;
	int32_t count;
	struct map ids;
};

static void
leaving_add(struct leaving *leaving, struct consumer_member *member)
{
	if (map_set(&leaving->ids, member->id, member) == NULL)
		leaving->members[leaving->count++] = member;
}

static enum kp_error
leave_several(struct consumer_group *consumer, struct group_call *call,
    const struct kp_leave_group_request *request,
    struct kp_leave_group_response *response, struct leaving *leaving)
{
	size_t count = (size_t)MAX(request->members_count, 0);

	response->members =
	    arena_xcalloc(call->arena, count, sizeof(*response->members));
	response->members_count = (int32_t)count;
	leaving->members =
	    arena_xcalloc(call->arena, count, sizeof(struct consumer_member *));
	for (size_t i = 0; i < count; i++) {
		const struct kp_leave_group_request_member *in =
		    &request->members[i];
		struct consumer_member *member;
		enum kp_error error = find_leaving(
		    consumer, in->member_id, in->group_instance_id, &member);

		response->members[i].member_id = in->member_id;
		response->members[i].group_instance_id = in->group_instance_id;
		response->members[i].error_code = (int16_t)error;
		if (error == KP_NONE)
			leaving_add(leaving, member);
	}
	return leaving->count == 0 ?
	    KP_NONE :
	    consumer_leave(consumer, leaving->members, leaving->count);
}

enum kp_error
consumer_classic_leave(struct group *group, struct group_call *call,
    const struct kp_leave_group_request *request,
    struct kp_leave_group_response *response)
{
	struct consumer_group *consumer = group->consumer;
	struct leaving leaving = { .count = 0 };
	struct consumer_member *member;
	enum kp_error error;

	if (call->version < VERSION_LEAVE_SEVERAL) {
		error = find(consumer, request->member_id, SLICE_NULL, &member);
		return error == KP_NONE ? consumer_leave(consumer, &member, 1) :
					  error;
	}
	map_init(&leaving.ids);
	error = leave_several(consumer, call, request, response, &leaving);
	map_fini(&leaving.ids);
	return error;
}
