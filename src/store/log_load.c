#include "base/log.h"
#include "store/disk.h"
#include "store/log_internal.h"
#include "store/partition_metadata.h"

#include <errno.h>
#include <inttypes.h>

/* Fewer bytes than that are the file system's rounding and its own. */
#define RESERVED_LEN_MIN (64 << 10)

/* --- What is there ------------------------------------------------------ */

static int
read_metadata(struct log *log)
{
	if (partition_metadata_read(log->disk, log->path, &log->topic_id) == 0)
		return 0;
	log->topic_id = UUID_ZERO;
	return errno == ENOENT || errno == EBADMSG ? 0 : -1;
}

/*
 * A crash leaves blocks behind the size that were reserved for appends; they
 * are to be used, or given back with the next close.
 */
static int64_t
reserved_bytes(const struct stat *st)
{
	int64_t blocks = (int64_t)st->st_blocks * 512;

	return blocks > st->st_size + RESERVED_LEN_MIN ? blocks : 0;
}

static int
open_segment(
    struct log *log, const struct log_files *files, int64_t base_offset)
{
	struct segment *segment;
	char name[SEGMENT_NAME_SIZE];
	struct stat st;
	char *path;
	int result;

	segment_name(base_offset, name);
	path = xasprintf("%s/%s.log", log->path, name);
	result = disk_stat(log->disk, path, &st);
	free(path);
	if (result != 0)
		return -1;
	if (st.st_size > INT32_MAX) {
		/* Positions in an index are 31 bits; Kafka's rule too. */
		errno = EFBIG;
		return -1;
	}
	segment = segment_open(log->files, log->path, base_offset, st.st_size,
	    st.st_mtim.tv_sec * INT64_C(1000) + st.st_mtim.tv_nsec / 1000000);
	segment->allocated_bytes = reserved_bytes(&st);
	segment->has_aborts = log_files_have_txn_index(files, base_offset);
	segment->aborts_loaded = !segment->has_aborts;
	segment->aborts_checked = false;
	log_segment_push(log, segment);
	return 0;
}

static int
open_segments(struct log *log, const struct log_files *files)
{
	for (size_t i = 0; i < files->base_count; i++) {
		if (open_segment(log, files, files->bases[i]) != 0)
			return -1;
	}
	return 0;
}

/* --- Recovery ----------------------------------------------------------- */

/* Take the segments from index at out of the log; their files are .deleted. */
static int
drop_from(struct log *log, size_t at)
{
	size_t count = log->segment_count - at;
	int result;

	if (count == 0)
		return 0;
	log_warn("store",
	    "%s: removing %zu segments from offset %" PRId64 " on", log->path,
	    count, log->segments[at]->base_offset);
	log_flush_hold(log);
	result = log_segments_remove(log, at, count);
	log_flush_release(log);
	/* Or they might come back behind what is appended now. */
	return result == 0 ? disk_sync_dir(log->disk, log->path) : -1;
}

/*
 * Where checking begins: at the first segment, or at that of the last offset
 * which was durable.  Where it ends there its roll may have come later, and its
 * index files are not.
 */
static size_t
recovery_begin(const struct log *log, bool doubtful)
{
	return doubtful ?
	    0 :
	    log_segment_find(log, MAX(log->recovery_point - 1, 0));
}

/*
 * A full disk is no reason not to load a log, which may be the one that has to
 * make room: the next start will look at this segment again.
 */
static bool
may_be_unsaved(const struct log *log, size_t at)
{
	return disk_is_full(errno) && at >= recovery_begin(log, false);
}

/* What a roll leaves: index files, and a producer snapshot at the next base. */
static int
close_recovered(struct log *log, size_t at)
{
	struct segment *segment = log->segments[at];

	log->end_offset = log->segments[at + 1]->base_offset;
	if (segment_save(segment) != 0 &&
	    (!may_be_unsaved(log, at) || log_unsaved_segment(log, at) != 0))
		return -1;
	if (log_snapshot_write(log) != 0) {
		if (!may_be_unsaved(log, at))
			return -1;
		log_unsaved_snapshot(log, at + 1);
	}
	segment->open_first = open_txns_first_ongoing(&log->txns);
	segment_close(segment);
	return 0;
}

/*
 * Has a power cut kept a later segment and lost the end of this one?  None of
 * that was durable, and what was not may only go from the end: a producer
 * would find its sequence broken, and readers a gap.  1, 0, or -1 with errno.
 */
