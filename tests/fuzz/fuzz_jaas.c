/* JAAS login modules: an input as a line, and as a file. */
#include "auth/jaas.h"
#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was found can be looked up. */
static void
check_entry(const struct jaas_entry *entry)
{
	for (size_t i = 0; i < entry->options_count; i++) {
		char *name = slice_dup(entry->options[i].name);

		assert(memchr(name, '\0', entry->options[i].name.len) != NULL ||
		    !slice_is_null(jaas_option(entry, name)));
		free(name);
	}
}

static void
check_section(const struct jaas_file *file, const struct jaas_section *section)
{
	char *name = slice_dup(section->name);

	assert(memchr(name, '\0', section->name.len) != NULL ||
	    jaas_file_find(file, name) == section);
	free(name);
	for (size_t i = 0; i < section->entries_count; i++)
		check_entry(&section->entries[i]);
}

/* It is a file or there is a reason, and a line of it. */
static void
check_file(struct slice text, struct arena *arena)
{
	struct jaas_file file;
	const char *reason;
	size_t line;
	int result = jaas_file_parse(text, arena, &file, &reason, &line);

	assert((result == 0) == (reason == NULL));
	assert(line >= 1 && line <= text.len + 1);
	for (size_t i = 0; result == 0 && i < file.sections_count; i++)
		check_section(&file, &file.sections[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size);
	struct jaas_entry entry;
	struct arena arena;
	const char *reason;
	int result;

	arena_init(&arena, 1 << 20);
	result = jaas_parse(text, &arena, &entry, &reason);
	assert((result == 0) == (reason == NULL));
	if (result == 0)
		check_entry(&entry);
	arena_reset(&arena);
	check_file(text, &arena);
	arena_reset(&arena);
	return 0;
}
