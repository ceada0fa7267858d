#include "base/base.h"
#include "store/producer_snapshot.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "store/disk.h"
#include "store/state_file.h"

#include <errno.h>
#include <stdio.h>

#define VERSION 1
#define CRC_AT 2
#define COUNT_AT 6
#define HEADER_LEN 10
#define ENTRY_LEN 46

void
producer_snapshot_name(int64_t offset, char name[PRODUCER_SNAPSHOT_NAME_SIZE])
{
	assert(offset >= 0);
	snprintf(name, PRODUCER_SNAPSHOT_NAME_SIZE, "%020lld.snapshot",
	    (long long)offset);
}

/* --- encoding ------------------------------------------------------------ */

static void
entry_encode(const struct producer *producer, uint8_t *p)
{
	static const struct producer_batch none = { -1, -1, -1, 0 };
	const struct producer_batch *batch = producer->batch_count == 0 ?
	    &none :
	    &producer->batches[producer->batch_count - 1];

	be64_put(p, (uint64_t)producer->id);
	be16_put(p + 8, (uint16_t)producer->epoch);
	be32_put(p + 10, (uint32_t)batch->last_sequence);
	be64_put(p + 14, (uint64_t)batch->last_offset);
	be32_put(p + 22, (uint32_t)batch->offset_delta);
	be64_put(p + 26, (uint64_t)producer->last_timestamp_ms);
	be32_put(p + 34, (uint32_t)producer->coordinator_epoch);
	be64_put(p + 38, (uint64_t)producer->txn_first_offset);
}

uint8_t *
producer_snapshot_encode(const struct producer_state *state, size_t *len)
{
	uint8_t *bytes;

	*len = HEADER_LEN + state->count * ENTRY_LEN;
	bytes = xmalloc(*len);
	be16_put(bytes, VERSION);
	be32_put(bytes + COUNT_AT, (uint32_t)state->count);
	for (size_t i = 0; i < state->count; i++)
		entry_encode(
		    state->producers[i], bytes + HEADER_LEN + i * ENTRY_LEN);
	be32_put(bytes + CRC_AT, crc32c(0, bytes + COUNT_AT, *len - COUNT_AT));
	return bytes;
}

/* --- decoding ------------------------------------------------------------ */

/* Is it a whole snapshot with a right checksum? */
static bool
header_valid(struct slice bytes)
{
	if (bytes.len < HEADER_LEN || be16_get(bytes.data) != VERSION)
		return false;
	if (be32_get(bytes.data + CRC_AT) !=
	    crc32c(0, bytes.data + COUNT_AT, bytes.len - COUNT_AT))
		return false;
	return (bytes.len - HEADER_LEN) % ENTRY_LEN == 0 &&
	    be32_get(bytes.data + COUNT_AT) ==
	    (bytes.len - HEADER_LEN) / ENTRY_LEN;
}

/* Can a producer look like this? */
static bool
entry_valid(const struct producer *producer)
{
	const struct producer_batch *batch = &producer->batches[0];

	if (producer->id < 0 || producer->txn_first_offset < -1)
		return false;
	return producer->batch_count == 0 ||
	    (batch->last_sequence >= -1 && batch->offset_delta >= 0 &&
		batch->offset_delta <= batch->last_offset);
}

static bool
entry_decode(const uint8_t *p, struct producer *producer)
{
	struct producer_batch *batch = &producer->batches[0];

	*producer = (struct producer){ .id = (int64_t)be64_get(p) };
	producer->epoch = (int16_t)be16_get(p + 8);
	batch->last_sequence = (int32_t)be32_get(p + 10);
	batch->last_offset = (int64_t)be64_get(p + 14);
	batch->offset_delta = (int32_t)be32_get(p + 22);
	producer->last_timestamp_ms = (int64_t)be64_get(p + 26);
	producer->coordinator_epoch = (int32_t)be32_get(p + 34);
	producer->txn_first_offset = (int64_t)be64_get(p + 38);
	batch->timestamp_ms = producer->last_timestamp_ms;
	producer->batch_count = batch->last_offset >= 0;
	return entry_valid(producer);
}

int
producer_snapshot_decode(struct producer_state *state, struct slice bytes)
{
	struct producer producer;

	assert(state->count == 0);
	if (!header_valid(bytes))
		return -1;
	for (size_t at = HEADER_LEN; at < bytes.len; at += ENTRY_LEN) {
		if (!entry_decode(bytes.data + at, &producer)) {
			producer_state_clear(state);
			return -1;
		}
		producer_state_restore(state, &producer);
	}
	return 0;
}

/* --- files --------------------------------------------------------------- */

static char *
snapshot_path(const char *directory, int64_t offset)
{
	char name[PRODUCER_SNAPSHOT_NAME_SIZE];

	producer_snapshot_name(offset, name);
	return xasprintf("%s/%s", directory, name);
}

int
producer_snapshot_write(const struct producer_state *state, struct disk *disk,
    const char *directory, int64_t offset, bool sync)
{
	size_t len;
	uint8_t *bytes = producer_snapshot_encode(state, &len);
	char *path = snapshot_path(directory, offset);
	int result =
	    state_file_write_in_place(disk, path, slice_of(bytes, len), sync);

	free(path);
	free(bytes);
	return result;
}

int
producer_snapshot_read(struct producer_state *state, struct disk *disk,
    const char *directory, int64_t offset)
{
	char *path = snapshot_path(directory, offset);
	size_t len;
	uint8_t *bytes = disk_read_file(disk, path, STATE_FILE_SIZE_MAX, &len);
	int result;

	free(path);
	producer_state_clear(state);
	if (bytes == NULL)
		return -1;
	result = producer_snapshot_decode(state, slice_of(bytes, len));
	free(bytes);
	if (result < 0)
		errno = EBADMSG;
	return result;
}
