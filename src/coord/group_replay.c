#include "coord/group_replay.h"

#include "base/bytes.h"
#include "wire/codec.h"

const struct group_record *
group_record_find(
    const struct group_record *records, size_t count, int16_t type)
{
	for (size_t i = 0; i < count; i++)
		if (records[i].key->key == type)
			return &records[i];
	return NULL;
}

/* A value has its version in front. */
static int
value_decode(struct group_replay *r, const struct group_record *of,
    struct slice bytes, void *value)
{
	if (bytes.len < sizeof(int16_t))
		return -1;
	return kp_decode(of->value, (int16_t)be16_get(bytes.data),
	    slice_of(bytes.data + 2, bytes.len - 2), &r->arena, value);
}

/* What a record takes in memory is bounded by its size in the log. */
#define ARENA_BYTES_MIN ((size_t)65536)
#define ARENA_BYTES_FACTOR 64

int
group_record_replay(const struct group_record *of, struct group_shard *shard,
    const struct shard_record *record)
{
	struct group_replay r = {
		.shard = shard,
		.offset = record->offset,
		.tombstone = slice_is_null(record->value),
	};
	void *key, *value = NULL;
	int result;

	arena_init(&r.arena,
	    ARENA_BYTES_MIN +
		ARENA_BYTES_FACTOR * (record->key.len + record->value.len));
	key = arena_xalloc(&r.arena, of->key->body->size);
	result = kp_decode(of->key, 0, record->key, &r.arena, key);
	if (result == 0 && !r.tombstone) {
		value = arena_xalloc(&r.arena, of->value->body->size);
		result = value_decode(&r, of, record->value, value);
	}
	if (result == 0)
		result = of->replay(&r, key, value);
	arena_reset(&r.arena);
	return result;
}
