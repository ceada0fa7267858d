/*
 * Kills and power cuts under load, again and again.
 *
 *	crash [--cycles N] [--seed S] [--partitions N] [--flush acked|os]
 *	    [--volume DEVICE DIRECTORY]
 *
 * Without a volume the broker is killed; with one the data directory is on
 * it, and its power is cut.  After each fault the broker must come back with
 * all that it has acknowledged (load.h).  Ends with 0 where it did, and one
 * line of figures.
 */
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"
#include "faults/load.h"
#include "faults/victim.h"
#include "faults/volume.h"

/* Cycles on one data directory. */
#define LIFE_CYCLES 40

/* Of these cycles one looks at all records again. */
#define WHOLE_AUDIT_EVERY 10

/* A fault comes when up to so many records were acknowledged. */
#define RECORDS_MAX 6000

/* How long a broker goes on without power. */
#define DARK_US 100000

#define IN_FLIGHT 5

/* Each producer has some of each topic. */
#define PARTITIONS_MIN 20

struct crash {
	int cycles;
	uint64_t seed;
	int32_t partitions;
	const char *flush;
	struct volume volume;		/* device NULL: kills */

	struct rng rng;
	struct victim victim;
	struct load load;
	int64_t *ready_us;		/* by cycle */
	int done;
	int64_t acked_records;
	int64_t audited_records;
	int64_t commits;
	int64_t changes;
};

static const char *const mount_options[] = {
	"", "", "nodelalloc", "noauto_da_alloc", "barrier=0",
	"data=writeback", "data=journal", "commit=1",
};

/* --- Faults -------------------------------------------------------------- */

static const char *
choose_options(struct crash *crash)
{
	return mount_options[rng_below(&crash->rng,
	    COUNT_OF(mount_options))];
}

/* The broker, running or starting, is gone afterwards. */
static void
strike(struct crash *crash)
{
	if (crash->volume.device != NULL) {
		/*
		 * Nobody hears of a sync that ends after a power cut; and ext4
		 * says of one that was under way when it was shut down that it
		 * went well, although it did not.
		 */
		load_close(&crash->load);
		volume_cut_power(&crash->volume,
		    rng_below(&crash->rng, 4) == 0);
		usleep((useconds_t)rng_below(&crash->rng, DARK_US));
	}
	broker_process_kill(&crash->victim.broker);
	if (crash->volume.device != NULL) {
		volume_unmount(&crash->volume);
		volume_mount(&crash->volume, choose_options(crash));
	}
}

/* Sometimes a start does not get far, some of them several times. */
static void
strike_starts(struct crash *crash)
{
	while (rng_below(&crash->rng, 4) == 0) {
		broker_process_launch(&crash->victim.broker);
		usleep((useconds_t)rng_below(&crash->rng, 300000));
		strike(crash);
	}
}

static void
restart(struct crash *crash)
{
	int64_t begin = clock_monotonic_us();

	broker_process_restart(&crash->victim.broker);
	crash->ready_us[crash->done] = clock_monotonic_us() - begin;
}

static void
cycle(struct crash *crash, bool whole)
{
	load_start(&crash->load);
	load_await(&crash->load,
	    1 + (int64_t)rng_below(&crash->rng, RECORDS_MAX));
	usleep((useconds_t)rng_below(&crash->rng, 20000));
	strike(crash);
	load_stop(&crash->load);
	strike_starts(crash);
	restart(crash);
	load_audit(&crash->load, whole);
	crash->done++;
}

/* --- Lives --------------------------------------------------------------- */

static void
start_broker(struct crash *crash)
{
	static const char *const intervals[] = { "100", "1000", "60000" };
	const char *interval =
	    intervals[rng_below(&crash->rng, COUNT_OF(intervals))];
	struct victim *victim = &crash->victim;

	victim_init(victim, crash->volume.device == NULL ? NULL :
							   &crash->volume);
	victim_set(victim, "klamm.flush", crash->flush);
	victim_set(victim, "log.flush.offset.checkpoint.interval.ms",
	    interval);
	victim_set(victim, "replica.high.watermark.checkpoint.interval.ms",
	    interval);
	victim_set(victim, "offsets.topic.num.partitions", "3");
	victim_set(victim, "log.segment.bytes", "1048576");
	victim_set(victim, "log.segment.delete.delay.ms", "200");
	victim_set(victim, "log.cleaner.backoff.ms", "200");
	victim_set(victim, "metadata.log.max.record.bytes.between.snapshots",
	    "8192");
	broker_process_restart(&victim->broker);
}

