#include "coord/topics_hash.h"

#include <xxhash.h>

#include "base/bytes.h"
#include "base/uuid.h"
#include "coord/java_hash.h"
#include "meta/partition_image.h"
#include "meta/topic_image.h"

void
topics_hash_init(
    struct topics_hash *hash, topics_hash_rack_fn rack, void *context)
{
	hash->rack = rack;
	hash->context = context;
	buf_init(&hash->topics, SIZE_MAX);
	buf_init(&hash->topic, SIZE_MAX);
	buf_init(&hash->racks, SIZE_MAX);
}

static uint8_t *
room(struct buf *buf, size_t len)
{
	uint8_t *to = buf_reserve(buf, len);

	assert(to != NULL);
	return to;
}

/* The last bytes_count bytes of value, the least significant one first. */
static void
put(struct buf *buf, uint64_t value, int bytes_count)
{
	uint8_t *to = room(buf, (size_t)bytes_count);

	for (int i = 0; i < bytes_count; i++)
		to[i] = (uint8_t)(value >> 8 * i);
	buf->len += (size_t)bytes_count;
}

static void
put_text(struct buf *buf, struct slice text)
{
	/* A byte of UTF-8 makes one unit at the most. */
	size_t len = java_hash_utf16(text, room(buf, 2 * text.len));

	buf->len += 2 * len;
	put(buf, len, 4);
}

/* --- Racks --------------------------------------------------------------- */

static int
compare_racks(const void *a, const void *b)
{
	return slice_compare(
	    *(const struct slice *)a, *(const struct slice *)b);
}

static void
put_racks(struct topics_hash *hash, const struct partition_image *partition)
{
	const struct partition_image_ids *replicas = &partition->replicas;
	struct slice *racks;
	size_t count = 0;

	buf_clear(&hash->racks);
	racks = (void *)room(
	    &hash->racks, ((size_t)replicas->count + 1) * sizeof(*racks));
	for (int32_t i = 0; i < replicas->count; i++) {
		struct slice rack =
		    hash->rack(replicas->ids[i], hash->context);

		if (!slice_is_null(rack))
			racks[count++] = rack;
	}
	qsort(racks, count, sizeof(*racks), compare_racks);
	for (size_t i = 0; i < count; i++) {
		put(&hash->topic, java_hash_utf16_len(racks[i]), 4);
		put_text(&hash->topic, racks[i]);
	}
}

/* --- Topics -------------------------------------------------------------- */

void
topics_hash_add(struct topics_hash *hash, const struct topic_image *topic)
{
	struct buf *buf = &hash->topic;

	buf_clear(buf);
	put(buf, 0, 1);
	put(buf, be64_get(topic->id.bytes), 8);
	put(buf, be64_get(topic->id.bytes + 8), 8);
	put_text(buf, topic->name);
	put(buf, (uint32_t)topic->partitions_count, 4);
	for (int32_t i = 0; i < topic->partitions_count; i++) {
		put(buf, (uint32_t)i, 4);
		put_racks(hash, topic_image_partition(topic, i));
	}
	put(&hash->topics, XXH3_64bits(buf->data, buf->len), 8);
}

int64_t
topics_hash_end(struct topics_hash *hash)
{
	uint64_t result = hash->topics.len == 0 ?
	    0 :
	    XXH3_64bits(hash->topics.data, hash->topics.len);

	buf_fini(&hash->topics);
	buf_fini(&hash->topic);
	buf_fini(&hash->racks);
	return (int64_t)result;
}
