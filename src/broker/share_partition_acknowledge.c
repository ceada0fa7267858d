#include "broker/share_partition_inner.h"

struct acknowledgement {
	const struct share_partition_limits *limits;
	struct share_partition_change *change;
	struct share_runs *out;
	int32_t owner;
	uint64_t id;
	int64_t deadline_ms; /* of a renewed lock */
};

static enum share_partition_record
state_acknowledged(const struct acknowledgement *acknowledgement,
    const struct share_run *run, int8_t type)
{
	switch (type) {
	case SHARE_PARTITION_ACCEPT:
		return SHARE_PARTITION_ACKNOWLEDGED;
	case SHARE_PARTITION_RELEASE:
		return share_run_returned(run, acknowledgement->limits);
	default:
		return SHARE_PARTITION_ARCHIVED;
	}
}

static enum kp_error
run_acknowledge(struct acknowledgement *acknowledgement,
    const struct share_run *run, int8_t type)
{
	struct share_run after = *run;

	if (!share_run_acquired(run) || run->owner != acknowledgement->owner)
		return KP_INVALID_RECORD_STATE;
	if (type == SHARE_PARTITION_RENEW) {
		if (!acknowledgement->limits->renewable)
			return KP_INVALID_RECORD_STATE;
		after.deadline_ms = acknowledgement->deadline_ms;
		share_runs_push(acknowledgement->out, &after);
		return KP_NONE;
	}
	after.state = state_acknowledged(acknowledgement, run, type);
	after.change = acknowledgement->id;
	share_runs_push(acknowledgement->out, &after);
	share_partition_change_add(acknowledgement->change, &after);
	return KP_NONE;
}

/* How far from offset on the types of ack are all the same. */
static int64_t
types_end(const struct share_partition_ack *ack, int64_t offset, int64_t last)
{
	int8_t type = ack->types[offset - ack->first_offset];

	while (
	    offset < last && ack->types[offset + 1 - ack->first_offset] == type)
		offset++;
	return offset;
}

/* The part of run that ack speaks of. */
static enum kp_error
run_acknowledge_part(struct acknowledgement *acknowledgement,
    const struct share_run *run, const struct share_partition_ack *ack)
{
	int64_t last = MIN(run->last, ack->last_offset);
	enum kp_error error = KP_NONE;
	int64_t end;

	for (int64_t at = MAX(run->first, ack->first_offset);
	    at <= last && error == KP_NONE; at = end + 1) {
		struct share_run part = *run;
		bool each = ack->types_count > 1;

		end = each ? types_end(ack, at, last) : last;
		part.first = at;
		part.last = end;
		error = run_acknowledge(acknowledgement, &part,
		    ack->types[each ? at - ack->first_offset : 0]);
	}
	return error;
}

/* The last run that begins at offset or before, NULL where none does. */
static const struct share_run *
run_floor(const struct share_runs *runs, int64_t offset)
{
	size_t low = 0, high = runs->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (runs->at[middle].first <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? NULL : &runs->at[low - 1];
}

/* Does ack end within what is in flight? */
static enum kp_error
ack_check(const struct share_partition *partition,
    const struct share_partition_ack *ack)
{
	const struct share_run *last =
	    run_floor(&partition->runs, ack->last_offset);

	if (last == NULL)
		return KP_INVALID_RECORD_STATE;
	return last->last < ack->last_offset ? KP_INVALID_REQUEST : KP_NONE;
}

/* How far the runs that stand have been worked out. */
struct progress {
	size_t index;   /* of the run */
	int64_t offset; /* the next one of it */
};

/* What stands before offset stays as it is. */
static void
progress_copy(struct acknowledgement *acknowledgement,
    const struct share_runs *stood, struct progress *progress, int64_t offset)
{
	for (; progress->index < stood->count; progress->index++) {
		const struct share_run *run = &stood->at[progress->index];

		share_runs_push_part(
		    acknowledgement->out, run, progress->offset, offset - 1);
		if (run->last >= offset)
			break;
	}
	progress->offset = MAX(progress->offset, offset);
}

/* The records of one range; those before it have been worked out. */
static enum kp_error
ack_apply(struct acknowledgement *acknowledgement,
    const struct share_runs *stood, struct progress *progress,
    const struct share_partition_ack *ack)
{
	enum kp_error error = KP_NONE;

	for (; progress->index < stood->count; progress->index++) {
		const struct share_run *run = &stood->at[progress->index];

		if (run->first > ack->last_offset)
			break;
		error = run_acknowledge_part(acknowledgement, run, ack);
		if (error != KP_NONE || run->last > ack->last_offset)
			break;
	}
	progress->offset = ack->last_offset + 1;
	return error;
}

/* All ranges; they ascend, and a record that two of them name is an error. */
static enum kp_error
acks_apply(struct acknowledgement *acknowledgement,
    const struct share_partition *partition,
    const struct share_partition_ack *acks, size_t count)
{
	struct progress progress = { 0, partition->start_offset };
	enum kp_error error = KP_NONE;

	for (size_t i = 0; i < count && error == KP_NONE; i++) {
		int64_t first =
		    MAX(acks[i].first_offset, partition->start_offset);

		if (acks[i].last_offset < partition->start_offset)
			continue;
		error = ack_check(partition, &acks[i]);
		if (error == KP_NONE && first < progress.offset)
			error = KP_INVALID_RECORD_STATE;
		if (error != KP_NONE)
			break;
		progress_copy(
		    acknowledgement, &partition->runs, &progress, first);
		error = ack_apply(
		    acknowledgement, &partition->runs, &progress, &acks[i]);
	}
	progress_copy(acknowledgement, &partition->runs, &progress, INT64_MAX);
	return error;
}

enum kp_error
share_partition_acknowledge(struct share_partition *partition,
    const struct share_partition_limits *limits, struct slice member,
    const struct share_partition_ack *acks, size_t count, int64_t now_ms,
    struct share_partition_change *change)
{
	struct acknowledgement acknowledgement = {
		.limits = limits,
		.change = change,
		.out = share_partition_next_begin(partition),
		.owner = share_members_find(&partition->members, member),
		.id = partition->changes + 1,
		.deadline_ms = now_ms + limits->lock_ms,
	};
	enum kp_error error;

	if (acknowledgement.owner == SHARE_NOBODY)
		acknowledgement.owner = INT32_MAX;
	error = acks_apply(&acknowledgement, partition, acks, count);
	if (error != KP_NONE) {
		share_partition_change_fini(change);
		return error;
	}
	share_partition_next_take(partition);
	if (change->states_count > 0)
		change->id = partition->changes = acknowledgement.id;
	share_partition_change_seal(partition, change);
	return KP_NONE;
}