static void
live(struct crash *crash, int cycles)
{
	start_broker(crash);
	load_init(&crash->load, &crash->victim.broker, rng_next(&crash->rng),
	    crash->partitions, IN_FLIGHT);
	for (int i = 1; i <= cycles; i++)
		cycle(crash, i == cycles || i % WHOLE_AUDIT_EVERY == 0);
	crash->acked_records += atomic_load(&crash->load.ledger.acked_records);
	crash->audited_records += crash->load.audited_records;
	crash->commits += atomic_load(&crash->load.committer.commits);
	crash->changes += atomic_load(&crash->load.churn.changes);
	load_fini(&crash->load);
	victim_fini(&crash->victim);
}

/* --- The command --------------------------------------------------------- */

static int
compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void
report(const struct crash *crash)
{
	qsort(crash->ready_us, (size_t)crash->done, sizeof(*crash->ready_us),
	    compare_times);
	printf("%d %s with %d partitions: %lld records acknowledged, %lld "
	       "read back, %lld commits, %lld topics made or deleted, no "
	       "anomaly; ready after %.0f ms (median), %.0f ms (99th "
	       "percentile), %.0f ms (most)\n",
	    crash->done, crash->volume.device == NULL ? "kills" : "power cuts",
	    crash->partitions, (long long)crash->acked_records,
	    (long long)crash->audited_records, (long long)crash->commits,
	    (long long)crash->changes,
	    (double)crash->ready_us[crash->done / 2] / 1000,
	    (double)crash->ready_us[crash->done * 99 / 100] / 1000,
	    (double)crash->ready_us[crash->done - 1] / 1000);
}

__attribute__((noreturn)) static void
usage(void)
{
	fprintf(stderr, "crash [--cycles N] [--seed S] [--partitions N] "
			"[--flush acked|os] [--volume DEVICE DIRECTORY]\n");
	exit(2);
}

static void
read_options(struct crash *crash, int argc, char **argv)
{
	static const struct option options[] = {
		{ "cycles", required_argument, NULL, 'c' },
		{ "seed", required_argument, NULL, 's' },
		{ "partitions", required_argument, NULL, 'p' },
		{ "flush", required_argument, NULL, 'f' },
		{ "volume", required_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (option == 'c')
			crash->cycles = (int)strtol(optarg, NULL, 10);
		else if (option == 's')
			crash->seed = strtoull(optarg, NULL, 10);
		else if (option == 'p')
			crash->partitions = (int32_t)strtol(optarg, NULL, 10);
		else if (option == 'f')
			crash->flush = optarg;
		else if (option == 'v' && optind < argc)
			crash->volume = (struct volume){ optarg,
				argv[optind++] };
		else
			usage();
	if (optind < argc || crash->cycles <= 0 ||
	    crash->partitions < PARTITIONS_MIN)
		usage();
}

int
main(int argc, char **argv)
{
	struct crash crash = {
		.cycles = 10,
		.seed = (uint64_t)clock_wall_ms(),
		.partitions = 1000,
		.flush = "acked",
	};

	read_options(&crash, argc, argv);
	rng_init(&crash.rng, crash.seed);
	crash.ready_us =
	    xcalloc((size_t)crash.cycles, sizeof(*crash.ready_us));
	if (crash.volume.device != NULL)
		volume_mount(&crash.volume, choose_options(&crash));
	while (crash.done < crash.cycles)
		live(&crash, MIN(LIFE_CYCLES, crash.cycles - crash.done));
	if (crash.volume.device != NULL)
		volume_unmount(&crash.volume);
	report(&crash);
	free(crash.ready_us);
	return 0;
}
