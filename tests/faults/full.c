/*
 * A disk that fills under load, and heals.
 *
 *	full [--cycles N] [--seed S] --volume DEVICE DIRECTORY
 *
 * The volume is filled with records, or by somebody else's file.  While it is
 * full, produce is refused with an error that clients retry, and all else goes
 * on: reads, commits of offsets, what makes room.  Then the broker goes on,
 * is killed, or is stopped, and starts on the full disk.  In the end room is
 * made, and without a restart every producer gets through.  Nothing that was
 * acknowledged at any time is lost (load.h).  Ends with 0 where all of that
 * was so, and one line of figures.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "faults/load.h"
#include "faults/victim.h"
#include "faults/volume.h"
#include "unit/unit.h"
#include "wire/error.h"
#include "wire/generated/delete_records.h"
#include "wire/generated/delete_topics.h"
#include "wire/generated/incremental_alter_configs.h"
#include "wire/generated/produce.h"

/* Few enough for what a small volume can hold of each. */
#define PARTITIONS 40

/* With one request a producer nothing is sent behind what was refused. */
#define IN_FLIGHT 1

/* The topic that fills the disk. */
#define BALLAST "ballast"
#define BALLAST_VALUE_LEN ((size_t)200 * 1024)

#define FILLER_STEP_MAX ((off_t)1024 * 1024)
#define FILLER_STEP_MIN ((off_t)4096)

#define DEADLINE_MS 60000
#define POLL_US 1000

/* How the disk heals. */
enum cure {
	CURE_FILE,		/* somebody else's file goes */
	CURE_DELETE_TOPIC,
	CURE_DELETE_RECORDS,
	CURE_RETENTION,		/* retention.bytes is lowered */
	CURE_COUNT,
};

/* What happens to the broker while the disk is full. */
enum blow {
	BLOW_NONE,
	BLOW_KILL,
	BLOW_STOP,
	BLOW_COUNT,
};

struct full {
	int cycles;
	uint64_t seed;
	struct volume volume;

	struct rng rng;
	struct victim victim;
	struct load load;
	int64_t acked_records;
	int64_t audited_records;
	int64_t refusals;
	int64_t commits;		/* while the disk was full */
	const char *refusal;		/* the name of the last one's error */
};

/* --- Waiting ------------------------------------------------------------- */

/* Wait until a counter of the load has grown by more. */
static void
await_more(const atomic_llong *counter, int64_t more, const char *what)
{
	int64_t deadline = clock_monotonic_ms() + DEADLINE_MS;
	int64_t goal = atomic_load(counter) + more;

	for (; atomic_load(counter) < goal; usleep(POLL_US))
		if (clock_monotonic_ms() > deadline)
			fail_msg("no %s any more", what);
}

/* --- Filling ------------------------------------------------------------- */

static char *
filler_path(const struct full *full)
{
	return xasprintf("%s/filler", full->volume.directory);
}

/* Take all the room that there is. */
static void
fill_with_file(const struct full *full)
{
	char *path = filler_path(full);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	off_t len = lseek(fd, 0, SEEK_END);

	assert_true(fd >= 0 && len >= 0);
	for (off_t step = FILLER_STEP_MAX; step >= FILLER_STEP_MIN;) {
		if (fallocate(fd, 0, len, step) == 0)
			len += step;
		else if (errno == ENOSPC)
			step /= 2;
		else
			fail_msg("%s: %s", path, strerror(errno));
	}
	close(fd);
	free(path);
}

static enum kp_error
produce_ballast(struct raw_client *client, struct rng *rng)
{
	const struct kp_produce_response *response;
	uint8_t *value;

	arena_reset(&client->arena);
	value = arena_xalloc(&client->arena, BALLAST_VALUE_LEN);
	rng_bytes(rng, value, BALLAST_VALUE_LEN);
	response = raw_client_call(client, KP_PRODUCE_KEY,
	    RAW_TOPIC_PRODUCE_VERSION,
	    raw_topic_produce(client, BALLAST, -1,
		slice_of(value, BALLAST_VALUE_LEN)));
	return (enum kp_error)response->responses[0]
	    .partition_responses[0]
	    .error_code;
}

