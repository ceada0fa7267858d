#include "broker/share_partition.h"

#define NOBODY (-1)

/* No log gets so far, and sums with a number of records stay in range. */
#define OFFSET_MAX (INT64_MAX - ((int64_t)1 << 32))

/* A record at this count or above has failed often. */
#define THROTTLED_MIN 2

/* Records that follow each other and are alike in everything. */
struct run {
	int64_t first;
	int64_t last;
	int64_t batch_first; /* of the records acquired together with these */
	int64_t batch_last;
	int64_t deadline_ms; /* of the lock, while it is acquired */
	uint64_t change;     /* under way, or 0 */
	int32_t owner;	     /* index into members, or NOBODY */
	int16_t delivery_count;
	enum share_partition_record state;
	bool unseen; /* a gap in what was loaded */
	bool taken;  /* by the acquisition that is being worked out */
};

struct runs {
	struct run *at; /* ascending, without overlap */
	size_t count;
	size_t capacity;
};

struct member {
	uint8_t *id; /* owned; NULL: the place is free */
	size_t len;
};

struct share_partition {
	struct runs runs;
	struct runs next; /* where a change is worked out */
	int64_t start_offset;
	int64_t end_offset;
	uint64_t changes; /* the last one's id */
	struct member *members;
	int32_t members_count;
};

/* --- Runs -------------------------------------------------------------- */

static bool
run_alike(const struct run *a, const struct run *b)
{
	return a->batch_first == b->batch_first &&
	    a->deadline_ms == b->deadline_ms && a->change == b->change &&
	    a->owner == b->owner && a->delivery_count == b->delivery_count &&
	    a->state == b->state && a->unseen == b->unseen &&
	    a->taken == b->taken;
}

/* Put run at the end, as part of the last one where it goes on with it. */
static void
runs_push(struct runs *runs, const struct run *run)
{
	struct run *last = runs->count > 0 ? &runs->at[runs->count - 1] : NULL;

	assert(run->first <= run->last);
	assert(last == NULL || last->last < run->first);
	if (last != NULL && last->last + 1 == run->first &&
	    run_alike(last, run)) {
		last->last = run->last;
		return;
	}
	if (runs->count == runs->capacity) {
		runs->capacity = MAX(2 * runs->capacity, 8);
		runs->at = xrealloc(
		    runs->at, runs->capacity * sizeof(*runs->at));
	}
	runs->at[runs->count++] = *run;
}

/* Put the part of run that is in [first, last] at the end, if there is any. */
static void
runs_push_part(
    struct runs *runs, const struct run *run, int64_t first, int64_t last)
{
	struct run part = *run;

	part.first = MAX(run->first, first);
	part.last = MIN(run->last, last);
	if (part.first <= part.last)
		runs_push(runs, &part);
}

static int64_t
run_len(const struct run *run)
{
	return run->last - run->first + 1;
}

static bool
run_available(const struct run *run)
{
	return run->state == SHARE_PARTITION_AVAILABLE && run->change == 0;
}

static bool
run_acquired(const struct run *run)
{
	return run->state == SHARE_PARTITION_ACQUIRED && run->change == 0;
}

static bool
run_terminal(const struct run *run)
{
	return run->state == SHARE_PARTITION_ACKNOWLEDGED ||
	    run->state == SHARE_PARTITION_ARCHIVED;
}

static void
run_disown(struct run *run)
{
	run->owner = NOBODY;
	run->deadline_ms = 0;
	run->change = 0;
}

static void
run_archive(struct run *run)
{
	run->state = SHARE_PARTITION_ARCHIVED;
	run->unseen = false;
	run_disown(run);
}

/* What becomes of records that go back: available, or delivered enough. */
static enum share_partition_record
state_returned(
    const struct run *run, const struct share_partition_limits *limits)
{
	return run->delivery_count >= limits->deliveries_max ?
	    SHARE_PARTITION_ARCHIVED :
	    SHARE_PARTITION_AVAILABLE;
}

/* --- Members ----------------------------------------------------------- */

static int32_t
member_find(const struct share_partition *partition, struct slice id)
{
	for (int32_t i = 0; i < partition->members_count; i++) {
		const struct member *member = &partition->members[i];

		if (member->id != NULL &&
		    slice_equal(slice_of(member->id, member->len), id))
			return i;
	}
	return NOBODY;
}

