/*
 * Each file that tells the state of a data directory, missing, empty, cut in
 * half and with a flipped bit, after an orderly stop of ours, one of Kafka's
 * and a kill.
 *
 * A cell of the table says what a start makes of that.  REBUILT: all batches
 * are served at their offsets, and transactions, epochs, producers and appends
 * are right.  REFUSED: there is no start, a line names the file, and what is
 * on the disk is as it was.  EITHER: one of the two, by what the bit makes of
 * the file; where no checksum covers a number, only refusal can tell.
 *
 * Flips are tried at all bytes of a small file, and here and there in others.
 */
#include "sim/data_dir.h"

#include "base/log.h"
#include "base/map.h"
#include "base/slice.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define FLIPS_MAX 24

enum harm { MISSING, EMPTY, CUT, FLIPPED, HARMS };

enum outcome { REBUILT, REFUSED, EITHER };

struct row {
	const char *path; /* how it ends */
	enum outcome outcomes[HARMS];
};

static const struct row rows[] = {
	/* Whose directory it is. */
	{ "meta.properties", { REFUSED, REFUSED, REFUSED, EITHER } },
	{ "partition.metadata", { REBUILT, REBUILT, REBUILT, EITHER } },

	/* Only a controller without metadata reads it. */
	{ "bootstrap.checkpoint", { REBUILT, REBUILT, REBUILT, REBUILT } },

	/* How the last run ended. */
	{ ".lock", { REBUILT, REBUILT, REBUILT, REBUILT } },
	{ ".kafka_cleanshutdown", { REBUILT, REBUILT, REBUILT, REBUILT } },
	{ ".klamm_closed_logs", { REBUILT, REBUILT, REBUILT, REBUILT } },

	/* Kafka makes them empty, and takes their absence for that. */
	{ "recovery-point-offset-checkpoint",
	    { REBUILT, REBUILT, REFUSED, EITHER } },
	{ "replication-offset-checkpoint",
	    { REBUILT, REBUILT, REFUSED, EITHER } },
	{ "log-start-offset-checkpoint",
	    { REBUILT, REBUILT, REFUSED, EITHER } },
	{ "cleaner-offset-checkpoint", { REBUILT, REBUILT, REFUSED, EITHER } },

	/* Of a partition. */
	{ "leader-epoch-checkpoint", { REBUILT, REBUILT, REBUILT, REBUILT } },
	{ "damaged-ranges", { REBUILT, REBUILT, REBUILT, REBUILT } },
	{ ".index", { REBUILT, REBUILT, REBUILT, REBUILT } },
	{ ".timeindex", { REBUILT, REBUILT, REBUILT, REBUILT } },
	{ ".txnindex", { REBUILT, REBUILT, REBUILT, REBUILT } },
	{ ".snapshot", { REBUILT, REBUILT, REBUILT, REBUILT } },

	/* Of the metadata. */
	{ "quorum-state", { REBUILT, REFUSED, REFUSED, EITHER } },
	{ ".checkpoint", { EITHER, EITHER, EITHER, EITHER } },
};

/* A start on one damaged copy. */
struct start {
	struct data_dir *dir;
	struct data_damage damage;
	enum harm harm;
	struct sim_disk disk;
	char *lines; /* what was logged; owned */
	bool refused;
};

static int lines_fd;

static bool
has_end(const char *path, const char *end)
{
	size_t len = strlen(path), end_len = strlen(end);

	return len >= end_len && strcmp(path + len - end_len, end) == 0;
}

/* --- The damage ---------------------------------------------------------- */

static void
do_harm(struct start *start)
{
	char *path = xasprintf("%s/%s", DATA_DIR_PATH, start->damage.path);
	struct disk *disk = &start->disk.disk;
	size_t at = (size_t)start->damage.position;
	size_t len;
	uint8_t *bytes = data_dir_read(&start->disk, start->damage.path, &len);

	CHECK(bytes != NULL);
	if (start->harm == FLIPPED)
		bytes[at] ^= (uint8_t)(1U << at % 8);
	else
		len = start->harm == CUT ? len / 2 : 0;
	if (start->harm == MISSING)
		CHECK(disk_unlink(disk, path) == 0);
	else
		CHECK(disk_write_file(disk, path, bytes, len, 0644) == 0);
	free(bytes);
	free(path);
}

/* --- What is found ------------------------------------------------------- */

static void
lines_begin(void)
{
	CHECK(ftruncate(lines_fd, 0) == 0 && lseek(lines_fd, 0, SEEK_SET) == 0);
}

static char *
lines_take(void)
{
	off_t len = lseek(lines_fd, 0, SEEK_END);
	char *text = xcalloc(1, (size_t)len + 1);

	CHECK(len >= 0 && pread(lines_fd, text, (size_t)len, 0) == len);
	return text;
}

