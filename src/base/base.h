/*
 * The header that every file includes: the C library's basics, asserts that
 * stay on, allocation that cannot fail, and the slice.
 *
 * A slice is a borrowed run of bytes.  It never owns what it points to; the
 * comment of whatever holds one says who does.  A slice whose data is NULL is
 * Kafka's null, which differs from the empty one.
 */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/*
 * assert() states what only a bug of ours can break; it stays on in every
 * build and is never reachable from a socket or from a file's contents.
 */
#define assert(e) \
	((e) ? (void)0 : base_assert_failed(#e, __FILE__, __LINE__, __func__))

#define WARN_UNUSED __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define UNUSED __attribute__((unused))

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define CONTAINER_OF_CONST(ptr, type, member)     \
	((const type *)(const void *)((const char *)(ptr) - \
	    offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

__attribute__((noreturn)) void base_assert_failed(const char *expression,
    const char *file, int line, const char *function);

/*
 * Allocate, or abort the process with one line on standard error.  Sizes of
 * zero give a pointer that can be freed.  Large memory whose size comes from
 * outside is budgeted before it is asked for here.
 */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size)
    __attribute__((malloc, returns_nonnull));
void *xrealloc(void *ptr, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *format, ...) PRINTF_LIKE(1, 2)
    __attribute__((malloc, returns_nonnull));

/* A borrowed run of bytes; data NULL is Kafka's null (then len is 0). */
struct slice {
	const uint8_t *data;
	size_t len;
};

#define SLICE_NULL ((struct slice){ NULL, 0 })
/* A slice over a string literal, without its final NUL. */
#define SLICE_LITERAL(s) \
	((struct slice){ (const uint8_t *)("" s), sizeof(s) - 1 })

static inline struct slice
slice_of(const void *data, size_t len)
{
	return (struct slice){ data, len };
}

/* The bytes of the C string s, or the null slice where s is NULL. */
static inline struct slice
slice_str(const char *s)
{
	return s == NULL ? SLICE_NULL : slice_of(s, strlen(s));
}

static inline bool
slice_is_null(struct slice s)
{
	return s.data == NULL;
}

/* Equal bytes; null equals only null. */
static inline bool
slice_equal(struct slice a, struct slice b)
{
	if ((a.data == NULL) != (b.data == NULL) || a.len != b.len)
		return false;
	return a.len == 0 || memcmp(a.data, b.data, a.len) == 0;
}

static inline bool
slice_equal_str(struct slice a, const char *s)
{
	return slice_equal(a, slice_str(s));
}

/* Order by bytes, then by length, as Kafka sorts names.  Null comes first. */
int slice_compare(struct slice a, struct slice b);

/* A heap copy of s with a NUL behind it; the caller frees it. */
char *slice_dup(struct slice s) __attribute__((returns_nonnull));

/* The same as a slice that its owner gives to slice_release. */
struct slice slice_own(struct slice s);

/* Free what is owned, if anything: it is null then. */
void slice_release(struct slice *owned);

/* For printf's "%.*s". */
#define SLICE_ARG(s) (int)(s).len, (const char *)(s).data

#endif
