#include <inttypes.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "cli/dump_log.h"
#include "cli/java_text.h"
#include "cli/message_json.h"
#include "meta/config_keys.h"
#include "meta/image.h"
#include "meta/metadata_record.h"
#include "wire/codec.h"
#include "wire/control_record.h"
#include "wire/generated/consumer_protocol_assignment.h"
#include "wire/generated/consumer_protocol_subscription.h"
#include "wire/generated/control_k_raft_version_record.h"
#include "wire/generated/control_leader_change_message.h"
#include "wire/generated/control_snapshot_footer_record.h"
#include "wire/generated/control_snapshot_header_record.h"
#include "wire/generated/control_voters_record.h"
#include "wire/generated/group_group_metadata.h"
#include "wire/generated/metadata_config_record.h"
#include "wire/record.h"

/* What the decoded form of a record may take. */
#define DECODED_LEN_MAX DUMP_LOG_BATCH_LEN_MAX

/*
 * Decode a message from the start of bytes into arena; as in Kafka bytes may
 * be left over.  NULL where it is none.
 */
static void *
decode(const struct kp_message *m, int version, struct slice bytes,
    struct arena *arena)
{
	void *body = arena_alloc(arena, m->body->size);
	size_t used;

	if (body == NULL || slice_is_null(bytes) ||
	    kp_decode_prefix(m, version, bytes, arena, body, &used) != 0)
		return NULL;
	return body;
}

/* Take the int16 that stands in front of a message; -1 where there is none. */
static int
take_version(struct slice *bytes, int16_t *version)
{
	if (slice_is_null(*bytes) || bytes->len < sizeof(*version))
		return -1;
	*version = (int16_t)be16_get(bytes->data);
	*bytes = slice_of(bytes->data + sizeof(*version),
	    bytes->len - sizeof(*version));
	return 0;
}

/* --- Plain --------------------------------------------------------------- */

static size_t
len_min(enum dump_log_type type)
{
	switch (type) {
	case DUMP_LOG_TYPE_INTEGER:
		return sizeof(int32_t);
	case DUMP_LOG_TYPE_LONG:
		return sizeof(int64_t);
	case DUMP_LOG_TYPE_TEXT:
		break;
	}
	return 0;
}

/* As in Kafka bytes may be left over. */
static void
print_bytes(struct dump_log *dump, enum dump_log_type type,
    struct slice bytes)
{
	switch (type) {
	case DUMP_LOG_TYPE_INTEGER:
		fprintf(dump->out, "%" PRId32, (int32_t)be32_get(bytes.data));
		break;
	case DUMP_LOG_TYPE_LONG:
		fprintf(dump->out, "%" PRId64, (int64_t)be64_get(bytes.data));
		break;
	case DUMP_LOG_TYPE_TEXT:
		java_text_print(dump->out, bytes);
		break;
	}
}

static bool
is_of(enum dump_log_type type, struct slice bytes)
{
	return slice_is_null(bytes) || bytes.len >= len_min(type);
}

static int
print_plain(struct dump_log *dump, const struct record *record,
    const char *prefix)
{
	const struct dump_log_options *options = dump->options;

	if (!is_of(options->key_type, record->key) ||
	    !is_of(options->value_type, record->value))
		return -1;
	if (!slice_is_null(record->key)) {
		fprintf(dump->out, "%skey: ", prefix);
		print_bytes(dump, options->key_type, record->key);
		prefix = " ";
	}
	if (!slice_is_null(record->value)) {
		fprintf(dump->out, "%spayload: ", prefix);
		print_bytes(dump, options->value_type, record->value);
	}
	return 0;
}

/* --- Metadata ------------------------------------------------------------ */

/* MetadataRecordType's name: FeatureLevelRecord is FEATURE_LEVEL_RECORD. */
static void
print_type_name(FILE *out, const char *name)
{
	for (const char *p = name; *p != '\0'; p++) {
		bool upper = *p >= 'A' && *p <= 'Z';

		if (upper && p > name)
			fputc('_', out);
		fputc(upper ? *p : *p - 'a' + 'A', out);
	}
}

/*
 * Passwords among the settings are left out, as RecordRedactor of Kafka does
 * it, which its own tool does not use.
 */
static const void *
redacted(const struct metadata_record *decoded, struct arena *arena)
{
	struct kp_config_record *config;

	if (decoded->type != METADATA_RECORD_CONFIG)
		return decoded->body;
	config = arena_xalloc(arena, sizeof(*config));
	memcpy(config, decoded->body, sizeof(*config));
	if (config->resource_type == IMAGE_CONFIG_BROKER &&
	    !slice_is_null(config->value) && config_key_secret(config->name))
		config->value = slice_str("(redacted)");
	return config;
}

