#include <errno.h>
#include <inttypes.h>

#include "cli/dump_log.h"
#include "cli/java_text.h"
#include "meta/metadata_snapshot.h"
#include "store/disk.h"
#include "store/file_scan.h"
#include "wire/batch.h"
#include "wire/batch_reader.h"
#include "wire/compression.h"
#include "wire/record.h"

/* One log file, or snapshot of the metadata, on its way. */
struct batch_dump {
	struct dump_log *dump;
	const char *path;
	struct file_scan scan;
	struct batch batch;		/* the current one */
	int64_t last_offset;		/* of the record before; -1: none */
};

static const char *
time_type(const struct batch *batch)
{
	if (batch->magic == 0)
		return "NoTimestampType";
	return batch_has_append_time(batch) ? "LogAppendTime" : "CreateTime";
}

static const char *
yes_no(bool flag)
{
	return flag ? "true" : "false";
}

/* --- Batches ------------------------------------------------------------- */

static void
print_header(FILE *out, const struct batch *batch)
{
	int64_t horizon = batch_delete_horizon(batch);

	fprintf(out,
	    "baseOffset: %" PRId64 " lastOffset: %" PRId64 " count: %" PRId32
	    " baseSequence: %" PRId32 " lastSequence: %" PRId32
	    " producerId: %" PRId64 " producerEpoch: %" PRId16
	    " partitionLeaderEpoch: %" PRId32 " isTransactional: %s"
	    " isControl: %s deleteHorizonMs: ",
	    batch->base_offset, batch->last_offset, batch->record_count,
	    batch->base_sequence, batch_last_sequence(batch),
	    batch->producer_id, batch->producer_epoch, batch->leader_epoch,
	    yes_no(batch_is_transactional(batch)),
	    yes_no(batch_is_control(batch)));
	if ((batch->attributes & BATCH_DELETE_HORIZON) != 0)
		fprintf(out, "OptionalLong[%" PRId64 "]", horizon);
	else
		fputs("OptionalLong.empty", out);
}

static int
print_batch(struct batch_dump *batches)
{
	const struct batch *batch = &batches->batch;
	const char *codec = compression_name(batch_codec(batch));
	FILE *out = batches->dump->out;
	int valid = file_scan_crc_valid(&batches->scan, batch);

	if (valid < 0)
		return dump_log_fail(batches->dump, batches->path, "%s",
		    strerror(errno));
	if (codec == NULL)
		return dump_log_fail(batches->dump, batches->path,
		    "Unknown compression type id: %d", batch_codec(batch));
	if (batch->magic >= BATCH_MAGIC)
		print_header(out, batch);
	else
		fprintf(out, "offset: %" PRId64, batch->last_offset);
	fprintf(out,
	    " position: %" PRId64 " %s: %" PRId64 " size: %zu magic: %d"
	    " compresscodec: %s crc: %" PRIu32 " isvalid: %s\n",
	    batches->scan.position, time_type(batch), batch->max_timestamp,
	    batch->size_bytes, batch->magic, codec, batch->crc,
	    yes_no(valid));
	return 0;
}

/* --- Records ------------------------------------------------------------- */

static void
print_header_keys(FILE *out, const struct record *record)
{
	struct slice headers = record->headers;
	struct record_header header;
	const char *separator = "";

	fputs(" headerKeys: [", out);
	while (record_header_next(&headers, &header)) {
		fputs(separator, out);
		java_text_print(out, header.key);
		separator = ",";
	}
	fputc(']', out);
}

static int32_t
sequence_of(const struct batch *batch, const struct record *record)
{
	if (batch->base_sequence < 0)
		return BATCH_NO_SEQUENCE;
	return batch_sequence_add(batch->base_sequence,
	    (int32_t)(record->offset - batch->base_offset));
}

static int64_t
size_of(struct slice bytes)
{
	return slice_is_null(bytes) ? -1 : (int64_t)bytes.len;
}

/* raw is the message itself, of magics that have a checksum for each. */
static void
print_legacy(FILE *out, struct slice raw)
{
	struct batch message;

	if (batch_read(raw, &message) != 0)
		return;
	raw.len = message.size_bytes;
	fprintf(out, " isValid: %s crc: %" PRIu32,
	    yes_no(batch_crc_valid(raw)), message.crc);
}

static int
print_metadata(struct batch_dump *batches, const struct record *record,
    struct slice raw)
{
	const struct batch *batch = &batches->batch;
	FILE *out = batches->dump->out;

	fprintf(out,
	    "| offset: %" PRId64 " %s: %" PRId64 " keySize: %" PRId64
	    " valueSize: %" PRId64,
	    record->offset, time_type(batch), record->timestamp,
	    size_of(record->key), size_of(record->value));
	if (batch->magic < BATCH_MAGIC) {
		print_legacy(out, raw);
		return 0;
	}
	fprintf(out, " sequence: %" PRId32, sequence_of(batch, record));
	print_header_keys(out, record);
	return batch_is_control(batch)
		   ? dump_log_control(batches->dump, record)
		   : 0;
}

static int
print_record(struct batch_dump *batches, const struct record *record,
    struct slice raw)
{
	struct dump_log *dump = batches->dump;
	const struct dump_log_options *options = dump->options;
	int result = 0;

