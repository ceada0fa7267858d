#include "base/clock.h"
#include "coord/consumer_migration.h"
#include "coord/consumer_protocol.h"
#include "coord/consumer_record.h"
#include "wire/generated/group_group_metadata.h"

#define PROTOCOL_TYPE "consumer"

/* --- Is it time? ---------------------------------------------------------- */

/* So many members will be left, all of the classic protocol. */
static bool
allowed(const struct consumer_group *consumer, int32_t left)
{
	const struct group_settings *settings = consumer->shard->settings;

	return left > 0 && settings->consumer.downgrades &&
	    left <= settings->members_max;
}

bool
consumer_downgrades(const struct consumer_group *consumer,
    struct consumer_member *const *leaving, int32_t count)
{
	int32_t left = consumer_group_count(consumer) - count;
	int32_t classic = consumer->classic_count;

	for (int32_t i = 0; i < count; i++)
		classic -= leaving[i]->classic != NULL;
	return classic == left && allowed(consumer, left);
}

bool
consumer_downgrades_for(const struct consumer_group *consumer,
    const struct consumer_member *replaced)
{
	int32_t count = consumer_group_count(consumer);

	return replaced->classic == NULL &&
	    consumer->classic_count == count - 1 && allowed(consumer, count);
}

/* --- Who is left ---------------------------------------------------------- */

/* A member of the classic group to be. */
struct remaining {
	const struct consumer_member *member;
	struct slice target_id; /* whose target is its assignment */
};

/* A group that is being downgraded. */
struct downgrade {
	struct consumer_change *change;
	struct remaining *members;
	int32_t count;
	struct group_offer *offers; /* the members' */
	struct slice protocol;
	bool rebalances;	/* what it is turned into, at once */
};

static bool
leaves(
    const struct consumer_downgrade *how, const struct consumer_member *member)
{
	for (int32_t i = 0; i < how->leaving_count; i++)
		if (how->leaving[i] == member)
			return true;
	return member == how->replaced;
}

static void
add(struct downgrade *d, const struct consumer_member *member,
    struct slice target_id)
{
	d->members[d->count] = (struct remaining){ member, target_id };
	d->offers[d->count] = (struct group_offer){ member->classic->protocols,
		member->classic->protocols_count };
	d->count++;
}

static void
gather(struct downgrade *d, const struct consumer_downgrade *how)
{
	const struct consumer_group *consumer = d->change->consumer;
	size_t most = (size_t)consumer_group_count(consumer);

	d->members =
	    arena_xcalloc(&d->change->arena, most, sizeof(*d->members));
	d->offers = arena_xcalloc(&d->change->arena, most, sizeof(*d->offers));
	LIST_FOR_EACH (node, &consumer->members) {
		const struct consumer_member *member =
		    LIST_ENTRY(node, struct consumer_member, node);

		if (!leaves(how, member))
			add(d, member, member->id);
	}
	if (how->replaced != NULL)
		add(d, how->joining, how->replaced->id);
	d->protocol = arena_copy(
	    &d->change->arena, group_offers_vote(d->offers, d->count));
}

/* --- The record ----------------------------------------------------------- */

/* What it has said with the protocol. */
static struct slice
metadata_of(const struct group_offer *offer, struct slice protocol)
{
	for (int32_t i = 0; i < offer->count; i++)
		if (slice_equal(offer->protocols[i].name, protocol))
			return offer->protocols[i].metadata;
	return slice_str("");
}

/*
 * What it has not given up yet, where a rebalance follows: should the group be
 * loaded or upgraded before it is over, nobody is taken for the owner of what
 * another one still reads.  (Kafka writes what the member is to have.)
 */
static struct consumer_assignment
assignment_of(const struct downgrade *d, const struct remaining *remaining)
{
	const struct consumer_member *member = remaining->member;

	return d->rebalances ?
	    consumer_assignment_plus(&d->change->arena, &member->assigned,
		&member->revoking) :
	    consumer_member_target(d->change->consumer, remaining->target_id);
}