static void
print_metadata(struct dump_log *dump, const struct record *record,
    const char *prefix)
{
	struct message_json json = { .out = dump->out };
	struct metadata_record decoded;
	const struct kp_message *m;
	const char *reason;
	struct arena arena;

	arena_init(&arena, DECODED_LEN_MAX);
	fprintf(dump->out, "%spayload: ", prefix);
	if (metadata_record_decode(record->value, &arena, &decoded,
		&reason) != 0) {
		fprintf(dump->out, "Error at %" PRId64 ", skipping. %s",
		    record->offset, reason);
	} else {
		m = metadata_record_message((int32_t)decoded.type);
		fputs("{\"type\":\"", dump->out);
		print_type_name(dump->out, m->name);
		fprintf(dump->out, "\",\"version\":%d,\"data\":",
		    decoded.version);
		message_json_print(&json, m, decoded.version,
		    redacted(&decoded, &arena));
		fputc('}', dump->out);
	}
	arena_reset(&arena);
}

/* --- Coordinators -------------------------------------------------------- */

/* A record of a coordinator's log, decoded as far as that goes. */
struct coordinated {
	int16_t type;
	int16_t version;
	const struct kp_record *record;
	void *key;
	void *value;		/* NULL: a tombstone */
	char *error;		/* owned; why it could not be decoded */
	bool unknown_type;
};

static char *
unreadable(int16_t version, const char *what)
{
	return xasprintf("Could not read record with version %d from %s's "
	    "buffer due to: it is damaged.", version, what);
}

static char *
coordinated_decode_value(struct coordinated *decoded, struct slice value,
    struct arena *arena)
{
	const struct kp_message *m = decoded->record->value;

	if (slice_is_null(value))
		return NULL;
	if (take_version(&value, &decoded->version) != 0)
		return xstrdup("Could not read version from value's buffer.");
	if (!kp_version_valid(m, decoded->version))
		return xasprintf("Found an unknown record version %d for %d "
		    "type", decoded->version, decoded->type);
	decoded->value = decode(m, decoded->version, value, arena);
	return decoded->value == NULL ? unreadable(decoded->version, "value")
				      : NULL;
}

static char *
coordinated_decode(struct coordinated *decoded, enum kp_log log,
    const struct record *record, struct arena *arena)
{
	struct slice key = record->key;
	const struct kp_message *m;

	if (take_version(&key, &decoded->type) != 0)
		return xstrdup("Could not read version from key's buffer.");
	decoded->record = kp_record_find(log, decoded->type);
	if (decoded->record == NULL) {
		decoded->unknown_type = true;
		return NULL;
	}
	m = decoded->record->key;
	decoded->key = decode(m, m->version_min, key, arena);
	if (decoded->key == NULL)
		return unreadable(decoded->type, "key");
	return coordinated_decode_value(decoded, record->value, arena);
}

/* What a member of a classic consumer group sent, behind its version. */
static bool
print_consumer_bytes(struct message_json *json, const char *name,
    struct slice bytes)
{
	struct message_json plain = { .out = json->out };
	const struct kp_message *m;
	struct arena arena;
	int16_t version;
	void *body;

	if (strcmp(name, "subscription") == 0)
		m = &kp_consumer_protocol_subscription;
	else if (strcmp(name, "assignment") == 0)
		m = &kp_consumer_protocol_assignment;
	else
		return false;
	if (take_version(&bytes, &version) != 0)
		return false;
	arena_init(&arena, DECODED_LEN_MAX);
	body = decode(m, version, bytes, &arena);
	if (body != NULL)
		message_json_print(&plain, m, version, body);
	arena_reset(&arena);
	return body != NULL;
}

static void
print_value(struct dump_log *dump, const struct coordinated *decoded)
{
	const struct kp_message *m = decoded->record->value;
	struct message_json json = { .out = dump->out };

	if (m == &kp_group_metadata_value) {
		const struct kp_group_metadata_value *group = decoded->value;

		if (slice_equal_str(group->protocol_type, "consumer"))
			json.print_bytes = print_consumer_bytes;
	}
	fprintf(dump->out, "{\"version\":\"%d\",\"data\":", decoded->version);
	message_json_print(&json, m, decoded->version, decoded->value);
	fputc('}', dump->out);
}

