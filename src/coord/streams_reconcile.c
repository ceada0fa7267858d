/*
 * A member's step towards its target (CurrentAssignmentBuilder of Kafka).
 *
 * It first gives up what it is not to have, and says so; then it has the
 * target's epoch, and gets what is free.  An active task is free where nobody
 * has it, and no task is given to a process that has it in another role.
 */
#include "coord/streams_change.h"

struct reconciling {
	struct streams_change *change;
	struct streams_member *member;          /* the draft */
	const struct streams_assignment *owned; /* NULL: unknown */
};

static void
set_epoch(struct streams_member *member, int32_t epoch)
{
	member->previous_epoch = member->epoch;
	member->epoch = epoch;
}

/* Does it still own, for all we know, any of these? */
static bool
still_owns(
    const struct reconciling *r, const struct streams_assignment *assignment)
{
	return r->owned == NULL ||
	    streams_assignment_meet(r->owned, assignment);
}

/* --- What is free -------------------------------------------------------- */

static void
take_away(struct arena *arena, struct streams_tasks *set,
    const struct streams_tasks *taken)
{
	if (streams_tasks_meet(set, taken))
		*set = streams_tasks_minus(arena, set, taken);
}

/* Of the set what another one with these tasks, or itself, keeps from it. */
static void
take_away_held(const struct reconciling *r, enum streams_kind kind,
    struct streams_tasks *set, const struct streams_member *holder,
    const struct streams_assignment *held)
{
	struct arena *arena = &r->change->arena;
	bool same_process =
	    slice_equal(holder->process_id, r->member->process_id);

	if (kind == STREAMS_ACTIVE || same_process)
		take_away(arena, set, &held->kinds[STREAMS_ACTIVE]);
	if (!same_process)
		return;
	take_away(arena, set, &held->kinds[STREAMS_STANDBY]);
	take_away(arena, set, &held->kinds[STREAMS_WARMUP]);
}

static struct streams_tasks
free_part(const struct reconciling *r, enum streams_kind kind,
    struct streams_tasks wanted)
{
	LIST_FOR_EACH (node, &r->change->streams->members) {
		const struct streams_member *holder =
		    LIST_ENTRY(node, struct streams_member, node);

		if (wanted.count == 0)
			break;
		take_away_held(r, kind, &wanted, holder, &holder->assigned);
		take_away_held(r, kind, &wanted, holder, &holder->revoking);
	}
	return wanted;
}

/* --- Steps --------------------------------------------------------------- */

/* What becomes of the tasks of all kinds. */
struct step {
	struct streams_assignment kept;
	struct streams_assignment revoked;
	struct streams_assignment given;
	bool unreleased; /* others have some of what it is to have */
};

static void
step_kind(struct reconciling *r, enum streams_kind kind, struct step *step)
{
	struct arena *arena = &r->change->arena;
	const struct streams_tasks *has = &r->member->assigned.kinds[kind];
	const struct streams_tasks *target = &r->change->target.kinds[kind];
	struct streams_tasks wanted;

	step->kept.kinds[kind] = streams_tasks_common(arena, has, target);
	step->revoked.kinds[kind] =
	    streams_tasks_minus(arena, has, &step->kept.kinds[kind]);
	wanted = streams_tasks_minus(arena, target, &step->kept.kinds[kind]);
	for (int32_t i = 0; kind == STREAMS_ACTIVE && i < wanted.count; i++)
		wanted.tasks[i].epoch = r->change->target_epoch;
	step->given.kinds[kind] = free_part(r, kind, wanted);
	step->unreleased |= step->given.kinds[kind].count < wanted.count;
}

static void
compute(struct reconciling *r, int32_t epoch)
{
	struct streams_member *member = r->member;
	struct step step = { 0 };

	for (int kind = 0; kind < STREAMS_KINDS; kind++)
		step_kind(r, (enum streams_kind)kind, &step);
	member->assigned = step.kept;
	if (streams_assignment_count(&step.revoked) > 0 &&
	    still_owns(r, &step.revoked)) {
		member->state = STREAMS_UNREVOKED;
		set_epoch(member, epoch);
		member->revoking = step.revoked;
		return;
	}
	member->state = step.unreleased ? STREAMS_UNRELEASED : STREAMS_STABLE;
	set_epoch(member, r->change->target_epoch);
	for (int kind = 0; kind < STREAMS_KINDS; kind++)
		member->assigned.kinds[kind] =
		    streams_tasks_plus(&r->change->arena,
			&step.kept.kinds[kind], &step.given.kinds[kind]);
	member->revoking = (struct streams_assignment){ 0 };
}

enum kp_error
streams_reconcile(
    struct streams_change *change, const struct streams_assignment *owned)
{
	struct streams_member *member = change->draft;
	struct reconciling r = {
		.change = change,
		.member = member,
		.owned = owned,
	};

	switch (member->state) {
	case STREAMS_STABLE:
		if (member->epoch != change->target_epoch)
			compute(&r, member->epoch);
		return KP_NONE;
	case STREAMS_UNREVOKED:
		if (!still_owns(&r, &member->revoking))
			compute(&r, member->epoch + 1);
		return KP_NONE;
	case STREAMS_UNRELEASED:
		compute(&r, member->epoch);
		return KP_NONE;
	case STREAMS_UNKNOWN:
		break;
	}
	/* Written by a broker whose states we do not know. */
	if (owned == NULL || streams_assignment_count(owned) > 0)
		return KP_FENCED_MEMBER_EPOCH;
	compute(&r, change->target_epoch);
	return KP_NONE;
}