/* Let go of the members that own nothing any more. */
static void
members_sweep(struct share_partition *partition)
{
	bool *used =
	    xcalloc((size_t)partition->members_count + 1, sizeof(*used));

	for (size_t i = 0; i < partition->runs.count; i++)
		if (partition->runs.at[i].owner != NOBODY)
			used[partition->runs.at[i].owner] = true;
	for (int32_t i = 0; i < partition->members_count; i++) {
		if (used[i])
			continue;
		free(partition->members[i].id);
		partition->members[i].id = NULL;
	}
	free(used);
}

/* A free place; there are twice as many as were used at the last sweep. */
static int32_t
member_place(struct share_partition *partition)
{
	int32_t count = partition->members_count;
	int32_t grown = MAX(2 * count, 4);

	for (int sweep = 0; sweep < 2; sweep++) {
		for (int32_t i = 0; i < count; i++)
			if (partition->members[i].id == NULL)
				return i;
		members_sweep(partition);
	}
	partition->members = xrealloc(partition->members,
	    (size_t)grown * sizeof(*partition->members));
	for (int32_t i = count; i < grown; i++)
		partition->members[i] = (struct member){ NULL, 0 };
	partition->members_count = grown;
	return count;
}

static int32_t
member_intern(struct share_partition *partition, struct slice id)
{
	int32_t index = member_find(partition, id);
	struct member *member;

	if (index != NOBODY)
		return index;
	index = member_place(partition);
	member = &partition->members[index];
	member->id = xmalloc(id.len + 1);
	if (id.len > 0)
		memcpy(member->id, id.data, id.len);
	member->len = id.len;
	return index;
}

/* --- Changes ----------------------------------------------------------- */

void
share_partition_change_fini(struct share_partition_change *change)
{
	free(change->states);
	change->states = NULL;
	change->states_count = change->states_capacity = 0;
}

static void
change_add(struct share_partition_change *change, const struct run *run)
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

/* Begin to work out what comes next. */
static struct runs *
next_begin(struct share_partition *partition)
{
	partition->next.count = 0;
	return &partition->next;
}

/* It takes the place of what stood. */
static void
next_take(struct share_partition *partition)
{
	struct runs stood = partition->runs;

	partition->runs = partition->next;
	partition->next = stood;
	partition->next.count = 0;
}

/* The start goes behind the records that need no more delivery. */
static void
start_advance(struct share_partition *partition)
{
	struct runs *runs = &partition->runs;
	size_t done = 0;

	while (done < runs->count && run_terminal(&runs->at[done]) &&
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

/* What has to be persisted, if anything, goes by the state that stands now. */
static void
change_seal(struct share_partition *partition,
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
	for (int32_t i = 0; i < partition->members_count; i++)
		free(partition->members[i].id);
	free(partition->members);
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
runs_push_loaded(struct runs *runs, int64_t first, int64_t last,
    enum share_partition_record state, int16_t delivery_count, bool unseen)
{
	struct run run = {
		.first = first,
		.last = last,
		.batch_first = first,
		.batch_last = last,
		.owner = NOBODY,
		.delivery_count = delivery_count,
		.state = state,
		.unseen = unseen,
	};

	if (first <= last)
		runs_push(runs, &run);
}

/* Nobody holds what was acquired before: the lock was not persisted. */
static int
load_state(struct runs *runs, const struct share_partition_state *state,
    int64_t *next_offset)
{
	int64_t first = MAX(state->first_offset, *next_offset);

	if (!state_valid(state))
		return -1;
	if (state->last_offset < *next_offset)
		return 0;
	runs_push_loaded(runs, *next_offset, first - 1,
	    SHARE_PARTITION_AVAILABLE, 0, true);
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
	struct runs *runs = next_begin(partition);
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
	next_take(partition);
	partition->start_offset = start_offset;
	partition->end_offset =
	    partition->runs.count > 0 ? next_offset - 1 : start_offset;
	start_advance(partition);
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
		if (run_terminal(&partition->runs.at[i]))
			count += run_len(&partition->runs.at[i]);
	return (int32_t)MIN(count, INT32_MAX);
}

bool
share_partition_has_available(const struct share_partition *partition)
{
	for (size_t i = 0; i < partition->runs.count; i++)
		if (run_available(&partition->runs.at[i]))
			return true;
	return false;
}

int64_t
share_partition_next_offset(const struct share_partition *partition)
{
	for (size_t i = 0; i < partition->runs.count; i++)
		if (run_available(&partition->runs.at[i]))
			return partition->runs.at[i].first;
	return partition->runs.count > 0 ? partition->end_offset + 1 :
					   partition->end_offset;
}

static int64_t
in_flight(const struct share_partition *partition)
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
	    in_flight(partition) < limits->locks_max;
}

int64_t
share_partition_next_deadline(const struct share_partition *partition)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < partition->runs.count; i++)
		if (run_acquired(&partition->runs.at[i]))
			next = MIN(next, partition->runs.at[i].deadline_ms);
	return next;
}

