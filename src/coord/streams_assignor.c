#include "coord/streams_assignor.h"

#include "base/map.h"
#include "coord/java_hash.h"

/* --- Priority queues ------------------------------------------------------ */

/*
 * A binary heap as java.util.PriorityQueue has it: which of equals comes first
 * depends on how it sifts.
 */
struct queue {
	int32_t *items;
	int32_t count;
	double (*weight)(const void *of, int32_t item);
	const void *of;
};

static void
queue_add(struct queue *queue, int32_t item)
{
	double weight = queue->weight(queue->of, item);
	int32_t at = queue->count++;

	while (at > 0) {
		int32_t parent = (at - 1) / 2;

		if (weight >= queue->weight(queue->of, queue->items[parent]))
			break;
		queue->items[at] = queue->items[parent];
		at = parent;
	}
	queue->items[at] = item;
}

static void
sift_down(struct queue *queue, int32_t item)
{
	double weight = queue->weight(queue->of, item);
	int32_t at = 0;

	while (at < queue->count / 2) {
		int32_t child = 2 * at + 1;
		double least = queue->weight(queue->of, queue->items[child]);

		if (child + 1 < queue->count &&
		    least > queue->weight(queue->of, queue->items[child + 1])) {
			child++;
			least = queue->weight(queue->of, queue->items[child]);
		}
		if (weight <= least)
			break;
		queue->items[at] = queue->items[child];
		at = child;
	}
	queue->items[at] = item;
}

/* -1 where there is none. */
static int32_t
queue_poll(struct queue *queue)
{
	int32_t first;

	if (queue->count == 0)
		return -1;
	first = queue->items[0];
	queue->count--;
	if (queue->count > 0)
		sift_down(queue, queue->items[queue->count]);
	return first;
}

/* --- The state ----------------------------------------------------------- */

struct member {
	struct streams_assignor_member *out;
	struct process *process;
	int32_t tasks_count;
};

struct process {
	struct slice id;
	int32_t *members; /* in the order of Kafka's map */
	int32_t members_count;
	int32_t tasks_count;
	struct queue by_load; /* its members */
	bool by_load_valid;
};

struct given {
	int32_t member;
	enum streams_kind kind;
};

struct task {
	struct slice subtopology;
	int32_t partition;
	int32_t active_before;   /* the member, or -1 */
	int32_t *standby_before; /* members, in the order of Kafka's map */
	int32_t standby_before_count;
	struct given *given; /* to whom it goes: one active, then standbys */
	int32_t given_count;
	bool stateful;
};

/* What is left to be given to members that have not their share yet. */
struct share {
	int32_t tasks_count;
	int32_t members_count;
	int32_t per_member;
};

struct state {
	struct streams_assignor_job *job;
	struct member *members; /* in the order of Kafka's map */
	struct process *processes;
	int32_t processes_count;
	struct task *tasks; /* by subtopology and partition */
	int32_t tasks_count;
	struct share active;
	struct share all;
};

static void
share_update(struct share *share)
{
	share->per_member = share->members_count == 0 ?
	    0 :
	    share->tasks_count / share->members_count +
		(share->tasks_count % share->members_count > 0);
}

/* A member has so many now: is that its share, it counts no more. */
static void
share_take(struct share *share, int32_t tasks_count)
{
	if (tasks_count != share->per_member)
		return;
	share->members_count--;
	share->tasks_count -= tasks_count;
	share_update(share);
}

static double
process_load(const struct process *process)
{
	return (double)process->tasks_count / (double)process->members_count;
}

static bool
process_has(const struct state *state, const struct process *process,
    const struct task *task)
{
	for (int32_t i = 0; i < task->given_count; i++)
		if (state->members[task->given[i].member].process == process)
			return true;
	return false;
}

static double
weigh_member(const void *of, int32_t item)
{
	return ((const struct state *)of)->members[item].tasks_count;
}

static double
weigh_process(const void *of, int32_t item)
{
	return process_load(&((const struct state *)of)->processes[item]);
}

