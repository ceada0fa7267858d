/*
 * Producer snapshots.  The input is what stands behind the checksum, which is
 * put before it, unless the first byte is odd: then it is a whole file.
 */
#include "base/base.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "store/producer_snapshot.h"

#define HEADER_LEN 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Written and read again it is the same, and so are its bytes. */
static void
check_state(const struct producer_state *state)
{
	struct producer_state again;
	size_t len, again_len;
	uint8_t *bytes = producer_snapshot_encode(state, &len), *again_bytes;

	producer_state_init(&again);
	assert(producer_snapshot_decode(&again, slice_of(bytes, len)) == 0);
	assert(again.count == state->count);
	again_bytes = producer_snapshot_encode(&again, &again_len);
	assert(len == again_len && memcmp(bytes, again_bytes, len) == 0);
	for (size_t i = 1; i < state->count; i++)
		assert(state->producers[i - 1]->id < state->producers[i]->id);
	free(bytes);
	free(again_bytes);
	producer_state_fini(&again);
}

static void
check_bytes(const uint8_t *bytes, size_t len)
{
	struct producer_state state;

	producer_state_init(&state);
	if (producer_snapshot_decode(&state, slice_of(bytes, len)) == 0)
		check_state(&state);
	else
		assert(state.count == 0);
	producer_state_fini(&state);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *file;

	if (size == 0)
		return 0;
	if (data[0] & 1) {
		check_bytes(data + 1, size - 1);
		return 0;
	}
	data++;
	size--;
	file = xmalloc(HEADER_LEN + size);
	be16_put(file, 1);
	be32_put(file + 2, crc32c(0, data, size));
	memcpy(file + HEADER_LEN, data, size);
	check_bytes(file, HEADER_LEN + size);
	free(file);
	return 0;
}
