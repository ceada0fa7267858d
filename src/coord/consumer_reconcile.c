/*
 * A member's step towards its target (CurrentAssignmentBuilder of Kafka).
 *
 * It first gives up what it is not to have, and says so; then it has the
 * target's epoch, and gets what is free, which is what nobody else has or
 * still has to give up.
 */
#include "coord/consumer_change.h"
#include "meta/topic_image.h"

struct reconciling {
	struct consumer_change *change;
	struct consumer_member *member;    /* the draft */
	struct consumer_assignment target; /* of topics it subscribes to */
	const struct consumer_assignment *owned; /* NULL: unknown */
};

/* --- What it subscribes to ----------------------------------------------- */

static bool
subscribes(struct reconciling *r, struct uuid topic_id)
{
	struct consumer_change *change = r->change;
	const struct topic_image *topic =
	    group_image_topic_by_id(change->shard->common->image, topic_id);
	bool found;

	if (topic == NULL)
		return false;
	found = consumer_names_have(&r->member->topics, topic->name) ||
	    consumer_names_have(
		consumer_change_matched(change, r->member->regex), topic->name);
	topic_image_unref(topic);
	return found;
}

/* The part of the set whose topics it subscribes to. */
static struct consumer_assignment
subscribed_part(struct reconciling *r, const struct consumer_assignment *set)
{
	struct consumer_assignment out =
	    consumer_assignment_new(&r->change->arena, set->count);

	for (int32_t i = 0, run; i < set->count; i += run) {
		run = consumer_assignment_run(set, i);
		if (!subscribes(r, set->partitions[i].topic_id))
			continue;
		memcpy(&out.partitions[out.count], &set->partitions[i],
		    (size_t)run * sizeof(*set->partitions));
		out.count += run;
	}
	return out;
}

/* --- Steps --------------------------------------------------------------- */

static void
set_epoch(struct consumer_member *member, int32_t epoch)
{
	member->previous_epoch = member->epoch;
	member->epoch = epoch;
}

/* Does it still own, for all we know, any of these? */
static bool
still_owns(const struct reconciling *r, const struct consumer_assignment *set)
{
	return r->owned == NULL || consumer_assignment_meet(r->owned, set);
}

/*
 * Of what it is to get, what is free: nobody has it, or it has it itself and
 * was about to give it up.
 */
static struct consumer_assignment
free_part(const struct reconciling *r, const struct consumer_assignment *wanted)
{
	struct consumer_assignment out =
	    consumer_assignment_new(&r->change->arena, wanted->count);

	for (int32_t i = 0; i < wanted->count; i++) {
		const struct consumer_partition *p = &wanted->partitions[i];

		if (consumer_group_owner(r->change->consumer, p) == -1 ||
		    consumer_assignment_find(&r->member->revoking, p->topic_id,
			p->partition) != NULL)
			consumer_assignment_add(&out, p->topic_id, p->partition,
			    r->change->target_epoch);
	}
	return out;
}

static void
compute(struct reconciling *r, int32_t epoch)
{
	struct arena *arena = &r->change->arena;
	struct consumer_member *member = r->member;
	struct consumer_assignment kept =
	    consumer_assignment_common(arena, &member->assigned, &r->target);
	struct consumer_assignment revoked =
	    consumer_assignment_minus(arena, &member->assigned, &kept);
	struct consumer_assignment wanted =
	    consumer_assignment_minus(arena, &r->target, &kept);
	struct consumer_assignment given = free_part(r, &wanted);

	if (revoked.count > 0 && still_owns(r, &revoked)) {
		member->state = CONSUMER_UNREVOKED;
		set_epoch(member, epoch);
		member->assigned = kept;
		member->revoking = revoked;
		return;
	}
	member->state =
	    given.count < wanted.count ? CONSUMER_UNRELEASED : CONSUMER_STABLE;
	set_epoch(member, r->change->target_epoch);
	member->assigned = consumer_assignment_plus(arena, &kept, &given);
	member->revoking = (struct consumer_assignment){ 0 };
}

/*
 * Topics that it does not subscribe to any more are taken from it at once,
 * whatever the target says.
 */
static void
prune(struct reconciling *r)
{
	struct arena *arena = &r->change->arena;
	struct consumer_member *member = r->member;
	struct consumer_assignment kept = subscribed_part(r, &member->assigned);
	struct consumer_assignment revoked =
	    consumer_assignment_minus(arena, &member->assigned, &kept);
	struct consumer_assignment all =
	    consumer_assignment_plus(arena, &member->revoking, &revoked);

	if (revoked.count == 0)
		return;
	member->assigned = kept;
	if (!still_owns(r, &revoked))
		return;
	member->state = CONSUMER_UNREVOKED;
	member->revoking = all;
	set_epoch(member, member->epoch);
}

static enum kp_error
step(struct reconciling *r, bool subscribed)
{
	struct consumer_member *member = r->member;

	switch (member->state) {
	case CONSUMER_STABLE:
		if (member->epoch != r->change->target_epoch)
			compute(r, member->epoch);
		else if (subscribed)
			prune(r);
		return KP_NONE;
	case CONSUMER_UNREVOKED:
		if (!still_owns(r, &member->revoking))
			compute(r, member->epoch);
		else if (subscribed)
			prune(r);
		return KP_NONE;
	case CONSUMER_UNRELEASED:
		compute(r, member->epoch);
		return KP_NONE;
	case CONSUMER_UNKNOWN:
		break;
	}
	/* Written by a broker whose states we do not know. */
	if (r->owned == NULL || r->owned->count > 0)
		return KP_FENCED_MEMBER_EPOCH;
	compute(r, r->change->target_epoch);
	return KP_NONE;
}

enum kp_error
consumer_reconcile(struct consumer_change *change,
    const struct consumer_assignment *owned, bool subscribed)
{
	struct reconciling r = {
		.change = change,
		.member = change->draft,
		.owned = owned,
	};

	if (!subscribed && change->draft->state == CONSUMER_STABLE &&
	    change->draft->epoch == change->target_epoch)
		return KP_NONE;
	r.target = subscribed_part(&r, &change->target);
	return step(&r, subscribed);
}
