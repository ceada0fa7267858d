/*
 * Text as Java's tools print it: bytes that are taken for UTF-8, floating
 * point numbers, and messages as Jackson writes them.
 */
#ifndef CLI_JAVA_TEXT_H
#define CLI_JAVA_TEXT_H

#include <stdio.h>

#include "base/base.h"

/*
 * Print bytes as new String(bytes, UTF_8) has them: what is no UTF-8 becomes
 * U+FFFD, one for each part that could have begun a character.
 */
void java_text_print(FILE *out, struct slice bytes);

/* The same inside of the quotes of a JSON string, escaped as Jackson does. */
void java_text_print_json(FILE *out, struct slice bytes);

/* Print as Double.toString does: the fewest digits that give the number. */
void java_text_print_double(FILE *out, double number);

#endif
