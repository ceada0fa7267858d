#include "store/time_index.h"

#include "base/bytes.h"
#include "store/disk.h"

#include <errno.h>

#define FILE_LEN_MAX INT32_MAX

void
time_index_init(struct time_index *index)
{
	*index = (struct time_index){ .entries = NULL };
}

void
time_index_fini(struct time_index *index)
{
	free(index->entries);
	time_index_init(index);
}

static void
reserve(struct time_index *index, size_t cap)
{
	index->entries =
	    xrealloc(index->entries, cap * sizeof(*index->entries));
	index->cap = cap;
}

static bool
follows(const struct time_index *index, int64_t timestamp_ms,
    uint32_t relative_offset)
{
	const struct time_index_entry *last;

	if (index->count == 0)
		return timestamp_ms >= 0;
	last = &index->entries[index->count - 1];
	return timestamp_ms > last->timestamp_ms &&
	    relative_offset >= last->relative_offset;
}

void
time_index_append(
    struct time_index *index, int64_t timestamp_ms, uint32_t relative_offset)
{
	if (!follows(index, timestamp_ms, relative_offset))
		return;
	if (index->count == index->cap)
		reserve(index, index->cap == 0 ? 8 : 2 * index->cap);
	index->entries[index->count++] = (struct time_index_entry){
		.timestamp_ms = timestamp_ms,
		.relative_offset = relative_offset,
	};
}

bool
time_index_lookup(const struct time_index *index, int64_t timestamp_ms,
    struct time_index_entry *entry)
{
	size_t low = 0;
	size_t high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->entries[middle].timestamp_ms <= timestamp_ms)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return false;
	*entry = index->entries[low - 1];
	return true;
}

void
time_index_truncate(struct time_index *index, uint32_t relative_offset)
{
	while (index->count > 0 &&
	    index->entries[index->count - 1].relative_offset >= relative_offset)
		index->count--;
}

int
time_index_decode(struct time_index *index, struct slice bytes)
{
	if (bytes.len % TIME_INDEX_ENTRY_LEN != 0)
		return -1;
	if (bytes.len == 0)
		return 0;
	reserve(index, bytes.len / TIME_INDEX_ENTRY_LEN);
	for (size_t at = 0; at < bytes.len; at += TIME_INDEX_ENTRY_LEN) {
		int64_t timestamp_ms = (int64_t)be64_get(bytes.data + at);
		uint32_t relative_offset = be32_get(bytes.data + at + 8);

		if (relative_offset > INT32_MAX ||
		    !follows(index, timestamp_ms, relative_offset)) {
			time_index_fini(index);
			return -1;
		}
		time_index_append(index, timestamp_ms, relative_offset);
	}
	return 0;
}

int
time_index_read(struct time_index *index, struct disk *disk, const char *path)
{
	size_t len = 0;
	uint8_t *data;
	int result;

	time_index_fini(index);
	data = disk_read_file(disk, path, FILE_LEN_MAX, &len);
	if (data == NULL)
		return -1;
	result = time_index_decode(index, slice_of(data, len));
	free(data);
	if (result != 0)
		errno = EBADMSG;
	return result;
}

void
time_index_encode(const struct time_index *index, uint8_t *p)
{
	for (size_t i = 0; i < index->count; i++) {
		be64_put(p, (uint64_t)index->entries[i].timestamp_ms);
		be32_put(p + 8, index->entries[i].relative_offset);
		p += TIME_INDEX_ENTRY_LEN;
	}
}

int
time_index_write(
    const struct time_index *index, struct disk *disk, const char *path)
{
	size_t len = index->count * TIME_INDEX_ENTRY_LEN;
	uint8_t *data = xmalloc(len);
	int result;

	time_index_encode(index, data);
	result = disk_write_file(disk, path, data, len, 0644);
	free(data);
	return result;
}
