#include "base/base.h"
#include "base/arena.h"
#include "wire/output.h"

#define CAPACITY_MIN 4

void
output_init(struct output *out, struct arena *arena)
{
	*out = (struct output){ .arena = arena };
}

static int
grow(struct output *out)
{
	struct output_piece *pieces;
	int32_t capacity = MAX(out->capacity * 2, CAPACITY_MIN);

	pieces = arena_calloc(out->arena, (size_t)capacity, sizeof(*pieces));
	if (pieces == NULL)
		return -1;
	if (out->count > 0)
		memcpy(pieces, out->pieces,
		    (size_t)out->count * sizeof(*pieces));
	out->pieces = pieces;
	out->capacity = capacity;
	return 0;
}

static int
append(struct output *out, struct output_piece piece)
{
	if (out->count == out->capacity && grow(out) != 0)
		return -1;
	out->pieces[out->count++] = piece;
	out->len += piece.len;
	return 0;
}

/* The last piece, or NULL where there is none. */
static struct output_piece *
last(struct output *out)
{
	return out->count > 0 ? &out->pieces[out->count - 1] : NULL;
}

int
output_bytes(struct output *out, const void *data, size_t len)
{
	struct output_piece *p = last(out);

	if (len == 0)
		return 0;
	assert(data != NULL);
	if (p != NULL && p->data != NULL && p->data + p->len == data) {
		p->len += len;
		out->len += len;
		return 0;
	}
	return append(out, (struct output_piece){ data, len, -1, 0 });
}

int
output_file(struct output *out, int fd, int64_t position, size_t len)
{
	struct output_piece *p = last(out);

	if (len == 0)
		return 0;
	if (p != NULL && p->data == NULL && p->fd == fd &&
	    p->position + (int64_t)p->len == position) {
		p->len += len;
		out->len += len;
		return 0;
	}
	return append(out, (struct output_piece){ NULL, len, fd, position });
}