/* --- Acquire ----------------------------------------------------------- */

/* An acquisition that is being worked out. */
struct acquisition {
	const struct share_partition_acquire *acquire;
	const struct share_partition_limits *limits;
	struct runs *out;
	int64_t from; /* the offsets that were read */
	int64_t to;
	int64_t left; /* of the records wanted; 0 or below ends it */
	int64_t taken;
	int32_t owner;
	int64_t deadline_ms;
};

/* Take run's part [first, last], of its batch. */
static void
take(struct acquisition *acquisition, const struct run *run, int64_t first,
    int64_t last)
{
	struct run part = *run;

	part.first = first;
	part.last = last;
	part.state = SHARE_PARTITION_ACQUIRED;
	part.delivery_count++;
	part.owner = acquisition->owner;
	part.deadline_ms = acquisition->deadline_ms;
	part.unseen = false;
	part.taken = true;
	runs_push(acquisition->out, &part);
	acquisition->taken += last - first + 1;
	acquisition->left -= last - first + 1;
}

/* Where the record batch ends that has offset; offset where none has it. */
static int64_t
batch_end(const struct share_partition_acquire *acquire, int64_t offset)
{
	for (size_t i = 0; i < acquire->batches_count; i++)
		if (offset >= acquire->batches[i].base_offset &&
		    offset <= acquire->batches[i].last_offset)
			return acquire->batches[i].last_offset;
	return offset;
}

static struct run
run_fresh(int64_t first, int64_t last)
{
	return (struct run){
		.first = first,
		.last = last,
		.batch_first = first,
		.batch_last = last,
		.owner = NOBODY,
		.state = SHARE_PARTITION_AVAILABLE,
	};
}

/* Not more than are left; what they leave of their batch stays available. */
static void
fresh_take_exact(struct acquisition *acquisition, int64_t first, int64_t last)
{
	struct run batch = run_fresh(first, last);
	int64_t end = MIN(first + acquisition->left - 1, last);

	take(acquisition, &batch, first, end);
	runs_push_part(acquisition->out, &batch, end + 1, last);
}

/* All of it, in parts of batch_size or the record batch that passes it. */
static void
fresh_take_batches(struct acquisition *acquisition, int64_t first, int64_t last)
{
	const struct share_partition_acquire *acquire = acquisition->acquire;
	int64_t size = MAX(acquire->batch_size, 1);
	struct run batch;

	for (size_t i = 0; i < acquire->batches_count; i++) {
		int64_t base = acquire->batches[i].base_offset;

		if (base > last)
			break;
		if (base - first < size)
			continue;
		batch = run_fresh(first, base - 1);
		take(acquisition, &batch, first, base - 1);
		first = base;
	}
	batch = run_fresh(first, last);
	take(acquisition, &batch, first, last);
}

/*
 * Take records of [first, last] that were never handed out: as many as are
 * left, to the end of a record batch.  The offset behind those that are in
 * flight then.
 */
static int64_t
fresh_take(struct acquisition *acquisition, int64_t first, int64_t last)
{
	first = MAX(first, acquisition->from);
	last = MIN(last, acquisition->to);
	if (first > last || acquisition->left <= 0)
		return first;
	if (acquisition->left < last - first + 1)
		last = MIN(last,
		    batch_end(
			acquisition->acquire, first + acquisition->left - 1));
	if (acquisition->acquire->exact)
		fresh_take_exact(acquisition, first, last);
	else
		fresh_take_batches(acquisition, first, last);
	return last + 1;
}

/* A gap in what was loaded: records that nobody was given for certain. */
static void
unseen_take(struct acquisition *acquisition, const struct run *run)
{
	int64_t first = MAX(run->first, acquisition->from);
	int64_t next;

	runs_push_part(acquisition->out, run, run->first, first - 1);
	next = fresh_take(acquisition, first, run->last);
	runs_push_part(acquisition->out, run, next, run->last);
}

