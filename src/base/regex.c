/*
 * The pattern's tree becomes a program for an automaton (Thompson), and the
 * program is run with all its threads side by side (Pike).  Tree and program
 * are bounded: repetitions multiply.
 */
#include "base/regex.h"

#include "base/arena.h"
#include "base/ascii_set.h"
#include "base/regex_tree.h"

#define PROGRAM_MAX 20000
#define TREE_BYTES_MAX ((size_t)8 << 20)

/* --- The program --------------------------------------------------------- */

enum op {
	OP_SET,
	OP_SPLIT, /* goes on at both */
	OP_JUMP,
	OP_ASSERT,
	OP_MATCH,
};

struct instruction {
	enum op op;
	enum regex_assertion assertion;
	struct ascii_set set;
	uint32_t next;
	uint32_t other;
};

struct regex {
	struct instruction *program;
	uint32_t count;
	uint32_t capacity;
	bool failed; /* it would be too large */
};

static uint32_t
emit(struct regex *regex, enum op op)
{
	if (regex->count >= PROGRAM_MAX) {
		regex->failed = true;
		return 0;
	}
	if (regex->count == regex->capacity) {
		regex->capacity = MAX(16, regex->capacity * 2);
		regex->program = xrealloc(
		    regex->program, regex->capacity * sizeof(*regex->program));
	}
	regex->program[regex->count] =
	    (struct instruction){ .op = op, .next = regex->count + 1 };
	return regex->count++;
}

static void compile(struct regex *regex, const struct regex_node *node);

/* Sequences lean to the left and may be as long as the pattern. */
static void
compile_pairs(struct regex *regex, const struct regex_node *node)
{
	enum regex_node_kind kind = node->kind;
	const struct regex_node *first = node;
	uint32_t depth = 0, split, jumps = 0, count = 0;
	const struct regex_node **parts;

	for (; first->kind == kind; first = first->left)
		depth++;
	parts = xcalloc(depth + 1, sizeof(struct regex_node *));
	parts[0] = first;
	for (uint32_t i = depth; i > 0; i--, node = node->left)
		parts[i] = node->right;
	for (uint32_t i = 0; i <= depth && !regex->failed; i++) {
		if (kind == REGEX_CONCAT || i == depth) {
			compile(regex, parts[i]);
			continue;
		}
		split = emit(regex, OP_SPLIT);
		compile(regex, parts[i]);
		/* Chained through other until it is known where to. */
		count = emit(regex, OP_JUMP);
		if (regex->failed)
			break;
		regex->program[count].other = jumps;
		jumps = count;
		regex->program[split].other = regex->count;
	}
	while (jumps != 0 && !regex->failed) {
		uint32_t jump = jumps;

		jumps = regex->program[jump].other;
		regex->program[jump].next = regex->count;
	}
	free((void *)parts);
}

static void
compile_repeat(struct regex *regex, const struct regex_node *node)
{
	uint32_t split, first = 0;

	for (int i = 0; i < node->min && !regex->failed; i++) {
		uint32_t begin = regex->count;

		compile(regex, node->left);
		/* Nothing is the same however often. */
		if (regex->count == begin)
			break;
	}
	if (node->max == REGEX_UNLIMITED) {
		split = emit(regex, OP_SPLIT);
		compile(regex, node->left);
		first = emit(regex, OP_JUMP);
		if (regex->failed)
			return;
		regex->program[first].next = split;
		regex->program[split].other = regex->count;
		return;
	}
	for (int i = node->min; i < node->max && !regex->failed; i++) {
		split = emit(regex, OP_SPLIT);
		if (regex->failed)
			return;
		regex->program[split].other = first;
		first = split;
		compile(regex, node->left);
	}
	/* All of them leave to the same place; position 0 ends the chain. */
	for (int i = node->min; i < node->max && !regex->failed; i++) {
		split = first;
		first = regex->program[split].other;
		regex->program[split].other = regex->count;
	}
}

static void
compile(struct regex *regex, const struct regex_node *node)
{
	uint32_t at;

	switch (node->kind) {
	case REGEX_EMPTY:
		return;
	case REGEX_SET:
		at = emit(regex, OP_SET);
		if (!regex->failed)
			regex->program[at].set = node->set;
		return;
	case REGEX_ASSERT:
		at = emit(regex, OP_ASSERT);
		if (!regex->failed)
			regex->program[at].assertion = node->assertion;
		return;
	case REGEX_CONCAT:
	case REGEX_ALTERNATE:
		compile_pairs(regex, node);
		return;
	case REGEX_REPEAT:
		compile_repeat(regex, node);
		return;
	}
}

