/*
 * What raw tests need done with topics: created, written to, measured.
 * Built on raw_client.h, and fails the test as that does.
 */
#ifndef E2E_RAW_TOPIC_H
#define E2E_RAW_TOPIC_H

#include "base/base.h"

#include "wire/error.h"

struct raw_client;
struct kp_produce_request;

/* The version of Produce that raw_topic_produce makes requests for. */
#define RAW_TOPIC_PRODUCE_VERSION 9

/* Create a topic without configs; it must not be there yet. */
void raw_topic_create(struct raw_client *client, const char *name,
    int32_t partitions);

/*
 * A request that appends one record to partition 0, in the client's arena;
 * version RAW_TOPIC_PRODUCE_VERSION.
 */
const struct kp_produce_request *raw_topic_produce(struct raw_client *client,
    const char *name, int16_t acks, struct slice value);

/* The end offset of partition 0, or the broker's error. */
enum kp_error raw_topic_try_end(struct raw_client *client, const char *name,
    int64_t *end) WARN_UNUSED;

/*
 * The same, and there must be one; waits until the broker knows it, which after
 * a crash takes a sync.
 */
int64_t raw_topic_end(struct raw_client *client, const char *name);

#endif
