#include "store/closed_logs.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "store/disk.h"
#include "store/state_file.h"

#include <errno.h>

#define VERSION 1
#define HEADER_LEN ((size_t)8)
#define CRC_AT 4

/* Some hundred thousand logs; it is in memory twice during a stop. */
#define FILE_LEN_MAX ((size_t)64 << 20)

/* In front of each log. */
#define ENTRY_HEADER_LEN ((size_t)6)
#define DESCRIPTION_LEN_AT 2

void
closed_logs_init(struct closed_logs *logs)
{
	*logs = (struct closed_logs){ 0 };
	buf_init(&logs->file, SIZE_MAX);
	map_init(&logs->by_name);
}

void
closed_logs_fini(struct closed_logs *logs)
{
	buf_fini(&logs->file);
	map_fini(&logs->by_name);
	free(logs->found);
	closed_logs_init(logs);
}

/* --- Writing ------------------------------------------------------------- */

static uint8_t *
extend(struct closed_logs *logs, size_t len)
{
	uint8_t *p = buf_reserve(&logs->file, len);

	assert(p != NULL);
	logs->file.len += len;
	return p;
}

static void
begin(struct closed_logs *logs)
{
	if (logs->file.len == 0)
		be32_put(extend(logs, HEADER_LEN), VERSION);
}

void
closed_logs_add(
    struct closed_logs *logs, struct slice name, struct slice description)
{
	uint8_t *p;

	assert(name.len <= UINT16_MAX && description.len <= UINT32_MAX);
	begin(logs);
	if (logs->file.len + ENTRY_HEADER_LEN + name.len + description.len >
	    FILE_LEN_MAX)
		return;
	p = extend(logs, ENTRY_HEADER_LEN + name.len + description.len);
	be16_put(p, (uint16_t)name.len);
	be32_put(p + DESCRIPTION_LEN_AT, (uint32_t)description.len);
	memcpy(p + ENTRY_HEADER_LEN, name.data, name.len);
	memcpy(p + ENTRY_HEADER_LEN + name.len, description.data,
	    description.len);
}

int
closed_logs_write(
    struct closed_logs *logs, struct disk *disk, const char *path)
{
	struct slice file;

	begin(logs);
	file = buf_slice(&logs->file);
	be32_put(logs->file.data + CRC_AT,
	    crc32c(0, file.data + HEADER_LEN, file.len - HEADER_LEN));
	return state_file_write(disk, path, file);
}

/* --- Reading ------------------------------------------------------------- */

/* Take an entry off rest; false where it is cut off. */
static bool
entry_take(struct slice *rest, struct slice *name, struct slice *description)
{
	size_t len = ENTRY_HEADER_LEN;

	if (rest->len < len)
		return false;
	len += be16_get(rest->data);
	*name = slice_of(
	    rest->data + ENTRY_HEADER_LEN, len - ENTRY_HEADER_LEN);
	description->len = be32_get(rest->data + DESCRIPTION_LEN_AT);
	if (rest->len < len || rest->len - len < description->len)
		return false;
	description->data = rest->data + len;
	len += description->len;
	*rest = slice_of(rest->data + len, rest->len - len);
	return true;
}

static bool
header_fits(struct slice file)
{
	return file.len >= HEADER_LEN && be32_get(file.data) == VERSION &&
	    be32_get(file.data + CRC_AT) ==
	    crc32c(0, file.data + HEADER_LEN, file.len - HEADER_LEN);
}

/* The entries are counted first, so that the map can point to them. */
static int
entries_find(struct closed_logs *logs)
{
	struct slice all = buf_slice(&logs->file), rest, name, description;
	size_t count = 0;

	all = slice_of(all.data + HEADER_LEN, all.len - HEADER_LEN);
	for (rest = all; rest.len > 0; count++)
		if (!entry_take(&rest, &name, &description))
			return -1;
	logs->found = xcalloc(count + 1, sizeof(*logs->found));
	for (rest = all; entry_take(&rest, &name, &description);) {
		struct slice *found = &logs->found[logs->found_count++];

		*found = description;
		(void)map_set(&logs->by_name, name, found);
	}
	return 0;
}

int
closed_logs_decode(struct closed_logs *logs, struct slice bytes)
{
	if (!header_fits(bytes) ||
	    buf_append(&logs->file, bytes.data, bytes.len) != 0 ||
	    entries_find(logs) != 0) {
		closed_logs_fini(logs);
		errno = EBADMSG;
		return -1;
	}
	return 0;
}

int
closed_logs_read(struct closed_logs *logs, struct disk *disk, const char *path)
{
	size_t len;
	uint8_t *bytes = disk_read_file(disk, path, FILE_LEN_MAX, &len);
	int result;

	if (bytes == NULL)
		return -1;
	result = closed_logs_decode(logs, slice_of(bytes, len));
	free(bytes);
	return result;
}

struct slice
closed_logs_find(const struct closed_logs *logs, struct slice name)
{
	const struct slice *found = map_get(&logs->by_name, name);

	return found == NULL ? SLICE_NULL : *found;
}
