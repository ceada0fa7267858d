/*
 * What members offer: protocols, of which the group takes one by vote, and
 * what the consumers among them subscribe to (ClassicGroup of Kafka).
 *
 * Members, protocols and topics may be many, so each is found by its name.
 */
#include "coord/group.h"
#include "wire/codec.h"
#include "wire/generated/consumer_protocol_subscription.h"
#include "wire/generated/join_group.h"

#define CONSUMER_PROTOCOL "consumer"

/* --- One member's -------------------------------------------------------- */

void
group_protocols_free(struct group_member *member)
{
	map_fini(&member->protocols_by_name);
	map_init(&member->protocols_by_name);
	for (int32_t i = 0; i < member->protocols_count; i++) {
		group_own(&member->protocols[i].name, SLICE_NULL);
		group_own(&member->protocols[i].metadata, SLICE_NULL);
	}
	free(member->protocols);
	member->protocols = NULL;
	member->protocols_count = 0;
}

/* A protocol that is offered twice is the first one. */
static void
add_protocol(
    struct group_member *member, struct slice name, struct slice metadata)
{
	struct group_protocol *protocol =
	    &member->protocols[member->protocols_count++];

	group_own(&protocol->name, name);
	group_own(&protocol->metadata, metadata);
	if (map_get(&member->protocols_by_name, name) == NULL)
		map_set(&member->protocols_by_name, protocol->name, protocol);
}

void
group_member_set_protocols(
    struct group_member *member, const struct group_offer *offer)
{
	size_t count = (size_t)MAX(offer->count, 0);

	group_supports_remove(member);
	group_protocols_free(member);
	member->protocols = xcalloc(count, sizeof(*member->protocols));
	for (size_t i = 0; i < count; i++)
		add_protocol(member, offer->protocols[i].name,
		    offer->protocols[i].metadata);
	group_supports_add(member);
	group_member_weigh(member);
}

struct group_offer
group_offer_of(
    const struct kp_join_group_request *request, struct arena *arena)
{
	size_t count = (size_t)MAX(request->protocols_count, 0);
	struct group_protocol *protocols =
	    arena_xcalloc(arena, count, sizeof(*protocols));

	for (size_t i = 0; i < count; i++) {
		protocols[i].name = request->protocols[i].name;
		protocols[i].metadata = request->protocols[i].metadata;
	}
	return (struct group_offer){ protocols, (int32_t)count };
}

bool
group_member_same_protocols(const struct group_member *member,
    const struct kp_join_group_request *request)
{
	if (member->protocols_count != request->protocols_count)
		return false;
	for (int32_t i = 0; i < member->protocols_count; i++)
		if (!slice_equal(member->protocols[i].name,
			request->protocols[i].name) ||
		    !slice_equal(member->protocols[i].metadata,
			request->protocols[i].metadata))
			return false;
	return true;
}

bool
group_member_offers(const struct group_member *member, struct slice name)
{
	return !slice_is_null(name) &&
	    map_get(&member->protocols_by_name, name) != NULL;
}

struct slice
group_member_metadata(const struct group_member *member)
{
	struct slice name = member->group->protocol;
	const struct group_protocol *protocol = slice_is_null(name) ?
	    NULL :
	    map_get(&member->protocols_by_name, name);

	return protocol == NULL ? slice_str("") : protocol->metadata;
}

/* --- All members' -------------------------------------------------------- */

void
group_support_add(struct map *supports, struct slice name)
{
	struct group_support *support = map_get(supports, name);

	if (support == NULL) {
		support = xcalloc(1, sizeof(*support));
		group_own(&support->name, name);
		map_set(supports, support->name, support);
	}
	support->count++;
}

void
group_support_remove(struct map *supports, struct slice name)
{
	struct group_support *support = map_get(supports, name);

	assert(support != NULL && support->count > 0);
	if (--support->count > 0)
		return;
	map_remove(supports, name);
	group_own(&support->name, SLICE_NULL);
	free(support);
}

int32_t
group_support_count(const struct map *supports, struct slice name)
{
	const struct group_support *support = map_get(supports, name);

	return support == NULL ? 0 : support->count;
}

void
group_supports_add(struct group_member *member)
{
	const struct group_protocol *protocol;

	for (size_t at = 0; (protocol = map_next(&member->protocols_by_name,
				 &at)) != NULL;)
		group_support_add(&member->group->supports, protocol->name);
}

void
group_supports_remove(struct group_member *member)
{
	const struct group_protocol *protocol;

	for (size_t at = 0; (protocol = map_next(&member->protocols_by_name,
				 &at)) != NULL;)
		group_support_remove(&member->group->supports, protocol->name);
}

/* Do all members support the protocol? */
static bool
supported(const struct group *group, struct slice name)
{
	return group_support_count(&group->supports, name) ==
	    group_member_count(group);
}

