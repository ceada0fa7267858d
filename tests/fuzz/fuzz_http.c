/* Responses of HTTP, which come in pieces. */
#include "net/http_response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BODY_LEN_MAX 4096

/* The same comes of it whole, and as it comes byte by byte. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum http_progress whole, part = HTTP_MORE;
	int status = 0, part_status = 0;
	struct buf body, part_body;
	size_t len = 0;

	buf_init(&body, BODY_LEN_MAX);
	buf_init(&part_body, BODY_LEN_MAX);
	if (size > 1024)
		size = 1024;
	whole = http_response_parse(slice_of(data, size), true, &status, &body);
	assert(whole != HTTP_MORE);
	while (part == HTTP_MORE && len <= size) {
		buf_clear(&part_body);
		part = http_response_parse(slice_of(data, len), len == size,
		    &part_status, &part_body);
		len++;
	}
	assert(part == whole);
	if (whole == HTTP_DONE) {
		assert(status == part_status);
		assert(slice_compare(buf_slice(&body),
			   buf_slice(&part_body)) == 0);
	}
	buf_fini(&body);
	buf_fini(&part_body);
	return 0;
}
