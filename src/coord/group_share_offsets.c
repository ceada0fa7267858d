/*
 * Where share groups begin, as their administrators see it: altered and
 * forgotten; and what the share coordinator is told of partitions and groups
 * that come and go.
 */
#include "coord/group_share_offsets.h"

#include "coord/share_group_change.h"
#include "coord/share_group_record.h"
#include "meta/topic_image.h"

/* --- Initialised ---------------------------------------------------------- */

/*
 * These are initialised, or they have failed to be, and are none of those that
 * are initialising any more.  What cannot be written down is tried again when
 * its time has come.
 */
static void
write_down(struct share_group *share, struct share_group_states *states,
    bool initialized)
{
	struct share_partitions will = share->partitions;
	struct consumer_assignment these =
	    share_group_states_partitions(states);

	if (!initialized && will.initializing.count == 0)
		return;
	will.initializing = consumer_assignment_minus(
	    &states->arena, &will.initializing, &these);
	if (initialized)
		will.initialized = consumer_assignment_plus(
		    &states->arena, &will.initialized, &these);
	share_emit_partitions(
	    share->group->shard, share->group->id, &will);
	if (shard_append(&share->group->shard->shard) != KP_NONE)
		share->settled = false;
}

static struct share_group *
find_share(struct group_shard *shard, struct slice group_id)
{
	struct group *group = group_find(shard, group_id);

	return group == NULL ? NULL : group->share;
}

static void
initialized(struct share_group_states *states, struct group_shard *shard)
{
	enum kp_error error = share_group_states_error(states, NULL);
	struct share_group *share;

	if (shard_enter(&shard->shard) == KP_NONE) {
		share = find_share(shard, states->group_id);
		if (share != NULL)
			write_down(share, states, error == KP_NONE);
		shard_leave(&shard->shard);
	}
	share_group_states_free(states);
}

void
group_share_initialize(
    struct group_shard *shard, struct share_group_states *states)
{
	states->done = initialized;
	share_group_states_start(shard, states);
}

/* --- What operations share ------------------------------------------------ */

/* An operation that waits for the share coordinator. */
struct waiting {
	struct group_call *call;
	struct group_share_offsets *offsets;
};

static struct share_group_states *
states_new(enum share_state_operation operation, struct group_call *call,
    struct group_share_offsets *offsets,
    const struct consumer_assignment *partitions)
{
	struct share_group_states *states = share_group_states_new(
	    operation, offsets->group_id, partitions);
	struct waiting *waiting =
	    arena_xcalloc(&states->arena, 1, sizeof(*waiting));

	*waiting = (struct waiting){ call, offsets };
	states->context = waiting;
	return states;
}

static enum kp_error
refuse(struct group_call *call, struct group_share_offsets *offsets,
    enum kp_error error, const char *why)
{
	if (why != NULL)
		offsets->message = arena_printf(call->arena,
		    "Group %.*s %s.", SLICE_ARG(offsets->group_id), why);
	return error;
}

/* A share group without members; NULL, and no error, where there is none. */
static enum kp_error
find_empty(struct group_shard *shard, struct group_call *call,
    struct group_share_offsets *offsets, struct share_group **share)
{
	struct group *group = group_find(shard, offsets->group_id);

	*share = NULL;
	if (group == NULL)
		return KP_NONE;
	if (group->share == NULL)
		return refuse(call, offsets, KP_GROUP_ID_NOT_FOUND,
		    "is not a share group");
	if (share_group_count(group->share) > 0)
		return KP_NON_EMPTY_GROUP;
	*share = group->share;
	return KP_NONE;
}

static void
answer_at_once(struct group_call *call, enum kp_error error)
{
	call->call.error = error;
	call->call.done(&call->call);
}

/* --- Altering ------------------------------------------------------------- */

/* Whoever altered them is told of each partition. */
static void
tell_partition(const struct share_group_states *states,
    const struct group_share_topic *topic, struct group_share_partition *p)
{
	const struct share_state_call *call =
	    share_group_states_find(states, topic->id, p->partition);

	if (p->error != KP_NONE || call == NULL)
		return;
	p->error = call->call.error;
	p->message = call->message;
}

/*
 * Those that failed stay among those that are initialising until it is time to
 * try them again, as in Kafka.
 */
static void
altered(struct share_group_states *states, struct group_shard *shard)
{
	const struct waiting *waiting = states->context;
	struct group_share_offsets *offsets = waiting->offsets;
	struct group_call *call = waiting->call;
	enum kp_error error = states->committed.error;

	for (int32_t t = 0; t < offsets->topics_count; t++)
		for (int32_t i = 0; i < offsets->topics[t].partitions_count;
		    i++)
			tell_partition(states, &offsets->topics[t],
			    &offsets->topics[t].partitions[i]);
	if (share_group_states_error(states, NULL) == KP_NONE)
		initialized(states, shard);
	else
		share_group_states_free(states);
	answer_at_once(call, error);
}