bool
group_accepts(
    const struct group *group, const struct kp_join_group_request *request)
{
	if (group->state == GROUP_EMPTY)
		return request->protocol_type.len > 0 &&
		    request->protocols_count > 0;
	if (!slice_equal(group->protocol_type, request->protocol_type))
		return false;
	for (int32_t i = 0; i < request->protocols_count; i++)
		if (supported(group, request->protocols[i].name))
			return true;
	return false;
}

/* --- Votes ---------------------------------------------------------------- */

/* A protocol that is offered, by how many, and the votes for it. */
struct candidate {
	int32_t last;	/* the offer that it was seen in */
	int32_t count;
	int32_t votes;
};

/* All that are offered; what one offers twice counts once. */
static void
nominate(const struct group_offer *offers, int32_t count, struct arena *arena,
    struct map *candidates)
{
	for (int32_t m = 0; m < count; m++)
		for (int32_t i = 0; i < offers[m].count; i++) {
			const struct slice *name = &offers[m].protocols[i].name;
			struct candidate *candidate =
			    map_get(candidates, *name);

			if (candidate == NULL) {
				candidate = arena_xcalloc(
				    arena, 1, sizeof(*candidate));
				candidate->last = -1;
				map_set(candidates, *name, candidate);
			}
			candidate->count += candidate->last != m;
			candidate->last = m;
		}
}

/* The vote goes to the first of its protocols that all have. */
static void
vote(const struct group_offer *offer, int32_t count,
    const struct map *candidates)
{
	for (int32_t i = 0; i < offer->count; i++) {
		struct candidate *candidate =
		    map_get(candidates, offer->protocols[i].name);

		if (candidate->count < count)
			continue;
		candidate->votes++;
		return;
	}
}

struct slice
group_offers_vote(const struct group_offer *offers, int32_t count)
{
	struct slice winner = SLICE_NULL;
	struct map candidates;
	struct arena arena;
	int32_t votes = 0;

	map_init(&candidates);
	arena_init(&arena, SIZE_MAX);
	nominate(offers, count, &arena, &candidates);
	for (int32_t m = 0; m < count; m++)
		vote(&offers[m], count, &candidates);
	for (int32_t i = 0; i < offers[0].count; i++) {
		struct slice name = offers[0].protocols[i].name;
		const struct candidate *candidate = map_get(&candidates, name);

		if (candidate->votes > votes) {
			winner = name;
			votes = candidate->votes;
		}
	}
	map_fini(&candidates);
	arena_reset(&arena);
	return winner;
}

struct slice
group_vote(const struct group *group)
{
	size_t count = (size_t)group_member_count(group);
	struct group_offer *offers = xcalloc(count, sizeof(*offers));
	struct slice winner;
	size_t n = 0;

	LIST_FOR_EACH (node, &group->members) {
		const struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		offers[n++] = (struct group_offer){ member->protocols,
			member->protocols_count };
	}
	winner = group_offers_vote(offers, (int32_t)count);
	free(offers);
	return winner;
}

/* --- Subscriptions ------------------------------------------------------- */

/*
 * Add the topics that the member subscribes to; -1 where it does not parse.
 * Version 0 is how every version begins, and all that is looked at.
 */
static int
add_topics(struct map *topics, struct slice metadata)
{
	struct kp_consumer_protocol_subscription subscription;
	struct arena arena;
	size_t used;
	int result;

	if (metadata.len < sizeof(int16_t))
		return -1;
	arena_init(&arena, 16 * metadata.len + 65536);
	result = kp_decode_prefix(&kp_consumer_protocol_subscription, 0,
	    slice_of(metadata.data + 2, metadata.len - 2), &arena,
	    &subscription, &used);
	/* Names point into the metadata, not into the arena. */
	for (int32_t i = 0; result == 0 && i < subscription.topics_count; i++)
		map_set(topics, subscription.topics[i], topics);
	arena_reset(&arena);
	return result;
}

void
group_subscription_init(
    struct group_subscription *subscription, const struct group *group)
{
	map_init(&subscription->topics);
	subscription->everything = false;
	subscription->group = group->kind != NULL ? group : NULL;
	if (!slice_equal_str(group->protocol_type, CONSUMER_PROTOCOL))
		return;
	if (slice_is_null(group->protocol)) {
		subscription->everything =
		    group->generation == 0 && !list_empty(&group->members);
		return;
	}
	LIST_FOR_EACH (node, &group->members) {
		const struct group_member *member =
		    LIST_ENTRY(node, struct group_member, node);

		if (add_topics(&subscription->topics,
			group_member_metadata(member)) != 0)
			subscription->everything = true;
	}
}

void
group_subscription_fini(struct group_subscription *subscription)
{
	map_fini(&subscription->topics);
}

bool
group_subscription_has(
    const struct group_subscription *subscription, struct slice topic)
{
	if (subscription->group != NULL)
		return subscription->group->kind->subscribes(
		    subscription->group, topic);
	return subscription->everything ||
	    map_get(&subscription->topics, topic) != NULL;
}
