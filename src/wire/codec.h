/*
 * The codec: one decoder and one encoder for every message and version.
 *
 * Both walk the field tables of wire/message.h.  What they do that the tables
 * do not say is Kafka's: flexible versions have compact lengths (an unsigned
 * varint of length + 1, 0 for null) and tagged fields behind every struct; a
 * nullable struct begins with an int8, -1 for null and 1 otherwise, which
 * inside a tagged field is an unsigned varint, 0 or 1; tagged fields at their
 * default are not written (KIP-482, KIP-893).
 *
 * All bytes are hostile.  The decoder believes no count that the bytes left
 * cannot hold, its memory comes from an arena with a cap, and an error makes
 * it stop reading; it never aborts.  No function here blocks or locks; any
 * thread may call them with an arena of its own.
 */
#ifndef WIRE_CODEC_H
#define WIRE_CODEC_H

#include "base/base.h"
#include "wire/message.h"

struct arena;
struct kp_request_header;
struct output;

/* Limits that the protocol or we set on what is read. */
#define KP_STRING_LEN_MAX 32767
#define KP_TAGS_MAX 64			/* in one struct */
#define KP_TAG_UNKNOWN_SIZE_MAX 65536	/* of a tagged field we skip */

/*
 * Read a message of the given version from all of `in` into *body, a struct
 * of m's type.  Fields that the version does not have get their defaults.
 * Strings, bytes and records point into `in`, which has to live as long as
 * the body; arrays and nullable structs are in the arena.
 *
 * 0, or -1 where the version is not a valid one of the message, the bytes are
 * malformed, bytes are left over, or the arena's cap is passed.  After -1 the
 * contents of *body are unspecified.
 */
int kp_decode(const struct kp_message *m, int version, struct slice in,
    struct arena *arena, void *body) WARN_UNUSED;

/*
 * The same, but bytes left over are no error: *used says how many belong to
 * the message.  Kafka ignores what follows the body of a request.
 */
int kp_decode_prefix(const struct kp_message *m, int version, struct slice in,
    struct arena *arena, void *body, size_t *used) WARN_UNUSED;

/*
 * Read the header in front of a request.  Its API key and version come first
 * and decide the version of the header.  -1 where there is no such API or the
 * header is malformed; an API version out of range is for the caller to see.
 */
int kp_decode_request_header(struct slice frame, struct arena *arena,
    struct kp_request_header *header, size_t *used) WARN_UNUSED;

/*
 * The bytes that the message takes in a valid version, extents included.
 *
 * Encoding writes what the version can express: fields that it does not have
 * are left out whatever they hold, null where the version does not allow it
 * is written as empty, and a string beyond KP_STRING_LEN_MAX, which can only
 * be a text of ours, is cut there.
 */
size_t kp_size(const struct kp_message *m, int version, const void *body);

/*
 * Append the message to the output.  Without extents it makes one piece of
 * memory in the output's arena; extents become pieces of their own.
 * -1 where the arena's cap is passed, or the message is over 2 GiB.
 */
int kp_encode(const struct kp_message *m, int version, const void *body,
    struct output *out) WARN_UNUSED;

/*
 * The message as a key or a value of a record: behind two bytes of prefix, in
 * the arena.  It has no extents.  Null where the arena's cap is passed.
 */
struct slice kp_encode_prefixed(struct arena *arena, int16_t prefix,
    const struct kp_message *m, int version, const void *body);

/*
 * Append a whole frame: the four bytes of length, the header, the body.
 * Results as for kp_encode.
 */
int kp_encode_request(const struct kp_api *api, int version,
    int32_t correlation_id, struct slice client_id, const void *body,
    struct output *out) WARN_UNUSED;
int kp_encode_response(const struct kp_api *api, int version,
    int32_t correlation_id, const void *body, struct output *out) WARN_UNUSED;

#endif
