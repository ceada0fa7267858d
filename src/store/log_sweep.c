/*
 * The files of a partition's directory at a start.
 *
 * A rename to .deleted, a compaction and a split may have been interrupted.
 * Kafka's order is kept, so that either of us can finish what the other began
 * (LogLoader): .deleted counts no more, and is unlinked once the log is
 * loaded; .cleaned was not complete and goes, and with it every .swap from its
 * lowest base on; any other .swap should be complete and, if it is, takes the
 * place of all files in its range of offsets.
 */
#include "base/log.h"
#include "store/batch_walk.h"
#include "store/disk.h"
#include "store/log_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#define SCAN_BUFFER_LEN ((size_t)64 << 10)

enum state { PLAIN, DELETED, CLEANED, SWAP };

struct found {
	char *name;     /* owned */
	int64_t number; /* base offset, or a snapshot's */
	enum state state;
	bool is_log;
	bool is_snapshot;
	bool is_index; /* .index, .timeindex, .txnindex */
	bool is_txn_index;
	bool gone;
};

struct sweep {
	struct log *log;
	struct found *found;
	size_t count;
	size_t capacity;
};

/* --- Listing ------------------------------------------------------------ */

static bool
take_suffix(struct slice *name, const char *suffix)
{
	size_t len = strlen(suffix);

	if (name->len < len ||
	    memcmp(name->data + name->len - len, suffix, len) != 0)
		return false;
	name->len -= len;
	return true;
}

/* The number that a name begins with; -1 where it is not 20 digits. */
static int64_t
number_of(struct slice name)
{
	int64_t number = 0;

	if (name.len != SEGMENT_NAME_LEN)
		return -1;
	for (size_t i = 0; i < name.len; i++) {
		int digit = name.data[i] - '0';

		if (digit < 0 || digit > 9 ||
		    number > (LOG_BASE_OFFSET_MAX - digit) / 10)
			return -1;
		number = number * 10 + digit;
	}
	return number;
}

static enum state
take_state(struct slice *name)
{
	if (take_suffix(name, ".deleted"))
		return DELETED;
	if (take_suffix(name, ".cleaned"))
		return CLEANED;
	return take_suffix(name, ".swap") ? SWAP : PLAIN;
}

/* False where the name is none of a segment's files. */
static bool
classify(const char *text, struct found *found)
{
	struct slice name = slice_str(text);

	*found = (struct found){ .state = take_state(&name) };
	if (take_suffix(&name, ".log"))
		found->is_log = true;
	else if (take_suffix(&name, ".snapshot"))
		found->is_snapshot = true;
	else if (take_suffix(&name, ".txnindex"))
		found->is_index = found->is_txn_index = true;
	else if (take_suffix(&name, ".timeindex") ||
	    take_suffix(&name, ".index"))
		found->is_index = true;
	else
		return false;
	found->number = number_of(name);
	return found->number >= 0;
}

static int
list_one(void *context, const char *name)
{
	struct sweep *sweep = context;
	struct found found;

	if (!classify(name, &found))
		return 0;
	if (sweep->count == sweep->capacity) {
		sweep->capacity = MAX(8, 2 * sweep->capacity);
		sweep->found = xrealloc(
		    sweep->found, sweep->capacity * sizeof(*sweep->found));
	}
	found.name = xstrdup(name);
	sweep->found[sweep->count++] = found;
	return 0;
}

static void
sweep_fini(struct sweep *sweep)
{
	for (size_t i = 0; i < sweep->count; i++)
		free(sweep->found[i].name);
	free(sweep->found);
}

/* --- Interrupted operations --------------------------------------------- */

static int
drop(struct sweep *sweep, struct found *found)
{
	char *path = xasprintf("%s/%s", sweep->log->path, found->name);
	int result = disk_unlink(sweep->log->disk, path);

	if (result != 0)
		log_error(
		    "store", "cannot unlink %s: %s", path, strerror(errno));
	found->gone = true;
	log_names_changed(sweep->log);
	free(path);
	return result;
}

static int
compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

/*
 * .deleted files are unlinked behind the load, which would have to wait: a
 * compaction may have left thousands.
 */
static void
put_off_deleted(struct sweep *sweep)
{
	int64_t *bases = xcalloc(sweep->count, sizeof(*bases));
	size_t count = 0;

	for (size_t i = 0; i < sweep->count; i++) {
		struct found *found = &sweep->found[i];

		if (found->state == DELETED) {
			found->gone = true;
			bases[count++] = found->number;
		}
	}
	qsort(bases, count, sizeof(*bases), compare);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || bases[i] != bases[i - 1])
			log_removal_is_due(sweep->log, bases[i]);
	free(bases);
}

