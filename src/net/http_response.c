#include "net/http_response.h"

#include "base/slice.h"

#define STATUS_OK 200

/* A body whose length nobody has said lasts until the end. */
#define LEN_UNKNOWN SIZE_MAX

struct head {
	int status;
	size_t content_len;
	bool chunked;
	bool strange; /* coded in a way that was not asked for */
};

/* Take a line that CR LF, or LF alone, ends; false where there is none. */
static bool
take_line(struct slice *text, struct slice *line)
{
	const uint8_t *end =
	    text->len == 0 ? NULL : memchr(text->data, '\n', text->len);
	size_t len;

	if (end == NULL)
		return false;
	len = (size_t)(end - text->data);
	*line = slice_of(text->data, len);
	if (len > 0 && text->data[len - 1] == '\r')
		line->len--;
	*text = slice_of(end + 1, text->len - len - 1);
	return true;
}

static int
digit_of(uint8_t c, size_t base)
{
	int digit = -1;

	if (c >= '0' && c <= '9')
		digit = c - '0';
	else if (c >= 'a' && c <= 'f')
		digit = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		digit = c - 'A' + 10;
	return digit < (int)base ? digit : -1;
}

/* A number that is no more than the memory could have, or -1. */
static int
parse_number(struct slice text, size_t base, size_t *number)
{
	*number = 0;
	for (size_t i = 0; i < text.len; i++) {
		int digit = digit_of(text.data[i], base);

		if (digit < 0 || *number > (SIZE_MAX >> 5))
			return -1;
		*number = *number * base + (size_t)digit;
	}
	return text.len == 0 ? -1 : 0;
}

/* "HTTP/1.1 200 OK" */
static int
parse_status(struct slice line, struct head *head)
{
	static const char version[] = "HTTP/1.";
	size_t len = sizeof(version) - 1, status;

	if (line.len < len + 5 || memcmp(line.data, version, len) != 0 ||
	    line.data[len + 1] != ' ' ||
	    parse_number(slice_of(line.data + len + 2, 3), 10, &status) != 0)
		return -1;
	head->status = (int)status;
	return 0;
}

/* -1 where two lines contradict each other, or where one makes no sense. */
static int
parse_field(struct slice line, struct head *head)
{
	const uint8_t *colon =
	    line.len == 0 ? NULL : memchr(line.data, ':', line.len);
	struct slice name, value;
	size_t len;

	if (colon == NULL)
		return -1;
	name = slice_of(line.data, (size_t)(colon - line.data));
	value = slice_trim(slice_of(colon + 1, line.len - name.len - 1));
	if (slice_equal_nocase(name, "transfer-encoding")) {
		head->chunked = slice_equal_nocase(value, "chunked");
		head->strange |= !head->chunked;
	} else if (slice_equal_nocase(name, "content-encoding")) {
		head->strange |= !slice_equal_nocase(value, "identity");
	} else if (slice_equal_nocase(name, "content-length")) {
		if (parse_number(value, 10, &len) != 0 ||
		    (head->content_len != LEN_UNKNOWN &&
			head->content_len != len))
			return -1;
		head->content_len = len;
	}
	return 0;
}

/* Take the head off bytes. */
static enum http_progress
parse_head(struct slice *bytes, struct head *head)
{
	struct slice rest = *bytes, line;

	*head = (struct head){ .content_len = LEN_UNKNOWN };
	if (!take_line(&rest, &line))
		goto incomplete;
	if (parse_status(line, head) != 0)
		return HTTP_BAD;
	for (;;) {
		if (!take_line(&rest, &line))
			goto incomplete;
		if (bytes->len - rest.len > HTTP_HEAD_LEN_MAX)
			return HTTP_BAD;
		if (line.len == 0)
			break;
		if (parse_field(line, head) != 0)
			return HTTP_BAD;
	}
	*bytes = rest;
	return HTTP_DONE;
incomplete:
	return bytes->len > HTTP_HEAD_LEN_MAX ? HTTP_BAD : HTTP_MORE;
}

/* Take a chunk, whose size is before it; the last one is empty. */
static enum http_progress
take_chunk(struct slice *bytes, struct slice *chunk)
{
	struct slice rest = *bytes, line, size;
	const uint8_t *extension;
	size_t len;

	if (!take_line(&rest, &line))
		return bytes->len > HTTP_HEAD_LEN_MAX ? HTTP_BAD : HTTP_MORE;
	extension = line.len == 0 ? NULL : memchr(line.data, ';', line.len);
	size = slice_trim(slice_of(line.data,
	    extension == NULL ? line.len : (size_t)(extension - line.data)));
	if (parse_number(size, 16, &len) != 0)
		return HTTP_BAD;
	*chunk = slice_of(rest.data, len);
	if (len == 0)
		return HTTP_DONE;
	if (rest.len < len)
		return HTTP_MORE;
	rest = slice_of(rest.data + len, rest.len - len);
	if (!take_line(&rest, &line))
		return rest.len > 1 ? HTTP_BAD : HTTP_MORE;
	*bytes = rest;
	return line.len == 0 ? HTTP_DONE : HTTP_BAD;
}

/* What may follow the last chunk is of no interest. */
static enum http_progress
parse_chunks(struct slice bytes, struct buf *body)
{
	struct slice chunk;
	enum http_progress progress;

	while ((progress = take_chunk(&bytes, &chunk)) == HTTP_DONE) {
		if (chunk.len == 0)
			return HTTP_DONE;
		if (buf_append(body, chunk.data, chunk.len) != 0)
			return HTTP_BAD;
	}
	return progress;
}

static enum http_progress
parse_body(struct slice bytes, bool ended, const struct head *head,
    struct buf *body)
{
	size_t len = head->content_len;

	if (head->strange)
		return HTTP_BAD;
	if (head->chunked)
		return parse_chunks(bytes, body);
	if (len == LEN_UNKNOWN) {
		if (!ended)
			return bytes.len > body->len_max ? HTTP_BAD : HTTP_MORE;
		len = bytes.len;
	}
	if (len > body->len_max)
		return HTTP_BAD;
	if (bytes.len < len)
		return HTTP_MORE;
	return buf_append(body, bytes.data, len) == 0 ? HTTP_DONE : HTTP_BAD;
}

enum http_progress
http_response_parse(
    struct slice bytes, bool ended, int *status, struct buf *body)
{
	struct head head;
	enum http_progress progress = parse_head(&bytes, &head);

	if (progress == HTTP_DONE) {
		*status = head.status;
		if (head.status != STATUS_OK)
			return HTTP_DONE;
		progress = parse_body(bytes, ended, &head, body);
		if (progress != HTTP_DONE)
			buf_clear(body);
	}
	return progress == HTTP_MORE && ended ? HTTP_BAD : progress;
}
