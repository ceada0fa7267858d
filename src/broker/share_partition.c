#include "broker/share_partition_inner.h"

/* No log gets so far, and sums with a number of records stay in range. */
#define OFFSET_MAX (INT64_MAX - ((int64_t)1 << 32))

/* --- Changes ----------------------------------------------------------- */

void
share_partition_change_fini(struct share_partition_change *change)
{
	free(change->states);
	change->states = NULL;
	change->states_count = change->states_capacity = 0;
}

void
share_partition_change_add(
    struct share_partition_change *change, const struct share_run *run)
{
	struct share_partition_state *last = change->states_count > 0 ?
	    &change->states[change->states_count - 1] :
	    NULL;

	if (last != NULL && last->last_offset + 1 == run->first &&
	    last->state == run->state &&
	    last->delivery_count == run->delivery_count) {
		last->last_offset = run->last;
		return;
	}
	if (change->states_count == change->states_capacity) {
		change->states_capacity = MAX(2 * change->states_capacity, 8);
		change->states = xrealloc(change->states,
		    change->states_capacity * sizeof(*change->states));
	}
	change->states[change->states_count++] = (struct share_partition_state){
		.first_offset = run->first,
		.last_offset = run->last,
		.state = run->state,
		.delivery_count = run->delivery_count,
	};
}

struct share_runs *
share_partition_next_begin(struct share_partition *partition)
{
	partition->next.count = 0;
	return &partition->next;
}

void
share_partition_next_take(struct share_partition *partition)
{
	struct share_runs stood = partition->runs;

	partition->runs = partition->next;
	partition->next = stood;
	partition->next.count = 0;
}

void
share_partition_start_advance(struct share_partition *partition)
{
	struct share_runs *runs = &partition->runs;
	size_t done = 0;

	while (done < runs->count && share_run_terminal(&runs->at[done]) &&
	    runs->at[done].change == 0)
		done++;
	if (done == 0)
		return;
	if (done == runs->count) {
		partition->start_offset = runs->at[done - 1].last + 1;
		partition->end_offset = partition->start_offset;
		runs->count = 0;
		return;
	}
	partition->start_offset = runs->at[done].first;
	runs->count -= done;
	memmove(runs->at, runs->at + done, runs->count * sizeof(*runs->at));
}

void
share_partition_change_seal(const struct share_partition *partition,
    struct share_partition_change *change)
{
	change->start_offset = partition->start_offset;
	change->delivery_complete_count =
	    share_partition_complete_count(partition);
}

/* --- Life -------------------------------------------------------------- */

struct share_partition *
share_partition_new(void)
{
	return xcalloc(1, sizeof(struct share_partition));
}

void
share_partition_free(struct share_partition *partition)
{
	if (partition == NULL)
		return;
	share_members_fini(&partition->members);
	free(partition->runs.at);
	free(partition->next.at);
	free(partition);
}

static bool
state_valid(const struct share_partition_state *state)
{
	return state->first_offset >= 0 &&
	    state->last_offset >= state->first_offset &&
	    state->last_offset <= OFFSET_MAX && state->delivery_count >= 0 &&
	    state->delivery_count < INT16_MAX &&
	    (state->state == SHARE_PARTITION_AVAILABLE ||
		state->state == SHARE_PARTITION_ACQUIRED ||
		state->state == SHARE_PARTITION_ACKNOWLEDGED ||
		state->state == SHARE_PARTITION_ARCHIVED);
}

static void
runs_push_loaded(struct share_runs *runs, int64_t first, int64_t last,
    enum share_partition_record state, int16_t delivery_count, bool unseen)
{
	struct share_run run = {
		.first = first,
		.last = last,
		.batch_first = first,
		.batch_last = last,
		.owner = SHARE_NOBODY,
		.delivery_count = delivery_count,
		.state = state,
		.unseen = unseen,
	};

	if (first <= last)
		share_runs_push(runs, &run);
}

/* Nobody holds what was acquired before: the lock was not persisted. */
static int
load_state(struct share_runs *runs, const struct share_partition_state *state,
    int64_t *next_offset)
{
	int64_t first = MAX(state->first_offset, *next_offset);

	if (!state_valid(state))
		return -1;
	if (state->last_offset < *next_offset)
		return 0;
	runs_push_loaded(
	    runs, *next_offset, first - 1, SHARE_PARTITION_AVAILABLE, 0, true);
	runs_push_loaded(runs, first, state->last_offset,
	    state->state == SHARE_PARTITION_ACQUIRED ?
		SHARE_PARTITION_AVAILABLE :
		state->state,
	    state->delivery_count, false);
	*next_offset = state->last_offset + 1;
	return 0;
}

int
share_partition_load(struct share_partition *partition, int64_t start_offset,
    const struct share_partition_state *states, size_t count)
{
	struct share_runs *runs = share_partition_next_begin(partition);
	int64_t next_offset = start_offset;

	if (start_offset < 0 || start_offset > OFFSET_MAX)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (i > 0 &&
		    states[i].first_offset <= states[i - 1].last_offset)
			return -1;
		if (load_state(runs, &states[i], &next_offset) != 0)
			return -1;
	}
	share_partition_next_take(partition);
	partition->start_offset = start_offset;
	partition->end_offset =
	    partition->runs.count > 0 ? next_offset - 1 : start_offset;
	share_partition_start_advance(partition);
	return 0;
}