	if (record->offset != batches->last_offset + 1)
		dump_log_findings_add(&dump->findings, DUMP_LOG_GAP,
		    batches->path, batches->last_offset, record->offset);
	batches->last_offset = record->offset;
	if (!options->skip_record_metadata)
		result = print_metadata(batches, record, raw);
	if (result == 0 && options->print_data &&
	    !batch_is_control(&batches->batch))
		result = dump_log_contents(dump, record,
		    options->skip_record_metadata ? "| " : " ");
	if (result != 0)
		return dump_log_fail(dump, batches->path, "the record at "
		    "offset %" PRId64 " cannot be decoded", record->offset);
	fputc('\n', dump->out);
	return 0;
}

static int
fail_records(struct batch_dump *batches, enum kp_error error)
{
	return dump_log_fail(batches->dump, batches->path,
	    "the records of the batch at position %" PRId64 " %s",
	    batches->scan.position,
	    error == KP_MESSAGE_TOO_LARGE ? "are too large when decompressed"
					  : "are damaged");
}

static int
print_records_of(struct batch_dump *batches, struct slice bytes)
{
	struct batch_reader reader;
	struct record record;
	enum kp_error error = batch_reader_open(&reader, bytes,
	    &batches->dump->scratch);
	struct slice raw;

	if (error != KP_NONE)
		return fail_records(batches, error);
	/* What is left begins with the record that comes next. */
	for (raw = reader.left; batch_reader_next(&reader, &record);
	    raw = reader.left)
		if (print_record(batches, &record, raw) != 0)
			return -1;
	return reader.error == KP_NONE ? 0
				       : fail_records(batches, reader.error);
}

static int
print_records(struct batch_dump *batches)
{
	struct slice bytes;
	uint8_t *heap;
	int result;

	if (batches->scan.size_bytes > DUMP_LOG_BATCH_LEN_MAX)
		return fail_records(batches, KP_MESSAGE_TOO_LARGE);
	bytes = file_scan_bytes(&batches->scan, &heap);
	if (slice_is_null(bytes))
		return dump_log_fail(batches->dump, batches->path, "%s",
		    strerror(errno));
	result = print_records_of(batches, bytes);
	free(heap);
	return result;
}

/* --- Files --------------------------------------------------------------- */

static int
print_title(struct dump_log *dump, const char *path)
{
	const char *name = dump_log_name(path);
	const char *suffix = strrchr(name, '.');
	struct metadata_snapshot_id id;
	int64_t base_offset;

	if (strcmp(suffix, ".log") == 0) {
		if (dump_log_base_offset(dump, path, &base_offset) != 0)
			return -1;
		fprintf(dump->out, "Log starting offset: %" PRId64 "\n",
		    base_offset);
	} else if (strcmp(name, METADATA_SNAPSHOT_BOOTSTRAP) == 0) {
		fputs("KRaft bootstrap snapshot\n", dump->out);
	} else if (metadata_snapshot_name_parse(name, &id) == 0) {
		fprintf(dump->out,
		    "Snapshot end offset: %" PRId64 ", epoch: %" PRId32 "\n",
		    id.end_offset, id.epoch);
	} else {
		return dump_log_fail(dump, path, "its name is not that of a "
		    "snapshot");
	}
	return 0;
}

static int
print_end(struct batch_dump *batches, enum file_scan_step step)
{
	char *problem = dump_log_scan_problem(&batches->scan, step,
	    batches->path);
	int64_t left = batches->scan.end - batches->scan.position;
	int result = 0;

	if (problem != NULL)
		result = dump_log_fail(batches->dump, batches->path, "%s",
		    problem);
	else if (left > 0 && batches->dump->options->max_bytes == INT32_MAX)
		fprintf(batches->dump->out,
		    "Found %" PRId64 " invalid bytes at the end of %s\n", left,
		    dump_log_name(batches->path));
	free(problem);
	return result;
}

/* Batches whose offsets cannot be are no batches to a log, but shown here. */
static enum file_scan_step
next_batch(struct batch_dump *batches)
{
	struct file_scan *scan = &batches->scan;
	enum file_scan_step step = file_scan_next(scan, &batches->batch);
	uint8_t header[BATCH_HEADER_LEN];
	struct batch_frame frame;
	ssize_t n;

	if (step != FILE_SCAN_CORRUPT)
		return step;
	n = disk_pread(scan->disk, scan->fd, header, sizeof(header),
	    scan->position);
	if (n < BATCH_SCAN_LEN ||
	    batch_scan(header, (uint64_t)(scan->end - scan->position),
		&frame) != BATCH_SCAN_WHOLE ||
	    n < (ssize_t)MIN(sizeof(header), frame.size_bytes) ||
	    batch_decode(header, &frame, &batches->batch) != 0)
		return step;
	scan->size_bytes = frame.size_bytes;
	return FILE_SCAN_BATCH;
}

static int
print_batches(struct batch_dump *batches)
{
	bool deep = batches->dump->options->deep_iteration;
	enum file_scan_step step;

	while ((step = next_batch(batches)) == FILE_SCAN_BATCH)
		if (print_batch(batches) != 0 ||
		    (deep && print_records(batches) != 0))
			return -1;
	return print_end(batches, step);
}

int
dump_log_batches(struct dump_log *dump, const char *path)
{
	struct batch_dump batches = {
		.dump = dump,
		.path = path,
		.last_offset = -1,
	};
	int64_t size;
	int fd, result;

	if (print_title(dump, path) != 0)
		return -1;
	fd = dump_log_open(dump, path, &size);
	if (fd < 0)
		return -1;
	file_scan_init(&batches.scan, dump->disk, fd, 0,
	    MIN(size, dump->options->max_bytes), dump->buffer,
	    DUMP_LOG_BUFFER_LEN);
	result = print_batches(&batches);
	disk_close(dump->disk, fd);
	return result;
}