/* Records of the batch as they come, no more than may be taken. */
static void
group_take(
    struct acquisition *acquisition, const struct run *runs, size_t count)
{
	int64_t most = acquisition->acquire->exact ? acquisition->left :
						      INT64_MAX;

	for (size_t i = 0; i < count; i++) {
		const struct run *run = &runs[i];
		int64_t first = MAX(run->first, acquisition->from);
		int64_t last = MIN(run->last, acquisition->to);

		if (!run_available(run) || first > last || most <= 0) {
			runs_push(acquisition->out, run);
			continue;
		}
		if (last - first + 1 > most)
			last = first + most - 1;
		most -= last - first + 1;
		runs_push_part(acquisition->out, run, run->first, first - 1);
		take(acquisition, run, first, last);
		runs_push_part(acquisition->out, run, last + 1, run->last);
	}
}

/* From how many deliveries on records are handed out in small parts. */
static int32_t
throttled_from(const struct share_partition_limits *limits)
{
	return MAX(THROTTLED_MIN, (limits->deliveries_max + 1) / 2);
}

static bool
group_throttled(const struct acquisition *acquisition, const struct run *runs,
    size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (run_available(&runs[i]) &&
		    runs[i].last >= acquisition->from &&
		    runs[i].first <= acquisition->to &&
		    runs[i].delivery_count >=
			throttled_from(acquisition->limits))
			return true;
	return false;
}

/* How much of the batch is handed out where a record has failed so often. */
static int64_t
throttled_most(
    const struct share_partition_limits *limits, const struct run *run)
{
	int32_t shift = run->delivery_count - throttled_from(limits) + 1;
	int64_t len = run->batch_last - run->batch_first + 1;

	return shift >= 32 ? 1 : MAX(len >> shift, 1);
}

/*
 * How many of run, which has len that could be taken, where taken of its batch
 * are already; *most goes down as records turn up that have failed often.
 * Where a record would be delivered for the last time it is alone.
 */
static int64_t
throttled_take(const struct acquisition *acquisition, const struct run *run,
    int64_t len, int64_t taken, int64_t *most)
{
	const struct share_partition_limits *limits = acquisition->limits;
	bool last_time = limits->deliveries_max > THROTTLED_MIN &&
	    run->delivery_count >= limits->deliveries_max - 1;

	if (last_time) {
		*most = taken;
		return taken > 0 ? 0 : 1;
	}
	if (run->delivery_count >= throttled_from(limits))
		*most = MIN(*most, MAX(throttled_most(limits, run), taken + 1));
	return MIN(len, *most - taken);
}

/* The same where records of the batch have failed often: a small part. */
static void
group_take_throttled(
    struct acquisition *acquisition, const struct run *runs, size_t count)
{
	int64_t most = acquisition->acquire->exact ? acquisition->left :
						      INT64_MAX;
	int64_t before = acquisition->taken;

	for (size_t i = 0; i < count; i++) {
		const struct run *run = &runs[i];
		int64_t first = MAX(run->first, acquisition->from);
		int64_t last = MIN(run->last, acquisition->to);
		int64_t taken = acquisition->taken - before;
		int64_t len;

		if (!run_available(run) || first > last || taken >= most) {
			runs_push(acquisition->out, run);
			continue;
		}
		len = throttled_take(
		    acquisition, run, last - first + 1, taken, &most);
		runs_push_part(acquisition->out, run, run->first, first - 1);
		if (len > 0)
			take(acquisition, run, first, first + len - 1);
		runs_push_part(acquisition->out, run, first + len, run->last);
	}
	if (acquisition->taken > before)
		acquisition->left = 0;
}

static void
runs_copy(struct runs *out, const struct run *runs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		runs_push(out, &runs[i]);
}

/* Acquire of one batch, whose runs these are. */
static void
group_acquire(
    struct acquisition *acquisition, const struct run *runs, size_t count)
{
	bool throttled = group_throttled(acquisition, runs, count);

	if (throttled && acquisition->taken > 0)
		acquisition->left = 0;
	if (acquisition->left <= 0)
		runs_copy(acquisition->out, runs, count);
	else if (runs[0].unseen)
		unseen_take(acquisition, &runs[0]);
	else if (throttled)
		group_take_throttled(acquisition, runs, count);
	else
		group_take(acquisition, runs, count);
}

