/*
 * Requests that are made to cost memory: of every API that is served, at every
 * version, each array in turn is as long as it gets with elements as short as
 * they get; whole, cut off, with a count beyond the bytes, and with bytes that
 * were turned over.
 *
 * What they cost is counted where it is taken, by the arena and its budget.  A
 * struct in memory is larger than its fewest bytes on the wire, so a whole
 * request could cost many times itself, which the dispatcher bounds
 * (api_body_bytes_max); one that announces more than it has costs no more than
 * what it has.  What clients really send is within the bounds, however much.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "api/api.h"
#include "base/arena.h"
#include "base/budget.h"
#include "base/rng.h"
#include "wire/codec.h"
#include "wire/output.h"

#define MUTATIONS 20
#define MIB ((size_t)1 << 20)
/* What an arena takes at once. */
#define CHUNK_BYTES ((size_t)64 << 10)

/* An array inside a message: the fields that lead to it. */
#define DEPTH_MAX 8

struct path {
	const struct kp_field *fields[DEPTH_MAX];
	int depth;
};

struct hostile {
	const struct kp_message *message;
	int version;
	int32_t elements;
	const char *name;	/* NULL, or what honest clients call things */
	bool ample;		/* there is memory for larger ones */
	void (*send)(struct hostile *h, struct slice frame);
	struct arena arena;	/* of what is sent */
	struct rng rng;
	double worst;		/* bytes taken for one of the frame */
	const char *worst_of;
};

static void set(struct hostile *h, enum kp_kind kind,
    const struct kp_field *field, void *at);

/* Where clients are honest: names; of each array one element. */
static void
set_fields(struct hostile *h, const struct kp_struct *type, void *data)
{
	kp_defaults_struct(type, data);
	for (unsigned i = 0; h->name != NULL && i < type->field_count; i++) {
		const struct kp_field *field = &type->fields[i];

		if (kp_field_present(field, h->version))
			set(h, (enum kp_kind)field->kind, field,
			    (char *)data + field->offset);
	}
}

static void *
set_array(struct hostile *h, const struct kp_field *field, void *at,
    int32_t count)
{
	size_t size = kp_kind_size((enum kp_kind)field->element, field->type);
	char *elements = arena_xcalloc(&h->arena, (size_t)count, size);

	for (int32_t i = 0; i < count; i++)
		set(h, (enum kp_kind)field->element, field,
		    elements + (size_t)i * size);
	memcpy(at, &elements, sizeof(elements));
	*kp_count(at) = count;
	return elements;
}

/* A value of the field's, or of an element of it. */
static void
set(struct hostile *h, enum kp_kind kind, const struct kp_field *field,
    void *at)
{
	switch (kind) {
	case KP_STRING:
	case KP_STRING_PLAIN:
		*(struct slice *)at = slice_str(h->name == NULL ? "" : h->name);
		break;
	case KP_BYTES:
		*(struct slice *)at =
		    slice_str(h->name == NULL ? "" : "0123456789abcdef");
		break;
	case KP_RECORDS:
		/* As large as the smallest batch. */
		((struct kp_records *)at)->bytes =
		    slice_of(arena_xcalloc(&h->arena, 1, 70), 70);
		break;
	case KP_STRUCT:
		set_fields(h, field->type, at);
		break;
	case KP_ARRAY:
		(void)set_array(h, field, at, 1);
		break;
	default:
		break;
	}
}

