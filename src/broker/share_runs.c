#include "broker/share_runs.h"

static bool
run_alike(const struct share_run *a, const struct share_run *b)
{
	return a->batch_first == b->batch_first &&
	    a->deadline_ms == b->deadline_ms && a->change == b->change &&
	    a->owner == b->owner && a->delivery_count == b->delivery_count &&
	    a->state == b->state && a->unseen == b->unseen &&
	    a->taken == b->taken;
}

void
share_runs_push(struct share_runs *runs, const struct share_run *run)
{
	struct share_run *last =
	    runs->count > 0 ? &runs->at[runs->count - 1] : NULL;

	assert(run->first <= run->last);
	assert(last == NULL || last->last < run->first);
	if (last != NULL && last->last + 1 == run->first &&
	    run_alike(last, run)) {
		last->last = run->last;
		return;
	}
	if (runs->count == runs->capacity) {
		runs->capacity = MAX(2 * runs->capacity, 8);
		runs->at =
		    xrealloc(runs->at, runs->capacity * sizeof(*runs->at));
	}
	runs->at[runs->count++] = *run;
}

void
share_runs_push_part(struct share_runs *runs, const struct share_run *run,
    int64_t first, int64_t last)
{
	struct share_run part = *run;

	part.first = MAX(run->first, first);
	part.last = MIN(run->last, last);
	if (part.first <= part.last)
		share_runs_push(runs, &part);
}

int64_t
share_run_len(const struct share_run *run)
{
	return run->last - run->first + 1;
}

bool
share_run_available(const struct share_run *run)
{
	return run->state == SHARE_PARTITION_AVAILABLE && run->change == 0;
}

bool
share_run_acquired(const struct share_run *run)
{
	return run->state == SHARE_PARTITION_ACQUIRED && run->change == 0;
}

bool
share_run_terminal(const struct share_run *run)
{
	return run->state == SHARE_PARTITION_ACKNOWLEDGED ||
	    run->state == SHARE_PARTITION_ARCHIVED;
}

void
share_run_disown(struct share_run *run)
{
	run->owner = SHARE_NOBODY;
	run->deadline_ms = 0;
	run->change = 0;
}

void
share_run_archive(struct share_run *run)
{
	run->state = SHARE_PARTITION_ARCHIVED;
	run->unseen = false;
	share_run_disown(run);
}

enum share_partition_record
share_run_returned(
    const struct share_run *run, const struct share_partition_limits *limits)
{
	return run->delivery_count >= limits->deliveries_max ?
	    SHARE_PARTITION_ARCHIVED :
	    SHARE_PARTITION_AVAILABLE;
}
