/*
 * Random lives of a share partition, held against a model that keeps each
 * record by itself: nobody gets what another one has, nothing is delivered
 * more often than it may be, what was accepted is never seen again, the start
 * never goes back, and in the end nothing is forgotten.
 *
 *	test_share_sim			what `make check` runs
 *	test_share_sim COUNT [FIRST]	seeds FIRST to FIRST + COUNT - 1
 */
#include "broker/share_partition.c"

#include "base/rng.h"

#include <inttypes.h>
#include <stdio.h>

#define SEEDS 200
#define STEPS 300
#define OFFSETS_MAX 4000
#define BATCHES_MAX 800
#define CHANGES_MAX 8
#define MEMBERS 4
#define LOCK_MS 100

static uint64_t running;

#define CHECK(condition)                                                  \
	((condition) ? (void)0 :                                          \
		       (fprintf(stderr,                                   \
			    "%s:%d: %s\nrepeat with: test_share_sim 1 "   \
			    "%" PRIu64 "\n",                              \
			    __FILE__, __LINE__, #condition, running),     \
			   exit(1)))

static const char *const members[MEMBERS] = { "a", "bb", "ccc", "d" };

/* A record as the model knows it, and as it was persisted. */
struct record {
	enum share_partition_record state;
	int count;
	int owner; /* -1: nobody */
	int64_t deadline_ms;
	uint64_t change;
	bool seen;     /* in flight, or done */
	bool there;    /* the log has it */
	bool aborted;
	bool accepted; /* and that was persisted */
	enum share_partition_record kept_state;
	int kept_count; /* 0: never persisted */
};

struct pending {
	struct share_partition_change change;
};

struct world {
	struct rng rng;
	struct share_partition *partition;
	struct share_partition_limits limits;
	struct record records[OFFSETS_MAX];
	struct share_partition_batch batches[BATCHES_MAX];
	size_t batches_count;
	int64_t log_end;
	int64_t log_start;
	int64_t start; /* the model's */
	int64_t kept_start;
	struct pending pending[CHANGES_MAX];
	size_t pending_count;
	int64_t now_ms;
};

static int64_t
below(struct world *world, int64_t bound)
{
	return (int64_t)rng_below(&world->rng, (uint64_t)bound);
}

/* --- The log ----------------------------------------------------------- */

static void
log_grow(struct world *world)
{
	int64_t gap = below(world, 8) == 0 ? below(world, 5) : 0;
	int64_t len = 1 + below(world, 12);
	bool aborted = below(world, 10) == 0;
	int64_t base = world->log_end + gap;

	if (base + len > OFFSETS_MAX || world->batches_count == BATCHES_MAX)
		return;
	world->batches[world->batches_count++] =
	    (struct share_partition_batch){ base, base + len - 1, aborted };
	for (int64_t i = base; i < base + len; i++) {
		world->records[i].there = true;
		world->records[i].aborted = aborted;
	}
	world->log_end = base + len;
}

/* The cleaner takes a batch away. */
static void
log_clean(struct world *world)
{
	size_t index;

	if (world->batches_count < 2)
		return;
	index = (size_t)below(world, (int64_t)world->batches_count - 1);
	for (int64_t i = world->batches[index].base_offset;
	     i <= world->batches[index].last_offset; i++)
		world->records[i].there = false;
	world->batches_count--;
	memmove(&world->batches[index], &world->batches[index + 1],
	    (world->batches_count - index) * sizeof(world->batches[0]));
}

/* --- What stands must be what the model has ---------------------------- */

static bool
terminal(const struct record *record)
{
	return record->state == SHARE_PARTITION_ACKNOWLEDGED ||
	    record->state == SHARE_PARTITION_ARCHIVED;
}

/* The model's start: the first record in flight that is not done. */
static void
start_follow(struct world *world)
{
	int64_t before = world->start;

	world->start = share_partition_start_offset(world->partition);
	CHECK(world->start >= before);
	for (int64_t i = before; i < world->start && i < OFFSETS_MAX; i++)
		CHECK(!world->records[i].seen ||
		    (terminal(&world->records[i]) &&
			world->records[i].change == 0) ||
		    i < world->log_start);
}

/* Its end reaches no further than what was seen, its counts agree. */
static void
compare(struct world *world)
{
	int64_t end = share_partition_end_offset(world->partition);
	int64_t next = INT64_MAX, done = 0, deadline = INT64_MAX;

	start_follow(world);
	for (int64_t i = world->start; i < OFFSETS_MAX; i++) {
		const struct record *record = &world->records[i];

		if (!record->seen)
			continue;
		CHECK(i <= end);
		if (record->state == SHARE_PARTITION_AVAILABLE &&
		    record->change == 0)
			next = MIN(next, i);
		if (record->state == SHARE_PARTITION_ACQUIRED)
			deadline = MIN(deadline, record->deadline_ms);
		done += terminal(record);
	}
	CHECK(share_partition_complete_count(world->partition) == done);
	CHECK(share_partition_next_deadline(world->partition) == deadline);
	if (next != INT64_MAX)
		CHECK(share_partition_next_offset(world->partition) == next);
	else
		CHECK(share_partition_next_offset(world->partition) >= end);
}

/* --- Acquire ----------------------------------------------------------- */

static void
range_check(struct world *world, const struct share_partition_range *range,
    int member, int64_t previous)
{
	CHECK(range->first_offset > previous);
	CHECK(range->first_offset <= range->last_offset);
	CHECK(range->first_offset >= world->start);
	for (int64_t i = range->first_offset; i <= range->last_offset; i++) {
		struct record *record = &world->records[i];

		CHECK(!record->aborted || !record->there);
		CHECK(!record->accepted);
		CHECK(!record->seen ||
		    record->state == SHARE_PARTITION_AVAILABLE);
		CHECK(record->change == 0 && record->owner < 0);
		record->seen = true;
		record->state = SHARE_PARTITION_ACQUIRED;
		record->owner = member;
		record->count++;
		record->deadline_ms = world->now_ms + LOCK_MS;
		CHECK(record->count == range->delivery_count);
		CHECK(record->count <= world->limits.deliveries_max);
	}
}

/*
 * What was skipped on the way is in flight as well: aborted records are
 * archived, as are available ones that the log has lost.
 */
static void
acquire_follow(struct world *world, const struct share_partition_acquire *a)
{
	int64_t start = share_partition_start_offset(world->partition);
	int64_t end = share_partition_end_offset(world->partition);
	int64_t next = share_partition_next_offset(world->partition);
	int64_t last = a->batches[a->batches_count - 1].last_offset;

	if (world->partition->runs.count == 0)
		end--;

	for (int64_t i = world->start; i <= MIN(last, OFFSETS_MAX - 1); i++) {
		struct record *record = &world->records[i];
		bool free = record->change == 0 && record->owner < 0;
		bool unseen = !record->seen ||
		    (record->state == SHARE_PARTITION_AVAILABLE && free);

		if (i >= start && i > end)
			break;
		if (record->seen &&
		    record->state == SHARE_PARTITION_AVAILABLE &&
		    i >= a->fetch_offset && i < a->batches[0].base_offset) {
			record->state = SHARE_PARTITION_ARCHIVED;
			record->change = 0;
			record->owner = -1;
		} else if (unseen && record->there && record->aborted &&
		    i >= a->batches[0].base_offset && i < next) {
			record->seen = true;
			record->state = SHARE_PARTITION_ARCHIVED;
		} else if (!record->seen && i >= next && i <= end &&
		    record->there) {
			/* Left over of a batch that was torn. */
			record->seen = true;
			record->state = SHARE_PARTITION_AVAILABLE;
		}
	}
}

/* The batches from the one that has offset on; a few of them. */
static void
read_log(struct world *world, struct share_partition_acquire *acquire)
{
	size_t from = 0;

	while (from < world->batches_count &&
	    world->batches[from].last_offset < acquire->fetch_offset)
		from++;
	acquire->batches = &world->batches[from];
	acquire->batches_count = world->batches_count - from;
	if (acquire->batches_count > 1 && below(world, 2) == 0)
		acquire->batches_count =
		    1 + (size_t)below(world, (int64_t)acquire->batches_count);
}

static int64_t
acquire(struct world *world, int32_t most, bool exact)
{
	int member = (int)below(world, MEMBERS);
	int64_t next = share_partition_next_offset(world->partition);
	int64_t start = share_partition_start_offset(world->partition);
	int64_t end = share_partition_end_offset(world->partition);
	int64_t previous = -1;
	struct share_partition_acquire acquire = {
		.member = slice_str(members[member]),
		.exact = exact,
		.batch_size = (int32_t)below(world, 30),
		.records_max = most,
		.fetch_offset = MAX(next, world->log_start),
		.now_ms = world->now_ms,
	};

	read_log(world, &acquire);
	share_partition_acquire(world->partition, &world->limits, &acquire);
	for (size_t i = 0; i < acquire.ranges_count; i++) {
		range_check(world, &acquire.ranges[i], member, previous);
		previous = acquire.ranges[i].last_offset;
	}
	CHECK(!exact || acquire.records <= most);
	/* Nothing new beyond the locks that there may be. */
	CHECK(previous <= end || end - start < world->limits.locks_max);
	if (acquire.batches_count > 0)
		acquire_follow(world, &acquire);
	free(acquire.ranges);
	return acquire.records;
}

/* --- Acknowledge ------------------------------------------------------- */

static enum share_partition_record
returned(const struct world *world, const struct record *record)
{
	return record->count >= world->limits.deliveries_max ?
	    SHARE_PARTITION_ARCHIVED :
	    SHARE_PARTITION_AVAILABLE;
}

static void
record_acknowledge(struct world *world, struct record *record, int8_t type,
    uint64_t change)
{
	if (type == SHARE_PARTITION_RENEW) {
		record->deadline_ms = world->now_ms + LOCK_MS;
		return;
	}
	record->change = change;
	if (type == SHARE_PARTITION_ACCEPT)
		record->state = SHARE_PARTITION_ACKNOWLEDGED;
	else if (type == SHARE_PARTITION_RELEASE)
		record->state = returned(world, record);
	else
		record->state = SHARE_PARTITION_ARCHIVED;
}

static bool
owns(const struct world *world, int64_t offset, int member)
{
	const struct record *record = &world->records[offset];

	return record->state == SHARE_PARTITION_ACQUIRED &&
	    record->change == 0 && record->owner == member;
}

/* Offsets that were passed over and are in no batch do not count. */
static enum kp_error
expected(const struct world *world, int64_t first, int64_t last, int member)
{
	bool any = false;
	int64_t reach = -1;

	if (last < world->start)
		return KP_NONE;
	for (int64_t i = world->start; i <= last && i < OFFSETS_MAX; i++)
		if (world->records[i].seen)
			reach = i;
	for (int64_t i = world->start; i < OFFSETS_MAX && !any; i++)
		any = world->records[i].seen;
	if (!any)
		return KP_INVALID_RECORD_STATE;
	if (reach < last)
		return KP_INVALID_REQUEST;
	for (int64_t i = MAX(first, world->start); i <= last; i++)
		if (world->records[i].seen && !owns(world, i, member))
			return KP_INVALID_RECORD_STATE;
	return KP_NONE;
}

static void
change_keep(struct world *world, const struct share_partition_change *change)
{
	world->kept_start = MAX(world->kept_start, change->start_offset);
	for (size_t i = 0; i < change->states_count; i++) {
		const struct share_partition_state *state = &change->states[i];

		for (int64_t j = state->first_offset; j <= state->last_offset;
		     j++) {
			world->records[j].kept_state = state->state;
			world->records[j].kept_count = state->delivery_count;
			if (state->state == SHARE_PARTITION_ACKNOWLEDGED)
				world->records[j].accepted = true;
		}
	}
}

static void
pending_end(struct world *world, size_t index, bool persisted)
{
	struct share_partition_change change = world->pending[index].change;

	world->pending[index] = world->pending[--world->pending_count];
	if (persisted)
		change_keep(world, &change);
	share_partition_complete(world->partition, &world->limits, change.id,
	    persisted, world->now_ms);
	for (int64_t i = 0; i < OFFSETS_MAX; i++) {
		struct record *record = &world->records[i];

		if (record->change != change.id)
			continue;
		record->change = 0;
		if (!persisted && record->deadline_ms > world->now_ms) {
			record->state = SHARE_PARTITION_ACQUIRED;
			continue;
		}
		if (!persisted)
			record->state = returned(world, record);
		record->owner = -1;
	}
	share_partition_change_fini(&change);
}

static void
pending_begin(struct world *world, struct share_partition_change *change)
{
	if (change->id == 0) {
		change_keep(world, change);
		share_partition_change_fini(change);
		return;
	}
	if (world->pending_count == CHANGES_MAX)
		pending_end(world, 0, true);
	world->pending[world->pending_count++].change = *change;
}

static void
acknowledge(struct world *world, int64_t first, int64_t last, int member,
    int only_type)
{
	struct share_partition_change change = { 0 };
	int8_t types[64];
	bool each = only_type < 0 && last - first < 64 && below(world, 2) == 0;
	struct share_partition_ack ack = { first, last, types,
		each ? (int32_t)(last - first + 1) : 1 };
	enum kp_error error = expected(world, first, last, member);

	for (size_t i = 0; i < COUNT_OF(types); i++)
		types[i] = only_type >= 0 ? (int8_t)only_type :
					    (int8_t)below(world, 5);
	CHECK(share_partition_acknowledge(world->partition, &world->limits,
		  slice_str(members[member]), &ack, 1, world->now_ms,
		  &change) == error);
	if (error != KP_NONE) {
		CHECK(change.states_count == 0);
		return;
	}
	for (int64_t i = MAX(first, world->start); i <= last; i++)
		if (world->records[i].seen)
			record_acknowledge(world, &world->records[i],
			    types[each ? i - first : 0], change.id);
	pending_begin(world, &change);
}

/* Mostly what a member has, at times anything. */
static void
acknowledge_some(struct world *world)
{
	int member = (int)below(world, MEMBERS);
	int64_t span = MAX(
	    share_partition_end_offset(world->partition) - world->start, 0);
	int64_t first = world->start + below(world, span + 3);
	int64_t last;

	first -= below(world, 20) == 0 ? MIN(first, 3) : 0;
	if (below(world, 8) != 0)
		while (first < OFFSETS_MAX - 1 && !owns(world, first, member))
			first++;
	last = first;
	if (below(world, 8) != 0)
		while (last < OFFSETS_MAX - 1 && last - first < 60 &&
		    owns(world, last + 1, member) && below(world, 10) != 0)
			last++;
	else
		last = first + below(world, 20);
	if (last < OFFSETS_MAX)
		acknowledge(world, first, last, member, -1);
}

/* --- Release, expire, log start, restart ------------------------------- */

static void
release(struct world *world)
{
	struct share_partition_change change = { 0 };
	int member = (int)below(world, MEMBERS);

	share_partition_release(world->partition, &world->limits,
	    slice_str(members[member]), &change);
	for (int64_t i = world->start; i < OFFSETS_MAX; i++) {
		if (!owns(world, i, member))
			continue;
		CHECK(change.id != 0);
		world->records[i].state =
		    returned(world, &world->records[i]);
		world->records[i].change = change.id;
	}
	if (change.states_count > 0)
		pending_begin(world, &change);
}

static void
expire(struct world *world)
{
	struct share_partition_change change = { 0 };

	world->now_ms += below(world, LOCK_MS);
	share_partition_expire(
	    world->partition, &world->limits, world->now_ms, &change);
	CHECK(change.id == 0);
	for (int64_t i = world->start; i < OFFSETS_MAX; i++) {
		struct record *record = &world->records[i];

		if (record->state != SHARE_PARTITION_ACQUIRED ||
		    record->change != 0 || record->deadline_ms > world->now_ms)
			continue;
		record->state = returned(world, record);
		record->owner = -1;
	}
	if (change.states_count > 0 && below(world, 4) != 0)
		change_keep(world, &change);
	share_partition_change_fini(&change);
}

static void
log_start_move(struct world *world)
{
	int64_t end = share_partition_end_offset(world->partition);

	if (world->start >= world->log_end)
		return;
	world->log_start = MIN(world->start + below(world, 20), world->log_end);
	while (world->batches_count > 0 &&
	    world->batches[0].last_offset < world->log_start) {
		world->batches_count--;
		memmove(&world->batches[0], &world->batches[1],
		    world->batches_count * sizeof(world->batches[0]));
	}
	share_partition_log_start(world->partition, world->log_start);
	CHECK(share_partition_end_offset(world->partition) >= end);
	for (int64_t i = 0; i < world->log_start; i++)
		if (!terminal(&world->records[i]) ||
		    world->records[i].change != 0)
			world->records[i] = (struct record){
				.state = SHARE_PARTITION_ARCHIVED,
				.owner = -1,
				.seen = true,
				.accepted = world->records[i].accepted,
				.kept_state = world->records[i].kept_state,
				.kept_count = world->records[i].kept_count,
			};
}

static size_t
kept_list(const struct world *world, struct share_partition_state *states)
{
	size_t count = 0;

	for (int64_t i = world->kept_start; i < OFFSETS_MAX; i++)
		if (world->records[i].kept_count > 0)
			states[count++] = (struct share_partition_state){ i, i,
				world->records[i].kept_state,
				(int16_t)world->records[i].kept_count };
	return count;
}

/* Whatever was under way is lost; what was persisted is all that is left. */
static void
restart(struct world *world)
{
	struct share_partition_state *states =
	    xcalloc(OFFSETS_MAX, sizeof(*states));
	size_t count = kept_list(world, states);
	int64_t last = count > 0 ? states[count - 1].first_offset : -1;

	while (world->pending_count > 0)
		share_partition_change_fini(
		    &world->pending[--world->pending_count].change);
	share_partition_free(world->partition);
	world->partition = share_partition_new();
	CHECK(share_partition_load(
		  world->partition, world->kept_start, states, count) == 0);
	world->start = world->kept_start;
	for (int64_t i = 0; i < OFFSETS_MAX; i++) {
		struct record *record = &world->records[i];

		record->seen = i >= world->kept_start && i <= last;
		record->state = record->kept_count > 0 ?
		    record->kept_state :
		    SHARE_PARTITION_AVAILABLE;
		record->count = record->kept_count;
		record->owner = -1;
		record->change = 0;
	}
	free(states);
	share_partition_log_start(world->partition, world->log_start);
	for (int64_t i = 0; i < world->log_start; i++) {
		world->records[i].seen = true;
		world->records[i].state = SHARE_PARTITION_ARCHIVED;
	}
}

/* --- A life ------------------------------------------------------------ */

static void
step(struct world *world)
{
	switch (below(world, 16)) {
	case 0:
	case 1:
		log_grow(world);
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		acquire(world, 1 + (int32_t)below(world, 25),
		    below(world, 3) == 0);
		break;
	case 6:
		release(world);
		break;
	case 7:
		expire(world);
		break;
	case 8:
		if (below(world, 8) == 0)
			log_start_move(world);
		else if (below(world, 8) == 0)
			restart(world);
		else if (below(world, 4) == 0)
			log_clean(world);
		break;
	case 9:
	case 10:
	case 11:
		if (world->pending_count > 0)
			pending_end(world,
			    (size_t)below(
				world, (int64_t)world->pending_count),
			    below(world, 4) != 0);
		break;
	default:
		acknowledge_some(world);
		break;
	}
}

/* Everything that can still be delivered is, and is accepted. */
static void
drain(struct world *world)
{
	for (int round = 0; round < 20 * OFFSETS_MAX; round++) {
		while (world->pending_count > 0)
			pending_end(world, 0, true);
		if (share_partition_next_offset(world->partition) >=
		    world->log_end)
			break;
		acquire(world, 1000, false);
		compare(world);
		for (int64_t i = world->start; i < world->log_end; i++)
			if (world->records[i].seen &&
			    world->records[i].state ==
				SHARE_PARTITION_ACQUIRED &&
			    world->records[i].change == 0)
				acknowledge(world, i, i,
				    world->records[i].owner,
				    SHARE_PARTITION_ACCEPT);
		compare(world);
	}
	world->now_ms += LOCK_MS;
	expire(world);
	CHECK(share_partition_next_offset(world->partition) >=
	    world->batches[world->batches_count - 1].last_offset + 1);
}

static void
live(uint64_t seed)
{
	struct world *world = xcalloc(1, sizeof(*world));

	running = seed;
	rng_init(&world->rng, seed);
	world->partition = share_partition_new();
	world->limits = (struct share_partition_limits){
		.deliveries_max = 2 + (int32_t)below(world, 5),
		.locks_max = 40 + (int32_t)below(world, 100),
		.lock_ms = LOCK_MS,
		.renewable = true,
	};
	for (int64_t i = 0; i < OFFSETS_MAX; i++)
		world->records[i].owner = -1;
	CHECK(share_partition_load(world->partition, 0, NULL, 0) == 0);
	for (int i = 0; i < STEPS; i++) {
		step(world);
		compare(world);
	}
	log_grow(world);
	drain(world);
	while (world->pending_count > 0)
		share_partition_change_fini(
		    &world->pending[--world->pending_count].change);
	share_partition_free(world->partition);
	free(world);
}

int
main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : SEEDS;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

	for (uint64_t i = 0; i < count; i++)
		live(first + i);
	printf("%" PRIu64 " lives\n", count);
	return 0;
}
