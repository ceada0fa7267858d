#include "store/txn_index.h"

#include "base/bytes.h"
#include "store/disk.h"

#include <errno.h>

#define FILE_LEN_MAX INT32_MAX

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

void
txn_index_append(struct txn_index *index, const struct txn_index_entry *entry)
{
	if (index->count == index->cap) {
		index->cap = MAX(8, 2 * index->cap);
		index->entries = xrealloc(
		    index->entries, index->cap * sizeof(*index->entries));
	}
	index->entries[index->count++] = *entry;
}

/* --- The file ------------------------------------------------------------- */

/* Decode one entry; false where it cannot follow one that ends at after. */
static bool
decode_one(const uint8_t *p, int64_t after, struct txn_index_entry *entry)
{
	*entry = (struct txn_index_entry){
		.producer_id = (int64_t)be64_get(p + 2),
		.first_offset = (int64_t)be64_get(p + 10),
		.last_offset = (int64_t)be64_get(p + 18),
		.last_stable_offset = (int64_t)be64_get(p + 26),
	};
	return be16_get(p) == 0 && entry->first_offset >= 0 &&
	    entry->last_offset >= entry->first_offset &&
	    entry->last_offset > after && entry->last_stable_offset >= 0;
}

static int
decode(struct txn_index *index, const uint8_t *data, size_t len,
    int64_t base_offset)
{
	struct txn_index_entry entry = { .last_offset = base_offset - 1 };

	if (len % TXN_INDEX_ENTRY_LEN != 0)
		return -1;
	for (size_t at = 0; at < len; at += TXN_INDEX_ENTRY_LEN) {
		if (!decode_one(data + at, entry.last_offset, &entry))
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
	be16_put(p, 0);
	be64_put(p + 2, (uint64_t)entry->producer_id);
	be64_put(p + 10, (uint64_t)entry->first_offset);
	be64_put(p + 18, (uint64_t)entry->last_offset);
	be64_put(p + 26, (uint64_t)entry->last_stable_offset);
}

int
txn_index_write(
    const struct txn_index *index, struct disk *disk, const char *path)
{
	size_t len = index->count * TXN_INDEX_ENTRY_LEN;
	uint8_t *data = xmalloc(len);
	int result;

	for (size_t i = 0; i < index->count; i++)
		encode(data + i * TXN_INDEX_ENTRY_LEN, &index->entries[i]);
	result = disk_write_file(disk, path, data, len, 0644);
	free(data);
	return result;
}