static int
drop_incomplete(struct sweep *sweep)
{
	int64_t cleaned_min = INT64_MAX;

	for (size_t i = 0; i < sweep->count; i++)
		if (sweep->found[i].state == CLEANED)
			cleaned_min = MIN(cleaned_min, sweep->found[i].number);
	for (size_t i = 0; i < sweep->count; i++) {
		struct found *found = &sweep->found[i];

		if ((found->state == CLEANED ||
			(found->state == SWAP &&
			    found->number >= cleaned_min)) &&
		    drop(sweep, found) != 0)
			return -1;
	}
	return 0;
}

/*
 * Is the open file of a segment whole: batches from its begin to its exact
 * end?  1 and the offset behind the last one, 0, or -1 with errno.
 */
static int
scan_whole(struct disk *disk, int fd, int64_t base_offset, int64_t *next)
{
	struct batch_walk walk;
	struct file_scan scan;
	struct batch batch;
	uint8_t *buffer;
	struct stat st;
	int result;

	if (disk_fstat(disk, fd, &st) != 0)
		return -1;
	buffer = xmalloc(SCAN_BUFFER_LEN);
	file_scan_init(
	    &scan, disk, fd, 0, st.st_size, buffer, SCAN_BUFFER_LEN);
	batch_walk_init(&walk, &scan, base_offset);
	walk.verify = true;
	while ((result = batch_walk_step(&walk, &batch)) > 0)
		walk.next_offset = batch.last_offset + 1;
	free(buffer);
	*next = walk.next_offset;
	if (result < 0)
		return -1;
	return st.st_size > 0 && walk.scan.position == st.st_size;
}

/* The same of a .swap file. */
static int
swap_is_whole(struct sweep *sweep, const struct found *found, int64_t *next)
{
	struct disk *disk = sweep->log->disk;
	char *path = xasprintf("%s/%s", sweep->log->path, found->name);
	int fd = disk_open(disk, path, O_RDONLY, 0);
	int result = -1;
	int saved;

	if (fd >= 0)
		result = scan_whole(disk, fd, found->number, next);
	saved = errno;
	if (result < 0)
		log_error(
		    "store", "cannot read %s: %s", path, strerror(saved));
	if (fd >= 0)
		disk_close(disk, fd);
	free(path);
	errno = saved;
	return result;
}

/* Drop the plain files of [from, to). */
static int
drop_replaced(struct sweep *sweep, int64_t from, int64_t to)
{
	for (size_t i = 0; i < sweep->count; i++) {
		struct found *found = &sweep->found[i];

		if (!found->gone && found->state == PLAIN &&
		    found->number >= from && found->number < to &&
		    drop(sweep, found) != 0)
			return -1;
	}
	return 0;
}

static int
rename_swap(struct sweep *sweep, struct found *found)
{
	char *from = xasprintf("%s/%s", sweep->log->path, found->name);
	size_t len = strlen(found->name) - strlen(".swap");
	char *to;
	int result;

	found->name[len] = '\0';
	found->state = PLAIN;
	to = xasprintf("%s/%s", sweep->log->path, found->name);
	result = disk_rename(sweep->log->disk, from, to);
	if (result != 0)
		log_error("store", "cannot rename %s to %s: %s", from, to,
		    strerror(errno));
	log_names_changed(sweep->log);
	free(from);
	free(to);
	return result;
}

/* Is there a plain log of this base offset? */
static bool
has_plain(const struct sweep *sweep, int64_t number)
{
	for (size_t i = 0; i < sweep->count; i++) {
		const struct found *found = &sweep->found[i];

		if (!found->gone && found->state == PLAIN && found->is_log &&
		    found->number == number)
			return true;
	}
	return false;
}

static int
drop_swaps_of(struct sweep *sweep, int64_t number)
{
	for (size_t i = 0; i < sweep->count; i++) {
		struct found *found = &sweep->found[i];

		if (!found->gone && found->state == SWAP &&
		    found->number == number && drop(sweep, found) != 0)
			return -1;
	}
	return 0;
}

/*
 * A .swap that is not whole replaces nothing.  It goes where what it was made
 * of is still there, which begins at the same offset; otherwise it is all that
 * is left and gets its name, and recovery says what of it is good.
 */
