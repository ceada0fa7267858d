/*
 * The state files of a log directory.  The first byte chooses the kind; the
 * rest is the file, which a disk of one file serves.
 */
#include "base/base.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "store/checkpoint.h"
#include "store/closed_logs.h"
#include "store/disk.h"
#include "store/leader_epochs.h"
#include "store/meta_properties.h"
#include "store/partition_metadata.h"

#include <errno.h>

#define FD 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A disk on which each path is the same file. */
struct one_file {
	struct disk disk;
	struct slice contents;
};

static int
one_open(struct disk *disk UNUSED, const char *path UNUSED, int flags UNUSED,
    mode_t mode UNUSED)
{
	return FD;
}

static int
one_close(struct disk *disk UNUSED, int fd)
{
	assert(fd == FD);
	return 0;
}

static ssize_t
one_pread(struct disk *disk, int fd, void *data, size_t len, int64_t position)
{
	struct slice file = ((struct one_file *)disk)->contents;

	assert(fd == FD && position >= 0);
	if ((size_t)position >= file.len)
		return 0;
	len = MIN(len, file.len - (size_t)position);
	memcpy(data, file.data + position, len);
	return (ssize_t)len;
}

static int
one_fstat(struct disk *disk, int fd, struct stat *st)
{
	assert(fd == FD);
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFREG;
	st->st_size = (off_t)((struct one_file *)disk)->contents.len;
	return 0;
}

static struct one_file
one_file(struct slice contents)
{
	return (struct one_file){
		.disk = { .open = one_open,
		    .close = one_close,
		    .pread = one_pread,
		    .fstat = one_fstat },
		.contents = contents,
	};
}

static void
check_offsets(struct slice file)
{
	struct one_file disk = one_file(file);
	struct checkpoint c, again;

	checkpoint_init(&c);
	checkpoint_init(&again);
	if (checkpoint_read(&c, &disk.disk, "x") == 0) {
		char *text = checkpoint_text(&c);

		disk.contents = slice_str(text);
		assert(checkpoint_read(&again, &disk.disk, "x") == 0);
		assert(again.count == c.count);
		for (size_t i = 0; i < c.count; i++) {
			assert(slice_equal(c.entries[i].topic,
			    again.entries[i].topic));
			assert(c.entries[i].partition ==
			    again.entries[i].partition);
			assert(c.entries[i].offset >= 0);
		}
		free(text);
	} else {
		assert(errno == EBADMSG && c.count == 0);
	}
	checkpoint_fini(&c);
	checkpoint_fini(&again);
}

static void
check_epochs(struct slice file)
{
	struct one_file disk = one_file(file);
	struct leader_epochs e;

	leader_epochs_init(&e);
	if (leader_epochs_read(&e, &disk.disk, "x") == 0) {
		char *text = leader_epochs_text(&e);
		size_t count = e.count;

		disk.contents = slice_str(text);
		assert(leader_epochs_read(&e, &disk.disk, "x") == 0);
		assert(e.count == count);
		for (size_t i = 1; i < count; i++)
			assert(e.entries[i - 1].epoch < e.entries[i].epoch &&
			    e.entries[i - 1].start_offset <
				e.entries[i].start_offset);
		free(text);
	} else {
		assert(errno == EBADMSG && e.count == 0);
	}
	leader_epochs_fini(&e);
}

static void
check_meta(struct slice file)
{
	struct one_file disk = one_file(file);
	struct meta_properties meta;
	char *why;

	meta_properties_init(&meta);
	if (meta_properties_read(&meta, &disk.disk, "x", &why) == 0)
		assert(why == NULL && meta.version >= 0 && meta.version <= 1);
	else
		assert(errno == EFBIG || (errno == EBADMSG && why != NULL));
	free(why);
	meta_properties_fini(&meta);
}

static void
check_topic_id(struct slice file)
{
	struct one_file disk = one_file(file);
	struct uuid id;

	if (partition_metadata_read(&disk.disk, "x", &id) == 0)
		assert(!uuid_is_zero(id));
}

/* The file without its header, which would keep nearly all inputs out. */
static void
check_closed_logs(struct slice file)
{
	struct closed_logs logs;
	struct buf bytes;
	uint8_t *header;

	buf_init(&bytes, SIZE_MAX);
	header = buf_reserve(&bytes, 8 + file.len);
	be32_put(header, 1);
	be32_put(header + 4, crc32c(0, file.data, file.len));
	bytes.len = 8;
	assert(buf_append(&bytes, file.data, file.len) == 0);
	closed_logs_init(&logs);
	if (closed_logs_decode(&logs, buf_slice(&bytes)) == 0) {
		for (size_t i = 0; i < logs.found_count; i++)
			assert(logs.found[i].len < file.len);
	} else {
		assert(errno == EBADMSG && logs.found_count == 0);
	}
	closed_logs_fini(&logs);
	buf_fini(&bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const kinds[])(struct slice file) = { check_offsets,
		check_epochs, check_meta, check_topic_id, check_closed_logs };

	if (size > 0)
		kinds[data[0] % COUNT_OF(kinds)](
		    slice_of(data + 1, size - 1));
	return 0;
}
