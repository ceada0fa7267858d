/*
 * The automaton of regex.c with what its threads have seen: they are kept in
 * the order in which a backtracking matcher would try them, and the first that
 * arrives cuts off those behind it.
 */
#include "base/regex_program.h"

/* The threads at one place of the text, the preferred first. */
struct threads {
	uint32_t *at;
	size_t *slots; /* of each thread, slots_count */
	uint32_t count;
	uint32_t *marks; /* the place where each instruction was added */
};

/* What is to be looked at next, or (at is RESTORE) put back. */
struct task {
	uint32_t at;
	uint32_t slot;
	size_t value;
};

#define RESTORE UINT32_MAX

struct run {
	const struct regex *regex;
	struct slice text;
	struct task *stack;
	size_t *slots; /* of the thread that is being added */
	size_t slots_count;
};

static void
threads_init(struct threads *threads, const struct run *run)
{
	uint32_t count = run->regex->count;

	threads->at = xcalloc(count, sizeof(*threads->at));
	threads->marks = xcalloc(count, sizeof(*threads->marks));
	threads->slots =
	    xcalloc(count * run->slots_count, sizeof(*threads->slots));
	threads->count = 0;
}

static void
threads_fini(struct threads *threads)
{
	free(threads->at);
	free(threads->marks);
	free(threads->slots);
}

static void
threads_put(struct run *run, struct threads *threads, uint32_t i)
{
	memcpy(threads->slots + threads->count * run->slots_count, run->slots,
	    run->slots_count * sizeof(*run->slots));
	threads->at[threads->count++] = i;
}

/* Remember the place, until what follows has been added. */
static uint32_t
save(struct run *run, const struct regex_instruction *in, uint32_t depth,
    size_t at)
{
	run->stack[depth++] = (struct task){
		.at = RESTORE,
		.slot = in->slot,
		.value = run->slots[in->slot],
	};
	run->slots[in->slot] = at;
	run->stack[depth++] = (struct task){ .at = in->next };
	return depth;
}

/* Add what begins at start, and all that it leads to without a character. */
static void
threads_add(struct run *run, struct threads *threads, uint32_t start, size_t at)
{
	uint32_t depth = 0;

	run->stack[depth++] = (struct task){ .at = start };
	while (depth > 0) {
		struct task task = run->stack[--depth];
		const struct regex_instruction *in;

		if (task.at == RESTORE) {
			run->slots[task.slot] = task.value;
			continue;
		}
		if (threads->marks[task.at] == at + 1)
			continue;
		threads->marks[task.at] = (uint32_t)at + 1;
		in = &run->regex->program[task.at];
		if (in->op == REGEX_OP_SAVE) {
			depth = save(run, in, depth, at);
			continue;
		}
		if (in->op == REGEX_OP_SPLIT)
			run->stack[depth++] = (struct task){ .at = in->other };
		if (in->op == REGEX_OP_SET || in->op == REGEX_OP_MATCH)
			threads_put(run, threads, task.at);
		else if (in->op != REGEX_OP_ASSERT ||
		    regex_holds(run->text, in->assertion, at))
			run->stack[depth++] = (struct task){ .at = in->next };
	}
}

/*
 * Over the character at byte at, if there is one.  Those behind a thread that
 * has arrived are given up: true, with what it saw in found.
 */
static bool
threads_step(struct run *run, const struct threads *from, struct threads *to,
    size_t at, size_t len, size_t *found)
{
	size_t size = run->slots_count * sizeof(*run->slots);

	to->count = 0;
	for (uint32_t i = 0; i < from->count; i++) {
		const struct regex_instruction *in =
		    &run->regex->program[from->at[i]];
		const size_t *slots = from->slots + i * run->slots_count;

		if (in->op == REGEX_OP_MATCH) {
			memcpy(found, slots, size);
			found[1] = at;
			return true;
		}
		if (len == 0 || !ascii_set_has(&in->set, run->text.data[at]))
			continue;
		memcpy(run->slots, slots, size);
		threads_add(run, to, in->next, at + len);
	}
	return false;
}

/* A thread that begins here, after all that began earlier. */
static void
threads_begin(struct run *run, struct threads *threads, size_t at)
{
	for (size_t i = 0; i < run->slots_count; i++)
		run->slots[i] = REGEX_NOWHERE;
	run->slots[0] = at;
	threads_add(run, threads, 0, at);
}

static bool
search(struct run *run, struct threads *now, struct threads *then, size_t from,
    size_t *found)
{
	bool any = false;

	for (size_t at = from;; ) {
		size_t len = at < run->text.len ?
		    regex_char_len(run->text, at) :
		    0;
		struct threads *swap = now;

		if (!any)
			threads_begin(run, now, at);
		any |= threads_step(run, now, then, at, len, found);
		now = then;
		then = swap;
		if (len == 0 || (any && now->count == 0))
			return any;
		at += len;
	}
}

bool
regex_find(const struct regex *regex, struct slice text, size_t from,
    struct regex_span *spans)
{
	struct run run = {
		.regex = regex,
		.text = text,
		.slots_count = 2 * (regex->groups + 1),
	};
	struct threads threads[2];
	size_t *found;
	bool any;

	assert(regex->finding && from <= text.len);
	/* Each instruction puts two on the stack at the most, once. */
	run.stack = xcalloc(2 * (size_t)regex->count + 2, sizeof(*run.stack));
	run.slots = xcalloc(2 * run.slots_count, sizeof(*run.slots));
	found = run.slots + run.slots_count;
	threads_init(&threads[0], &run);
	threads_init(&threads[1], &run);
	any = search(&run, &threads[0], &threads[1], from, found);
	for (size_t i = 0; any && i <= regex->groups; i++) {
		spans[i].begin = found[2 * i];
		spans[i].end = found[2 * i + 1];
	}
	threads_fini(&threads[0]);
	threads_fini(&threads[1]);
	free(run.slots);
	free(run.stack);
	return any;
}
