/*
 * What compaction costs: a log of records with keys is written to DIRECTORY,
 * cleaned once, and removed again, for each codec, each share of records that
 * a later one of their key supersedes, and two orders of keys:
 *
 *	rounds		all keys in the same order, time and again: what a later
 *			round supersedes stands in whole batches
 *	scattered	as many of each, but in no order: superseded records
 *			stand among others in nearly every batch
 *
 * MB/s of CPU are records of 1 KiB, as they were before they were compressed, by
 * the CPU time, user and system, of the thread that cleans; "codec alone" is the
 * same of a program that does no more than what codec_floor.h says.  "read" and
 * "device" are the bytes that its reads returned and that came from the device,
 * by the bytes of the log's files; "left" is their new size by the old one.
 */
#include "codec_floor.h"

#include "base/base.h"

#include "base/clock.h"
#include "base/rng.h"
#include "store/disk.h"
#include "store/disk_posix.h"
#include "store/fd_cache.h"
#include "store/log.h"
#include "store/log_clean.h"
#include "wire/batch_builder.h"
#include "wire/compression.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define BATCH_BYTES ((size_t)16 << 10)
#define SEGMENT_BYTES (64 << 20)
#define VALUE_LEN 1000
#define RECORD_LEN 1024
/* The cleaner's own: log.cleaner.dedupe.buffer.size, io.buffer.size / 2. */
#define MEMORY_BYTES ((size_t)128 << 20)
#define BUFFER_LEN ((size_t)256 << 10)

enum order {
	ORDER_ROUNDS,
	ORDER_SCATTERED,
};

struct work {
	const char *directory;
	enum compression codec;
	uint32_t records;
	int superseded; /* per cent */
	enum order order;
	bool cold;
};

struct bytes_read {
	uint64_t calls;
	uint64_t device;
};

__attribute__((noreturn)) static void PRINTF_LIKE(1, 2)
die(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "compact: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

/* --- The log -------------------------------------------------------------- */

static struct log *
open_log(struct fd_cache *files, const char *path)
{
	struct log_open open = {
		.disk = disk_posix(),
		.files = files,
		.path = path,
		.now_ms = clock_wall_ms(),
	};
	struct log *log;

	log_settings_init(&open.settings);
	open.settings.segment_bytes = SEGMENT_BYTES;
	open.settings.cleanup_compact = true;
	open.settings.cleanup_delete = false;
	log = log_create(&open, (struct uuid){ { 1 } });
	if (log == NULL)
		die("cannot make %s: %s", path, strerror(errno));
	return log;
}

static void
append(struct log *log, const struct buf *bytes)
{
	struct log_append append = {
		.data = bytes->data,
		.len = bytes->len,
		.origin = LOG_CLIENT,
		.now_ms = clock_wall_ms(),
	};

	log_lock(log);
	if (log_append(log, &append) != KP_NONE)
		die("cannot append");
	log_high_watermark_set(log, log_end_offset(log));
	log_unlock(log);
}

/* Names that repeat, and numbers that do not, as in JSON. */
static void
make_value(struct rng *rng, char value[VALUE_LEN + 1])
{
	size_t len = 0;

	while (len < VALUE_LEN)
		len += (size_t)snprintf(value + len, VALUE_LEN + 1 - len,
		    "\"field_%zu\":\"%08x\",", len % 7,
		    (uint32_t)rng_next(rng));
}

static void
shuffle(uint32_t *keys, uint32_t count)
{
	struct rng rng;

	rng_init(&rng, 2);
	for (uint32_t i = count; i > 1; i--) {
		uint32_t j = (uint32_t)rng_below(&rng, i);
		uint32_t key = keys[i - 1];

		keys[i - 1] = keys[j];
		keys[j] = key;
	}
}

static void
add(struct batch_builder *builder, struct rng *rng, uint32_t key)
{
	char value[VALUE_LEN + 1];
	char text[16];

	make_value(rng, value);
	snprintf(text, sizeof(text), "%015u", key);
	if (batch_builder_add(builder, clock_wall_ms(), slice_str(text),
		slice_of(value, VALUE_LEN)) != 0)
		die("a batch is full");
}

/* All records, batch by batch. */
static void
fill(struct log *log, const struct work *work, const uint32_t *keys)
{
	struct batch_options options = BATCH_OPTIONS_DEFAULT;
	struct batch_builder builder;
	struct rng rng;
	struct buf bytes;

	options.codec = work->codec;
	rng_init(&rng, 1);
	buf_init(&bytes, 2 * BATCH_BYTES);
	for (uint32_t i = 0; i < work->records;) {
		buf_clear(&bytes);
		batch_builder_init(&builder, &options, &bytes);
		do {
			add(&builder, &rng, keys[i++]);
		} while (i < work->records &&
		    batch_builder_size_bytes(&builder) + RECORD_LEN <=
			BATCH_BYTES);
		if (batch_builder_finish(&builder) != 0)
			die("a batch cannot be compressed");
		append(log, &bytes);
	}
	buf_fini(&bytes);
	log_lock(log);
	if (log_roll(log, clock_wall_ms()) != 0)
		die("cannot roll");
	log_unlock(log);
}

/* --- Its cleaning --------------------------------------------------------- */

static double
thread_cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static struct bytes_read
bytes_read(void)
{
	struct bytes_read bytes = { .calls = 0 };
	FILE *file = fopen("/proc/self/io", "re");
	unsigned long number;
	char line[64];

	if (file == NULL)
		die("/proc/self/io: %s", strerror(errno));
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "rchar: %lu", &number) == 1)
			bytes.calls = number;
		else if (sscanf(line, "read_bytes: %lu", &number) == 1)
			bytes.device = number;
	}
	fclose(file);
	return bytes;
}