static int
lacks_tail(struct log *log, size_t at)
{
	int may_have_gaps;

	if (at + 1 == log->segment_count || log->settings.cleanup_compact ||
	    log->end_offset < log->recovery_point ||
	    log->end_offset == log->segments[at + 1]->base_offset)
		return 0;
	may_have_gaps = segment_may_have_gaps(log->segments[at]);
	return may_have_gaps < 0 ? -1 : !may_have_gaps;
}

/* Check the segments from index at on. */
static int
recover_from(struct log *log, size_t at, int64_t now_ms)
{
	for (; at < log->segment_count; at++) {
		bool cut = false;
		int lacks;

		if (log_recover_segment(log, at, &cut) != 0)
			return -1;
		lacks = lacks_tail(log, at);
		if (lacks < 0)
			return -1;
		log->lost_data |= lacks > 0;
		if ((cut || lacks > 0) && drop_from(log, at + 1) != 0)
			return -1;
		if (at + 1 < log->segment_count &&
		    close_recovered(log, at) != 0)
			return -1;
	}
	log_active(log)->created_ms = now_ms;
	return 0;
}

/*
 * After an orderly stop everything is where it was said to be; only the end
 * has to be looked for.  When it is not there the stop was not so orderly.
 */
static int
find_end(struct log *log, const struct log_open *open, bool *broken)
{
	if (segment_activate(log_active(log), open->now_ms) == 0)
		return log_recover_end(log, broken);
	*broken = errno == EBADMSG;
	return *broken ? 0 : -1;
}

static int
load_clean(struct log *log, const struct log_open *open,
    struct log_files *files, bool *broken)
{
	if (find_end(log, open, broken) != 0)
		return -1;
	if (*broken)
		return 0;
	log->recovery_point = log->end_offset;
	return log_producers_load(log, files, log->end_offset, false);
}

/* Offsets from first on up to the active segment's base are gone. */
static void
note_lost(struct log *log, int64_t first)
{
	const struct segment *before = log->segments[log->segment_count - 2];
	struct log_damage damage = {
		.first_offset = first,
		.end_offset = log_active(log)->base_offset,
		.segment_base = before->base_offset,
		.position = before->size_bytes,
		.end_position = before->size_bytes,
	};

	log_damage_note(log, &damage);
}

/*
 * The log ends below offsets that were durable.  They are gone, and never
 * given to other records: the log goes on behind them, in a new segment.
 */
static int
skip_lost(struct log *log, int64_t now_ms)
{
	bool empty = log_active(log)->size_bytes == 0;
	int64_t end = log->end_offset;

	log_error("store",
	    "%s ends at offset %" PRId64 ", but was durable up to %" PRId64
	    "; it goes on there",
	    log->path, log->end_offset, log->recovery_point);
	log->lost_data = true;
	log->end_offset = log->recovery_point;
	if ((empty ? log_segment_replace(log, log->end_offset, now_ms) :
		     log_roll_at(log, log->end_offset, now_ms)) != 0)
		return -1;
	/* Where nothing is in front the log just begins there. */
	if (log->segment_count > 1)
		note_lost(log, end);
	return 0;
}

static int
load_unclean(struct log *log, const struct log_open *open,
    struct log_files *files, bool doubtful)
{
	size_t at = recovery_begin(log, doubtful);

	/* What the batches say counts: the file may tell of others. */
	leader_epochs_truncate_end(
	    &log->epochs, log->segments[at]->base_offset);
	if (log_producers_load(
		log, files, log->segments[at]->base_offset, true) != 0 ||
	    recover_from(log, at, open->now_ms) != 0)
		return -1;
	log_names_changed(log);
	return log->end_offset < log->recovery_point ?
	    skip_lost(log, open->now_ms) :
	    0;
}

static int
load_segments(struct log *log, const struct log_open *open,
    struct log_files *files, bool doubtful)
{
	bool broken = false;

	if (open->clean && !doubtful) {
		if (load_clean(log, open, files, &broken) != 0)
			return -1;
		if (!broken)
			return 0;
		log_warn("store",
		    "%s is not as an orderly stop leaves it;"
		    " checking it",
		    log->path);
		if (log_active(log)->active)
			segment_close(log_active(log));
	}
	return load_unclean(log, open, files, doubtful);
}