/* How many runs from the first on are of one batch. */
static size_t
group_len(const struct run *runs, size_t count)
{
	size_t len = 1;

	while (len < count && !runs[0].unseen && !runs[len].unseen &&
	    runs[len].batch_first == runs[0].batch_first)
		len++;
	return len;
}

static void
in_flight_acquire(
    struct acquisition *acquisition, const struct share_partition *partition)
{
	const struct runs *runs = &partition->runs;

	for (size_t i = 0, len; i < runs->count; i += len) {
		len = group_len(&runs->at[i], runs->count - i);
		group_acquire(acquisition, &runs->at[i], len);
	}
}

/* Available records that the log no longer has are never delivered. */
static void
stale_archive(struct share_partition *partition, int64_t from, int64_t before)
{
	struct runs *out = next_begin(partition);

	if (from >= before)
		return;
	for (size_t i = 0; i < partition->runs.count; i++) {
		struct run run = partition->runs.at[i];
		struct run stale = run;

		if (run.state != SHARE_PARTITION_AVAILABLE) {
			runs_push(out, &run);
			continue;
		}
		runs_push_part(out, &run, run.first, from - 1);
		run_archive(&stale);
		runs_push_part(out, &stale, from, before - 1);
		runs_push_part(out, &run, before, run.last);
	}
	next_take(partition);
}

/* What was taken of aborted batches is archived instead. */
static void
aborted_archive(struct runs *out, const struct run *run,
    const struct share_partition_acquire *acquire)
{
	int64_t next = run->first;
	struct run aborted = *run;

	run_archive(&aborted);
	aborted.taken = false;
	for (size_t i = 0; i < acquire->batches_count; i++) {
		const struct share_partition_batch *batch =
		    &acquire->batches[i];

		if (!batch->aborted || batch->last_offset < next ||
		    batch->base_offset > run->last)
			continue;
		runs_push_part(out, run, next, batch->base_offset - 1);
		next = MAX(next, batch->base_offset);
		runs_push_part(out, &aborted, next, batch->last_offset);
		next = batch->last_offset + 1;
	}
	runs_push_part(out, run, next, run->last);
}

static void
range_add(struct share_partition_acquire *acquire, const struct run *run)
{
	acquire->ranges[acquire->ranges_count++] =
	    (struct share_partition_range){
		    .first_offset = run->first,
		    .last_offset = run->last,
		    .delivery_count = run->delivery_count,
	    };
	acquire->records += run_len(run);
}

/* Tell what was taken, and mark it no longer. */
static void
ranges_tell(struct share_partition *partition,
    struct share_partition_acquire *acquire)
{
	struct runs *out = next_begin(partition);

	acquire->ranges = xcalloc(
	    partition->runs.count + 1, sizeof(*acquire->ranges));
	for (size_t i = 0; i < partition->runs.count; i++) {
		struct run run = partition->runs.at[i];

		if (run.taken)
			range_add(acquire, &run);
		run.taken = false;
		runs_push(out, &run);
	}
	next_take(partition);
}

static void
aborted_filter(struct share_partition *partition,
    const struct share_partition_acquire *acquire)
{
	struct runs *out = next_begin(partition);

	for (size_t i = 0; i < partition->runs.count; i++) {
		const struct run *run = &partition->runs.at[i];

		if (run->taken)
			aborted_archive(out, run, acquire);
		else
			runs_push(out, run);
	}
	next_take(partition);
}

/*
 * How many records may be acquired, and up to where: where no more locks are
 * to be had, only of those that are in flight.
 */
static void
acquisition_bound(struct acquisition *acquisition,
    const struct share_partition *partition)
{
	const struct share_partition_acquire *acquire = acquisition->acquire;
	int64_t room = acquisition->limits->locks_max - in_flight(partition);

	acquisition->left = MIN(acquire->records_max, room);
	if (acquisition->left > 0)
		return;
	acquisition->left = MIN(acquire->records_max,
	    partition->end_offset - acquire->fetch_offset + 1);
	acquisition->to = MIN(acquisition->to, partition->end_offset);
}

/* New records, behind those in flight. */
static void
new_acquire(
    struct acquisition *acquisition, const struct share_partition *partition)
{
	int64_t first = partition->start_offset;

	if (acquisition->out->count > 0)
		first = acquisition->out->at[acquisition->out->count - 1].last +
		    1;
	fresh_take(acquisition, first, acquisition->to);
}