/* --- Making it ----------------------------------------------------------- */

static void
state_members(struct state *state)
{
	struct streams_assignor_job *job = state->job;
	size_t count = (size_t)job->members_count;
	struct slice *ids = arena_xcalloc(job->arena, count, sizeof(*ids));
	const int32_t *order;

	state->members =
	    arena_xcalloc(job->arena, count, sizeof(*state->members));
	for (int32_t i = 0; i < job->members_count; i++)
		ids[i] = job->members[i].id;
	order = java_hash_order(job->arena, ids, job->members_count,
	    java_hash_buckets(JAVA_HASH_BUCKETS_DEFAULT, job->members_count));
	for (int32_t i = 0; i < job->members_count; i++)
		state->members[i].out = &job->members[order[i]];
}

/* The processes, in the order in which they are met, and who is in which. */
static void
find_processes(struct state *state, struct process *processes)
{
	struct map by_id;

	map_init(&by_id);
	for (int32_t i = 0; i < state->job->members_count; i++) {
		struct member *member = &state->members[i];
		struct process *process =
		    map_get(&by_id, member->out->process_id);

		if (process == NULL) {
			process = &processes[state->processes_count++];
			process->id = member->out->process_id;
			map_set(&by_id, process->id, process);
		}
		process->members_count++;
		member->process = process;
	}
	map_fini(&by_id);
}

/* Kafka's map of processes is made for as many as there are members. */
static void
state_processes(struct state *state)
{
	struct arena *arena = state->job->arena;
	size_t most = (size_t)state->job->members_count;
	struct process *met = arena_xcalloc(arena, most, sizeof(*met));
	struct slice *ids = arena_xcalloc(arena, most, sizeof(*ids));
	struct process **moved =
	    arena_xcalloc(arena, most, sizeof(struct process *));
	const int32_t *order;

	find_processes(state, met);
	for (int32_t i = 0; i < state->processes_count; i++)
		ids[i] = met[i].id;
	order = java_hash_order(arena, ids, state->processes_count,
	    java_hash_buckets((uint32_t)most, state->processes_count));
	state->processes = arena_xcalloc(arena, most, sizeof(*met));
	for (int32_t i = 0; i < state->processes_count; i++) {
		state->processes[i] = met[order[i]];
		moved[order[i]] = &state->processes[i];
	}
	for (int32_t i = 0; i < state->job->members_count; i++)
		state->members[i].process =
		    moved[state->members[i].process - met];
}

/*
 * A process keeps its members in a map as well, which may have fewer buckets
 * than the one of all.
 */
static void
process_members(struct state *state, struct process *process)
{
	struct arena *arena = state->job->arena;
	size_t count = (size_t)process->members_count;
	struct slice *ids = arena_xcalloc(arena, count, sizeof(*ids));
	int32_t *members = arena_xcalloc(arena, count, sizeof(*members));
	const int32_t *order;
	int32_t at = 0;

	for (int32_t i = 0; i < state->job->members_count; i++)
		if (state->members[i].process == process) {
			ids[at] = state->members[i].out->id;
			members[at++] = i;
		}
	order = java_hash_order(
	    arena, ids, at, java_hash_buckets(JAVA_HASH_BUCKETS_DEFAULT, at));
	process->members = arena_xcalloc(arena, count, sizeof(*members));
	for (int32_t i = 0; i < at; i++)
		process->members[i] = members[order[i]];
	process->by_load.items = arena_xcalloc(arena, count, sizeof(*members));
	process->by_load.weight = weigh_member;
	process->by_load.of = state;
}

static int
compare_tasks(const void *a, const void *b)
{
	const struct task *x = a, *y = b;
	int order = slice_compare(x->subtopology, y->subtopology);

	if (order != 0)
		return order;
	return (x->partition > y->partition) - (x->partition < y->partition);
}

