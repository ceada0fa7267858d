/*
 * An input that is several files: two bytes of length in front of each, and
 * the batches of a log made whole, so that what is behind their checksums is
 * reached.
 */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include "base/bytes.h"
#include "wire/batch.h"

/* The next len bytes, or as many as there are. */
static inline struct slice
fuzz_take(struct slice *input, size_t len)
{
	struct slice taken = slice_of(input->data, MIN(len, input->len));

	input->data += taken.len;
	input->len -= taken.len;
	return taken;
}

static inline struct slice
fuzz_take_section(struct slice *input)
{
	struct slice len = fuzz_take(input, 2);

	return fuzz_take(input, len.len == 2 ? be16_get(len.data) : 0);
}

/* Walk the batches as far as they go and put a right checksum on each. */
static inline void
fuzz_seal_batches(uint8_t *data, size_t len)
{
	struct batch batch;

	while (batch_read(slice_of(data, len), &batch) == 0) {
		if (batch.magic == BATCH_MAGIC)
			batch_seal(data, batch.size_bytes);
		data += batch.size_bytes;
		len -= batch.size_bytes;
	}
}

#endif
