/*
 * JoinGroup (KIP-345 static members, KIP-394 member ids first).
 */
#include "base/rng.h"
#include "base/uuid.h"
#include "coord/consumer_classic.h"
#include "coord/group.h"
#include "wire/generated/join_group.h"

/* A join that is parked cannot heartbeat; its client is given this long. */
#define NEW_MEMBER_SESSION_MS (5 * 60 * 1000)

/* From here on a new member is first told its id. */
#define VERSION_ID_REQUIRED 4
/* From here on a leader that came back is told not to assign. */
#define VERSION_SKIP_ASSIGNMENT 9

/* Of one member; clients offer two or three, Kafka has no limit. */
#define PROTOCOLS_MAX 1000

struct joining {
	struct group *group;
	struct group_call *call;
	const struct kp_join_group_request *request;
	struct kp_join_group_response *response;
};

static struct shard *
shard_of(const struct joining *joining)
{
	return &joining->group->shard->shard;
}

static void
answer(struct joining *joining, enum kp_error error)
{
	shard_reply(shard_of(joining), &joining->call->call, error);
}

static void
park(struct joining *joining, struct group_member *member)
{
	group_park_join(member, joining->call, joining->response);
}

/* The member joins again while it waits already: the old wait is over. */
static void
replace_parked(struct group_member *member)
{
	group_answer_join(member, KP_UNKNOWN_MEMBER_ID);
}

/* A string of the protocol is not longer than this. */
#define ID_LEN_MAX 32767
#define UUID_LEN 36

/* As much of the text as leaves room for the rest of an id; UTF-8. */
static struct slice
id_base(struct slice text)
{
	size_t most = ID_LEN_MAX - 1 - UUID_LEN;

	if (text.len <= most)
		return text;
	while (most > 0 && (text.data[most] & 0xc0) == 0x80)
		most--;
	return slice_of(text.data, most);
}

