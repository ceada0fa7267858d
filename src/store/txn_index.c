#include "store/txn_index.h"

#include "base/bytes.h"
#include "store/disk.h"

#include <errno.h>

#define VERSION 0
#define FILE_LEN_MAX INT32_MAX

/* Where the fields are. */
#define PRODUCER_ID_AT 2
#define FIRST_OFFSET_AT 10
#define LAST_OFFSET_AT 18
#define LAST_STABLE_OFFSET_AT 26

void
txn_index_init(struct txn_index *index)
{
	*index = (struct txn_index){ .entries = NULL };
}

void
txn_index_fini(struct txn_index *index)
{
	free(index->entries);
	txn_index_init(index);
}

static void
reserve(struct txn_index *index, size_t cap)
{
	index->entries =
	    xrealloc(index->entries, cap * sizeof(*index->entries));
	index->cap = cap;
}

/* May the entry stand behind the last one? */
static bool
follows(const struct txn_index *index, const struct txn_index_entry *entry)
{
	if (entry->first_offset < 0 || entry->last_stable_offset < 0 ||
	    entry->first_offset > entry->last_offset)
		return false;
	return index->count == 0 ||
	    entry->last_offset > index->entries[index->count - 1].last_offset;
}

void
txn_index_append(struct txn_index *index, const struct txn_index_entry *entry)
{
	if (index->count == index->cap)
		reserve(index, index->cap == 0 ? 4 : 2 * index->cap);
	index->entries[index->count++] = *entry;
}

void
txn_index_truncate(struct txn_index *index, int64_t offset)
{
	index->count = txn_index_find(index, offset);
}

size_t
txn_index_find(const struct txn_index *index, int64_t offset)
{
	size_t low = 0;
	size_t high = index->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (index->entries[middle].last_offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* --- The file ----------------------------------------------------------- */

static int
decode(struct txn_index *index, const uint8_t *data, size_t len,
    int64_t base_offset)
{
	if (len % TXN_INDEX_ENTRY_LEN != 0)
		return -1;
	if (len == 0)
		return 0;
	reserve(index, len / TXN_INDEX_ENTRY_LEN);
	for (const uint8_t *p = data; p < data + len;
	     p += TXN_INDEX_ENTRY_LEN) {
		struct txn_index_entry entry = {
			(int64_t)be64_get(p + PRODUCER_ID_AT),
			(int64_t)be64_get(p + FIRST_OFFSET_AT),
			(int64_t)be64_get(p + LAST_OFFSET_AT),
			(int64_t)be64_get(p + LAST_STABLE_OFFSET_AT),
		};

		if (be16_get(p) != VERSION ||
		    entry.last_offset < base_offset ||
		    !follows(index, &entry))
			return -1;
		txn_index_append(index, &entry);
	}
	return 0;
}

int
txn_index_read(struct txn_index *index, struct disk *disk, const char *path,
    int64_t base_offset)
{
	size_t len = 0;
	uint8_t *data;
	int result;

	txn_index_fini(index);
	data = disk_read_file(disk, path, FILE_LEN_MAX, &len);
	if (data == NULL)
		return -1;
	result = decode(index, data, len, base_offset);
	free(data);
	if (result != 0) {
		txn_index_fini(index);
		errno = EBADMSG;
	}
	return result;
}

static void
encode(uint8_t *p, const struct txn_index_entry *entry)
{
	be16_put(p, VERSION);
	be64_put(p + PRODUCER_ID_AT, (uint64_t)entry->producer_id);
	be64_put(p + FIRST_OFFSET_AT, (uint64_t)entry->first_offset);
	be64_put(p + LAST_OFFSET_AT, (uint64_t)entry->last_offset);
	be64_put(
	    p + LAST_STABLE_OFFSET_AT, (uint64_t)entry->last_stable_offset);
}

int
txn_index_write(
    const struct txn_index *index, struct disk *disk, const char *path)
{
	size_t len = index->count * TXN_INDEX_ENTRY_LEN;
	uint8_t *data;
	int result;

	if (index->count == 0)
		return disk_unlink(disk, path) == 0 || errno == ENOENT ? 0 :
									 -1;
	data = xmalloc(len);
	for (size_t i = 0; i < index->count; i++)
		encode(data + i * TXN_INDEX_ENTRY_LEN, &index->entries[i]);
	result = disk_write_file(disk, path, data, len, 0644);
	free(data);
	return result;
}
