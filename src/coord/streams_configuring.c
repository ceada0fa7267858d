#include "coord/streams_configuring.h"

/* How many partitions a topic of the application shall have. */
struct decided {
	struct slice name;
	int32_t partitions;
};

void
streams_decide(struct streams_configuring *c, struct slice name,
    int32_t partitions)
{
	struct decided *decided = map_get(&c->decided, name);

	if (decided == NULL) {
		decided = arena_xcalloc(c->arena, 1, sizeof(*decided));
		decided->name = name;
		map_set(&c->decided, decided->name, decided);
	}
	decided->partitions = partitions;
}

int32_t
streams_decided(const struct streams_configuring *c, struct slice name)
{
	const struct decided *decided = map_get(&c->decided, name);

	return decided == NULL ? 0 : decided->partitions;
}

int32_t
streams_existing(const struct streams_configuring *c, struct slice name)
{
	return c->topics->partitions(c->topics, name);
}

int32_t
streams_partitions(const struct streams_configuring *c, struct slice name)
{
	int32_t partitions = streams_existing(c, name);

	return partitions > 0 ? partitions : streams_decided(c, name);
}

/* --- What is wrong ------------------------------------------------------- */

void
streams_wrong(struct streams_configuring *c, enum streams_status status,
    struct slice detail)
{
	c->out->status = status;
	c->out->detail = arena_copy(&c->out->arena, detail);
}

enum kp_error
streams_invalid(struct streams_configuring *c, struct slice message)
{
	c->message = message;
	return KP_STREAMS_INVALID_TOPOLOGY;
}

#define NAMES_SHOWN_MAX 3

struct slice
streams_summary(struct arena *arena, const struct slice *names, int32_t count)
{
	struct slice text = slice_str("");

	for (int32_t i = 0; i < MIN(count, NAMES_SHOWN_MAX); i++)
		text = arena_printf(arena, "%.*s%s%.*s", SLICE_ARG(text),
		    i == 0 ? "" : ", ", SLICE_ARG(names[i]));
	if (count > NAMES_SHOWN_MAX)
		text = arena_printf(arena, "%.*s and %d additional topics",
		    SLICE_ARG(text), count - NAMES_SHOWN_MAX);
	return text;
}

static int
compare_names(const void *a, const void *b)
{
	return slice_compare(
	    *(const struct slice *)a, *(const struct slice *)b);
}

void
streams_sort_names(struct slice *names, int32_t *count)
{
	int32_t kept = 0;

	if (*count == 0)
		return;
	qsort(names, (size_t)*count, sizeof(*names), compare_names);
	for (int32_t i = 1; i < *count; i++)
		if (!slice_equal(names[kept], names[i]))
			names[++kept] = names[i];
	*count = kept + 1;
}
