#include "store/offset_index.h"

#include "base/bytes.h"
#include "store/disk.h"

#include <errno.h>

/* The largest that Kafka writes: segment.index.bytes is an int32. */
#define FILE_LEN_MAX INT32_MAX

void
offset_index_init(struct offset_index *index)
{
	*index = (struct offset_index){ .entries = NULL };
}

void
offset_index_fini(struct offset_index *index)
{
	free(index->entries);
	offset_index_init(index);
}

static void
reserve(struct offset_index *index, size_t cap)
{
	index->entries =
	    xrealloc(index->entries, cap * sizeof(*index->entries));
	index->cap = cap;
}

void
offset_index_append(
    struct offset_index *index, uint32_t relative_offset, uint32_t position)
{
	if (index->count > 0) {
		const struct offset_index_entry *last =
		    &index->entries[index->count - 1];

		assert(relative_offset > last->relative_offset);
		assert(position >= last->position);
	}
	if (index->count == index->cap)
		reserve(index, index->cap == 0 ? 16 : 2 * index->cap);
	index->entries[index->count++] = (struct offset_index_entry){
		.relative_offset = relative_offset,
		.position = position,
	};
}

size_t
offset_index_count_to(
    const struct offset_index *index, uint32_t relative_offset)
{
	size_t low = 0;
	size_t high = index->count;

	/* Those below low are at most the target, those from high above. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->entries[middle].relative_offset <= relative_offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
offset_index_lookup(const struct offset_index *index, uint32_t relative_offset,
    struct offset_index_entry *entry)
{
	size_t count = offset_index_count_to(index, relative_offset);

	if (count == 0)
		return false;
	*entry = index->entries[count - 1];
	return true;
}

size_t
offset_index_count_before(const struct offset_index *index, int64_t position)
{
	size_t low = 0;
	size_t high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if ((int64_t)index->entries[middle].position < position)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void
offset_index_truncate(
    struct offset_index *index, uint32_t position, uint32_t relative_offset)
{
	const struct offset_index_entry *last;

	for (; index->count > 0; index->count--) {
		last = &index->entries[index->count - 1];
		if (last->position < position &&
		    last->relative_offset < relative_offset)
			break;
	}
}

/* Decode one entry; false where it cannot follow the last one. */
static bool
take(struct offset_index *index, const uint8_t *p, int64_t log_size)
{
	struct offset_index_entry entry = {
		.relative_offset = be32_get(p),
		.position = be32_get(p + 4),
	};
	const struct offset_index_entry *last =
	    index->count == 0 ? NULL : &index->entries[index->count - 1];

	if (entry.relative_offset > INT32_MAX || entry.position >= log_size)
		return false;
	if (last != NULL &&
	    (entry.relative_offset <= last->relative_offset ||
		entry.position < last->position))
		return false;
	index->entries[index->count++] = entry;
	return true;
}

int
offset_index_decode(
    struct offset_index *index, struct slice bytes, int64_t log_size)
{
	if (bytes.len % OFFSET_INDEX_ENTRY_LEN != 0)
		return -1;
	if (bytes.len == 0)
		return 0;
	reserve(index, bytes.len / OFFSET_INDEX_ENTRY_LEN);
	for (size_t at = 0; at < bytes.len; at += OFFSET_INDEX_ENTRY_LEN) {
		if (take(index, bytes.data + at, log_size))
			continue;
		offset_index_fini(index);
		return -1;
	}
	return 0;
}

int
offset_index_read(struct offset_index *index, struct disk *disk,
    const char *path, int64_t log_size)
{
	size_t len = 0;
	uint8_t *data;
	int result;

	offset_index_fini(index);
	data = disk_read_file(disk, path, FILE_LEN_MAX, &len);
	if (data == NULL)
		return -1;
	result = offset_index_decode(index, slice_of(data, len), log_size);
	free(data);
	if (result != 0)
		errno = EBADMSG;
	return result;
}

void
offset_index_encode(const struct offset_index *index, uint8_t *p)
{
	for (size_t i = 0; i < index->count; i++) {
		be32_put(p, index->entries[i].relative_offset);
		be32_put(p + 4, index->entries[i].position);
		p += OFFSET_INDEX_ENTRY_LEN;
	}
}

int
offset_index_write(
    const struct offset_index *index, struct disk *disk, const char *path)
{
	size_t len = index->count * OFFSET_INDEX_ENTRY_LEN;
	uint8_t *data = xmalloc(len);
	int result;

	offset_index_encode(index, data);
	result = disk_write_file(disk, path, data, len, 0644);
	free(data);
	return result;
}
