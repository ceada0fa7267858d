#include "coord/consumer_update.h"

#include "coord/consumer_record.h"

void
consumer_update_begin(struct consumer_update *update, struct group_shard *shard,
    struct consumer_group *consumer, struct slice group_id)
{
	memset(update, 0, sizeof(*update));
	consumer_change_begin(&update->change, shard, consumer, group_id);
}

void
consumer_update_end(struct consumer_update *update)
{
	consumer_change_end(&update->change);
}

/* --- Who it is ----------------------------------------------------------- */

static void
begin_draft(struct consumer_update *update, const struct consumer_member *known)
{
	update->known = known;
	update->draft = *known;
	update->change.draft = &update->draft;
}

void
consumer_update_new(struct consumer_update *update, struct slice id)
{
	update->copy = (struct consumer_member){
		.consumer = update->change.consumer,
		.id = id,
		.client_id = slice_str(""),
		.client_host = slice_str(""),
		.regex = slice_str(""),
		.rebalance_timeout_ms = -1,
	};
	begin_draft(update, &update->copy);
}

static void
begin_base(struct consumer_update *update, const struct consumer_member *member)
{
	update->change.base = member;
	update->change.target =
	    consumer_member_target(update->change.consumer, member->id);
}

void
consumer_update_known(
    struct consumer_update *update, const struct consumer_member *member)
{
	begin_base(update, member);
	begin_draft(update, member);
}

void
consumer_update_replaced(struct consumer_update *update,
    const struct consumer_member *member, struct slice id)
{
	struct group_shard *shard = update->change.shard;
	struct slice group_id = update->change.group_id;

	begin_base(update, member);
	update->copy = *member;
	update->copy.id = id;
	update->copy.epoch = 0;
	update->copy.previous_epoch = 0;
	begin_draft(update, &update->copy);
	consumer_emit_current_end(shard, group_id, member->id);
	consumer_emit_target_end(shard, group_id, member->id);
	consumer_emit_member_end(shard, group_id, member->id);
	consumer_emit_member(shard, group_id, &update->copy);
	consumer_emit_target(shard, group_id, id, &update->change.target);
	consumer_emit_current(shard, group_id, &update->copy);
}

/* --- What it says of itself ---------------------------------------------- */

void
consumer_update_topics(
    struct consumer_update *update, const struct slice *names, int32_t count)
{
	struct consumer_names *topics = &update->draft.topics;

	topics->count = count;
	topics->names = arena_xcalloc(
	    &update->change.arena, (size_t)count, sizeof(*topics->names));
	for (int32_t i = 0; i < count; i++)
		topics->names[i] = names[i];
	consumer_names_sort(topics);
}

bool
consumer_update_fits(const struct consumer_update *update)
{
	const struct consumer_member *draft = &update->draft;

	return consumer_member_bytes(draft) <=
	    draft->bytes + budget_left(update->change.shard->memory);
}

static bool
classic_alike(
    const struct consumer_classic *a, const struct consumer_classic *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (a->session_timeout_ms != b->session_timeout_ms ||
	    a->protocols_count != b->protocols_count)
		return false;
	for (int32_t i = 0; i < a->protocols_count; i++)
		if (!slice_equal(a->protocols[i].name, b->protocols[i].name) ||
		    !slice_equal(
			a->protocols[i].metadata, b->protocols[i].metadata))
			return false;
	return true;
}

static bool
described_alike(
    const struct consumer_member *a, const struct consumer_member *b)
{
	return classic_alike(a->classic, b->classic) &&
	    a->rebalance_timeout_ms == b->rebalance_timeout_ms &&
	    slice_equal(a->instance_id, b->instance_id) &&
	    slice_equal(a->rack_id, b->rack_id) &&
	    slice_equal(a->client_id, b->client_id) &&
	    slice_equal(a->client_host, b->client_host) &&
	    slice_equal(a->server_assignor, b->server_assignor) &&
	    slice_equal(a->regex, b->regex) &&
	    consumer_names_equal(&a->topics, &b->topics);
}

/* The last member that used the expression has another one now. */
static void
leave_regex(struct consumer_update *update, const struct consumer_regex *regex)
{
	if (regex == NULL || regex->members_count > 1 || !regex->resolved)
		return;
	consumer_emit_regex_end(
	    update->change.shard, update->change.group_id, regex->text);
	consumer_change_count(&update->change, &regex->topics, 0, -1);
}

/*
 * What it matches counts once it is known: at once where others use the same
 * expression, else after it has been resolved.
 */
static bool
update_regex(struct consumer_update *update)
{
	const struct consumer_group *consumer = update->change.consumer;
	const struct consumer_regex *regex;

	if (slice_equal(update->draft.regex, update->known->regex))
		return false;
	update->subscribed = true;
	leave_regex(
	    update, consumer_regex_find(consumer, update->known->regex));
	if (update->draft.regex.len == 0)
		return true;
	regex = consumer_regex_find(consumer, update->draft.regex);
	return regex != NULL && regex->resolved && regex->members_count > 0;
}

/* True where the group gets a new epoch for it. */
static bool
update_topics(struct consumer_update *update)
{
	if (consumer_names_equal(&update->draft.topics, &update->known->topics))
		return false;
	update->subscribed = true;
	consumer_change_count(&update->change, &update->known->topics, -1, 0);
	consumer_change_count(&update->change, &update->draft.topics, 1, 0);
	return true;
}

void
consumer_update_describe(struct consumer_update *update)
{
	struct consumer_change *change = &update->change;
	bool bump = update_topics(update);

	if (!described_alike(&update->draft, update->known))
		consumer_emit_member(
		    change->shard, change->group_id, &update->draft);
	bump |= update_regex(update);
	consumer_change_epoch(change, bump);
}

/* --- Its next step ------------------------------------------------------- */

static bool
assigned_alike(const struct consumer_member *a, const struct consumer_member *b)
{
	return a->epoch == b->epoch && a->previous_epoch == b->previous_epoch &&
	    a->state == b->state &&
	    consumer_assignment_equal(&a->assigned, &b->assigned) &&
	    consumer_assignment_equal(&a->revoking, &b->revoking);
}

enum kp_error
consumer_update_reconcile(struct consumer_update *update)
{
	const struct consumer_member *draft = &update->draft;
	const struct consumer_member *known = update->known;
	struct consumer_change *change = &update->change;
	enum kp_error error;

	error = consumer_reconcile(change,
	    update->owned_known ? &update->owned : NULL, update->subscribed);
	if (error != KP_NONE)
		return error;
	update->reassigned = !assigned_alike(draft, known);
	update->assigned_anew =
	    !consumer_assignment_equal(&draft->assigned, &known->assigned);
	if (update->reassigned)
		consumer_emit_current(change->shard, change->group_id, draft);
	return KP_NONE;
}
