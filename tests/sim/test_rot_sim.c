/*
 * Bit rot: one bit of one file of a data directory flips.
 *
 *	test_rot_sim [COUNT [FIRST]]	seeds FIRST to FIRST + COUNT - 1
 *
 * Each seed is a start on a directory that was closed in order, by us or as
 * Kafka does it, or killed, with one bit wrong in a file of any kind.  The
 * metadata is the same, or refused with a line that says why.  Each partition
 * is there with all of its batches: as they were written, or, the one that was
 * hit, answered with CORRUPT_MESSAGE or served with a checksum that is wrong.
 * Behind the recovery point of a log that was killed the rule of the torn tail
 * holds.  Lookups by time, reads of committed records, epochs and producers
 * are right, and appends go on at offsets that are new.
 *
 * What no checksum covers, in Kafka's formats, may go unseen, and is counted:
 * offset, length and leader epoch in front of a batch that a reader comes to
 * from another one, the offset in a checkpoint of log starts, and the id in
 * partition.metadata, by which a directory is set aside as another topic's.
 *
 * A seed that fails prints the command that repeats it.
 */
#include "sim/data_dir.h"

#include "base/log.h"
#include "base/map.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEEDS_DEFAULT 1500

static struct data_dir dirs[DATA_DIR_ENDS];
static int lines_fd; /* what is logged goes there */

static off_t
lines_len(void)
{
	struct stat st;

	CHECK(fstat(lines_fd, &st) == 0);
	return st.st_size;
}

/* Flip a bit; false where the file has none. */
static bool
flip(struct sim_disk *disk, struct rng *rng, struct data_damage *damage)
{
	char *path = xasprintf("%s/%s", DATA_DIR_PATH, damage->path);
	size_t len;
	uint8_t *bytes = data_dir_read(disk, damage->path, &len);
	unsigned bit;

	CHECK(bytes != NULL);
	if (len > 0) {
		damage->position = (int64_t)rng_below(rng, len);
		bit = (unsigned)rng_below(rng, 8);
		bytes[damage->position] ^= (uint8_t)(1U << bit);
		CHECK(disk_write_file(
			  &disk->disk, path, bytes, len, 0644) == 0);
	}
	free(bytes);
	free(path);
	return len > 0;
}

static void
live(uint64_t seed, bool alone, struct data_dir_tally *tally)
{
	struct data_damage damage;
	char repeat[60];
	struct data_dir *dir;
	struct sim_disk disk;
	struct rng rng;
	uint64_t refused = tally->refused;
	off_t logged = lines_len();

	snprintf(repeat, sizeof(repeat), "tests/sim/test_rot_sim 1 %" PRIu64,
	    seed);
	data_dir_repeat = repeat;
	rng_init(&rng, seed);
	dir = &dirs[rng_below(&rng, DATA_DIR_ENDS)];
	damage.path = dir->files[rng_below(&rng, dir->file_count)];
	data_dir_disk(&disk, &rng, dir);
	if (flip(&disk, &rng, &damage)) {
		if (alone)
			printf("%s, byte %" PRId64 ", after end %d\n",
			    damage.path, damage.position, (int)dir->end);
		data_dir_check(dir, &disk, &damage, &rng, tally);
	}
	CHECK(tally->refused == refused || alone || lines_len() > logged);
	sim_disk_fini(&disk);
}

int
main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : SEEDS_DEFAULT;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	struct data_dir_tally tally = { 0 };

	map_seed_set(1);
	log_set_level(LOG_FATAL);
	for (int end = 0; end < DATA_DIR_ENDS; end++)
		data_dir_make(&dirs[end], (enum data_dir_end)end);
	lines_fd = memfd_create("log", MFD_CLOEXEC);
	CHECK(lines_fd >= 0);
	if (count > 1)
		log_set_output(lines_fd);
	log_set_level(count > 1 ? LOG_ERROR : LOG_DEBUG);
	for (uint64_t i = 0; i < count; i++)
		live(first + i, count == 1, &tally);
	printf("%" PRIu64 " flips: %" PRIu64 " starts refused, %" PRIu64
	    " directories set aside, %" PRIu64 " reads refused, %" PRIu64
	    " bad checksums served, %" PRIu64 " bits unseen, %" PRIu64
	    " ends of the metadata cut\n",
	    count, tally.refused, tally.set_aside, tally.corrupt,
	    tally.bad_checksum, tally.unseen, tally.tail);
	for (int end = 0; end < DATA_DIR_ENDS; end++)
		data_dir_fini(&dirs[end]);
	return 0;
}