/*
 * Make offsets and epochs fit each other.  The checkpoint of log starts has no
 * checksum.  A start that was true is not above what is durable, so one that
 * is above the end is a damaged number, and no reason to drop a record.
 */
void
log_load_end(struct log *log)
{
	int64_t first = log->segments[0]->base_offset;

	if (log->start_offset > log->end_offset) {
		log_error("store",
		    "%s: the log start offset %" PRId64
		    " of the checkpoint is above the log's end %" PRId64
		    "; taking %" PRId64,
		    log->path, log->start_offset, log->end_offset, first);
		log->start_offset = first;
	}
	log->recovery_point = MAX(log->recovery_point, log->start_offset);
	log->high_watermark = log->start_offset;
	leader_epochs_truncate_end(&log->epochs, log->end_offset);
	leader_epochs_truncate_start(&log->epochs, log->start_offset);
}

/* A directory without segments: what was durable is gone, if there was. */
static int
load_empty(struct log *log, int64_t now_ms)
{
	int64_t offset = MAX(log->start_offset, log->recovery_point);

	if (log->recovery_point > log->start_offset) {
		log_error("store",
		    "%s has no segments, but was durable up to offset %" PRId64
		    "; it goes on there",
		    log->path, log->recovery_point);
		log->lost_data = true;
	}
	log->start_offset = offset;
	log->end_offset = offset;
	log->recovery_point = offset;
	log->high_watermark = offset;
	return log_segment_add(log, offset, now_ms);
}

/* Damage that is found now is found only once, so it is kept at once. */
static void
save_damages(struct log *log)
{
	uint8_t *bytes;
	size_t len;

	if (!log->damages_dirty)
		return;
	bytes = log_damages_encode(log, &len);
	/* It is tried again with the next checkpoint of this log. */
	if (log_damages_write(log->disk, log->path, bytes, len) != 0)
		log->damages_dirty = true;
	free(bytes);
}

/* Checkpoints have no checksums: a number that none can be says nothing. */
static int64_t
believable(int64_t offset)
{
	return offset <= LOG_BASE_OFFSET_MAX ? offset : 0;
}

void
log_load_begin(struct log *log, const struct log_open *open)
{
	log->start_offset = believable(open->log_start_offset);
	log->recovery_point = believable(open->recovery_point);
}

static int
load(struct log *log, const struct log_open *open, struct log_files *files)
{
	bool doubtful;
	size_t checked;

	log_load_begin(log, open);
	if (read_metadata(log) != 0 || open_segments(log, files) != 0)
		return -1;
	/* Perhaps no flush of it ever ended. */
	log->creation_dirty = !open->clean && log->recovery_point == 0 &&
	    !uuid_is_zero(log->topic_id);
	if (log->segment_count == 0)
		return load_empty(log, open->now_ms);
	/* No snapshot of producers from before the first segment will do. */
	log->start_offset =
	    MAX(log->start_offset, log->segments[0]->base_offset);
	if (log_damages_read(log, &doubtful) != 0)
		return -1;
	/*
	 * What was found to be rot was durable, whatever has become of the
	 * recovery point: it must not be taken for a torn tail now.
	 */
	if (log->damage_count > 0)
		log->recovery_point = MAX(log->recovery_point,
		    log->damages[log->damage_count - 1].end_offset);
	checked = open->clean && !doubtful ? log->segment_count :
					     recovery_begin(log, doubtful);
	if (log_epochs_load(log, checked) != 0 ||
	    load_segments(log, open, files, doubtful) != 0)
		return -1;
	save_damages(log);
	log_load_end(log);
	return 0;
}

/*
 * What the last run removed may be all the room that a full disk can get, and
 * nobody else knows of it until the log is loaded.
 */
static void
make_room(struct log *log)
{
	while (log_unlink_due(log, 0))
		;
}

struct log *
log_open(const struct log_open *open)
{
	struct log *log = log_new(open);
	struct log_files files;
	int saved;

	if (log_sweep(log, &files) == 0) {
		int result = load(log, open, &files);

		saved = errno;
		log_files_fini(&files);
		if (result == 0)
			return log;
		errno = saved;
		log_error(
		    "store", "cannot load %s: %s", log->path, strerror(saved));
	}
	saved = errno;
	if (disk_is_full(saved))
		make_room(log);
	log_free(log);
	errno = saved;
	return NULL;
}
