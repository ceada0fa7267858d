/*
 * A data directory on a simulated disk, what is known to be in it, and
 * whether a start on a damaged copy of it ends as it must.
 *
 * The directory has the metadata log with a snapshot, and four partitions:
 * `plain` with two leader epochs, `txn` with idempotent producers and
 * transactions, `rotten` with a batch that an earlier start has found to be
 * damaged, and `swap` with what an interrupted compaction and an interrupted
 * removal leave.  What each log has is read from its files when they are made.
 *
 * Functions fail by abort, after a line that says why and what data_dir_repeat
 * was set to.
 */
#ifndef SIM_DATA_DIR_H
#define SIM_DATA_DIR_H

#include "sim/sim_disk.h"

#include "base/rng.h"
#include "base/uuid.h"

#define DATA_DIR_PATH "/data"
#define DATA_DIR_LOGS 4
#define DATA_DIR_NODE 1

/* How the last run ended, and with it what the next start goes by. */
enum data_dir_end {
	DATA_DIR_CLOSED,	/* in order, with .klamm_closed_logs */
	DATA_DIR_STOPPED,	/* in order, as Kafka does */
	DATA_DIR_KILLED,	/* with appends behind the recovery point */
	DATA_DIR_ENDS,
};

struct data_batch {
	int64_t base_offset;
	int64_t last_offset;
	int64_t base_timestamp_ms;	/* each record is one later */
	int64_t producer_id;		/* -1: none */
	int32_t last_sequence;
	int32_t epoch;
	bool transactional;
	bool control;
	bool commit;
	bool lost;		/* was damaged before */
	int64_t segment_base;
	int64_t position;	/* in the segment's file */
	uint8_t *bytes;		/* owned */
	size_t len;
};

struct data_log {
	const char *topic;
	struct uuid id;
	struct data_batch *batches;	/* owned */
	size_t count;
	int64_t recovery_point;
	int64_t end_offset;
};

struct data_dir {
	struct sim_disk disk;
	struct rng rng;
	enum data_dir_end end;
	struct uuid directory_id;
	struct data_log logs[DATA_DIR_LOGS];
	/* The image as records; and as it was before the last batch. */
	char *metadata;
	char *metadata_before;
	char **files;		/* owned: paths below DATA_DIR_PATH */
	size_t file_count;
};

/* What was done to one file. */
struct data_damage {
	const char *path;	/* of data_dir.files */
	int64_t position;	/* of the flipped byte; -1: all of it */
};

/* How often which answer came. */
struct data_dir_tally {
	uint64_t refused;	/* with a line that says why */
	uint64_t set_aside;	/* a partition whose file names another topic */
	uint64_t corrupt;	/* reads answered CORRUPT_MESSAGE */
	uint64_t bad_checksum;	/* batches served that no client takes */
	uint64_t unseen;	/* bits that no checksum covers */
	uint64_t tail;		/* metadata without its last batch */
};

/* The command that repeats what is done now; borrowed. */
extern const char *data_dir_repeat;

void data_dir_make(struct data_dir *dir, enum data_dir_end end);
void data_dir_fini(struct data_dir *dir);

/* The file at path below DATA_DIR_PATH, on the heap; NULL: there is none. */
uint8_t *data_dir_read(struct sim_disk *disk, const char *path, size_t *len);

/* A disk with the directory on it, whose .lock can be locked; once each. */
void data_dir_disk(struct sim_disk *disk, struct rng *rng,
    const struct data_dir *from);

/* Start on disk, a damaged copy, and read all that is there. */
void data_dir_check(struct data_dir *dir, struct sim_disk *disk,
    const struct data_damage *damage, struct rng *rng,
    struct data_dir_tally *tally);

/* --- Of the three files alone ------------------------------------------- */

__attribute__((noreturn)) void data_dir_give_up(const char *file, int line,
    const char *what);

#define CHECK(condition)                                              \
	((condition) ? (void)0 :                                      \
		       data_dir_give_up(__FILE__, __LINE__, #condition))

struct log_manager_settings;
struct log_settings;

/* Settings for a manager on disk. */
void data_dir_manager(struct sim_disk *disk,
    struct log_manager_settings *settings);
/* Its `wanted`; context is the data_dir. */
bool data_dir_wanted(void *context, struct slice topic, int32_t partition,
    struct uuid *topic_id, struct log_settings *settings);

/* Is the directory taken for that of a cluster, and not formatted anew? */
bool data_dir_formatted(const struct data_dir *dir, struct sim_disk *disk);

/*
 * The image as text, which the caller frees: all its records, sorted.  NULL
 * where the metadata is refused.
 */
char *data_dir_metadata(const struct data_dir *dir, struct sim_disk *disk);

#endif