static struct task *
task_of(const struct state *state, const struct streams_task *wanted)
{
	const struct task key = {
		.subtopology = wanted->subtopology,
		.partition = wanted->partition,
	};

	return state->tasks_count == 0 ?
	    NULL :
	    bsearch(&key, state->tasks, (size_t)state->tasks_count,
		sizeof(*state->tasks), compare_tasks);
}

static void
state_tasks(struct state *state)
{
	const struct streams_assignor_job *job = state->job;
	int32_t count = 0;

	for (int32_t s = 0; s < job->subtopologies_count; s++)
		count += job->subtopologies[s].tasks_count;
	state->tasks =
	    arena_xcalloc(job->arena, (size_t)count, sizeof(*state->tasks));
	for (int32_t s = 0; s < job->subtopologies_count; s++)
		for (int32_t p = 0; p < job->subtopologies[s].tasks_count;
		    p++) {
			struct task *task = &state->tasks[state->tasks_count++];

			task->subtopology = job->subtopologies[s].id;
			task->partition = p;
			task->active_before = -1;
			task->stateful = job->subtopologies[s].stateful;
			task->given = arena_xcalloc(job->arena,
			    1 + (size_t)job->standby_replicas,
			    sizeof(*task->given));
		}
}

/* Count, and then note, who had which tasks as standby ones. */
static void
note_standbys(struct state *state)
{
	struct arena *arena = state->job->arena;

	for (int pass = 0; pass < 2; pass++) {
		for (int32_t m = 0; m < state->job->members_count; m++) {
			const struct streams_tasks *had =
			    &state->members[m].out->had.kinds[STREAMS_STANDBY];

			for (int32_t i = 0; i < had->count; i++) {
				struct task *task =
				    task_of(state, &had->tasks[i]);

				if (task == NULL)
					continue;
				if (pass == 1)
					task->standby_before[task
						->standby_before_count] = m;
				task->standby_before_count++;
			}
		}
		for (int32_t t = 0; pass == 0 && t < state->tasks_count; t++) {
			struct task *task = &state->tasks[t];

			task->standby_before = arena_xcalloc(arena,
			    (size_t)task->standby_before_count,
			    sizeof(*task->standby_before));
			task->standby_before_count = 0;
		}
	}
}

static void
note_actives(struct state *state)
{
	for (int32_t m = 0; m < state->job->members_count; m++) {
		const struct streams_tasks *had =
		    &state->members[m].out->had.kinds[STREAMS_ACTIVE];

		for (int32_t i = 0; i < had->count; i++) {
			struct task *task = task_of(state, &had->tasks[i]);

			if (task != NULL)
				task->active_before = m;
		}
	}
}

static void
state_shares(struct state *state)
{
	int32_t standbys = 0;

	for (int32_t t = 0; t < state->tasks_count; t++)
		if (state->tasks[t].stateful)
			standbys += state->job->standby_replicas;
	state->active.tasks_count = state->tasks_count;
	state->all.tasks_count = state->tasks_count + standbys;
	state->active.members_count = state->all.members_count =
	    state->job->members_count;
	share_update(&state->active);
	share_update(&state->all);
}

static void
state_init(struct state *state, struct streams_assignor_job *job)
{
	memset(state, 0, sizeof(*state));
	state->job = job;
	state_members(state);
	state_processes(state);
	for (int32_t p = 0; p < state->processes_count; p++)
		process_members(state, &state->processes[p]);
	state_tasks(state);
	note_actives(state);
	note_standbys(state);
	state_shares(state);
}

/* --- Giving -------------------------------------------------------------- */

static void
note_given(
    struct state *state, struct task *task, int32_t m, enum streams_kind kind)
{
	struct member *member = &state->members[m];

	task->given[task->given_count++] = (struct given){ m, kind };
	member->process->tasks_count++;
	member->tasks_count++;
	if (kind == STREAMS_ACTIVE)
		share_take(&state->active, member->tasks_count);
	share_take(&state->all, member->tasks_count);
}

