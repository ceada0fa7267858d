#include "coord/consumer_migration.h"
#include "coord/consumer_protocol.h"
#include "coord/consumer_record.h"

#define PROTOCOL_TYPE "consumer"

/* A group that is being upgraded. */
struct upgrade {
	struct group *group;
	struct consumer_group *consumer;
	struct arena arena; /* of one member's, at a time */
	struct arena *call_arena;
	struct slice *message;
};

static enum kp_error
refuse(struct upgrade *u, const char *why)
{
	*u->message = arena_printf(u->call_arena,
	    "Cannot upgrade classic group %.*s to consumer group because %s.",
	    SLICE_ARG(u->group->id), why);
	return KP_GROUP_ID_NOT_FOUND;
}

static enum kp_error
check(struct upgrade *u)
{
	const struct consumer_settings *settings =
	    &u->group->shard->settings->consumer;

	if (!settings->upgrades)
		return refuse(u, "online upgrade is disabled");
	if (!slice_equal_str(u->group->protocol_type, PROTOCOL_TYPE))
		return refuse(
		    u, "the group does not use the consumer embedded protocol");
	if (group_member_count(u->group) > settings->members_max)
		return refuse(u,
		    "the group size exceeds the consumer group maximum size");
	return KP_NONE;
}

/* --- Members ------------------------------------------------------------- */

static enum kp_error
malformed(struct upgrade *u)
{
	return refuse(u, "the embedded consumer protocol is malformed");
}

static enum kp_error
read_assignment(struct upgrade *u, const struct group_member *member,
    struct consumer_assignment *assigned)
{
	bool custom = false;

	if (consumer_protocol_assignment(u->group->shard->common->image,
		member->assignment, &u->arena, assigned, &custom) != 0)
		return malformed(u);
	if (custom)
		return refuse(u,
		    "an unsupported custom assignor is in use. Please refer "
		    "to the documentation or switch to a default assignor "
		    "before re-attempting the upgrade");
	return KP_NONE;
}

/* Those of the set that nobody has so far. */
static struct consumer_assignment
unowned(struct upgrade *u, const struct consumer_assignment *set)
{
	struct consumer_assignment out =
	    consumer_assignment_new(&u->arena, set->count);

	for (int32_t i = 0; i < set->count; i++) {
		const struct consumer_partition *p = &set->partitions[i];

		if (consumer_group_owner(u->consumer, p) == -1)
			consumer_assignment_add(
			    &out, p->topic_id, p->partition, 0);
	}
	return out;
}

/*
 * What the member has.  A rebalance that is cut short by another leaves nobody
 * with an assignment; but a member of a cooperative group goes on with what it
 * has said that it owns.  (Kafka takes it for owning nothing, and gives its
 * partitions to others while it still reads them.)
 */
static enum kp_error
find_owned(struct upgrade *u, const struct group_member *member,
    const struct consumer_subscription *said, struct consumer_assignment *owned)
{
	struct consumer_assignment assigned;
	enum kp_error error;

	*owned = (struct consumer_assignment){ 0 };
	if (member->assignment.len == 0) {
		*owned = unowned(u, &said->owned);
		return KP_NONE;
	}
	error = read_assignment(u, member, &assigned);
	if (error != KP_NONE)
		return error;
	*owned = unowned(u, &assigned);
	return owned->count == assigned.count ? KP_NONE :
						KP_UNKNOWN_SERVER_ERROR;
}

/* What it has said when it joined, by the protocol that was chosen. */
static enum kp_error
read_subscription(struct upgrade *u, const struct group_member *member,
    struct consumer_subscription *said)
{
	if (!group_member_offers(member, u->group->protocol))
		return KP_UNKNOWN_SERVER_ERROR;
	return consumer_protocol_subscription(u->group->shard->common->image,
		   group_member_metadata(member), &u->arena, said) == 0 ?
	    KP_NONE :
	    malformed(u);
}

/* It has said all this when it joined the classic group. */
static void
describe(struct upgrade *u, const struct group_member *from,
    const struct consumer_subscription *then, struct consumer_member *to)
{
	struct consumer_classic classic = {
		.session_timeout_ms = from->session_timeout_ms,
		.protocols = from->protocols,
		.protocols_count = from->protocols_count,
	};
	struct consumer_member said = {
		.instance_id = from->instance_id,
		.rack_id = then->rack_id,
		.client_id = from->client_id,
		.client_host = from->client_host,
		.regex = slice_str(""),
		.rebalance_timeout_ms = from->rebalance_timeout_ms,
		.classic = &classic,
		.topics.count = then->topics_count,
	};

	said.topics.names = arena_xcalloc(
	    &u->arena, (size_t)said.topics.count, sizeof(*said.topics.names));
	for (int32_t i = 0; i < said.topics.count; i++)
		said.topics.names[i] = then->topics[i];
	consumer_names_sort(&said.topics);
	consumer_member_describe(to, &said);
}