/* The partitions that there are, and what is wrong with the others. */
static int32_t
check_topic(struct group_image *image, struct group_share_topic *topic)
{
	const struct topic_image *known =
	    group_image_topic(image, topic->name);
	int32_t count = 0;

	topic->id = known == NULL ? UUID_ZERO : known->id;
	for (int32_t i = 0; i < topic->partitions_count; i++) {
		struct group_share_partition *p = &topic->partitions[i];

		if (known == NULL || p->partition < 0 ||
		    p->partition >= known->partitions_count)
			p->error = KP_UNKNOWN_TOPIC_OR_PARTITION;
		else
			count++;
	}
	topic_image_unref(known);
	return count;
}

static struct consumer_assignment
partitions_of(struct arena *arena, struct group_image *image,
    const struct group_share_offsets *offsets, bool *any_topic)
{
	struct consumer_assignment set;
	int32_t count = 0;

	*any_topic = false;
	for (int32_t t = 0; t < offsets->topics_count; t++) {
		count += check_topic(image, &offsets->topics[t]);
		*any_topic |= !uuid_is_zero(offsets->topics[t].id);
	}
	set = consumer_assignment_new(arena, count);
	for (int32_t t = 0; t < offsets->topics_count; t++)
		for (int32_t i = 0; i < offsets->topics[t].partitions_count;
		    i++)
			if (offsets->topics[t].partitions[i].error == KP_NONE)
				consumer_assignment_add(&set,
				    offsets->topics[t].id,
				    offsets->topics[t].partitions[i].partition,
				    0);
	consumer_assignment_sort(&set);
	return set;
}

/* Of a partition that is named twice the last offset counts. */
static void
set_offsets(struct share_group_states *states,
    const struct group_share_offsets *offsets, int32_t epoch)
{
	for (int32_t i = 0; i < states->count; i++)
		states->calls[i].state_epoch = epoch;
	for (int32_t t = 0; t < offsets->topics_count; t++)
		for (int32_t i = 0; i < offsets->topics[t].partitions_count;
		    i++) {
			const struct group_share_partition *p =
			    &offsets->topics[t].partitions[i];
			const struct share_state_call *call =
			    share_group_states_find(states,
				offsets->topics[t].id, p->partition);

			if (p->error == KP_NONE && call != NULL)
				states->calls[call - states->calls]
				    .start_offset = p->start_offset;
		}
}

/* What is to be asked; NULL: nothing, or there is an error. */
static enum kp_error
alter(struct group_shard *shard, struct group_call *call,
    struct group_share_offsets *offsets, struct share_group_states **states)
{
	struct share_group *share, *fresh = NULL;
	struct share_group_change change;
	struct consumer_assignment set;
	enum kp_error error = find_empty(shard, call, offsets, &share);
	bool any_topic;

	if (error != KP_NONE)
		return error;
	if (share == NULL)
		share = fresh = share_group_new(NULL);
	share_group_change_begin(&change, shard, share, offsets->group_id);
	set = partitions_of(
	    &change.arena, shard->common->image, offsets, &any_topic);
	if (any_topic)
		share_group_change_initialize(&change, &set);
	if (set.count > 0) {
		*states =
		    states_new(SHARE_STATE_INITIALIZE, call, offsets, &set);
		(*states)->done = altered;
		set_offsets(*states, offsets, share->epoch);
	}
	share_group_change_end(&change);
	if (fresh != NULL)
		share_group_free(fresh);
	return shard_append(&shard->shard);
}

/* Start states, or answer without. */
static void
conclude(struct group_shard *shard, struct group_call *call,
    struct share_group_states *states, enum kp_error error)
{
	if (error == KP_NONE && states != NULL) {
		share_group_states_start(shard, states);
		return;
	}
	if (states != NULL)
		share_group_states_free(states);
	shard_reply(&shard->shard, &call->call, error);
}

void
group_shard_share_alter(struct group_shard *shard, struct group_call *call,
    struct group_share_offsets *offsets)
{
	enum kp_error error = shard_enter(&shard->shard);
	struct share_group_states *states = NULL;

	if (error != KP_NONE) {
		answer_at_once(call, error);
		return;
	}
	error = alter(shard, call, offsets, &states);
	conclude(shard, call, states, error);
	shard_leave(&shard->shard);
}

/* --- Forgetting topics ---------------------------------------------------- */

static void
tell_topic(
    const struct share_group_states *states, struct group_share_topic *topic)
{
	if (topic->error == KP_NONE)
		topic->error = share_group_states_error(states, &topic->id);
}