static void
give(struct state *state, struct task *task, int32_t m, enum streams_kind kind)
{
	state->members[m].process->by_load_valid = false;
	note_given(state, task, m, kind);
}

static void
give_least_loaded(struct state *state, struct process *process,
    struct task *task, enum streams_kind kind)
{
	struct queue *queue = &process->by_load;
	int32_t m;

	if (process->members_count == 1) {
		note_given(state, task, process->members[0], kind);
		return;
	}
	if (!process->by_load_valid) {
		queue->count = 0;
		for (int32_t i = 0; i < process->members_count; i++)
			queue_add(queue, process->members[i]);
		process->by_load_valid = true;
	}
	m = queue_poll(queue);
	note_given(state, task, m, kind);
	queue_add(queue, m);
}

/*
 * Of those that had the task as a standby one, who has least to do; -1:
 * nobody.  That it is the first one's process which must not have the task is
 * how Kafka has it.  The active task goes to whoever it is.
 */
static int32_t
least_loaded_before(
    const struct state *state, const struct task *task, enum streams_kind kind)
{
	bool standby = kind == STREAMS_STANDBY;
	const struct member *first, *best;

	if (task->standby_before_count == 0)
		return -1;
	first = best = &state->members[task->standby_before[0]];
	for (int32_t i = 1; i < task->standby_before_count; i++) {
		const struct member *member =
		    &state->members[task->standby_before[i]];

		if (process_load(member->process) <
			process_load(best->process) &&
		    !(standby && process_has(state, member->process, task)) &&
		    member->tasks_count < best->tasks_count)
			best = member;
	}
	if (standby && process_has(state, first->process, task))
		return -1;
	return (int32_t)(best - state->members);
}

static bool
has_room(const struct state *state, int32_t m, const struct share *share)
{
	return m >= 0 && state->members[m].tasks_count < share->per_member;
}

static struct queue
processes_by_load(struct state *state)
{
	struct queue queue = {
		.items = arena_xcalloc(state->job->arena,
		    (size_t)state->processes_count, sizeof(int32_t)),
		.weight = weigh_process,
		.of = state,
	};

	for (int32_t p = 0; p < state->processes_count; p++)
		queue_add(&queue, p);
	return queue;
}

/* --- Active tasks -------------------------------------------------------- */

static int
compare_by_partition(const void *a, const void *b)
{
	const struct task *x = *(struct task *const *)a;
	const struct task *y = *(struct task *const *)b;

	if (x->partition != y->partition)
		return x->partition < y->partition ? -1 : 1;
	return slice_compare(x->subtopology, y->subtopology);
}

static int
compare_by_partition_down(const void *a, const void *b)
{
	return compare_by_partition(b, a);
}

/* All of them, or the stateful ones. */
static struct task **
tasks_in_order(const struct state *state, bool all,
    int (*compare)(const void *a, const void *b), int32_t *count)
{
	struct task **tasks = arena_xcalloc(state->job->arena,
	    (size_t)state->tasks_count, sizeof(struct task *));

	*count = 0;
	for (int32_t t = 0; t < state->tasks_count; t++)
		if (all || state->tasks[t].stateful)
			tasks[(*count)++] = &state->tasks[t];
	if (*count > 0)
		qsort((void *)tasks, (size_t)*count, sizeof(struct task *),
		    compare);
	return tasks;
}

static void
assign_active(struct state *state)
{
	int32_t count;
	struct task **tasks =
	    tasks_in_order(state, true, compare_by_partition, &count);
	struct queue queue;

	for (int32_t i = 0; i < count; i++)
		if (has_room(state, tasks[i]->active_before, &state->active))
			give(state, tasks[i], tasks[i]->active_before,
			    STREAMS_ACTIVE);
	for (int32_t i = 0; i < count; i++) {
		int32_t m;

		if (tasks[i]->given_count > 0)
			continue;
		m = least_loaded_before(state, tasks[i], STREAMS_ACTIVE);
		if (has_room(state, m, &state->active))
			give(state, tasks[i], m, STREAMS_ACTIVE);
	}
	queue = processes_by_load(state);
	for (int32_t t = 0; t < state->tasks_count; t++) {
		int32_t p;

		if (state->tasks[t].given_count > 0)
			continue;
		p = queue_poll(&queue);
		give_least_loaded(state, &state->processes[p], &state->tasks[t],
		    STREAMS_ACTIVE);
		queue_add(&queue, p);
	}
}

