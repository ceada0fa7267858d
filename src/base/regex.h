/*
 * Regular expressions in RE2's syntax, for whole names of ASCII characters.
 *
 * An expression becomes an automaton whose states are followed all at once, so
 * that matching takes time linear in the text, whatever the expression: there
 * are no back references and no lookaround, as in RE2.  Groups are only for
 * grouping: nothing is captured.  Texts are bytes below 128; another byte
 * matches nothing, and of the characters that an expression names, those
 * beyond ASCII never do.
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

/* Does all of text match? */
bool regex_matches(const struct regex *regex, struct slice text);

#endif