/* A body whose arrays along the path have one element, the last one many. */
static void
fill(struct hostile *h, const struct kp_struct *type, void *data,
    const struct path *path, int at)
{
	const struct kp_field *field = path->fields[at];
	void *there = (char *)data + field->offset;
	bool last = at == path->depth - 1;
	void *elements;

	set_fields(h, type, data);
	if (field->kind == KP_STRUCT) {
		fill(h, field->type, there, path, at + 1);
		return;
	}
	elements = set_array(h, field, there, last ? h->elements : 1);
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

/* Decode it as the dispatcher does; how many bytes that took from malloc. */
static size_t
cost(const struct hostile *h, struct slice frame, int *result)
{
	struct arena memory;
	struct budget budget, all;
	size_t used, bytes;
	void *body = xmalloc(h->message->body->size);

	budget_init(&budget, SIZE_MAX / 2);
	budget_init(&all, MIB);
	budget_force(&all, h->ample ? MIB / 2 - 1 : MIB / 2);
	arena_init(&memory, api_body_bytes_max(frame.len, &all));
	arena_charge(&memory, &budget);
	*result = kp_decode_prefix(
	    h->message, h->version, frame, &memory, body, &used);
	bytes = atomic_load(&budget.used);
	arena_reset(&memory);
	free(body);
	return bytes;
}

static void
expect_below(const struct hostile *h, size_t bytes, struct slice frame,
    const char *what)
{
	size_t times = h->ample ? 12 : 4;

	if (bytes > MAX(times * frame.len, MIB) + CHUNK_BYTES ||
	    bytes > 16 * MIB + CHUNK_BYTES)
		fail_msg("%s version %d, %s: %zu bytes for %zu",
		    h->message->name, h->version, what, bytes, frame.len);
}

/* It is accepted or not, and within its bounds. */
static void
send_large(struct hostile *h, struct slice frame)
{
	int result;
	size_t whole = cost(h, frame, &result);

	expect_below(h, whole, frame, "large");
	if (frame.len >= MIB / 4 &&
	    (double)whole / (double)frame.len > h->worst) {
		h->worst = (double)whole / (double)frame.len;
		h->worst_of = h->message->name;
	}
}

static void
send_honest(struct hostile *h, struct slice frame)
{
	int result;
	size_t whole = cost(h, frame, &result);

	if (result != 0)
		fail_msg("%s version %d of %zu bytes is refused",
		    h->message->name, h->version, frame.len);
	expect_below(h, whole, frame, "honest");
}

static void
send_small(struct hostile *h, struct slice frame)
{
	uint8_t *bytes = (uint8_t *)(uintptr_t)frame.data;
	int result;

	expect_below(h, cost(h, frame, &result), frame, "whole");
	assert_int_equal(result, 0);
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
				h->send(h, frame);
			arena_reset(&h->arena);
			if (field->element == KP_STRUCT)
				visit(h, field->type, path);
		} else if (field->kind == KP_STRUCT) {
			visit(h, field->type, path);
		}
		path->depth--;
	}
}

/* Each array of each request, of every so many versions from the last one. */
static void
visit_all(struct hostile *h, int step)
{
	size_t count;
	const struct api *const *rows = api_table(&count);

	rng_init(&h->rng, 1);
	arena_init(&h->arena, SIZE_MAX);
	for (size_t i = 0; i < count; i++) {
		struct path path = { .depth = 0 };

		h->message = rows[i]->request;
		for (h->version = api_version_max(rows[i]);
		    h->version >= api_version_min(rows[i]); h->version -= step)
			visit(h, h->message->body, &path);
	}
}

static void
no_request_costs_more_than_it_may(void **state UNUSED)
{
	struct hostile h = { .elements = 3000, .send = send_small };

	visit_all(&h, 1);
	h.ample = true;
	visit_all(&h, 4);
}

static void
large_requests_cost_no_more_than_they_may(void **state UNUSED)
{
	struct hostile h = { .elements = 100000, .send = send_large };

	visit_all(&h, 4);
	h.ample = true;
	visit_all(&h, 4);
	printf("at most %.1f bytes for one of the frame's (%s)\n", h.worst,
	    h.worst_of);
	/* A test that decodes nothing would find nothing. */
	assert_true(h.worst > 1);
}

static void
what_clients_send_is_within_the_bounds(void **state UNUSED)
{
	struct hostile h = {
		.elements = 20000,
		.name = "name-12345",
		.send = send_honest,
	};

	visit_all(&h, 1);
}

/* As tools send them for a thousand groups, or a hundred thousand. */
static void
short_names_are_within_the_bounds(void **state UNUSED)
{
	struct hostile h = {
		.elements = 100000,
		.name = "g1",
		.ample = true,
		.send = send_honest,
	};

	visit_all(&h, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_request_costs_more_than_it_may),
		cmocka_unit_test(large_requests_cost_no_more_than_they_may),
		cmocka_unit_test(what_clients_send_is_within_the_bounds),
		cmocka_unit_test(short_names_are_within_the_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
