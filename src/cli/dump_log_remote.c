/*
 * Records of __remote_log_metadata, as the toString of Kafka's classes has
 * them.  klamm writes none; other brokers' directories may have some.
 */
#include <inttypes.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "cli/dump_log.h"
#include "cli/java_text.h"
#include "wire/codec.h"
#include "wire/generated/remote_log_segment_metadata_record.h"
#include "wire/generated/remote_log_segment_metadata_update_record.h"
#include "wire/generated/remote_partition_delete_metadata_record.h"
#include "wire/record.h"

#define FRAME_VERSION 1

static const char *const segment_states[] = { "COPY_SEGMENT_STARTED",
	"COPY_SEGMENT_FINISHED", "DELETE_SEGMENT_STARTED",
	"DELETE_SEGMENT_FINISHED" };
static const char *const partition_states[] = { "DELETE_PARTITION_MARKED",
	"DELETE_PARTITION_STARTED", "DELETE_PARTITION_FINISHED" };

/* --- Parts ---------------------------------------------------------------- */

static void
print_uuid(FILE *out, struct uuid id)
{
	char text[UUID_TEXT_LEN + 1];

	uuid_format(id, text);
	fputs(text, out);
}

static void
print_partition(FILE *out, struct uuid id, struct slice name,
    int32_t partition)
{
	print_uuid(out, id);
	fputc(':', out);
	java_text_print(out, name);
	fprintf(out, "-%" PRId32, partition);
}

/* Both kinds of segments' records begin so. */
static void
print_segment_id(FILE *out,
    const struct kp_remote_log_segment_metadata_record_remote_log_segment_id
	*id)
{
	fputs("{remoteLogSegmentId=RemoteLogSegmentId{topicIdPartition=", out);
	print_partition(out, id->topic_id_partition.id,
	    id->topic_id_partition.name, id->topic_id_partition.partition);
	fputs(", id=", out);
	print_uuid(out, id->id);
	fputc('}', out);
}

static void
print_custom(FILE *out, struct slice custom)
{
	if (slice_is_null(custom))
		fputs(", customMetadata=Optional.empty", out);
	else
		fprintf(out, ", customMetadata=Optional[CustomMetadata{%zu "
		    "bytes}]", custom.len);
}

static void
print_state(FILE *out, const char *const *states, size_t count, int8_t state)
{
	if (state >= 0 && (size_t)state < count)
		fprintf(out, ", state=%s", states[state]);
	else
		fputs(", state=null", out);
}

/* --- Records -------------------------------------------------------------- */

static void
print_segment(FILE *out, const void *body)
{
	const struct kp_remote_log_segment_metadata_record *record = body;

	fputs("RemoteLogSegmentMetadata", out);
	print_segment_id(out, &record->remote_log_segment_id);
	fprintf(out, ", startOffset=%" PRId64 ", endOffset=%" PRId64
	    ", brokerId=%" PRId32 ", maxTimestampMs=%" PRId64
	    ", eventTimestampMs=%" PRId64 ", segmentLeaderEpochs={",
	    record->start_offset, record->end_offset, record->broker_id,
	    record->max_timestamp_ms, record->event_timestamp_ms);
	for (int32_t i = 0; i < record->segment_leader_epochs_count; i++)
		fprintf(out, "%s%" PRId32 "=%" PRId64, i > 0 ? ", " : "",
		    record->segment_leader_epochs[i].leader_epoch,
		    record->segment_leader_epochs[i].offset);
	fprintf(out, "}, segmentSizeInBytes=%" PRId32,
	    record->segment_size_in_bytes);
	print_custom(out, record->custom_metadata);
	print_state(out, segment_states, COUNT_OF(segment_states),
	    record->remote_log_segment_state);
	fprintf(out, ", txnIdxEmpty=%s}",
	    record->txn_index_empty ? "true" : "false");
}

