#include "cli/whole_file.h"

#include <errno.h>
#include <stdio.h>

/* Everything up to the end, or one byte more than len_max; 0 or errno. */
static int
read_all(FILE *file, struct slice *read, size_t len_max)
{
	size_t capacity = MIN(4096, len_max + 1), len = 0, n;
	uint8_t *data = xmalloc(capacity);

	while ((n = fread(data + len, 1, capacity - len, file)) > 0) {
		len += n;
		if (len == capacity && capacity <= len_max) {
			capacity = MIN(2 * capacity, len_max + 1);
			data = xrealloc(data, capacity);
		}
	}
	*read = slice_of(data, len);
	if (ferror(file))
		return errno;
	return len > len_max ? EFBIG : 0;
}

uint8_t *
whole_file_read(
    void *context UNUSED, const char *path, size_t len_max, size_t *len)
{
	FILE *file = fopen(path, "re");
	struct slice read;
	uint8_t *data;
	int error;

	if (file == NULL)
		return NULL;
	error = read_all(file, &read, len_max);
	fclose(file);
	data = (uint8_t *)(uintptr_t)read.data;
	*len = read.len;
	if (error == 0)
		return data;
	free(data);
	errno = error;
	return NULL;
}
