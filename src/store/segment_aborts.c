/*
 * The aborted transactions of a segment, as its .txnindex has them.
 */
#include "store/segment.h"

#include "base/log.h"

#include <errno.h>

int
segment_load_aborts(struct segment *segment)
{
	char *path;
	int result;

	if (segment->aborts_loaded)
		return 0;
	path = segment_path_held(segment, ".txnindex");
	/*
	 * Without the file nobody knows what was aborted, so that one that is
	 * gone is an error.
	 */
	result = txn_index_read(&segment->aborts, segment->disk, path,
	    segment->base_offset);
	if (result != 0)
		log_error(
		    "store", "cannot read %s: %s", path, strerror(errno));
	free(path);
	segment->aborts_loaded = result == 0;
	return result;
}

void
segment_add_abort(
    struct segment *segment, const struct txn_index_entry *entry)
{
	assert(segment->active && segment->aborts_loaded);
	txn_index_append(&segment->aborts, entry);
	segment->has_aborts = true;
	segment->indexes_dirty = true;
}

int
segment_write_aborts(struct segment *segment)
{
	char *path;
	int result;

	/* Entries may all have gone since the file was written. */
	if (!segment->has_aborts)
		return 0;
	path = segment_path(segment, ".txnindex");
	result = txn_index_write(&segment->aborts, segment->disk, path);
	free(path);
	segment->has_aborts = result != 0 || segment->aborts.count > 0;
	return result;
}

/* M.  What cannot be written stays in memory, and the next start compares. */
static void
write_closed(struct segment *segment)
{
	char *path = segment_path_held(segment, ".txnindex");

	if (txn_index_write(&segment->aborts, segment->disk, path) != 0) {
		log_warn("store", "cannot write %s: %s", path, strerror(errno));
		segment->unsaved = true;
	}
	free(path);
}

void
segment_replace_aborts(struct segment *segment, struct txn_index *entries)
{
	txn_index_fini(&segment->aborts);
	segment->aborts = *entries;
	txn_index_init(entries);
	segment->aborts_loaded = true;
	if (segment->active) {
		segment->has_aborts = true;
		segment->indexes_dirty = true;
		return;
	}
	segment->has_aborts = segment->aborts.count > 0;
	write_closed(segment);
}

static int
find(const struct segment *segment, int64_t from_offset, int64_t upper,
    struct txn_index *found)
{
	const struct txn_index *aborts = &segment->aborts;

	for (size_t i = txn_index_find(aborts, from_offset); i < aborts->count;
	     i++) {
		const struct txn_index_entry *entry = &aborts->entries[i];

		if (entry->first_offset < upper)
			txn_index_append(found, entry);
		/* All that were still open then began at upper or above. */
		if (entry->last_stable_offset >= upper)
			return 1;
	}
	return 0;
}

int
segment_find_aborts(struct segment *segment, int64_t from_offset,
    int64_t upper, struct txn_index *found)
{
	assert(segment->active && segment->aborts_loaded);
	return find(segment, from_offset, upper, found);
}

int
segment_find_aborts_closed(struct segment *segment, int64_t from_offset,
    int64_t upper, struct txn_index *found)
{
	int result;

	pthread_mutex_lock(&segment->mutex);
	segment->indexes_used = true;
	result = segment_load_aborts(segment);
	if (result == 0)
		result = find(segment, from_offset, upper, found);
	pthread_mutex_unlock(&segment->mutex);
	return result;
}
