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
open_segment(struct log *log, int64_t base_offset)
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
	log_segment_push(log, segment);
	return 0;
}

static int
open_segments(struct log *log, const struct log_files *files)
{
	for (size_t i = 0; i < files->base_count; i++) {
		if (open_segment(log, files->bases[i]) != 0)
			return -1;
	}
	return 0;
}

/* --- Recovery ----------------------------------------------------------- */

/* Take the segments from index at out of the log; their files are .deleted. */
static int
drop_from(struct log *log, size_t at, int64_t now_ms)
{
	size_t count = log->segment_count - at;
	int result;

	if (count == 0)
		return 0;
	log_warn("store",
	    "%s: removing %zu segments from offset %" PRId64 " on", log->path,
	    count, log->segments[at]->base_offset);
	log_flush_hold(log);
	result = log_segments_remove(log, at, count, now_ms);
	log_flush_release(log);
	return result;
}

/* What a roll leaves: index files, and a producer snapshot at the next base. */
static int
close_recovered(struct log *log, size_t at)
{
	log->end_offset = log->segments[at + 1]->base_offset;
	if (segment_save(log->segments[at]) != 0 ||
	    log_snapshot_write(log) != 0)
		return -1;
	segment_close(log->segments[at]);
	return 0;
}

/* Check the segments from index at on. */
static int
recover_from(struct log *log, size_t at, int64_t now_ms)
{
	bool cut = false;

	for (; at < log->segment_count; at++) {
		if (log_recover_segment(log, at, &cut) != 0)
			return -1;
		if (cut && drop_from(log, at + 1, now_ms) != 0)
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
	if (segment_activate(log_active(log), open->now_ms) != 0)
		return -1;
	return log_recover_end(log, broken);
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
	return log_producers_load(
	    log, files, log->end_offset, false, open->now_ms);
}

static int
load_unclean(
    struct log *log, const struct log_open *open, struct log_files *files)
{
	size_t at = log_segment_find(log, open->recovery_point);

	if (log_producers_load(log, files, log->segments[at]->base_offset, true,
		open->now_ms) != 0 ||
	    recover_from(log, at, open->now_ms) != 0)
		return -1;
	if (log->end_offset < log->recovery_point)
		log_warn("store",
		    "%s ends at offset %" PRId64 ", below the recovery point "
		    "%" PRId64,
		    log->path, log->end_offset, log->recovery_point);
	log->recovery_point = MIN(log->recovery_point, log->end_offset);
	log_names_changed(log);
	return 0;
}

static int
load_segments(
    struct log *log, const struct log_open *open, struct log_files *files)
{
	bool broken = false;

	if (open->clean) {
		if (load_clean(log, open, files, &broken) != 0)
			return -1;
		if (!broken)
			return 0;
		log_warn("store",
		    "%s is not as an orderly stop leaves it;"
		    " checking it",
		    log->path);
		segment_close(log_active(log));
	}
	return load_unclean(log, open, files);
}

/* A checkpoint of the start that is ahead of the data: begin anew there. */
static int
restart_at_start(struct log *log, int64_t now_ms)
{
	if (drop_from(log, 0, now_ms) != 0)
		return -1;
	log->end_offset = log->start_offset;
	log->recovery_point = log->start_offset;
	producer_state_clear(&log->producers);
	leader_epochs_clear(&log->epochs);
	return log_segment_add(log, log->start_offset, now_ms);
}

static int
load_epochs(struct log *log)
{
	if (leader_epochs_read(&log->epochs, log->disk, log->path) == 0)
		return 0;
	if (errno != EBADMSG)
		return -1;
	log_warn("store", "%s/%s is damaged; deriving it from the batches",
	    log->path, LEADER_EPOCHS_FILE);
	return log_recover_epochs(log);
}

/* Make offsets and epochs fit each other. */
static int
settle(struct log *log, int64_t now_ms)
{
	log->start_offset =
	    MAX(log->start_offset, log->segments[0]->base_offset);
	if (log->end_offset < log->start_offset &&
	    restart_at_start(log, now_ms) != 0)
		return -1;
	log->recovery_point = MAX(log->recovery_point, log->start_offset);
	log->high_watermark = log->start_offset;
	leader_epochs_truncate_end(&log->epochs, log->end_offset);
	leader_epochs_truncate_start(&log->epochs, log->start_offset);
	return 0;
}

static int
load(struct log *log, const struct log_open *open, struct log_files *files)
{
	log->start_offset = open->log_start_offset;
	log->recovery_point = open->recovery_point;
	if (read_metadata(log) != 0 || open_segments(log, files) != 0 ||
	    load_epochs(log) != 0)
		return -1;
	if (log->segment_count == 0) {
		log->end_offset = log->start_offset;
		log->recovery_point = log->start_offset;
		log->high_watermark = log->start_offset;
		return log_segment_add(log, log->start_offset, open->now_ms);
	}
	if (load_segments(log, open, files) != 0)
		return -1;
	/* Kafka forgets them with each load, however it learnt of them. */
	log_producers_expire(log, open->now_ms);
	return settle(log, open->now_ms);
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
	log_free(log);
	errno = saved;
	return NULL;
}
