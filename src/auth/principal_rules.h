/*
 * Principal rules: what a client with a certificate is called
 * (ssl.principal.mapping.rules, SslPrincipalMapper of Kafka).
 *
 *     RULE:pattern/replacement/[LU], ..., DEFAULT
 *
 * The first rule whose pattern matches the whole distinguished name gives the
 * name: every match of the pattern in it is replaced, as String.replaceAll
 * does, and L or U make it lower or upper case; DEFAULT gives it as it is.
 *
 * A pattern is one of base/regex.h, which is what Java has but for what would
 * not match in linear time (back references, lookaround, possessive and atomic
 * groups); what both know and mean differently is refused, as are characters
 * beyond ASCII.
 */
#ifndef AUTH_PRINCIPAL_RULES_H
#define AUTH_PRINCIPAL_RULES_H

#include "base/arena.h"
#include "base/base.h"

struct principal_rules;

/*
 * The rules of text; null stands for DEFAULT.  NULL where they are none:
 * *error is a line on the heap that says which and why, the caller's.
 */
struct principal_rules *principal_rules_new(
    struct slice text, char **error) WARN_UNUSED;
void principal_rules_free(struct principal_rules *rules);

/*
 * The name, without a type, of who shows a certificate of that subject; it
 * lives in arena or is the subject.  Null where no rule fits, or where the name
 * would be too long for the arena: nobody is that.  Any thread.
 */
struct slice principal_rules_apply(const struct principal_rules *rules,
    struct slice subject, struct arena *arena);

#endif
