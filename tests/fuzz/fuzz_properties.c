/*
 * Java's .properties: what parses is written, and that parses to the same.
 */
#include "base/base.h"
#include "base/properties.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const struct properties *properties)
{
	char *text = properties_text(properties);
	struct properties again;

	properties_init(&again);
	assert(properties_parse(&again, slice_str(text), NULL) == 0);
	assert(again.count == properties->count);
	for (size_t i = 0; i < again.count; i++) {
		assert(strcmp(again.items[i].key, properties->items[i].key) ==
		    0);
		assert(strcmp(again.items[i].value,
			   properties->items[i].value) == 0);
	}
	properties_fini(&again);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct properties properties;
	size_t line = 0;

	properties_init(&properties);
	if (properties_parse(&properties, slice_of(data, size), &line) == 0)
		check_text(&properties);
	else
		assert(line >= 1);
	properties_fini(&properties);
	return 0;
}
