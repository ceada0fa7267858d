#include "base/spares.h"

/* A block that is kept. */
struct spare {
	struct spare *next;
};

#ifdef __SANITIZE_ADDRESS__
#define KEEPS false
#else
#define KEEPS true
#endif

void
spares_init(struct spares *spares, size_t block_len, size_t count_max)
{
	assert(block_len >= sizeof(struct spare));
	*spares = (struct spares){ .block_len = block_len,
		.count_max = KEEPS ? count_max : 0 };
}

void
spares_fini(struct spares *spares)
{
	struct spare *spare;

	while ((spare = spares->first) != NULL) {
		spares->first = spare->next;
		free(spare);
	}
	spares->count = 0;
}

void *
spares_take(struct spares *spares)
{
	struct spare *spare = spares->first;

	if (spare == NULL)
		return xmalloc(spares->block_len);
	spares->first = spare->next;
	spares->count--;
	return spare;
}

void
spares_give(struct spares *spares, void *block)
{
	struct spare *spare = block;

	if (spares->count >= spares->count_max) {
		free(block);
		return;
	}
	spare->next = spares->first;
	spares->first = spare;
	spares->count++;
}
