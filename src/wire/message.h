/*
 * How messages are described: the field tables that the one codec walks.
 *
 * protocol/generate.py writes a struct and a table for every message of the
 * protocol and of the logs from the definitions in protocol/.  The headers in
 * wire/generated/ declare, for a message M with nested struct T:
 *
 *	struct kp_M, struct kp_M_T		the data
 *	extern const struct kp_message kp_M	its description
 *	extern const struct kp_struct kp_M_T_struct
 *
 * How Kafka's types look in C:
 *
 *	string, bytes	struct slice; null is data NULL
 *	uuid		struct uuid
 *	float64		double
 *	[]T		T *name; int32_t name_count; null is a count of -1
 *	struct		embedded; if nullable `const struct T *`, null is NULL
 *	records		struct kp_records
 *	error codes	int16_t holding an enum kp_error
 *
 * All descriptions are constant, so any thread may use them.
 */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include "base/base.h"

struct arena;

/* The version that no message reaches: "never", or "and all later ones". */
#define KP_VERSION_NEVER 127

enum kp_kind {
	KP_BOOL,
	KP_INT8,
	KP_INT16,
	KP_UINT16,
	KP_INT32,
	KP_UINT32,
	KP_INT64,
	KP_FLOAT64,
	KP_UUID,
	KP_STRING,
	KP_STRING_PLAIN,	/* never compact, in flexible versions too */
	KP_BYTES,
	KP_RECORDS,
	KP_STRUCT,
	KP_STRUCT_POINTER,	/* a struct that some version allows null */
	KP_ARRAY
};

struct kp_field {
	const char *name;		/* as in Kafka's JSON */
	const struct kp_struct *type;	/* of structs and arrays of structs */
	uint16_t offset;		/* in the C struct */
	uint8_t kind;			/* enum kp_kind */
	uint8_t element;		/* kind of an array's elements */
	int8_t version_min;
	int8_t version_max;
	int8_t null_min;		/* first version that allows null */
	uint8_t tag;			/* of tagged fields */
};

struct kp_struct {
	const struct kp_field *fields;	/* untagged, then tagged by tag */
	const void *defaults;		/* a C struct at its defaults */
	uint32_t size;			/* of the C struct */
	uint16_t field_count;		/* untagged */
	uint16_t tag_count;
	uint16_t wire_size_min;		/* fewest bytes of any version */
};

struct kp_message {
	const char *name;		/* Kafka's, as in "FetchRequest" */
	const struct kp_struct *body;
	int16_t key;			/* API key or record type, else -1 */
	int8_t version_min;
	int8_t version_max;
	int8_t flexible_min;		/* KP_VERSION_NEVER if none */
};

/* A row of the API table; name is NULL where a key is not in use. */
struct kp_api {
	const char *name;		/* Kafka's, as in "Fetch" */
	const struct kp_message *request;
	const struct kp_message *response;
	int8_t version_max_stable;
};

/* The logs whose records carry a type in front. */
enum kp_log {
	KP_LOG_METADATA,	/* __cluster_metadata */
	KP_LOG_GROUP,		/* __consumer_offsets */
	KP_LOG_TRANSACTION,	/* __transaction_state */
	KP_LOG_SHARE,		/* __share_group_state */
	KP_LOG_REMOTE		/* __remote_log_metadata */
};

/* A type of record; key is NULL where the log has values only. */
struct kp_record {
	int16_t type;
	const struct kp_message *key;
	const struct kp_message *value;
};

/* A part of a file. */
struct kp_extent {
	int fd;
	int64_t position;
	size_t len;
};

/*
 * Record batches: the bytes themselves, or parts of files whose lengths add up
 * to len.  Extents are used where there are any; without them, bytes with data
 * NULL is null.  Whoever fills it in keeps memory and files alive until the
 * message has been encoded and, for extents, sent.
 */
struct kp_records {
	struct slice bytes;
	size_t len;			/* of all extents together */
	const struct kp_extent *extents;
	int32_t extents_count;
};

/* Every message there is, ordered by definition file. */
extern const struct kp_message *const kp_messages[];
extern const int kp_messages_count;

/* The highest API key in use. */
extern const int kp_api_key_max;

/* The row of an API key, or NULL where no API has it. */
const struct kp_api *kp_api_find(int key);

/* The record of a type in a log, or NULL where there is none. */
const struct kp_record *kp_record_find(enum kp_log log, int type);

/* The message with Kafka's name, as in "FetchRequest", or NULL. */
const struct kp_message *kp_message_find(const char *name);

/* Does this version use compact lengths and tagged fields (KIP-482)? */
static inline bool
kp_flexible(const struct kp_message *m, int version)
{
	return version >= m->flexible_min;
}

static inline bool
kp_version_valid(const struct kp_message *m, int version)
{
	return version >= m->version_min && version <= m->version_max;
}

/* Does the field exist in this version? */
static inline bool
kp_field_present(const struct kp_field *f, int version)
{
	return version >= f->version_min && version <= f->version_max;
}

/*
 * The versions of the headers in front of a request and a response.  The
 * request's may be asked for versions that nobody serves.
 */
int kp_request_header_version(const struct kp_api *api, int version);
int kp_response_header_version(const struct kp_api *api, int version);

/* Set all fields of a message, or of a nested struct, to their defaults. */
void kp_defaults(const struct kp_message *m, void *body);
void kp_defaults_struct(const struct kp_struct *s, void *data);

/*
 * An array of count structs at their defaults in the arena, which it may
 * overdraw.  NULL only where count is negative.
 */
void *kp_array(struct arena *arena, const struct kp_struct *s, int32_t count)
    WARN_UNUSED;

/* The bytes that one element of this kind takes in C. */
size_t kp_kind_size(enum kp_kind kind, const struct kp_struct *type);

/* Where an array field's count is, given where its pointer is. */
static inline int32_t *
kp_count(void *array)
{
	return (int32_t *)(void *)((char *)array + sizeof(void *));
}

static inline int32_t
kp_count_get(const void *array)
{
	int32_t count;

	memcpy(&count, (const char *)array + sizeof(void *), sizeof(count));
	return count;
}

/* The array that begins at *array, a pointer field of any type. */
static inline const uint8_t *
kp_elements(const void *array)
{
	const uint8_t *elements;

	memcpy(&elements, array, sizeof(elements));
	return elements;
}

/*
 * Is the field of the struct at data at its default?  Such a tagged field is
 * not written.  Nested structs are compared in all their fields, whatever
 * their versions, as Kafka does.
 */
bool kp_field_is_default(const struct kp_struct *s, const struct kp_field *f,
    const void *data);

#endif
