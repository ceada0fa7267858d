/*
 * Transaction indexes.  The first byte is the segment's base offset, the rest
 * the file.
 */
#include "base/base.h"
#include "store/txn_index.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was believed is written the way it was read. */
static void
check_entries(const struct txn_index *index, const uint8_t *data)
{
	uint8_t again[TXN_INDEX_ENTRY_LEN];

	for (size_t i = 0; i < index->count; i++) {
		const struct txn_index_entry *entry = &index->entries[i];

		assert(entry->first_offset <= entry->last_offset);
		encode(again, entry);
		assert(memcmp(again, data + i * sizeof(again),
			   sizeof(again)) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct txn_index index;

	if (size == 0)
		return 0;
	txn_index_init(&index);
	if (decode(&index, data + 1, size - 1, data[0]) == 0) {
		assert(index.count * TXN_INDEX_ENTRY_LEN == size - 1);
		check_entries(&index, data + 1);
	}
	txn_index_fini(&index);
	return 0;
}
