/*
 * Regular expressions in RE2's syntax.
 *
 * An expression becomes an automaton whose states are followed all at once, so
 * that matching takes time linear in the text, whatever the expression: there
 * are no back references and no lookaround, as in RE2.
 *
 * Texts are UTF-8, and classes know ASCII: a character beyond it is matched by
 * what leaves characters out, the dot and negations, and by nothing that names
 * one (ascii_set.h).
 *
 * Understood: literals, ., classes with ranges, negation and POSIX names,
 * \d \s \w, \pN and \p{Greek} with the general categories and scripts that
 * have ASCII members (others are empty), alternation, groups with names and
 * flags (imsU), * + ? {n,m} greedy and not, ^ $ \A \z \b \B, \Q...\E, and
 * escapes in C, octal and hexadecimal.
 *
 * Thread: any; an expression does not change.
 */
#ifndef BASE_REGEX_H
#define BASE_REGEX_H

#include "base/base.h"

struct regex;

/*
 * The expression, or NULL where the pattern is none: *reason says why, in the
 * words of RE2 (static).
 */
struct regex *regex_new(struct slice pattern, const char **reason) WARN_UNUSED;
void regex_free(struct regex *regex);

/*
 * The same for regex_find.  An expression that names something beyond ASCII is
 * refused, because it would not match where it should.
 */
struct regex *regex_new_finding(
    struct slice pattern, const char **reason) WARN_UNUSED;

/* The number of groups that have one: (a)(?:b)(?P<name>c) has two. */
size_t regex_groups(const struct regex *regex);

/* Bytes of a text; both REGEX_NOWHERE where a group had no part. */
struct regex_span {
	size_t begin;
	size_t end;
};

#define REGEX_NOWHERE SIZE_MAX

/*
 * The first match of an expression of regex_new_finding in text that begins at
 * byte from or behind it; of several that begin there the one that Perl, and
 * Java, prefer.  spans has room for the whole and each group, regex_groups + 1.
 * What is in front of from is looked at by assertions only.
 */
bool regex_find(const struct regex *regex, struct slice text, size_t from,
    struct regex_span *spans);

/* Does all of text match? */
bool regex_matches(const struct regex *regex, struct slice text);

#endif