static void
offsets_follow(struct share_partition *partition)
{
	const struct runs *runs = &partition->runs;

	if (runs->count == 0)
		return;
	partition->start_offset = runs->at[0].first;
	partition->end_offset = MAX(
	    partition->end_offset, runs->at[runs->count - 1].last);
}

void
share_partition_acquire(struct share_partition *partition,
    const struct share_partition_limits *limits,
    struct share_partition_acquire *acquire)
{
	struct acquisition acquisition = {
		.acquire = acquire,
		.limits = limits,
	};

	acquire->ranges = NULL;
	acquire->ranges_count = 0;
	acquire->records = 0;
	if (acquire->records_max <= 0 || acquire->batches_count == 0 ||
	    acquire->batches[acquire->batches_count - 1].last_offset <
		partition->start_offset)
		return;
	acquisition.from = acquire->batches[0].base_offset;
	acquisition.to =
	    acquire->batches[acquire->batches_count - 1].last_offset;
	acquisition_bound(&acquisition, partition);
	if (acquisition.left <= 0)
		return;
	stale_archive(partition, acquire->fetch_offset, acquisition.from);
	acquisition.owner = member_intern(partition, acquire->member);
	acquisition.deadline_ms = acquire->now_ms + limits->lock_ms;
	acquisition.out = next_begin(partition);
	in_flight_acquire(&acquisition, partition);
	new_acquire(&acquisition, partition);
	next_take(partition);
	offsets_follow(partition);
	aborted_filter(partition, acquire);
	ranges_tell(partition, acquire);
	start_advance(partition);
}

/* --- Acknowledge ------------------------------------------------------- */

struct acknowledgement {
	const struct share_partition_limits *limits;
	struct share_partition_change *change;
	struct runs *out;
	int32_t owner;
	uint64_t id;
	int64_t deadline_ms; /* of a renewed lock */
};

static enum share_partition_record
state_acknowledged(const struct acknowledgement *acknowledgement,
    const struct run *run, int8_t type)
{
	switch (type) {
	case SHARE_PARTITION_ACCEPT:
		return SHARE_PARTITION_ACKNOWLEDGED;
	case SHARE_PARTITION_RELEASE:
		return state_returned(run, acknowledgement->limits);
	default:
		return SHARE_PARTITION_ARCHIVED;
	}
}

static enum kp_error
run_acknowledge(struct acknowledgement *acknowledgement, const struct run *run,
    int8_t type)
{
	struct run after = *run;

	if (!run_acquired(run) || run->owner != acknowledgement->owner)
		return KP_INVALID_RECORD_STATE;
	if (type == SHARE_PARTITION_RENEW) {
		if (!acknowledgement->limits->renewable)
			return KP_INVALID_RECORD_STATE;
		after.deadline_ms = acknowledgement->deadline_ms;
		runs_push(acknowledgement->out, &after);
		return KP_NONE;
	}
	after.state = state_acknowledged(acknowledgement, run, type);
	after.change = acknowledgement->id;
	runs_push(acknowledgement->out, &after);
	change_add(acknowledgement->change, &after);
	return KP_NONE;
}

/* How far from offset on the types of ack are all the same. */
static int64_t
types_end(const struct share_partition_ack *ack, int64_t offset, int64_t last)
{
	int8_t type = ack->types[offset - ack->first_offset];

	while (offset < last &&
	    ack->types[offset + 1 - ack->first_offset] == type)
		offset++;
	return offset;
}

