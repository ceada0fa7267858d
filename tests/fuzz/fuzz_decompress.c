/*
 * Every decompressor: the first byte chooses the codec, the rest is what a
 * producer sent.  Output never passes its bound, and what was in the buffer
 * before stays there.
 */
#include "base/base.h"
#include "base/buf.h"
#include "wire/compression.h"

#define PLAIN_LEN_MAX (256 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum compression_result result;
	struct buf out;
	int added;

	if (size < 1)
		return 0;
	buf_init(&out, PLAIN_LEN_MAX);
	added = buf_append(&out, "before", 6);
	assert(added == 0);
	result = compression_decompress(data[0] % 8,
	    slice_of(data + 1, size - 1), &out);
	assert(out.len >= 6 && out.len <= PLAIN_LEN_MAX);
	assert(memcmp(out.data, "before", 6) == 0);
	if (result != COMPRESSION_OK)
		assert(out.len == 6);
	buf_fini(&out);
	return 0;
}
