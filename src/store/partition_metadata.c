#include "base/base.h"
#include "store/partition_metadata.h"

#include "store/disk.h"
#include "store/state_file.h"

#include <errno.h>

#define FILE_LEN_MAX 4096
#define VERSION_LINE "version: 0"
#define TOPIC_ID_KEY "topic_id: "

static char *
file_path(const char *directory)
{
	return xasprintf("%s/%s", directory, PARTITION_METADATA_FILE);
}

/* Java takes the text with or without a line end behind it. */
static int
text_parse(struct slice text, struct uuid *topic_id)
{
	struct slice head = SLICE_LITERAL(VERSION_LINE "\n" TOPIC_ID_KEY);

	while (text.len > 0 && (text.data[text.len - 1] == '\n' ||
				   text.data[text.len - 1] == '\r'))
		text.len--;
	if (text.len != head.len + UUID_TEXT_LEN ||
	    memcmp(text.data, head.data, head.len) != 0)
		return -1;
	if (uuid_parse(
		slice_of(text.data + head.len, UUID_TEXT_LEN), topic_id) < 0)
		return -1;
	return uuid_is_zero(*topic_id) ? -1 : 0;
}

int
partition_metadata_read(
    struct disk *disk, const char *directory, struct uuid *topic_id)
{
	char *path = file_path(directory);
	size_t len;
	uint8_t *text = disk_read_file(disk, path, FILE_LEN_MAX, &len);
	int result;

	free(path);
	if (text == NULL)
		return -1;
	result = text_parse(slice_of(text, len), topic_id);
	free(text);
	if (result < 0)
		errno = EBADMSG;
	return result;
}

/* The file's contents, on the heap. */
static char *
text_make(struct uuid topic_id)
{
	char id[UUID_TEXT_LEN + 1];

	assert(!uuid_is_zero(topic_id));
	uuid_format(topic_id, id);
	return xasprintf("%s\n%s%s", VERSION_LINE, TOPIC_ID_KEY, id);
}

int
partition_metadata_write(
    struct disk *disk, const char *directory, struct uuid topic_id)
{
	char *path = file_path(directory), *text = text_make(topic_id);
	int result =
	    state_file_write_in_place(disk, path, slice_str(text), false);

	free(text);
	free(path);
	return result;
}

int
partition_metadata_restore(
    struct disk *disk, const char *directory, struct uuid topic_id)
{
	char *path = file_path(directory), *text = text_make(topic_id);
	int result = state_file_write(disk, path, slice_str(text));

	free(text);
	free(path);
	return result;
}