/* The part of run that ack speaks of. */
static enum kp_error
run_acknowledge_part(struct acknowledgement *acknowledgement,
    const struct run *run, const struct share_partition_ack *ack)
{
	int64_t last = MIN(run->last, ack->last_offset);
	enum kp_error error = KP_NONE;
	int64_t end;

	for (int64_t at = MAX(run->first, ack->first_offset);
	     at <= last && error == KP_NONE; at = end + 1) {
		struct run part = *run;
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
static const struct run *
run_floor(const struct runs *runs, int64_t offset)
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
	const struct run *last =
	    run_floor(&partition->runs, ack->last_offset);

	if (last == NULL)
		return KP_INVALID_RECORD_STATE;
	return last->last < ack->last_offset ? KP_INVALID_REQUEST : KP_NONE;
}

/* How far the runs that stand have been worked out. */
struct progress {
	size_t index;	/* of the run */
	int64_t offset; /* the next one of it */
};

/* What stands before offset stays as it is. */
static void
progress_copy(struct acknowledgement *acknowledgement,
    const struct runs *stood, struct progress *progress, int64_t offset)
{
	for (; progress->index < stood->count; progress->index++) {
		const struct run *run = &stood->at[progress->index];

		runs_push_part(acknowledgement->out, run, progress->offset,
		    offset - 1);
		if (run->last >= offset)
			break;
	}
	progress->offset = MAX(progress->offset, offset);
}

/* The records of one range; those before it have been worked out. */
static enum kp_error
ack_apply(struct acknowledgement *acknowledgement, const struct runs *stood,
    struct progress *progress, const struct share_partition_ack *ack)
{
	enum kp_error error = KP_NONE;

	for (; progress->index < stood->count; progress->index++) {
		const struct run *run = &stood->at[progress->index];

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
	progress_copy(
	    acknowledgement, &partition->runs, &progress, INT64_MAX);
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
		.out = next_begin(partition),
		.owner = member_find(partition, member),
		.id = partition->changes + 1,
		.deadline_ms = now_ms + limits->lock_ms,
	};
	enum kp_error error;

	if (acknowledgement.owner == NOBODY)
		acknowledgement.owner = INT32_MAX;
	error = acks_apply(&acknowledgement, partition, acks, count);
	if (error != KP_NONE) {
		share_partition_change_fini(change);
		return error;
	}
	next_take(partition);
	if (change->states_count > 0)
		change->id = partition->changes = acknowledgement.id;
	change_seal(partition, change);
	return KP_NONE;
}

/* --- Release, expire, complete ----------------------------------------- */

void
share_partition_release(struct share_partition *partition,
    const struct share_partition_limits *limits, struct slice member,
    struct share_partition_change *change)
{
	int32_t owner = member_find(partition, member);
	struct runs *out = next_begin(partition);

	if (owner == NOBODY)
		return;
	for (size_t i = 0; i < partition->runs.count; i++) {
		struct run run = partition->runs.at[i];

		if (run_acquired(&run) && run.owner == owner) {
			run.state = state_returned(&run, limits);
			run.change = partition->changes + 1;
			change_add(change, &run);
		}
		runs_push(out, &run);
	}
	next_take(partition);
	if (change->states_count > 0)
		change->id = ++partition->changes;
	change_seal(partition, change);
}

void
share_partition_expire(struct share_partition *partition,
    const struct share_partition_limits *limits, int64_t now_ms,
    struct share_partition_change *change)
{
	struct runs *out = next_begin(partition);

	for (size_t i = 0; i < partition->runs.count; i++) {
		struct run run = partition->runs.at[i];

		if (run_acquired(&run) && run.deadline_ms <= now_ms) {
			run.state = state_returned(&run, limits);
			run_disown(&run);
			change_add(change, &run);
		}
		runs_push(out, &run);
	}
	next_take(partition);
	change_seal(partition, change);
	start_advance(partition);
}

/* A change of run was not persisted. */
static void
run_restore(struct run *run, const struct share_partition_limits *limits,
    int64_t now_ms)
{
	run->change = 0;
	if (run->deadline_ms > now_ms) {
		run->state = SHARE_PARTITION_ACQUIRED;
		return;
	}
	run->state = state_returned(run, limits);
	run_disown(run);
}

void
share_partition_complete(struct share_partition *partition,
    const struct share_partition_limits *limits, uint64_t change,
    bool persisted, int64_t now_ms)
{
	struct runs *out = next_begin(partition);

	assert(change != 0);
	for (size_t i = 0; i < partition->runs.count; i++) {
		struct run run = partition->runs.at[i];

		if (run.change == change) {
			if (persisted)
				run_disown(&run);
			else
				run_restore(&run, limits, now_ms);
		}
		runs_push(out, &run);
	}
	next_take(partition);
	start_advance(partition);
}

/* --- The log's start --------------------------------------------------- */

void
share_partition_log_start(struct share_partition *partition, int64_t offset)
{
	struct runs *out = next_begin(partition);

	if (offset <= partition->start_offset)
		return;
	for (size_t i = 0; i < partition->runs.count; i++)
		runs_push_part(
		    out, &partition->runs.at[i], offset, INT64_MAX);
	next_take(partition);
	partition->start_offset = offset;
	if (partition->runs.count == 0)
		partition->end_offset = offset;
	else
		partition->start_offset = partition->runs.at[0].first;
	start_advance(partition);
}
