#include "broker/share_partition_inner.h"

/* A record at this count or above has failed often. */
#define THROTTLED_MIN 2

/* An acquisition that is being worked out. */
struct acquisition {
	const struct share_partition_acquire *acquire;
	const struct share_partition_limits *limits;
	struct share_runs *out;
	int64_t from; /* the offsets that were read */
	int64_t to;
	int64_t left; /* of the records wanted; 0 or below ends it */
	int64_t taken;
	int32_t owner;
	int64_t deadline_ms;
};

/* Take run's part [first, last], of its batch. */
static void
take(struct acquisition *acquisition, const struct share_run *run,
    int64_t first, int64_t last)
{
	struct share_run part = *run;

	part.first = first;
	part.last = last;
	part.state = SHARE_PARTITION_ACQUIRED;
	part.delivery_count++;
	part.owner = acquisition->owner;
	part.deadline_ms = acquisition->deadline_ms;
	part.unseen = false;
	part.taken = true;
	share_runs_push(acquisition->out, &part);
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

static struct share_run
run_fresh(int64_t first, int64_t last)
{
	return (struct share_run){
		.first = first,
		.last = last,
		.batch_first = first,
		.batch_last = last,
		.owner = SHARE_NOBODY,
		.state = SHARE_PARTITION_AVAILABLE,
	};
}

/* Not more than are left; what they leave of their batch stays available. */
static void
fresh_take_exact(struct acquisition *acquisition, int64_t first, int64_t last)
{
	struct share_run batch = run_fresh(first, last);
	int64_t end = MIN(first + acquisition->left - 1, last);

	take(acquisition, &batch, first, end);
	share_runs_push_part(acquisition->out, &batch, end + 1, last);
}

/* All of it, in parts of batch_size or the record batch that passes it. */
static void
fresh_take_batches(struct acquisition *acquisition, int64_t first, int64_t last)
{
	const struct share_partition_acquire *acquire = acquisition->acquire;
	int64_t size = MAX(acquire->batch_size, 1);
	struct share_run batch;

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
unseen_take(struct acquisition *acquisition, const struct share_run *run)
{
	int64_t first = MAX(run->first, acquisition->from);
	int64_t next;

	share_runs_push_part(acquisition->out, run, run->first, first - 1);
	next = fresh_take(acquisition, first, run->last);
	share_runs_push_part(acquisition->out, run, next, run->last);
}

/* Records of the batch as they come, no more than may be taken. */
static void
group_take(
    struct acquisition *acquisition, const struct share_run *runs, size_t count)
{
	int64_t most =
	    acquisition->acquire->exact ? acquisition->left : INT64_MAX;

	for (size_t i = 0; i < count; i++) {
		const struct share_run *run = &runs[i];
		int64_t first = MAX(run->first, acquisition->from);
		int64_t last = MIN(run->last, acquisition->to);

		if (!share_run_available(run) || first > last || most <= 0) {
			share_runs_push(acquisition->out, run);
			continue;
		}
		if (last - first + 1 > most)
			last = first + most - 1;
		most -= last - first + 1;
		share_runs_push_part(
		    acquisition->out, run, run->first, first - 1);
		take(acquisition, run, first, last);
		share_runs_push_part(
		    acquisition->out, run, last + 1, run->last);
	}
}

/* From how many deliveries on records are handed out in small parts. */
static int32_t
throttled_from(const struct share_partition_limits *limits)
{
	return MAX(THROTTLED_MIN, (limits->deliveries_max + 1) / 2);
}

static bool
group_throttled(const struct acquisition *acquisition,
    const struct share_run *runs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (share_run_available(&runs[i]) &&
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
    const struct share_partition_limits *limits, const struct share_run *run)
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
throttled_take(const struct acquisition *acquisition,
    const struct share_run *run, int64_t len, int64_t taken, int64_t *most)
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
    struct acquisition *acquisition, const struct share_run *runs, size_t count)
{
	int64_t most =
	    acquisition->acquire->exact ? acquisition->left : INT64_MAX;
	int64_t before = acquisition->taken;

	for (size_t i = 0; i < count; i++) {
		const struct share_run *run = &runs[i];
		int64_t first = MAX(run->first, acquisition->from);
		int64_t last = MIN(run->last, acquisition->to);
		int64_t taken = acquisition->taken - before;
		int64_t len;

		if (!share_run_available(run) || first > last ||
		    taken >= most) {
			share_runs_push(acquisition->out, run);
			continue;
		}
		len = throttled_take(
		    acquisition, run, last - first + 1, taken, &most);
		share_runs_push_part(
		    acquisition->out, run, run->first, first - 1);
		if (len > 0)
			take(acquisition, run, first, first + len - 1);
		share_runs_push_part(
		    acquisition->out, run, first + len, run->last);
	}
	if (acquisition->taken > before)
		acquisition->left = 0;
}

static void
runs_copy(struct share_runs *out, const struct share_run *runs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		share_runs_push(out, &runs[i]);
}

/* Acquire of one batch, whose runs these are. */
static void
group_acquire(
    struct acquisition *acquisition, const struct share_run *runs, size_t count)
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
group_len(const struct share_run *runs, size_t count)
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
	const struct share_runs *runs = &partition->runs;

	for (size_t i = 0, len; i < runs->count; i += len) {
		len = group_len(&runs->at[i], runs->count - i);
		group_acquire(acquisition, &runs->at[i], len);
	}
}

/* Available records that the log no longer has are never delivered. */
static void
stale_archive(struct share_partition *partition, int64_t from, int64_t before)
{
	struct share_runs *out = share_partition_next_begin(partition);

	if (from >= before)
		return;
	for (size_t i = 0; i < partition->runs.count; i++) {
		struct share_run run = partition->runs.at[i];
		struct share_run stale = run;

		if (run.state != SHARE_PARTITION_AVAILABLE) {
			share_runs_push(out, &run);
			continue;
		}
		share_runs_push_part(out, &run, run.first, from - 1);
		share_run_archive(&stale);
		share_runs_push_part(out, &stale, from, before - 1);
		share_runs_push_part(out, &run, before, run.last);
	}
	share_partition_next_take(partition);
}

/* What was taken of aborted batches is archived instead. */
static void
aborted_archive(struct share_runs *out, const struct share_run *run,
    const struct share_partition_acquire *acquire)
{
	int64_t next = run->first;
	struct share_run aborted = *run;

	share_run_archive(&aborted);
	aborted.taken = false;
	for (size_t i = 0; i < acquire->batches_count; i++) {
		const struct share_partition_batch *batch =
		    &acquire->batches[i];

		if (!batch->aborted || batch->last_offset < next ||
		    batch->base_offset > run->last)
			continue;
		share_runs_push_part(out, run, next, batch->base_offset - 1);
		next = MAX(next, batch->base_offset);
		share_runs_push_part(out, &aborted, next, batch->last_offset);
		next = batch->last_offset + 1;
	}
	share_runs_push_part(out, run, next, run->last);
}

static void
range_add(struct share_partition_acquire *acquire, const struct share_run *run)
{
	acquire->ranges[acquire->ranges_count++] =
	    (struct share_partition_range){
		    .first_offset = run->first,
		    .last_offset = run->last,
		    .delivery_count = run->delivery_count,
	    };
	acquire->records += share_run_len(run);
}

/* Tell what was taken, and mark it no longer. */
static void
ranges_tell(
    struct share_partition *partition, struct share_partition_acquire *acquire)
{
	struct share_runs *out = share_partition_next_begin(partition);

	acquire->ranges =
	    xcalloc(partition->runs.count + 1, sizeof(*acquire->ranges));
	for (size_t i = 0; i < partition->runs.count; i++) {
		struct share_run run = partition->runs.at[i];

		if (run.taken)
			range_add(acquire, &run);
		run.taken = false;
		share_runs_push(out, &run);
	}
	share_partition_next_take(partition);
}

static void
aborted_filter(struct share_partition *partition,
    const struct share_partition_acquire *acquire)
{
	struct share_runs *out = share_partition_next_begin(partition);

	for (size_t i = 0; i < partition->runs.count; i++) {
		const struct share_run *run = &partition->runs.at[i];

		if (run->taken)
			aborted_archive(out, run, acquire);
		else
			share_runs_push(out, run);
	}
	share_partition_next_take(partition);
}

/*
 * How many records may be acquired, and up to where: where no more locks are
 * to be had, only of those that are in flight.
 */
static void
acquisition_bound(
    struct acquisition *acquisition, const struct share_partition *partition)
{
	const struct share_partition_acquire *acquire = acquisition->acquire;
	int64_t room = acquisition->limits->locks_max -
	    share_partition_in_flight(partition);

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
		first =
		    acquisition->out->at[acquisition->out->count - 1].last + 1;
	fresh_take(acquisition, first, acquisition->to);
}

static void
offsets_follow(struct share_partition *partition)
{
	const struct share_runs *runs = &partition->runs;

	if (runs->count == 0)
		return;
	partition->start_offset = runs->at[0].first;
	partition->end_offset =
	    MAX(partition->end_offset, runs->at[runs->count - 1].last);
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
	acquisition.owner = share_members_intern(
	    &partition->members, &partition->runs, acquire->member);
	acquisition.deadline_ms = acquire->now_ms + limits->lock_ms;
	acquisition.out = share_partition_next_begin(partition);
	in_flight_acquire(&acquisition, partition);
	new_acquire(&acquisition, partition);
	share_partition_next_take(partition);
	offsets_follow(partition);
	aborted_filter(partition, acquire);
	ranges_tell(partition, acquire);
	share_partition_start_advance(partition);
}
