/*
 * Regex program: what regex.c makes of a tree, and regex_find.c runs too.
 */
#ifndef BASE_REGEX_PROGRAM_H
#define BASE_REGEX_PROGRAM_H

#include "base/ascii_set.h"
#include "base/regex.h"
#include "base/regex_tree.h"

enum regex_op {
	REGEX_OP_SET,
	REGEX_OP_SPLIT, /* goes on at both, rather at next */
	REGEX_OP_JUMP,
	REGEX_OP_ASSERT,
	REGEX_OP_SAVE, /* remembers where it is */
	REGEX_OP_MATCH,
};

struct regex_instruction {
	enum regex_op op;
	enum regex_assertion assertion;
	struct ascii_set set;
	uint32_t next;
	uint32_t other;
	uint32_t slot; /* 2 * group, and one more for its end */
};

struct regex {
	struct regex_instruction *program;
	uint32_t count;
	uint32_t capacity;
	bool failed;   /* it would be too large */
	bool finding;  /* for regex_find */
	bool unsure;   /* of characters beyond ASCII */
	unsigned groups;
};

/* Does assertion hold in front of text's byte at? */
bool regex_holds(struct slice text, enum regex_assertion assertion, size_t at);

/* The length of the character at text's byte at. */
size_t regex_char_len(struct slice text, size_t at);

#endif
