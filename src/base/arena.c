#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/budget.h"

#define CHUNK_LEN 4096
#define CHUNK_LEN_MAX (64 * 1024)

struct arena_chunk {
	struct arena_chunk *older;
	_Alignas(max_align_t) uint8_t bytes[];
};

void
arena_init(struct arena *arena, size_t size_bytes_max)
{
	memset(arena, 0, sizeof(*arena));
	arena->size_bytes_max = size_bytes_max;
}

void
arena_lend(struct arena *arena, void *bytes, size_t len)
{
	assert(arena->next == arena->end &&
	    (uintptr_t)bytes % ARENA_ALIGN == 0);
	arena->lent = arena->next = bytes;
	arena->lent_len = len;
	arena->end = arena->next + len;
}

void
arena_charge(struct arena *arena, struct budget *budget)
{
	assert(arena->chunks == NULL && arena->charged_bytes == 0);
	arena->budget = budget;
}

void
arena_reset(struct arena *arena)
{
	struct arena before = *arena;
	struct arena_chunk *chunk, *older;

	for (chunk = arena->chunks; chunk != NULL; chunk = older) {
		older = chunk->older;
		free(chunk);
	}
	if (before.charged_bytes > 0)
		budget_give(before.budget, before.charged_bytes);
	arena_init(arena, before.size_bytes_max);
	arena->budget = before.budget;
	if (before.lent != NULL)
		arena_lend(arena, before.lent, before.lent_len);
}

/* A chunk of size bytes is going to be made; the first small one is free. */
static void
charge(struct arena *arena, size_t size)
{
	if (arena->budget == NULL ||
	    (arena->chunks == NULL && arena->lent == NULL &&
		size <= CHUNK_LEN))
		return;
	budget_force(arena->budget, size);
	arena->charged_bytes += size;
}

/*
 * Start a new chunk with room for size.  Chunks grow with what was already
 * handed out, so that many small allocations need few chunks.
 */
static void
grow(struct arena *arena, size_t size)
{
	size_t len = MIN(MAX(arena->size_bytes, CHUNK_LEN), CHUNK_LEN_MAX);
	struct arena_chunk *chunk;

	len = MAX(size, len - sizeof(*chunk));
	charge(arena, sizeof(*chunk) + len);
	chunk = xmalloc(sizeof(*chunk) + len);
	chunk->older = arena->chunks;
	arena->chunks = chunk;
	arena->next = chunk->bytes;
	arena->end = chunk->bytes + len;
}

size_t
arena_left(const struct arena *arena)
{
	if (arena->size_bytes >= arena->size_bytes_max)
		return 0;
	return arena->size_bytes_max - arena->size_bytes;
}

static size_t
aligned(size_t size)
{
	return (MAX(size, 1) + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
}

/* size, which is aligned, bytes; the cap has been looked at. */
static void *
take(struct arena *arena, size_t size)
{
	uint8_t *p;

	if (size > (size_t)(arena->end - arena->next))
		grow(arena, size);
	p = arena->next;
	arena->next += size;
	arena->size_bytes += size;
	return p;
}

void *
arena_alloc(struct arena *arena, size_t size)
{
	if (size > arena->size_bytes_max)
		return NULL;
	size = aligned(size);
	if (size > arena_left(arena))
		return NULL;
	return take(arena, size);
}

void
arena_shrink(struct arena *arena, void *p, size_t size, size_t len)
{
	size_t surplus = aligned(size) - (len == 0 ? 0 : aligned(len));

	assert(len <= size && (uint8_t *)p + aligned(size) == arena->next);
	arena->next -= surplus;
	arena->size_bytes -= surplus;
}

void *
arena_calloc(struct arena *arena, size_t count, size_t size)
{
	size_t total;
	void *p;

	if (__builtin_mul_overflow(count, size, &total))
		return NULL;
	p = arena_alloc(arena, total);
	if (p != NULL)
		memset(p, 0, total);
	return p;
}

void *
arena_xalloc(struct arena *arena, size_t size)
{
	size = aligned(size);
	if (size > arena_left(arena))
		arena->overdrawn = true;
	return take(arena, size);
}

void *
arena_xcalloc(struct arena *arena, size_t count, size_t size)
{
	size_t total;
	void *p;

	if (__builtin_mul_overflow(count, size, &total))
		assert(!"sizes of what is in memory");
	p = arena_xalloc(arena, total);
	memset(p, 0, total);
	return p;
}

struct slice
arena_copy(struct arena *arena, struct slice s)
{
	uint8_t *p;

	if (slice_is_null(s))
		return s;
	p = arena_xalloc(arena, s.len);
	memcpy(p, s.data, s.len);
	return slice_of(p, s.len);
}

struct slice
arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *p;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(n >= 0);
	p = arena_xalloc(arena, (size_t)n + 1);
	va_start(args, format);
	vsnprintf(p, (size_t)n + 1, format, args);
	va_end(args);
	return slice_of(p, (size_t)n);
}