/* Have nothing of the log in the page cache. */
static void
forget(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;

	if (directory == NULL)
		die("%s: %s", path, strerror(errno));
	while ((entry = readdir(directory)) != NULL) {
		int fd = openat(dirfd(directory), entry->d_name,
		    O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			die("%s: %s", entry->d_name, strerror(errno));
		if (fdatasync(fd) == 0)
			posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		close(fd);
	}
	closedir(directory);
}

/* What a round costs. */
struct cost {
	double cpu_s;
	double wall_s;
	double size;		/* of the log, before and after */
	double left;
	struct bytes_read read;
};

static void
print(const struct work *work, const struct cost *cost, double floor_s)
{
	static const char *const orders[] = { "rounds", "scattered" };
	double plain = (double)work->records * RECORD_LEN;
	char alone[32] = "–";

	if (work->codec != COMPRESSION_NONE)
		snprintf(alone, sizeof(alone), "%.0f", plain / floor_s / 1e6);
	printf("| %s | %d %% | %s | %.0f | %s | %.0f | %.2f | %.2f | %.2f |\n",
	    compression_name(work->codec), work->superseded,
	    orders[work->order], plain / cost->cpu_s / 1e6, alone,
	    plain / cost->wall_s / 1e6, (double)cost->read.calls / cost->size,
	    (double)cost->read.device / cost->size, cost->left / cost->size);
	fflush(stdout);
}

static struct cost
clean(struct log *log)
{
	const struct log_clean_round round = {
		.memory_max = MEMORY_BYTES,
		.map_load_factor = 0.9,
		.buffer_len = BUFFER_LEN,
		.now_ms = clock_wall_ms(),
	};
	struct cost cost = { .size = (double)log_size_bytes(log) };
	struct bytes_read before = bytes_read();
	int64_t wall_us = clock_monotonic_us();
	double cpu_s = thread_cpu_s();
	struct log_clean_stats stats;

	if (log_clean(log, &round, &stats) != LOG_CLEAN_DONE)
		die("the round has failed");
	cost.cpu_s = thread_cpu_s() - cpu_s;
	cost.wall_s = (double)(clock_monotonic_us() - wall_us) / 1e6;
	cost.read = bytes_read();
	cost.read.calls -= before.calls;
	cost.read.device -= before.device;
	cost.left = (double)log_size_bytes(log);
	return cost;
}

static void
run(const struct work *work)
{
	char *path = xasprintf("%s/compact-0", work->directory);
	struct fd_cache *files = fd_cache_new(disk_posix(), 64);
	struct log *log = open_log(files, path);
	uint32_t count = work->records -
	    (uint32_t)((uint64_t)work->records * (uint32_t)work->superseded /
		100);
	uint32_t *keys = xcalloc(work->records, sizeof(*keys));
	double floor_s;
	struct cost cost;

	for (uint32_t i = 0; i < work->records; i++)
		keys[i] = i % count;
	if (work->order == ORDER_SCATTERED)
		shuffle(keys, work->records);
	fill(log, work, keys);
	floor_s = codec_floor_decompress_s(path);
	if (work->cold)
		forget(path);
	cost = clean(log);
	floor_s += codec_floor_compress_s(path);
	print(work, &cost, floor_s);
	log_free(log);
	fd_cache_free(files);
	if (disk_remove_dir(disk_posix(), path) != 0)
		die("cannot remove %s: %s", path, strerror(errno));
	free(keys);
	free(path);
}

/* only is a codec, or -1 for all. */
static void
run_all(struct work work, int only)
{
	static const enum compression codecs[] = { COMPRESSION_NONE,
		COMPRESSION_LZ4, COMPRESSION_ZSTD };
	static const int shares[] = { 0, 50, 90 };

	printf("| codec | superseded | order | MB/s of CPU | codec alone | "
	       "MB/s | read | device | left |\n"
	       "|---|---|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < COUNT_OF(codecs); i++)
		for (size_t j = 0; j < COUNT_OF(shares); j++)
			for (int order = 0; order < 2; order++) {
				/* They are the same without a second round. */
				if (shares[j] == 0 && order != 0)
					continue;
				if (only >= 0 && (int)codecs[i] != only)
					continue;
				work.codec = codecs[i];
				work.superseded = shares[j];
				work.order = (enum order)order;
				run(&work);
			}
}

static int
parse_codec(const char *name)
{
	enum compression codec;

	if (compression_parse(slice_str(name), &codec) != 0)
		die("no such codec: %s", name);
	return (int)codec;
}

int
main(int argc, char **argv)
{
	struct work work = { .records = 1000000 };
	int only = -1;
	int at = 1;

	if (at < argc && strcmp(argv[at], "--cold") == 0) {
		work.cold = true;
		at++;
	}
	if (at + 1 < argc && strcmp(argv[at], "--codec") == 0) {
		only = parse_codec(argv[at + 1]);
		at += 2;
	}
	if (at < argc)
		work.directory = argv[at++];
	if (at < argc)
		work.records = (uint32_t)strtoul(argv[at++], NULL, 10);
	if (work.directory == NULL || work.records == 0 || at < argc)
		die("usage: compact [--cold] [--codec NAME] DIRECTORY "
		    "[RECORDS]");
	run_all(work, only);
	return 0;
}