/* What it has is its target, too. */
static void
assign(struct upgrade *u, const struct consumer_assignment *assigned,
    struct consumer_member *to)
{
	int32_t epoch = u->group->generation;
	const struct consumer_member given = {
		.epoch = epoch,
		.previous_epoch = epoch,
		.state = CONSUMER_STABLE,
		.assigned = consumer_assignment_at(&u->arena, assigned, epoch),
	};

	consumer_target_set(u->consumer, to->id, *assigned);
	consumer_member_assign(to, &given);
}

static enum kp_error
convert(struct upgrade *u, const struct group_member *from)
{
	struct consumer_subscription said;
	struct consumer_assignment owned;
	struct consumer_member *to;
	enum kp_error error;

	error = read_subscription(u, from, &said);
	if (error == KP_NONE)
		error = find_owned(u, from, &said, &owned);
	if (error != KP_NONE)
		return error;
	to = consumer_member_get(u->consumer, from->id);
	describe(u, from, &said, to);
	assign(u, &owned, to);
	return KP_NONE;
}

/*
 * Members in the order in which they get what they have: those who were
 * assigned it, and then by the generation in which they say they got it, as in
 * assignors.
 */
struct claim {
	const struct group_member *member;
	int32_t generation;
	int32_t joined;
};

static int
compare(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	if (x->generation != y->generation)
		return x->generation > y->generation ? -1 : 1;
	return (x->joined > y->joined) - (x->joined < y->joined);
}

static enum kp_error
find_claims(struct upgrade *u, struct claim *claims)
{
	struct consumer_subscription said;
	int32_t count = 0;
	enum kp_error error;

	LIST_FOR_EACH (node, &u->group->members) {
		const struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		error = read_subscription(u, member, &said);
		if (error != KP_NONE)
			return error;
		claims[count] = (struct claim){ member,
			member->assignment.len > 0 ? INT32_MAX :
						     said.generation_id,
			count };
		count++;
		arena_reset(&u->arena);
	}
	qsort(claims, (size_t)count, sizeof(*claims), compare);
	return KP_NONE;
}

/*
 * The hash of the topics, or 0 where not all of their partitions are someone's:
 * with that the next step makes another epoch, and a target that has them all.
 * (A static member of the same subscription makes none by itself, for which
 * Kafka leaves such partitions alone.)
 */
static int64_t
known_topics(struct upgrade *u)
{
	int64_t count;
	int64_t hash =
	    consumer_change_hash(u->group->shard, u->consumer, &count);

	return count > (int64_t)u->consumer->owners.count ? 0 : hash;
}

static enum kp_error
convert_all(struct upgrade *u)
{
	int32_t count = group_member_count(u->group);
	struct claim *claims = xcalloc((size_t)count, sizeof(*claims));
	enum kp_error error;

	arena_init(&u->arena, SIZE_MAX);
	error = find_claims(u, claims);
	for (int32_t i = 0; i < count && error == KP_NONE; i++) {
		error = convert(u, claims[i].member);
		arena_reset(&u->arena);
	}
	arena_reset(&u->arena);
	free(claims);
	if (error != KP_NONE)
		return error;
	u->consumer->epoch = u->group->generation;
	u->consumer->target_epoch = u->group->generation;
	u->consumer->metadata_hash = known_topics(u);
	return KP_NONE;
}

/* --- Records ------------------------------------------------------------- */

/* Without a time, so that the first target is made at once. */
static void
emit(const struct consumer_group *consumer, struct group_shard *shard,
    struct slice group_id)
{
	LIST_FOR_EACH (node, &consumer->members)
		consumer_emit_member(shard, group_id,
		    LIST_ENTRY(node, struct consumer_member, node));
	consumer_emit_epoch(
	    shard, group_id, consumer->epoch, consumer->metadata_hash);
	LIST_FOR_EACH (node, &consumer->members) {
		struct slice id =
		    LIST_ENTRY(node, struct consumer_member, node)->id;
		const struct consumer_assignment target =
		    consumer_member_target(consumer, id);

		consumer_emit_target(shard, group_id, id, &target);
	}
	consumer_emit_target_epoch(shard, group_id, consumer->target_epoch, 0);
	LIST_FOR_EACH (node, &consumer->members)
		consumer_emit_current(shard, group_id,
		    LIST_ENTRY(node, struct consumer_member, node));
}

enum kp_error
consumer_upgrade(struct group *group, struct arena *arena,
    struct consumer_group **consumer, struct slice *message)
{
	struct group_shard *shard = group->shard;
	struct upgrade u = {
		.group = group,
		.call_arena = arena,
		.message = message,
	};
	enum kp_error error;

	*message = SLICE_NULL;
	error = check(&u);
	if (error != KP_NONE)
		return error;
	group_answer_all(group, KP_REBALANCE_IN_PROGRESS);
	u.consumer = consumer_group_new(shard, NULL);
	error = convert_all(&u);
	if (error != KP_NONE) {
		consumer_group_free(u.consumer);
		return error;
	}
	group_emit_tombstone(group);
	emit(u.consumer, shard, group->id);
	*consumer = u.consumer;
	return KP_NONE;
}