static void
fill_with_records(struct full *full)
{
	struct raw_client client;
	enum kp_error error;

	raw_client_init(&client, &full->victim.broker);
	while ((error = produce_ballast(&client, &full->rng)) == KP_NONE)
		;
	if (!kp_error_is_retriable(error))
		fail_msg("a full disk: %s", kp_error_name(error));
	raw_client_fini(&client);
}

/* --- While it is full ---------------------------------------------------- */

static void
expect_refusals(struct full *full)
{
	for (int i = 0; i < LOAD_PRODUCERS; i++) {
		await_more(&full->load.producers[i].refusals, 1,
		    "produce is refused");
		full->refusal = kp_error_name(
		    atomic_load(&full->load.producers[i].refused));
	}
}

static void
expect_commits(struct full *full)
{
	enum { COMMITS = 20 };

	await_more(&full->load.committer.commits, COMMITS,
	    "offsets are committed");
	full->commits += COMMITS;
}

static void
strike(struct full *full, enum blow blow)
{
	struct broker_process *broker = &full->victim.broker;

	if (blow == BLOW_NONE) {
		load_stop(&full->load);
	} else if (blow == BLOW_KILL) {
		broker_process_kill(broker);
		load_stop(&full->load);
	} else {
		/* It says so when there was no room for its last files. */
		load_stop(&full->load);
		kill(broker->pid, SIGTERM);
		(void)broker_process_wait(broker);
	}
	if (broker->pid == 0)
		broker_process_restart(broker);
	full->load.disk_full = true;
	load_audit(&full->load, true);
	full->load.disk_full = false;
}

/* --- Making room --------------------------------------------------------- */

static void
remove_filler(const struct full *full)
{
	char *path = filler_path(full);

	assert_int_equal(unlink(path), 0);
	free(path);
}

static void
delete_ballast(struct raw_client *client)
{
	struct slice names[] = { slice_str(BALLAST) };
	struct kp_delete_topics_request request = {
		.topic_names = names,
		.topic_names_count = 1,
		.timeout_ms = DEADLINE_MS,
	};
	const struct kp_delete_topics_response *response =
	    raw_client_call(client, KP_DELETE_TOPICS_KEY, 5, &request);

	assert_int_equal(response->responses_count, 1);
	if (response->responses[0].error_code != KP_NONE)
		fail_msg("deleting a topic on a full disk: %s",
		    kp_error_name(response->responses[0].error_code));
}

static void
delete_ballast_records(struct raw_client *client)
{
	struct kp_delete_records_request_partition partition = {
		.offset = -1,
	};
	struct kp_delete_records_request_topic topic = {
		.name = slice_str(BALLAST),
		.partitions = &partition,
		.partitions_count = 1,
	};
	struct kp_delete_records_request request = {
		.topics = &topic,
		.topics_count = 1,
		.timeout_ms = DEADLINE_MS,
	};
	const struct kp_delete_records_response *response =
	    raw_client_call(client, KP_DELETE_RECORDS_KEY, 2, &request);

	assert_int_equal(response->topics_count, 1);
	if (response->topics[0].partitions[0].error_code != KP_NONE)
		fail_msg("deleting records on a full disk: %s",
		    kp_error_name(
			response->topics[0].partitions[0].error_code));
}

static void
lower_retention(struct raw_client *client)
{
	struct kp_incremental_alter_configs_request_config config = {
		.name = slice_str("retention.bytes"),
		.value = slice_str("1"),
	};
	struct kp_incremental_alter_configs_request_resource resource = {
		.resource_type = 2,
		.resource_name = slice_str(BALLAST),
		.configs = &config,
		.configs_count = 1,
	};
	struct kp_incremental_alter_configs_request request = {
		.resources = &resource,
		.resources_count = 1,
	};
	const struct kp_incremental_alter_configs_response *response =
	    raw_client_call(client, KP_INCREMENTAL_ALTER_CONFIGS_KEY, 1,
		&request);

	assert_int_equal(response->responses_count, 1);
	if (response->responses[0].error_code != KP_NONE)
		fail_msg("changing a topic on a full disk: %s",
		    kp_error_name(response->responses[0].error_code));
}