/* --- Standby tasks ------------------------------------------------------- */

/* To one that had it, active or not; false: there is none with room. */
static bool
give_standby_back(struct state *state, struct task *task)
{
	int32_t m = task->active_before;

	if (m < 0 || process_has(state, state->members[m].process, task) ||
	    !has_room(state, m, &state->all))
		m = least_loaded_before(state, task, STREAMS_STANDBY);
	if (!has_room(state, m, &state->all))
		return false;
	give(state, task, m, STREAMS_STANDBY);
	return true;
}

/*
 * To the process with the least to do that has it not; false: all have it.
 * Those that were looked at go back into the queue, the last one first.
 */
static bool
give_standby(struct state *state, struct queue *queue, struct task *task,
    int32_t *polled)
{
	int32_t count = 0, p;
	bool found = false;

	while (!found && (p = queue_poll(queue)) >= 0) {
		polled[count++] = p;
		found = !process_has(state, &state->processes[p], task);
		if (found)
			give_least_loaded(
			    state, &state->processes[p], task, STREAMS_STANDBY);
	}
	while (count > 0)
		queue_add(queue, polled[--count]);
	return found;
}

static void
assign_standby(struct state *state)
{
	int32_t replicas = state->job->standby_replicas, count;
	struct task **tasks =
	    tasks_in_order(state, false, compare_by_partition_down, &count);
	struct queue queue;
	int32_t *polled;

	for (int32_t i = 0; i < count; i++)
		while (tasks[i]->given_count <= replicas &&
		    give_standby_back(state, tasks[i]))
			continue;
	queue = processes_by_load(state);
	polled = arena_xcalloc(
	    state->job->arena, (size_t)state->processes_count, sizeof(*polled));
	for (int32_t t = state->tasks_count - 1; t >= 0; t--)
		while (state->tasks[t].stateful &&
		    state->tasks[t].given_count <= replicas &&
		    give_standby(state, &queue, &state->tasks[t], polled))
			continue;
}

/* --- The result ---------------------------------------------------------- */

static struct streams_tasks *
set_of(const struct state *state, const struct given *given)
{
	return &state->members[given->member].out->assigned.kinds[given->kind];
}

/* The tasks are in order, and so will the sets be. */
static void
fill_sets(struct state *state)
{
	struct streams_assignor_job *job = state->job;

	for (int32_t m = 0; m < job->members_count; m++)
		memset(&job->members[m].assigned, 0,
		    sizeof(job->members[m].assigned));
	for (int32_t t = 0; t < state->tasks_count; t++)
		for (int32_t i = 0; i < state->tasks[t].given_count; i++)
			set_of(state, &state->tasks[t].given[i])->count++;
	for (int32_t m = 0; m < job->members_count; m++)
		for (int kind = 0; kind < STREAMS_KINDS; kind++)
			job->members[m].assigned.kinds[kind] =
			    streams_tasks_new(job->arena,
				job->members[m].assigned.kinds[kind].count);
	for (int32_t t = 0; t < state->tasks_count; t++)
		for (int32_t i = 0; i < state->tasks[t].given_count; i++)
			streams_tasks_add(
			    set_of(state, &state->tasks[t].given[i]),
			    state->tasks[t].subtopology,
			    state->tasks[t].partition, 0);
}

void
streams_assignor_sticky(struct streams_assignor_job *job)
{
	struct state state;

	if (job->members_count == 0)
		return;
	state_init(&state, job);
	assign_active(&state);
	if (job->standby_replicas > 0)
		assign_standby(&state);
	fill_sets(&state);
}
