/*
 * Kafka's 16-byte ids: topics, directories, clusters, incarnations.
 *
 * In files and on screen a uuid is URL-safe base64 without padding, always
 * UUID_TEXT_LEN characters (org.apache.kafka.common.Uuid).
 */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include "base/base.h"

#define UUID_TEXT_LEN 22

struct rng;

struct uuid {
	uint8_t bytes[16];
};

#define UUID_ZERO ((struct uuid){ { 0 } })

static inline bool
uuid_equal(struct uuid a, struct uuid b)
{
	return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

static inline bool
uuid_is_zero(struct uuid u)
{
	return uuid_equal(u, UUID_ZERO);
}

/* Reserved ids (the first hundred numbers) are never given to a thing. */
bool uuid_is_reserved(struct uuid u);

/*
 * A random version-4 id that is not reserved and whose text form does not
 * begin with '-', which command lines would take for an option.
 */
struct uuid uuid_random(struct rng *rng);

/* Write the text form and a NUL into text[UUID_TEXT_LEN + 1]. */
void uuid_format(struct uuid u, char text[UUID_TEXT_LEN + 1]);

/* Read the text form; -1 where text is not one. */
int uuid_parse(struct slice text, struct uuid *u) WARN_UNUSED;

#endif
