#include "base/base.h"
#include "store/leader_epochs.h"

#include "store/checkpoint.h"
#include "store/disk.h"
#include "store/state_file.h"

#include <errno.h>
#include <stdio.h>

/* Two numbers, a space and a line end. */
#define LINE_LEN_MAX 40

#define EPOCH_UNDEFINED ((struct leader_epoch_end){ -1, -1 })

void
leader_epochs_init(struct leader_epochs *epochs)
{
	*epochs = (struct leader_epochs){ 0 };
}

void
leader_epochs_fini(struct leader_epochs *epochs)
{
	free(epochs->entries);
	leader_epochs_init(epochs);
}

static void
entry_append(struct leader_epochs *epochs, int32_t epoch, int64_t start_offset)
{
	if (epochs->count == epochs->capacity) {
		epochs->capacity = MAX(2, epochs->capacity * 2);
		epochs->entries = xrealloc(epochs->entries,
		    epochs->capacity * sizeof(*epochs->entries));
	}
	epochs->entries[epochs->count++] =
	    (struct leader_epoch){ epoch, start_offset };
}

static const struct leader_epoch *
entry_last(const struct leader_epochs *epochs)
{
	return epochs->count == 0 ? NULL : &epochs->entries[epochs->count - 1];
}

void
leader_epochs_assign(
    struct leader_epochs *epochs, int32_t epoch, int64_t start_offset)
{
	const struct leader_epoch *last = entry_last(epochs);

	assert(epoch >= 0 && start_offset >= 0);
	if (last != NULL && last->epoch == epoch &&
	    last->start_offset <= start_offset)
		return;
	while ((last = entry_last(epochs)) != NULL &&
	       (last->epoch >= epoch || last->start_offset >= start_offset))
		epochs->count--;
	entry_append(epochs, epoch, start_offset);
	epochs->dirty = true;
}

int32_t
leader_epochs_latest(const struct leader_epochs *epochs)
{
	const struct leader_epoch *last = entry_last(epochs);

	return last == NULL ? -1 : last->epoch;
}

/* The number of entries whose epoch is at most epoch. */
static size_t
epoch_upper(const struct leader_epochs *epochs, int32_t epoch)
{
	size_t low = 0, high = epochs->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (epochs->entries[middle].epoch <= epoch)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The number of entries that start at offset or below. */
static size_t
offset_upper(const struct leader_epochs *epochs, int64_t offset)
{
	size_t low = 0, high = epochs->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (epochs->entries[middle].start_offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int32_t
leader_epochs_at(const struct leader_epochs *epochs, int64_t offset)
{
	size_t upper = offset_upper(epochs, offset);

	return upper == 0 ? -1 : epochs->entries[upper - 1].epoch;
}

struct leader_epoch_end
leader_epochs_end_offset(
    const struct leader_epochs *epochs, int32_t epoch, int64_t log_end_offset)
{
	size_t upper = epoch_upper(epochs, epoch);

	if (epoch == -1 || epochs->count == 0)
		return EPOCH_UNDEFINED;
	if (epoch == leader_epochs_latest(epochs))
		return (struct leader_epoch_end){ epoch, log_end_offset };
	if (upper == epochs->count)
		return EPOCH_UNDEFINED;
	return (struct leader_epoch_end){
		upper == 0 ? epoch : epochs->entries[upper - 1].epoch,
		epochs->entries[upper].start_offset,
	};
}

void
leader_epochs_truncate_end(struct leader_epochs *epochs, int64_t end_offset)
{
	size_t keep =
	    end_offset <= 0 ? 0 : offset_upper(epochs, end_offset - 1);

	if (keep == epochs->count)
		return;
	epochs->count = keep;
	epochs->dirty = true;
}

void
leader_epochs_truncate_start(struct leader_epochs *epochs, int64_t start_offset)
{
	size_t upper = offset_upper(epochs, start_offset);

	if (upper == 0 ||
	    (upper == 1 && epochs->entries[0].start_offset == start_offset))
		return;
	epochs->count -= upper - 1;
	memmove(epochs->entries, epochs->entries + upper - 1,
	    epochs->count * sizeof(*epochs->entries));
	epochs->entries[0].start_offset = start_offset;
	epochs->dirty = true;
}

void
leader_epochs_clear(struct leader_epochs *epochs)
{
	epochs->dirty = epochs->dirty || epochs->count > 0;
	epochs->count = 0;
}

static int
entry_parse(void *context, const struct slice *fields)
{
	struct leader_epochs *epochs = context;
	int64_t epoch = checkpoint_number(fields[0]);
	int64_t start_offset = checkpoint_number(fields[1]);
	const struct leader_epoch *last = entry_last(epochs);

	if (epoch < 0 || epoch > INT32_MAX || start_offset < 0)
		return -1;
	if (last != NULL &&
	    (last->epoch >= epoch || last->start_offset >= start_offset))
		return -1;
	entry_append(epochs, (int32_t)epoch, start_offset);
	return 0;
}

static char *
file_path(const char *directory)
{
	return xasprintf("%s/%s", directory, LEADER_EPOCHS_FILE);
}

int
leader_epochs_read(
    struct leader_epochs *epochs, struct disk *disk, const char *directory)
{
	char *path = file_path(directory);
	size_t len;
	uint8_t *text = disk_read_file(disk, path, STATE_FILE_SIZE_MAX, &len);
	int result;

	free(path);
	epochs->count = 0;
	epochs->dirty = false;
	if (text == NULL)
		return errno == ENOENT ? 0 : -1;
	result = checkpoint_parse(slice_of(text, len), 2, entry_parse, epochs);
	free(text);
	if (result < 0) {
		epochs->count = 0;
		errno = EBADMSG;
	}
	return result;
}

char *
leader_epochs_text(struct leader_epochs *epochs)
{
	size_t cap = (epochs->count + 2) * LINE_LEN_MAX, len;
	char *text = xmalloc(cap);

	len = (size_t)snprintf(text, cap, "0\n%zu\n", epochs->count);
	for (size_t i = 0; i < epochs->count; i++)
		len += (size_t)snprintf(text + len, cap - len, "%d %lld\n",
		    epochs->entries[i].epoch,
		    (long long)epochs->entries[i].start_offset);
	assert(len < cap);
	epochs->dirty = false;
	return text;
}

int
leader_epochs_text_write(
    const char *text, struct disk *disk, const char *directory)
{
	char *path = file_path(directory);
	int result = state_file_write(disk, path, slice_str(text));

	free(path);
	return result;
}

int
leader_epochs_text_stage(
    const char *text, struct disk *disk, const char *directory)
{
	char *path = file_path(directory);
	int result = state_file_stage(disk, path, slice_str(text));

	free(path);
	return result;
}

int
leader_epochs_publish(struct disk *disk, const char *directory)
{
	char *path = file_path(directory);
	int result = state_file_publish(disk, path);

	free(path);
	return result;
}