/* Topics of which nothing is kept any more. */
static struct consumer_assignment
forgotten_topics(
    struct share_group_states *states, const struct group_share_offsets *from)
{
	struct consumer_assignment set =
	    consumer_assignment_new(&states->arena, from->topics_count);

	for (int32_t t = 0; t < from->topics_count; t++)
		if (from->topics[t].error == KP_NONE)
			consumer_assignment_add(
			    &set, from->topics[t].id, 0, 0);
	consumer_assignment_sort(&set);
	return set;
}

static void
forgotten(struct share_group_states *states, struct group_shard *shard)
{
	const struct waiting *waiting = states->context;
	struct group_call *call = waiting->call;
	struct consumer_assignment topics;
	struct share_partitions will;
	struct share_group *share;
	enum kp_error error = states->committed.error;

	if (error == KP_NONE)
		error = shard_enter(&shard->shard);
	if (error != KP_NONE) {
		share_group_states_free(states);
		answer_at_once(call, error);
		return;
	}
	for (int32_t t = 0; t < waiting->offsets->topics_count; t++)
		tell_topic(states, &waiting->offsets->topics[t]);
	topics = forgotten_topics(states, waiting->offsets);
	share = find_share(shard, states->group_id);
	if (share != NULL && topics.count > 0) {
		will = share->partitions;
		will.deleting = consumer_assignment_minus(
		    &states->arena, &will.deleting, &topics);
		share_emit_partitions(shard, states->group_id, &will);
		error = shard_append(&shard->shard);
	}
	share_group_states_free(states);
	shard_reply(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
}

/* All partitions of the topic in set, or those that it has by now. */
static struct consumer_assignment
partitions_in(struct arena *arena, const struct consumer_assignment *set,
    struct uuid id)
{
	struct consumer_assignment of =
	    consumer_assignment_new(arena, set->count);

	for (int32_t i = 0; i < set->count; i++)
		if (uuid_equal(set->partitions[i].topic_id, id))
			consumer_assignment_add(
			    &of, id, set->partitions[i].partition, 0);
	return of;
}

static struct consumer_assignment
all_partitions(struct arena *arena, const struct topic_image *topic)
{
	struct consumer_assignment of =
	    consumer_assignment_new(arena, topic->partitions_count);

	for (int32_t p = 0; p < topic->partitions_count; p++)
		consumer_assignment_add(&of, topic->id, p, 0);
	return of;
}

/* Of one topic: what is to be deleted, of which will makes a note. */
static struct consumer_assignment
forget_topic(struct arena *arena, const struct topic_image *known,
    struct group_share_topic *topic, struct share_partitions *will)
{
	struct consumer_assignment of =
	    partitions_in(arena, &will->initialized, known->id);
	struct consumer_assignment mark = consumer_assignment_new(arena, 1);

	topic->id = known->id;
	if (of.count > 0) {
		consumer_assignment_add(&mark, known->id, 0, 0);
		will->initialized =
		    consumer_assignment_minus(arena, &will->initialized, &of);
		will->deleting =
		    consumer_assignment_plus(arena, &will->deleting, &mark);
		return of;
	}
	if (consumer_assignment_find(&will->deleting, known->id, 0) != NULL)
		return all_partitions(arena, known);
	topic->id = UUID_ZERO;
	topic->error = KP_UNKNOWN_TOPIC_OR_PARTITION;
	topic->message = "There is no offset information to delete.";
	return of;
}

static struct consumer_assignment
forget_topics(struct arena *arena, struct group_image *image,
    struct group_share_offsets *offsets, struct share_partitions *will)
{
	struct consumer_assignment all = { NULL, 0 };

	for (int32_t t = 0; t < offsets->topics_count; t++) {
		struct group_share_topic *topic = &offsets->topics[t];
		const struct topic_image *known =
		    group_image_topic(image, topic->name);
		struct consumer_assignment of;

		if (known == NULL) {
			topic->error = KP_UNKNOWN_TOPIC_OR_PARTITION;
			continue;
		}
		of = forget_topic(arena, known, topic, will);
		all = consumer_assignment_plus(arena, &all, &of);
		topic_image_unref(known);
	}
	return all;
}

static enum kp_error
forget(struct group_shard *shard, struct group_call *call,
    struct group_share_offsets *offsets, struct share_group_states **states)
{
	struct consumer_assignment all;
	struct share_partitions will;
	struct share_group *share;
	struct arena arena;
	enum kp_error error = find_empty(shard, call, offsets, &share);

	if (error == KP_NONE && share == NULL)
		error = refuse(
		    call, offsets, KP_GROUP_ID_NOT_FOUND, "not found");
	if (error != KP_NONE)
		return error;
	if (!share->has_partitions) {
		offsets->topics_count = 0;
		return KP_NONE;
	}
	arena_init(&arena, SIZE_MAX);
	will = share->partitions;
	all = forget_topics(&arena, shard->common->image, offsets, &will);
	share_emit_partitions(shard, offsets->group_id, &will);
	if (all.count > 0) {
		*states = states_new(SHARE_STATE_DELETE, call, offsets, &all);
		(*states)->done = forgotten;
	}
	arena_reset(&arena);
	return shard_append(&shard->shard);
}

void
group_shard_share_forget(struct group_shard *shard, struct group_call *call,
    struct group_share_offsets *offsets)
{
	enum kp_error error = shard_enter(&shard->shard);
	struct share_group_states *states = NULL;

	if (error != KP_NONE) {
		answer_at_once(call, error);
		return;
	}
	error = forget(shard, call, offsets, &states);
	conclude(shard, call, states, error);
	shard_leave(&shard->shard);
}

/* --- Forgetting groups ---------------------------------------------------- */

static void
group_forgotten(struct share_group_states *states, struct group_shard *shard)
{
	struct group_call *call = states->context;
	enum kp_error error = states->committed.error;
	struct slice group_id;

	if (error == KP_NONE)
		error = share_group_states_error(states, NULL);
	group_id = arena_copy(call->arena, states->group_id);
	share_group_states_free(states);
	if (error != KP_NONE)
		answer_at_once(call, error);
	else
		group_delete_forgotten(shard, call, group_id);
}

/*
 * All that is kept of the group, also what is yet to be forgotten: of topics
 * that are to be, all partitions.
 */
static struct consumer_assignment
all_kept(struct arena *arena, const struct share_group *share)
{
	struct group_image *image = share->group->shard->common->image;
	const struct share_partitions *known = &share->partitions;
	struct consumer_assignment all = consumer_assignment_plus(
	    arena, &known->initialized, &known->initializing);

	for (int32_t i = 0; i < known->deleting.count; i++) {
		const struct topic_image *topic = group_image_topic_by_id(
		    image, known->deleting.partitions[i].topic_id);
		struct consumer_assignment of;

		if (topic == NULL)
			continue;
		of = all_partitions(arena, topic);
		all = consumer_assignment_plus(arena, &all, &of);
		topic_image_unref(topic);
	}
	return all;
}

static struct consumer_assignment
topics_in(struct arena *arena, const struct consumer_assignment *set)
{
	struct consumer_assignment topics =
	    consumer_assignment_new(arena, set->count);

	for (int32_t i = 0; i < set->count;
	    i += consumer_assignment_run(set, i))
		consumer_assignment_add(
		    &topics, set->partitions[i].topic_id, 0, 0);
	return topics;
}

bool
group_share_forget(struct share_group *share, struct group_call *call,
    enum kp_error *error)
{
	struct group_shard *shard = share->group->shard;
	struct share_partitions will = { .initializing = { NULL, 0 } };
	struct share_group_states *states = NULL;
	struct consumer_assignment all;
	struct arena arena;

	if (!share->has_partitions)
		return false;
	arena_init(&arena, SIZE_MAX);
	all = all_kept(&arena, share);
	will.deleting = topics_in(&arena, &all);
	share_emit_partitions(shard, share->group->id, &will);
	if (all.count > 0) {
		states = share_group_states_new(
		    SHARE_STATE_DELETE, share->group->id, &all);
		states->context = call;
		states->done = group_forgotten;
	}
	arena_reset(&arena);
	*error = shard_append(&shard->shard);
	if (*error == KP_NONE && states != NULL) {
		share_group_states_start(shard, states);
		return true;
	}
	if (states != NULL)
		share_group_states_free(states);
	return false;
}

/* --- Topics that are deleted ---------------------------------------------- */

/* What of the set is of topics that are still there. */
static struct consumer_assignment
without(struct arena *arena, const struct consumer_assignment *set,
    const struct map *ids)
{
	struct consumer_assignment rest =
	    consumer_assignment_new(arena, set->count);

	for (int32_t i = 0; i < set->count; i++)
		if (map_get(ids, MAP_KEY(set->partitions[i].topic_id)) == NULL)
			consumer_assignment_add(&rest,
			    set->partitions[i].topic_id,
			    set->partitions[i].partition, 0);
	return rest;
}

void
group_share_emit_dropped(const struct share_group *share, const struct map *ids)
{
	const struct share_partitions *had = &share->partitions;
	struct share_partitions will;
	struct arena arena;

	arena_init(&arena, SIZE_MAX);
	will.initializing = without(&arena, &had->initializing, ids);
	will.initialized = without(&arena, &had->initialized, ids);
	will.deleting = without(&arena, &had->deleting, ids);
	if (will.initializing.count < had->initializing.count ||
	    will.initialized.count < had->initialized.count ||
	    will.deleting.count < had->deleting.count)
		share_emit_partitions(
		    share->group->shard, share->group->id, &will);
	arena_reset(&arena);
}
