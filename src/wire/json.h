/*
 * Messages as JSON, exactly as Apache Kafka's JSON converters print them:
 * names in camel case, bytes and records in base64, uuids in their text form,
 * integers as plain numbers, only the fields that the version has, and no
 * tagged fields that are at their default.
 *
 * For tracing, tools and tests; nothing here is meant to be fast.  Any thread
 * may call these functions.
 */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H

#include <jansson.h>

#include "base/base.h"
#include "wire/message.h"

struct arena;

/*
 * The message as a JSON object that the caller releases with json_decref.
 * What JSON cannot say is replaced: in strings that are not UTF-8 every byte
 * beyond ASCII becomes "?", records that are in files become their length.
 */
json_t *kp_json_write(const struct kp_message *m, int version,
    const void *body);

/* The same as one line of text, which the caller frees. */
char *kp_json_dump(const struct kp_message *m, int version, const void *body);

/*
 * Read a message of a valid version from a JSON object into *body.  Tagged
 * fields may be missing; names that the version does not have are ignored.
 * Strings and arrays are copied into the arena.
 *
 * 0, or -1 where a field is missing, is of the wrong type or out of range, or
 * the arena's cap is passed; *where is then the name of the field.
 */
int kp_json_read(const struct kp_message *m, int version, const json_t *json,
    struct arena *arena, void *body, const char **where) WARN_UNUSED;

#endif
