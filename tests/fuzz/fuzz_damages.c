/*
 * The file of a log's damaged ranges.  An input is the file without its
 * version and checksum, which would keep nearly all others out.
 */
#include "base/base.h"
#include "store/log_damage.c"

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In order, none overlapping another, each with an offset at least. */
static void
check_ranges(const struct log *log)
{
	int64_t end = 0;

	for (size_t i = 0; i < log->damage_count; i++) {
		const struct log_damage *damage = &log->damages[i];

		assert(damage->first_offset >= end);
		assert(damage->end_offset > damage->first_offset);
		assert(damage->segment_base <= damage->first_offset);
		assert(damage->end_position >= damage->position);
		end = damage->end_offset;
	}
}

/* What was believed is written the way it was read. */
static void
check_again(struct log *log, struct slice file)
{
	size_t len;
	uint8_t *again = log_damages_encode(log, &len);

	assert(slice_equal(slice_of(again, len), file));
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct log *log = xcalloc(1, sizeof(*log));
	uint8_t *file = xmalloc(COUNT_AT + size);

	be16_put(file, VERSION);
	be32_put(file + CRC_AT, crc32c(0, data, size));
	if (size > 0)
		memcpy(file + COUNT_AT, data, size);
	if (decode(log, file, COUNT_AT + size)) {
		check_ranges(log);
		check_again(log, slice_of(file, COUNT_AT + size));
	}
	free(log->damages);
	free(file);
	free(log);
	return 0;
}