static struct slice
new_member_id(const struct joining *joining)
{
	struct slice base =
	    id_base(slice_is_null(joining->request->group_instance_id) ?
		    joining->call->client_id :
		    joining->request->group_instance_id);
	struct rng rng;
	uint8_t b[16];

	rng_init_random(&rng);
	rng_bytes(&rng, b, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	return arena_printf(joining->call->arena,
	    "%.*s-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x",
	    SLICE_ARG(base), b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7],
	    b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* --- Members ------------------------------------------------------------- */

static int32_t
rebalance_timeout_of(const struct kp_join_group_request *request)
{
	return request->rebalance_timeout_ms >= 0 ?
	    request->rebalance_timeout_ms :
	    request->session_timeout_ms;
}

static void
update_member(struct joining *joining, struct group_member *member)
{
	const struct kp_join_group_request *request = joining->request;

	const struct group_offer offer =
	    group_offer_of(request, joining->call->arena);

	group_member_set_protocols(member, &offer);
	member->session_timeout_ms = request->session_timeout_ms;
	member->rebalance_timeout_ms = rebalance_timeout_of(request);
}

static struct group_member_new
new_member(const struct joining *joining, struct slice id)
{
	const struct kp_join_group_request *request = joining->request;

	return (struct group_member_new){
		.id = id,
		.instance_id = request->group_instance_id,
		.client_id = joining->call->client_id,
		.client_host = joining->call->client_host,
		.session_timeout_ms = request->session_timeout_ms,
		.rebalance_timeout_ms = rebalance_timeout_of(request),
	};
}

static void
add_member(struct joining *joining, struct slice id)
{
	struct group *group = joining->group;
	const struct kp_join_group_request *request = joining->request;
	const struct group_member_new new = new_member(joining, id);
	const struct group_offer offer =
	    group_offer_of(request, joining->call->arena);
	struct group_member *member;

	if (list_empty(&group->members))
		group_own(&group->protocol_type, request->protocol_type);
	member = group_member_add(group, &new);
	group_member_set_protocols(member, &offer);
	member->is_new = true;
	if (group->state == GROUP_PREPARING && group->was_empty)
		group->member_added = true;
	shard_timer_start(shard_of(joining), &member->session,
	    NEW_MEMBER_SESSION_MS);
	park(joining, member);
	group_rebalance(group);
}

static void
rejoin(struct joining *joining, struct group_member *member)
{
	replace_parked(member);
	update_member(joining, member);
	park(joining, member);
	group_rebalance(joining->group);
}

/* The answer that it had, or would have had: nothing has changed for it. */
static void
answer_current(struct joining *joining, const struct group_member *member,
    bool with_members)
{
	answer(joining,
	    group_fill_join(member, joining->call->arena, joining->response,
		with_members));
}

/* --- Static members ------------------------------------------------------ */

/*
 * The instance has come back under no id: it takes the old member's place, and
 * is described as the client that this was.  Whoever waits under the old id is
 * fenced.
 */
static struct group_member *
take_place(struct joining *joining, struct group_member *old, struct slice id)
{
	struct group_member_new new = new_member(joining, id);
	const struct group_offer offer =
	    group_offer_of(joining->request, joining->call->arena);
	struct group_member *member;

	new.client_id = old->client_id;
	new.client_host = old->client_host;
	group_answer_join(old, KP_FENCED_INSTANCE_ID);
	group_answer_sync(old, KP_FENCED_INSTANCE_ID);
	member = group_member_replace(old, &new);
	group_member_set_protocols(member, &offer);
	group_member_touch(member);
	return member;
}

/* The answer to a member that goes on where the one of old_id was. */
static void
answer_resumed(struct joining *joining, struct group_member *member,
    struct slice old_id)
{
	struct group *group = joining->group;
	bool leads = group->leader == member;
	enum kp_error error;

	error = group_fill_join(member, joining->call->arena,
	    joining->response,
	    leads && joining->call->version >= VERSION_SKIP_ASSIGNMENT);
	if (leads && joining->call->version >= VERSION_SKIP_ASSIGNMENT)
		joining->response->skip_assignment = true;
	else if (leads)
		joining->response->leader = old_id;
	answer(joining, error);
}

/*
 * In a stable group whose vote stays the same nobody else need notice.  Who
 * could not be written down has not come.
 */
static void
resume_stable(struct joining *joining, struct group_member *member,
    struct group_member *old)
{
	struct slice old_id = arena_copy(joining->call->arena, old->id);
	enum kp_error error;

	group_emit(joining->group);
	error = shard_append(shard_of(joining));
	if (error == KP_NONE) {
		group_member_free(old);
		answer_resumed(joining, member, old_id);
		return;
	}
	group_member_put_back(old, member);
	group_member_touch(old);
	answer(joining, error);
}

static void
replace_static(struct joining *joining, struct group_member *old)
{
	struct group *group = joining->group;
	struct group_member *member =
	    take_place(joining, old, new_member_id(joining));

	if (group->state == GROUP_STABLE &&
	    slice_equal(group_vote(group), group->protocol)) {
		resume_stable(joining, member, old);
		return;
	}
	group_member_free(old);
	park(joining, member);
	group_rebalance(group);
}

/* --- The request --------------------------------------------------------- */

static void
require_id(struct joining *joining, struct slice id)
{
	struct group_pending *pending =
	    group_pending_add(joining->group, id);

	shard_timer_start(shard_of(joining), &pending->session,
	    joining->request->session_timeout_ms);
	joining->response->member_id = id;
	answer(joining, KP_MEMBER_ID_REQUIRED);
}

static void
join_unknown(struct joining *joining)
{
	struct slice instance_id = joining->request->group_instance_id;
	struct group_member *member =
	    group_member_by_instance(joining->group, instance_id);

	if (member != NULL)
		replace_static(joining, member);
	else if (slice_is_null(instance_id) &&
	    joining->call->version >= VERSION_ID_REQUIRED)
		require_id(joining, new_member_id(joining));
	else
		add_member(joining, new_member_id(joining));
}

static void
join_pending(struct joining *joining, struct group_pending *pending)
{
	struct slice id = arena_copy(joining->call->arena, pending->id);

	group_pending_remove(pending);
	if (slice_is_null(joining->request->group_instance_id)) {
		add_member(joining, id);
		return;
	}
	joining->response->member_id = slice_str("");
	answer(joining, KP_UNKNOWN_SERVER_ERROR);
	group_try_complete(joining->group);
}

static void
join_member(struct joining *joining, struct group_member *member)
{
	struct group *group = joining->group;
	bool same = group_member_same_protocols(member, joining->request);
	bool leads = group->leader == member;

	switch (group->state) {
	case GROUP_PREPARING:
		rejoin(joining, member);
		return;
	case GROUP_COMPLETING:
		if (same)
			answer_current(joining, member, leads);
		else
			rejoin(joining, member);
		return;
	case GROUP_STABLE:
		if (same && !leads)
			answer_current(joining, member, false);
		else
			rejoin(joining, member);
		return;
	case GROUP_EMPTY:
		answer(joining, KP_UNKNOWN_MEMBER_ID);
		return;
	}
}

static void
join_known(struct joining *joining)
{
	const struct kp_join_group_request *request = joining->request;
	struct group_pending *pending =
	    group_pending_find(joining->group, request->member_id);
	struct group_member *member;
	enum kp_error error;

	if (pending != NULL) {
		join_pending(joining, pending);
		return;
	}
	error = group_check_member(joining->group, request->member_id,
	    request->group_instance_id, &member);
	if (error != KP_NONE)
		answer(joining, error);
	else
		join_member(joining, member);
}

/* group.max.size: those who are in stay in. */
static bool
has_room(const struct group *group, struct slice member_id)
{
	const struct group_member *member =
	    group_member_find(group, member_id);
	int32_t most = group->shard->settings->members_max;

	switch (group->state) {
	case GROUP_EMPTY:
		return true;
	case GROUP_PREPARING:
		return (member != NULL && member->join.call != NULL) ||
		    group->joining_count < most;
	case GROUP_COMPLETING:
	case GROUP_STABLE:
		return member != NULL || group_member_count(group) < most;
	}
	return false;
}

/* Is there memory for it?  One that is in may keep what it has. */
static bool
has_memory(const struct joining *joining, const struct group_shard *shard)
{
	const struct kp_join_group_request *request = joining->request;
	const struct group_member *member = NULL;

	if (joining->group != NULL && request->member_id.len != 0)
		member = group_member_find(joining->group, request->member_id);
	else if (joining->group != NULL)
		member = group_member_by_instance(
		    joining->group, request->group_instance_id);
	return group_member_fits(shard, member, joining->call, request);
}

/* Whoever finds no room is out, also one that was in before. */
static void
refuse_full(struct joining *joining)
{
	struct slice id = joining->request->member_id;
	struct group *group = joining->group;
	struct group_pending *pending = group_pending_find(group, id);
	struct group_member *member = group_member_find(group, id);

	joining->response->member_id = slice_str("");
	answer(joining, KP_GROUP_MAX_SIZE_REACHED);
	if (pending != NULL)
		group_pending_remove(pending);
	if (member != NULL)
		group_member_gone(member);
	else
		group_try_complete(group);
}

static void
join_group(struct joining *joining)
{
	const struct kp_join_group_request *request = joining->request;

	if (!has_room(joining->group, request->member_id) ||
	    !has_memory(joining, joining->group->shard))
		refuse_full(joining);
	else if (!group_accepts(joining->group, request))
		answer(joining, KP_INCONSISTENT_GROUP_PROTOCOL);
	else if (request->member_id.len == 0)
		join_unknown(joining);
	else
		join_known(joining);
}

/*
 * A join that makes the group writes it down, whatever becomes of the join:
 * the group exists from then on.
 */
static void
join_new_group(struct joining *joining, struct group_shard *shard)
{
	enum kp_error error;

	joining->group = group_create(shard, joining->request->group_id);
	group_emit(joining->group);
	error = shard_append(&shard->shard);
	if (error == KP_NONE) {
		join_group(joining);
		return;
	}
	group_free(joining->group);
	shard_reply(&shard->shard, &joining->call->call, error);
}

static enum kp_error
check_request(const struct group_shard *shard,
    const struct kp_join_group_request *request)
{
	const struct group_settings *settings = shard->settings;

	if (request->group_id.len == 0)
		return KP_INVALID_GROUP_ID;
	if (request->session_timeout_ms < settings->session_timeout_min_ms ||
	    request->session_timeout_ms > settings->session_timeout_max_ms)
		return KP_INVALID_SESSION_TIMEOUT;
	if (request->protocols_count > PROTOCOLS_MAX)
		return KP_INVALID_REQUEST;
	return KP_NONE;
}

/* A group for a member that is then refused would be one for nobody. */
static enum kp_error
check_new_group(
    const struct joining *joining, const struct group_shard *shard)
{
	if (joining->request->member_id.len != 0)
		return KP_UNKNOWN_MEMBER_ID;
	return has_memory(joining, shard) ? KP_NONE :
					    KP_GROUP_MAX_SIZE_REACHED;
}

/*
 * A group of a kind keeps members of the classic protocol out, but for a
 * consumer group.  One whose members commit makes room for a classic group,
 * which inherits its offsets, when there are none.
 */
static enum kp_error
end_kind(struct joining *joining, struct group_shard *shard)
{
	struct group *group = joining->group;
	enum kp_error error = KP_INCONSISTENT_GROUP_PROTOCOL;

	if (!group->kind->commits || !group_is_deserted(group)) {
		joining->response->member_id = slice_str("");
		return error;
	}
	error = check_new_group(joining, shard);
	if (error != KP_NONE)
		return error;
	group_emit_tombstone(group);
	error = shard_append(&shard->shard);
	joining->group = group_find(shard, joining->request->group_id);
	return error;
}

/* A group that is there, or is made, of the one or the other protocol. */
static void
join_any(struct joining *joining, struct group_shard *shard)
{
	struct group *group = group_find(shard, joining->request->group_id);
	enum kp_error error = KP_NONE;

	joining->group = group;
	if (group != NULL && group->consumer != NULL &&
	    !group_is_deserted(group)) {
		joining->response->member_id = slice_str("");
		error = consumer_classic_join(group, joining->call,
		    joining->request, joining->response);
		shard_reply(&shard->shard, &joining->call->call, error);
		return;
	}
	if (group == NULL)
		error = check_new_group(joining, shard);
	else if (group->kind != NULL)
		error = end_kind(joining, shard);
	if (error != KP_NONE)
		shard_reply(&shard->shard, &joining->call->call, error);
	else if (joining->group == NULL)
		join_new_group(joining, shard);
	else
		join_group(joining);
}

void
group_shard_join(struct group_shard *shard, struct group_call *call,
    const struct kp_join_group_request *request,
    struct kp_join_group_response *response)
{
	struct joining joining = {
		.call = call,
		.request = request,
		.response = response,
	};
	enum kp_error error;

	if (!shard_begin(&shard->shard, &call->call))
		return;
	response->member_id = request->member_id;
	error = check_request(shard, request);
	if (error == KP_NONE)
		join_any(&joining, shard);
	else
		shard_reply(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
}