struct regex *
regex_new(struct slice pattern, const char **reason)
{
	struct regex *regex = xcalloc(1, sizeof(*regex));
	struct regex_node *tree;
	struct arena arena;

	arena_init(&arena, TREE_BYTES_MAX);
	tree = regex_tree_parse(pattern, &arena, reason);
	regex->failed = tree == NULL;
	if (tree != NULL) {
		/* Position 0 is none that anything leads to. */
		(void)emit(regex, OP_JUMP);
		compile(regex, tree);
		(void)emit(regex, OP_MATCH);
		if (regex->failed)
			*reason = REGEX_TOO_LARGE;
	}
	arena_reset(&arena);
	if (!regex->failed)
		return regex;
	regex_free(regex);
	return NULL;
}

void
regex_free(struct regex *regex)
{
	if (regex == NULL)
		return;
	free(regex->program);
	free(regex);
}

/* --- Matching ------------------------------------------------------------ */

/* The threads that are at one place of the text, each instruction once. */
struct threads {
	uint32_t *at;
	uint32_t count;
	uint32_t *marks; /* the place where each was added */
};

struct run {
	const struct regex *regex;
	struct slice text;
	uint32_t *stack;
};

static bool
is_word(const struct slice *text, size_t at)
{
	uint8_t c = text->data[at];

	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z') || c == '_';
}

static bool
holds(const struct run *run, enum regex_assertion assertion, size_t at)
{
	const struct slice *text = &run->text;
	bool before = at > 0, behind = at < text->len;
	bool edge =
	    (before && is_word(text, at - 1)) != (behind && is_word(text, at));

	switch (assertion) {
	case REGEX_TEXT_BEGIN:
		return !before;
	case REGEX_TEXT_END:
		return !behind;
	case REGEX_LINE_BEGIN:
		return !before || text->data[at - 1] == '\n';
	case REGEX_LINE_END:
		return !behind || text->data[at] == '\n';
	case REGEX_WORD_EDGE:
		return edge;
	case REGEX_NO_WORD_EDGE:
		return !edge;
	}
	return false;
}

/* Add what begins at start, and all that it leads to without a character. */
static void
threads_add(struct run *run, struct threads *threads, uint32_t start, size_t at)
{
	uint32_t depth = 0;

	run->stack[depth++] = start;
	while (depth > 0) {
		uint32_t i = run->stack[--depth];
		const struct instruction *in = &run->regex->program[i];

		if (threads->marks[i] == at + 1)
			continue;
		threads->marks[i] = (uint32_t)at + 1;
		if (in->op == OP_SET || in->op == OP_MATCH)
			threads->at[threads->count++] = i;
		else if (in->op != OP_ASSERT || holds(run, in->assertion, at))
			run->stack[depth++] = in->next;
		if (in->op == OP_SPLIT)
			run->stack[depth++] = in->other;
	}
}

static void
threads_step(
    struct run *run, const struct threads *from, struct threads *to, size_t at)
{
	to->count = 0;
	for (uint32_t i = 0; i < from->count; i++) {
		const struct instruction *in =
		    &run->regex->program[from->at[i]];

		if (in->op == OP_SET &&
		    ascii_set_has(&in->set, run->text.data[at]))
			threads_add(run, to, in->next, at + 1);
	}
}

static bool
threads_match(const struct run *run, const struct threads *threads)
{
	for (uint32_t i = 0; i < threads->count; i++)
		if (run->regex->program[threads->at[i]].op == OP_MATCH)
			return true;
	return false;
}

bool
regex_matches(const struct regex *regex, struct slice text)
{
	struct run run = { .regex = regex, .text = text };
	size_t count = regex->count;
	/* Each instruction puts two on the stack at the most, once. */
	uint32_t *memory = xcalloc(7 * count + 2, sizeof(*memory));
	struct threads threads[2] = {
		{ .at = memory, .marks = memory + count },
		{ .at = memory + 2 * count, .marks = memory + 3 * count },
	};
	struct threads *now = &threads[0], *then = &threads[1], *swap;
	bool matches;

	run.stack = memory + 4 * count;
	threads_add(&run, now, 0, 0);
	for (size_t at = 0; at < text.len && now->count > 0; at++) {
		threads_step(&run, now, then, at);
		swap = now;
		now = then;
		then = swap;
	}
	matches = threads_match(&run, now);
	free(memory);
	return matches;
}
