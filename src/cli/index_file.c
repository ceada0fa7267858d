#include "cli/index_file.h"

#include <errno.h>

#include "base/bytes.h"
#include "store/disk.h"
#include "store/offset_index.h"
#include "store/time_index.h"

/* AbstractIndex.warmEntries: the bytes at the end that are searched first. */
#define WARM_LEN 8192

void
index_file_init(struct index_file *index, struct disk *disk, int fd,
    int64_t len, int64_t base_offset, size_t entry_len)
{
	assert(INDEX_FILE_WINDOW_LEN % entry_len == 0);
	index->disk = disk;
	index->fd = fd;
	index->len = len;
	index->base_offset = base_offset;
	index->entry_len = entry_len;
	index->count = len / (int64_t)entry_len;
	index->window_position = 0;
	index->window_len = 0;
}

/* The bytes of an entry, in the window; NULL with errno. */
static const uint8_t *
entry_bytes(struct index_file *index, int64_t number)
{
	int64_t position = number * (int64_t)index->entry_len;
	int64_t window_end =
	    index->window_position + (int64_t)index->window_len;
	ssize_t n;

	assert(number >= 0 && number < index->count);
	if (position < index->window_position ||
	    position + (int64_t)index->entry_len > window_end) {
		n = disk_pread(index->disk, index->fd, index->window,
		    sizeof(index->window), position);
		if (n < (ssize_t)index->entry_len) {
			errno = n < 0 ? errno : EIO;
			return NULL;
		}
		index->window_position = position;
		index->window_len = (size_t)n;
	}
	return index->window + (position - index->window_position);
}

static int64_t
absolute(const struct index_file *index, uint32_t relative)
{
	return (int64_t)((uint64_t)index->base_offset +
			 (uint64_t)(int64_t)(int32_t)relative);
}

int
index_file_offset_at(struct index_file *index, int64_t number,
    struct index_file_offset *entry)
{
	const uint8_t *bytes;

	assert(index->entry_len == OFFSET_INDEX_ENTRY_LEN);
	bytes = entry_bytes(index, number);
	if (bytes == NULL)
		return -1;
	entry->offset = absolute(index, be32_get(bytes));
	entry->position = (int32_t)be32_get(bytes + 4);
	return 0;
}

int
index_file_time_at(struct index_file *index, int64_t number,
    struct index_file_time *entry)
{
	const uint8_t *bytes;

	assert(index->entry_len == TIME_INDEX_ENTRY_LEN);
	bytes = entry_bytes(index, number);
	if (bytes == NULL)
		return -1;
	entry->timestamp_ms = (int64_t)be64_get(bytes);
	entry->offset = absolute(index, be32_get(bytes + 8));
	return 0;
}

int
index_file_txn_at(struct index_file *index, int64_t number,
    struct index_file_txn *entry)
{
	const uint8_t *bytes;

	assert(index->entry_len == INDEX_FILE_TXN_ENTRY_LEN);
	bytes = entry_bytes(index, number);
	if (bytes == NULL)
		return -1;
	entry->version = (int16_t)be16_get(bytes);
	entry->producer_id = (int64_t)be64_get(bytes + 2);
	entry->first_offset = (int64_t)be64_get(bytes + 10);
	entry->last_offset = (int64_t)be64_get(bytes + 18);
	entry->last_stable_offset = (int64_t)be64_get(bytes + 26);
	return 0;
}

static int
search(struct index_file *index, int64_t offset, int64_t low, int64_t high,
    struct index_file_offset *entry)
{
	while (low < high) {
		int64_t middle = (low + high + 1) / 2;

		if (index_file_offset_at(index, middle, entry) != 0)
			return -1;
		if (entry->offset == offset)
			return 0;
		if (entry->offset > offset)
			high = middle - 1;
		else
			low = middle;
	}
	return index_file_offset_at(index, low, entry);
}

int
index_file_lookup(struct index_file *index, int64_t offset,
    struct index_file_offset *entry)
{
	int64_t warm = WARM_LEN / (int64_t)index->entry_len;
	int64_t first_warm = MAX(0, index->count - 1 - warm);
	struct index_file_offset found;

	*entry = (struct index_file_offset){ index->base_offset, 0 };
	if (index->count == 0)
		return 0;
	if (index_file_offset_at(index, first_warm, &found) != 0)
		return -1;
	if (found.offset < offset)
		return search(index, offset, first_warm, index->count - 1,
		    entry);
	if (index_file_offset_at(index, 0, &found) != 0)
		return -1;
	if (found.offset > offset)
		return 0;
	return search(index, offset, 0, first_warm, entry);
}
