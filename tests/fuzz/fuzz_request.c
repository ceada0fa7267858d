/*
 * Every decoder: requests, responses, headers and the records of logs.
 *
 * The first two bytes choose the message and its version, the rest is what is
 * decoded.  What decodes is encoded and decoded again, which must give the
 * same bytes and the same JSON, and what JSON gives back must do so too.
 * Memory stays below a cap that the size of the input sets.
 */
#include "base/base.h"
#include "base/arena.h"
#include "wire/codec.h"
#include "wire/json.h"
#include "wire/output.h"

/* The cap: what a connection would grant, with room for an arena's chunks. */
#define MEMORY_FACTOR 16
#define MEMORY_MIN (64 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct check {
	const struct kp_message *message;
	int version;
	struct arena arena;
};

static struct slice
encode(struct check *c, const void *body)
{
	struct output out;

	output_init(&out, &c->arena);
	assert(kp_encode(c->message, c->version, body, &out) == 0);
	assert(out.count <= 1);
	assert(out.len == kp_size(c->message, c->version, body));
	if (out.count == 0)
		return SLICE_LITERAL("");
	return slice_of(out.pieces[0].data, out.len);
}

/* A float64 that is not a number is not equal to itself. */
static void
check_json(struct check *c, const void *body, struct slice bytes)
{
	json_t *json = kp_json_write(c->message, c->version, body);
	void *again = arena_xalloc(&c->arena, c->message->body->size);
	const char *where;
	char *first, *second;

	assert(kp_json_read(c->message, c->version, json, &c->arena, again,
	    &where) == 0);
	assert(encode(c, again).len == bytes.len);
	first = kp_json_dump(c->message, c->version, body);
	second = kp_json_dump(c->message, c->version, again);
	assert(strcmp(first, second) == 0);
	free(first);
	free(second);
	json_decref(json);
}

static void
check_body(struct check *c, const void *body)
{
	struct slice first = encode(c, body);
	void *again = arena_xalloc(&c->arena, c->message->body->size);

	assert(kp_decode(c->message, c->version, first, &c->arena, again)
	    == 0);
	assert(slice_equal(encode(c, again), first));
	check_json(c, again, first);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct check c;
	struct arena memory;
	void *body;
	size_t used;
	int versions;

	if (size < 3)
		return 0;
	c.message = kp_messages[(data[0] | (data[1] & 1) << 8) %
	    kp_messages_count];
	versions = c.message->version_max - c.message->version_min + 1;
	c.version = c.message->version_min + (data[1] >> 1) % versions;
	arena_init(&memory, size * MEMORY_FACTOR + MEMORY_MIN);
	arena_init(&c.arena, SIZE_MAX);
	body = arena_xalloc(&c.arena, c.message->body->size);
	if (kp_decode_prefix(c.message, c.version,
	    slice_of(data + 2, size - 2), &memory, body, &used) == 0) {
		assert(used <= size - 2);
		check_body(&c, body);
	}
	assert(memory.size_bytes <= memory.size_bytes_max);
	arena_reset(&memory);
	arena_reset(&c.arena);
	return 0;
}