/* --- Views ------------------------------------------------------------- */

int64_t
share_partition_start_offset(const struct share_partition *partition)
{
	return partition->start_offset;
}

int64_t
share_partition_end_offset(const struct share_partition *partition)
{
	return partition->end_offset;
}

int32_t
share_partition_complete_count(const struct share_partition *partition)
{
	int64_t count = 0;

	for (size_t i = 0; i < partition->runs.count; i++)
		if (share_run_terminal(&partition->runs.at[i]))
			count += share_run_len(&partition->runs.at[i]);
	return (int32_t)MIN(count, INT32_MAX);
}

bool
share_partition_has_available(const struct share_partition *partition)
{
	for (size_t i = 0; i < partition->runs.count; i++)
		if (share_run_available(&partition->runs.at[i]))
			return true;
	return false;
}

int64_t
share_partition_next_offset(const struct share_partition *partition)
{
	for (size_t i = 0; i < partition->runs.count; i++)
		if (share_run_available(&partition->runs.at[i]))
			return partition->runs.at[i].first;
	return partition->runs.count > 0 ? partition->end_offset + 1 :
					   partition->end_offset;
}

int64_t
share_partition_in_flight(const struct share_partition *partition)
{
	return partition->runs.count == 0 ?
	    0 :
	    partition->end_offset - partition->start_offset + 1;
}

bool
share_partition_can_acquire(const struct share_partition *partition,
    const struct share_partition_limits *limits)
{
	return share_partition_next_offset(partition) !=
	    partition->end_offset + 1 ||
	    share_partition_in_flight(partition) < limits->locks_max;
}

int64_t
share_partition_next_deadline(const struct share_partition *partition)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < partition->runs.count; i++)
		if (share_run_acquired(&partition->runs.at[i]))
			next = MIN(next, partition->runs.at[i].deadline_ms);
	return next;
}

/* --- Release, expire, complete ----------------------------------------- */

void
share_partition_release(struct share_partition *partition,
    const struct share_partition_limits *limits, struct slice member,
    struct share_partition_change *change)
{
	int32_t owner = share_members_find(&partition->members, member);
	struct share_runs *out = share_partition_next_begin(partition);

	if (owner == SHARE_NOBODY)
		return;
	for (size_t i = 0; i < partition->runs.count; i++) {
		struct share_run run = partition->runs.at[i];

		if (share_run_acquired(&run) && run.owner == owner) {
			run.state = share_run_returned(&run, limits);
			run.change = partition->changes + 1;
			share_partition_change_add(change, &run);
		}
		share_runs_push(out, &run);
	}
	share_partition_next_take(partition);
	if (change->states_count > 0)
		change->id = ++partition->changes;
	share_partition_change_seal(partition, change);
}

void
share_partition_expire(struct share_partition *partition,
    const struct share_partition_limits *limits, int64_t now_ms,
    struct share_partition_change *change)
{
	struct share_runs *out = share_partition_next_begin(partition);

	for (size_t i = 0; i < partition->runs.count; i++) {
		struct share_run run = partition->runs.at[i];

		if (share_run_acquired(&run) && run.deadline_ms <= now_ms) {
			run.state = share_run_returned(&run, limits);
			share_run_disown(&run);
			share_partition_change_add(change, &run);
		}
		share_runs_push(out, &run);
	}
	share_partition_next_take(partition);
	share_partition_change_seal(partition, change);
	share_partition_start_advance(partition);
}

/* A change of run was not persisted. */
static void
run_restore(struct share_run *run, const struct share_partition_limits *limits,
    int64_t now_ms)
{
	run->change = 0;
	if (run->deadline_ms > now_ms) {
		run->state = SHARE_PARTITION_ACQUIRED;
		return;
	}
	run->state = share_run_returned(run, limits);
	share_run_disown(run);
}

void
share_partition_complete(struct share_partition *partition,
    const struct share_partition_limits *limits, uint64_t change,
    bool persisted, int64_t now_ms)
{
	struct share_runs *out = share_partition_next_begin(partition);

	assert(change != 0);
	for (size_t i = 0; i < partition->runs.count; i++) {
		struct share_run run = partition->runs.at[i];

		if (run.change == change) {
			if (persisted)
				share_run_disown(&run);
			else
				run_restore(&run, limits, now_ms);
		}
		share_runs_push(out, &run);
	}
	share_partition_next_take(partition);
	share_partition_start_advance(partition);
}

/* --- The log's start --------------------------------------------------- */

void
share_partition_log_start(struct share_partition *partition, int64_t offset)
{
	struct share_runs *out = share_partition_next_begin(partition);

	if (offset <= partition->start_offset)
		return;
	for (size_t i = 0; i < partition->runs.count; i++)
		share_runs_push_part(
		    out, &partition->runs.at[i], offset, INT64_MAX);
	share_partition_next_take(partition);
	partition->start_offset = offset;
	if (partition->runs.count == 0)
		partition->end_offset = offset;
	else
		partition->start_offset = partition->runs.at[0].first;
	share_partition_start_advance(partition);
}
