/*
 * Regex tree: a regular expression as it was written; see regex.h for the
 * syntax.  Sequences and alternatives lean to the left and are as long as the
 * pattern; all else nests 200 deep at the most.
 */
#ifndef BASE_REGEX_TREE_H
#define BASE_REGEX_TREE_H

#include "base/arena.h"
#include "base/ascii_set.h"
#include "base/base.h"

/* What there is to say of a pattern that becomes too much. */
#define REGEX_TOO_LARGE "expression too large"

enum regex_node_kind {
	REGEX_EMPTY,
	REGEX_SET,
	REGEX_CONCAT,
	REGEX_ALTERNATE,
	REGEX_REPEAT,
	REGEX_ASSERT,
	REGEX_GROUP,
};

/* What holds between two characters. */
enum regex_assertion {
	REGEX_TEXT_BEGIN,
	REGEX_TEXT_END,
	REGEX_LINE_BEGIN,
	REGEX_LINE_END,
	REGEX_WORD_EDGE,
	REGEX_NO_WORD_EDGE,
};

#define REGEX_UNLIMITED (-1)

struct regex_node {
	enum regex_node_kind kind;
	struct ascii_set set;
	enum regex_assertion assertion;
	int min; /* of repetitions */
	int max; /* or REGEX_UNLIMITED */
	bool lazy;	/* as few of them as will do */
	unsigned group; /* its number, from 1 */
	struct regex_node *left;
	struct regex_node *right;
};

/*
 * The tree of pattern, in arena, or NULL where the pattern is none or the
 * arena is too small: *reason says why, in the words of RE2 (static).
 */
struct regex_node *regex_tree_parse(
    struct slice pattern, struct arena *arena, const char **reason) WARN_UNUSED;

#endif
