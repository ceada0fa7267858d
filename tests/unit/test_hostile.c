/*
 * Requests that are made to cost memory: of every API that is served, at every
 * version, each array in turn is as long as it gets with elements as short as
 * they get; whole, cut off, with a count beyond the bytes, and with bytes that
 * were turned over.
 *
 * What they cost is counted where it is taken, by the arena.  A struct in
 * memory is larger than its fewest bytes on the wire, so a whole request costs
 * a multiple of itself, which the dispatcher bounds (24 bytes for each of the
 * frame's, 16 MiB in all); one that announces more than it has costs no more
 * than what it has.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "api/api.h"
#include "base/arena.h"
#include "base/rng.h"
#include "wire/codec.h"
#include "wire/output.h"

#define ELEMENTS 3000
#define MUTATIONS 20

/* As src/api/api.c has it. */
#define MEMORY_PER_BYTE 24
/* What an arena takes at once. */
#define MEMORY_MIN ((size_t)64 << 10)

/* An array inside a message: the fields that lead to it. */
#define DEPTH_MAX 8

struct path {
	const struct kp_field *fields[DEPTH_MAX];
	int depth;
};

struct hostile {
	const struct kp_message *message;
	int version;
	struct arena arena;	/* of what is sent */
	struct rng rng;
	double worst;		/* bytes taken for one of the frame */
	const char *worst_of;
};

/* A body whose arrays along the path have one element, the last one many. */
static void
fill(struct hostile *h, const struct kp_struct *type, void *data,
    const struct path *path, int at)
{
	const struct kp_field *field = path->fields[at];
	void *there = (char *)data + field->offset;
	bool last = at == path->depth - 1;
	int32_t count = last ? ELEMENTS : 1;
	size_t size = kp_kind_size((enum kp_kind)field->element, field->type);
	char *elements;

	assert(type != NULL);
	if (field->kind == KP_STRUCT) {
		fill(h, field->type, there, path, at + 1);
		return;
	}
	elements = arena_xcalloc(&h->arena, (size_t)count, size);
	for (int32_t i = 0; i < count; i++) {
		char *element = elements + (size_t)i * size;

		if (field->element == KP_STRUCT)
			kp_defaults_struct(field->type, element);
		else if (field->element == KP_STRING)
			*(struct slice *)(void *)element = slice_str("");
	}
	memcpy(there, &elements, sizeof(elements));
	*kp_count(there) = count;
	if (!last)
		fill(h, field->type, elements, path, at + 1);
}

static struct slice
encode(struct hostile *h, const struct path *path)
{
	void *body = arena_xalloc(&h->arena, h->message->body->size);
	struct output out;
	char *bytes;
	size_t len = 0;

	kp_defaults(h->message, body);
	fill(h, h->message->body, body, path, 0);
	output_init(&out, &h->arena);
	if (kp_encode(h->message, h->version, body, &out) != 0)
		return SLICE_NULL;	/* null where this version has none */
	bytes = arena_xalloc(&h->arena, out.len + 1);
	for (size_t i = 0; i < (size_t)out.count; i++) {
		memcpy(bytes + len, out.pieces[i].data, out.pieces[i].len);
		len += out.pieces[i].len;
	}
	return slice_of(bytes, len);
}

/* Decode it; how many bytes that took. */
static size_t
cost(const struct hostile *h, struct slice frame, int *result)
{
	struct arena memory;
	size_t used, bytes;
	void *body = xmalloc(h->message->body->size);

	arena_init(&memory, SIZE_MAX);
	*result = kp_decode_prefix(
	    h->message, h->version, frame, &memory, body, &used);
	bytes = memory.size_bytes;
	arena_reset(&memory);
	free(body);
	return bytes;
}

static void
expect_below(const struct hostile *h, size_t bytes, struct slice frame,
    const char *what)
{
	if (bytes > MEMORY_PER_BYTE * frame.len + MEMORY_MIN)
		fail_msg("%s version %d, %s: %zu bytes for %zu",
		    h->message->name, h->version, what, bytes, frame.len);
}

static void
send_hostile(struct hostile *h, struct slice frame)
{
	uint8_t *bytes = (uint8_t *)(uintptr_t)frame.data;
	int result;
	size_t whole = cost(h, frame, &result);

	assert_int_equal(result, 0);
	expect_below(h, whole, frame, "whole");
	if (whole > MEMORY_MIN &&
	    (double)whole / (double)frame.len > h->worst) {
		h->worst = (double)whole / (double)frame.len;
		h->worst_of = h->message->name;
	}
	for (size_t part = 1; part < 4; part++)
		expect_below(h,
		    cost(h, slice_of(frame.data, frame.len * part / 4),
			&result),
		    frame, "cut off");
	for (int i = 0; i < MUTATIONS; i++) {
		/* The front has the counts. */
		size_t at = rng_below(&h->rng, i % 2 == 0 ?
			MIN(frame.len, (size_t)64) : frame.len);
		uint8_t before = bytes[at];

		bytes[at] = i % 4 < 2 ? 0x7f : (uint8_t)rng_next(&h->rng);
		expect_below(h, cost(h, frame, &result), frame, "turned over");
		bytes[at] = before;
	}
}

/* Every array from here on. */
static void
visit(struct hostile *h, const struct kp_struct *type, struct path *path)
{
	assert(path->depth < DEPTH_MAX);
	for (unsigned i = 0; i < type->field_count; i++) {
		const struct kp_field *field = &type->fields[i];

		if (!kp_field_present(field, h->version))
			continue;
		path->fields[path->depth++] = field;
		if (field->kind == KP_ARRAY) {
			struct slice frame = encode(h, path);

			if (!slice_is_null(frame))
				send_hostile(h, frame);
			arena_reset(&h->arena);
			if (field->element == KP_STRUCT)
				visit(h, field->type, path);
		} else if (field->kind == KP_STRUCT) {
			visit(h, field->type, path);
		}
		path->depth--;
	}
}

static void
no_request_costs_more_than_it_may(void **state UNUSED)
{
	struct hostile h = { .worst = 0 };
	size_t count;
	const struct api *const *rows = api_table(&count);

	rng_init(&h.rng, 1);
	arena_init(&h.arena, SIZE_MAX);
	for (size_t i = 0; i < count; i++) {
		struct path path = { .depth = 0 };

		h.message = rows[i]->request;
		for (h.version = api_version_min(rows[i]);
		    h.version <= api_version_max(rows[i]); h.version++)
			visit(&h, h.message->body, &path);
	}
	printf("at most %.1f bytes for one of the frame's (%s)\n", h.worst,
	    h.worst_of);
	/* A test that decodes nothing would find nothing. */
	assert_true(h.worst > 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_request_costs_more_than_it_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
