/*
 * Rules that map names: the rules, and behind a newline the name that they are
 * applied to.
 */
#include "auth/principal_rules.h"
#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME_LEN_MAX ((size_t)250)

/* They are rules or there is an error, and a name comes from a rule. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = memchr(data, '\n', size);
	size_t len = newline == NULL ? size : (size_t)(newline - data);
	struct slice name = slice_of(data + len, 0);
	struct principal_rules *rules;
	struct arena arena;
	char *error;

	if (newline != NULL)
		name = slice_of(
		    newline + 1, MIN(size - len - 1, NAME_LEN_MAX));
	arena_init(&arena, 1 << 16);
	rules = principal_rules_new(slice_of(data, len), &error);
	assert((rules == NULL) == (error != NULL));
	if (rules != NULL)
		(void)principal_rules_apply(rules, name, &arena);
	assert(!arena_overdrawn(&arena));
	arena_reset(&arena);
	principal_rules_free(rules);
	free(error);
	return 0;
}