static void
fill_member(
    struct downgrade *d, int32_t i, struct kp_group_metadata_value_member *out)
{
	struct consumer_change *change = d->change;
	const struct consumer_member *member = d->members[i].member;
	const struct consumer_assignment assignment =
	    assignment_of(d, &d->members[i]);

	out->member_id = member->id;
	out->group_instance_id = member->instance_id;
	out->client_id = member->client_id;
	out->client_host = member->client_host;
	out->rebalance_timeout = member->rebalance_timeout_ms;
	out->session_timeout = member->classic->session_timeout_ms;
	out->subscription = metadata_of(&d->offers[i], d->protocol);
	out->assignment = consumer_protocol_encode(change->shard->common->image,
	    &assignment, out->subscription, &change->arena);
}

static void
emit(struct downgrade *d)
{
	struct consumer_change *change = d->change;
	struct kp_group_metadata_value_member *members =
	    arena_xcalloc(&change->arena, (size_t)d->count, sizeof(*members));
	struct kp_group_metadata_value value;

	kp_defaults(&kp_group_metadata_value, &value);
	value.protocol_type = slice_str(PROTOCOL_TYPE);
	value.generation = change->consumer->epoch;
	value.protocol = d->protocol;
	value.leader = d->members[0].member->id;
	value.current_state_timestamp = change->now_ms;
	value.members = members;
	value.members_count = d->count;
	for (int32_t i = 0; i < d->count; i++)
		fill_member(d, i, &members[i]);
	group_emit_value(change->shard, change->group_id, &value);
}

/* --- What is not in the record -------------------------------------------- */

/* What is to be kept of a member beyond the consumer group's end. */
struct kept {
	struct slice id;
	struct group_offer offer;
};

static struct group_offer
copy_offer(const struct group_offer *offer, struct arena *arena)
{
	struct group_protocol *protocols =
	    arena_xcalloc(arena, (size_t)offer->count, sizeof(*protocols));

	for (int32_t i = 0; i < offer->count; i++) {
		protocols[i].name = arena_copy(arena, offer->protocols[i].name);
		protocols[i].metadata =
		    arena_copy(arena, offer->protocols[i].metadata);
	}
	return (struct group_offer){ protocols, offer->count };
}

static struct kept *
keep(const struct downgrade *d)
{
	struct arena *arena = &d->change->arena;
	struct kept *kept =
	    arena_xcalloc(arena, (size_t)d->count, sizeof(*kept));

	for (int32_t i = 0; i < d->count; i++) {
		const struct consumer_member *member = d->members[i].member;

		kept[i].id = arena_copy(arena, member->id);
		kept[i].offer = copy_offer(&d->offers[i], arena);
	}
	return kept;
}

static void
restore(struct group *group, const struct kept *kept, int32_t count)
{
	for (int32_t i = 0; i < count; i++) {
		struct group_member *member =
		    group_member_find(group, kept[i].id);

		group_member_set_protocols(member, &kept[i].offer);
		group_member_touch(member);
	}
}

enum kp_error
consumer_downgrade(
    struct consumer_change *change, const struct consumer_downgrade *how)
{
	struct slice group_id = arena_copy(&change->arena, change->group_id);
	struct downgrade d = {
		.change = change,
		.rebalances = how->rebalances,
	};
	enum kp_error error;
	struct group *group;
	struct kept *kept;

	gather(&d, how);
	consumer_emit_end(change->consumer, how->replaced,
	    how->replaced != NULL ? how->joining->id : SLICE_NULL);
	emit(&d);
	kept = keep(&d);
	error = shard_append(&change->shard->shard);
	if (error != KP_NONE)
		return error;
	group = group_find(change->shard, group_id);
	restore(group, kept, d.count);
	if (how->rebalances)
		group_prepare(group);
	return KP_NONE;
}