static int
judge_swap(
    struct sweep *sweep, const struct found *found, int64_t *from, int64_t *to)
{
	int64_t next = 0;
	int whole = swap_is_whole(sweep, found, &next);

	if (whole < 0)
		return -1;
	if (whole > 0) {
		*from = MIN(*from, found->number);
		*to = MAX(*to, next);
		return 0;
	}
	log_warn("store", "%s/%s is not whole", sweep->log->path, found->name);
	return has_plain(sweep, found->number) ?
	    drop_swaps_of(sweep, found->number) :
	    0;
}

static int
finish_swaps(struct sweep *sweep)
{
	int64_t from = INT64_MAX;
	int64_t to = 0;

	for (size_t i = 0; i < sweep->count; i++) {
		const struct found *found = &sweep->found[i];

		if (!found->gone && found->state == SWAP && found->is_log &&
		    judge_swap(sweep, found, &from, &to) != 0)
			return -1;
	}
	if (drop_replaced(sweep, from, to) != 0)
		return -1;
	for (size_t i = 0; i < sweep->count; i++) {
		struct found *found = &sweep->found[i];

		if (!found->gone && found->state == SWAP &&
		    rename_swap(sweep, found) != 0)
			return -1;
	}
	return 0;
}

/* --- The result --------------------------------------------------------- */

static void
collect(struct sweep *sweep, struct log_files *files)
{
	files->bases = xcalloc(sweep->count, sizeof(*files->bases));
	files->snapshots = xcalloc(sweep->count, sizeof(*files->snapshots));
	files->txn_indexes = xcalloc(sweep->count, sizeof(*files->txn_indexes));
	for (size_t i = 0; i < sweep->count; i++) {
		const struct found *found = &sweep->found[i];

		if (found->gone)
			continue;
		if (found->is_log)
			files->bases[files->base_count++] = found->number;
		if (found->is_snapshot)
			files->snapshots[files->snapshot_count++] =
			    found->number;
		if (found->is_txn_index)
			files->txn_indexes[files->txn_index_count++] =
			    found->number;
	}
	qsort(files->bases, files->base_count, sizeof(int64_t), compare);
	qsort(
	    files->snapshots, files->snapshot_count, sizeof(int64_t), compare);
	qsort(files->txn_indexes, files->txn_index_count, sizeof(int64_t),
	    compare);
}

bool
log_files_have_txn_index(const struct log_files *files, int64_t base_offset)
{
	return files->txn_index_count > 0 &&
	    bsearch(&base_offset, files->txn_indexes, files->txn_index_count,
		sizeof(int64_t), compare) != NULL;
}

/* An index whose log is gone would be taken for that of a later log. */
static int
drop_orphans(struct sweep *sweep, const struct log_files *files)
{
	for (size_t i = 0; i < sweep->count; i++) {
		struct found *found = &sweep->found[i];

		if (!found->gone && found->is_index &&
		    (files->base_count == 0 ||
			bsearch(&found->number, files->bases, files->base_count,
			    sizeof(int64_t), compare) == NULL) &&
		    drop(sweep, found) != 0)
			return -1;
	}
	return 0;
}

int
log_sweep_snapshots(struct log *log, struct log_files *files)
{
	struct sweep sweep = { .log = log };
	int result = disk_list(log->disk, log->path, list_one, &sweep);

	*files = (struct log_files){ .bases = NULL };
	if (result == 0) {
		for (size_t i = 0; i < sweep.count; i++)
			sweep.found[i].gone = sweep.found[i].state != PLAIN;
		collect(&sweep, files);
	}
	sweep_fini(&sweep);
	return result;
}

void
log_files_fini(struct log_files *files)
{
	free(files->bases);
	free(files->snapshots);
	free(files->txn_indexes);
	*files = (struct log_files){ .bases = NULL };
}

int
log_sweep(struct log *log, struct log_files *files)
{
	struct sweep sweep = { .log = log };
	int result;

	*files = (struct log_files){ .bases = NULL };
	result = disk_list(log->disk, log->path, list_one, &sweep);
	if (result != 0)
		log_error(
		    "store", "cannot list %s: %s", log->path, strerror(errno));
	if (result == 0) {
		put_off_deleted(&sweep);
		result = drop_incomplete(&sweep);
	}
	if (result == 0)
		result = finish_swaps(&sweep);
	if (result == 0) {
		collect(&sweep, files);
		result = drop_orphans(&sweep, files);
		if (result != 0)
			log_files_fini(files);
	}
	sweep_fini(&sweep);
	return result;
}