static void
print_update(FILE *out, const void *body)
{
	const struct kp_remote_log_segment_metadata_update_record *record =
	    body;
	const struct
	    kp_remote_log_segment_metadata_update_record_remote_log_segment_id
		*in = &record->remote_log_segment_id;
	const struct kp_remote_log_segment_metadata_record_remote_log_segment_id
	    id = {
		    .topic_id_partition = { in->topic_id_partition.name,
			in->topic_id_partition.id,
			in->topic_id_partition.partition },
		    .id = in->id,
	    };

	fputs("RemoteLogSegmentMetadataUpdate", out);
	print_segment_id(out, &id);
	print_custom(out, record->custom_metadata);
	print_state(out, segment_states, COUNT_OF(segment_states),
	    record->remote_log_segment_state);
	fprintf(out, ", eventTimestampMs=%" PRId64 ", brokerId=%" PRId32 "}",
	    record->event_timestamp_ms, record->broker_id);
}

static void
print_deletion(FILE *out, const void *body)
{
	const struct kp_remote_partition_delete_metadata_record *record =
	    body;

	fputs("RemotePartitionDeleteMetadata{topicPartition=", out);
	print_partition(out, record->topic_id_partition.id,
	    record->topic_id_partition.name,
	    record->topic_id_partition.partition);
	print_state(out, partition_states, COUNT_OF(partition_states),
	    record->remote_partition_delete_state);
	fprintf(out, ", eventTimestampMs=%" PRId64 ", brokerId=%" PRId32 "}",
	    record->event_timestamp_ms, record->broker_id);
}

static const struct kind {
	const struct kp_message *message;
	void (*print)(FILE *out, const void *body);
} kinds[] = {
	{ &kp_remote_log_segment_metadata_record, print_segment },
	{ &kp_remote_log_segment_metadata_update_record, print_update },
	{ &kp_remote_partition_delete_metadata_record, print_deletion },
};

/* --- The frame ------------------------------------------------------------ */

static bool
take_uvarint(struct slice *bytes, uint32_t *value)
{
	size_t len = bytes->len == 0 ?
	    0 :
	    uvarint_get(bytes->data, bytes->data + bytes->len, value);

	*bytes = slice_of(bytes->data + len, bytes->len - len);
	return len > 0;
}

/* Take type and version off bytes; NULL, or what Kafka finds wrong. */
static char *
take_frame(struct slice *bytes, uint32_t *type, uint32_t *version)
{
	uint32_t frame;

	if (!take_uvarint(bytes, &frame))
		return xstrdup("Error while reading frame version");
	if (frame == 0)
		return xstrdup("Could not deserialize metadata record with "
		    "frame version 0. Note that upgrades from the preview "
		    "release of KRaft in 2.8 to newer versions are not "
		    "supported.");
	if (frame != FRAME_VERSION)
		return xasprintf("Could not deserialize metadata record due "
		    "to unknown frame version %" PRIu32 "(only frame version "
		    "1 is supported)", frame);
	if (!take_uvarint(bytes, type))
		return xstrdup("Error while reading type");
	if (!take_uvarint(bytes, version))
		return xstrdup("Error while reading version");
	if (*type >= COUNT_OF(kinds))
		return xasprintf("org.apache.kafka.common.errors."
		    "UnsupportedVersionException: Unknown metadata id %"
		    PRId32, (int32_t)*type);
	return NULL;
}

static char *
print_remote(FILE *out, struct slice bytes, struct arena *arena)
{
	uint32_t type, version;
	const struct kind *kind;
	char *error;
	void *body;
	size_t used;

	if (slice_is_null(bytes))
		return xstrdup("There is no value.");
	error = take_frame(&bytes, &type, &version);
	if (error != NULL)
		return error;
	kind = &kinds[type];
	body = arena_alloc(arena, kind->message->body->size);
	if (body == NULL || version > INT16_MAX ||
	    !kp_version_valid(kind->message, (int)version) ||
	    kp_decode_prefix(kind->message, (int)version, bytes, arena, body,
		&used) != 0)
		return xasprintf("Failed to deserialize record with type "
		    "%" PRIu32, type);
	kind->print(out, body);
	return NULL;
}

void
dump_log_remote(struct dump_log *dump, const struct record *record,
    const char *prefix)
{
	struct arena arena;
	char *error;

	arena_init(&arena, DUMP_LOG_BATCH_LEN_MAX);
	fprintf(dump->out, "%spayload: ", prefix);
	error = print_remote(dump->out, record->value, &arena);
	if (error != NULL)
		fprintf(dump->out, "Error at offset %" PRId64
		    ", skipping. %s", record->offset, error);
	free(error);
	arena_reset(&arena);
}
