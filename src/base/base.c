#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>

void
base_assert_failed(const char *expression, const char *file, int line,
    const char *function)
{
	fprintf(stderr, "klamm: %s:%d: %s: this must hold: %s\n", file, line,
	    function, expression);
	abort();
}

static void *
check(void *ptr, size_t size)
{
	if (ptr == NULL) {
		fprintf(stderr, "klamm: out of memory (%zu bytes)\n", size);
		abort();
	}
	return ptr;
}

void *
xmalloc(size_t size)
{
	return check(malloc(size > 0 ? size : 1), size);
}

void *
xcalloc(size_t count, size_t size)
{
	if (count == 0 || size == 0)
		return xmalloc(0);
	return check(calloc(count, size), size);
}

void *
xrealloc(void *ptr, size_t size)
{
	return check(realloc(ptr, size > 0 ? size : 1), size);
}

char *
xstrdup(const char *s)
{
	return check(strdup(s), strlen(s) + 1);
}

char *
xasprintf(const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	return check(n < 0 ? NULL : text, 0);
}

int
slice_compare(struct slice a, struct slice b)
{
	size_t n = MIN(a.len, b.len);
	int order = n == 0 ? 0 : memcmp(a.data, b.data, n);

	if (order != 0)
		return order;
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return (a.data != NULL) - (b.data != NULL);
}

char *
slice_dup(struct slice s)
{
	char *copy = xmalloc(s.len + 1);

	if (s.len > 0)
		memcpy(copy, s.data, s.len);
	copy[s.len] = '\0';
	return copy;
}

struct slice
slice_own(struct slice s)
{
	return slice_of(slice_dup(s), s.len);
}

void
slice_release(struct slice *owned)
{
	free((void *)(uintptr_t)owned->data);
	*owned = SLICE_NULL;
}
