/*
 * klamm dump-log over files with any bytes: all of them are printed and
 * verified, with every decoder, to an end or to a complaint.
 *
 * Input: a byte of flags (bits 0-2: the decoder, 3: make the batches'
 * checksums right, 4: the metadata log), then with two bytes of length each
 * the files .index, .timeindex, .txnindex and .snapshot; the rest is the .log
 * file, which is also a .checkpoint.
 */
#include "base/base.h"
#include "base/log.h"
#include "cli/dump_log.h"
#include "cli/exit_code.h"
#include "fuzz/input.h"
#include "store/disk.h"
#include "store/disk_posix.h"

#include <sys/stat.h>
#include <unistd.h>

#define SECTIONS 4
#define FLAG_SEALED 0x08
#define FLAG_METADATA 0x10
#define DECODERS (DUMP_LOG_DECODER_SHARE + 1)

static const char *const names[] = { "00000000000000000000.index",
	"00000000000000000000.timeindex", "00000000000000000000.txnindex",
	"00000000000000000000.snapshot", "00000000000000000000.log",
	"00000000000000000000-0000000000.checkpoint" };

/* Logs of any kind, and the metadata's. */
static const char *const partitions[] = { "t-0", "__cluster_metadata-0" };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *directory;
static FILE *nowhere;

static void
drop_directory(void)
{
	for (size_t i = 0; i < COUNT_OF(partitions); i++) {
		char *path = xasprintf("%s/%s", directory, partitions[i]);

		assert(disk_remove_dir(disk_posix(), path) == 0);
		free(path);
	}
	assert(disk_remove_dir(disk_posix(), directory) == 0);
	free(directory);
	fclose(nowhere);
}

static void
make_directory(void)
{
	const char *tmp = getenv("TMPDIR");

	if (directory != NULL)
		return;
	log_set_level(LOG_FATAL);
	nowhere = fopen("/dev/null", "we");
	assert(nowhere != NULL);
	directory = xasprintf("%s/klamm-dump-%d", tmp == NULL ? "/tmp" : tmp,
	    (int)getpid());
	assert(mkdir(directory, 0755) == 0);
	atexit(drop_directory);
}

static void
write_file(const char *partition, const char *name, struct slice bytes)
{
	char *path = xasprintf("%s/%s/%s", directory, partition, name);

	assert(disk_write_file(
		   disk_posix(), path, bytes.data, bytes.len, 0644) == 0);
	free(path);
}

static void
write_files(const char *partition, struct slice input, bool sealed)
{
	char *path = xasprintf("%s/%s", directory, partition);
	uint8_t *copy;

	for (size_t i = 0; i < COUNT_OF(partitions); i++) {
		char *other = xasprintf("%s/%s", directory, partitions[i]);

		assert(disk_remove_dir(disk_posix(), other) == 0);
		free(other);
	}
	assert(mkdir(path, 0755) == 0);
	free(path);
	for (size_t i = 0; i < SECTIONS; i++)
		write_file(partition, names[i], fuzz_take_section(&input));
	copy = xmalloc(input.len);
	if (input.len > 0)
		memcpy(copy, input.data, input.len);
	if (sealed)
		fuzz_seal_batches(copy, input.len);
	for (size_t i = SECTIONS; i < COUNT_OF(names); i++)
		write_file(partition, names[i], slice_of(copy, input.len));
	free(copy);
}

static void
expect_end(int code)
{
	assert(code == EXIT_OK || code == EXIT_FAILED);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = slice_of(data, size);
	struct slice first = fuzz_take(&input, 1);
	uint8_t flags = first.len == 1 ? first.data[0] : 0;
	const char *partition = partitions[(flags & FLAG_METADATA) != 0];
	struct dump_log_options options = {
		.decoder = (enum dump_log_decoder)((flags & 7) % DECODERS),
		.print_data = true,
		.deep_iteration = true,
		.max_message_size = INT32_MAX,
		.max_bytes = INT32_MAX,
		.directories = &directory,
		.directories_count = 1,
	};

	make_directory();
	write_files(partition, input, (flags & FLAG_SEALED) != 0);
	options.directories = &directory;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		char *path = xasprintf("%s/%s/%s", directory, partition,
		    names[i]);

		options.files = path;
		expect_end(dump_log_run(&options, disk_posix(), nowhere,
		    nowhere));
		options.index_sanity_check = true;
		expect_end(dump_log_run(&options, disk_posix(), nowhere,
		    nowhere));
		options.index_sanity_check = false;
		free(path);
	}
	expect_end(dump_log_deep(&options, disk_posix(), nowhere));
	return 0;
}