static void
make_room(struct full *full, enum cure cure)
{
	struct raw_client client;

	raw_client_init(&client, &full->victim.broker);
	if (cure == CURE_FILE)
		remove_filler(full);
	else if (cure == CURE_DELETE_TOPIC)
		delete_ballast(&client);
	else if (cure == CURE_DELETE_RECORDS)
		delete_ballast_records(&client);
	else
		lower_retention(&client);
	raw_client_fini(&client);
}

static void
expect_healed(struct full *full)
{
	enum { REQUESTS = 20 };

	for (int i = 0; i < LOAD_PRODUCERS; i++)
		await_more(&full->load.producers[i].answered, REQUESTS,
		    "requests of a producer get through");
}

/* --- Cycles -------------------------------------------------------------- */

static void
start(struct full *full)
{
	struct victim *victim = &full->victim;
	struct raw_client client;

	victim_init(victim, &full->volume);
	victim_set(victim, "offsets.topic.num.partitions", "2");
	victim_set(victim, "log.segment.bytes", "1048576");
	victim_set(victim, "log.segment.delete.delay.ms", "100");
	victim_set(victim, "log.initial.task.delay.ms", "100");
	victim_set(victim, "log.retention.check.interval.ms", "200");
	broker_process_restart(&victim->broker);
	load_init(&full->load, &victim->broker, rng_next(&full->rng),
	    PARTITIONS, IN_FLIGHT);
	raw_client_init(&client, &victim->broker);
	raw_topic_create(&client, BALLAST, 1);
	raw_client_fini(&client);
}

static void
end(struct full *full)
{
	broker_process_stop(&full->victim.broker);
	full->acked_records += atomic_load(&full->load.ledger.acked_records);
	full->audited_records += full->load.audited_records;
	for (int i = 0; i < LOAD_PRODUCERS; i++)
		full->refusals +=
		    atomic_load(&full->load.producers[i].refusals);
	load_fini(&full->load);
	victim_fini(&full->victim);
}

static void
cycle(struct full *full, enum cure cure, enum blow blow)
{
	start(full);
	load_start(&full->load);
	load_await(&full->load, 1 + (int64_t)rng_below(&full->rng, 1000));
	if (cure == CURE_FILE)
		fill_with_file(full);
	else
		fill_with_records(full);
	expect_refusals(full);
	expect_commits(full);
	strike(full, blow);
	load_start(&full->load);
	expect_refusals(full);
	make_room(full, cure);
	expect_healed(full);
	load_stop(&full->load);
	load_audit(&full->load, true);
	end(full);
}

/* --- The command --------------------------------------------------------- */

__attribute__((noreturn)) static void
usage(void)
{
	fprintf(stderr, "full [--cycles N] [--seed S] "
			"--volume DEVICE DIRECTORY\n");
	exit(2);
}

static void
read_options(struct full *full, int argc, char **argv)
{
	static const struct option options[] = {
		{ "cycles", required_argument, NULL, 'c' },
		{ "seed", required_argument, NULL, 's' },
		{ "volume", required_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (option == 'c')
			full->cycles = (int)strtol(optarg, NULL, 10);
		else if (option == 's')
			full->seed = strtoull(optarg, NULL, 10);
		else if (option == 'v' && optind < argc)
			full->volume = (struct volume){ optarg,
				argv[optind++] };
		else
			usage();
	if (optind < argc || full->cycles <= 0 ||
	    full->volume.device == NULL)
		usage();
}

int
main(int argc, char **argv)
{
	struct full full = {
		.cycles = CURE_COUNT * BLOW_COUNT,
		.seed = (uint64_t)clock_wall_ms(),
	};

	read_options(&full, argc, argv);
	rng_init(&full.rng, full.seed);
	volume_mount(&full.volume, "");
	/* Every cure with every blow before any of them comes again. */
	for (int i = 0; i < full.cycles; i++)
		cycle(&full, (enum cure)(i % CURE_COUNT),
		    (enum blow)(i / CURE_COUNT % BLOW_COUNT));
	volume_unmount(&full.volume);
	printf("%d full disks: %lld records acknowledged, %lld read back, "
	       "%lld refusals (%s), %lld commits while it was full, no "
	       "anomaly\n",
	    full.cycles, (long long)full.acked_records,
	    (long long)full.audited_records, (long long)full.refusals,
	    full.refusal, (long long)full.commits);
	return 0;
}
