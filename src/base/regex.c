/*
 * The pattern's tree becomes a program for an automaton (Thompson), and the
 * program is run with all its threads side by side (Pike).  Tree and program
 * are bounded: repetitions multiply.
 */
#include "base/regex.h"

#include "base/arena.h"
#include "base/ascii_set.h"
#include "base/regex_program.h"

#define PROGRAM_MAX 20000
#define NOT_ASCII "characters beyond ASCII cannot be named"
#define TREE_BYTES_MAX ((size_t)8 << 20)

/* --- The program --------------------------------------------------------- */

static uint32_t
emit(struct regex *regex, enum regex_op op)
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
	    (struct regex_instruction){ .op = op, .next = regex->count + 1 };
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
		split = emit(regex, REGEX_OP_SPLIT);
		compile(regex, parts[i]);
		/* Chained through other until it is known where to. */
		count = emit(regex, REGEX_OP_JUMP);
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

/* Of a split: rather leave what is repeated than begin it again. */
static void
prefer_other(struct regex *regex, uint32_t split)
{
	struct regex_instruction *in = &regex->program[split];
	uint32_t next = in->next;

	in->next = in->other;
	in->other = next;
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
		split = emit(regex, REGEX_OP_SPLIT);
		compile(regex, node->left);
		first = emit(regex, REGEX_OP_JUMP);
		if (regex->failed)
			return;
		regex->program[first].next = split;
		regex->program[split].other = regex->count;
		if (node->lazy)
			prefer_other(regex, split);
		return;
	}
	for (int i = node->min; i < node->max && !regex->failed; i++) {
		split = emit(regex, REGEX_OP_SPLIT);
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
		if (node->lazy)
			prefer_other(regex, split);
	}
}

static void
compile_group(struct regex *regex, const struct regex_node *node)
{
	uint32_t at;

	if (!regex->finding) {
		compile(regex, node->left);
		return;
	}
	regex->groups = MAX(regex->groups, node->group);
	at = emit(regex, REGEX_OP_SAVE);
	if (!regex->failed)
		regex->program[at].slot = 2 * node->group;
	compile(regex, node->left);
	at = emit(regex, REGEX_OP_SAVE);
	if (!regex->failed)
		regex->program[at].slot = 2 * node->group + 1;
}

static void
compile(struct regex *regex, const struct regex_node *node)
{
	uint32_t at;

	switch (node->kind) {
	case REGEX_EMPTY:
		return;
	case REGEX_SET:
		at = emit(regex, REGEX_OP_SET);
		if (!regex->failed)
			regex->program[at].set = node->set;
		regex->unsure |= node->set.unsure;
		return;
	case REGEX_ASSERT:
		at = emit(regex, REGEX_OP_ASSERT);
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
	case REGEX_GROUP:
		compile_group(regex, node);
		return;
	}
}

static struct regex *
make(struct slice pattern, bool finding, const char **reason)
{
	struct regex *regex = xcalloc(1, sizeof(*regex));
	struct regex_node *tree;
	struct arena arena;

	arena_init(&arena, TREE_BYTES_MAX);
	tree = regex_tree_parse(pattern, &arena, reason);
	regex->failed = tree == NULL;
	regex->finding = finding;
	if (tree != NULL) {
		/* Position 0 is none that anything leads to. */
		(void)emit(regex, REGEX_OP_JUMP);
		compile(regex, tree);
		(void)emit(regex, REGEX_OP_MATCH);
		if (regex->failed)
			*reason = REGEX_TOO_LARGE;
		else if (finding && regex->unsure) {
			*reason = NOT_ASCII;
			regex->failed = true;
		}
	}
	arena_reset(&arena);
	if (!regex->failed)
		return regex;
	regex_free(regex);
	return NULL;
}

struct regex *
regex_new(struct slice pattern, const char **reason)
{
	return make(pattern, false, reason);
}

struct regex *
regex_new_finding(struct slice pattern, const char **reason)
{
	return make(pattern, true, reason);
}

size_t
regex_groups(const struct regex *regex)
{
	return regex->groups;
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
is_word(struct slice text, size_t at)
{
	uint8_t c = text.data[at];

	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z') || c == '_';
}

bool
regex_holds(struct slice text, enum regex_assertion assertion, size_t at)
{
	bool before = at > 0, behind = at < text.len;
	bool edge =
	    (before && is_word(text, at - 1)) != (behind && is_word(text, at));

	switch (assertion) {
	case REGEX_TEXT_BEGIN:
		return !before;
	case REGEX_TEXT_END:
		return !behind;
	case REGEX_LINE_BEGIN:
		return !before || text.data[at - 1] == '\n';
	case REGEX_LINE_END:
		return !behind || text.data[at] == '\n';
	case REGEX_WORD_EDGE:
		return edge;
	case REGEX_NO_WORD_EDGE:
		return !edge;
	}
	return false;
}

/* What is no UTF-8 is taken byte by byte. */
size_t
regex_char_len(struct slice text, size_t at)
{
	uint8_t first = text.data[at];
	size_t len = 1;
	size_t len_max = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;

	if (first < 0xc0)
		return 1;
	while (len < len_max && at + len < text.len &&
	    (text.data[at + len] & 0xc0) == 0x80)
		len++;
	return len;
}

/* Add what begins at start, and all that it leads to without a character. */
static void
threads_add(struct run *run, struct threads *threads, uint32_t start, size_t at)
{
	uint32_t depth = 0;

	run->stack[depth++] = start;
	while (depth > 0) {
		uint32_t i = run->stack[--depth];
		const struct regex_instruction *in = &run->regex->program[i];

		if (threads->marks[i] == at + 1)
			continue;
		threads->marks[i] = (uint32_t)at + 1;
		if (in->op == REGEX_OP_SET || in->op == REGEX_OP_MATCH)
			threads->at[threads->count++] = i;
		else if (in->op != REGEX_OP_ASSERT ||
		    regex_holds(run->text, in->assertion, at))
			run->stack[depth++] = in->next;
		if (in->op == REGEX_OP_SPLIT)
			run->stack[depth++] = in->other;
	}
}

/* Over the character at byte at, of len bytes. */
static void
threads_step(struct run *run, const struct threads *from, struct threads *to,
    size_t at, size_t len)
{
	to->count = 0;
	for (uint32_t i = 0; i < from->count; i++) {
		const struct regex_instruction *in =
		    &run->regex->program[from->at[i]];

		if (in->op == REGEX_OP_SET &&
		    ascii_set_has(&in->set, run->text.data[at]))
			threads_add(run, to, in->next, at + len);
	}
}

static bool
threads_match(const struct run *run, const struct threads *threads)
{
	for (uint32_t i = 0; i < threads->count; i++)
		if (run->regex->program[threads->at[i]].op == REGEX_OP_MATCH)
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
	for (size_t at = 0, len; at < text.len && now->count > 0; at += len) {
		len = regex_char_len(text, at);
		threads_step(&run, now, then, at, len);
		swap = now;
		now = then;
		then = swap;
	}
	matches = threads_match(&run, now);
	free(memory);
	return matches;
}
