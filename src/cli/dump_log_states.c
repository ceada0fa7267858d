/*
 * The files with few bytes: aborted transactions and producers.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "cli/dump_log.h"
#include "cli/index_file.h"
#include "store/disk.h"

/* --- Aborted transactions ------------------------------------------------ */

static int
print_aborted(struct dump_log *dump, const char *path,
    struct index_file *index)
{
	struct index_file_txn entry;

	for (int64_t i = 0; i < index->count; i++) {
		if (index_file_txn_at(index, i, &entry) != 0)
			return dump_log_fail(dump, path, "%s",
			    strerror(errno));
		if (entry.version > 0)
			return dump_log_fail(dump, path, "Unexpected aborted "
			    "transaction version %d, current version is 0",
			    entry.version);
		fprintf(dump->out,
		    "version: %d producerId: %" PRId64 " firstOffset: %" PRId64
		    " lastOffset: %" PRId64 " lastStableOffset: %" PRId64 "\n",
		    entry.version, entry.producer_id, entry.first_offset,
		    entry.last_offset, entry.last_stable_offset);
	}
	return 0;
}

int
dump_log_txn_index(struct dump_log *dump, const char *path)
{
	int64_t base_offset, size;
	struct index_file *index;
	int fd, result;

	if (dump_log_base_offset(dump, path, &base_offset) != 0)
		return -1;
	fd = dump_log_open(dump, path, &size);
	if (fd < 0)
		return -1;
	index = xmalloc(sizeof(*index));
	index_file_init(index, dump->disk, fd, size, base_offset,
	    INDEX_FILE_TXN_ENTRY_LEN);
	result = print_aborted(dump, path, index);
	free(index);
	disk_close(dump->disk, fd);
	return result;
}

/* --- Producers ----------------------------------------------------------- */

#define SNAPSHOT_VERSION 1
#define SNAPSHOT_HEADER_LEN 10
#define SNAPSHOT_CRC_FROM 6
#define PRODUCER_LEN 46
/* What is read at once, in whole producers. */
#define PIECE_LEN (PRODUCER_LEN * 1024)

static void
print_batch_of(FILE *out, int32_t last_sequence, int64_t last_offset,
    int32_t offset_delta, int64_t timestamp)
{
	/* Sequences go round; 0 comes after INT32_MAX. */
	uint32_t first = (uint32_t)last_sequence - (uint32_t)offset_delta;

	if (last_sequence < offset_delta)
		first += UINT32_C(1) << 31;
	fprintf(out,
	    " firstSequence: %" PRId32 " lastSequence: %" PRId32
	    " lastOffset: %" PRId64 " offsetDelta: %" PRId32
	    " timestamp: %" PRId64,
	    (int32_t)first, last_sequence, last_offset, offset_delta,
	    timestamp);
}

static void
print_producer(FILE *out, const uint8_t *entry)
{
	int64_t last_offset = (int64_t)be64_get(entry + 14);
	int64_t timestamp = (int64_t)be64_get(entry + 26);
	int64_t first_offset = (int64_t)be64_get(entry + 38);

	fprintf(out,
	    "producerId: %" PRId64 " producerEpoch: %d coordinatorEpoch: "
	    "%" PRId32 " currentTxnFirstOffset: ",
	    (int64_t)be64_get(entry), (int16_t)be16_get(entry + 8),
	    (int32_t)be32_get(entry + 34));
	if (first_offset >= 0)
		fprintf(out, "OptionalLong[%" PRId64 "]", first_offset);
	else
		fputs("OptionalLong.empty", out);
	fprintf(out, " lastTimestamp: %" PRId64, timestamp);
	if (last_offset >= 0)
		print_batch_of(out, (int32_t)be32_get(entry + 10),
		    last_offset, (int32_t)be32_get(entry + 22), timestamp);
	fputc('\n', out);
}

/* Print so many producers; fewer where the file was cut meanwhile. */
static int
print_producers(struct dump_log *dump, const char *path, int fd,
    uint32_t count)
{
	int64_t position = SNAPSHOT_HEADER_LEN;
	uint8_t piece[PIECE_LEN];

	while (count > 0) {
		ssize_t n = disk_pread(dump->disk, fd, piece, sizeof(piece),
		    position);

		if (n < PRODUCER_LEN)
			return dump_log_fail(dump, path, "%s",
			    n < 0 ? strerror(errno) : "the file is cut");
		for (ssize_t at = 0; at + PRODUCER_LEN <= n && count > 0;
		    at += PRODUCER_LEN, count--)
			print_producer(dump->out, piece + at);
		position += n - n % PRODUCER_LEN;
	}
	return 0;
}

/* The checksum of a file from a position on; -1 with errno. */
static int
crc_from(struct dump_log *dump, int fd, int64_t position, uint32_t *crc)
{
	uint8_t piece[PIECE_LEN];
	ssize_t n;

	*crc = 0;
	while ((n = disk_pread(dump->disk, fd, piece, sizeof(piece),
		    position)) > 0) {
		*crc = crc32c(*crc, piece, (size_t)n);
		position += n;
	}
	return n < 0 ? -1 : 0;
}

/* Kafka says on standard error that a snapshot is damaged, and goes on. */
static int
complain(struct dump_log *dump, char *complaint)
{
	fflush(dump->out);
	fprintf(dump->err, "%s\n", complaint);
	free(complaint);
	return 0;
}

static char *
schema_complaint(const char *why)
{
	return xasprintf("Snapshot failed schema validation: %s", why);
}

/* What is wrong with the frame, on the heap; NULL where nothing is. */
static char *
check_header(const uint8_t *header, ssize_t len, int64_t size)
{
	int16_t version;
	int32_t count;
	char *why, *complaint;

	if (len < SNAPSHOT_HEADER_LEN)
		return schema_complaint("the file is cut");
	version = (int16_t)be16_get(header);
	if (version != SNAPSHOT_VERSION) {
		why = xasprintf("Snapshot contained an unknown file version "
		    "%d", version);
		complaint = schema_complaint(why);
		free(why);
		return complaint;
	}
	count = (int32_t)be32_get(header + SNAPSHOT_CRC_FROM);
	if (count < 0)
		return schema_complaint("non-nullable field producerEntries "
		    "was serialized as null");
	if ((size - SNAPSHOT_HEADER_LEN) / PRODUCER_LEN < count)
		return schema_complaint("the file is cut");
	return NULL;
}

static int
print_snapshot(struct dump_log *dump, const char *path, int fd, int64_t size)
{
	uint8_t header[SNAPSHOT_HEADER_LEN];
	ssize_t n = disk_pread(dump->disk, fd, header, sizeof(header), 0);
	uint32_t crc;
	char *complaint;

	if (n < 0 || crc_from(dump, fd, SNAPSHOT_CRC_FROM, &crc) != 0)
		return dump_log_fail(dump, path, "%s", strerror(errno));
	complaint = check_header(header, n, size);
	if (complaint != NULL)
		return complain(dump, complaint);
	if (crc != be32_get(header + 2))
		return complain(dump, xasprintf("Snapshot is corrupt (CRC is "
		    "no longer valid). Stored crc: %" PRIu32 ". Computed crc: "
		    "%" PRIu32, be32_get(header + 2), crc));
	return print_producers(dump, path, fd,
	    be32_get(header + SNAPSHOT_CRC_FROM));
}

int
dump_log_producers(struct dump_log *dump, const char *path)
{
	int64_t size;
	int fd = dump_log_open(dump, path, &size);
	int result;

	if (fd < 0)
		return -1;
	result = print_snapshot(dump, path, fd, size);
	disk_close(dump->disk, fd);
	return result;
}
