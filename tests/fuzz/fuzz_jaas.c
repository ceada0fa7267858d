/* Lines of JAAS login modules. */
#include "auth/jaas.h"
#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* It is a line or there is a reason, and what was found can be looked up. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jaas_entry entry;
	struct arena arena;
	const char *reason;
	int result;

	arena_init(&arena, 1 << 20);
	result = jaas_parse(slice_of(data, size), &arena, &entry, &reason);
	assert((result == 0) == (reason == NULL));
	for (size_t i = 0; result == 0 && i < entry.options_count; i++) {
		char *name = slice_dup(entry.options[i].name);

		assert(memchr(name, '\0', entry.options[i].name.len) != NULL ||
		    !slice_is_null(jaas_option(&entry, name)));
		free(name);
	}
	arena_reset(&arena);
	return 0;
}