static void
print_coordinated(struct dump_log *dump, const struct coordinated *decoded,
    int64_t offset, const char *prefix)
{
	struct message_json json = { .out = dump->out };
	const struct kp_message *m;

	fprintf(dump->out, "%skey: ", prefix);
	if (decoded->error != NULL) {
		fprintf(dump->out, "Error at offset %" PRId64 ", skipping. %s",
		    offset, decoded->error);
	} else if (decoded->unknown_type) {
		fprintf(dump->out, "Unknown record type %d at offset %" PRId64
		    ", skipping.", decoded->type, offset);
	} else {
		m = decoded->record->key;
		fprintf(dump->out, "{\"type\":\"%d\",\"data\":",
		    decoded->type);
		message_json_print(&json, m, m->version_min, decoded->key);
		fputs("} payload: ", dump->out);
		if (decoded->value == NULL)
			fputs("<DELETE>", dump->out);
		else
			print_value(dump, decoded);
	}
}

static int
print_coordinator(struct dump_log *dump, enum kp_log log,
    const struct record *record, const char *prefix)
{
	struct coordinated decoded = { 0 };
	struct arena arena;

	if (slice_is_null(record->key))
		return -1;
	arena_init(&arena, DECODED_LEN_MAX);
	decoded.error = coordinated_decode(&decoded, log, record, &arena);
	print_coordinated(dump, &decoded, record->offset, prefix);
	free(decoded.error);
	arena_reset(&arena);
	return 0;
}

int
dump_log_contents(struct dump_log *dump, const struct record *record,
    const char *prefix)
{
	switch (dump->options->decoder) {
	case DUMP_LOG_DECODER_OFFSETS:
		return print_coordinator(dump, KP_LOG_GROUP, record, prefix);
	case DUMP_LOG_DECODER_TRANSACTION:
		return print_coordinator(dump, KP_LOG_TRANSACTION, record,
		    prefix);
	case DUMP_LOG_DECODER_SHARE:
		return print_coordinator(dump, KP_LOG_SHARE, record, prefix);
	case DUMP_LOG_DECODER_METADATA:
		print_metadata(dump, record, prefix);
		return 0;
	case DUMP_LOG_DECODER_REMOTE:
		dump_log_remote(dump, record, prefix);
		return 0;
	case DUMP_LOG_DECODER_TEXT:
		break;
	}
	return print_plain(dump, record, prefix);
}

/* --- Control records ----------------------------------------------------- */

struct control {
	enum control_record_type type;
	const char *title;
	const struct kp_message *message;
};

static const struct control controls[] = {
	{ CONTROL_RECORD_LEADER_CHANGE, " LeaderChange: ",
	    &kp_leader_change_message },
	{ CONTROL_RECORD_SNAPSHOT_HEADER, " SnapshotHeader ",
	    &kp_snapshot_header_record },
	{ CONTROL_RECORD_SNAPSHOT_FOOTER, " SnapshotFooter ",
	    &kp_snapshot_footer_record },
	{ CONTROL_RECORD_KRAFT_VERSION, " KRaftVersion ",
	    &kp_k_raft_version_record },
	{ CONTROL_RECORD_KRAFT_VOTERS, " KRaftVoters ", &kp_voters_record },
};

/*
 * Kafka reads them at version 0, and prints them at the version that their
 * first field says.
 */
static int
print_control_message(struct dump_log *dump, const struct control *control,
    struct slice value)
{
	struct message_json json = { .out = dump->out };
	struct arena arena;
	int16_t version;
	void *body;

	arena_init(&arena, DECODED_LEN_MAX);
	body = decode(control->message, 0, value, &arena);
	if (body != NULL) {
		version = *(const int16_t *)body;
		if (!kp_version_valid(control->message, version))
			version = 0;
		fputs(control->title, dump->out);
		message_json_print(&json, control->message, version, body);
	}
	arena_reset(&arena);
	return body == NULL ? -1 : 0;
}

static int
print_marker(struct dump_log *dump, const char *name, struct slice value)
{
	int32_t coordinator_epoch;

	if (slice_is_null(value) ||
	    control_record_marker_read(value, &coordinator_epoch) != 0)
		return -1;
	fprintf(dump->out, " endTxnMarker: %s coordinatorEpoch: %" PRId32,
	    name, coordinator_epoch);
	return 0;
}

int
dump_log_control(struct dump_log *dump, const struct record *record)
{
	enum control_record_type type;

	if (slice_is_null(record->key) ||
	    control_record_key_read(record->key, &type) != 0)
		return -1;
	if (type == CONTROL_RECORD_ABORT)
		return print_marker(dump, "ABORT", record->value);
	if (type == CONTROL_RECORD_COMMIT)
		return print_marker(dump, "COMMIT", record->value);
	for (size_t i = 0; i < COUNT_OF(controls); i++)
		if (controls[i].type == type)
			return print_control_message(dump, &controls[i],
			    record->value);
	fprintf(dump->out, " controlType: UNKNOWN(%d)",
	    (int16_t)be16_get(record->key.data + 2));
	return 0;
}