/* Is it only there to be locked, or to be removed? */
static bool
may_change(const char *path)
{
	return strcmp(path, ".lock") == 0 || has_end(path, ".deleted");
}

/* All others have the same contents. */
static void
check_unchanged(struct start *start, struct sim_disk *before)
{
	for (size_t i = 0; i < start->dir->file_count; i++) {
		const char *path = start->dir->files[i];
		size_t len = 0, len_now = 0;
		uint8_t *bytes = data_dir_read(before, path, &len);
		uint8_t *now = data_dir_read(&start->disk, path, &len_now);

		if (!may_change(path))
			CHECK((bytes == NULL) == (now == NULL) &&
			    len == len_now &&
			    (len == 0 || memcmp(bytes, now, len) == 0));
		free(bytes);
		free(now);
	}
}

/* Is the file named, or the directory that lacks it? */
static bool
is_named(const struct start *start)
{
	const char *path = start->damage.path;
	const char *slash = strrchr(path, '/');
	char *directory = slice_dup(
	    slice_of(path, slash == NULL ? 0 : (size_t)(slash - path)));
	bool named =
	    strstr(start->lines, slash == NULL ? path : slash + 1) != NULL ||
	    (start->harm == MISSING && slash != NULL &&
		strstr(start->lines, directory) != NULL);

	free(directory);
	return named;
}

/* --- A cell -------------------------------------------------------------- */

static void
run(struct start *start, enum outcome expected)
{
	struct data_dir_tally tally = { 0 };
	struct sim_disk before;
	struct rng rng;

	rng_init(&rng, 1);
	sim_disk_init(&before, &rng);
	data_dir_disk(&start->disk, &rng, start->dir);
	do_harm(start);
	sim_disk_copy(&before, &start->disk);
	lines_begin();
	data_dir_check(start->dir, &start->disk, &start->damage, &rng, &tally);
	start->lines = lines_take();
	start->refused = tally.refused > 0;
	CHECK(expected == EITHER || start->refused == (expected == REFUSED));
	if (start->refused) {
		CHECK(is_named(start));
		check_unchanged(start, &before);
	} else {
		CHECK(tally.unseen == 0);
	}
	free(start->lines);
	sim_disk_fini(&start->disk);
	sim_disk_fini(&before);
}

static void
run_cell(struct data_dir *dir, const char *path, enum harm harm,
    enum outcome expected)
{
	static const char *const names[] = { "missing", "empty", "cut",
		"flipped" };
	struct start start = {
		.dir = dir, .damage = { .path = path }, .harm = harm
	};
	size_t len;
	char repeat[200];

	free(data_dir_read(&dir->disk, path, &len));
	for (size_t at = 0; at < (harm == FLIPPED ? len : 1);
	    at += 1 + len / FLIPS_MAX) {
		snprintf(repeat, sizeof(repeat), "%s, %s, byte %zu, end %d",
		    path, names[harm], at, (int)dir->end);
		data_dir_repeat = repeat;
		start.damage.position = harm == FLIPPED ? (int64_t)at : -1;
		run(&start, expected);
	}
}

/* The first row that fits, or NULL: the file has batches, or nothing. */
static const struct row *
row_of(const char *path)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (has_end(path, rows[i].path))
			return &rows[i];
	return NULL;
}

static void
run_end(struct data_dir *dir, size_t *seen)
{
	for (size_t i = 0; i < dir->file_count; i++) {
		const char *path = dir->files[i];
		const struct row *row = row_of(path);

		if (row == NULL)
			continue;
		seen[row - rows]++;
		for (int harm = 0; harm < HARMS; harm++)
			run_cell(
			    dir, path, (enum harm)harm, row->outcomes[harm]);
	}
}

int
main(void)
{
	static struct data_dir dirs[DATA_DIR_ENDS];
	size_t seen[COUNT_OF(rows)] = { 0 };

	map_seed_set(1);
	log_set_level(LOG_FATAL);
	lines_fd = memfd_create("log", MFD_CLOEXEC);
	CHECK(lines_fd >= 0);
	for (int end = 0; end < DATA_DIR_ENDS; end++)
		data_dir_make(&dirs[end], (enum data_dir_end)end);
	log_set_output(lines_fd);
	log_set_level(LOG_INFO);
	for (int end = 0; end < DATA_DIR_ENDS; end++)
		run_end(&dirs[end], seen);
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		CHECK(seen[i] > 0);
	for (int end = 0; end < DATA_DIR_ENDS; end++)
		data_dir_fini(&dirs[end]);
	return 0;
}
