/*
 * Share runs: the records in flight of a share partition, as runs of records
 * that follow each other and are alike in everything.
 *
 * Runs ascend without overlap.  Changes are worked out by pushing the runs of
 * what comes next in their order; neighbours that became alike grow together.
 */
#ifndef BROKER_SHARE_RUNS_H
#define BROKER_SHARE_RUNS_H

#include "base/base.h"
#include "broker/share_partition.h"

/* No member has the records. */
#define SHARE_NOBODY (-1)

struct share_run {
	int64_t first;
	int64_t last;
	int64_t batch_first; /* of the records acquired together with these */
	int64_t batch_last;
	int64_t deadline_ms; /* of the lock, while it is acquired */
	uint64_t change;     /* under way, or 0 */
	int32_t owner;	     /* of share_members, or SHARE_NOBODY */
	int16_t delivery_count;
	enum share_partition_record state;
	bool unseen; /* a gap in what was loaded */
	bool taken;  /* by the acquisition that is being worked out */
};

/* Its owner frees `at`. */
struct share_runs {
	struct share_run *at;
	size_t count;
	size_t capacity;
};

/* Put run at the end, as part of the last one where it goes on with it. */
void share_runs_push(struct share_runs *runs, const struct share_run *run);

/* Put the part of run that is in [first, last] at the end, if there is any. */
void share_runs_push_part(struct share_runs *runs, const struct share_run *run,
    int64_t first, int64_t last);

/* How many records. */
int64_t share_run_len(const struct share_run *run);

/* In that state, and no change of it is under way. */
bool share_run_available(const struct share_run *run);
bool share_run_acquired(const struct share_run *run);

/* Acknowledged or archived, maybe by a change that is under way. */
bool share_run_terminal(const struct share_run *run);

/* Nobody has it any more, and no change is under way. */
void share_run_disown(struct share_run *run);

/* It is never delivered again, and nobody's. */
void share_run_archive(struct share_run *run);

/* What becomes of records that go back: available, or delivered enough. */
enum share_partition_record share_run_returned(const struct share_run *run,
    const struct share_partition_limits *limits);

#endif
